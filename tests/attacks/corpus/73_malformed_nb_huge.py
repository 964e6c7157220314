"""73 malformed-nb."""

from __future__ import annotations

import io
import zipfile

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To fill the grader's memory: a notebook of 500 MB in an archive of 0.5 MB.",
    "must": "limit the size before reading.",
    "standing": "unreadable",
    "otter": "it would fill this machine's memory",
    "needs": "",
}


def submission() -> dict[str, bytes]:
    head, tail = b'{"cells": [], "metadata": {"x": "', b'"}, "nbformat": 4, "nbformat_minor": 5}'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        with archive.open("target.ipynb", "w", force_zip64=True) as file:
            file.write(head)
            for _ in range(500):
                file.write(b" " * 1_000_000)
            file.write(tail)
    return {"target.zip": out.getvalue()}

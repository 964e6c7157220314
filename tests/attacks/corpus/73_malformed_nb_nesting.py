"""73 malformed-nb."""

from __future__ import annotations

ATTACK = {
    "number": 73,
    "name": "malformed-nb",
    "tries": "To exhaust the reader's stack with JSON nested 10⁵ deep.",
    "must": "call it unreadable and say why, and go on with the next student.",
    "standing": "unreadable",
    "otter": "run",
    "needs": "",
}


def submission() -> dict[str, bytes]:
    return {"target.ipynb": b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"}

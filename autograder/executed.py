"""The executed notebook: what the student handed in, with the outputs of this run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import msgspec


class _Output(msgspec.Struct, omit_defaults=True):
    """One output of a cell, nbformat 4; anything else S sends is left out."""

    output_type: Literal["stream", "display_data", "execute_result", "error"]
    name: Literal["stdout", "stderr"] | msgspec.UnsetType = msgspec.UNSET
    text: str | msgspec.UnsetType = msgspec.UNSET
    data: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    execution_count: int | msgspec.UnsetType | None = msgspec.UNSET
    ename: str | msgspec.UnsetType = msgspec.UNSET
    evalue: str | msgspec.UnsetType = msgspec.UNSET
    traceback: list[str] | msgspec.UnsetType = msgspec.UNSET


_decoder = msgspec.json.Decoder(list[_Output])


def executed(
    notebook: dict[str, Any], results: Mapping[int, tuple[bytes, int | None, str]]
) -> bytes:
    """Return ``notebook`` as JSON with the outputs of its code cells replaced.

    Args:
        notebook: nbformat 4, as :func:`autograder.notebook.read` gives it.
        results: For each code cell that ran, by its index among the code cells: outputs as a JSON
            list, execution count, and a remark to show in place of outputs if it was left out.
    """
    cells: list[dict[str, Any]] = []
    index = -1
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            index += 1
            outputs, count, remark = results.get(index, (b"", None, "This cell was not run."))
            cell = {**cell, "outputs": _outputs(outputs, remark), "execution_count": count}
        cells.append(cell)
    return json.dumps({**notebook, "cells": cells}, ensure_ascii=False, indent=1).encode()


def _outputs(data: bytes, remark: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = msgspec.to_builtins(_decoder.decode(data or b"[]"))
        json.dumps([[[[[[[[found]]]]]]]], indent=1)  # nested as in a notebook, can it be written?
    except (
        ValueError,
        RecursionError,
    ):  # msgspec.DecodeError and UnicodeDecodeError are ValueErrors
        found, remark = [], remark or "The outputs of this cell were damaged."
    if remark:
        found.append({"output_type": "stream", "name": "stderr", "text": f"[{remark}]\n"})
    return found

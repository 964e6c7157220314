"""A student's notebook as data: read with care, never run here."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from autograder.errors import NotebookError

MAX_BYTES = 32 * 2**20
"""Size of a notebook file that is still read."""
MAX_DEPTH = 100
"""Nesting of lists and objects that is still read: copying and writing recurse."""
MAX_CELLS = 5000
MAX_BRACKETS = 500_000
"""Opening brackets in the file: three bytes of JSON can cost two hundred of memory."""

SURROGATE = re.compile("[\ud800-\udfff]")
CHECK = re.compile(r"""grader\.check\(\s*["']([^"']{1,64})["']""")
"""The call by which a notebook runs the public tests of a question."""
DISGUISES = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a compressed archive",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"{\\rtf": "a text document",
    b"<": "a web page",
}
"""What files that are no notebooks begin with."""


def read(data: bytes, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read a notebook's bytes as nbformat 4 data.

    Version 3 is upgraded. Every cell has a ``cell_type`` of code, markdown or raw, ``source`` as
    one string, ``metadata`` as a dict, and a code cell ``outputs`` as a list. ``NaN`` and
    ``Infinity``, which Python writes but JSON does not know, become ``None``; lone surrogates,
    which cannot be written again, become U+FFFD.

    Args:
        data: The file's bytes, whatever they are.
        max_bytes: Size from which it is not read.

    Raises:
        NotebookError: if this is no notebook; one sentence for the student. Nothing else is
            raised, however hostile ``data`` is.
    """
    notebook = _version_4(_object(_decode(data, max_bytes)))
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise NotebookError("The notebook has no list of cells; save it again in Jupyter.")
    if len(cells) > MAX_CELLS:
        raise NotebookError(f"The notebook has {len(cells)} cells; at most {MAX_CELLS} are read.")
    metadata = notebook.get("metadata")
    return {
        **notebook,
        "metadata": metadata if isinstance(metadata, dict) else {},
        "cells": [_cell(cell, number) for number, cell in enumerate(cells, 1)],
    }


def code_sources(notebook: dict[str, Any]) -> list[str]:
    """Return the sources of the code cells of a notebook that ``read`` returned, in order."""
    return [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]


def checked_next(sources: list[str], questions: list[str]) -> list[str]:
    """Return for each code cell the question whose check comes next, in it or after it.

    Args:
        sources: Of the code cells, in order.
        questions: Names of the questions there are.
    """
    question, found = "", []
    for source in reversed(sources):
        checked = [name for name in CHECK.findall(source) if name in questions]
        question = checked[0] if checked else question
        found.append(question)
    return found[::-1]


def _decode(data: bytes, max_bytes: int) -> str:
    if not data.strip():
        raise NotebookError("The notebook file is empty; save the notebook and hand it in again.")
    if len(data) > max_bytes:
        raise NotebookError(
            f"The notebook is {len(data) / 2**20:.0f} MB and at most {max_bytes / 2**20:.0f} MB "
            "are read; clear the outputs of its cells, save it and hand it in again."
        )
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise NotebookError("The notebook holds too much data; clear the outputs of its cells.")
    for start, kind in DISGUISES.items():
        if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(start):
            raise NotebookError(f"The file is {kind}, not a notebook; hand in the .ipynb itself.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotebookError("The file is not UTF-8 text; save it again in Jupyter.") from None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=lambda _: None, parse_float=_finite)
    except RecursionError:
        raise NotebookError("The notebook is nested too deeply to be read.") from None
    except (ValueError, MemoryError):
        raise NotebookError(
            "The file is not a notebook (it is not JSON, or was cut off); save it again in Jupyter."
        ) from None
    if not isinstance(found, dict):
        raise NotebookError("The file is JSON but not a notebook; hand in the .ipynb itself.")
    _check_depth(found)
    return _without_surrogates(found) if "\\u" in text else found


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


def _check_depth(tree: object) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise NotebookError("The notebook is nested too deeply to be read.")


def _children(node: object) -> list[Any]:
    if isinstance(node, dict):
        return [value for value in node.values() if isinstance(value, dict | list)]
    return [v for v in node if isinstance(v, dict | list)] if isinstance(node, list) else []


def _without_surrogates(node: Any) -> Any:
    if isinstance(node, str):
        return SURROGATE.sub("\N{REPLACEMENT CHARACTER}", node)
    if isinstance(node, dict):
        return {_without_surrogates(key): _without_surrogates(v) for key, v in node.items()}
    return [_without_surrogates(value) for value in node] if isinstance(node, list) else node


def _version_4(notebook: dict[str, Any]) -> dict[str, Any]:
    version = notebook.get("nbformat")
    if version == 4 and type(version) is int:
        minor = notebook.get("nbformat_minor")
        return {**notebook, "nbformat_minor": minor if type(minor) is int and minor >= 0 else 5}
    if version == 3 and type(version) is int:
        return _upgrade(notebook)
    if type(version) is int and version > 4:
        raise NotebookError(
            f"The notebook is of format {version}, which is not known yet; save it as format 4."
        )
    raise NotebookError(
        "The file is JSON but not a notebook of Jupyter; hand in the .ipynb itself."
    )


def _upgrade(notebook: dict[str, Any]) -> dict[str, Any]:
    import nbformat

    try:
        upgraded = nbformat.convert(nbformat.from_dict(notebook), 4)
        return dict(json.loads(json.dumps(upgraded)))
    except Exception:  # a hostile file may break nbformat anywhere
        raise NotebookError(
            "The notebook is of the old format 3 and could not be read; save it again in Jupyter."
        ) from None


def _cell(cell: object, number: int) -> dict[str, Any]:
    if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
        raise NotebookError(f"Cell {number} of the notebook is damaged; save it again in Jupyter.")
    kind = cell["cell_type"] if cell["cell_type"] in {"code", "markdown"} else "raw"
    metadata = cell.get("metadata")
    tidy = {
        **cell,
        "cell_type": kind,
        "source": _source(cell.get("source"), number),
        "metadata": metadata if isinstance(metadata, dict) else {},
    }
    return tidy | _outputs(cell) if kind == "code" else tidy


def _source(source: object, number: int) -> str:
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    if isinstance(source, str):
        return source
    raise NotebookError(f"Cell {number} of the notebook holds no text; save it again in Jupyter.")


def _outputs(cell: dict[str, Any]) -> dict[str, Any]:
    outputs, count = cell.get("outputs"), cell.get("execution_count")
    return {
        "outputs": [one for one in outputs if isinstance(one, dict)]
        if isinstance(outputs, list)
        else [],
        "execution_count": count if type(count) is int else None,
    }

"""Otter's output without the traces of when and where it was made."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import Counter

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can tell."""
EXECUTABLE = {"run_autograder", "setup.sh"}
NOTEBOOK_METADATA = {"kernelspec", "language_info", "otter"}
CELL_METADATA = {"deletable", "editable", "jupyter", "otter", "question", "slideshow", "tags"}
"""What metadata students need. The rest may hold outputs (widgets) or times (execution)."""


def canonical_notebook(data: bytes, ids: frozenset[str]) -> bytes:
    """``data`` with every random cell id replaced, and with needless metadata removed.

    Args:
        data: A notebook.
        ids: Ids that are not random. All others are made anew from the cell's own text, so that
            editing one cell changes no other cell's id.
    """
    from nbformat import v4

    notebook = v4.reads(data.decode())
    notebook.metadata = {k: v for k, v in notebook.metadata.items() if k in NOTEBOOK_METADATA}
    seen: Counter[str] = Counter()
    question = ""
    for cell in notebook.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in CELL_METADATA}
        question = cell.metadata.get("question", question)
        if "otter_answer_cell" in cell.metadata.get("tags", []):
            cell.metadata["question"] = question  # otter's own answer cells come without
        if "id" in cell and cell.id not in ids:
            text = f"{cell.cell_type}\0{cell.source}"
            seen[text] += 1
            cell.id = hashlib.sha256(f"{text}\0{seen[text]}".encode()).hexdigest()[:12]
    return f"{v4.writes(notebook)}\n".encode()


def canonical_zip(data: bytes) -> bytes:
    """The archive ``data`` in order of names, with one time and plain permissions."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in sorted(name for name in old.namelist() if not name.endswith("/")):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3
            entry.external_attr = (0o100755 if name in EXECUTABLE else 0o100644) << 16
            new.writestr(entry, old.read(name))
    return buffer.getvalue()

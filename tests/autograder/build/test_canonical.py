"""Otter's output without the traces of when and where it was made."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from autograder.build.canonical import canonical_notebook, canonical_zip


def notebook(*cells: dict[str, Any], minor: int = 5) -> bytes:
    shared = {"cell_type": "markdown", "metadata": {}}
    data = {
        "cells": [{**shared, **cell} for cell in cells],
        "metadata": {"kernelspec": {"name": "python3"}, "widgets": {"state": "outputs"}},
        "nbformat": 4,
        "nbformat_minor": minor,
    }
    return json.dumps(data).encode()


def ids(data: bytes) -> list[str]:
    return [cell["id"] for cell in json.loads(data)["cells"]]


def test_random_ids_are_replaced_and_the_masters_are_kept() -> None:
    first = notebook({"id": "mine", "source": "a"}, {"id": "r1", "source": "b"})
    second = notebook({"id": "mine", "source": "a"}, {"id": "r2", "source": "b"})
    known = frozenset({"mine"})
    assert canonical_notebook(first, known) == canonical_notebook(second, known)
    assert ids(canonical_notebook(first, known))[0] == "mine"


def test_editing_one_cell_changes_no_other_id() -> None:
    before = notebook({"id": "r1", "source": "a"}, {"id": "r2", "source": "b"})
    after = notebook({"id": "r3", "source": "new"}, {"id": "r4", "source": "b"})
    one, two = (ids(canonical_notebook(data, frozenset())) for data in (before, after))
    assert one[0] != two[0]
    assert one[1] == two[1]


def test_equal_cells_get_different_ids() -> None:
    data = notebook({"id": "r1", "source": "a"}, {"id": "r2", "source": "a"})
    assert len(set(ids(canonical_notebook(data, frozenset())))) == 2


def test_old_notebooks_stay_without_ids() -> None:
    made = json.loads(canonical_notebook(notebook({"source": "a"}, minor=4), frozenset()))
    assert "id" not in made["cells"][0]
    assert made["nbformat_minor"] == 4


def test_outputs_kept_in_metadata_are_removed() -> None:
    cell = {"id": "r1", "source": "a", "metadata": {"execution": {"time": "now"}, "tags": ["x"]}}
    made = json.loads(canonical_notebook(notebook(cell), frozenset()))
    assert list(made["metadata"]) == ["kernelspec"]
    assert made["cells"][0]["metadata"] == {"tags": ["x"]}


def test_zip_does_not_tell_order_time_or_owner() -> None:
    def packed(*names: str, year: int) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0)), name)
        return buffer.getvalue()

    one, two = packed("setup.sh", "a.py", year=2020), packed("a.py", "setup.sh", year=2024)
    assert canonical_zip(one) == canonical_zip(two)
    with zipfile.ZipFile(io.BytesIO(canonical_zip(one))) as archive:
        modes = {entry.filename: oct(entry.external_attr >> 16) for entry in archive.infolist()}
    assert modes == {"a.py": "0o100644", "setup.sh": "0o100755"}

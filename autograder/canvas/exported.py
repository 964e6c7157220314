"""What was handed to Canvas before, by file or through its API, for the three-way comparison.

A gradebook that is exported later shows what we wrote, unless a person changed it, or nobody
imported it, or the gradebook is older. ``exported.json`` beside the results says what each file
would have changed; a push through the API counts as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from autograder.errors import ExportError
from autograder.files import write_atomically
from autograder.gradebook import Column

FILE = "exported.json"
"""Name of the record in a folder of results."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One student's grade in one file."""

    before: str
    """The gradebook's cell then; empty if there was none."""
    after: str
    """What was written."""
    late: bool = False
    """Whether the work was late, so that Canvas may have deducted from it."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The grades that one file changes, or one push changed."""

    written: datetime
    """UTC."""
    cells: dict[str, Cell]
    """By Canvas user id."""
    by: Literal["file", "push"] = "file"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was written into one column."""

    header: str = ""
    batches: list[Batch] = []
    """Oldest first."""

    @property
    def last(self) -> Batch | None:
        """The newest."""
        return self.batches[-1] if self.batches else None

    @property
    def students(self) -> set[str]:
        """Canvas user ids of everybody for whom something was written."""
        return {student for batch in self.batches for student in batch.cells}

    def base(self, student: str) -> Cell | None:
        """What was written last for a student, or ``None`` if nothing ever was."""
        found = [batch.cells[student] for batch in self.batches if student in batch.cells]
        return found[-1] if found else None

    def earlier(self, student: str) -> set[str]:
        """Everything that a student's cell has shown or held before the last batch's grade."""
        found = [batch.cells[student] for batch in self.batches if student in batch.cells]
        return {cell.before for cell in found} | {cell.after for cell in found[:-1]}

    def without_last(self) -> Written:
        """The same as if the newest had never been written."""
        return msgspec.structs.replace(self, batches=self.batches[:-1])


def read(folder: Path) -> dict[str, Written]:
    """What was written from a folder of results, by Canvas assignment id.

    Raises:
        ExportError: if the record is damaged.
    """
    file = folder / FILE
    if not file.exists():
        return {}
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Written])
    except (OSError, msgspec.DecodeError) as error:
        raise ExportError(
            f"{file}, which says what was exported before, cannot be read ({error}); restore it, "
            "or remove it and decide about every grade that is in Canvas already."
        ) from None


def column_of(columns: Mapping[str, Written], column: Column, by_id: bool) -> Written:
    """What was written into a column.

    Args:
        columns: The record of a folder of results.
        column: As found in a gradebook.
        by_id: Whether it was named by its Canvas id.

    Raises:
        ExportError: if it was found by its title, and the results went into another one of the
            same title before: the gradebook may be of another course.
    """
    others = [one.header for id_, one in columns.items() if one.header == f"{column.title} ({id_})"]
    if others and column.id not in columns and not by_id:
        raise ExportError(
            f"These results went into {others[0]!r} before, and the gradebook "
            f"has {column.header!r}, so it may be of another course; if it is not, name the "
            f"column by its id, {column.id}."
        )
    return columns.get(column.id) or Written(header=column.header)


def write(folder: Path, columns: Mapping[str, Written]) -> None:
    """Write the record of a folder of results.

    Raises:
        ExportError: if it cannot be written.
    """
    data = msgspec.json.format(msgspec.json.encode(dict(columns)), indent=1)
    try:
        write_atomically(folder / FILE, data)
    except OSError as error:
        raise ExportError(f"{folder / FILE} cannot be written ({error.strerror}).") from None


def merged(written: Written, pushes: Sequence[Batch]) -> Written:
    """The same and what was pushed through the API, in the order of time."""
    batches = sorted([*written.batches, *pushes], key=lambda one: one.written)
    return msgspec.structs.replace(written, batches=batches)

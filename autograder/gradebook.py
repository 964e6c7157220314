"""Reading a gradebook that Canvas exported: who is in the course, what is in its columns.

The layout is that of Canvas ``lib/gradebook_exporter.rb``: a header; perhaps a row that says which
assignments are posted by hand; a row of points possible; one row for each student. Nothing of a
row is re-derived: what is written back (``autograder.canvas``) is what stands in ``Row.cells``.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec

from autograder.errors import IntakeError
from autograder.model import Student
from autograder.text import one_line

IDENTITY = (
    "Student", "LastName", "FirstName", "ID", "SIS User ID", "SIS Login ID",
    "Integration ID", "Root Account", "Section",
)  # fmt: skip
"""Headers of the columns that say who a row is about."""

TOTALS = (
    "Current Score", "Current Points", "Current Grade", "Final Score", "Final Points",
    "Final Grade", "Override Score", "Override Grade", "Override Status",
)  # fmt: skip
"""Canvas takes every column whose header contains one of these for a total, even an assignment
of such a title, and ignores it on import (``lib/gradebook_importer.rb``)."""

NOT_A_STUDENT = re.compile(r"\s*(Muted|Manual Posting.*)?\s*", re.IGNORECASE | re.DOTALL)
NUMERIC = re.compile(r"-?[0-9.,]+%?")
MAX_BYTES = 64 * 2**20


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One assignment's column."""

    index: int
    header: str
    """As exported, e.g. ``"CNNs (1234)"``."""
    title: str
    id: str
    """Canvas assignment id."""
    points: str = ""
    """The cell of the row of points possible, as it stands there."""
    by_hand: bool = False
    """Whether students see a grade only when it is posted by hand."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One student's row."""

    line: int
    """Number of the row in the file, the header being 1."""
    cells: list[str]
    student: Student

    @property
    def is_test_student(self) -> bool:
        """Whether this is Canvas' own "Test Student", whom nobody teaches."""
        return self.student.name == "Student, Test" and not self.student.sis_id


class Gradebook(msgspec.Struct, frozen=True, kw_only=True):
    """A gradebook as exported."""

    name: str
    """The file's name, for messages."""
    header: list[str]
    identity: int
    """How many of the first columns say who a row is about."""
    points: list[str] | None
    """The row of points possible, if there is one."""
    rows: list[Row]
    """Every student's row in the file's order, the test student's too."""
    posting: list[str] | None = None
    """The row that says which assignments are posted by hand, if there is one."""

    @property
    def columns(self) -> list[Column]:
        """The assignments' columns, in order."""
        return [found for index in range(self.identity, len(self.header))
                if (found := self._column(index)) is not None]  # fmt: skip

    def _column(self, index: int) -> Column | None:
        header = self.header[index]
        match = re.fullmatch(r"(.*) \((\d+)\)", header, re.DOTALL)
        if match is None or any(total in header for total in TOTALS):
            return None
        points = self.points[index] if self.points else ""
        by_hand = self.posting is not None and "manual" in self.posting[index].lower()
        return Column(
            index=index, header=header, title=match[1], id=match[2], points=points, by_hand=by_hand
        )

    @property
    def students(self) -> list[Student]:
        """The roster: everyone but Canvas' test student.

        Raises:
            IntakeError: if an ID is not a Canvas user id or two rows have the same: such a file
                was changed by a spreadsheet, and grades would reach the wrong people.
        """
        check_ids(self)
        return [row.student for row in self.rows if not row.is_test_student]


def read(path: Path) -> Gradebook:
    """Read the gradebook CSV at ``path``.

    Raises:
        IntakeError: if it cannot be read, or is no gradebook as Canvas exports it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise IntakeError(f"{path} cannot be read ({error.strerror}).") from None
    return parse(data, path.name)


def parse(data: bytes, name: str = "gradebook.csv") -> Gradebook:
    """Read a gradebook's bytes: with or without a byte order mark, comma or semicolon.

    Args:
        data: The file's bytes.
        name: The file's name, for messages.

    Raises:
        IntakeError: if this is no gradebook as Canvas exports it.
    """
    table = _table(_text(data, name), name)
    header = table[0]
    identity = _identity(header, name)
    students = [(line, cells) for line, cells in enumerate(table[1:], 2) if _is_student(cells)]
    for line, cells in students:
        if len(cells) != len(header):
            raise IntakeError(
                f"Row {line} of {name} has {len(cells)} cells where the header has {len(header)}; "
                "export the gradebook from Canvas again."
            )
    return Gradebook(
        name=name,
        header=header,
        identity=identity,
        points=next((_padded(c, len(header)) for c in table[1:] if _is_points(c)), None),
        posting=next((_padded(c, len(header)) for c in table[1:] if _is_posting(c)), None),
        rows=[
            Row(line=line, cells=cells, student=_student(header[:identity], cells))
            for line, cells in students
        ],
    )


def rewritten(cell: str) -> str:
    """Convert a cell as Canvas does: the last ``.`` or ``,`` of a number is its decimal point.

    What does not look like a number or percentage all through stays as it is
    (``lib/gradebook_importer.rb``).
    """
    if not NUMERIC.fullmatch(cell):
        return cell
    parts = re.split("[.,]", cell)
    while parts and not parts[-1]:
        parts.pop()
    return f"{''.join(parts[:-1])}.{parts[-1]}" if len(parts) > 1 else "".join(parts)


def number(cell: str) -> float | None:
    """Return the number in a gradebook's cell, or ``None`` if it holds something else."""
    text = cell.strip()
    try:
        return float(rewritten(text)) if NUMERIC.fullmatch(text) else None
    except ValueError:
        return None


def exact(cell: str) -> Decimal | None:
    """Return the number in a gradebook's cell exactly, or ``None`` if it holds something else."""
    text = cell.strip()
    try:
        return Decimal(rewritten(text)) if NUMERIC.fullmatch(text) else None
    except InvalidOperation:
        return None


def check_ids(gradebook: Gradebook) -> None:
    """Check that every row has a Canvas user id of its own.

    Raises:
        IntakeError: naming the first row that has not.
    """
    counts = Counter(row.student.id for row in gradebook.rows)
    for row in gradebook.rows:
        problem = ""
        if not re.fullmatch(r"[1-9][0-9]*", row.student.id, re.ASCII):
            problem = f"has the ID {one_line(row.student.id, 40)!r}, which is no Canvas user id"
        elif counts[row.student.id] > 1:
            problem = f"has the ID {row.student.id}, which another row has too"
        if problem:
            raise IntakeError(
                f"Row {row.line} of {gradebook.name} {problem}; export the gradebook from Canvas "
                "again and don't save it with a spreadsheet program."
            )


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise IntakeError(f"{name} is too large for a gradebook.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise IntakeError(
            f"{name} is not UTF-8 text, so a spreadsheet program has saved it; export the "
            "gradebook from Canvas again and pass that file as it is."
        ) from None


def _table(text: str, name: str) -> list[list[str]]:
    for delimiter in ",;":
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error as error:
            problem = str(error)
            continue
        table = [row for row in rows if row]
        if table and len(table[0]) >= 3:
            return table
        problem = "its first row is not Canvas' header"
    raise IntakeError(f"{name} is no gradebook: {problem}; export it from Canvas again.")


def _identity(header: list[str], name: str) -> int:
    end = header.index("Section") + 1 if "Section" in header else 0
    own = header[:end]
    named = own[:2] == ["Student", "ID"] or own[:3] == ["LastName", "FirstName", "ID"]
    if not named or any(one not in IDENTITY for one in own) or len(set(own)) < len(own):
        raise IntakeError(
            f"{name} is no gradebook: its header does not begin with Student, ID … Section; "
            "export it from Canvas (Grades, Export)."
        )
    return end


def _is_points(cells: list[str]) -> bool:
    return "Points Possible" in cells[0]


def _is_posting(cells: list[str]) -> bool:
    return not _is_student(cells) and any("manual posting" in cell.lower() for cell in cells)


def _is_student(cells: list[str]) -> bool:
    return not _is_points(cells) and not all(NOT_A_STUDENT.fullmatch(cell) for cell in cells)


def _padded(cells: list[str], width: int) -> list[str]:
    return (cells + [""] * width)[:width]


def _student(identity: list[str], cells: list[str]) -> Student:
    row = dict(zip(identity, cells, strict=False))
    name = row["Student"] if "Student" in row else f"{row['LastName']}, {row['FirstName']}"
    guarded = re.fullmatch(r'="(.*)"', name, re.DOTALL)
    return Student(
        id=row["ID"].strip(),
        name=guarded[1] if guarded else name,
        login=row.get("SIS Login ID", "").strip(),
        sis_id=row.get("SIS User ID", "").strip(),
        section=row["Section"],
    )

"""What Canvas will make of a gradebook CSV: its importer's rules, as far as they decide grades.

From reading ``lib/gradebook_importer.rb``: the delimiter is judged by the first three physical
lines, cells that look like numbers are rewritten, students are found by ``ID`` before anything
else, assignments by the number in their header, and some headers and rows are passed over.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Sequence
from itertools import islice
from typing import NamedTuple

from autograder.canvas.columns import custom_columns
from autograder.errors import ExportError
from autograder.gradebook import NOT_A_STUDENT, TOTALS, Column, Gradebook, number, rewritten

LAYOUTS = (
    ("Student", "ID", "Section"),
    ("Student", "ID", "SIS Login ID", "Section"),
    ("Student", "ID", "SIS User ID", "SIS Login ID", "Section"),
    ("Student", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Section"),
    ("Student", "ID", "SIS User ID", "SIS Login ID", "Root Account", "Section"),
    ("Student", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account", "Section"),
)


class Imported(NamedTuple):
    """What an import would do."""

    grades: dict[int, dict[str, str]]
    """Cell by assignment id, by user id."""
    points: dict[str, str]
    """Points possible by assignment id."""
    ignored: list[str]
    """Headers that Canvas takes for totals."""


class Preview(NamedTuple):
    """What Canvas shows of a file of one column before anything is saved."""

    changed: dict[int, tuple[str, str]]
    """Before and after by user id."""
    resent: list[int]
    """User ids of those whose grade is sent again as it is."""
    cleared: list[int]
    """User ids of those who would lose their grade."""
    ignored: list[str]
    """Headers of columns that Canvas takes no grades from."""


def preview(data: bytes, gradebook: Gradebook, column: Column) -> Preview:
    """Read ``data`` as Canvas would where it holds what ``gradebook`` says.

    Raises:
        ExportError: if Canvas would refuse it, take it for something else than it is, or ask who
            somebody in it is.
    """
    read = imported(data, custom_columns(gradebook))
    before = {int(row.student.id): row.cells[column.index].strip() for row in gradebook.rows}
    found = Preview({}, [], [], read.ignored)
    for user, cells in read.grades.items():
        if user not in before:
            raise ExportError(f"Canvas would ask who the student with the ID {user} is.")
        old, new = before[user], cells.get(column.id, "")
        if not new.strip():
            found.cleared.extend([user] if old else [])
        elif number(old) == number(new):
            found.resent.append(user)
        else:
            found.changed[user] = old, new
    return found


def imported(data: bytes, custom: Collection[str] = ()) -> Imported:
    """Read ``data`` as Canvas would.

    Args:
        data: The file.
        custom: Titles of the course's custom columns.

    Raises:
        ExportError: if Canvas would refuse it, or take it for something else than it is.
    """
    table = [[rewritten(cell) for cell in row] for row in _table(_text(data))]
    header, rows = table[0], table[1:]
    columns, user = _assignments(header, custom), header.index("ID")
    grades: dict[int, dict[str, str]] = {}
    points: dict[str, str] = {}
    for row in rows:
        cells = {key: row[index] if index < len(row) else "" for key, index in columns.items()}
        if "Points Possible" in row[0]:
            points = cells
        elif not all(NOT_A_STUDENT.fullmatch(cell) for cell in row):
            grades[leading_integer(row[user])] = cells
    ignored = [title for title in header if any(total in title for total in TOTALS)]
    return Imported(grades, points, ignored)


def leading_integer(cell: str) -> int:
    """Ruby's ``to_i``: the integer a text begins with, or 0. ``"1.23E+14"`` is 1."""
    match = re.match(r"\s*([+-]?[0-9]+)", cell)
    return int(match[1][:30]) if match else 0


def delimiter(lines: Sequence[str]) -> str:
    """Tell the delimiter that Canvas judges a file to have by its first three physical lines.

    A separator counts for as many fields as each of the lines has with it, or for nothing if
    they differ or a line cannot be parsed; the semicolon must count for more than the comma.
    """
    return ";" if _fields(lines, ";") > _fields(lines, ",") else ","


def _fields(lines: Sequence[str], separator: str) -> int:
    widths = [_width(line.rstrip("\r\n"), separator) for line in lines]
    return widths[0] if widths and len(set(widths)) == 1 else 0


def _width(line: str, separator: str) -> int:
    cell = rf'(?:"(?:[^"]|"")*"|[^"{separator}]*)'
    if not line or not re.fullmatch(rf"{cell}(?:{separator}{cell})*", line):
        return 0
    return len(re.sub(r'"(?:[^"]|"")*"', "", line).split(separator))


def _text(data: bytes) -> str:
    if data.startswith(b'\xef\xbb\xbf"'):
        raise ExportError("Canvas cannot read a byte order mark before a quoted header.")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise ExportError("Canvas reads gradebooks in UTF-8 only.") from None


def _table(text: str) -> list[list[str]]:
    separator = delimiter(list(islice(io.StringIO(text, newline=""), 3)))
    if len(set(re.findall(r"\r\n|\r|\n", text))) > 1:
        raise ExportError("Canvas cannot read a file that mixes kinds of line ends.")
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        table = [row for row in rows if row]
    except csv.Error as error:
        raise ExportError(f"Canvas cannot read the file: {error}.") from None
    if not table or text[0] in "\r\n" or len(table[0]) < 4:
        raise ExportError("Canvas would answer “Invalid header row”.")
    return table


def _assignments(header: list[str], custom: Collection[str]) -> dict[str, int]:
    width = header.index("Section") + 1 if "Section" in header else 0
    own = header[:width]
    one_name = ["Student", *own[2:]] if own[:2] == ["LastName", "FirstName"] else own
    if tuple(one_name) not in LAYOUTS:
        raise ExportError(
            f"Canvas would answer “Invalid header row” to {', '.join(own) or 'no such columns'}; "
            "have the gradebook exported by somebody whose export has the SIS Login ID too."
        )
    for title in header:
        if title in custom:
            raise ExportError(f"Canvas would take {title!r} for the custom column of that name.")
    titles = [title for title in header[width:] if not any(total in title for total in TOTALS)]
    return {_assignment_id(title): header.index(title) for title in titles}


def _assignment_id(header: str) -> str:
    match = re.search(r" \(([0-9]+)\)\Z", header)
    if match is None:
        raise ExportError(f"Canvas would make a new assignment of the column {header!r}.")
    return match[1]

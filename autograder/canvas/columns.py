"""Finding an assignment's column in a gradebook, as Canvas will find it in the file we make."""

from __future__ import annotations

import re

from autograder.errors import ExportError
from autograder.gradebook import TOTALS, Column, Gradebook, number
from autograder.text import one_line

READ_ONLY = "read only"
"""What the row of points possible says, in English, below a column that Canvas ignores."""


def find_column(gradebook: Gradebook, assignment: str) -> Column:
    """Find the column of ``assignment`` to be filled, by Canvas id, title or header.

    Raises:
        ExportError: if there is none, there are several, or Canvas would not import it.
    """
    found = named_column(gradebook, assignment)
    if READ_ONLY in found.points:
        raise ExportError(
            f"The column {found.header!r} is read only in Canvas; have it unlocked there."
        )
    if found.header in custom_columns(gradebook):
        raise ExportError(
            f"The column {found.header!r} stands where Canvas exports columns for notes, and has "
            "no points possible; set the points in Canvas, or name another column."
        )
    if found.points.strip() and number(found.points) is None:
        raise ExportError(
            f"{gradebook.name} says that {found.header!r} is worth "
            f"{one_line(found.points, 40)!r}, which is no number; export it from Canvas again and "
            "don't save it with a spreadsheet program."
        )
    return found


def named_column(gradebook: Gradebook, assignment: str) -> Column:
    """Find the column of ``assignment``, by Canvas id, title or header.

    Raises:
        ExportError: if there is none or there are several.
    """
    own = gradebook.header[gradebook.identity :]
    doubled = next((header for header in own if header and own.count(header) > 1), None)
    if doubled is not None:
        raise ExportError(
            f"{gradebook.name} has two columns named {doubled!r}, of which Canvas would read the "
            "first twice; rename the assignment or custom column in Canvas and export again."
        )
    named = [column for column in gradebook.columns
             if assignment in {column.id, column.title, column.header}]  # fmt: skip
    if len(named) != 1:
        raise ExportError(_no_column(gradebook, assignment, len(named)))
    return named[0]


def custom_columns(gradebook: Gradebook) -> list[str]:
    """The headers of custom columns, such as notes.

    Canvas exports them between ``Section`` and the assignments and, unlike those, without points
    possible (``lib/gradebook_exporter.rb``). Without that row only headers tell.
    """
    found: list[str] = []
    for index in range(gradebook.identity, len(gradebook.header)):
        header = gradebook.header[index]
        points = gradebook.points[index].strip() if gradebook.points else ""
        is_title = bool(re.search(r" \([0-9]+\)\Z", header))
        if any(total in header for total in TOTALS):
            break
        if (points and READ_ONLY not in points) or (is_title and not gradebook.points):
            break
        found.append(header)
    return found


def _no_column(gradebook: Gradebook, assignment: str, found: int) -> str:
    ignored = {header for header in gradebook.header if any(total in header for total in TOTALS)}
    meant = next((header for header in ignored if assignment in header), None)
    if meant or any(total in assignment for total in TOTALS):
        return (
            f"Canvas takes {meant or assignment!r} for a total because of its title and would "
            "ignore the grades; rename the assignment in Canvas."
        )
    known = ", ".join(repr(column.header) for column in gradebook.columns) or "none"
    if found:
        return (
            f"Several columns of {gradebook.name} are {assignment!r}; name one by its id: {known}."
        )
    return (
        f"{gradebook.name} has no assignment {assignment!r}; it has {known}, so it may be of "
        "another course."
    )

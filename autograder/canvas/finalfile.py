"""Writing final grades: a table for people, or, if a column is named, a file for Canvas.

The table is none that Canvas would import: its header does not begin as a gradebook's does, and
Canvas answers "Invalid header row" to it (``lib/gradebook_importer.rb``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from autograder.canvas.columns import find_column
from autograder.canvas.damage import check_numbers, untouchable
from autograder.canvas.export import Changes, as_text
from autograder.canvas.final import FULL, Component, Final, Score, State
from autograder.canvas.threeway import Change, LeftOut
from autograder.course import digits
from autograder.errors import ExportError
from autograder.files import write_atomically
from autograder.gradebook import Gradebook, number


def write_table(finals: Sequence[Final], components: Sequence[Component], path: Path) -> None:
    """Write one row for each student: points of each assignment, final grade, and arithmetic.

    Raises:
        ExportError: if ``path`` cannot be written.
    """
    try:
        write_atomically(path, table(finals, components))
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error.strerror}).") from None


def table(finals: Sequence[Final], components: Sequence[Component]) -> bytes:
    """The table as CSV in UTF-8; no cell is one that a spreadsheet would run."""
    header = ["user", "name", "login", "section"]
    header += [f"{one.name} of {digits(one.points)}" for one in components]
    lines = [[*header, f"final of {FULL}", "arithmetic", "remarks"]]
    for final in finals:
        student = final.row.student
        own = [student.id, student.name, student.login, student.section]
        total = "" if final.total is None else digits(final.total)
        cells = [*own, *map(_cell, final.scores), total, final.arithmetic, "; ".join(final.remarks)]
        lines.append(list(map(as_text, cells)))
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue().encode()


def for_canvas(finals: Sequence[Final], gradebook: Gradebook, column: str) -> Changes:
    """Work out what importing the final grades into ``column`` changes; nothing is written.

    Students whose final grade is open are left out.

    Args:
        finals: Of all students.
        gradebook: As exported from the course the grades go to.
        column: Canvas id, title or header of a column that is worth 100 points.

    Raises:
        ExportError: if there is no such column, it counts in the final grade itself, or it is
            worth something else.
    """
    found = find_column(gradebook, column)
    if any(found in score.component.columns for final in finals for score in final.scores):
        raise ExportError(f"The column {found.header!r} is a part of the final grade itself.")
    if number(found.points) != FULL:
        raise ExportError(
            f"The column {found.header!r} is worth {found.points.strip() or 'nothing'} in Canvas; "
            f"final grades are of {FULL} points, so set that there."
        )
    fates = [_fate(final, gradebook, found.index) for final in finals]
    return Changes(
        column=found,
        rows=[fate for fate in fates if isinstance(fate, Change)],
        left_out=[fate for fate in fates if isinstance(fate, LeftOut)],
        warnings=[],
    )


def _fate(final: Final, gradebook: Gradebook, index: int) -> Change | LeftOut:
    row = final.row
    before = row.cells[index].strip()
    reason = untouchable(before)
    if final.total is None:
        reason = "; ".join(final.remarks) or "excused from everything"
    if reason or final.total is None:
        return LeftOut(student=row.student.id, name=row.student.name, reason=reason)
    check_numbers(gradebook, row)
    return Change(student=row.student, before=before, after=digits(final.total), line=row.line)


def _cell(score: Score) -> str:
    if score.state is State.EXCUSED:
        return "EX"
    return digits(score.earned) if score.state is State.GRADED else ""

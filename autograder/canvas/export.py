"""Writing grades into a file that Canvas imports, without harm to anything else in a gradebook.

The file has the identity columns and one assignment, copied as Canvas exported them, and rows
only for students whose grade changes: to an import, a missing row is nobody's concern, but an
empty cell clears a grade. That is why a file never has two assignments: a student with a grade in
one of them alone would have an empty cell. Before it is handed out it is read as Canvas would
read it.

Text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP ASVS 5.0,
1.2.10). Grades still reach the right students: Canvas finds them by the number in ``ID`` and
changes no names on import.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from autograder.bundle import Manifest
from autograder.canvas.columns import find_column
from autograder.canvas.damage import check, check_cells
from autograder.canvas.exported import Batch, Cell, Written
from autograder.canvas.importer import imported, preview
from autograder.canvas.threeway import Change, LeftOut, View
from autograder.errors import ExportError
from autograder.files import write_atomically
from autograder.gradebook import Column, Gradebook, number, rewritten
from autograder.grades import Grade
from autograder.model import Student
from autograder.policy import LateRule

PLAIN = re.compile(r"[0-9]+(\.[0-9]{1,2})?")
"""What a grade must look like: anything else Canvas would convert, or clear the grade over it."""

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n\0]")
"""What a cell begins with that a spreadsheet may run."""


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has decided; nobody is in any of it who was not named."""

    leave_out: Collection[str] = ()
    """Canvas user ids of students whose grades are not to be written."""
    renamed: Collection[str] = ()
    """Canvas user ids of students whose name, login or SIS id may have changed."""
    ours: Collection[str] = ()
    """Canvas user ids of students whose grade in Canvas is to be overwritten, whoever gave it."""
    unsealed: bool = False
    """Whether grades may be written that rooms without isolation gave."""
    not_imported: bool = False
    """Whether the last file that was written was never imported."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an import will do, to be looked at before anything is written."""

    column: Column
    rows: list[Change]
    """One for each student with a grade that may be written, in the gradebook's order."""
    left_out: list[LeftOut]
    warnings: list[str]
    before: Written = Written()
    """What was written into the column before, as far as it was imported."""

    @property
    def changed(self) -> list[Change]:
        """The students whose grade will be another one: the rows that are written."""
        return [row for row in self.rows if row.changes]

    def noted(self, now: datetime) -> Written:
        """The record of what files have written into the column, this one the last of them."""
        cells = {
            row.student.id: Cell(before=row.before, after=row.after, late=row.late)
            for row in self.changed
        }
        files = [batch for batch in self.before.batches if batch.by == "file"]
        batch = Batch(written=now, cells=cells)
        return Written(header=self.column.header, batches=[*files, batch])


def changes(
    gradebook: Gradebook,
    assignment: str,
    grades: Sequence[Grade],
    manifest: Manifest,
    choices: Choices = Choices(),  # noqa: B008 - it is frozen
    *,
    roster: Sequence[Student] = (),
    written: Written = Written(),  # noqa: B008
    canvas_takes: LateRule | None = None,
) -> Changes:
    """Work out who changes from what to what; nothing is written.

    Args:
        gradebook: As exported from the course the grades go to.
        assignment: The column: Canvas assignment id, title, or the whole header.
        grades: One for each student.
        manifest: Of the assignment; its autograded points are what is sent.
        choices: What a person has decided.
        roster: The students as they were when their work was graded.
        written: What was written into the column before.
        canvas_takes: What Canvas' late policy takes off; ``None`` if it is off.

    Raises:
        ExportError: if the gradebook is damaged, of another course or older than what was
            written last, the column is missing or one that Canvas would not import, a grade
            belongs to nobody in it or to somebody of another name, a score is not a grade, or was
            given without isolation. One sentence, and nothing is written.
    """
    column = find_column(gradebook, assignment)
    check_cells(gradebook, column)
    wanted = [grade for grade in grades if grade.student not in set(choices.leave_out)]
    students = {grade.student: Student(id=grade.student, name=grade.verdict.name)
                for grade in wanted}  # fmt: skip
    if len(students) < len(wanted):
        raise ExportError("A student has two verdicts; pass only the latest of each student.")
    students |= {one.id: one for one in roster if one.id not in set(choices.leave_out)}
    graded = [grade.student for grade in wanted]
    rows = check(gradebook, list(students.values()), graded, choices.renamed)
    view = View(gradebook.name, rows, column, written, canvas_takes, set(choices.ours),
                set(choices.leave_out)).settled(choices.not_imported)  # fmt: skip
    fates = view.fates(wanted)
    found = sorted((one for one in fates if isinstance(one, Change)), key=lambda one: one.line)
    if not choices.unsealed:
        _check_sealed(found, wanted)
    return Changes(
        column=column,
        rows=found,
        left_out=[one for one in fates if isinstance(one, LeftOut)],
        warnings=_warnings(gradebook, column, found, wanted, manifest),
        before=view.written,
    )


def export(gradebook: Gradebook, plan: Changes) -> bytes:
    """Return the import file for ``plan``, proved by reading it as Canvas would.

    Raises:
        ExportError: if Canvas would read anything but the grades in ``plan``, or there are none.
    """
    if not plan.rows:
        raise ExportError("There is no grade to write; grade the submissions first.")
    if not plan.changed:
        raise ExportError(f"Canvas has every grade of {plan.column.header!r} already.")
    data = _rendered(gradebook, plan)
    try:
        read, seen = imported(data), preview(data, gradebook, plan.column)
    except ExportError as error:
        raise ExportError(f"The grades cannot be written into {gradebook.name}: {error}") from None
    expected = {int(row.student.id): {plan.column.id: row.after} for row in plan.changed}
    points = {plan.column.id: rewritten(plan.column.points)} if gradebook.points else {}
    plain = all(PLAIN.fullmatch(row.after) for row in plan.changed)
    harmless = not (seen.resent or seen.cleared or seen.ignored)
    if not (plain and harmless) or read.grades != expected or read.points != points:
        raise ExportError(
            f"Canvas would read other grades than were meant from the columns of {gradebook.name}; "
            "export the gradebook from Canvas again."
        )
    return data


def write(gradebook: Gradebook, plan: Changes, path: Path) -> None:
    """Write the import file for ``plan`` to ``path``.

    Raises:
        ExportError: as ``export``, or if ``path`` cannot be written.
    """
    data = export(gradebook, plan)
    try:
        write_atomically(path, data)
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error.strerror}).") from None


def as_text(cell: str) -> str:
    """Keep a spreadsheet from running a cell; the ID, which is digits, stays a number."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def _check_sealed(rows: Sequence[Change], grades: Sequence[Grade]) -> None:
    written = {row.student.id for row in rows if row.changes}
    unsealed = [one.verdict for one in grades if one.verdict.unsealed and one.student in written]
    if unsealed:
        names = "; ".join(f"{v.name} ({v.student})" for v in unsealed)
        raise ExportError(
            "These were graded without isolation, so their scores are not for the record: "
            f"{names}. Grade them where rooms can be isolated, or confirm with --confirm-unsealed."
        )


def _warnings(
    gradebook: Gradebook,
    column: Column,
    rows: Sequence[Change],
    grades: Sequence[Grade],
    manifest: Manifest,
) -> list[str]:
    points = number(column.points)
    rows = [row for row in rows if row.changes]
    above = [row.student.name for row in rows if points is not None and float(row.after) > points]
    written = {row.student.id for row in rows}
    formula = [row.student.name for row in rows if FORMULA.match(row.student.name)]
    levels = Counter(one.verdict.isolation for one in grades if one.student in written)
    return [
        text
        for condition, text in [
            (
                points is not None and not math.isclose(points, manifest.possible),
                f"Canvas says {column.header!r} is worth {column.points}; the autograded questions "
                f"are worth {manifest.possible:g}, which is what is written.",
            ),
            (points is None, f"{gradebook.name} does not say what {column.header!r} is worth."),
            (
                bool(rows) and not column.by_hand,
                f"Students will see {column.header!r} as soon as it is saved: in Canvas, have its "
                "grades posted manually before you import, and post them when all is there.",
            ),
            (bool(above), f"Above the points possible in Canvas: {'; '.join(above)}."),
            (
                bool(formula),
                "Names that a spreadsheet would run as a formula have an apostrophe in front in "
                f"the file: {'; '.join(formula)}.",
            ),
            *(
                (level != "A", f"{count} of these grades were given at isolation level {level}.")
                for level, count in sorted(levels.items())
            ),
        ]
        if condition
    ]


def _rendered(gradebook: Gradebook, plan: Changes) -> bytes:
    by_line = {row.line: row for row in gradebook.rows}
    lines = [[*gradebook.header[: gradebook.identity], plan.column.header]]
    if gradebook.points is not None:
        lines.append([*gradebook.points[: gradebook.identity], plan.column.points])
    for change in plan.changed:
        cells = by_line[change.line].cells[: gradebook.identity]
        lines.append([*map(as_text, cells), change.after])
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue().encode("utf-8")

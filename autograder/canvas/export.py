"""Writing grades into a file that Canvas imports, without harm to anything else in a gradebook.

The file has the identity columns and one assignment, copied as Canvas exported them, and rows
only for students who have a grade: to an import, a missing row is nobody's concern, but an empty
cell clears a grade. Before it is handed out it is read as Canvas would read it.

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
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import msgspec

from autograder.bundle import Manifest
from autograder.canvas.importer import imported
from autograder.errors import ExportError, IntakeError
from autograder.files import write_atomically
from autograder.gradebook import TOTALS, Column, Gradebook, Row, check_ids, number, rewritten
from autograder.model import Standing, Student, Verdict

PLAIN = re.compile(r"[0-9]+(\.[0-9]{1,2})?")
"""What a grade must look like: anything else Canvas would convert, or clear the grade over it."""

EXCUSED = {"EX", "EXCUSED"}
"""What Canvas writes for somebody who is excused, and what it reads as that."""

UNASSIGNED = "N/A"
"""What Canvas writes where an assignment is not assigned to a student."""

FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n\0]")
"""What a cell begins with that a spreadsheet may run."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an import does to one student's grade."""

    student: Student
    before: str
    """The gradebook's cell; empty if there is no grade yet."""
    after: str
    line: int
    """The student's row in the gradebook."""

    @property
    def changes(self) -> bool:
        """Whether the grade is another one than before."""
        return number(self.before) != float(self.after)


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A student whose grade is not written, and why."""

    student: str
    """Canvas user id."""
    name: str
    reason: str


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an import will do, to be looked at before anything is written."""

    column: Column
    rows: list[Change]
    """One for each row that will be written, in the gradebook's order."""
    left_out: list[LeftOut]
    warnings: list[str]

    @property
    def changed(self) -> list[Change]:
        """The students whose grade will be another one."""
        return [row for row in self.rows if row.changes]


def changes(
    gradebook: Gradebook,
    assignment: str,
    verdicts: Sequence[Verdict],
    manifest: Manifest,
    *,
    leave_out: Collection[str] = (),
    renamed: Collection[str] = (),
    confirm_unsealed: bool = False,
) -> Changes:
    """Work out who changes from what to what; nothing is written.

    Args:
        gradebook: As exported from the course the grades go to.
        assignment: The column: Canvas assignment id, title, or the whole header.
        verdicts: One for each student; only graded ones are used.
        manifest: Of the assignment; its autograded points are what is sent.
        leave_out: Canvas user ids of students whose grades are not to be written.
        renamed: Canvas user ids of students whose name in the gradebook may differ from that
            in the verdict.
        confirm_unsealed: Whether grades may be written that rooms without isolation gave.

    Raises:
        ExportError: if the gradebook is damaged, the column is missing or one that Canvas would
            not import, a verdict belongs to nobody in it or to somebody of another name, a
            score is not a grade, or was given without isolation. One sentence, and nothing is
            written.
    """
    column = find_column(gradebook, assignment)
    wanted = [verdict for verdict in verdicts if verdict.student not in set(leave_out)]
    rows = _matched(gradebook, wanted, set(renamed))
    fates = [_fate(rows[verdict.student], column, verdict) for verdict in wanted]
    found = [fate for fate in fates if isinstance(fate, Change)]
    if not confirm_unsealed:
        _check_sealed(found, wanted)
    return Changes(
        column=column,
        rows=sorted(found, key=lambda change: change.line),
        left_out=[fate for fate in fates if isinstance(fate, LeftOut)],
        warnings=_warnings(gradebook, column, found, wanted, manifest),
    )


def export(gradebook: Gradebook, plan: Changes) -> bytes:
    """Return the import file for ``plan``, proved by reading it as Canvas would.

    Raises:
        ExportError: if Canvas would read anything but the grades in ``plan``, or there are none.
    """
    if not plan.rows:
        raise ExportError("There is no grade to write; grade the submissions first.")
    data = _rendered(gradebook, plan)
    try:
        read = imported(data)
    except ExportError as error:
        raise ExportError(f"The grades cannot be written into {gradebook.name}: {error}") from None
    expected = {int(row.student.id): {plan.column.id: row.after} for row in plan.rows}
    points = {plan.column.id: rewritten(plan.column.points)} if gradebook.points else {}
    plain = all(PLAIN.fullmatch(row.after) for row in plan.rows)
    if not plain or read.grades != expected or read.points != points:
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


def find_column(gradebook: Gradebook, assignment: str) -> Column:
    """Find the column of ``assignment`` to be filled, by Canvas id, title or header.

    Raises:
        ExportError: if there is none, there are several, or Canvas would not import it.
    """
    found = named_column(gradebook, assignment)
    if "read only" in found.points:
        raise ExportError(
            f"The column {found.header!r} is read only in Canvas; have it unlocked there."
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


def grade_text(score: float) -> str:
    """Write a score as Canvas imports it: digits and at most two decimals, rounded half up.

    Raises:
        ExportError: if it is negative or not a number.
    """
    if not math.isfinite(score) or score < 0:
        raise ExportError(f"A score of {score} cannot be written; grade that submission again.")
    rounded = Decimal(repr(abs(float(score)))).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{rounded:f}".rstrip("0").rstrip(".")


def _no_column(gradebook: Gradebook, assignment: str, found: int) -> str:
    if any(total in assignment for total in TOTALS):
        return (
            f"Canvas takes {assignment!r} for a total because of its title and would ignore the "
            "grades; rename the assignment in Canvas."
        )
    known = ", ".join(repr(column.header) for column in gradebook.columns) or "none"
    if found:
        return (
            f"Several columns of {gradebook.name} are {assignment!r}; name one by its id: {known}."
        )
    return f"{gradebook.name} has no assignment {assignment!r}; it has {known}."


def _matched(
    gradebook: Gradebook, verdicts: Sequence[Verdict], renamed: set[str]
) -> dict[str, Row]:
    try:
        check_ids(gradebook)
    except IntakeError as error:
        raise ExportError(str(error)) from None
    by_id = {row.student.id: row for row in gradebook.rows}
    if len({verdict.student for verdict in verdicts}) < len(verdicts):
        raise ExportError("A student has two verdicts; pass only the latest of each student.")
    for verdict in verdicts:
        if verdict.student not in by_id:
            raise ExportError(
                f"{verdict.name} (ID {verdict.student}) is not in {gradebook.name}; export a new "
                "gradebook of this course, or leave this student out."
            )
        _check_row(gradebook, by_id[verdict.student], verdict, renamed)
    return by_id


def _check_row(gradebook: Gradebook, row: Row, verdict: Verdict, renamed: set[str]) -> None:
    if row.student.name != verdict.name and verdict.student not in renamed:
        raise ExportError(
            f"ID {verdict.student} is {row.student.name} in {gradebook.name} but was graded as "
            f"{verdict.name}; if that is one person, allow the new name, else export again."
        )
    check_numbers(gradebook, row)


def check_numbers(gradebook: Gradebook, row: Row) -> None:
    """Check that Canvas would read the SIS cells of a row as they are.

    Raises:
        ExportError: if one is something that Canvas takes for a number and rewrites.
    """
    identity = gradebook.header[: gradebook.identity]
    for header, cell in zip(identity, row.cells, strict=False):
        if header.startswith("SIS") and rewritten(cell) != cell:
            raise ExportError(
                f"Row {row.line} of {gradebook.name} has the {header} {cell!r}, which Canvas would "
                f"read as the number {rewritten(cell)}; leave this student out and enter the "
                "grade by hand."
            )


def _fate(row: Row, column: Column, verdict: Verdict) -> Change | LeftOut:
    before = row.cells[column.index].strip()
    reason = {
        Standing.UNREADABLE: "no notebook could be read; look at it before giving a grade",
        Standing.GRADER_ERROR: "the grader failed on it; grade it again",
    }.get(verdict.status, "")
    reason = untouchable(before) or reason
    if reason:
        return LeftOut(student=verdict.student, name=row.student.name, reason=reason)
    after = grade_text(verdict.score)
    return Change(student=row.student, before=before, after=after, line=row.line)


def untouchable(cell: str) -> str:
    """Why no grade may be written over a gradebook's cell, or ``""``."""
    if cell.upper() in EXCUSED:
        return "is excused in Canvas, which a grade would undo"
    if cell.upper() == UNASSIGNED:
        return "the assignment is not assigned to this student in Canvas"
    return ""


def _check_sealed(rows: Sequence[Change], verdicts: Sequence[Verdict]) -> None:
    written = {row.student.id for row in rows}
    unsealed = [v for v in verdicts if v.unsealed and v.student in written]
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
    verdicts: Sequence[Verdict],
    manifest: Manifest,
) -> list[str]:
    points = number(column.points)
    above = [row.student.name for row in rows if points is not None and float(row.after) > points]
    written = {row.student.id for row in rows}
    late = [v.name for v in verdicts if v.late and v.student in written]
    formula = [row.student.name for row in rows if FORMULA.match(row.student.name)]
    levels = Counter(v.isolation for v in verdicts if v.student in written)
    return [
        text
        for condition, text in [
            (
                points is not None and not math.isclose(points, manifest.possible),
                f"Canvas says {column.header!r} is worth {column.points}; the autograded questions "
                f"are worth {manifest.possible:g}, which is what is written.",
            ),
            (points is None, f"{gradebook.name} does not say what {column.header!r} is worth."),
            (bool(above), f"Above the points possible in Canvas: {'; '.join(above)}."),
            (
                bool(late),
                "Handed in late; Canvas takes its own deduction if the course has a late policy: "
                f"{'; '.join(late)}.",
            ),
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
    for change in plan.rows:
        cells = by_line[change.line].cells[: gradebook.identity]
        lines.append([*map(as_text, cells), change.after])
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue().encode("utf-8")


def as_text(cell: str) -> str:
    """Keep a spreadsheet from running a cell; the ID, which is digits, stays a number."""
    return f"'{cell}" if FORMULA.match(cell) else cell

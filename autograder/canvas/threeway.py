"""What becomes of each student's grade: what we wrote last, what Canvas shows now, what is new.

A grade is written where Canvas shows none and never had one of ours, or shows the one we wrote.
Anything else is a person's, and stays unless it is decided otherwise for that student.

A gradebook shows what is left after Canvas' own deduction for being late, not what was entered
(``lib/gradebook_exporter.rb``); so of a late student, what we wrote less a whole number of
deductions is taken for ours.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from autograder.canvas.damage import untouchable
from autograder.canvas.exported import Cell, Written
from autograder.errors import ExportError
from autograder.gradebook import Column, Row, exact, number
from autograder.grades import Grade
from autograder.model import Student
from autograder.policy import LateRule, charge
from autograder.text import one_line

INTERVALS = 1000
"""Deductions that are tried; a share of 0.1 % an hour has taken everything by then."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an import does to one student's grade."""

    student: Student
    before: str
    """The gradebook's cell; empty if there is no grade yet."""
    after: str
    line: int
    """The student's row in the gradebook."""
    late: bool = False
    arithmetic: str = ""
    """The sum that leads to it."""
    there: bool = False
    """Whether Canvas has it already and shows what its own deduction left of it."""

    @property
    def changes(self) -> bool:
        """Whether the grade is another one than before."""
        return not self.there and number(self.before) != number(self.after)

    @property
    def deducted(self) -> bool:
        """Whether Canvas shows less than was written because of its own deduction."""
        return self.there and number(self.before) != number(self.after)


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A student whose grade is not written, and why."""

    student: str
    """Canvas user id."""
    name: str
    reason: str
    conflict: bool = False
    """Whether a person's grade is in Canvas."""


@dataclass(frozen=True)
class View:
    """One column of a gradebook, and what was written into it before."""

    name: str
    """The gradebook's, for messages."""
    rows: Mapping[str, Row]
    """By Canvas user id."""
    column: Column
    written: Written
    takes: LateRule | None
    """What Canvas' own late policy takes off."""
    ours: Collection[str]
    """Canvas user ids of those whose grade in Canvas is overwritten."""
    left_out: Collection[str]
    """Canvas user ids of those who are passed over."""

    @property
    def stale(self) -> bool:
        """Whether it is from before the last file or push, as far as it shows that.

        It is if it shows nothing of what was written then, but what was there before; values from
        longer ago count only if it shows nothing at all of what was written.
        """
        last = self.written.last
        cells = last.cells if last else {}
        there = [student for student in cells if self._touchable(student)]
        as_before = [one for one in there if self._is(one, cells[one].before)]
        if any(self._is(one, cells[one].after) for one in there) or any(
            self._shows(cells[one], one) for one in there if one not in as_before
        ):
            return False
        if as_before:
            return True
        others = self.written.students - set(cells)
        known = any(self._shows_base(student) for student in others if self._touchable(student))
        return not known and any(self._shows_earlier(student) for student in there)

    def settled(self, not_imported: bool) -> View:
        """The same, if it is not stale; or as if a file that nobody imported was never written.

        Args:
            not_imported: Whether a person says that the last file was never imported.

        Raises:
            ExportError: if it is stale, and that is not said, or it was no file.
        """
        last = self.written.last
        if last is None or not self.stale:
            return self
        when = f"{last.written:%d %b %Y, %H:%M} UTC"
        few = f" (--leave-out {','.join(last.cells)})" if len(last.cells) <= 3 else ""
        what_else = f"or leave out whom a person has set back since{few}"
        if last.by == "push":
            raise ExportError(
                f"{self.name} is older than what was pushed to {self.column.header!r} on {when}; "
                f"export it from Canvas again, {what_else}."
            )
        if not not_imported:
            raise ExportError(
                f"{self.name} shows none of the {len(last.cells)} grades that were written for "
                f"{self.column.header!r} on {when}: if that file was imported, export the "
                f"gradebook from Canvas again, {what_else}; if it never was and never will be, "
                "delete it and add --not-imported."
            )
        return replace(self, written=self.written.without_last())

    def fates(self, grades: Sequence[Grade]) -> list[Change | LeftOut]:
        """What becomes of each grade.

        Raises:
            ExportError: if one is negative or not a number.
        """
        divided = _divided(grades)
        return [self._fate(grade, grade.verdict.team in divided) for grade in grades]

    def _fate(self, grade: Grade, divided: bool) -> Change | LeftOut:
        row, cell = self.rows[grade.student], self._cell(grade.student)
        reason = untouchable(cell) or grade.problem
        if divided:
            reason = reason or (
                "the members of the team have different points, and all would get the last one "
                "if Canvas grades the group as one; enter it in Canvas"
            )
        if reason:
            return _left(row, reason)
        change = Change(
            student=row.student,
            before=cell,
            after=grade_text(grade.points),
            line=row.line,
            late=grade.late != timedelta(),
            arithmetic=grade.arithmetic,
        )
        base = self.written.base(grade.student)
        return self._compared(row, change, base)

    def _compared(self, row: Row, change: Change, base: Cell | None) -> Change | LeftOut:
        theirs, ours = exact(change.before), Decimal(change.after)
        is_ours = base is not None and self._shows(base, row.student.id)
        if is_ours and base is not None and ours == Decimal(base.after):
            return msgspec.structs.replace(change, there=True)
        if theirs == ours and change.late and self.takes is not None:
            return _left(
                row,
                f"was late, and Canvas shows {change.before}, perhaps after its deduction: it "
                "would take the same number for unchanged and deduct nothing from it; clear the "
                "grade in Canvas and enter it there",
            )
        if theirs == ours or is_ours or (theirs is None and base is None):
            return change
        if row.student.id in self.ours:
            return change
        reason = self._conflict(change, base)
        return _left(row, f"{reason}; it stays unless --ours {row.student.id}", conflict=True)

    def _conflict(self, change: Change, base: Cell | None) -> str:
        shown = one_line(change.before, 20)
        if base is None:
            return f"has {shown} in Canvas, which is not from here"
        if exact(change.before) is None:
            return f"was cleared in Canvas after {base.after} was written"
        if self._shows_earlier(change.student.id):
            return f"shows {shown} in Canvas, as before {base.after} was written"
        below = change.late and self.takes is None and (number(shown) or 0) < float(base.after)
        hint = ", unless Canvas deducts for being late, which course.toml does not say"
        return f"was changed in Canvas from {base.after} to {shown}{hint if below else ''}"

    def _touchable(self, student: str) -> bool:
        return (
            student in self.rows
            and student not in self.left_out
            and not untouchable(self._cell(student))
        )

    def _is(self, student: str, text: str) -> bool:
        return exact(self._cell(student)) == exact(text)

    def _shows_base(self, student: str) -> bool:
        base = self.written.base(student)
        return base is not None and self._shows(base, student)

    def _cell(self, student: str) -> str:
        cell = self.rows[student].cells[self.column.index].strip()
        return "" if cell == "-" else cell

    def _shows(self, cell: Cell, student: str) -> bool:
        """Whether Canvas shows what was written, or what its deduction left of it."""
        shown, written = exact(self._cell(student)), Decimal(cell.after)
        if shown is None or shown == written:
            return shown == written
        rule, possible = self.takes, exact(self.column.points)
        if not cell.late or rule is None or possible is None or not rule.share:
            return False
        count = min(INTERVALS, math.ceil(1 / rule.share))
        left = (
            charge(written, possible, rule.interval * n, rule).points for n in range(1, count + 1)
        )
        return shown in set(left)

    def _shows_earlier(self, student: str) -> bool:
        return any(self._is(student, one) for one in self.written.earlier(student))


def grade_text(score: float | Decimal) -> str:
    """Write a score as Canvas imports it: digits and at most two decimals, rounded half up.

    Raises:
        ExportError: if it is negative or not a number.
    """
    if not math.isfinite(score) or score < 0:
        raise ExportError(f"A score of {score} cannot be written; grade that submission again.")
    rounded = abs(Decimal(str(score))).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{rounded:f}".rstrip("0").rstrip(".")


def _divided(grades: Sequence[Grade]) -> set[str]:
    """The teams whose members have different points."""
    points: defaultdict[str, set[Decimal]] = defaultdict(set)
    for grade in grades:
        points[grade.verdict.team].add(grade.points)
    return {team for team, found in points.items() if team and len(found) > 1}


def _left(row: Row, reason: str, conflict: bool = False) -> LeftOut:
    return LeftOut(student=row.student.id, name=row.student.name, reason=reason, conflict=conflict)

"""What becomes of each student's grade: what we sent last, what is in Canvas now, what is new.

A grade is sent where Canvas has none and never had one of ours, or has the one we sent. Anything
else is a person's decision, and stays unless it is decided otherwise for that student.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec

from autograder.canvas import comment, rubric
from autograder.canvas.comment import Deed, Said
from autograder.canvas.remote import Entry, Remote
from autograder.grades import Grade
from autograder.model import Standing

__all__ = ["Base", "Fate", "Row", "Wanted", "compare", "counts"]


_ANONYMOUS = "the assignment is anonymous and not posted"


class Fate(StrEnum):
    """What becomes of a student's points."""

    NEW = "new"
    CHANGE = "change"
    SAME = "as it is"
    CONFLICT = "CONFLICT"
    """A person changed or cleared the grade, or gave one before us."""
    LEFT = "left alone"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be in Canvas for one student."""

    grade: Grade
    said: Said = Said(text="")
    path: Path | None = None
    """Where the file is that the comment carries."""

    @property
    def user(self) -> str:
        """Canvas user id."""
        return self.grade.student


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What was in Canvas when it was last seen to be as we sent it."""

    points: Decimal | None = None
    rubric: dict[str, Decimal] = {}
    """Criterion id → points."""
    said: Said | None = None
    """Our comment, if nothing was begun since."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one student's grade, rubric and comment."""

    wanted: Wanted
    fate: Fate
    theirs: Decimal | None = None
    """Points in Canvas now, as entered."""
    why: str = ""
    """For staff."""
    rubric: dict[str, Decimal] = {}
    """Lines that are to be sent: criterion id → points."""
    deed: Deed = Deed()
    """What is to be done about our comment."""

    @property
    def user(self) -> str:
        """Canvas user id."""
        return self.wanted.user

    @property
    def ours(self) -> Decimal:
        """Points that are to be in Canvas."""
        return self.wanted.grade.points

    @property
    def sends_points(self) -> bool:
        """Whether its points are sent."""
        return self.fate in (Fate.NEW, Fate.CHANGE)

    @property
    def sends(self) -> bool:
        """Whether anything is sent."""
        return self.sends_points or bool(self.rubric) or not self.deed.nothing

    @property
    def stuck(self) -> bool:
        """Whether it is left for a person to see to."""
        return self.fate in (Fate.CONFLICT, Fate.LEFT)


def compare(
    wanted: Sequence[Wanted], bases: Mapping[str, Base], now: Remote, *,
    ours: Collection[str] = (), unsealed: bool = False, waiting: Mapping[str, int] = {},
) -> list[Row]:  # fmt: skip
    """Work out what becomes of each grade; nothing is sent.

    Args:
        wanted: One for each student.
        bases: By Canvas user id, as far as something of theirs was ever confirmed.
        now: What is in Canvas.
        ours: Canvas user ids of those whose grade in Canvas is overwritten, whosever it is.
        unsealed: Whether grades may be sent that rooms without isolation gave.
        waiting: Canvas user id → a job that was to grade them and has not ended.

    Returns:
        One row for each of ``wanted``, in that order.
    """
    rows = []
    for one in wanted:
        base, entry = bases.get(one.user, Base()), now.entries.get(one.user)
        reason = _unusable(one.grade, unsealed) or _unreachable(one.grade, entry, now)
        if reason or entry is None:
            rows.append(_left(one, entry, reason))
            continue
        fate, why = _fate(one.grade.points, base.points, entry, one.user in ours)
        blocked = _closed(entry, now, waiting.get(one.user)) if fate is not Fate.SAME else ""
        rows.append(
            _left(one, entry, blocked) if blocked else _row(one, fate, why, base, entry, now)
        )
    return _together(rows, bases, now, set(ours)) if now.column.together else rows


def counts(rows: Iterable[Row]) -> str:
    """How many rows have which fate: ``3 new, 1 change, 2 CONFLICT``."""
    found = Counter(row.fate for row in rows)
    said = [f"{found[fate]} {fate.value}" for fate in Fate if found[fate]]
    return ", ".join(said) or "nothing"


def _left(one: Wanted, entry: Entry | None, why: str) -> Row:
    return Row(wanted=one, fate=Fate.LEFT, theirs=entry.entered if entry else None, why=why)


def _row(one: Wanted, fate: Fate, why: str, base: Base, entry: Entry, now: Remote) -> Row:
    """The row of somebody whom nothing keeps from being graded."""
    if fate is Fate.CONFLICT:
        return Row(wanted=one, fate=fate, theirs=entry.entered, why=why)
    due, kept = _lines(one, base, entry, now)
    act = comment.deed(comment.ours(entry.comments, now.students), one.said, base.said)
    remarks = [why, kept, act.remark]
    return Row(
        wanted=one, fate=fate, theirs=entry.entered, rubric=due, deed=act,
        why="; ".join(filter(None, remarks)),
    )  # fmt: skip


def _unusable(grade: Grade, unsealed: bool) -> str:
    """Why there is no grade to send, or ``""``."""
    reasons = {
        Standing.UNREADABLE: "no notebook could be read; look at it before giving a grade",
        Standing.GRADER_ERROR: "the grader failed on it; grade it again",
    }
    reason = grade.problem or reasons.get(grade.verdict.status, "")
    if not reason and grade.verdict.unsealed and not unsealed:
        return "it was graded without isolation; add --confirm-unsealed to send it"
    return reason.rstrip(".")


def _unreachable(grade: Grade, entry: Entry | None, now: Remote) -> str:
    """Why this student cannot be graded, whatever the points, or ``""``."""
    if entry is None:
        if grade.student not in now.enrolled:
            return "is not in this course"
        if now.column.anonymous:
            return _ANONYMOUS
        here = now.enrolled[grade.student]
        return "is not assigned to it" if here else "has left the course (concluded)"
    if entry.excused:
        return "is excused; a grade would undo that"
    if entry.attempt is None:
        return ""
    newest = grade.newest or grade.verdict.attempt
    if entry.attempt > newest:
        return (
            f"handed in again (attempt {entry.attempt}, graded up to {newest}); pull and grade "
            "first"
        )
    if entry.attempt < newest:
        return f"Canvas has attempt {entry.attempt} and not {newest}, which was graded; pull again"
    return ""


def _closed(entry: Entry, now: Remote, job: int | None) -> str:
    """Why Canvas takes no grade now, or ``""``."""
    if job is not None:
        return f"Canvas has not ended job {job}, which grades it; run this later"
    if now.column.unreleased:
        return "the assignment is moderated; release its final grades in Canvas first"
    if now.column.anonymous and not entry.posted:
        return _ANONYMOUS
    return "its grading period is closed" if entry.closed else ""


def _fate(ours: Decimal, base: Decimal | None, entry: Entry, overrule: bool) -> tuple[Fate, str]:
    theirs = entry.entered
    if theirs == ours:
        return Fate.SAME, ""
    if base is None and theirs is None:
        return Fate.NEW, ""
    if theirs == base:
        return Fate.CHANGE, ""
    if overrule:
        return Fate.CHANGE, "overwritten, as you said"
    if base is None:
        return Fate.CONFLICT, "there is a grade that is not from here"
    return Fate.CONFLICT, f"was {'cleared' if theirs is None else 'changed'} after {base} was sent"


def _lines(one: Wanted, base: Base, entry: Entry, now: Remote) -> tuple[dict[str, Decimal], str]:
    """Lines of the rubric that are to be sent, and why they are not although they differ."""
    wanted = rubric.lines(now.column, one.grade.verdict)
    theirs = rubric.there(entry.rubric, list(wanted))
    if not wanted or theirs == wanted:
        return {}, ""
    known = {id_: points for id_, points in base.rubric.items() if id_ in wanted}
    if theirs and theirs != known:
        return {}, "its rubric was filled in Canvas and stays"
    return wanted, ""


def _together(
    rows: Sequence[Row], bases: Mapping[str, Base], now: Remote, ours: set[str]
) -> list[Row]:
    """Where one member's grade is everybody's: send a group's only if it is right for all."""
    of: defaultdict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if (group := _group(row, now)) is not None:
            of[group].append(row)
    held = {row.user: row for own in of.values() for row in _agreed(own, bases, now, ours)}
    return [held.get(row.user, row) for row in rows]


def _group(row: Row, now: Remote) -> int | None:
    entry = now.entries.get(row.user)
    return None if entry is None or entry.excused else entry.group


def _agreed(
    rows: Sequence[Row], bases: Mapping[str, Base], now: Remote, ours: set[str]
) -> list[Row]:
    """The rows of one group; what is sent of them would reach every member."""
    if not any(row.sends_points or row.rubric for row in rows):
        return list(rows)
    points = {row.ours for row in rows if row.fate is not Fate.LEFT}
    if len(points) > 1:
        said = ", ".join(str(one) for one in sorted(points))
        return [_held(row, Fate.CONFLICT, f"its group is graded together, but differs: {said}")
                for row in rows]  # fmt: skip
    for row in rows:
        if row.stuck:
            reason = f"its group is graded together, and of {row.user}: {row.why}"
            return [_held(other, row.fate, reason) for other in rows]
    others = [one for one in now.members(rows[0].user)
              if not one.excused and one.user not in {row.user for row in rows}]  # fmt: skip
    for one in others:
        base = bases.get(one.user, Base()).points
        fate, why = _fate(rows[0].ours, base, one, one.user in ours)
        if fate is Fate.CONFLICT:
            reason = f"its group is graded together, and of {one.user}: {why}"
            return [_held(row, fate, reason) for row in rows]
    return list(rows)


def _held(row: Row, fate: Fate, why: str) -> Row:
    """The same row, if it would send points, with nothing sent."""
    if row.stuck or not (row.sends_points or row.rubric):
        return row
    return msgspec.structs.replace(row, fate=fate, why=why, rubric={}, deed=Deed())

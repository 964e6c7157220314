"""One assignment as it is in Canvas now: its settings, and what is there for each student.

Nothing here writes. What of a course's people is read are their numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from autograder.canvas.client import Client
from autograder.errors import CanvasError
from autograder.policy import cents

__all__ = ["Column", "Comment", "Criterion", "Entry", "Remote", "column", "read", "read_again"]

PORTION = 50
"""Students asked for at once: their numbers all stand in one address."""
_WITH = ["submission_comments", "rubric_assessment", "group"]


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """A comment below a submission."""

    id: int
    author: int
    """Canvas user id; 0 if Canvas does not say."""
    text: str
    files: list[str] = []
    """Names of what is attached."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is there for one student."""

    user: str
    """Canvas user id."""
    attempt: int | None = None
    """Number of the newest attempt; ``None`` if nothing was handed in."""
    entered: Decimal | None = None
    """Points as somebody entered them, two decimals."""
    score: Decimal | None = None
    """What Canvas' own deduction left of them, two decimals."""
    excused: bool = False
    posted: bool = False
    """Whether the student sees the grade."""
    closed: bool = False
    """Whether it is in a grading period that is closed."""
    rubric: dict[str, dict[str, Any]] = {}
    """Criterion id → what is said of it, as Canvas gives it."""
    comments: list[Comment] = []
    group: int | None = None


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a rubric."""

    id: str
    description: str
    points: Decimal


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """The assignment's settings, as far as they decide what becomes of a grade."""

    id: int
    title: str
    possible: Decimal | None
    published: bool = True
    by_hand: bool = False
    """Whether grades stay hidden until they are posted."""
    kind: str = "points"
    """Canvas' grading type."""
    unreleased: bool = False
    """Whether it is moderated and its final grades are not released."""
    anonymous: bool = False
    together: bool = False
    """Whether one group member's grade is everybody's."""
    criteria: list[Criterion] = []
    rubric_decides: bool = False
    """Whether the sum of the rubric becomes the grade."""


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """One assignment in Canvas."""

    column: Column
    entries: dict[str, Entry]
    """By Canvas user id; of those who are assigned and in the course."""
    enrolled: dict[str, bool] = {}
    """Canvas user id of every student there ever was → whether still in the course."""
    me: str = ""
    """Canvas user id of whoever the token belongs to."""

    @property
    def students(self) -> set[str]:
        """Canvas user ids of those whose comments are never ours."""
        return set(self.enrolled) - {self.me}

    def members(self, user: str) -> list[Entry]:
        """Everybody who gets the grade that is given to one, that one included."""
        own = self.entries[user]
        if not self.column.together or own.group is None:
            return [own]
        return [one for one in self.entries.values() if one.group == own.group]


class _Period(msgspec.Struct, frozen=True):
    id: int
    start_date: datetime
    end_date: datetime
    is_closed: bool


def column(client: Client, course: int, assignment: int) -> Column:
    """Read an assignment's settings.

    Raises:
        CanvasError: if there is none.
    """
    said = client.get(f"courses/{course}/assignments/{assignment}")
    return Column(
        id=said["id"],
        title=str(said["name"]),
        possible=_points(said.get("points_possible")),
        published=bool(said.get("published", True)),
        by_hand=bool(said.get("post_manually")),
        kind=str(said.get("grading_type", "points")),
        unreleased=bool(said.get("moderated_grading")) and not said.get("grades_published"),
        anonymous=bool(said.get("anonymous_grading")),
        together=said.get("group_category_id") is not None
        and not said.get("grade_group_students_individually"),
        criteria=[_criterion(one) for one in said.get("rubric") or []],
        rubric_decides=bool(said.get("use_rubric_for_grading")),
    )


def read(client: Client, course: int, assignment: int) -> Remote:
    """Read everything.

    Raises:
        CanvasError: if Canvas cannot be read, or the assignment cannot be graded at all.
    """
    settings = column(client, course, assignment)
    _check(settings)
    path = f"courses/{course}/assignments/{assignment}/submissions"
    periods = _periods(client, course)
    entries = [_entry(one, periods) for one in client.pages(path, include=_WITH)
               if one.get("user_id") is not None]  # fmt: skip
    return Remote(
        column=settings,
        entries={entry.user: entry for entry in entries},
        enrolled=_enrolled(client, course),
        me=str(client.get("users/self")["id"]),
    )


def read_again(client: Client, course: int, before: Remote, users: Collection[str]) -> Remote:
    """Read what is there now for some students of ``before``; what groups they are in stays.

    Raises:
        CanvasError: if Canvas cannot be read.
    """
    periods, found = _periods(client, course), dict[str, Entry]()
    for ids in _portions(sorted(users, key=int)):
        for one in client.pages(
            f"courses/{course}/students/submissions", student_ids=ids,
            assignment_ids=[before.column.id], include=_WITH[:2],
        ):  # fmt: skip
            entry = _entry(one, periods)
            known = before.entries.get(entry.user)
            group = known.group if known else None
            found[entry.user] = msgspec.structs.replace(entry, group=group)
    return msgspec.structs.replace(before, entries=found)


def _portions(users: list[str]) -> Iterable[list[str]]:
    return (users[start : start + PORTION] for start in range(0, len(users), PORTION))


def _check(settings: Column) -> None:
    """See that it takes points at all.

    Raises:
        CanvasError: if not.
    """
    if not settings.published:
        raise CanvasError(
            f"{settings.title!r} is not published in Canvas, which takes no grades for it; publish "
            "it there."
        )
    if settings.kind not in ("points", "percent"):
        raise CanvasError(
            f"{settings.title!r} is graded in Canvas by {settings.kind}, not by points; choose "
            "Points in the assignment's settings."
        )


def _enrolled(client: Client, course: int) -> dict[str, bool]:
    """Who is or was a student of the course."""
    found: dict[str, bool] = {}
    kinds = ["StudentEnrollment", "StudentViewEnrollment"]
    states = ["active", "invited", "inactive", "completed"]
    for one in client.pages(f"courses/{course}/enrollments", type=kinds, state=states):
        user = str(one["user_id"])
        found[user] = found.get(user, False) or one["enrollment_state"] != "completed"
    return found


def _periods(client: Client, course: int) -> list[_Period]:
    said = client.get(f"courses/{course}/grading_periods").get("grading_periods") or []
    return msgspec.convert(said, list[_Period], strict=False)


def _entry(said: Mapping[str, Any], periods: list[_Period]) -> Entry:
    return Entry(
        user=str(said["user_id"]),
        attempt=said.get("attempt"),
        entered=_points(said.get("entered_score")),
        score=_points(said.get("score")),
        excused=bool(said.get("excused")),
        posted=said.get("posted_at") is not None,
        closed=_closed(said, periods),
        rubric=said.get("rubric_assessment") or {},
        comments=[_comment(one) for one in said.get("submission_comments") or []],
        group=(said.get("group") or {}).get("id"),
    )


def _closed(said: Mapping[str, Any], periods: list[_Period]) -> bool:
    """Whether it may not be graded any more; without a due date it belongs to the last period.

    Which period is Canvas' to say; where it does not, its due date tells
    (``grading_period.rb``: after the start, up to the end).
    """
    if not periods:
        return False
    number, when = said.get("grading_period_id"), said.get("cached_due_date")
    if number is not None:
        return any(one.is_closed for one in periods if one.id == number)
    if when is None:
        return max(periods, key=lambda one: one.end_date).is_closed
    due = datetime.fromisoformat(when)
    return any(one.is_closed for one in periods if one.start_date < due <= one.end_date)


def _comment(said: Mapping[str, Any]) -> Comment:
    files = [str(one["display_name"]) for one in said.get("attachments") or []]
    text = str(said.get("comment") or "")
    return Comment(id=said["id"], author=said.get("author_id") or 0, text=text, files=files)


def _criterion(said: Mapping[str, Any]) -> Criterion:
    return Criterion(
        id=str(said["id"]),
        description=str(said.get("description") or ""),
        points=_points(said.get("points")) or Decimal(0),
    )


def _points(value: float | int | None) -> Decimal | None:
    return None if value is None else cents(Decimal(repr(value)))

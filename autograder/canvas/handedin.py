"""What was handed in for one assignment, as Canvas' API says it: every attempt of every student."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from autograder.canvas.client import Client
from autograder.canvas.dues import Override
from autograder.errors import CanvasError

__all__ = ["Attachment", "Column", "HandedIn", "Submission", "column", "overrides", "submissions"]

Thing = TypeVar("Thing")
PORTION = 50
"""Students asked for at once: their numbers all stand in one address."""
_WITH = ["submission_history", "group"]
_ONLINE = {"online_upload", "online_text_entry", "online_url"}
"""Submission types of which something can be fetched."""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """An assignment's settings, as far as they decide what can be fetched."""

    id: int
    name: str
    points_possible: float | None = None
    due_at: datetime | None = None
    published: bool = True
    submission_types: list[str] = []
    anonymize_students: bool = False
    moderated_grading: bool = False
    group_category_id: int | None = None

    @property
    def obstacle(self) -> str:
        """Why nothing can be fetched of it, one sentence; empty if something can."""
        if not self.published:
            return "it is not published in Canvas, so nobody can hand in."
        if self.anonymize_students:
            return (
                "it is graded anonymously in Canvas, which says of no file whose it is; switch "
                "Anonymous Grading off in the assignment's settings, then pull."
            )
        if _ONLINE & set(self.submission_types):
            return ""
        if "external_tool" in self.submission_types:
            return "students hand it in with an external tool, which keeps the files."
        kinds = " or ".join(kind.replace("_", " ") for kind in self.submission_types) or "none"
        return f"students hand in no file in Canvas (submission type {kinds})."


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A file as Canvas lists it."""

    id: int
    display_name: str = ""
    size: int = 0
    url: str | None = None
    """Empty if it may not be fetched."""


class HandedIn(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, or that there is none."""

    attempt: int | None = None
    submitted_at: datetime | None = None
    submission_type: str | None = None
    late: bool | None = None
    attachments: list[Attachment] | None = None


class _Group(msgspec.Struct, frozen=True):
    id: int | None = None


class Submission(HandedIn, frozen=True, kw_only=True):
    """What there is of one student; its own attempt is the newest."""

    user_id: int | None = None
    cached_due_date: datetime | UnsetType | None = UNSET
    """When Canvas counts it as due for this student."""
    group: _Group | None = None
    submission_history: list[HandedIn] | None = None

    @property
    def attempts(self) -> list[HandedIn]:
        """Every attempt once, in order; of the newest, what a person decided about lateness."""
        found = {one.attempt: one for one in [*(self.submission_history or []), self]
                 if one.attempt and one.submitted_at}  # fmt: skip
        return [found[number] for number in sorted(found, key=lambda number: number or 0)]


def column(client: Client, course: int, assignment: int) -> Column:
    """Read an assignment's settings; dates are those of nobody in particular.

    Raises:
        CanvasError: if there is no such assignment.
    """
    path = f"courses/{course}/assignments/{assignment}"
    return _known(client.get(path, override_assignment_dates="false"), Column)


def overrides(client: Client, course: int, assignment: int) -> list[Override]:
    """Read the dates of students' own.

    Raises:
        CanvasError: if they cannot be read.
    """
    pages = client.pages(f"courses/{course}/assignments/{assignment}/overrides")
    return [_known(one, Override) for one in pages]


def submissions(
    client: Client, course: int, assignment: int, students: Iterable[str]
) -> dict[int, Submission]:
    """Read what these students handed in, by Canvas user id.

    Pages shift while they are read when people come and go; whoever fell between two of them is
    asked for by number. Those to whom it is not assigned are left out, as Canvas does.

    Raises:
        CanvasError: if it cannot be read.
    """
    wanted = [int(one) for one in students]
    pages = client.pages(f"courses/{course}/assignments/{assignment}/submissions", include=_WITH)
    found = {one.user_id: one for one in _read(pages) if one.user_id is not None}
    for ids in _portions([user for user in wanted if user not in found]):
        again = client.pages(
            f"courses/{course}/students/submissions", student_ids=ids,
            assignment_ids=[assignment], include=_WITH,
        )  # fmt: skip
        found |= {one.user_id: one for one in _read(again) if one.user_id is not None}
    return {user: found[user] for user in wanted if user in found}


def _read(pages: Iterable[dict[str, Any]]) -> Iterator[Submission]:
    return (_known(one, Submission) for one in pages)


def _known(said: Any, kind: type[Thing]) -> Thing:
    """What Canvas said, if it is what it should be.

    Raises:
        CanvasError: if not.
    """
    try:
        return msgspec.convert(said, kind, strict=False)
    except msgspec.ValidationError as error:
        raise CanvasError(
            f"Canvas' answer makes no sense ({kind.__name__}: {error}); try again later."
        ) from None


def _portions(users: Sequence[int]) -> Iterator[Sequence[int]]:
    return (users[start : start + PORTION] for start in range(0, len(users), PORTION))

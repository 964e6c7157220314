"""The course file ``course.toml``: what is handed out when, what it counts, and by which rules.

What an assignment holds (title, questions, points, rubrics) is not written here but in its own
sources; :mod:`autograder.syllabus` holds the one against the other.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec

from autograder.errors import CourseError
from autograder.model import plain_name
from autograder.rulebook import (
    Deducts,
    FinalPolicy,
    LatePolicy,
    Missing,
    Policies,
    Unassigned,
    digits,
    no_share,
    wrong,
)

__all__ = [
    "FILE",
    "Assignment",
    "Canvas",
    "Columns",
    "Course",
    "Deducts",
    "FinalPolicy",
    "Kind",
    "LatePolicy",
    "Milestone",
    "Missing",
    "Policies",
    "Unassigned",
    "deadline",
    "digits",
    "found",
    "moment",
    "origin",
    "parse",
    "read",
]

FILE = "course.toml"
"""Name of the course file, at the top of the project."""

_ORIGIN = re.compile(r"(https://[^\s/?#@]+|http://(?:127\.0\.0\.1|localhost)(?::\d+)?)/?", re.ASCII)
_GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git|/)?", re.ASCII)

Zoned = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment: TOML's offset date-time, such as ``2027-02-14T23:59:00+01:00``."""
Columns = str | list[str]
"""Columns of the gradebook: Canvas id, title or whole header of one, or a list of these."""

Id = Annotated[int, msgspec.Meta(gt=0)]
"""An id of Canvas."""


class Kind(StrEnum):
    """What an assignment is."""

    HOMEWORK = "homework"
    PROJECT = "project"
    LAB = "lab"
    """Not graded."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the course file: no key but its own."""


class Canvas(_Table, frozen=True, kw_only=True):
    """``[canvas]``: where the course is in Canvas."""

    address: str
    """Origin, such as ``https://canvas.example.edu``."""
    course: Id
    """Canvas course id."""


class Milestone(_Table, frozen=True, kw_only=True):
    """One ``[[assignment.milestone]]``: a part of a project that is due by itself."""

    question: str
    """Its question in the project's notebook, by which it goes."""
    written: list[str] = []
    """Written questions that belong to it, beside that one."""
    title: str
    due: Zoned
    closes: Zoned | None = None
    """After it nothing that is handed in counts."""
    points: Decimal
    canvas: Id | None = None
    """Canvas assignment id: the column of the points given by tests."""
    column: Columns = []
    """Its columns in the gradebook, if the title does not tell."""


class Assignment(_Table, frozen=True, kw_only=True):
    """One ``[[assignment]]``, a lab included."""

    name: str
    """Name of its folder in ``solutions/`` and ``assignments/``."""
    kind: Kind
    release: Zoned
    """Before this moment it is not released unless it is named."""
    due: Zoned | None = None
    closes: Zoned | None = None
    """After it nothing that is handed in counts."""
    points: Decimal = Decimal(0)
    """Points of all its questions together, of tests and of people."""
    weight: Decimal = Decimal(0)
    """Share of the final grade."""
    canvas: Id | None = None
    """Canvas assignment id: the column of the points given by tests."""
    column: Columns = []
    """Its columns in the gradebook, if the title does not tell."""
    milestone: list[Milestone] = []

    @property
    def graded(self) -> bool:
        """Whether it counts in the final grade."""
        return self.kind is not Kind.LAB

    def part(self, question: str) -> Milestone:
        """The milestone that goes by this question.

        Raises:
            CourseError: if there is none.
        """
        found = next((one for one in self.milestone if one.question == question), None)
        if found is None:
            known = ", ".join(one.question for one in self.milestone) or "none"
            raise _error(f"assignment {self.name}", f"no milestone {question!r}; it has {known}.")
        return found


class Course(_Table, frozen=True, kw_only=True):
    """The course file."""

    title: str
    term: str
    licence: str
    """SPDX identifier of the licence whose text is ``LICENSE``."""
    about: str = ""
    """Markdown for students: what the course is."""
    help: str = ""
    """Markdown for students: where they get help."""
    repository: str = ""
    """Where students clone from; one of GitHub gets badges for Colab."""
    branch: str = "main"
    """The branch that students clone."""
    canvas: Canvas | None = None
    policies: Policies = Policies()
    assignment: Annotated[list[Assignment], msgspec.Meta(min_length=1)]

    @property
    def graded(self) -> list[Assignment]:
        """What counts in the final grade, in the file's order."""
        return [one for one in self.assignment if one.graded]

    @property
    def github(self) -> tuple[str, str] | None:
        """Owner and name of the repository, if it is one of GitHub."""
        match = _GITHUB.fullmatch(self.repository)
        return (match[1], match[2]) if match else None

    @property
    def place(self) -> Canvas:
        """Where it is in Canvas.

        Raises:
            CourseError: if the course file does not say.
        """
        if self.canvas is None:
            raise CourseError(
                f"{FILE} does not say where the course is in Canvas; add [canvas] with address and "
                "course."
            )
        return self.canvas

    def named(self, name: str) -> Assignment:
        """The assignment of this name.

        Raises:
            CourseError: if there is none.
        """
        found = next((one for one in self.assignment if one.name == name), None)
        if found is None:
            known = ", ".join(one.name for one in self.assignment)
            raise CourseError(f"{FILE} has no assignment {name!r}; it has {known}.")
        return found

    def released(self, upto: datetime | date) -> list[Assignment]:
        """What is released by a moment, or by the end of a day at the place of each release."""
        if isinstance(upto, datetime):
            return [one for one in self.assignment if one.release <= upto]
        return [one for one in self.assignment if one.release.date() <= upto]


def read(project: Path) -> Course:
    """Read the course file of ``project``.

    Raises:
        CourseError: naming the key that is wrong, in one sentence.
    """
    file = project / FILE
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "") or "it is not UTF-8 text"
        raise CourseError(
            f"{file} cannot be read ({reason}); docs/course.md describes it."
        ) from None
    return parse(text)


def found(project: Path) -> Course | None:
    """The course file of ``project``; ``None`` if it has none.

    Raises:
        CourseError: as :func:`read`.
    """
    return read(project) if (project / FILE).is_file() else None


def parse(text: str) -> Course:
    """Read a course file's text.

    Raises:
        CourseError: naming the key that is wrong, in one sentence.
    """
    data: dict[str, Any] = {}
    try:
        data = tomllib.loads(text, parse_float=Decimal)
        course = msgspec.convert(data, Course)
    except tomllib.TOMLDecodeError as error:
        raise _error("", f"{error}.") from None
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        raise _error(_place(path, data), f"{problem}.") from None
    _check(course)
    return course


def origin(address: str) -> str | None:
    """The origin of an address of Canvas; ``None`` if it is none, or not encrypted."""
    found = _ORIGIN.fullmatch(address)
    return found[1].lower() if found else None


def moment(when: datetime) -> str:
    """A moment for people: ``Sun 14 Feb 2027, 23:59 (UTC+01:00)``."""
    return f"{when:%a %d %b %Y, %H:%M} ({when.tzname() or 'UTC'})"


def deadline(one: Assignment | Milestone) -> str:
    """When something is due, and when it closes, for people; empty if it is never due."""
    if one.due is None:
        return ""
    return moment(one.due) + (f", closes {moment(one.closes)}" if one.closes else "")


def _place(path: str, data: dict[str, Any]) -> str:
    """A path of msgspec's in words: the assignment by its name."""

    def named(match: re.Match[str]) -> str:
        one = data["assignment"][int(match[1])]
        return f"assignment {one['name'] if 'name' in one else int(match[1]) + 1}"

    words = re.sub(r"assignment\[(\d+)\]", named, path.strip("`").removeprefix("$").strip("."))
    return re.sub(r"milestone\[(\d+)\]", lambda m: f"milestone {int(m[1]) + 1}", words)


def _error(place: str, problem: str) -> CourseError:
    return CourseError(": ".join(part for part in (FILE, place, problem) if part))


def _check(course: Course) -> None:
    for key in ("title", "term", "licence"):
        if not getattr(course, key).strip():
            raise _error(key, "it is empty.")
    if course.repository and not re.fullmatch(r"https://[^\s/]+/\S+", course.repository):
        raise _error("repository", f"{course.repository!r} is no https:// address.")
    if not re.fullmatch(r"[\w./-]+", course.branch, re.ASCII):
        raise _error("branch", f"{course.branch!r} is no name of a branch.")
    if course.canvas is not None and origin(course.canvas.address) is None:
        raise _error(
            "canvas.address",
            f"{course.canvas.address!r} is no address such as https://canvas.example.edu.",
        )
    homeworks = sum(one.kind is Kind.HOMEWORK for one in course.assignment)
    if found := wrong(course.policies, homeworks):
        raise _error(*found)
    _check_unique("assignment", (one.name for one in course.assignment))
    for one in course.assignment:
        _check_assignment(one)
    _check_ids(course)
    total = sum((one.weight for one in course.graded), Decimal(0))
    if course.graded and total != 1:
        raise _error("assignment", f"weight: the weights add up to {digits(total)}, not to 1.")


def _check_ids(course: Course) -> None:
    numbers = [
        number
        for one in course.assignment
        for number in (one.canvas, *(part.canvas for part in one.milestone))
    ]
    for number, count in Counter(numbers).items():
        if number is not None and count > 1:
            raise _error("assignment", f"canvas: the id {number} is there {count} times.")


def _check_closes(one: Assignment | Milestone, place: str) -> None:
    if one.closes is not None and (one.due is None or one.closes < one.due):
        due = f"its due time, {moment(one.due)}" if one.due else "a due time"
        raise _error(place, f"closes: {moment(one.closes)} is not after {due}.")


def _check_unique(place: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if plain_name(name) is None:
            raise _error(place, f"{name!r} is no plain name.")
        if count > 1:
            raise _error(place, f"{name} is there {count} times.")


def _check_assignment(one: Assignment) -> None:
    place = f"assignment {one.name}"
    if problem := no_share(one.weight):
        raise _error(f"{place}: weight", problem)
    if one.due is not None and one.due < one.release:
        raise _error(place, f"due: {moment(one.due)} is before its release, {moment(one.release)}.")
    _check_closes(one, place)
    if one.graded:
        _check_graded(one, place)
    elif one.weight or one.points or one.milestone or one.column or one.canvas:
        raise _error(
            place, "a lab is not graded: it has no weight, points, column, canvas or milestone."
        )


def _check_graded(one: Assignment, place: str) -> None:
    if one.due is None:
        raise _error(place, "due: what is graded needs a due time.")
    if not one.weight:
        raise _error(place, "weight: what is graded needs a share of the final grade.")
    if not (one.points.is_finite() and one.points > 0):
        raise _error(place, "points: what is graded needs points.")
    if one.milestone:
        _check_milestones(one, place, one.due)


def _check_milestones(one: Assignment, place: str, due: datetime) -> None:
    if one.kind is not Kind.PROJECT:
        raise _error(place, "milestone: only a project has milestones.")
    if one.column:
        raise _error(place, "column: where there are milestones, each has its own.")
    _check_unique(f"{place}: milestone", (part.question for part in one.milestone))
    for part in one.milestone:
        if not one.release <= part.due <= due:
            raise _error(
                f"{place}: milestone {part.question}",
                f"due: {moment(part.due)} is not between the project's release and due time.",
            )
        _check_closes(part, f"{place}: milestone {part.question}")
        if not (part.points.is_finite() and part.points > 0):
            raise _error(f"{place}: milestone {part.question}", "points: it needs points.")
    total = sum((part.points for part in one.milestone), Decimal(0))
    if total != one.points:
        raise _error(
            place, f"points: its milestones add up to {digits(total)}, not to {digits(one.points)}."
        )

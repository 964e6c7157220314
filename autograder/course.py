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

FILE = "course.toml"
"""Name of the course file, at the top of the project."""

_GITHUB = re.compile(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git|/)?", re.ASCII)

Zoned = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment: TOML's offset date-time, such as ``2027-02-14T23:59:00+01:00``."""
Columns = str | list[str]
"""Columns of the gradebook: Canvas id, title or whole header of one, or a list of these."""


class Kind(StrEnum):
    """What an assignment is."""

    HOMEWORK = "homework"
    PROJECT = "project"
    LAB = "lab"
    """Not graded."""


class Missing(StrEnum):
    """What a blank cell of the gradebook counts in the final grade."""

    OPEN = "open"
    """The student's final grade is left open."""
    ZERO = "zero"


class Unassigned(StrEnum):
    """What ``N/A`` in the gradebook counts in the final grade.

    Canvas writes it where an assignment is not assigned to a student, and where an anonymous
    one is not posted yet (``lib/gradebook_exporter.rb``).
    """

    OPEN = "open"
    """The student's final grade is left open."""
    EXCUSED = "excused"
    """The same as ``EX``: the other assignments weigh more."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the course file: no key but its own."""


class LatePolicy(_Table, frozen=True, kw_only=True):
    """``[policies.late]``: what being late costs. Declared here, applied elsewhere."""

    grace_hours: Decimal = Decimal(0)
    """Hours after the due time that cost nothing."""
    per_day: Decimal
    """Share of the points possible that each day, once begun, costs after that."""
    floor: Decimal = Decimal(0)
    """Share of the points possible below which being late lowers no grade."""


class FinalPolicy(_Table, frozen=True, kw_only=True):
    """``[policies.final]``: how grades become the final grade."""

    missing: Missing = Missing.OPEN
    unassigned: Unassigned = Unassigned.OPEN
    decimals: Annotated[int, msgspec.Meta(ge=0, le=2)] = 2
    """Digits after the point; rounded half up, once, at the end."""

    def where(self, missing: str | None) -> FinalPolicy:
        """The same policy where blank cells count as ``missing``, if that is said."""
        return msgspec.structs.replace(self, missing=Missing(missing)) if missing else self

    def __str__(self) -> str:
        """Every rule, in words."""
        open_, blank = "leaves the final grade open", "counts as 0"
        missing = open_ if self.missing is Missing.OPEN else blank
        unassigned = open_ if self.unassigned is Unassigned.OPEN else "is treated like EX"
        return (
            f"A blank cell {missing}; EX is left out, and what is left weighs more; N/A "
            f"{unassigned}. Rounded half up to {self.decimals} decimals, once, at the end."
        )


class Policies(_Table, frozen=True, kw_only=True):
    """``[policies]``."""

    late: LatePolicy | None = None
    final: FinalPolicy = FinalPolicy()


class Milestone(_Table, frozen=True, kw_only=True):
    """One ``[[assignment.milestone]]``: a part of a project that is due by itself."""

    question: str
    """Its question in the project's notebook."""
    title: str
    due: Zoned
    points: Decimal
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
    points: Decimal = Decimal(0)
    """Points of all its questions together, of tests and of people."""
    weight: Decimal = Decimal(0)
    """Share of the final grade."""
    column: Columns = []
    """Its columns in the gradebook, if the title does not tell."""
    milestone: list[Milestone] = []

    @property
    def graded(self) -> bool:
        """Whether it counts in the final grade."""
        return self.kind is not Kind.LAB


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


def moment(when: datetime) -> str:
    """A moment for people: ``Sun 14 Feb 2027, 23:59 (UTC+01:00)``."""
    return f"{when:%a %d %b %Y, %H:%M} ({when.tzname() or 'UTC'})"


def digits(number: Decimal) -> str:
    """A number for people, without an exponent and needless zeros: ``84``, ``0.5``."""
    return f"{number.normalize():f}"


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
    if course.policies.late is not None:
        _check_late(course.policies.late)
    _check_unique("assignment", (one.name for one in course.assignment))
    for one in course.assignment:
        _check_assignment(one)
    total = sum((one.weight for one in course.graded), Decimal(0))
    if course.graded and total != 1:
        raise _error("assignment", f"weight: the weights add up to {digits(total)}, not to 1.")


def _check_late(policy: LatePolicy) -> None:
    if not (policy.grace_hours.is_finite() and policy.grace_hours >= 0):
        raise _error("policies.late.grace_hours", f"{policy.grace_hours} is no number of hours.")
    for key in ("per_day", "floor"):
        _check_share(f"policies.late.{key}", getattr(policy, key))


def _check_share(place: str, value: Decimal) -> None:
    if not (value.is_finite() and 0 <= value <= 1):
        raise _error(place, f"{value} is no share between 0 and 1.")


def _check_unique(place: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if plain_name(name) is None:
            raise _error(place, f"{name!r} is no plain name.")
        if count > 1:
            raise _error(place, f"{name} is there {count} times.")


def _check_assignment(one: Assignment) -> None:
    place = f"assignment {one.name}"
    _check_share(f"{place}: weight", one.weight)
    if one.due is not None and one.due < one.release:
        raise _error(place, f"due: {moment(one.due)} is before its release, {moment(one.release)}.")
    if one.graded:
        _check_graded(one, place)
    elif one.weight or one.points or one.milestone or one.column:
        raise _error(place, "a lab is not graded: it has no weight, points, column or milestone.")


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
        if not (part.points.is_finite() and part.points > 0):
            raise _error(f"{place}: milestone {part.question}", "points: it needs points.")
    total = sum((part.points for part in one.milestone), Decimal(0))
    if total != one.points:
        raise _error(
            place, f"points: its milestones add up to {digits(total)}, not to {digits(one.points)}."
        )

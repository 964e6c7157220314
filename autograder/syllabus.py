"""The course file held against what is built: titles, points and rubrics of every assignment."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from autograder.bundle import RubricItem
from autograder.course import FILE, Assignment, Course, digits
from autograder.errors import CourseError
from autograder.handin import ASSIGNMENT, load_assignment


class Asked(msgspec.Struct, frozen=True):
    """One question, as ``assignment.json`` tells it."""

    name: str
    title: str
    points: Decimal
    written: bool


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An assignment of the course, and what is built of it."""

    plan: Assignment
    title: str
    notebook: str
    questions: list[Asked]
    rubric: dict[str, list[RubricItem]]
    """Criteria of each written question, from ``assignment.toml``."""
    files: list[str]
    """Names of the files that are handed in beside the notebook."""

    @property
    def automatic(self) -> Decimal:
        """Points given by tests."""
        return sum((one.points for one in self.questions if not one.written), Decimal(0))

    @property
    def written(self) -> Decimal:
        """Points given by people."""
        return sum((one.points for one in self.questions if one.written), Decimal(0))


class _Sources(msgspec.Struct):
    """What is read of ``assignment.toml``."""

    rubric: dict[str, list[RubricItem]] = {}


def entries(course: Course, project: Path) -> list[Entry]:
    """Every assignment of the course with what is built of it.

    Raises:
        CourseError: naming the first assignment whose folder is missing or that holds other
            points than the course file says.
    """
    return [entry(one, project) for one in course.assignment]


def entry(plan: Assignment, project: Path) -> Entry:
    """One assignment of the course with what is built of it.

    Raises:
        CourseError: as :func:`entries`.
    """
    facts = _facts(plan, project)
    rubric = _rubric(plan, project)
    questions = msgspec.convert(facts["questions"], list[Asked], strict=False)
    files = [file["name"] for file in facts["files"]]
    found = Entry(
        plan=plan, title=facts["title"], notebook=facts["notebook"], questions=questions,
        rubric=rubric, files=files,
    )  # fmt: skip
    _check_rubric(found)
    if plan.graded:
        _check_points(found)
    return found


def _facts(plan: Assignment, project: Path) -> dict[str, Any]:
    folder = project / "assignments" / plan.name
    if not (folder / ASSIGNMENT).is_file():
        raise _error(
            plan, f"assignments/{plan.name}/{ASSIGNMENT} is not there; run `autograder build "
            f"{plan.name}`, or take the assignment out of {FILE}.",
        )  # fmt: skip
    try:
        return load_assignment(folder)
    except ValueError as error:
        raise _error(plan, str(error)) from None


def _rubric(plan: Assignment, project: Path) -> dict[str, list[RubricItem]]:
    name = f"solutions/{plan.name}/assignment.toml"
    try:
        data = tomllib.loads((project / name).read_text("utf-8"))
        return msgspec.convert(data, _Sources).rubric
    except OSError as error:
        raise _error(plan, f"{name} cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise _error(plan, f"{name}: {error}.") from None


def _check_rubric(found: Entry) -> None:
    for question in found.questions:
        if question.written:
            criteria = sum(item.points for item in found.rubric.get(question.name, []))
            if Decimal(str(criteria)) != question.points:
                raise _stale(
                    found, f"the rubric of {question.name} adds up to {criteria:g} points and "
                    f"{ASSIGNMENT} says {digits(question.points)}",
                )  # fmt: skip


def _check_points(found: Entry) -> None:
    plan, total = found.plan, found.automatic + found.written
    if total != plan.points:
        raise _error(
            plan, f"points: {digits(plan.points)} in {FILE}, but {digits(found.automatic)} by "
            f"tests and {digits(found.written)} by people are built.",
        )  # fmt: skip
    built = {question.name: question.points for question in found.questions}
    for part in plan.milestone:
        if part.question not in built:
            known = ", ".join(built)
            raise _error(plan, f"milestone {part.question}: no such question; there are {known}.")
        if built[part.question] != part.points:
            raise _error(
                plan, f"milestone {part.question}: points: {digits(part.points)} in {FILE}, but "
                f"{digits(built[part.question])} are built.",
            )  # fmt: skip


def _stale(found: Entry, problem: str) -> CourseError:
    return _error(found.plan, f"{problem}; run `autograder build {found.plan.name}`.")


def _error(plan: Assignment, problem: str) -> CourseError:
    return CourseError(f"{FILE}: assignment {plan.name}: {problem}")

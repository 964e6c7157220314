"""Which results go into which column of the gradebook, as the course file says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from autograder.bundle import Manifest
from autograder.canvas.columns import find_column
from autograder.canvas.final import titled
from autograder.course import FILE, Assignment, Course, Milestone
from autograder.errors import ExportError
from autograder.gradebook import Column, Gradebook


class Target(NamedTuple):
    """Autograded points and the column they go to."""

    name: str
    """Of the assignment and, with a hyphen, the milestone; a plain file name."""
    milestone: str
    """Its question, the only one whose points are written; empty for a whole assignment."""
    column: Column
    by_id: bool
    """Whether the course file names it by its Canvas id."""


def targets(course: Course, manifest: Manifest, gradebook: Gradebook) -> list[Target]:
    """Find the columns of one assignment's results: one, or one for each milestone in them.

    The column is the one whose Canvas id is ``canvas`` in the course file; or else the only one
    of ``column``; or else the only one of the title.

    Args:
        course: The course file.
        manifest: Of what was graded, perhaps of some questions alone.
        gradebook: As exported from Canvas.

    Raises:
        CourseError: if the course file has no such assignment.
        ExportError: if a column is not there, several could be meant, or Canvas would not import
            it.
    """
    return list(_targets(course.named(manifest.name), manifest, gradebook))


def _targets(plan: Assignment, manifest: Manifest, gradebook: Gradebook) -> Iterator[Target]:
    if not plan.milestone:
        titles = {manifest.title, plan.name}
        found = _column(gradebook, plan, plan.name, titles)
        yield Target(plan.name, "", found, _by_id(plan, found))
        return
    graded = {question.name for question in manifest.autograded}
    for one in plan.milestone:
        if one.question in graded:
            place = f"{plan.name}, milestone {one.question}"
            titles = {
                one.title,
                f"{manifest.title}: {one.title}",
                f"{plan.name} {one.question}",
            }
            found = _column(gradebook, one, place, titles)
            name = f"{plan.name}-{one.question}"
            yield Target(name, one.question, found, _by_id(one, found))


def _by_id(one: Assignment | Milestone, column: Column) -> bool:
    return str(one.canvas) == column.id or column.id in one.column


def _column(
    gradebook: Gradebook, one: Assignment | Milestone, place: str, titles: set[str]
) -> Column:
    if one.canvas is not None:
        if not any(column.id == str(one.canvas) for column in gradebook.columns):
            known = ", ".join(repr(column.header) for column in gradebook.columns) or "none"
            raise ExportError(
                f"{gradebook.name} has no column of the Canvas assignment {one.canvas}, which "
                f"{FILE} names for {place}, so it may be of another course; it has {known}."
            )
        return find_column(gradebook, str(one.canvas))
    names = [one.column] if isinstance(one.column, str) else one.column
    if len(names) > 1:
        raise ExportError(
            f"{FILE} names {len(names)} columns for {place}; say with `canvas` which of them, by "
            "its Canvas id, is that of the autograded points."
        )
    (found,) = names or [titled(gradebook, place, titles).id]
    return find_column(gradebook, found)

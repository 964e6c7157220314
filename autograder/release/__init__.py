"""The repository that students clone, made of the assignments whose time has come.

::

    course.toml + assignments/ ──tree──▶ files ──check──▶ nothing hidden ──clone──▶ DIR
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path

from autograder.course import Course, moment, read
from autograder.errors import ReleaseError
from autograder.release.clone import RECORD, Record, Update, apply, foreign, read_record, update
from autograder.release.tree import check_hidden, tree
from autograder.syllabus import entry

__all__ = ["Update", "release"]


def release(
    project: Path,
    folder: Path,
    names: Collection[str],
    upto: datetime | date,
    *,
    overwrite: bool = False,
) -> Update:
    """Make or renew the repository in ``folder``.

    What was released there before stays released.

    Args:
        project: The project's root.
        folder: Where students' repository is; made if it does not exist.
        names: The assignments to release; if there are none, those whose time has come.
        upto: The moment, or the end of the day, by which it must have come.
        overwrite: Whether files may be overwritten that somebody else wrote or edited.

    Raises:
        CourseError: if the course file is wrong or does not have one of ``names``.
        BuildError: if an assignment cannot be built.
        ReleaseError: if something hidden would be shown, a file was edited by hand, or there is
            nothing to release. Nothing is written then.
    """
    _check_place(project.resolve(), folder.resolve())
    course = read(project)
    before = read_record(folder, course.title)
    wanted = [course.named(name) for name in names] or course.released(upto)
    out = {one.name for one in [*wanted, *map(course.named, before.assignments)]}
    plans = [one for one in course.assignment if one.name in out]
    if not plans:
        raise ReleaseError(_too_early(course))
    files = tree(course, [entry(plan, project) for plan in plans], project)
    after = Record(course=course.title, assignments=[plan.name for plan in plans])
    change = update(folder, files, before, after)
    beside = foreign(folder, before)
    check_hidden(beside | files | {RECORD: change.record.encoded()}, project)
    apply(change, overwrite=overwrite)
    return change


def _check_place(project: Path, folder: Path) -> None:
    if folder.is_relative_to(project) or project.is_relative_to(folder):
        raise ReleaseError(
            f"{folder} is in or around the course repository {project}; name a folder elsewhere, "
            "which becomes a repository of its own."
        )


def _too_early(course: Course) -> str:
    first = min(course.assignment, key=lambda one: one.release)
    return (
        f"Nothing is to be released yet: {first.name} comes first, at {moment(first.release)}; "
        "name it with --names to release it before."
    )

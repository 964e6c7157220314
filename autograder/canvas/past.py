"""What the journal says of one assignment, held against what is in Canvas now."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from autograder.canvas import comment, rubric
from autograder.canvas.client import Client
from autograder.canvas.comment import Said
from autograder.canvas.compare import Base, Wanted
from autograder.canvas.jobs import How, wait
from autograder.canvas.journal import Journal, Part, Record, State
from autograder.canvas.remote import Column, Entry, Remote

__all__ = ["Points", "bases", "content", "settled", "step", "unconfirmed", "waiting"]

DEAD = timedelta(days=1)
"""After it a job that has not ended is taken for one that never will."""


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """What a step of a grade sends."""

    points: Decimal
    rubric: dict[str, Decimal] = {}
    """Criterion id → points."""


def content(wanted: Wanted, column: Column) -> str:
    """Hash of all that is to be in Canvas for one student."""
    grade = wanted.grade
    lines = sorted(rubric.lines(column, grade.verdict).items())
    data = msgspec.json.encode([grade.points, lines, wanted.said.text, wanted.said.file])
    return hashlib.sha256(data).hexdigest()


def step(part: Part, wanted: Wanted, lines: dict[str, Decimal], column: Column) -> Record:
    """The step that sends points with these lines of the rubric, or the comment."""
    points = Points(points=wanted.grade.points, rubric=lines)
    return Record(
        user=wanted.user,
        attempt=wanted.grade.verdict.attempt,
        part=part,
        content=content(wanted, column),
        value=msgspec.json.encode(points if part is Part.GRADE else wanted.said),
        state=State.INTENDED,
    )


def bases(journal: Journal, assignment: int, now: Collection[Record] = ()) -> dict[str, Base]:
    """What was confirmed last of each student, by Canvas user id.

    Args:
        journal: Of the course.
        assignment: Canvas assignment id.
        now: Steps that the journal does not have yet, by :func:`settled`.

    Raises:
        StoreError: if the journal cannot be read.
    """
    grades, comments = (
        journal.confirmed(assignment, Part.GRADE),
        journal.latest(assignment, Part.COMMENT),
    )
    for one in now:
        if one.part is Part.COMMENT:
            comments[one.user] = one
        elif one.state is State.CONFIRMED:
            grades[one.user] = one
    found: dict[str, Base] = {}
    for user, record in grades.items():
        sent = msgspec.json.decode(record.value, type=Points)
        found[user] = Base(points=sent.points, rubric=sent.rubric)
    for user, record in comments.items():
        if record.state is State.CONFIRMED:
            said = msgspec.json.decode(record.value, type=Said)
            found[user] = msgspec.structs.replace(found.get(user, Base()), said=said)
    return found


def unconfirmed(journal: Journal, assignment: int) -> list[Record]:
    """Steps of which nobody knows whether Canvas has done them.

    Raises:
        StoreError: if the journal cannot be read.
    """
    return [one for part in Part for one in journal.latest(assignment, part).values()
            if one.state.open]  # fmt: skip


def waiting(client: Client, records: Collection[Record], patience: float) -> dict[str, int]:
    """Canvas user id → the job that was to grade them and has still not ended.

    Raises:
        CanvasError: if Canvas cannot be asked.
    """
    recent = [one for one in records if one.job and _age(one) < DEAD]
    jobs = {one.job for one in recent if one.job}
    left = {job for job in sorted(jobs) if wait(client, job, patience).how is How.WAITING}
    return {one.user: one.job for one in recent if one.job in left and one.job}


def settled(
    records: Collection[Record], now: Remote, still: Collection[str] = ()
) -> Iterator[Record]:
    """What became of steps whose outcome was unknown, now that Canvas was read.

    Args:
        records: The steps.
        now: What is in Canvas, of at least their students.
        still: Canvas user ids of those whose job has not ended; if it is not there, it may be yet.
    """
    for one in records:
        entry = now.entries.get(one.user)
        if entry is not None and _is_there(one, entry, now):
            yield one.now(State.CONFIRMED)
        elif one.user not in still or one.part is Part.COMMENT:
            yield one.now(State.REFUSED, detail="it was looked for in Canvas, and is not there")


def _is_there(record: Record, entry: Entry, now: Remote) -> bool:
    if record.part is Part.GRADE:
        return entry.entered == msgspec.json.decode(record.value, type=Points).points
    said = msgspec.json.decode(record.value, type=Said)
    return comment.deed(comment.ours(entry.comments, now.students), said, None).nothing


def _age(record: Record) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(record.written)

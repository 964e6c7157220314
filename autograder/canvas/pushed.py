"""What was sent through Canvas' API, as batches that a file of grades is compared with."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from autograder.canvas.exported import Batch, Cell
from autograder.canvas.journal import Journal, Part, State
from autograder.canvas.past import Points
from autograder.canvas.threeway import grade_text
from autograder.course import Canvas

PAUSE = timedelta(minutes=10)
"""Between two confirmations that are this far apart lies the end of a push."""


def pushes(
    journal: Path, place: Canvas | None, assignment: int, late: Collection[str]
) -> list[Batch]:
    """Every push to an assignment that was confirmed, oldest first.

    Args:
        journal: The journal's file, which need not be there.
        place: The course in Canvas; without one nothing was ever pushed.
        assignment: Canvas assignment id.
        late: Canvas user ids of those whose work was late.

    Raises:
        StoreError: if the journal is damaged, or that of another course.
    """
    if place is None or not journal.is_file():
        return []
    with Journal(journal, place.address, place.course) as read:
        history = read.history(assignment)
    found: list[Batch] = []
    known: dict[str, str] = {}
    for record in history:
        if record.part is not Part.GRADE or record.state is not State.CONFIRMED:
            continue
        when = datetime.fromisoformat(record.written).astimezone(UTC)
        after = grade_text(msgspec.json.decode(record.value, type=Points).points)
        cell = Cell(before=known.get(record.user, ""), after=after, late=record.user in late)
        known[record.user] = after
        if not found or when - found[-1].written > PAUSE:
            found.append(Batch(written=when, cells={}, by="push"))
        cells = {**found[-1].cells, record.user: cell}
        found[-1] = Batch(written=when, cells=cells, by="push")
    return found

"""Where the grades of an assignment stand, between here and Canvas. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from autograder.canvas import past, remote
from autograder.canvas.client import Client
from autograder.canvas.compare import Fate, Wanted, compare
from autograder.canvas.journal import Journal
from autograder.canvas.remote import Remote

__all__ = ["Status", "status"]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How many students of one assignment are how far."""

    title: str
    handed_in: int
    graded: int
    """Graded here."""
    confirmed: int
    """Sent, read back, and in Canvas now as it was sent."""
    changed: int
    """Sent, and changed by people since."""
    conflicts: int
    to_send: int
    left: int
    """Left alone, for one reason or another."""
    unknown: int
    """Sent, and not read back."""
    posted: int
    """Students who see their grade."""
    hidden: int
    """Students who have a grade that they do not see."""
    by_hand: bool
    """Whether grades stay hidden until they are posted."""


def status(
    client: Client, journal: Journal, course: int, assignment: int, wanted: Sequence[Wanted]
) -> Status:
    """Read Canvas and the journal.

    Args:
        client: Asks Canvas.
        journal: Of the course.
        course: Canvas course id.
        assignment: Canvas assignment id.
        wanted: What is graded here.

    Raises:
        CanvasError: if Canvas cannot be read.
        StoreError: if the journal cannot be read.
    """
    now = remote.read(client, course, assignment)
    unknown = past.unconfirmed(journal, assignment)
    settled = list(past.settled(unknown, now))
    bases = past.bases(journal, assignment, settled)
    fates = Counter(row.fate for row in compare(wanted, bases, now))
    sent = {user: one.points for user, one in bases.items()
            if user in now.entries and one.points is not None}  # fmt: skip
    right = sum(now.entries[user].entered == points for user, points in sent.items())
    entries = now.entries.values()
    return Status(
        title=now.column.title,
        handed_in=sum(one.attempt is not None for one in entries),
        graded=len(wanted),
        confirmed=right,
        changed=len(sent) - right,
        conflicts=fates[Fate.CONFLICT],
        to_send=fates[Fate.NEW] + fates[Fate.CHANGE],
        left=fates[Fate.LEFT],
        unknown=len({one.user for one in unknown}),
        posted=sum(one.posted for one in entries),
        hidden=_hidden(now),
        by_hand=now.column.by_hand,
    )


def _hidden(now: Remote) -> int:
    return sum(one.entered is not None and not one.posted for one in now.entries.values())

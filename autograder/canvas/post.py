"""Letting students see grades and comments that are in Canvas: a step of its own."""

from __future__ import annotations

import msgspec

from autograder.canvas import jobs, remote
from autograder.canvas.client import Client
from autograder.canvas.remote import Remote
from autograder.errors import CanvasError, OutcomeUnknown

__all__ = ["Posting", "look", "post"]

_POST = (
    "mutation($id: ID!) { postAssignmentGrades(input: {assignmentId: $id, gradedOnly: true}) "
    "{ progress { _id state } errors { message } } }"
)


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """Who sees what."""

    title: str
    hidden: list[str]
    """Canvas user ids of those who have a grade that they do not see."""
    seen: list[str]
    """Canvas user ids of those who see theirs."""
    commented: int
    """How many of the hidden ones have comments, which they will see, too."""


def look(client: Client, course: int, assignment: int) -> Posting:
    """Read who sees what; nothing is changed.

    Raises:
        CanvasError: if Canvas cannot be read.
    """
    now = remote.read(client, course, assignment)
    hidden = _hidden(now)
    return Posting(
        title=now.column.title,
        hidden=hidden,
        seen=[user for user, one in now.entries.items() if one.posted],
        commented=sum(bool(now.entries[user].comments) for user in hidden),
    )


def post(client: Client, course: int, assignment: int, patience: float = jobs.PATIENCE) -> Posting:
    """Show every grade that there is, and read back who sees it.

    Returns:
        What is so afterwards.

    Raises:
        CanvasError: if somebody still does not see theirs, with how many.
    """
    how = ""
    try:
        progress = client.graphql(_POST, id=str(assignment))["postAssignmentGrades"]["progress"]
        how = str(jobs.wait(client, int(progress["_id"]), patience))
    except OutcomeUnknown as error:
        how = str(error).rstrip(".")
        client.sleep(5.0)
    after = look(client, course, assignment)
    if after.hidden:
        raise CanvasError(
            f"{len(after.hidden)} students still do not see their grade, {len(after.seen)} see "
            f"theirs ({how}); run the same command again, or post in the gradebook."
        )
    return after


def _hidden(now: Remote) -> list[str]:
    return [user for user, one in now.entries.items()
            if (one.entered is not None or one.excused) and not one.posted]  # fmt: skip

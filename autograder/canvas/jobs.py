"""Jobs that Canvas does later, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from autograder.canvas.client import Client
from autograder.errors import CanvasError

__all__ = ["PATIENCE", "End", "How", "wait"]

PATIENCE = 900.0
"""Seconds for which a job is waited for; at the start of a term queues are long."""
_LONGEST = 15.0


class How(StrEnum):
    """How a job ended."""

    DONE = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    GONE = "gone"
    """Canvas knows no such job any more."""
    WAITING = "waiting"
    """It did not end in time."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended, and what Canvas says of it."""

    how: How
    message: str = ""

    def __str__(self) -> str:
        """For staff."""
        return f"{self.how.value}: {self.message}" if self.message else self.how.value


def wait(client: Client, job: int, patience: float = PATIENCE) -> End:
    """Wait until a job has ended.

    Args:
        client: Of the Canvas that does it.
        job: Its number.
        patience: Seconds.

    Raises:
        CanvasError: if Canvas cannot be asked.
    """
    for pause in (*_pauses(patience), None):
        try:
            said = client.get(f"progress/{job}")
        except CanvasError as error:
            if error.status == 404:
                return End(how=How.GONE)
            raise
        state, message = str(said["workflow_state"]), str(said.get("message") or "")
        if state in (How.DONE, How.FAILED, How.CANCELED):
            return End(how=How(state), message=message)
        if pause is not None:
            client.sleep(pause)
    return End(how=How.WAITING)


def _pauses(patience: float) -> Iterator[float]:
    pause = 1.0
    while patience > 0:
        yield min(pause, patience)
        patience -= pause
        pause = min(2 * pause, _LONGEST)

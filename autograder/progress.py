"""How far a run of grading is."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from autograder.model import Standing, Verdict


@dataclass
class Progress:
    """How far a run is."""

    total: int
    cached: int = 0
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    states: Counter[str] = field(default_factory=Counter)

    def start(self) -> None:
        """Start the clock: rooms are open."""
        self.started = time.monotonic()

    def count(self, verdict: Verdict) -> None:
        """Note one verdict."""
        self.states[state(verdict)] += 1

    @property
    def rate(self) -> float:
        """Submissions graded per second in this run."""
        return self.done / max(time.monotonic() - self.started, 1e-9)

    @property
    def eta(self) -> float | None:
        """Seconds left, ``None`` while nothing is known."""
        left = self.total - self.cached - self.done
        return left / self.rate if self.done else None


def state(verdict: Verdict) -> str:
    """A verdict in one word: full, partial, zero, unreadable, or grader error."""
    if verdict.status is not Standing.GRADED:
        return verdict.status.value.replace("_", " ")
    if verdict.score >= verdict.possible:
        return "full"
    return "partial" if verdict.score > 0 else "zero"

"""What counts for each student: which attempt, how many points, and the sum that leads to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from autograder.model import Verdict
from autograder.policy import Attempts, Deadline, LateRule

__all__ = ["Grade", "Rules"]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """By which rules verdicts become grades."""

    deadline: Deadline = Deadline()
    late: LateRule | None = None
    """What being late costs; ``None`` where Canvas takes it off, or nobody does."""
    attempts: Attempts = Attempts.LAST
    dues: Mapping[str, datetime | None] = {}
    """Due times of students' own by Canvas user id."""


class Grade(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for one student."""

    verdict: Verdict
    """Of the attempt that counts."""
    points: Decimal
    """To two decimals."""
    arithmetic: str
    """For the student: ``34/40, 1 day late: −10 % of 40 → 30``."""
    attempts: int = 1
    """How many of the student's attempts were graded."""
    problem: str = ""
    """Why nothing can be said yet, for staff, one sentence; then ``points`` mean nothing."""

    @property
    def student(self) -> str:
        """Canvas user id."""
        return self.verdict.student

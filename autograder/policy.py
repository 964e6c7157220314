"""Lateness, attempts and what is dropped: pure functions of what was handed in and when.

Nothing here is baked into a verdict. A verdict says what the work is worth; these functions say,
when it is read, what of that counts. Numbers are decimals, and are rounded half up, once, to the
hundredths that Canvas keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, TypeVar

import msgspec

__all__ = [
    "Attempts",
    "Charge",
    "Deadline",
    "LateRule",
    "Of",
    "cents",
    "charge",
    "counting",
    "dropped",
    "duration",
]

CENT = Decimal("0.01")
Thing = TypeVar("Thing")


class Of(StrEnum):
    """What a deduction is a share of."""

    POSSIBLE = "possible"
    """The points possible, as in Canvas' own late policy."""
    EARNED = "earned"
    """The points earned."""


class LateRule(msgspec.Struct, frozen=True, kw_only=True):
    """What being late costs."""

    share: Decimal
    """Share that each interval, once begun, costs."""
    interval: timedelta = timedelta(days=1)
    of: Of = Of.POSSIBLE
    grace: timedelta = timedelta()
    """Time after the due time that costs nothing; whoever is later is late from the due time on."""
    floor: Decimal = Decimal(0)
    """Share of the points possible below which being late lowers no grade."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """Until when something may be handed in."""

    due: datetime | None = None
    """With a zone; without one nothing is late."""
    closes: datetime | None = None
    """After it nothing that is handed in counts."""

    def moved(self, due: datetime | None) -> Deadline:
        """The deadline of whoever has a due time of their own, which replaces the general one.

        Work closes as long after a later due time as after the general one, and after an earlier
        one when it closes for everybody. Without a due time nothing is late, and nothing closes.
        """
        if due is None:
            return Deadline()
        if self.closes is None or self.due is None:
            return Deadline(due=due, closes=self.closes)
        return Deadline(due=due, closes=max(self.closes, self.closes + (due - self.due)))

    def late(self, submitted: datetime) -> timedelta:
        """How late that is; zero if it is in time."""
        return max(timedelta(), submitted - self.due) if self.due else timedelta()

    def takes(self, submitted: datetime) -> bool:
        """Whether it is still taken."""
        return self.closes is None or submitted <= self.closes


class Attempts(StrEnum):
    """Which of a student's attempts counts."""

    LAST = "last"
    BEST = "best"
    """The one with most points after deductions; of equal ones the first."""


class Charge(NamedTuple):
    """A score after lateness, and the sum that leads to it."""

    earned: Decimal
    possible: Decimal
    late: timedelta
    intervals: int
    """Intervals begun; 0 within the grace."""
    rule: LateRule
    points: Decimal
    """What counts, points, to two decimals."""

    @property
    def deducted(self) -> Decimal:
        """Points taken off."""
        return cents(self.earned) - self.points

    @property
    def arithmetic(self) -> str:
        """For the student: ``34/40, 1 day late: −10 % of 34 → 30.6``."""
        start = f"{_plain(self.earned)}/{_plain(self.possible)}"
        if not self.late:
            return start
        late = f"{start}, {duration(self.late)} late"
        if not self.intervals:
            return f"{late}, within the {duration(self.rule.grace)} that cost nothing"
        share = _plain(100 * self.rule.share * self.intervals)
        base = self.earned if self.rule.of is Of.EARNED else self.possible
        sum_ = f"{late}: −{share} % of {_plain(base)}"
        if self.points != cents(_lowered(self.earned, self.possible, self.intervals, self.rule)):
            floor = _plain(100 * self.rule.floor)
            least = f"{floor} % of {_plain(self.possible)} or the score itself"
            sum_ += f", but not below {least if self.rule.floor else 0}"
        return f"{sum_} → {_plain(self.points)}"


def charge(earned: Decimal, possible: Decimal, late: timedelta, rule: LateRule | None) -> Charge:
    """What is left of a score that was handed in late.

    Args:
        earned: Points, 0 or more.
        possible: Points there are.
        late: How late, by :meth:`Deadline.late`.
        rule: What that costs; nothing, if there is none.

    Returns:
        Points between the floor and the score: a deduction lowers no score that is below the
        floor already, and raises none.
    """
    rule = rule or LateRule(share=Decimal(0))
    beyond = late if late > rule.grace else timedelta()
    count = -(-beyond // rule.interval)
    floor = min(Fraction(earned), Fraction(rule.floor) * Fraction(possible))
    left = max(floor, _lowered(earned, possible, count, rule))
    return Charge(earned, possible, late, count, rule, cents(left))


def counting(
    attempts: Sequence[Thing], points: Callable[[Thing], Decimal], rule: Attempts
) -> Thing | None:
    """The attempt that counts, of those that were taken, in the order they were handed in.

    Args:
        attempts: May be empty; then none counts.
        points: What an attempt is worth, after deductions.
        rule: Which counts.
    """
    if rule is Attempts.LAST or not attempts:
        return attempts[-1] if attempts else None
    return max(attempts, key=points)


def dropped(shares: Sequence[Fraction | None], count: int) -> list[int]:
    """Which of a student's scores are left out: the ``count`` lowest, and never all of them.

    Args:
        shares: Points over points possible, one for each assignment; ``None`` where nothing
            counts anyway (excused), which is neither dropped nor saves another.
        count: How many to drop.

    Returns:
        Their positions, ascending; of equal scores the later is dropped.
    """
    there = [place for place, share in enumerate(shares) if share is not None]
    lowest = sorted(there, key=lambda place: (shares[place], -place))
    return sorted(lowest[: max(0, min(count, len(there) - 1))])


def cents(value: Fraction | Decimal) -> Decimal:
    """A number of points as Canvas keeps it: rounded half up to hundredths."""
    exact = Fraction(value)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(CENT, ROUND_HALF_UP)


def duration(span: timedelta) -> str:
    """A span for people, by its two largest units: ``1 day 3 hours``."""
    minutes = -(-span // timedelta(minutes=1))
    units = [("day", minutes // 1440), ("hour", minutes // 60 % 24), ("minute", minutes % 60)]
    said = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in units if count]
    return " ".join(said[:2]) or "0 minutes"


def _lowered(earned: Decimal, possible: Decimal, intervals: int, rule: LateRule) -> Fraction:
    base = earned if rule.of is Of.EARNED else possible
    return Fraction(earned) - Fraction(rule.share) * intervals * Fraction(base)


def _plain(value: Decimal) -> str:
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"

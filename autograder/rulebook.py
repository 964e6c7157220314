"""``[policies]`` of the course file: what counts, what being late costs, what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec

from autograder.policy import Attempts, LateRule, Of

__all__ = [
    "Deducts",
    "FinalPolicy",
    "LatePolicy",
    "Missing",
    "Policies",
    "Unassigned",
    "Wrong",
    "digits",
    "no_share",
    "percent",
    "wrong",
]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the course file: no key but its own."""


class Missing(StrEnum):
    """What a blank cell of the gradebook counts in the final grade."""

    OPEN = "open"
    """The student's final grade is left open."""
    ZERO = "zero"


class Unassigned(StrEnum):
    """What ``N/A`` in the gradebook counts in the final grade.

    Canvas writes it where an assignment is not assigned to a student, and where an anonymous
    one is not posted yet (``lib/gradebook_exporter.rb``).
    """

    OPEN = "open"
    """The student's final grade is left open."""
    EXCUSED = "excused"
    """The same as ``EX``: the other assignments weigh more."""


class Deducts(StrEnum):
    """Who takes points off for being late."""

    CANVAS = "canvas"
    """Canvas' own late policy; it is sent what was earned."""
    AUTOGRADER = "autograder"
    """We do; Canvas' late policy must be off."""


class LatePolicy(_Table, frozen=True, kw_only=True):
    """``[policies.late]``: what being late costs, and who takes it off."""

    by: Deducts = Deducts.CANVAS
    grace_hours: Decimal = Decimal(0)
    """Hours after the due time that cost nothing."""
    per_day: Decimal | None = None
    """Share that each day, once begun, costs; this or ``per_hour``."""
    per_hour: Decimal | None = None
    of: Of = Of.POSSIBLE
    floor: Decimal = Decimal(0)
    """Share of the points possible below which being late lowers no grade."""

    @property
    def rule(self) -> LateRule:
        """The same as :mod:`autograder.policy` applies it."""
        hourly = self.per_day is None
        return LateRule(
            share=(self.per_hour if hourly else self.per_day) or Decimal(0),
            interval=timedelta(hours=1) if hourly else timedelta(days=1),
            of=self.of,
            grace=timedelta(hours=float(self.grace_hours)),
            floor=self.floor,
        )

    def __str__(self) -> str:
        """The rule, in words."""
        unit, share = ("hour", self.per_hour) if self.per_day is None else ("day", self.per_day)
        hours = f"{digits(self.grace_hours)} hour{'' if self.grace_hours == 1 else 's'}"
        free = f"up to {hours} costs nothing; beyond that, " if self.grace_hours else ""
        floor = f", but nobody falls below {percent(self.floor)} of the points possible in tests"
        least = f"{floor} by that" if self.floor else ""
        canvas = " Canvas takes it off." if self.by is Deducts.CANVAS else ""
        return (
            f"Late: {free}each {unit} begun since the due time costs {percent(share or Decimal(0))}"
            f" of the points {self.of.value} in tests{least}.{canvas}"
        )


class FinalPolicy(_Table, frozen=True, kw_only=True):
    """``[policies.final]``: how grades become the final grade."""

    missing: Missing = Missing.OPEN
    unassigned: Unassigned = Unassigned.OPEN
    drop_lowest: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many of a student's lowest homeworks are left out."""
    decimals: Annotated[int, msgspec.Meta(ge=0, le=2)] = 2
    """Digits after the point; rounded half up, once, at the end."""

    def where(self, missing: str | None) -> FinalPolicy:
        """The same policy where blank cells count as ``missing``, if that is said."""
        return msgspec.structs.replace(self, missing=Missing(missing)) if missing else self

    @property
    def dropping(self) -> str:
        """What is dropped, in words and with a space behind; empty if nothing is."""
        if not self.drop_lowest:
            return ""
        many = self.drop_lowest > 1
        return (
            f"The {f'{self.drop_lowest} ' if many else ''}lowest homework{'s' if many else ''} of "
            f"each student {'are' if many else 'is'} dropped, and the others weigh more for it. "
        )

    def __str__(self) -> str:
        """Every rule, in words."""
        open_, blank = "leaves the final grade open", "counts as 0"
        missing = open_ if self.missing is Missing.OPEN else blank
        unassigned = open_ if self.unassigned is Unassigned.OPEN else "is treated like EX"
        return (
            f"A blank cell {missing}; EX is left out, and what is left weighs more; N/A "
            f"{unassigned}. {self.dropping}Rounded half up to {self.decimals} decimals, once, at "
            "the end."
        )


class Policies(_Table, frozen=True, kw_only=True):
    """``[policies]``."""

    attempts: Attempts = Attempts.LAST
    """Which of a student's attempts counts."""
    late: LatePolicy | None = None
    final: FinalPolicy = FinalPolicy()

    @property
    def sentences(self) -> list[str]:
        """The rules that concern what is handed in, for students and staff."""
        ours = self.late is not None and self.late.by is Deducts.AUTOGRADER
        best = f"the best attempt counts{', after what being late costs each' if ours else ''}"
        which = best if self.attempts is Attempts.BEST else "the last attempt counts"
        said = [str(self.late) if self.late else "", f"If you hand in more than once, {which}."]
        return [sentence for sentence in (*said, self.final.dropping.strip()) if sentence]


def digits(number: Decimal) -> str:
    """A number for people, without an exponent and needless zeros: ``84``, ``0.5``."""
    return f"{number.normalize():f}"


def percent(share: Decimal) -> str:
    """A share for people: ``10 %``."""
    return f"{digits(share * 100)} %"


class Wrong(NamedTuple):
    """What is wrong with a value."""

    place: str
    """Its key."""
    problem: str
    """One sentence."""


def wrong(policies: Policies, homeworks: int) -> Wrong | None:
    """The first thing that is wrong with the rules of a course, if anything is.

    Args:
        policies: All rules.
        homeworks: How many homeworks the course has.
    """
    return next(_wrong(policies, homeworks), None)


def no_share(value: Decimal) -> str:
    """What is wrong with a share of something; empty if nothing is."""
    fine = value.is_finite() and 0 <= value <= 1
    return "" if fine else f"{value} is no share between 0 and 1."


def _wrong(policies: Policies, homeworks: int) -> Iterator[Wrong]:
    late, dropped = policies.late, policies.final.drop_lowest
    if late is not None:
        yield from (Wrong(f"policies.late{key}", problem) for key, problem in _late(late))
    if dropped and dropped >= homeworks:
        yield Wrong(
            "policies.final.drop_lowest",
            f"of {homeworks} homework{'' if homeworks == 1 else 's'} at least one must be left.",
        )


def _late(policy: LatePolicy) -> Iterator[Wrong]:
    if not (policy.grace_hours.is_finite() and policy.grace_hours >= 0):
        yield Wrong(".grace_hours", f"{policy.grace_hours} is no number of hours.")
    if (policy.per_day is None) is (policy.per_hour is None):
        yield Wrong("", "it needs per_day or per_hour, and not both.")
    for key in ("per_day", "per_hour", "floor"):
        if problem := no_share(getattr(policy, key) or Decimal(0)):
            yield Wrong(f".{key}", problem)
    if policy.by is Deducts.CANVAS and (policy.grace_hours or policy.of is Of.EARNED):
        yield Wrong(
            ".grace_hours" if policy.grace_hours else ".of",
            "Canvas' late policy knows no such thing; take it out, or let the points be taken off "
            'with by = "autograder".',
        )

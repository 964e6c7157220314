"""Deductions never help, never hurt below the floor, and say what they did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.policy import Attempts, Deadline, LateRule, Of, charge, counting, dropped

DUE = datetime(2027, 2, 10, 23, 59, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TEN = LateRule(share=Decimal("0.1"), grace=timedelta(minutes=30), floor=Decimal("0.3"))

points = st.decimals(0, 100, places=2)
shares = st.decimals(0, 1, places=2)
spans = st.timedeltas(timedelta(), timedelta(days=30))
rules = st.builds(
    LateRule, share=shares, interval=st.sampled_from([DAY, HOUR]), of=st.sampled_from(Of),
    grace=st.timedeltas(timedelta(), DAY), floor=shares,
)  # fmt: skip


@pytest.mark.parametrize(
    ("earned", "late", "rule", "left"),
    [
        ("34", timedelta(), TEN, "34"),
        ("34", timedelta(minutes=30), TEN, "34"),
        ("34", timedelta(minutes=31), TEN, "30"),
        ("34", DAY, TEN, "30"),
        ("34", DAY + timedelta(seconds=1), TEN, "26"),
        ("34", 9 * DAY, TEN, "12"),
        ("8", 9 * DAY, TEN, "8"),
        ("34", DAY, LateRule(share=Decimal("0.1"), of=Of.EARNED), "30.6"),
        ("34", 3 * HOUR, LateRule(share=Decimal("0.01"), interval=HOUR), "32.8"),
        ("34", 99 * DAY, None, "34"),
    ],
)
def test_what_is_left(earned: str, late: timedelta, rule: LateRule | None, left: str) -> None:
    assert charge(Decimal(earned), Decimal(40), late, rule).points == Decimal(left)


@given(points, points, spans, rules)
def test_a_deduction_never_helps_and_never_goes_below_the_floor(
    earned: Decimal, possible: Decimal, late: timedelta, rule: LateRule
) -> None:
    found = charge(earned, possible, late, rule)
    assert 0 <= found.points <= earned
    assert found.points >= min(earned, rule.floor * possible) - Decimal("0.005")
    assert found.deducted == earned - found.points


@given(points, points, spans, spans, rules)
def test_being_later_never_earns_more(
    earned: Decimal, possible: Decimal, one: timedelta, other: timedelta, rule: LateRule
) -> None:
    sooner, later = sorted((one, other))
    first, second = (charge(earned, possible, late, rule) for late in (sooner, later))
    assert first.points >= second.points and first.intervals <= second.intervals


@given(points, points, st.decimals(0, 100, places=2), spans, rules)
def test_better_work_never_ends_below_worse(
    one: Decimal, other: Decimal, possible: Decimal, late: timedelta, rule: LateRule
) -> None:
    worse, better = sorted((one, other))
    found = [charge(earned, possible, late, rule).points for earned in (worse, better)]
    assert found[0] <= found[1]


@given(points, points, rules)
def test_what_is_in_time_stays_as_it_is(earned: Decimal, possible: Decimal, rule: LateRule) -> None:
    for late in (timedelta(), rule.grace):
        assert charge(earned, possible, late, rule).points == earned


def test_halves_of_a_cent_are_rounded_up() -> None:
    rule = LateRule(share=Decimal("0.5"), of=Of.EARNED)
    assert charge(Decimal("0.05"), Decimal(1), DAY, rule).points == Decimal("0.03")


@pytest.mark.parametrize(
    ("earned", "late", "rule", "says"),
    [
        ("34", timedelta(), TEN, "34/40"),
        ("34", timedelta(minutes=20), TEN,
         "34/40, 20 minutes late, within the 30 minutes that cost nothing"),
        ("34", DAY, LateRule(share=Decimal("0.1"), of=Of.EARNED),
         "34/40, 1 day late: −10 % of 34 → 30.6"),
        ("34", 2 * DAY + 3 * HOUR, TEN, "34/40, 2 days 3 hours late: −30 % of 40 → 22"),
        ("34", timedelta(milliseconds=1), LateRule(share=Decimal("0.1")),
         "34/40, 1 minute late: −10 % of 40 → 30"),
        ("14.5", 9 * DAY, TEN,
         "14.5/40, 9 days late: −90 % of 40, but not below 30 % of 40 or the score itself → 12"),
        ("2", DAY, LateRule(share=Decimal("0.1")),
         "2/40, 1 day late: −10 % of 40, but not below 0 → 0"),
    ],
)  # fmt: skip
def test_the_sum_is_shown(earned: str, late: timedelta, rule: LateRule, says: str) -> None:
    assert charge(Decimal(earned), Decimal(40), late, rule).arithmetic == says


def test_a_deadline_tells_what_is_late_and_what_is_taken() -> None:
    deadline = Deadline(due=DUE, closes=DUE + 2 * DAY)
    assert deadline.late(DUE) == deadline.late(DUE - DAY) == timedelta()
    assert deadline.late(DUE + HOUR) == HOUR
    assert deadline.takes(DUE + 2 * DAY) and not deadline.takes(DUE + 3 * DAY)
    assert Deadline().late(DUE) == timedelta() and Deadline().takes(DUE)


@given(st.timedeltas(-9 * DAY, 9 * DAY), st.none() | st.timedeltas(timedelta(), 9 * DAY))
def test_a_due_time_of_ones_own_replaces_the_general_one(
    shift: timedelta, more: timedelta | None
) -> None:
    deadline = Deadline(due=DUE, closes=DUE + DAY)
    own = deadline.moved(DUE + shift)
    assert own.due == DUE + shift and own.closes == DUE + DAY + max(timedelta(), shift)
    longer = deadline.moved(None if more is None else DUE + shift + more)
    for when in (DUE - DAY, DUE, DUE + HOUR, DUE + 3 * DAY, DUE + 20 * DAY):
        assert own.takes(when) or not deadline.takes(when), "work never closes earlier"
        assert longer.late(when) <= own.late(when), "an extension only ever helps"
        assert longer.takes(when) or not own.takes(when)


def test_whoever_has_no_due_time_is_never_late_and_never_too_late() -> None:
    assert Deadline(due=DUE, closes=DUE + DAY).moved(None) == Deadline()
    assert Deadline().moved(DUE) == Deadline(due=DUE)


@given(st.lists(points), st.sampled_from(Attempts))
def test_one_attempt_counts_the_last_or_the_best(scores: list[Decimal], rule: Attempts) -> None:
    numbered = list(enumerate(scores))
    found = counting(numbered, lambda one: one[1], rule)
    if not scores:
        assert found is None
    elif rule is Attempts.LAST:
        assert found == numbered[-1]
    else:
        assert found == (scores.index(max(scores)), max(scores))


@given(st.lists(st.none() | st.fractions(0, 1)), st.integers(0, 4))
def test_the_lowest_are_dropped_and_never_all(shares: list[Fraction | None], count: int) -> None:
    found = dropped(shares, count)
    there = [share for share in shares if share is not None]
    assert len(found) == min(count, max(0, len(there) - 1)) and None not in [
        shares[place] for place in found
    ]  # fmt: skip
    kept = [share for place, share in enumerate(shares) if place not in found and share is not None]
    assert not found or max(shares[place] or 0 for place in found) <= min(kept)
    if kept and found:
        assert sum(kept) / len(kept) >= sum(there) / len(there)

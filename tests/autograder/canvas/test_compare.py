"""Only what is ours to change changes; whatever a person decided is named and stays."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pusher import grade, wanted

from autograder.canvas.comment import Said
from autograder.canvas.compare import Base, Fate, Row, Wanted, compare, counts
from autograder.canvas.remote import Column, Comment, Criterion, Entry, Remote
from autograder.model import UNSEALED, Standing

POINTS = st.sampled_from([Decimal(text) for text in ("0", "2.5", "8", "8.01", "10")])
NOBODY = st.none()


def remote(*entries: Entry, **column: Any) -> Remote:
    known = {"101": True, "102": True, "103": True, "104": False}
    settings = Column(id=11, title="CNNs", possible=Decimal(10), **column)
    return Remote(column=settings, entries={one.user: one for one in entries}, enrolled=known,
                  me="7")  # fmt: skip


def only(rows: list[Row]) -> Row:
    assert len(rows) == 1
    return rows[0]


def one(entry: Entry | None, ours: str = "8", base: str | None = None, **more: Any) -> Row:
    bases = {"101": Base(points=Decimal(base))} if base is not None else {}
    column = more.pop("column", {})
    overrule = more.pop("overrule", ())
    unsealed = more.pop("unsealed", False)
    return only(compare(
        [Wanted(grade=grade(101, ours, **more))], bases,
        remote(*[entry] if entry else [], **column), ours=overrule, unsealed=unsealed,
    ))  # fmt: skip


def has(points: str | None = None, **more: Any) -> Entry:
    entered = None if points is None else Decimal(points)
    return Entry(**{"user": "101", "attempt": 1, "entered": entered, "score": entered, **more})


@pytest.mark.parametrize(
    ("theirs", "base", "fate"),
    [(None, None, "new"), ("8", None, "as it is"), ("8.00", "6", "as it is"), ("6", "6", "change"),
     ("7", None, "CONFLICT"), ("7", "6", "CONFLICT"), (None, "6", "CONFLICT")],
)  # fmt: skip
def test_the_three_way_comparison(theirs: str | None, base: str | None, fate: str) -> None:
    assert one(has(theirs), base=base).fate == fate


def test_points_are_compared_to_hundredths() -> None:
    assert one(has("8"), ours="8.004").fate is Fate.SAME
    assert one(has("8"), ours="8.01", base="8").fate is Fate.CHANGE


def test_a_conflict_is_overwritten_only_for_whom_it_is_said() -> None:
    assert one(has("7"), overrule={"101"}).fate is Fate.CHANGE
    assert one(has("7"), overrule={"102"}).fate is Fate.CONFLICT


GRADER: dict[str, Any] = {"status": Standing.GRADER_ERROR}
LEFT: list[tuple[Entry | None, dict[str, Any], str]] = [
    (has(excused=True), {}, "is excused"),
    (has(attempt=2), {}, "handed in again"),
    (has(attempt=1), {"attempt": 2}, "pull again"),
    (has(closed=True), {}, "grading period is closed"),
    (has(), {"column": {"unreleased": True}}, "moderated"),
    (has(), {"column": {"anonymous": True}}, "anonymous"),
    (has(), {"problem": "It is late, and how late is not known."}, "how late is not known"),
    (has(), {"status": Standing.UNREADABLE}, "no notebook could be read"),
    (has(), GRADER, "the grader failed"),
    (has(), {"isolation": UNSEALED}, "graded without isolation"),
    (None, {}, "is not assigned"),
]


@pytest.mark.parametrize(("entry", "more", "why"), LEFT)
def test_who_is_left_alone_is_named_with_the_reason(
    entry: Entry | None, more: dict[str, Any], why: str
) -> None:
    row = one(entry, **more)
    assert row.fate is Fate.LEFT and why in row.why and not row.sends


def test_who_left_or_never_was_there_is_told_apart() -> None:
    rows = compare([Wanted(grade=grade(104, 8)), Wanted(grade=grade(105, 8))], {}, remote())
    assert [row.why for row in rows] == ["has left the course (concluded)", "is not in this course"]


def test_the_best_attempt_is_sent_if_all_were_graded() -> None:
    assert one(has(attempt=3), attempt=1, newest=3).fate is Fate.NEW
    assert one(has(attempt=4), attempt=1, newest=3).fate is Fate.LEFT


def test_unsealed_grades_are_sent_when_that_is_confirmed() -> None:
    assert one(has(), isolation=UNSEALED, unsealed=True).fate is Fate.NEW


def test_what_is_there_already_needs_no_open_period() -> None:
    assert one(has("8", closed=True)).fate is Fate.SAME


def test_a_job_that_has_not_ended_is_waited_for() -> None:
    orders = [Wanted(grade=grade(101, 8))]
    assert only(compare(orders, {}, remote(has()), waiting={"101": 5})).fate is Fate.LEFT
    assert only(compare(orders, {}, remote(has("8")), waiting={"101": 5})).fate is Fate.SAME


RUBRIC = {"criteria": [
    Criterion(id="a", description="Q1 Convolution", points=Decimal(5)),
    Criterion(id="b", description="q2: pooling", points=Decimal(5)),
    Criterion(id="c", description="q10, written", points=Decimal(5)),
]}  # fmt: skip
FILLED = {"a": {"points": 4.0}, "b": {"points": 4.0}, "c": {"points": 3.0, "comments": "well"}}


def test_lines_of_the_rubric_go_to_the_question_they_begin_with() -> None:
    assert one(has(), column=RUBRIC).rubric == {"a": Decimal(4), "b": Decimal(4)}
    assert one(has("8", rubric=FILLED), column=RUBRIC).rubric == {}
    assert one(has(), column={**RUBRIC, "rubric_decides": True}).rubric == {}


def test_a_rubric_that_a_person_filled_stays_and_the_points_go() -> None:
    by_hand = {"a": {"points": 1.0}}
    row = one(has("6", rubric=by_hand), base="6", column=RUBRIC)
    assert row.fate is Fate.CHANGE and row.rubric == {} and "rubric" in row.why


def test_our_own_lines_of_the_rubric_change_with_the_points() -> None:
    base = {"101": Base(points=Decimal(6), rubric={"a": Decimal(3), "b": Decimal(3)})}
    there = {"a": {"points": 3.0}, "b": {"points": 3.0}, "c": {"points": 1.0}}
    rows = compare([Wanted(grade=grade(101, 8))], base, remote(has("6", rubric=there), **RUBRIC))
    assert only(rows).rubric == {"a": Decimal(4), "b": Decimal(4)}


# Groups that are graded together.


def group(first: str | None, second: str | None, **more: Any) -> Remote:
    return remote(has(first, group=1), has(second, user="102", group=1, **more), together=True)


def test_a_group_whose_members_agree_is_graded() -> None:
    rows = compare([wanted(101, 8), wanted(102, 8)], {}, group(None, None))
    assert [row.fate for row in rows] == [Fate.NEW, Fate.NEW]


def test_grades_that_differ_inside_a_group_are_a_conflict() -> None:
    rows = compare([wanted(101, 8), wanted(102, 9)], {}, group(None, None))
    assert {row.fate for row in rows} == {Fate.CONFLICT}
    assert "8.00, 9.00" in rows[0].why and not any(row.sends for row in rows)


@pytest.mark.parametrize("graded", [[101], [101, 102]])
def test_what_a_person_decided_for_one_member_stops_the_group(graded: list[int]) -> None:
    orders = [wanted(user, 8) for user in graded]
    rows = compare(orders, {}, group(None, "3"))
    assert {row.fate for row in rows} == {Fate.CONFLICT}
    assert "of 102" in rows[0].why
    assert compare(orders, {}, group(None, "3"), ours={"102"})[0].fate is Fate.NEW


def test_a_member_who_is_left_alone_stops_the_group_and_an_excused_one_does_not() -> None:
    orders = [wanted(101, 8), wanted(102, 8)]
    rows = compare(orders, {}, group(None, None, attempt=2))
    assert [row.fate for row in rows] == [Fate.LEFT, Fate.LEFT]
    rows = compare(orders, {}, group(None, None, excused=True))
    assert [row.fate for row in rows] == [Fate.NEW, Fate.LEFT]


# Whatever is there.


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Wanted], dict[str, Base], Remote]:
    orders, bases, entries = [], {}, []
    together = draw(st.booleans())
    for user in draw(st.sets(st.integers(101, 103), min_size=1)):
        points = draw(POINTS)
        orders.append(wanted(user, str(points), draw(st.sampled_from(["", "a", "b"]))))
        base = draw(POINTS | NOBODY)
        if base is not None:
            bases[str(user)] = Base(points=base)
        text = draw(st.sampled_from([None, "a person's", wanted(user, 1, "a").said.text]))
        comments = [Comment(id=1, author=7, text=text)] if text else []
        entries.append(Entry(
            user=str(user), attempt=draw(st.sampled_from([None, 1, 1, 1, 2])),
            entered=draw(POINTS | NOBODY), excused=draw(st.sampled_from([False] * 4 + [True])),
            closed=draw(st.sampled_from([False] * 4 + [True])), comments=comments,
            group=draw(st.sampled_from([None, 1])),
        ))  # fmt: skip
    return orders, bases, remote(*entries, together=together)


def sent(rows: list[Row], now: Remote) -> tuple[dict[str, Base], Remote]:
    """What is in the journal and in Canvas after sending what is computed."""
    bases, entries = {}, dict(now.entries)
    for row in rows:
        if row.sends_points:
            for one in now.members(row.user):
                if not one.excused:
                    here = msgspec.structs.replace(entries[one.user], entered=row.ours)
                    entries[one.user] = here
                    bases[one.user] = Base(points=row.ours)
        if row.deed.make:
            made = Comment(id=9, author=7, text=row.wanted.said.text)
            kept = [one for one in entries[row.user].comments if one.id not in row.deed.delete]
            entries[row.user] = msgspec.structs.replace(entries[row.user], comments=[*kept, made])
        if row.deed.edit is not None:
            text = row.wanted.said.text
            edited = [msgspec.structs.replace(one, text=text) if one.id == row.deed.edit else one
                      for one in entries[row.user].comments]  # fmt: skip
            entries[row.user] = msgspec.structs.replace(entries[row.user], comments=edited)
    return bases, msgspec.structs.replace(now, entries=entries)


@given(situations())
def test_what_a_person_decided_is_never_sent_over(
    situation: tuple[list[Wanted], dict[str, Base], Remote],
) -> None:
    orders, bases, now = situation
    rows = compare(orders, bases, now)
    _, after = sent(rows, now)
    for user, entry in now.entries.items():
        base = bases.get(user, Base()).points
        if after.entries[user].entered != entry.entered:
            assert entry.entered == base and not entry.excused
    assert not any(row.sends for row in rows if row.stuck)


@given(situations())
def test_after_sending_everything_is_as_it_is_or_left(
    situation: tuple[list[Wanted], dict[str, Base], Remote],
) -> None:
    orders, bases, now = situation
    rows = compare(orders, bases, now)
    more, after = sent(rows, now)
    again = compare(orders, bases | more, after)
    assert not any(row.sends for row in again)
    for before, row in zip(rows, again, strict=True):
        if before.sends_points:
            assert row.fate is Fate.SAME


def test_counts_name_every_fate() -> None:
    rows = [one(has()), one(has()), one(has("7")), one(has("8"))]
    assert counts(rows) == "2 new, 1 as it is, 1 CONFLICT" and counts([]) == "nothing"


def test_no_comment_is_touched_where_no_grade_is() -> None:
    order = Wanted(grade=grade(101, 8), said=Said(text="new\n\n[autograder 00000000]"))
    assert only(compare([order], {}, remote(has("7")))).deed.nothing

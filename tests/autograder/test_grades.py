"""From attempts and their times to what counts: never a guess, never more than was earned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from autograder.course import Course, Deducts, parse
from autograder.errors import CourseError
from autograder.grades import Grade, Rules, chosen, grades, part, rules
from autograder.model import Standing, Verdict
from autograder.policy import Attempts, Deadline, LateRule, Of, cents
from autograder.pulled import Attempt, Pull

DUE = datetime(2027, 2, 28, 22, 59, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TEN = LateRule(share=Decimal("0.1"))
OURS = Rules(deadline=Deadline(due=DUE), late=TEN, by=Deducts.AUTOGRADER)
CANVAS = Rules(deadline=Deadline(due=DUE), by=Deducts.CANVAS)
COURSE = """
title = "T"
term = "S"
licence = "MIT"
[canvas]
address = "https://canvas.example.edu"
course = 9
[policies]
attempts = "best"
[policies.late]
by = "autograder"
per_day = 0.1
[[assignment]]
name = "hw"
kind = "homework"
points = 40
weight = 0.5
release = 2027-02-01T09:00:00Z
due = 2027-02-28T22:59:00Z
closes = 2027-03-07T22:59:00Z
canvas = 11
[[assignment]]
name = "project"
kind = "project"
points = 30
weight = 0.5
release = 2027-02-01T09:00:00Z
due = 2027-04-01T00:00:00Z
[[assignment.milestone]]
question = "p0"
written = ["p0_text"]
title = "Plan"
points = 10
due = 2027-03-01T00:00:00Z
canvas = 13
[[assignment.milestone]]
question = "p1"
title = "Report"
points = 20
due = 2027-04-01T00:00:00Z
"""


def verdict(score: float = 34, after: timedelta | None = -DAY, **more: Any) -> Verdict:
    """Of work handed in so long after the due time."""
    facts: dict[str, Any] = {
        "student": "101", "name": "Lovelace, Ada", "assignment": "hw", "possible": 40.0,
        "status": Standing.GRADED, "isolation": "A", "seconds": 1.0, "questions": {},
        "submitted": None if after is None else DUE + after,
    }  # fmt: skip
    return Verdict(score=score, **(facts | more))


def attempt(number: int = 1, after: timedelta = -DAY, user: str = "101", **more: Any) -> Attempt:
    facts: dict[str, Any] = {"late": after > timedelta(), "kind": "online_upload"}
    return Attempt(user=user, number=number, submitted=DUE + after, **(facts | more))


def pull(*attempts: Attempt, **more: Any) -> Pull:
    facts: dict[str, Any] = {
        "address": "https://canvas.example.edu", "course": 9, "assignment": 11, "title": "HW",
        "name": "hw", "points": 40.0, "due": DUE, "pulled": DUE,
    }  # fmt: skip
    return Pull(attempts=list(attempts), **(facts | more))


def course(text: str = COURSE) -> Course:
    return parse(text)


def one(*verdicts: Verdict, by: Rules = OURS) -> Grade:
    (found,) = grades(verdicts, by)
    return found


@pytest.mark.parametrize(
    ("after", "by", "points", "says"),
    [
        (-DAY, OURS, "34", "34/40"),
        (DAY, OURS, "30", "34/40, 1 day late: −10 % of 40 → 30"),
        (DAY, CANVAS, "34", "34/40, 1 day late; Canvas takes off what that costs"),
        (-DAY, CANVAS, "34", "34/40"),
        (HOUR, Rules(deadline=Deadline(due=DUE)), "34", "34/40, 1 hour late"),
        (DAY, Rules(), "34", "34/40"),
    ],
)
def test_points_come_with_the_sum_that_leads_to_them(
    after: timedelta, by: Rules, points: str, says: str
) -> None:
    found = one(verdict(34, after), by=by)
    assert (found.points, found.arithmetic, found.problem) == (Decimal(points), says, "")


def test_who_is_late_by_an_unknown_time_has_no_grade_where_that_matters() -> None:
    late = verdict(after=None, late=True)
    found = one(late)
    assert found.problem.startswith("It is late, and how late is not known")
    assert (found.points, found.arithmetic, found.late) == (0, "", None)
    assert one(late, by=CANVAS).arithmetic == "34/40, late; Canvas takes off what that costs"
    closing = replace(CANVAS, deadline=Deadline(due=DUE, closes=DUE + DAY))
    assert one(late, by=closing).problem.startswith("It is late")
    assert one(verdict(after=None), by=closing).points == 34, "who is in time came before that"


@pytest.mark.parametrize("which", Attempts)
@pytest.mark.parametrize("status", [Standing.UNREADABLE, Standing.GRADER_ERROR])
def test_what_is_not_graded_never_becomes_a_grade(status: Standing, which: Attempts) -> None:
    found = one(verdict(0, status=status), by=replace(OURS, attempts=which))
    assert found.problem and found.points == 0 and found.arithmetic == ""


def test_the_last_attempt_counts_or_the_best_after_deductions() -> None:
    first, second, third = (
        verdict(34, -DAY), verdict(36, DAY, attempt=2), verdict(37, 3 * DAY, attempt=3)
    )  # fmt: skip
    found = one(third, first, second)
    assert (found.verdict.attempt, found.points, found.attempts) == (3, 25, 3)
    found = one(third, first, second, by=replace(OURS, attempts=Attempts.BEST))
    assert (found.verdict.attempt, found.points) == (1, 34)
    raw = replace(CANVAS, attempts=Attempts.BEST)
    assert one(third, first, second, by=raw).verdict.attempt == 3


def test_the_last_attempt_counts_even_if_it_cannot_be_read() -> None:
    found = one(verdict(34), verdict(0, HOUR, attempt=2, status=Standing.UNREADABLE))
    assert found.problem == "It could not be read: look at what was handed in."


def test_a_failure_of_ours_leaves_the_best_open_unless_it_cannot_be_better() -> None:
    best = replace(OURS, attempts=Attempts.BEST)
    failed = verdict(0, DAY, attempt=2, status=Standing.GRADER_ERROR)
    found = one(verdict(34), failed, by=best)
    assert found.problem.startswith("Attempt 2 may be the best, but it could not be graded")
    for enough in (36, 40):  # a day late, the other can have 36 of 40 at most
        assert one(verdict(enough), failed, by=best).points == enough
    unreadable = replace(failed, status=Standing.UNREADABLE)
    assert one(verdict(34), unreadable, by=best).points == 34


def test_what_comes_after_work_closed_does_not_count() -> None:
    by = replace(OURS, deadline=Deadline(due=DUE, closes=DUE + DAY))
    late = verdict(40, 2 * DAY, attempt=2)
    found = one(verdict(20), late, by=by)
    assert (found.verdict.attempt, found.points, found.problem) == (1, 20, "")
    assert one(late, by=by).problem == "It was handed in after work closed: nothing counts."
    own = replace(by, dues={"101": DUE + DAY})
    assert one(late, by=own).points == 36, "an extension moves the close along"


def test_due_times_of_ones_own_replace_the_general_one() -> None:
    late = verdict(34, DAY)
    assert one(late, by=replace(OURS, dues={"101": DUE + DAY})).points == 34
    assert one(late, by=replace(OURS, dues={"101": DUE - DAY})).points == 26
    assert one(late, by=replace(OURS, dues={"101": None})).arithmetic == "34/40"
    assert one(late, by=replace(OURS, dues={"102": None})).points == 30


def test_marks_that_people_set_in_canvas_are_heeded() -> None:
    course_ = course(COURSE.replace("closes = 2027-03-07T22:59:00Z\n", ""))
    waived = rules(course_, "hw", pull(attempt(1, DAY, late=False)))
    assert one(verdict(34, DAY), by=waived).points == 34
    marked = rules(course_, "hw", pull(attempt(1, -DAY, late=True)))
    assert one(verdict(34, -DAY), by=marked).problem.startswith("Canvas marks it late by hand")
    without = rules(course_, "hw", pull(attempt(1, DAY, late=False), due=None))
    assert one(verdict(34, DAY), by=without).points == 30, "Canvas has no due time to say it by"
    fresh = rules(course_, "hw", pull(attempt(1, DAY, late=False), dues={"101": DUE + DAY}))
    assert one(verdict(34, DAY, late=True), by=fresh).points == 34, "what was said before is stale"


def test_an_attempt_that_would_count_and_is_not_graded_is_a_problem() -> None:
    by = rules(course(), "hw", pull(attempt(1), attempt(2, HOUR), attempt(3, 9 * DAY)))
    found = one(verdict(34), by=by)
    assert found.newest == 3
    assert found.problem.startswith("Attempt 3 was handed in, and is not graded")
    last = replace(by, attempts=Attempts.LAST)
    assert one(verdict(34), by=last).problem.startswith("Attempt 2 was handed in")
    assert one(verdict(34), verdict(20, HOUR, attempt=2), by=last).points == 16
    zipped = one(verdict(34, None), by=last)
    assert zipped.points == 34, "of an archive nobody knows which attempt it holds"


def test_canvas_may_not_take_off_for_another_attempt_than_the_one_that_counts() -> None:
    theirs = course(COURSE.replace('"autograder"', '"canvas"'))
    both = verdict(34), verdict(20, DAY, attempt=2)
    late = rules(theirs, "hw", pull(attempt(1), attempt(2, DAY)))
    found = one(*both, by=late)
    assert found.problem.startswith("Canvas takes points off for attempt 2, which is late, and att")
    assert one(*both, by=replace(late, attempts=Attempts.LAST)).points == 20
    in_time = rules(theirs, "hw", pull(attempt(1), attempt(2, DAY, late=False)))
    assert one(*both, by=in_time).points == 34
    ours = rules(course(), "hw", pull(attempt(1), attempt(2, DAY)))
    assert one(*both, by=ours).points == 34


def test_of_a_team_the_last_attempt_by_time_counts_whosever_it_was() -> None:
    team = {"team": "Blue (Ada; Bob)"}
    first, second = verdict(34, -2 * DAY, attempt=7, **team), verdict(20, attempt=1, **team)
    assert one(second, first).points == 20
    own = rules(course(), "hw", pull(attempt(7, -2 * DAY)))
    last = replace(own, attempts=Attempts.LAST)
    assert one(second, by=last).problem == "", "the other member's attempt is later"
    assert one(second, by=own).problem.startswith("Attempt 7 was handed in")
    newer = rules(course(), "hw", pull(attempt(7, -2 * DAY), attempt(8, HOUR)))
    found = one(second, by=replace(newer, attempts=Attempts.LAST))
    assert found.problem.startswith("Attempt 8 was handed in")


def test_attempts_are_chosen_that_may_count() -> None:
    attempts = [attempt(1), attempt(2, HOUR), attempt(3, 9 * DAY)]
    by = Rules(deadline=Deadline(due=DUE, closes=DUE + DAY))
    assert [found.number for found in chosen(attempts, by)] == [2]
    assert [found.number for found in chosen(attempts[2:], by)] == [3], "for staff to see"
    assert chosen(attempts, replace(by, attempts=Attempts.BEST)) == attempts
    assert chosen([], by) == []


def test_rules_are_those_of_the_course_and_of_canvas() -> None:
    found = rules(course(), "hw")
    assert found.deadline == Deadline(due=DUE, closes=DUE + 7 * DAY) and found.late == TEN
    assert found.by is Deducts.AUTOGRADER and found.attempts is Attempts.BEST
    theirs = rules(course(COURSE.replace('"autograder"', '"canvas"')), "hw")
    assert theirs.late is None and theirs.by is Deducts.CANVAS
    moved = rules(course(), "hw", pull(due=DUE + DAY, dues={"101": None}))
    assert moved.deadline == Deadline(due=DUE + DAY, closes=DUE + 8 * DAY)
    assert moved.dues == {"101": None} and moved.canvas
    assert "hw is due Mon 01 Mar 2027, 22:59 (UTC) in Canvas, which counts" in moved.remarks[0]
    assert not rules(course(), "hw", pull(due=None)).canvas
    assert rules(None, "hw") == Rules()


def test_a_milestone_has_a_deadline_of_its_own() -> None:
    found = rules(course(), "project", milestone="p0")
    assert found.deadline.due == datetime(2027, 3, 1, tzinfo=UTC)
    plan = course().named("project")
    assert part(plan, ["p0"]) == "p0" and part(plan, ["p1"]) == "p1"
    assert part(plan, ["p0", "p1"]) is None and part(plan, []) is None
    assert part(plan, ["p0", "p1"], pull(assignment=13)) == "p0"


@pytest.mark.parametrize(
    ("milestone", "changed", "says"),
    [
        (None, {"name": "other"}, "is of the assignment other, not of hw"),
        (None, {"course": 8}, "is of the Canvas course 8, not of 9"),
        (None, {"assignment": 12}, "is of the Canvas assignment 12, not of 11"),
        ("p0", {"name": "project"}, "is of the Canvas assignment 11, not of 13"),
        ("p9", {"name": "project"}, "assignment project: no milestone 'p9'; it has p0, p1."),
    ],
)
def test_what_was_fetched_of_something_else_is_refused(
    milestone: str | None, changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(CourseError) as raised:
        rules(course(), "project" if milestone else "hw", pull(**changed), milestone)
    assert says in str(raised.value)


# Properties

EXAMPLES = settings(deadline=None)

scores = st.integers(0, 160).map(lambda quarter: quarter / 4)
spans = st.timedeltas(-3 * DAY, 9 * DAY)
shares = st.decimals(0, 1, places=2)
late_rules = st.builds(
    LateRule, share=shares, interval=st.sampled_from([DAY, HOUR]), of=st.sampled_from(Of),
    grace=st.timedeltas(timedelta(), DAY), floor=shares,
)  # fmt: skip
tries = st.lists(
    st.tuples(scores, spans, st.sampled_from(Standing)), min_size=1, max_size=4,
    unique_by=lambda found: found[1],
)  # fmt: skip
rulings = st.builds(
    lambda late, attempts, closes: Rules(
        deadline=Deadline(due=DUE, closes=None if closes is None else DUE + closes),
        late=late, by=Deducts.AUTOGRADER if late else Deducts.CANVAS, attempts=attempts,
    ),
    st.none() | late_rules, st.sampled_from(Attempts), st.none() | st.timedeltas(timedelta(), DAY),
)  # fmt: skip


def verdicts(found: list[tuple[float, timedelta, Standing]]) -> list[Verdict]:
    ordered = sorted(found, key=lambda each: each[1])
    return [
        verdict(score if status is Standing.GRADED else 0, after, status=status, attempt=number)
        for number, (score, after, status) in enumerate(ordered, 1)
    ]


@EXAMPLES
@given(tries, rulings)
def test_nobody_gets_more_than_was_earned_or_less_than_the_floor(found: Any, by: Rules) -> None:
    grade = one(*verdicts(found), by=by)
    earned = cents(Decimal(str(grade.verdict.score)))
    assert 0 <= grade.points <= earned
    if not grade.problem:
        assert grade.verdict.status is Standing.GRADED
        floor = min(earned, by.late.floor * 40) if by.late else earned
        assert grade.points >= floor - Decimal("0.005")
        assert grade.arithmetic.startswith(f"{earned.normalize():f}/40")


@EXAMPLES
@given(tries, rulings, st.randoms())
def test_the_order_in_which_attempts_come_is_irrelevant(found: Any, by: Rules, random: Any) -> None:
    own = verdicts(found)
    shuffled = list(own)
    random.shuffle(shuffled)
    assert one(*shuffled, by=by) == one(*own, by=by)


@EXAMPLES
@given(tries, rulings, st.timedeltas(timedelta(), 9 * DAY), st.none() | st.just(DAY))
def test_an_extension_lowers_no_grade(
    found: Any, by: Rules, first: timedelta, more: timedelta | None
) -> None:
    """Unless a later attempt comes to be taken by it, which then is the last."""
    by = replace(by, attempts=Attempts.BEST) if by.deadline.closes else by
    before = one(*verdicts(found), by=replace(by, dues={"101": DUE + first}))
    due = None if more is None else DUE + first + more
    after = one(*verdicts(found), by=replace(by, dues={"101": due}))
    if not before.problem and not after.problem:
        assert after.points >= before.points


@EXAMPLES
@given(tries, rulings)
def test_the_best_is_worth_no_less_than_any_other(found: Any, by: Rules) -> None:
    best = replace(by, attempts=Attempts.BEST)
    grade = one(*verdicts(found), by=best)
    alone = [one(each, by=best) for each in verdicts(found)]
    if not grade.problem:
        assert grade.points == max(each.points for each in alone if not each.problem)


@EXAMPLES
@given(tries, rulings)
def test_what_others_did_is_irrelevant(found: Any, by: Rules) -> None:
    own = verdicts(found)
    other = [replace(each, student="102", score=40.0) for each in own]
    together = grades([*other, *own], by)
    assert [grade.student for grade in together] == ["102", "101"]
    assert together[1] == one(*own, by=by)

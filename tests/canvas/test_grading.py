"""What Canvas does when a grade arrives: lateness, excuses, groups, posting."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakecanvas import Canvas
from fakecanvas.grading import GradeError, due_at, points_deducted
from fakecanvas.model import Course, GradingPeriod, Group, LatePolicy, Override, Submission

TEN_PERCENT = LatePolicy(
    late_submission_deduction_enabled=True, late_submission_deduction=10.0,
    late_submission_minimum_percent_enabled=True, late_submission_minimum_percent=30.0,
)  # fmt: skip


def graded(canvas: Canvas, course: Course, value: object, user: int = 101) -> Submission:
    return canvas.grade_by_hand(course, course.assignments[0], canvas.users[user], value)


@pytest.mark.parametrize(
    ("score", "late", "taken"),
    [(10, 0, 0), (10, 1, 1), (10, 86_400, 1), (10, 86_401, 2), (4, 3 * 86_400, 1), (2, 86_400, 0)],
)
def test_every_interval_begun_costs_until_the_minimum(score: float, late: int, taken: int) -> None:
    assert points_deducted(TEN_PERCENT, score, 10.0, late, "points") == taken


@pytest.mark.parametrize(
    ("possible", "kind"), [(0.0, "points"), (None, "points"), (10, "pass_fail")]
)
def test_some_grades_have_no_deduction(possible: float | None, kind: str) -> None:
    assert points_deducted(TEN_PERCENT, 8, possible, 99, kind) == 0


def test_every_posted_number_is_what_was_entered(canvas: Canvas, course: Course) -> None:
    course.late_policy = TEN_PERCENT
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"a.ipynb": b""})
    one = graded(canvas, course, 10)
    assert (one.entered_score, one.points_deducted, one.score) == (10, 2, 8)
    graded(canvas, course, one.score)  # whoever sends back what they read is penalised again
    assert (one.entered_score, one.score) == (8, 6)


def test_handing_in_again_forgets_what_was_set_about_lateness(
    canvas: Canvas, course: Course
) -> None:
    course.late_policy = TEN_PERCENT
    first, user = course.assignments[0], canvas.users[101]
    one = canvas.hand_in(course, first, user, {"a.ipynb": b""})
    one.late_policy_status = "late"
    one.seconds_late_override = 60
    graded(canvas, course, 10)
    assert one.score == 9 and one.grade_matches_current_submission
    canvas.hand_in(course, first, user, {"b.ipynb": b""})
    assert one.late_policy_status is None and one.score == 8
    assert not one.grade_matches_current_submission


def test_a_grade_undoes_an_excuse_and_nothing_may_be_both(canvas: Canvas, course: Course) -> None:
    one = canvas.grade_by_hand(course, course.assignments[0], canvas.users[101], excuse=True)
    assert one.excused and one.score is None
    assert not graded(canvas, course, 5).excused
    with pytest.raises(GradeError):
        canvas.grade_by_hand(course, course.assignments[0], canvas.users[101], 5, excuse=True)


@pytest.mark.parametrize("nothing", ["", None])
def test_nothing_clears_a_grade(canvas: Canvas, course: Course, nothing: object) -> None:
    graded(canvas, course, 5)
    assert graded(canvas, course, nothing).score is None


@pytest.mark.parametrize(("said", "score"), [("85%", 8.5), ("7.5", 7.5), ("-1", -1), ("N/A", None)])
def test_what_a_posted_grade_means(
    canvas: Canvas, course: Course, said: str, score: float | None
) -> None:
    assert graded(canvas, course, said).score == score


def test_a_group_graded_together_shares_a_grade_but_for_the_excused(
    canvas: Canvas, course: Course
) -> None:
    first = course.assignments[0]
    first.group_category_id = 3
    course.groups.append(Group(9, "Team", 3, [101, 102, 103]))
    canvas.grade_by_hand(course, first, canvas.users[103], excuse=True)
    graded(canvas, course, 9)
    assert [course.submissions[11, id_].score for id_ in (101, 102, 103)] == [9, 9, None]


def test_grades_are_seen_at_once_unless_posted_by_hand(canvas: Canvas, course: Course) -> None:
    assert graded(canvas, course, 5).posted_at is not None
    course.assignments[0].post_manually = True
    assert graded(canvas, course, 5, 102).posted_at is None


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_comment_alone_shows_the_grade_too(canvas: Canvas, course: Course, by_hand: bool) -> None:
    first, user = course.assignments[0], canvas.users[101]
    first.post_manually = by_hand
    canvas.comment(course, first, user, 7, "well done")
    one = course.submissions[11, 101]
    assert (one.posted_at is None) is by_hand and one.comments[0].hidden is by_hand


def test_a_date_of_ones_own_counts_and_else_the_latest(canvas: Canvas, course: Course) -> None:
    first, user = course.assignments[0], canvas.users[101]
    section = course.sections[0].id
    later, latest = canvas.now + timedelta(1), canvas.now + timedelta(2)
    first.overrides = [Override(1, later, [101]), Override(2, latest, course_section_id=section)]
    assert due_at(course, first, user) == later
    assert due_at(course, first, canvas.users[102]) == latest
    first.overrides.append(Override(3, None, course_section_id=section))
    assert due_at(course, first, user) == later
    assert due_at(course, first, canvas.users[102]) is None


def test_nobody_is_graded_in_a_closed_period(canvas: Canvas, course: Course) -> None:
    now = canvas.now
    course.grading_periods = [
        GradingPeriod(1, "Spring", now - timedelta(9), now, now - timedelta(1))
    ]
    with pytest.raises(GradeError, match="closed grading period"):
        graded(canvas, course, 5)

"""How Canvas grades one student: lateness, excuses, groups, posting.

Restated from ``abstract_assignment.rb#grade_student``, ``submission.rb#apply_late_policy`` and
``late_policy.rb``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fakecanvas.model import (
    Assignment,
    Attachment,
    Attempt,
    Comment,
    Course,
    LatePolicy,
    Numbers,
    Override,
    Submission,
    User,
)

UNSET: Any = object()
"""A grade that is not spoken of, which is not the same as one that is taken away."""
NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+")
LETTERS = {
    "A": 100.0, "A-": 93.0, "B+": 89.0, "B": 86.0, "B-": 83.0, "C+": 79.0, "C": 76.0, "C-": 73.0,
    "D+": 69.0, "D": 66.0, "D-": 63.0, "F": 60.0,
}  # fmt: skip
"""Canvas' default scheme: letter → percent that it stands for."""
SECONDS = {"hour": 3600, "day": 86400}


class GradeError(Exception):
    """Canvas will not grade this now."""


@dataclass
class Grading:
    """What one request says of one student's submission."""

    posted_grade: Any = UNSET
    excuse: Any = UNSET
    late_policy_status: Any = UNSET
    seconds_late_override: Any = UNSET
    rubric_assessment: dict[str, dict[str, Any]] = field(default_factory=dict)


def effective_overrides(course: Course, assignment: Assignment, user: User) -> list[Override]:
    """The overrides that a student is in."""
    sections = {one.section.id for one in course.enrolled(user.id) if one.state != "completed"}
    group = course.group_of(assignment, user.id)
    return [
        one for one in assignment.overrides
        if user.id in one.student_ids or one.course_section_id in sections
        or (group is not None and one.group_id == group.id)
    ]  # fmt: skip


def due_at(course: Course, assignment: Assignment, user: User) -> datetime | None:
    """When it is due for a student: by their own override, or the latest that applies."""
    overrides = effective_overrides(course, assignment, user)
    if not overrides:
        return assignment.due_at
    own = [one for one in overrides if user.id in one.student_ids]
    dates = [one.due_at for one in own or overrides]
    return None if None in dates else max(date for date in dates if date is not None)


def assigned(course: Course, assignment: Assignment, user: User) -> bool:
    """Whether a student has to do it at all."""
    return not assignment.only_visible_to_overrides or bool(
        effective_overrides(course, assignment, user)
    )


def closed(course: Course, assignment: Assignment, user: User, now: datetime) -> bool:
    """Whether the grading period that it is in for a student is closed."""
    periods = course.grading_periods
    if not periods:
        return False
    due = due_at(course, assignment, user)
    last = max(periods, key=lambda period: period.end_date)
    period = next((one for one in periods if one.holds(due)), last if due is None else None)
    return period is not None and now > period.close_date


def seconds_late(course: Course, submission: Submission) -> int:
    """How late a submission counts as, seconds; 0 if it does not."""
    if submission.late_policy_status == "late":
        return submission.seconds_late_override or 0
    if submission.late_policy_status is not None or submission.attempt is None:
        return 0
    due = due_at(course, submission.assignment, submission.user)
    if due is None:
        return 0
    return max(0, int((submission.attempt.submitted_at - due).total_seconds()))


def is_missing(course: Course, submission: Submission, now: datetime) -> bool:
    """Whether Canvas counts it as missing."""
    if submission.late_policy_status is not None:
        return submission.late_policy_status == "missing"
    due = due_at(course, submission.assignment, submission.user)
    due_online = submission.assignment.submission_types not in (["none"], ["on_paper"])
    return submission.attempt is None and due_online and due is not None and now > due


def points_deducted(
    policy: LatePolicy, score: float | None, possible: float | None, late: int, grading_type: str
) -> float:
    """What the late policy takes off a score, points."""
    enabled = policy.late_submission_deduction_enabled and grading_type != "pass_fail"
    if not enabled or score is None or not possible or possible <= 0 or late <= 0:
        return 0.0
    intervals = math.ceil(late / SECONDS[policy.late_submission_interval])
    least = (
        policy.late_submission_minimum_percent
        if policy.late_submission_minimum_percent_enabled else 0.0
    )  # fmt: skip
    headroom = max(100.0 * score / possible - least, 0.0)
    percent = min(policy.late_submission_deduction * intervals, headroom)
    return round(possible * percent / 100.0, 2)


def apply_late_policy(course: Course, submission: Submission) -> None:
    """Work out the score from what was entered."""
    assignment = submission.assignment
    late = seconds_late(course, submission)
    taken = points_deducted(
        course.late_policy, submission.entered_score, assignment.points_possible, late,
        assignment.grading_type,
    )  # fmt: skip
    submission.points_deducted = taken if late and submission.entered_score is not None else None
    if submission.entered_score is None:
        submission.score = None
    else:
        submission.score = round(submission.entered_score - taken, 10)
    submission.grade = shown_grade(assignment, submission.score, submission.entered_grade)


def interpret(assignment: Assignment, grade: Any) -> float | None:
    """The score that a posted grade means, or None if it means none."""
    text = str(grade).strip()
    possible = assignment.points_possible or 0.0
    if text.endswith("%") and NUMBER.fullmatch(text[:-1]):
        return float(text[:-1]) * possible / 100
    if assignment.grading_type == "pass_fail" and text in {"pass", "complete"}:
        return possible
    if assignment.grading_type == "pass_fail" and text in {"fail", "incomplete"}:
        return 0.0
    if NUMBER.fullmatch(text):
        return float(text)
    if assignment.grading_type in {"letter_grade", "gpa_scale"} and text.upper() in LETTERS:
        return LETTERS[text.upper()] * possible / 100
    return None


def shown_grade(assignment: Assignment, score: float | None, entered: str | None) -> str | None:
    """The grade as Canvas shows it."""
    if score is None:
        return None
    kind, possible = assignment.grading_type, assignment.points_possible or 0.0
    if kind == "pass_fail":
        return "complete" if score > 0 or entered in {"pass", "complete"} else "incomplete"
    percent = 100 * score / possible if possible else 0.0
    if kind == "percent":
        return f"{percent:g}%"
    if kind in {"letter_grade", "gpa_scale"}:
        return next((letter for letter, least in LETTERS.items() if percent >= least), "F")
    return f"{score:g}"


def check_gradable(
    course: Course, assignment: Assignment, user: User, grader_id: int, now: datetime
) -> None:
    """See that somebody may be graded now.

    Raises:
        GradeError: if not.
    """
    if not assigned(course, assignment, user):
        raise GradeError("Student is not assigned to this assignment")
    if closed(course, assignment, user, now):
        raise GradeError("The assignment is in a closed grading period for this student")
    final = assignment.final_grader_id
    if assignment.moderated_grading and not assignment.grades_published and final != grader_id:
        raise GradeError("The provisional grades have not been published")


def graded_together(course: Course, assignment: Assignment, user: User) -> list[User]:
    """Everybody who gets the grade that is given to one."""
    group = course.group_of(assignment, user.id)
    if group is None or not assignment.grades_groups_together:
        return [user]
    return [one for one in course.students() if one.id in group.user_ids]


def grade(
    course: Course, submission: Submission, grading: Grading, grader_id: int, now: datetime,
    unless_unchanged: bool = False,
) -> bool:  # fmt: skip
    """Grade one submission; whether anything was written.

    Args:
        course: Where.
        submission: Which.
        grading: What is said of it.
        grader_id: By whom.
        now: When.
        unless_unchanged: Write nothing if the number that comes in is the score that stands,
            after its deduction, as bulk updates do.

    Raises:
        GradeError: if a grade and an excuse are given together.
    """
    posted, excuse = grading.posted_grade, grading.excuse
    if truthy(excuse) and posted is not UNSET and posted not in (None, ""):
        raise GradeError("Cannot simultaneously grade and excuse an assignment")
    lateness = _set_lateness(submission, grading)
    if grading.rubric_assessment:
        submission.rubric_assessment = grading.rubric_assessment
    if posted is UNSET and excuse is UNSET:
        if lateness:
            apply_late_policy(course, submission)
        return lateness or bool(grading.rubric_assessment)
    if truthy(excuse):
        _enter(submission, None, None)
        submission.excused = True
    elif posted is not UNSET:
        score = interpret(submission.assignment, posted) if posted not in (None, "") else None
        if unless_unchanged and score is not None and score == submission.score:
            return False
        _enter(submission, score, None if posted in (None, "") else str(posted))
        submission.excused = submission.excused and score is None
    else:
        submission.excused = False
    apply_late_policy(course, submission)
    _stamp(submission, grader_id, now)
    return True


def _set_lateness(submission: Submission, grading: Grading) -> bool:
    before = submission.late_policy_status, submission.seconds_late_override
    if grading.late_policy_status is not UNSET:
        status = grading.late_policy_status or None
        submission.late_policy_status = None if status == "none" else status
        if status != "late":
            submission.seconds_late_override = None
    if grading.seconds_late_override is not UNSET and submission.late_policy_status == "late":
        submission.seconds_late_override = int(grading.seconds_late_override)
    return before != (submission.late_policy_status, submission.seconds_late_override)


def _enter(submission: Submission, score: float | None, grade_: str | None) -> None:
    submission.entered_score = score
    submission.entered_grade = grade_ if score is not None else None


def _stamp(submission: Submission, grader_id: int, now: datetime) -> None:
    submission.writes += 1
    submission.graded_at, submission.grader_id = now, grader_id
    submission.graded_attempt = submission.attempt.number if submission.attempt else None
    if submission.posted_at is None and not submission.assignment.post_manually:
        post(submission, now)


def truthy(value: Any) -> bool:
    """Whether a parameter says yes."""
    return value is not UNSET and str(value).lower() in {"true", "1", "yes", "on"}


def post(submission: Submission, now: datetime) -> None:
    """Let the student see grade and comments."""
    submission.posted_at = now
    for comment in submission.comments:
        comment.hidden = False


def hide(submission: Submission) -> None:
    """Take grade and comments out of the student's sight."""
    submission.posted_at = None
    for comment in submission.comments:
        comment.hidden = True


def add_comment(
    submission: Submission, numbers: Numbers, author_id: int, text: str, now: datetime,
    attachments: Sequence[Attachment] = (), attempt: int | None = None,
) -> Comment:  # fmt: skip
    """Comment as an instructor, which shows the grade unless that is posted by hand."""
    by_hand = submission.assignment.post_manually
    comment = Comment(
        numbers.next(), author_id, text, now, attempt=attempt, attachments=list(attachments),
        hidden=by_hand and submission.posted_at is None,
    )  # fmt: skip
    submission.comments.append(comment)
    if submission.posted_at is None and not by_hand:
        post(submission, now)
    return comment


def hand_in(course: Course, submission: Submission, attempt: Attempt) -> None:
    """Take a new attempt: what was set by hand about lateness is gone, and lateness is new."""
    submission.attempts.append(attempt)
    submission.late_policy_status = None
    submission.seconds_late_override = None
    if submission.entered_score is not None:
        apply_late_policy(course, submission)

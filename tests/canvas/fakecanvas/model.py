"""What a Canvas holds: courses, people, assignments, submissions. Plain data, no rules.

Field names are those of Canvas' own API where it has them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class User:
    """A person."""

    id: int
    name: str
    """Given name first: ``"Ada Lovelace"``."""
    sortable_name: str
    """Family name first: ``"Lovelace, Ada"``."""
    login_id: str | None = None
    sis_user_id: str | None = None
    integration_id: str | None = None
    login_active: bool = True
    """Whether the login (with its SIS id) is one that Canvas still knows."""
    root_account: str = "canvas.example.edu"


@dataclass
class Section:
    """A section of a course."""

    id: int
    name: str


@dataclass
class Enrollment:
    """A person's place in a course."""

    id: int
    user: User
    section: Section
    state: str = "active"
    """``active``, ``inactive`` or ``completed`` (concluded)."""
    type: str = "StudentEnrollment"

    @property
    def is_student(self) -> bool:
        """Whether it is one of those whom Canvas grades, its test student among them."""
        return self.type in ("StudentEnrollment", "StudentViewEnrollment")


@dataclass
class LatePolicy:
    """What Canvas takes off for lateness."""

    late_submission_deduction_enabled: bool = False
    late_submission_deduction: float = 0.0
    """Percent of the points possible for each interval begun."""
    late_submission_interval: str = "day"
    late_submission_minimum_percent_enabled: bool = False
    late_submission_minimum_percent: float = 0.0
    missing_submission_deduction_enabled: bool = False
    missing_submission_deduction: float = 0.0


@dataclass
class GradingPeriod:
    """A stretch of the term; after ``close_date`` only administrators grade in it."""

    id: int
    title: str
    start_date: datetime
    end_date: datetime
    close_date: datetime

    def holds(self, due_at: datetime | None) -> bool:
        """Whether an assignment with this due date belongs to it; without one, to the last."""
        return due_at is not None and self.start_date < due_at <= self.end_date


@dataclass
class Override:
    """Other dates for some students."""

    id: int
    due_at: datetime | None
    student_ids: list[int] = field(default_factory=list)
    course_section_id: int | None = None
    group_id: int | None = None
    title: str = ""


@dataclass
class Criterion:
    """One line of an assignment's rubric."""

    id: str
    description: str
    points: float
    ratings: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Assignment:
    """An assignment."""

    id: int
    name: str
    points_possible: float | None = 10.0
    due_at: datetime | None = None
    grading_type: str = "points"
    """``points``, ``percent``, ``pass_fail``, ``letter_grade``, ``gpa_scale`` or ``not_graded``."""
    submission_types: list[str] = field(default_factory=lambda: ["online_upload"])
    published: bool = True
    post_manually: bool = False
    anonymous_grading: bool = False
    moderated_grading: bool = False
    final_grader_id: int | None = None
    group_category_id: int | None = None
    grade_group_students_individually: bool = False
    allowed_attempts: int = -1
    only_visible_to_overrides: bool = False
    overrides: list[Override] = field(default_factory=list)
    rubric: list[Criterion] = field(default_factory=list)
    grades_published: bool = False
    """For moderated grading: whether the final grades were released."""

    @property
    def grades_groups_together(self) -> bool:
        """Whether one member's grade is everybody's."""
        return self.group_category_id is not None and not self.grade_group_students_individually


@dataclass
class Group:
    """A group of students."""

    id: int
    name: str
    group_category_id: int
    user_ids: list[int]


@dataclass
class CustomColumn:
    """A column of the gradebook that holds text."""

    id: int
    title: str
    read_only: bool = False
    hidden: bool = False
    deleted: bool = False
    data: dict[int, str] = field(default_factory=dict)


@dataclass
class Attachment:
    """A file that somebody handed in or attached to a comment."""

    id: int
    display_name: str
    content: bytes
    content_type: str
    uploader_id: int
    created_at: datetime
    deleted: bool = False
    for_submission: tuple[int, int] | None = None
    """Assignment and user whose comments it was uploaded for, if it was."""


@dataclass
class Attempt:
    """One time that a student handed in."""

    number: int
    submitted_at: datetime
    submission_type: str = "online_upload"
    attachments: list[Attachment] = field(default_factory=list)
    body: str | None = None
    url: str | None = None


@dataclass
class Comment:
    """A comment below a submission."""

    id: int
    author_id: int
    comment: str
    created_at: datetime
    attempt: int | None = None
    edited_at: datetime | None = None
    hidden: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    shown_names: dict[int, str] = field(default_factory=dict)
    """Attachment id → the name it is shown under, where that is not its own."""


@dataclass
class Submission:
    """All that there is between one student and one assignment."""

    id: int
    assignment: Assignment
    user: User
    attempts: list[Attempt] = field(default_factory=list)
    score: float | None = None
    """After Canvas' own late deduction."""
    grade: str | None = None
    entered_score: float | None = None
    entered_grade: str | None = None
    points_deducted: float | None = None
    excused: bool = False
    late_policy_status: str | None = None
    seconds_late_override: int | None = None
    graded_at: datetime | None = None
    posted_at: datetime | None = None
    grader_id: int | None = None
    graded_attempt: int | None = None
    comments: list[Comment] = field(default_factory=list)
    rubric_assessment: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: int = 0
    """How often a grade was written, for tests of what was written once."""

    @property
    def attempt(self) -> Attempt | None:
        """The current attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def grade_matches_current_submission(self) -> bool:
        """Whether nothing was handed in since it was graded."""
        current = self.attempt.number if self.attempt else None
        return self.graded_at is None or self.graded_attempt == current


@dataclass
class Progress:
    """A job that runs later."""

    id: int
    context_id: int
    tag: str
    workflow_state: str = "queued"
    completion: float | None = None
    message: str | None = None
    polls: int = 0


@dataclass
class Course:
    """A course and everything in it."""

    id: int
    name: str
    course_code: str
    published: bool = True
    post_manually: bool = False
    allows_override: bool = False
    """Whether final grades may be overridden in the gradebook."""
    last_first_names: bool = False
    """Whether the gradebook may have family and given names in two columns."""
    late_policy: LatePolicy = field(default_factory=LatePolicy)
    grading_periods: list[GradingPeriod] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    enrollments: list[Enrollment] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    custom_columns: list[CustomColumn] = field(default_factory=list)
    submissions: dict[tuple[int, int], Submission] = field(default_factory=dict)
    """By assignment id and user id."""
    overrides: dict[tuple[int, int | None], dict[str, str | float | None]] = field(
        default_factory=dict
    )
    """Final grades set by hand, by user id and grading period id."""

    def assignment(self, id_: int) -> Assignment | None:
        """The assignment of this number."""
        return next((one for one in self.assignments if one.id == id_), None)

    def enrolled(self, user_id: int, students: bool = True) -> list[Enrollment]:
        """A person's enrolments, as a student by default."""
        return [
            one for one in self.enrollments
            if one.user.id == user_id and (one.is_student or not students)
        ]  # fmt: skip

    def students(self, *states: str) -> list[User]:
        """Students in these states (active and inactive by default), each once, sorted by name."""
        wanted = states or ("active", "inactive")
        found = {one.user.id: one.user for one in self.enrollments
                 if one.is_student and one.state in wanted}  # fmt: skip
        return sorted(found.values(), key=lambda user: (self._is_test(user), user.sortable_name))

    def _is_test(self, user: User) -> bool:
        return any(one.type == "StudentViewEnrollment" for one in self.enrolled(user.id))

    def group_of(self, assignment: Assignment, user_id: int) -> Group | None:
        """The group in which a student does a group assignment."""
        return next(
            (one for one in self.groups
             if one.group_category_id == assignment.group_category_id and user_id in one.user_ids),
            None,
        )  # fmt: skip


class Numbers:
    """Ids that no two things of one Canvas share."""

    def __init__(self, first: int) -> None:
        self._numbers: Iterator[int] = itertools.count(first)

    def next(self) -> int:
        """A new id."""
        return next(self._numbers)

"""What Canvas' API says of things: the same keys and kinds of values as real answers have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fakecanvas import grading
from fakecanvas.model import (
    Assignment,
    Attachment,
    Attempt,
    Comment,
    Course,
    Enrollment,
    Group,
    LatePolicy,
    Override,
    Progress,
    Section,
    Submission,
    User,
)

if TYPE_CHECKING:
    from fakecanvas.canvas import Canvas

Json = dict[str, Any]
UNUSED_OF_ASSIGNMENTS: Json = {
    **dict.fromkeys((
        "annotatable_attachment_id", "grading_standard_id", "integration_id",
        "original_assignment_id", "original_assignment_name", "original_course_id",
        "original_lti_resource_link_id", "original_quiz_id", "peer_reviews_assign_at",
        "sis_assignment_id",
    )),
    **dict.fromkeys((
        "anonymous_instructor_annotations", "anonymous_peer_reviews", "automatic_peer_reviews",
        "due_date_required", "graders_anonymous_to_graders", "hide_in_gradebook",
        "important_dates", "intra_group_peer_reviews", "new_quizzes_anonymous_participants",
        "peer_reviews", "post_to_sis", "require_lockdown_browser", "restrict_quantitative_data",
        "suppress_assignment",
    ), False),
    **dict.fromkeys((
        "can_duplicate", "grader_comments_visible_to_graders",
        "grader_names_visible_to_final_grader", "unpublishable",
    ), True),
    "grader_count": 0, "integration_data": {}, "max_name_length": 255, "peer_review_count": 0,
}  # fmt: skip
"""What the fake never changes."""


def moment(value: datetime | None) -> str | None:
    """A time as Canvas writes it."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


class Views:
    """Answers about one Canvas.

    Args:
        canvas: Its state.
        origin: Where it is served, such as ``http://127.0.0.1:4000``.
    """

    def __init__(self, canvas: Canvas, origin: str) -> None:
        self.canvas, self.origin = canvas, origin

    def course(self, course: Course) -> Json:
        """A course."""
        return {
            "id": course.id, "name": course.name, "course_code": course.course_code,
            "account_id": 1, "root_account_id": 1, "enrollment_term_id": 1,
            "workflow_state": "available" if course.published else "unpublished",
            "apply_assignment_group_weights": False, "time_zone": "America/Chicago",
            "sis_course_id": None, "start_at": None, "end_at": None, "is_public": False,
            "post_manually": course.post_manually,
        }  # fmt: skip

    def user(self, course: Course, user: User, include: list[str]) -> Json:
        """A person in a course."""
        found: Json = {
            "id": user.id, "name": user.name, "sortable_name": user.sortable_name,
            "short_name": user.name, "has_non_collaborative_groups": False,
        }  # fmt: skip
        if self.canvas.sis_rights:
            found |= {
                "sis_user_id": user.sis_user_id, "login_id": user.login_id,
                "integration_id": user.integration_id, "email": f"{user.login_id}@example.edu",
            }  # fmt: skip
        if "enrollments" in include:
            own = course.enrolled(user.id, students=False)
            found["enrollments"] = [self.enrollment(course, one) for one in own]
        return found

    def enrollment(self, course: Course, one: Enrollment) -> Json:
        """A person's place in a course."""
        return {
            "id": one.id, "user_id": one.user.id, "course_id": course.id,
            "course_section_id": one.section.id, "type": one.type, "role": one.type,
            "role_id": 3, "enrollment_state": one.state, "root_account_id": 1,
            "associated_user_id": None, "limit_privileges_to_course_section": False,
            "course_integration_id": None, "section_integration_id": None,
            "sis_account_id": None, "sis_course_id": None, "sis_section_id": None,
            "grades": {"html_url": f"{self.origin}/courses/{course.id}/grades/{one.user.id}"},
            "sis_user_id": one.user.sis_user_id if self.canvas.sis_rights else None,
            "start_at": None, "end_at": None, "last_attended_at": None,
            "html_url": f"{self.origin}/courses/{course.id}/users/{one.user.id}",
        }  # fmt: skip

    def section(self, course: Course, section: Section) -> Json:
        """A section."""
        return {"id": section.id, "name": section.name, "course_id": course.id,
                "sis_section_id": None, "start_at": None, "end_at": None}  # fmt: skip

    def group(self, group: Group) -> Json:
        """A group."""
        return {"id": group.id, "name": group.name, "members_count": len(group.user_ids),
                "group_category_id": group.group_category_id}  # fmt: skip

    def late_policy(self, policy: LatePolicy, course: Course) -> Json:
        """A course's late policy."""
        return {"late_policy": {"id": 1, "course_id": course.id, **vars(policy)}}

    def grading_periods(self, course: Course) -> Json:
        """A course's grading periods."""
        return {"grading_periods": [
            {"id": one.id, "title": one.title, "start_date": moment(one.start_date),
             "end_date": moment(one.end_date), "close_date": moment(one.close_date),
             "is_closed": self.canvas.now > one.close_date, "weight": None, "permissions": {}}
            for one in course.grading_periods
        ]}  # fmt: skip

    def override(self, assignment: Assignment, one: Override) -> Json:
        """Other dates of some students."""
        found: Json = {"id": one.id, "assignment_id": assignment.id, "title": one.title,
                       "due_at": moment(one.due_at), "all_day": False,
                       "unlock_at": None, "lock_at": None}  # fmt: skip
        if one.student_ids:
            found["student_ids"] = one.student_ids
        if one.course_section_id is not None:
            found["course_section_id"] = one.course_section_id
        if one.group_id is not None:
            found["group_id"] = one.group_id
        return found

    def assignment(self, course: Course, one: Assignment, include: list[str]) -> Json:
        """An assignment."""
        path = f"{self.origin}/courses/{course.id}/assignments/{one.id}"
        graded = [s for (a, _), s in course.submissions.items() if a == one.id and s.graded_at]
        handed_in = [s for (a, _), s in course.submissions.items() if a == one.id and s.attempts]
        found: Json = UNUSED_OF_ASSIGNMENTS | {
            "id": one.id, "name": one.name, "course_id": course.id, "description": None,
            "points_possible": one.points_possible, "due_at": moment(one.due_at),
            "unlock_at": None, "lock_at": None, "grading_type": one.grading_type,
            "submission_types": one.submission_types, "published": one.published,
            "workflow_state": "published" if one.published else "unpublished",
            "post_manually": one.post_manually, "muted": one.post_manually,
            "anonymous_grading": one.anonymous_grading,
            "anonymize_students": one.anonymous_grading,
            "moderated_grading": one.moderated_grading, "final_grader_id": one.final_grader_id,
            "grades_published": one.grades_published,
            "group_category_id": one.group_category_id,
            "grade_group_students_individually": one.grade_group_students_individually,
            "allowed_attempts": one.allowed_attempts, "has_overrides": bool(one.overrides),
            "only_visible_to_overrides": one.only_visible_to_overrides,
            "visible_to_everyone": not one.only_visible_to_overrides,
            "in_closed_grading_period": self._closed(course, one),
            "graded_submissions_exist": bool(graded),
            "has_submitted_submissions": bool(handed_in),
            "needs_grading_count": sum(1 for s in handed_in if s.graded_at is None),
            "omit_from_final_grade": False, "assignment_group_id": 1, "position": 1,
            "is_quiz_assignment": False, "locked_for_user": False, "html_url": path,
            "submissions_download_url": f"{path}/submissions?zip=1",
            "speed_grader_url": f"{self.origin}/courses/{course.id}/gradebook/speed_grader",
        }  # fmt: skip
        if one.rubric:
            found["rubric"] = [
                {"id": c.id, "description": c.description, "points": c.points, "ratings": c.ratings}
                for c in one.rubric
            ]
            found["use_rubric_for_grading"] = False
        if "overrides" in include:
            found["overrides"] = [self.override(one, other) for other in one.overrides]
        if "all_dates" in include:
            found["all_dates"] = [
                {"base": True, "due_at": moment(one.due_at), "unlock_at": None, "lock_at": None},
                *(self.override(one, other) for other in one.overrides),
            ]
        return found

    def _closed(self, course: Course, one: Assignment) -> bool:
        return any(grading.closed(course, one, user, self.canvas.now)
                   for user in course.students())  # fmt: skip

    def submission(self, course: Course, one: Submission, include: list[str]) -> Json:
        """What there is between a student and an assignment."""
        late = grading.seconds_late(course, one)
        assignment, attempt = one.assignment, one.attempt
        found: Json = {
            "id": one.id, "assignment_id": assignment.id, "user_id": one.user.id,
            "attempt": attempt.number if attempt else None,
            "body": attempt.body if attempt else None, "url": attempt.url if attempt else None,
            "submitted_at": moment(attempt.submitted_at) if attempt else None,
            "submission_type": attempt.submission_type if attempt else None,
            "cached_due_date": moment(grading.due_at(course, assignment, one.user)),
            "score": one.score, "grade": one.grade, "entered_score": one.entered_score,
            "entered_grade": one.entered_grade, "points_deducted": one.points_deducted,
            "excused": one.excused, "late": late > 0, "seconds_late": late,
            "missing": grading.is_missing(course, one, self.canvas.now),
            "late_policy_status": one.late_policy_status, "custom_grade_status_id": None,
            "graded_at": moment(one.graded_at), "posted_at": moment(one.posted_at),
            "grader_id": one.grader_id, "grading_period_id": None, "extra_attempts": None,
            "grade_matches_current_submission": one.grade_matches_current_submission,
            "redo_request": False, "sticker": None,
            "workflow_state": _state(one),
            "preview_url": f"{self.origin}/courses/{course.id}/assignments/{assignment.id}"
                           f"/submissions/{one.user.id}?preview=1",
        }  # fmt: skip
        if attempt and attempt.attachments:
            found["attachments"] = [self.file(file) for file in attempt.attachments]
        if "submission_history" in include:
            found["submission_history"] = [self._attempt(course, one, a) for a in one.attempts]
        if "submission_comments" in include:
            found["submission_comments"] = [self.comment(c) for c in one.comments]
        if "rubric_assessment" in include and one.rubric_assessment:
            found["rubric_assessment"] = one.rubric_assessment
        if "user" in include:
            found["user"] = self.user(course, one.user, [])
        if "group" in include:
            group = course.group_of(assignment, one.user.id)
            found["group"] = {"id": group.id if group else None,
                              "name": group.name if group else None}  # fmt: skip
        return found

    def _attempt(self, course: Course, one: Submission, attempt: Attempt) -> Json:
        due = grading.due_at(course, one.assignment, one.user)
        late = max(0, int((attempt.submitted_at - due).total_seconds())) if due else 0
        return {
            "id": one.id, "assignment_id": one.assignment.id, "user_id": one.user.id,
            "attempt": attempt.number, "submitted_at": moment(attempt.submitted_at),
            "submission_type": attempt.submission_type, "body": attempt.body, "url": attempt.url,
            "late": late > 0, "seconds_late": late,
            "attachments": [self.file(file) for file in attempt.attachments],
        }  # fmt: skip

    def file(self, file: Attachment) -> Json:
        """A file that can be fetched."""
        return {
            "id": file.id, "uuid": f"uuid-{file.id}", "folder_id": None,
            "display_name": file.display_name, "filename": file.display_name.replace(" ", "+"),
            "content-type": file.content_type, "size": len(file.content),
            "url": f"{self.origin}/files/{file.id}/download?download_frd=1",
            "upload_status": "success", "created_at": moment(file.created_at),
            "updated_at": moment(file.created_at), "locked": False, "hidden": False,
        }  # fmt: skip

    def comment(self, one: Comment) -> Json:
        """A comment."""
        author = self.canvas.users.get(one.author_id)
        found: Json = {
            "id": one.id, "author_id": one.author_id, "comment": one.comment,
            "author_name": author.name if author else "", "attempt": one.attempt,
            "created_at": moment(one.created_at), "edited_at": moment(one.edited_at),
            "author": {"id": one.author_id}, "avatar_path": None,
        }  # fmt: skip
        if one.attachments:
            found["attachments"] = [
                self.file(file) | {"display_name": one.shown_names.get(file.id, file.display_name)}
                for file in one.attachments
            ]
        return found

    def progress(self, one: Progress) -> Json:
        """A job."""
        return {
            "id": one.id, "context_id": one.context_id, "context_type": "Course",
            "user_id": None, "tag": one.tag, "completion": one.completion,
            "workflow_state": one.workflow_state, "message": one.message, "results": None,
            "created_at": moment(self.canvas.now), "updated_at": moment(self.canvas.now),
            "url": f"{self.origin}/api/v1/progress/{one.id}",
        }  # fmt: skip


def _state(one: Submission) -> str:
    if one.graded_at is not None and one.grade_matches_current_submission:
        return "graded"
    return "submitted" if one.attempt else "unsubmitted"

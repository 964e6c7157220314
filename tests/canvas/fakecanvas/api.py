"""What Canvas' API does for each of its addresses."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from fakecanvas import grading
from fakecanvas.call import NOT_ALLOWED, Call, Refused
from fakecanvas.canvas import Canvas
from fakecanvas.grading import Grading
from fakecanvas.graphql import mutate
from fakecanvas.model import User
from fakecanvas.params import as_list
from fakecanvas.views import Views

COURSE = "/api/v1/courses/<int:course>"
ASSIGNMENT = f"{COURSE}/assignments/<int:assignment>"
SUBMISSION = f"{ASSIGNMENT}/submissions/<int:user>"
ROUTES = [
    ("GET", "/api/v1/users/self", "myself"),
    ("GET", "/api/v1/courses", "courses"),
    ("GET", COURSE, "course"),
    ("GET", f"{COURSE}/permissions", "permissions"),
    ("GET", f"{COURSE}/users", "users"),
    ("GET", f"{COURSE}/search_users", "users"),
    ("GET", f"{COURSE}/sections", "sections"),
    ("GET", f"{COURSE}/enrollments", "enrollments"),
    ("GET", f"{COURSE}/groups", "groups"),
    ("GET", f"{COURSE}/late_policy", "late_policy"),
    ("GET", f"{COURSE}/grading_periods", "grading_periods"),
    ("GET", f"{COURSE}/assignments", "assignments"),
    ("GET", ASSIGNMENT, "assignment"),
    ("GET", f"{ASSIGNMENT}/overrides", "overrides"),
    ("GET", f"{ASSIGNMENT}/gradeable_students", "gradeable_students"),
    ("GET", f"{ASSIGNMENT}/submissions", "submissions"),
    ("GET", f"{COURSE}/students/submissions", "course_submissions"),
    ("GET", SUBMISSION, "submission"),
    ("PUT", SUBMISSION, "grade"),
    ("POST", f"{ASSIGNMENT}/submissions/update_grades", "update_grades"),
    ("POST", f"{COURSE}/submissions/update_grades", "update_course_grades"),
    ("POST", f"{SUBMISSION}/comments/files", "comment_file"),
    ("PUT", f"{SUBMISSION}/comments/<int:comment>", "edit_comment"),
    ("DELETE", f"{SUBMISSION}/comments/<int:comment>", "delete_comment"),
    ("GET", "/api/v1/progress/<int:progress>", "progress"),
    ("POST", "/upload/<int:file>", "upload"),
    ("GET", "/api/v1/files/<int:file>/create_success", "create_success"),
    ("GET", "/files/<int:file>/download", "download"),
    ("GET", "/storage/<int:file>", "storage"),
    ("POST", "/api/graphql", "graphql"),
]
WITHOUT_TOKEN = {"upload", "create_success", "storage"}
"""What a signature opens."""


class Api:
    """Answers calls about one Canvas; each route's name is that of a method.

    Args:
        canvas: Its state.
        origin: Where the API is served.
        storage: Where files lie.
    """

    def __init__(self, canvas: Canvas, origin: str, storage: str) -> None:
        self.canvas, self.origin, self.storage_origin = canvas, origin, storage
        self.views = Views(canvas, origin)
        self.uploads: dict[int, dict[str, Any]] = {}

    def answer(self, name: str, call: Call) -> Any:
        """Do what the route of this name is for."""
        return getattr(self, f"_{name}")(call)

    def _myself(self, call: Call) -> Any:
        user = self.canvas.users[call.me]
        return {"id": user.id, "name": user.name, "sortable_name": user.sortable_name}

    def _courses(self, call: Call) -> Any:
        own = [one for one in self.canvas.courses.values() if one.enrolled(call.me, students=False)]
        return call.paged(own, self.views.course)

    def _course(self, call: Call) -> Any:
        return self.views.course(call.course)

    def _permissions(self, call: Call) -> Any:
        kinds = {one.type for one in call.course.enrolled(call.me, students=False)}
        allowed = {"read_roster"}
        if kinds & {"TeacherEnrollment", "TaEnrollment"}:
            allowed |= {"view_all_grades", "manage_grades"}
        allowed |= {"read_sis"} if self.canvas.sis_rights else set()
        return {str(one): str(one) in allowed for one in call.list("permissions")}

    def _users(self, call: Call) -> Any:
        course, kinds = call.course, {str(one).lower() for one in call.list("enrollment_type")}
        states = [str(one) for one in call.list("enrollment_state")] or ["active", "invited"]
        ids = {int(one) for one in call.list("user_ids")}
        found: dict[int, User] = {}
        for one in course.enrollments:
            kind = one.type.removesuffix("Enrollment").lower()
            kind = {"studentview": "student_view"}.get(kind, kind)
            if (not kinds or kind in kinds) and one.state in states:
                if not ids or one.user.id in ids:
                    found[one.user.id] = one.user
        users = sorted(found.values(), key=lambda user: user.sortable_name)
        return call.paged(users, lambda user: self.views.user(course, user, call.include))

    def _sections(self, call: Call) -> Any:
        return call.paged(call.course.sections, lambda s: self.views.section(call.course, s))

    def _enrollments(self, call: Call) -> Any:
        states = [str(one) for one in call.list("state")] or ["active", "invited"]
        kinds = [str(one) for one in call.list("type")]
        chosen = [one for one in call.course.enrollments
                  if one.state in states and (not kinds or one.type in kinds)]  # fmt: skip
        return call.paged(chosen, lambda one: self.views.enrollment(call.course, one)
                          | {"user": self.views.user(call.course, one.user, [])})  # fmt: skip

    def _groups(self, call: Call) -> Any:
        return call.paged(call.course.groups, self.views.group)

    def _late_policy(self, call: Call) -> Any:
        return self.views.late_policy(call.course.late_policy, call.course)

    def _grading_periods(self, call: Call) -> Any:
        return self.views.grading_periods(call.course)

    def _assignments(self, call: Call) -> Any:
        course = call.course
        return call.paged(
            course.assignments, lambda one: self.views.assignment(course, one, call.include)
        )

    def _assignment(self, call: Call) -> Any:
        return self.views.assignment(call.course, call.assignment, call.include)

    def _overrides(self, call: Call) -> Any:
        one = call.assignment
        return call.paged(one.overrides, lambda other: self.views.override(one, other))

    def _gradeable_students(self, call: Call) -> Any:
        course, one = call.course, call.assignment
        users = [user for user in course.students() if grading.assigned(course, one, user)]
        return call.paged(users, lambda user: {"id": user.id, "display_name": user.name})

    def _submissions(self, call: Call) -> Any:
        course, one = call.course, call.assignment
        found = self.canvas.submissions(course, one)
        if call.params.get("grouped") in ("true", "1") and one.grades_groups_together:
            seen: set[int] = set()
            found = [s for s in found if (g := course.group_of(one, s.user.id)) is None
                     or not (g.id in seen or seen.add(g.id))]  # fmt: skip
        view = call.submission_view
        if "visibility" in call.include:  # Canvas does not page this one
            return [view(submission) for submission in found]
        return call.paged(found, view)

    def _course_submissions(self, call: Call) -> Any:
        course = call.course
        ids = {str(one) for one in call.list("student_ids")}
        wanted = {int(one) for one in call.list("assignment_ids")}
        found = [
            submission for one in course.assignments if not wanted or one.id in wanted
            for submission in self.canvas.submissions(course, one)
            if "all" in ids or str(submission.user.id) in ids
        ]  # fmt: skip
        return call.paged(found, call.submission_view)

    def _submission(self, call: Call) -> Any:
        return call.submission_view(call.submission)

    def _progress(self, call: Call) -> Any:
        job = self.canvas.progress.get(call.values["progress"])
        if job is None or (job.fault is not None and job.fault.gone):
            raise NotFound
        job.progress.polls += 1
        return self.views.progress(job.progress)

    def _grade(self, call: Call) -> Any:
        call.instructs()
        said, comment = call.table("submission"), call.table("comment")
        if not call.gradeable:
            raise Refused(403, NOT_ALLOWED)
        rubric = call.table("rubric_assessment")
        known = {one.id for one in call.assignment.rubric}
        if set(rubric) - known:
            raise Refused(400, {"message": "invalid rubric_assessment"})
        if "seconds_late_override" in said and said.get("late_policy_status") != "late":
            if call.submission.late_policy_status != "late":
                raise Refused(400, {"error": "seconds_late_override needs the status late"})
        self.canvas.grade_student(call.course, call.assignment, call.user, Grading(
            posted_grade=said.get("posted_grade", grading.UNSET),
            excuse=said.get("excuse", grading.UNSET),
            late_policy_status=said.get("late_policy_status", grading.UNSET),
            seconds_late_override=said.get("seconds_late_override", grading.UNSET),
            rubric_assessment=rubric,
        ), call.me)  # fmt: skip
        if comment:
            self._add_comment(call, comment)
        return call.submission_view(call.submission, ["submission_comments", "rubric_assessment"])

    def _add_comment(self, call: Call, comment: dict[str, Any]) -> None:
        ids = as_list(comment.get("file_ids"))
        files = self.canvas.commentable(call.assignment, call.user, ids)
        if len(files) < len(ids):
            raise Refused(403, NOT_ALLOWED)
        attempt = comment.get("attempt")
        self.canvas.comment(
            call.course, call.assignment, call.user, call.me, str(comment.get("text_comment", "")),
            files, int(attempt) if attempt else None,
            everybody=grading.truthy(comment.get("group_comment", False)),
        )  # fmt: skip

    def _update_grades(self, call: Call) -> Any:
        return self._start(call, {call.assignment.id: call.table("grade_data")})

    def _update_course_grades(self, call: Call) -> Any:
        data = call.table("grade_data")
        return self._start(call, {int(key): rows for key, rows in data.items() if key.isdigit()})

    def _start(self, call: Call, data: dict[int, dict[str, Any]]) -> Any:
        call.instructs()
        if not any(data.values()):
            raise Refused(400, {"errors": [{"message": "grade_data is required"}]})
        rows = []
        for id_, students in data.items():
            assignment = call.course.assignment(id_)
            if assignment is None:
                raise Refused(400, {"errors": [{"message": f"assignment not found: {id_}"}]})
            if not assignment.published:
                raise Refused(403, NOT_ALLOWED)
            rows += [(assignment, str(key), said) for key, said in students.items()]
        return self.views.progress(self.canvas.update_grades(call.course, call.me, rows))

    def _edit_comment(self, call: Call) -> Any:
        comment = call.own_comment()
        comment.comment = str(call.params.get("comment", comment.comment))
        comment.edited_at = self.canvas.now
        return self.views.comment(comment)

    def _delete_comment(self, call: Call) -> Any:
        comment = call.own_comment()
        call.submission.comments.remove(comment)
        return self.views.comment(comment)

    def _graphql(self, call: Call) -> Any:
        query, variables = str(call.params.get("query", "")), call.table("variables")
        return mutate(self.canvas, self.views, query, variables)

    def _comment_file(self, call: Call) -> Any:
        call.instructs()
        number = self.canvas.numbers.next()
        self.uploads[number] = {
            "name": str(call.params.get("name", "file")), "by": call.me,
            "for": (call.assignment.id, call.user.id), "until": self.canvas.now.timestamp() + 1800,
        }  # fmt: skip
        return {
            "upload_url": f"{self.storage_origin}/upload/{number}", "file_param": "file",
            "upload_params": {"key": f"signed-{number}", "filename": call.params.get("name")},
        }  # fmt: skip

    def _upload(self, call: Call) -> Any:
        waiting = self.uploads.get(call.values["file"])
        signed = call.request.form.get("key") == f"signed-{call.values['file']}"
        if waiting is None or not signed or waiting["until"] < self.canvas.now.timestamp():
            raise Refused(403, "<Error><Code>AccessDenied</Code></Error>")
        sent = call.request.files["file"]
        waiting["content"], waiting["type"] = sent.read(), sent.mimetype
        number = call.values["file"]
        target = f"{self.origin}/api/v1/files/{number}/create_success?uuid=u{number}"
        return Response(status=303, headers={"Location": target})

    def _create_success(self, call: Call) -> Any:
        waiting = self.uploads.pop(call.values["file"], None)
        signed = call.request.args.get("uuid") == f"u{call.values['file']}"
        if waiting is None or "content" not in waiting or not signed:
            raise NotFound
        made = self.canvas.add_file(
            waiting["name"], waiting["content"], waiting["by"], waiting["type"],
            for_submission=waiting["for"],
        )  # fmt: skip
        return self.views.file(made)

    def _download(self, call: Call) -> Any:
        file = self.canvas.files.get(call.values["file"])
        if file is None or file.deleted:
            raise NotFound
        target = f"{self.storage_origin}/storage/{file.id}?signature=s{file.id}"
        return Response(status=302, headers={"Location": target})

    def _storage(self, call: Call) -> Any:
        file = self.canvas.files.get(call.values["file"])
        if file is None or call.request.args.get("signature") != f"s{file.id}":
            raise Refused(403, "<Error><Code>AccessDenied</Code></Error>")
        if call.request.headers.get("Authorization"):
            raise Refused(400, "<Error><Code>InvalidArgument</Code></Error>")
        answer = Response(file.content, content_type=file.content_type)
        size = len(file.content)
        return answer.make_conditional(call.request, accept_ranges=True, complete_length=size)

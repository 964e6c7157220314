"""One Canvas: its state, its clock, its jobs, and what people do in its pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fakecanvas import archives, exporter, grading
from fakecanvas.faults import FaultPlan, JobFault
from fakecanvas.grading import GradeError, Grading
from fakecanvas.importer import Preview, read_upload
from fakecanvas.model import (
    Assignment,
    Attachment,
    Attempt,
    Course,
    Enrollment,
    Numbers,
    Progress,
    Section,
    Submission,
    User,
)


@dataclass
class Token:
    """An access token and whose it is."""

    user_id: int
    state: str = "valid"
    """``valid``, ``expired``, ``revoked`` or ``unscoped``."""
    last_uses: int | None = None
    """How many more requests it is good for; without end if None."""


@dataclass
class Job:
    """What a progress waits for."""

    progress: Progress
    run: Callable[[], None]
    fault: JobFault | None = None


@dataclass
class Canvas:
    """The state of one Canvas, and what can be done to it besides its API."""

    now: datetime = datetime(2027, 2, 12, 9, 0, tzinfo=UTC)
    courses: dict[int, Course] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    files: dict[int, Attachment] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    progress: dict[int, Job] = field(default_factory=dict)
    faults: FaultPlan = field(default_factory=FaultPlan)
    log: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path with query, and status of every request that was answered."""
    numbers: Numbers = field(default_factory=lambda: Numbers(900_001))
    lock: threading.RLock = field(default_factory=threading.RLock)
    sis_rights: bool = True
    """Whether the instructor may see SIS ids."""
    request_cost: float = 1.0
    """What one request takes of its token's allowance, see `fakecanvas.throttle`."""

    def add_course(self, id_: int, name: str = "Deep Learning", code: str = "BIOE486") -> Course:
        """A new course with one section."""
        course = Course(id_, name, code)
        course.sections.append(Section(self.numbers.next(), "Section 1"))
        self.courses[id_] = course
        return course

    def add_user(self, id_: int, sortable_name: str, **more: Any) -> User:
        """A new person; the login is made of the id if none is given."""
        family, _, given = sortable_name.partition(", ")
        name = more.pop("name", f"{given} {family}".strip())
        more.setdefault("login_id", f"user{id_}")
        self.users[id_] = User(id_, name, sortable_name, **more)
        return self.users[id_]

    def enroll(
        self, course: Course, user: User, section: Section | None = None, state: str = "active",
        type_: str = "StudentEnrollment",
    ) -> Enrollment:  # fmt: skip
        """Give a person a place in a course."""
        place = section or course.sections[0]
        made = Enrollment(self.numbers.next(), user, place, state, type_)
        course.enrollments.append(made)
        return made

    def add_teacher(self, course: Course, id_: int = 7, token: str = "teacher-token") -> User:
        """An instructor with an access token."""
        user = self.add_user(id_, "Curie, Marie")
        self.enroll(course, user, type_="TeacherEnrollment")
        self.tokens[token] = Token(id_)
        return user

    def add_assignment(self, course: Course, id_: int, name: str, **more: Any) -> Assignment:
        """A new assignment, posted by hand if the course is."""
        more.setdefault("post_manually", course.post_manually)
        made = Assignment(id_, name, **more)
        course.assignments.append(made)
        return made

    def submission(self, course: Course, assignment: Assignment, user: User) -> Submission:
        """What there is between a student and an assignment."""
        key = assignment.id, user.id
        if key not in course.submissions:
            course.submissions[key] = Submission(self.numbers.next(), assignment, user)
        return course.submissions[key]

    def submissions(self, course: Course, assignment: Assignment) -> list[Submission]:
        """Those of all students who are assigned and not concluded."""
        return [
            self.submission(course, assignment, user)
            for user in course.students()
            if grading.assigned(course, assignment, user)
        ]

    def add_file(
        self, name: str, content: bytes, uploader_id: int, content_type: str = "", **more: Any
    ) -> Attachment:
        """A new file; Canvas changes a name that the same person has used before."""
        taken = {one.display_name for one in self.files.values() if one.uploader_id == uploader_id}
        made = Attachment(
            self.numbers.next(), archives.unique_name(archives.plain_name(name), taken), content,
            content_type or archives.content_type(name), uploader_id, self.now, **more,
        )  # fmt: skip
        self.files[made.id] = made
        return made

    def hand_in(
        self, course: Course, assignment: Assignment, user: User,
        files: Mapping[str, bytes] = {}, *, body: str | None = None, url: str | None = None,
        at: datetime | None = None,
    ) -> Submission:  # fmt: skip
        """Hand in as a student, or for a whole group."""
        attachments = [self.add_file(name, data, user.id) for name, data in files.items()]
        kind = "online_text_entry" if body is not None else "online_url" if url else "online_upload"
        group = course.group_of(assignment, user.id)
        members = [user] if group is None else [
            one for one in course.students() if one.id in group.user_ids
        ]  # fmt: skip
        for member in members:
            one = self.submission(course, assignment, member)
            grading.hand_in(course, one, Attempt(
                len(one.attempts) + 1, at or self.now, kind, list(attachments), body, url,
            ))  # fmt: skip
        return self.submission(course, assignment, user)

    def grade_by_hand(
        self, course: Course, assignment: Assignment, user: User, grade: Any = grading.UNSET,
        *, excuse: Any = grading.UNSET, grader_id: int = 7,
    ) -> Submission:  # fmt: skip
        """Grade in SpeedGrader or the gradebook.

        Raises:
            GradeError: as Canvas would refuse it.
        """
        said = Grading(posted_grade=grade, excuse=excuse)
        self.grade_student(course, assignment, user, said, grader_id)
        return self.submission(course, assignment, user)

    def grade_student(
        self, course: Course, assignment: Assignment, user: User, said: Grading, grader_id: int,
        unless_unchanged: bool = False,
    ) -> None:  # fmt: skip
        """Grade one student, and everybody who is graded with them.

        Raises:
            GradeError: as Canvas would refuse it.
        """
        grading.check_gradable(course, assignment, user, grader_id, self.now)
        together = grading.graded_together(course, assignment, user)
        if grading.truthy(said.excuse):
            together = [user]
        for member in together:
            one = self.submission(course, assignment, member)
            if len(together) > 1 and one.excused:
                continue
            grading.grade(course, one, said, grader_id, self.now, unless_unchanged)

    def update_grades(
        self, course: Course, grader_id: int,
        rows: Sequence[tuple[Assignment, str, Mapping[str, Any]]],
    ) -> Progress:  # fmt: skip
        """Start the job that grades many: in order, and not all or nothing."""
        progress = Progress(self.numbers.next(), course.id, "submissions_update")
        fault = self.faults.job()
        self.progress[progress.id] = Job(
            progress, lambda: self._run_bulk(course, grader_id, rows, progress, fault), fault
        )
        return progress

    def _run_bulk(
        self, course: Course, grader_id: int,
        rows: Sequence[tuple[Assignment, str, Mapping[str, Any]]], progress: Progress,
        fault: JobFault | None,
    ) -> None:  # fmt: skip
        unknown: list[str] = []
        try:
            for done, (assignment, key, said) in enumerate(rows):
                if fault is not None and fault.dies_after == done:
                    raise GradeError("scripted")
                user = self.users.get(int(key)) if key.isdigit() else None
                if user is None or not course.enrolled(user.id):
                    unknown.append(f"'{key}'")
                    continue
                self._update_one(course, assignment, user, said, grader_id)
        except GradeError:
            progress.workflow_state = "failed"
            progress.message = f"Unexpected error, ID: {progress.id}"
            return
        progress.completion = 100.0
        progress.workflow_state = "failed" if unknown else "completed"
        if unknown:
            progress.message = f"Couldn't find User(s) with API ids {', '.join(unknown)}"

    def _update_one(
        self, course: Course, assignment: Assignment, user: User, said: Mapping[str, Any],
        grader_id: int,
    ) -> None:  # fmt: skip
        given = Grading(
            posted_grade=said.get("posted_grade", grading.UNSET),
            excuse=said.get("excuse", grading.UNSET),
            rubric_assessment=said.get("rubric_assessment") or {},
        )
        self.grade_student(course, assignment, user, given, grader_id, unless_unchanged=True)
        if said.get("text_comment") or said.get("file_ids"):
            everybody = grading.truthy(said.get("group_comment", False))
            self.comment(
                course, assignment, user, grader_id, str(said.get("text_comment", "")),
                self.commentable(assignment, user, said.get("file_ids", [])), everybody=everybody,
            )  # fmt: skip

    def commentable(
        self, assignment: Assignment, user: User, ids: Iterable[Any]
    ) -> list[Attachment]:
        """Those of some files that may be attached to a comment on a submission."""
        found = [self.files.get(int(one)) for one in ids]
        return [one for one in found if one and one.for_submission == (assignment.id, user.id)]

    def comment(
        self, course: Course, assignment: Assignment, user: User, author_id: int, text: str,
        attachments: Sequence[Attachment] = (), attempt: int | None = None,
        everybody: bool = False,
    ) -> None:  # fmt: skip
        """Comment on a submission, or on those of a whole group."""
        group = course.group_of(assignment, user.id)
        members = [user]
        if group is not None and everybody:
            members = [one for one in course.students() if one.id in group.user_ids]
        for member in members:
            one = self.submission(course, assignment, member)
            grading.add_comment(one, self.numbers, author_id, text, self.now, attachments, attempt)

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass, and jobs take a step each: queued, running, done."""
        self.now += timedelta(seconds=seconds)
        for job in self.progress.values():
            progress, fault = job.progress, job.fault
            if fault is not None and fault.stuck:
                continue
            if fault is not None and fault.canceled:
                progress.workflow_state = "canceled"
            elif progress.workflow_state == "queued":
                progress.workflow_state = "running"
            elif progress.workflow_state == "running":
                job.run()

    def settle(self) -> None:
        """Let all jobs end that will."""
        for _ in range(3):
            self.advance()

    def gradebook_csv(self, course: Course, **options: Any) -> bytes:
        """What the instructor exports, see :func:`fakecanvas.exporter.gradebook_csv`."""
        options.setdefault("sis", self.sis_rights)
        return exporter.gradebook_csv(self, course, **options)

    def import_csv(self, course: Course, data: bytes, grader_id: int = 7) -> Preview:
        """What the instructor sees after uploading a gradebook, see `fakecanvas.importer`.

        Raises:
            UploadFailed: with Canvas' own words, if the upload fails.
        """
        return read_upload(self, course, data, grader_id)

    def submissions_zip(self, course: Course, assignment: Assignment) -> tuple[str, bytes]:
        """Name and bytes of *Download submissions*."""
        return archives.download(self, course, assignment)

    def reupload(
        self, course: Course, assignment: Assignment, data: bytes, grader_id: int = 7
    ) -> list[str]:
        """Upload files again below the submissions; returns the names that were ignored."""
        return archives.reupload(self, course, assignment, data, grader_id)

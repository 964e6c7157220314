"""Uploading a gradebook: what Canvas makes of the file, shows, and does on *Save*.

Restated from ``lib/gradebook_importer.rb`` and ``process_gradebook_upload.js``. Independent of
the product's own reading of those rules on purpose: one checks the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fakecanvas import grading
from fakecanvas.model import Assignment, Course, CustomColumn, GradingPeriod, User
from fakecanvas.table import Cell, MalformedCSV, parse, rewritten

if TYPE_CHECKING:
    from fakecanvas.canvas import Canvas

RESERVED = (
    "Current Score", "Current Points", "Current Grade", "Final Score", "Final Points",
    "Final Grade", "Override Score", "Override Grade", "Override Status",
)  # fmt: skip
NO_ROW = re.compile(r"\s*(muted|manual posting.*)?\s*", re.IGNORECASE | re.DOTALL)
OVERRIDE = re.compile(r"Override (Score|Status)(?: \((.*)\))?")


class UploadFailed(Exception):
    """The upload failed; the words are Canvas'."""


@dataclass
class SeenStudent:
    """A row's student: ``id`` is negative for one whom Canvas does not know."""

    id: int
    name: str


@dataclass
class SeenAssignment:
    """A column's assignment: ``id`` is negative for one that would be made."""

    id: int
    title: str
    points_possible: float | None
    changed_points: bool = False


@dataclass
class SeenGrade:
    """One cell of the preview."""

    grade: str
    original_grade: str
    gradeable: bool = True


@dataclass
class Preview:
    """What Canvas shows before anything is saved."""

    canvas: Canvas
    course: Course
    grader_id: int
    students: list[SeenStudent] = field(default_factory=list)
    assignments: list[SeenAssignment] = field(default_factory=list)
    grades: dict[tuple[int, int], SeenGrade] = field(default_factory=dict)
    """By assignment and student id."""
    custom: dict[tuple[int, int], str] = field(default_factory=dict)
    """New content by custom column and student id."""
    overrides: dict[tuple[int, int | None, str], str] = field(default_factory=dict)
    """New text by student, grading period and kind (``score`` or ``status``)."""

    @property
    def missing_students(self) -> list[SeenStudent]:
        """Rows for which the instructor has to name a student."""
        return [one for one in self.students if one.id < 0]

    @property
    def missing_assignments(self) -> list[SeenAssignment]:
        """Columns for which the instructor has to name an assignment, or have one made."""
        return [one for one in self.assignments if one.id < 0]

    @property
    def diff(self) -> dict[tuple[int, int], tuple[str, str]]:
        """What *Save* will send: assignment and student → before and after."""
        return {
            key: (one.original_grade, one.grade)
            for key, one in self.grades.items()
            if key[1] > 0 and one.gradeable and one.grade != one.original_grade
        }

    def save(self) -> None:
        """Do it: send every cell that differs as text, and make the new assignments."""
        made = {one.id: self._make(one) for one in self.missing_assignments}
        rows = []
        for (assignment_id, user_id), (_, grade) in self.diff.items():
            assignment = made.get(assignment_id) or self.course.assignment(assignment_id)
            assert assignment is not None
            rows.append((assignment, str(user_id), _said(grade)))
        if rows:
            self.canvas.update_grades(self.course, self.grader_id, rows)
        for (column_id, user_id), text in self.custom.items():
            column = next(one for one in self.course.custom_columns if one.id == column_id)
            column.data[user_id] = text
        for (user_id, period, kind), text in self.overrides.items():
            stored = self.course.overrides.setdefault((user_id, period), {})
            stored[kind] = (float(text) if text else None) if kind == "score" else (text or None)
        self.canvas.settle()

    def _make(self, seen: SeenAssignment) -> Assignment:
        id_ = self.canvas.numbers.next()
        return self.canvas.add_assignment(
            self.course, id_, seen.title, points_possible=seen.points_possible
        )


def _said(grade: str) -> dict[str, Any]:
    if grade == "EX":
        return {"excuse": "true"}
    return {"posted_grade": grade or None}


def read_upload(canvas: Canvas, course: Course, data: bytes, grader_id: int) -> Preview:
    """What the instructor sees.

    Raises:
        UploadFailed: with Canvas' own words.
    """
    try:
        lines = [[rewritten(cell) for cell in line] for line in parse(data)]
    except MalformedCSV as error:
        raise UploadFailed(f"CSV::MalformedCSVError: {error}") from None
    return _Reader(canvas, course, grader_id, lines).preview()


class _Reader:
    def __init__(
        self, canvas: Canvas, course: Course, grader_id: int, lines: list[list[Cell]]
    ) -> None:
        self.canvas, self.course, self.grader_id = canvas, course, grader_id
        self.header = lines[0] if lines else []
        self.lines = lines[1:]
        self.made = 0
        self.width = self._identity_width()
        custom = {one.title for one in course.custom_columns if not one.deleted}
        self.custom_count = sum(1 for cell in self.header if cell in custom)
        self.points_line = next((line for line in self.lines if _is_points(line)), [])

    def preview(self) -> Preview:
        found = Preview(self.canvas, self.course, self.grader_id)
        columns = self._columns(found)
        custom = self._custom_columns()
        overrides = self._override_columns()
        for line in self.lines:
            if _is_points(line) or all(NO_ROW.fullmatch(cell or "") for cell in line):
                continue
            student = self._student(line)
            if student is None:
                continue
            found.students.append(student)
            for seen, index in columns:
                self._grade(found, seen, student, _at(line, index))
            self._read_custom(found, custom, student, line)
            self._read_overrides(found, overrides, student, line)
        return self._weeded(found)

    def _identity_width(self) -> int:
        """How many columns say who a row is about.

        Raises:
            UploadFailed: if the header is none that Canvas knows.
        """
        header = self.header
        if len(header) > 3 and (header[0] is None or header[1] is None):
            raise UploadFailed("NoMethodError: undefined method `include?' for nil")
        two_names = [str(one) for one in header[:3]] == ["LastName", "FirstName", "ID"]
        if two_names and self.course.last_first_names and len(header) > 4:
            rest, width = header[3:], 3
        elif len(header) > 3 and "Student" in str(header[0]) and "ID" in str(header[1]):
            rest, width = header[2:], 2
        else:
            raise UploadFailed("Invalid header row")
        for known in (["SIS User ID", "SIS Login ID"], ["SIS Login ID"]):
            if [str(one) for one in rest[: len(known)]] == known:
                rest, width = rest[len(known) :], width + len(known)
                break
        for known_one in ("Integration ID", "Root Account"):
            if rest and rest[0] == known_one and header[width - 1] != "ID":
                rest, width = rest[1:], width + 1
        if not rest or "Section" not in str(rest[0]):
            raise UploadFailed("Invalid header row")
        return width + 1

    def _columns(self, found: Preview) -> list[tuple[SeenAssignment, int]]:
        """Assignments with the column that each is read from: the first of its header."""
        columns = []
        for title in self.header[self.width + self.custom_count :]:
            if title is not None and any(word in title for word in RESERVED):
                continue
            index = self.header.index(title)
            if "read only" in (_at(self.points_line, index) or ""):
                continue
            columns.append((self._assignment(title, index), index))
        found.assignments = [seen for seen, _ in columns]
        return columns

    def _assignment(self, title: Cell, index: int) -> SeenAssignment:
        cell = _at(self.points_line, index)
        points = _float(cell)
        named = re.search(r" \((\d+)\)\Z", title or "")
        usable = [one for one in self.course.assignments
                  if one.published and one.grading_type != "not_graded"]  # fmt: skip
        known = next((one for one in usable if named and one.id == int(named[1])), None)
        known = known or next((one for one in usable if one.name == title), None)
        if known is None:
            self.made -= 1
            return SeenAssignment(self.made, title or "", points)
        changed = points is not None and points != known.points_possible
        return SeenAssignment(known.id, known.name, points, changed)

    def _student(self, line: Sequence[Cell]) -> SeenStudent | None:
        """The row's student; None for one who is dropped without a word."""
        cells = {
            str(title): _at(line, index) for index, title in enumerate(self.header[: self.width])
        }
        user = self._find(cells)
        if user is None:
            self.made -= 1
            return SeenStudent(self.made, _row_name(cells))
        states = {one.state for one in self.course.enrolled(user.id)}
        return None if states == {"completed"} else SeenStudent(user.id, user.name)

    def _find(self, cells: dict[str, Cell]) -> User | None:
        people = self.course.students("active", "inactive", "completed")
        by_id = {user.id: user for user in people}
        id_ = leading_integer(cells.get("ID") or "")
        if id_ in by_id:
            return by_id[id_]
        account = cells.get("Root Account")
        logins = [user for user in people if user.login_active
                  and (account is None or user.root_account == account)]  # fmt: skip
        for title, name in (("SIS User ID", "sis_user_id"), ("SIS Login ID", "login_id")):
            wanted = cells.get(title)
            found = next(
                (user for user in logins if wanted and getattr(user, name) == wanted), None
            )
            if found is not None:
                return found
        name_ = _row_name(cells)
        return next((user for user in people if name_ in (user.name, user.sortable_name)), None)

    def _grade(
        self, found: Preview, seen: SeenAssignment, student: SeenStudent, cell: Cell
    ) -> None:
        assignment = self.course.assignment(seen.id)
        user = self.canvas.users.get(student.id)
        text = (cell or "").strip()
        text = "EX" if text.lower() in {"ex", "excused"} else text
        original, gradeable = "", True
        if assignment is not None and user is not None:
            original = self._original(assignment, user)
            gradeable = self._gradeable(assignment, user)
            if not grading.assigned(self.course, assignment, user):
                text = ""
            elif assignment.grading_type == "pass_fail":
                text = _pass_fail(text)
        elif assignment is None:
            gradeable = self._may_make()
        if text == "-" and not original:
            text = ""
        found.grades[seen.id, student.id] = SeenGrade(text, original, gradeable)

    def _original(self, assignment: Assignment, user: User) -> str:
        one = self.canvas.submission(self.course, assignment, user)
        if one.excused:
            return "EX"
        if assignment.grading_type == "pass_fail":
            return one.grade or ""
        return "" if one.score is None else str(float(one.score))

    def _gradeable(self, assignment: Assignment, user: User) -> bool:
        one = self.canvas.submission(self.course, assignment, user)
        closed = grading.closed(self.course, assignment, user, self.canvas.now)
        unseen = assignment.anonymous_grading and one.posted_at is None
        moderated = (
            assignment.moderated_grading and not assignment.grades_published
            and assignment.final_grader_id != self.grader_id
        )  # fmt: skip
        return not (closed or unseen or moderated)

    def _may_make(self) -> bool:
        periods = self.course.grading_periods
        if not periods:
            return True
        last = max(periods, key=lambda period: period.end_date)
        return self.canvas.now <= last.close_date

    def _weeded(self, found: Preview) -> Preview:
        """Without the columns in which nothing changes, unless somebody is unknown."""
        if found.missing_students:
            return found
        kept = []
        for seen in found.assignments:
            cells = {who: one for (which, who), one in found.grades.items() if which == seen.id}
            changes = any(one.gradeable and not _same(one) for one in cells.values())
            if changes or seen.changed_points or seen.id < 0:
                kept.append(seen)
            else:
                for who in cells:
                    del found.grades[seen.id, who]
        found.assignments = kept
        return found

    def _custom_columns(self) -> list[tuple[CustomColumn, int]]:
        return [
            (one, self.header.index(one.title))
            for one in self.course.custom_columns
            if not (one.read_only or one.hidden or one.deleted) and one.title in self.header
            and not any(word in one.title for word in RESERVED)
        ]  # fmt: skip

    def _read_custom(
        self, found: Preview, columns: list[tuple[CustomColumn, int]], student: SeenStudent,
        line: Sequence[Cell],
    ) -> None:  # fmt: skip
        for column, index in columns:
            text, before = (_at(line, index) or "").strip(), column.data.get(student.id, "")
            if text != before and student.id > 0:
                found.custom[column.id, student.id] = text

    def _override_columns(self) -> list[tuple[int, str, GradingPeriod | None]]:
        if not self.course.allows_override:
            return []
        columns: list[tuple[int, str, GradingPeriod | None]] = []
        for index, title in enumerate(self.header):
            match = OVERRIDE.fullmatch(title or "")
            if match is None:
                continue
            period = next(
                (one for one in self.course.grading_periods if one.title == match[2]), None
            )
            if match[2] and period is None:
                continue
            columns.append((index, match[1].lower(), period))
        return columns

    def _read_overrides(
        self, found: Preview, columns: list[tuple[int, str, GradingPeriod | None]],
        student: SeenStudent, line: Sequence[Cell],
    ) -> None:  # fmt: skip
        for index, kind, period in columns:
            key = period.id if period else None
            before = self.course.overrides.get((student.id, key), {}).get(kind)
            text = (_at(line, index) or "").strip()
            if kind == "score":
                new = _float(text)
                same = _rounded(new) == _rounded(before if isinstance(before, float) else None)
            else:
                same = text == (before or "")
            if not same and student.id > 0:
                found.overrides[student.id, key, kind] = text


def leading_integer(text: str) -> int:
    """Ruby's ``to_i``."""
    match = re.match(r"\s*([+-]?\d+)", text)
    return int(match[1]) if match else 0


def _is_points(line: Sequence[Cell]) -> bool:
    return bool(line) and "Points Possible" in (line[0] or "")


def _at(line: Sequence[Cell], index: int) -> Cell:
    return line[index] if index < len(line) else None


def _float(cell: Cell) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        return None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _row_name(cells: dict[str, Cell]) -> str:
    if "Student" in cells:
        return cells["Student"] or ""
    return " ".join(one for one in (cells.get("FirstName"), cells.get("LastName")) if one)


def _pass_fail(text: str) -> str:
    number = _float(text)
    return text if number is None else ("complete" if number > 0 else "incomplete")


def _same(one: SeenGrade) -> bool:
    """Whether Canvas sees no change: numbers are compared to two decimals."""
    new, old = _float(one.grade), _float(one.original_grade)
    if new is not None and old is not None:
        return _rounded(new) == _rounded(old)
    return one.grade == one.original_grade

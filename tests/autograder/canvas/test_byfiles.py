"""Grades by file against a Canvas that reads the file by rules of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fakecanvas import Canvas
from fakecanvas.model import Assignment, Course, CustomColumn
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.bundle import Manifest, Question
from autograder.canvas.export import Changes, Choices, changes, export
from autograder.canvas.exported import Batch, Cell, Written, merged
from autograder.canvas.importer import preview
from autograder.errors import ExportError
from autograder.gradebook import parse
from autograder.grades import Rules, grades
from autograder.model import Standing, Verdict
from autograder.policy import LateRule

MANIFEST = Manifest(name="cnn", title="CNNs", notebook="cnn.ipynb", otter_zip="x.zip",
                    questions=[Question(name="q1", points=10)])  # fmt: skip
NOW = datetime(2027, 2, 12, tzinfo=UTC)
DAILY = LateRule(share=Decimal("0.1"))
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10).filter(
    str.strip
)


class Instructor:
    """Exports the gradebook, has grades written into it, and imports the file."""

    def __init__(self, canvas: Canvas, late: LateRule | None = None) -> None:
        self.canvas, self.course, self.late = canvas, canvas.courses[1], late
        self.assignment = self.course.assignments[0]
        self.written = Written()
        self.now = NOW

    def gradebook(self, **options: Any) -> bytes:
        return self.canvas.gradebook_csv(self.course, **options)

    def plan(
        self, scores: dict[int, float], book: bytes | None = None, late: Sequence[int] = (),
        **choices: Any,
    ) -> Changes:  # fmt: skip
        read = parse(book or self.gradebook())
        names = {row.student.id: row.student.name for row in read.rows}
        verdicts = [
            Verdict(student=str(id_), name=names[str(id_)], assignment="cnn", score=score,
                    possible=10, status=Standing.GRADED, isolation="A", seconds=1, questions={},
                    late=id_ in late)
            for id_, score in scores.items()
        ]  # fmt: skip
        return changes(
            read, f"CNNs ({self.assignment.id})", grades(verdicts, Rules()), MANIFEST,
            Choices(**choices), written=self.written, canvas_takes=self.late,
        )  # fmt: skip

    def export(self, scores: dict[int, float], book: bytes | None = None, **more: Any) -> bytes:
        data = book or self.gradebook()
        plan = self.plan(scores, data, **more)
        self.now += timedelta(hours=1)
        self.written = plan.noted(self.now)
        return export(parse(data), plan)

    def grade(self, scores: dict[int, float], **more: Any) -> None:
        self.canvas.import_csv(self.course, self.export(scores, **more)).save()

    def shown(self, id_: int) -> float | None:
        user = self.canvas.users[id_]
        return self.canvas.submission(self.course, self.assignment, user).score

    def by_hand(self, id_: int, grade: Any, **more: Any) -> None:
        self.canvas.grade_by_hand(self.course, self.assignment, self.canvas.users[id_], grade,
                                  **more)  # fmt: skip


@pytest.fixture
def staff(canvas: Canvas) -> Instructor:
    return Instructor(canvas)


@pytest.fixture
def strict(canvas: Canvas, course: Course) -> Instructor:
    """Of a course where Canvas takes 10 % a day; 102 and 103 handed in two days late."""
    course.late_policy.late_submission_deduction_enabled = True
    course.late_policy.late_submission_deduction = 10.0
    made = Instructor(canvas, DAILY)
    for id_, days in ((101, -1), (102, 2), (103, 2)):
        due = made.assignment.due_at
        assert due is not None
        at = due + timedelta(days=days) - timedelta(hours=1)
        canvas.hand_in(course, made.assignment, canvas.users[id_], {"h.ipynb": b"{}"}, at=at)
    return made


def left(plan: Changes) -> dict[str, str]:
    return {one.student: one.reason for one in plan.left_out}


def someone(canvas: Canvas, course: Course, names: list[str]) -> Assignment:
    for number, name in enumerate(names):
        canvas.enroll(course, canvas.add_user(1000 + number, " ".join(name.split()) or "x"))
    return course.assignments[0]


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.one_of(st.none(), st.floats(0, 12)),
                       st.one_of(st.none(), st.floats(0, 10), st.just("EX"))),
             min_size=1, max_size=6),
    st.fixed_dictionaries({key: st.booleans() for key in ("sis", "semicolon", "bom")}),
    st.booleans(),
)  # fmt: skip
def test_canvas_shows_what_was_said_and_saves_what_was_meant(
    people: list[tuple[str, float | None, Any]], options: dict[str, bool], manual: bool
) -> None:
    canvas = Canvas()
    course = canvas.add_course(1)
    canvas.add_teacher(course)
    course.custom_columns.append(CustomColumn(1, "Notes", data={1000: "x"}))
    canvas.add_assignment(course, 11, "CNNs", points_possible=10.0, post_manually=manual)
    other = canvas.add_assignment(course, 12, "GNNs", points_possible=10.0)
    someone(canvas, course, [name for name, *_ in people])
    staff = Instructor(canvas)
    for number, (_, before, _) in enumerate(people):
        canvas.grade_by_hand(course, other, canvas.users[1000 + number], 7)
        if before is not None:
            staff.by_hand(1000 + number, before)
    ours = {1000 + n: new for n, (*_, new) in enumerate(people) if isinstance(new, float)}
    for number, (*_, new) in enumerate(people):
        if new == "EX":
            staff.by_hand(1000 + number, None, excuse=True)
            ours[1000 + number] = 1.0
    book = staff.gradebook(decimal_comma=options["semicolon"], **options)
    plan = staff.plan(ours, book, ours=[str(id_) for id_ in ours])
    if not plan.changed:
        return
    data = export(parse(book), plan)
    seen, told = canvas.import_csv(course, data), preview(data, parse(book), plan.column)
    assert not (seen.missing_students or seen.missing_assignments or seen.custom or seen.overrides)
    assert (
        {who for _, who in seen.diff}
        == set(told.changed)
        == {int(row.student.id) for row in plan.changed}
    )
    assert {who: after for (_, who), (_, after) in seen.diff.items()} == {
        int(row.student.id): row.after for row in plan.changed
    }
    before = {id_: staff.shown(id_) for id_ in canvas.users if id_ >= 1000}
    seen.save()
    for id_, old in before.items():
        new = next((row.after for row in plan.changed if row.student.id == str(id_)), None)
        assert staff.shown(id_) == (float(new) if new else old)
        assert canvas.submission(course, other, canvas.users[id_]).score == 7


def test_what_people_changed_since_stays_and_is_named(staff: Instructor) -> None:
    staff.grade({101: 5, 102: 6, 103: 7})
    staff.by_hand(102, 9)
    staff.by_hand(103, None)
    plan = staff.plan({101: 8, 102: 8, 103: 8})
    assert [(row.student.id, row.before, row.after) for row in plan.changed] == [
        ("101", "5.00", "8")
    ]
    assert "changed in Canvas from 6 to 9.00; it stays unless --ours 102" in left(plan)["102"]
    assert "cleared in Canvas after 7 was written" in left(plan)["103"]
    staff.grade({101: 8, 102: 8, 103: 8}, ours=["103"])
    assert [staff.shown(id_) for id_ in (101, 102, 103)] == [8, 9, 8]


def test_a_grade_that_was_there_before_ours_stays(staff: Instructor) -> None:
    staff.by_hand(101, 4)
    staff.by_hand(102, 6)
    plan = staff.plan({101: 5, 102: 6, 103: 7})
    assert "has 4.00 in Canvas, which is not from here" in left(plan)["101"]
    assert [row.student.id for row in plan.changed] == ["103"]
    assert all(one.conflict for one in plan.left_out)


def test_what_was_set_back_by_a_person_stays(staff: Instructor) -> None:
    staff.grade({101: 5, 102: 6})
    staff.grade({101: 7, 102: 8})
    staff.by_hand(101, 5)
    plan = staff.plan({101: 9, 102: 9})
    assert "shows 5.00 in Canvas, as before 7 was written" in left(plan)["101"]
    assert [row.student.id for row in plan.changed] == ["102"]


def test_excused_and_unassigned_students_are_left_alone(staff: Instructor) -> None:
    staff.by_hand(101, None, excuse=True)
    plan = staff.plan({101: 5, 102: 6}, ours=["101"])
    assert "excused" in left(plan)["101"] and [one.student.id for one in plan.rows] == ["102"]


def test_a_gradebook_from_before_the_last_import_is_refused(staff: Instructor) -> None:
    staff.grade({101: 5, 102: 6})
    old = staff.gradebook()
    staff.grade({101: 7, 102: 8})
    with pytest.raises(ExportError, match=r"none of the 2 grades .* 12 Feb 2027, 02:00 UTC"):
        staff.plan({101: 9, 102: 9}, old)
    assert len(staff.plan({101: 9, 102: 9}).changed) == 2


def test_a_file_that_nobody_imported_is_made_anew_if_that_is_said(staff: Instructor) -> None:
    first = staff.export({101: 5, 102: 6})
    for scores in ({101: 5, 102: 6}, {101: 5, 102: 9}):
        with pytest.raises(ExportError, match="--not-imported"):
            staff.export(scores)
    assert staff.export({101: 5, 102: 6}, not_imported=True) == first
    second = staff.export({101: 5, 102: 9}, not_imported=True)
    assert len(staff.written.batches) == 1
    staff.canvas.import_csv(staff.course, second).save()
    assert [staff.shown(id_) for id_ in (101, 102)] == [5, 9]
    assert not staff.plan({101: 5, 102: 9}).changed and not staff.plan({102: 9}).left_out


def test_who_was_set_back_by_a_person_is_left_out_by_name(staff: Instructor) -> None:
    staff.grade({101: 5, 102: 6})
    staff.grade({101: 7, 102: 6})
    staff.by_hand(101, 5)
    with pytest.raises(ExportError, match=r"set back since \(--leave-out 101\)"):
        staff.plan({101: 9, 102: 9})
    plan = staff.plan({101: 9, 102: 9}, leave_out=["101"])
    assert [row.student.id for row in plan.changed] == ["102"]


def test_what_was_cleared_is_not_taken_for_an_old_gradebook(staff: Instructor) -> None:
    staff.grade({101: 5, 102: 6})
    staff.grade({101: 7, 102: 6})
    staff.by_hand(101, None)
    assert "cleared in Canvas after 7" in left(staff.plan({101: 9, 102: 6}))["101"]


def test_a_gradebook_older_than_the_last_push_is_refused(staff: Instructor) -> None:
    staff.grade({101: 5, 102: 6})
    old = staff.gradebook()
    cells = {"101": Cell(before="5", after="7")}
    staff.written = merged(
        staff.written, [Batch(written=NOW + timedelta(days=1), cells=cells, by="push")]
    )
    with pytest.raises(ExportError, match=r"older than what was pushed .* 13 Feb 2027"):
        staff.plan({101: 9}, old, not_imported=True)
    staff.by_hand(101, 7)
    assert [row.after for row in staff.plan({101: 9}).changed] == ["9"]
    assert [batch.by for batch in staff.plan({101: 9}).noted(NOW).batches] == ["file", "file"]


def test_where_canvas_deducts_raw_points_go_in_and_are_known_again(strict: Instructor) -> None:
    late = [102, 103]
    strict.grade({101: 9, 102: 9, 103: 8}, late=late)
    assert [strict.shown(id_) for id_ in (101, 102, 103)] == [9, 7, 6]
    again = strict.plan({101: 9, 102: 9, 103: 8}, late=late)
    assert not again.changed and not again.left_out
    assert [row.deducted for row in again.rows] == [False, True, True]
    strict.grade({101: 9, 102: 10, 103: 8}, late=late)
    assert [strict.shown(id_) for id_ in (101, 102, 103)] == [9, 8, 6]


def test_an_old_grade_that_looks_like_a_deduction_is_not_taken_for_one(strict: Instructor) -> None:
    scores = {101: 5.0, 102: 5.0, 103: 5.0}
    strict.grade(scores, late=[102, 103])
    old = strict.gradebook()
    strict.grade(scores | {103: 4.0}, late=[102, 103])
    assert strict.shown(103) == 2  # 3 before, as 4 less one day
    with pytest.raises(ExportError, match="none of the 1 grades"):
        strict.plan({101: 9}, old)


def test_the_number_that_canvas_would_take_for_unchanged_is_named(strict: Instructor) -> None:
    strict.grade({102: 9, 103: 9}, late=[102, 103])
    plan = strict.plan({102: 7, 103: 8}, late=[102, 103], ours=["102"])
    assert [row.student.id for row in plan.changed] == ["103"]
    assert "take the same number for unchanged" in left(plan)["102"]


def test_a_person_who_grades_late_work_is_not_taken_for_canvas(strict: Instructor) -> None:
    strict.grade({101: 9, 102: 9, 103: 9}, late=[102, 103])
    strict.by_hand(102, 9.5)
    strict.by_hand(101, 7)
    plan = strict.plan({101: 10, 102: 10, 103: 10}, late=[102, 103])
    assert [row.student.id for row in plan.changed] == ["103"]
    assert {one.student for one in plan.left_out if one.conflict} == {"101", "102"}


def test_an_undeclared_late_policy_is_named_as_a_reason(strict: Instructor) -> None:
    strict.grade({102: 9}, late=[102])
    strict.late = None
    reason = left(strict.plan({102: 10, 101: 3}, late=[102]))["102"]
    assert "which course.toml does not say" in reason


def test_a_custom_column_of_the_assignments_name_is_refused(staff: Instructor) -> None:
    staff.course.custom_columns.append(CustomColumn(1, "CNNs (11)"))
    with pytest.raises(ExportError, match="two columns"):
        staff.plan({101: 5})
    staff.assignment.published = False
    with pytest.raises(ExportError, match="columns for notes"):
        staff.plan({101: 5})

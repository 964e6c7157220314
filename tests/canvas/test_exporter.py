"""The gradebook as the instructor exports it, and back again."""

from __future__ import annotations

import csv
import io

import pytest
from fakecanvas import Canvas
from fakecanvas.model import Course, CustomColumn, Override, Section

from autograder.gradebook import parse


def table(data: bytes, delimiter: str = ",") -> list[list[str]]:
    text = data.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_header_marks_points_students_and_totals(canvas: Canvas, course: Course) -> None:
    course.assignments[1].post_manually = True
    canvas.grade_by_hand(course, course.assignments[0], canvas.users[101], 8.125)
    header, marks, points, *rows = table(canvas.gradebook_csv(course))
    assert header[:7] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section",
                          "CNNs (11)", "GNNs (12)"]  # fmt: skip
    assert marks[:8] == ["", "", "", "", "", "", "Manual Posting", ""]
    assert points[0] == "    Points Possible" and points[5:8] == ["10.00", "10.00", "(read only)"]
    assert [row[0] for row in rows] == ["Lovelace, Ada", "Müller, Jürgen", "王, 小明"]
    assert rows[0][5:7] == ["8.12", ""] and rows[0][7] == "81.25"


def test_some_cells_hold_no_number(canvas: Canvas, course: Course) -> None:
    first, second = course.assignments
    canvas.grade_by_hand(course, first, canvas.users[101], excuse=True)
    second.only_visible_to_overrides = True
    second.overrides.append(Override(1, None, [102]))
    rows = table(canvas.gradebook_csv(course))[2:]
    assert [row[5:7] for row in rows[:2]] == [["EX", "N/A"], ["", ""]]


def test_without_rights_there_are_no_sis_ids(canvas: Canvas, course: Course) -> None:
    canvas.sis_rights = False
    header = table(canvas.gradebook_csv(course))[0]
    assert header[:4] == ["Student", "ID", "SIS Login ID", "Section"]


def test_settings_of_whoever_exports(canvas: Canvas, course: Course) -> None:
    canvas.grade_by_hand(course, course.assignments[0], canvas.users[101], 8.5)
    data = canvas.gradebook_csv(course, bom=True, semicolon=True, decimal_comma=True)
    assert data.startswith(b"\xef\xbb\xbf") and table(data, ";")[2][5] == "8,50"


def test_sections_custom_columns_formulas_and_the_test_student(
    canvas: Canvas, course: Course
) -> None:
    other = Section(55, "Lab B")
    canvas.enroll(course, canvas.users[101], other)
    canvas.enroll(course, canvas.add_user(104, '=HYPERLINK("x")'), other)
    canvas.enroll(course, canvas.add_user(105, "Student, Test"), type_="StudentViewEnrollment")
    course.custom_columns.append(CustomColumn(1, "Notes", read_only=True, data={101: "hi"}))
    _, points, *rows = table(canvas.gradebook_csv(course))
    assert points[5] == "(read only)" and rows[-1][0] == "Student, Test"
    found = {row[1]: row for row in rows}
    assert found["101"][4:6] == ["Section 1 and Lab B", "hi"]
    assert found["104"][0] == '="=HYPERLINK("x")"'


@pytest.mark.parametrize("options", [{}, {"semicolon": True, "decimal_comma": True}, {"bom": True},
                                     {"integration": True, "root_account": True}])  # fmt: skip
def test_what_was_exported_is_read_by_us_and_imports_without_a_change(
    canvas: Canvas, course: Course, options: dict[str, bool]
) -> None:
    for user, grade in ((101, 8.5), (102, 10), (103, 0.3333)):
        canvas.grade_by_hand(course, course.assignments[0], canvas.users[user], grade)
    data = canvas.gradebook_csv(course, **options)
    assert [student.id for student in parse(data).students] == ["101", "102", "103"]
    assert canvas.import_csv(course, data).diff == {}

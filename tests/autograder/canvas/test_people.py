"""The roster holds the students once each, as a gradebook that can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakecanvas import Canvas
from fakecanvas.model import Course, Section

from autograder import gradebook
from autograder.canvas.client import Client
from autograder.canvas.people import read, write


@pytest.fixture
def crowded(canvas: Canvas, course: Course) -> Course:
    other = Section(77, "Section 2, evening")
    course.sections.append(other)
    canvas.enroll(course, canvas.users[101], other)
    canvas.enroll(course, canvas.add_user(104, "Gone, Long"), state="completed")
    canvas.enroll(course, canvas.add_user(105, "Away, For Now"), other, state="inactive")
    canvas.enroll(course, canvas.add_user(106, "Student, Test"), type_="StudentViewEnrollment")
    canvas.enroll(course, canvas.add_user(107, "=1+1, Eve", sis_user_id="1.2.3"))
    return course


def test_active_and_inactive_students_are_in_it_once_and_nobody_else(
    client: Client, crowded: Course
) -> None:
    roster = read(client, 1)
    assert list(roster.people) == ["107", "105", "101", "102", "103"]
    assert [roster.sections[one] for one in roster.people["101"].sections] == [
        "Section 1", "Section 2, evening",
    ]  # fmt: skip


def test_what_is_written_is_what_canvas_exports(
    client: Client, canvas: Canvas, crowded: Course, tmp_path: Path
) -> None:
    write(tmp_path / "roster.csv", read(client, 1))
    exported = gradebook.parse(canvas.gradebook_csv(crowded)).students
    written = gradebook.read(tmp_path / "roster.csv").students
    assert '\n"=""=1+1, Eve""",107,' in (tmp_path / "roster.csv").read_text()
    assert sorted(written, key=lambda one: one.id) == sorted(exported, key=lambda one: one.id)
    assert ((tmp_path / "roster.csv").stat().st_mode & 0o777) == 0o600


def test_who_may_not_see_sis_ids_gets_no_column_for_them(
    client: Client, canvas: Canvas, crowded: Course, tmp_path: Path
) -> None:
    canvas.sis_rights = False
    write(tmp_path / "roster.csv", read(client, 1))
    assert (tmp_path / "roster.csv").read_text().startswith("Student,ID,Section\n")
    students = gradebook.read(tmp_path / "roster.csv").students
    assert {one.id for one in students} == {"101", "102", "103", "105", "107"}


def test_a_person_whose_enrolment_in_one_section_is_over_is_in_the_other_only(
    client: Client, crowded: Course
) -> None:
    crowded.enrollments[1].state = "completed"
    assert read(client, 1).people["101"].sections == [77]

"""Feedback by *Upload submissions*: everybody gets their own, below what they handed in."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from fakecanvas import Canvas
from fakecanvas.model import Assignment, Course, Group
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.bundle import Manifest, Question
from autograder.canvas.feedback import Feedback, cover, feedback, packed, read_record, write
from autograder.errors import ExportError
from autograder.gradebook import parse
from autograder.grades import Grade, Rules, grades
from autograder.intake import Intake, intake
from autograder.model import QuestionVerdict, Standing, Verdict
from autograder.notebook import read
from autograder.teams import Team

QUESTIONS = [Question(name="q1", points=4), Question(name="q2", points=6)]
MANIFEST = Manifest(name="hw", title="CNNs & *more*", notebook="hw.ipynb", otter_zip="x.zip",
                    questions=QUESTIONS)  # fmt: skip
SAID = "2 of 3 visible checks passed."
NAMES = st.text(
    st.one_of(st.characters(categories=["L", "M", "Nd", "P", "Zs"]), st.sampled_from("_019 -'")),
    min_size=1, max_size=14,
).map(lambda name: " ".join(name.split()) or "x")  # fmt: skip
FILES = st.one_of(
    st.sampled_from(["hw.ipynb", "hw_link.ipynb", "my_linkedlist.ipynb", "hw_2_3.ipynb", "hw.zip",
                     "HW (1).IPYNB", "3_hw.ipynb", "LATE_hw.ipynb", "hw.ipynb.txt"]),
    NAMES.map(lambda name: f"{name}.ipynb"),
)  # fmt: skip


def nb(owner: object) -> bytes:
    cell = {"cell_type": "code", "id": "a", "source": f"owner = {owner}", "metadata": {},
            "outputs": [], "execution_count": None}  # fmt: skip
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    ).encode()


def handed_in(name: str, owner: int) -> bytes:
    return packed({"hw.ipynb": nb(owner)}) if name.lower().endswith(".zip") else nb(owner)


def verdict(student: str, name: str = "?", **more: Any) -> Verdict:
    fields = {"status": Standing.GRADED, "score": 7.0} | more
    questions = {
        "q1": QuestionVerdict(score=2, possible=4, tests=[]),
        "q2": QuestionVerdict(score=5, possible=6, tests=[]),
    }
    return Verdict(student=student, name=name, assignment="hw", possible=10, isolation="A",
                   seconds=1, questions=questions, **fields)  # fmt: skip


def taken(canvas: Canvas, teams: list[Team] | None = None) -> Intake:
    course = canvas.courses[1]
    name, data = canvas.submissions_zip(course, course.assignments[0])
    students = parse(canvas.gradebook_csv(course)).students
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return intake([path], students, MANIFEST, teams or [])


def made(found: Intake, counted: list[Grade] | None = None, **before: str) -> Feedback:
    people = [one for submission in found.submissions
              for one in submission.members or [submission.student]]  # fmt: skip
    all_ = grades([verdict(one.id, one.name) for one in people], Rules())
    return feedback(found, counted or all_, MANIFEST, nb, lambda verdict: SAID, before)


def uploaded(canvas: Canvas, found: Feedback) -> dict[int, list[tuple[str, bytes]]]:
    """Upload it, and tell what everybody sees: names and contents of attachments."""
    course = canvas.courses[1]
    data = packed({file.entry: file.data for file in found.files})
    assert canvas.reupload(course, course.assignments[0], data) == []
    return {
        user: [(comment.shown_names[file.id], file.content)
               for comment in submission.comments for file in comment.attachments]
        for (id_, user), submission in course.submissions.items()
        if id_ == course.assignments[0].id
    }  # fmt: skip


def owner(name: str, data: bytes) -> int:
    if name.lower().endswith(".zip"):
        data = zipfile.ZipFile(io.BytesIO(data)).read("hw.ipynb")
    return int(json.loads(data)["cells"][1]["source"].removeprefix("owner = "))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(NAMES, FILES, st.booleans()), min_size=1, max_size=5))
def test_everybody_gets_their_own_notebook_under_their_own_name_or_is_listed(
    people: list[tuple[str, str, bool]],
) -> None:
    canvas = Canvas()
    course = canvas.add_course(1)
    assignment = canvas.add_assignment(course, 11, "HW", due_at=canvas.now)
    names = {}
    for id_, (name, file, late) in zip([12, 34, 99, 101, 345], people, strict=False):
        canvas.enroll(course, canvas.add_user(id_, name))
        at = canvas.now + timedelta(hours=1 if late else -1)
        data = {file: handed_in(file, id_)}
        sent = canvas.hand_in(course, assignment, canvas.users[id_], data, at=at)
        names[id_] = sent.attempts[-1].attachments[0].display_name
    found_in = taken(canvas)
    found = made(found_in)
    seen = uploaded(canvas, found)
    reached = {int(file.student.id) for file in found.files}
    for id_, name in names.items():
        assert [shown for shown, _ in seen[id_]] == ([name] if id_ in reached else [])
        assert all(owner(*one) == id_ for one in seen[id_])
    left = {int(one.student) for one in found.left_out}
    assert reached.isdisjoint(left) and reached | left == set(names)


def test_ordinary_names_are_all_reached(canvas: Canvas, course: Course) -> None:
    files = {101: "hw.ipynb", 102: "hw_final_2.ipynb", 103: "hw.zip"}
    for id_, file in files.items():
        data = {file: handed_in(file, id_)}
        canvas.hand_in(course, course.assignments[0], canvas.users[id_], data)
    seen = uploaded(canvas, made(taken(canvas)))
    assert {id_: owner(*seen[id_][0]) for id_ in files} == {id_: id_ for id_ in files}


@pytest.mark.parametrize(
    ("file", "reason"),
    [("hw_link.ipynb", "begins with “link”"), ("my_linkedlist.ipynb", "begins with “link”"),
     ("hw.ipynb.txt", "neither a notebook's nor an archive's")],
)  # fmt: skip
def test_what_canvas_would_ignore_is_left_out_with_the_reason(
    canvas: Canvas, course: Course, file: str, reason: str
) -> None:
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {file: nb(101)})
    found = made(taken(canvas))
    assert not found.files
    reasons = {one.student: one.reason for one in found.left_out}
    assert reason in reasons["101"] and reasons["102"] == "handed in nothing"


def test_names_with_numbers_texts_and_other_sources_are_left_out(
    canvas: Canvas, course: Course, tmp_path: Path
) -> None:
    canvas.enroll(course, canvas.add_user(99, "x_7"))
    canvas.hand_in(course, course.assignments[0], canvas.users[99], {"hw.ipynb": nb(99)})
    canvas.hand_in(course, course.assignments[0], canvas.users[101], body="my answer")
    reasons = {one.student: one.reason for one in made(taken(canvas)).left_out}
    assert "look for somebody else" in reasons["99"]
    (tmp_path / "102.ipynb").write_bytes(nb(102))
    students = parse(canvas.gradebook_csv(course)).students
    (left,) = [one for one in made(intake([tmp_path], students, MANIFEST)).left_out
               if one.student == "102"]  # fmt: skip
    assert "not taken from an archive of Canvas" in left.reason


@pytest.mark.parametrize(
    "more", [{"status": Standing.UNREADABLE}, {"status": Standing.GRADER_ERROR}]
)
def test_who_has_no_grade_gets_no_feedback(
    canvas: Canvas, course: Course, more: dict[str, Any]
) -> None:
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": nb(101)})
    counted = grades([verdict("101", **more)], Rules())
    assert not made(taken(canvas), counted).files


def group(canvas: Canvas, assignment: Assignment) -> list[Team]:
    course = canvas.courses[1]
    assignment.group_category_id = 3
    course.groups.append(Group(9, "Blue", 3, [101, 103]))
    students = parse(canvas.gradebook_csv(course)).students
    return [Team(name="Blue", members=[one for one in students if one.id in {"101", "103"}])]


def test_a_team_sees_one_sheet_and_its_other_members_are_named(
    canvas: Canvas, course: Course
) -> None:
    teams = group(canvas, course.assignments[0])
    canvas.hand_in(course, course.assignments[0], canvas.users[103], {"hw.ipynb": nb(101)})
    found = made(taken(canvas, teams))
    assert [file.student.id for file in found.files] == ["101"]
    assert [one.student for one in found.left_out] == ["102", "103"]
    seen = uploaded(canvas, found)
    assert owner(*seen[101][0]) == owner(*seen[103][0]) == 101 and not seen[102]


def test_members_with_different_points_share_no_sheet(canvas: Canvas, course: Course) -> None:
    teams = group(canvas, course.assignments[0])
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": nb(101)})
    counted = grades([verdict("101"), verdict("103", score=6)], Rules())
    found = made(taken(canvas, teams), counted)
    assert not found.files and "different points" in found.left_out[-1].reason


def test_the_cell_in_front_says_score_sum_and_points_and_is_only_text(
    canvas: Canvas, course: Course
) -> None:
    grade = Grade(verdict=verdict("101", remarks=["It <b>ended</b> in [cell](http://x) 3."]),
                  points=grades([verdict("101")], Rules())[0].points - 1,
                  arithmetic="7/10, 1 day late: −10 % of 10 → 6")  # fmt: skip
    text = cover(grade, MANIFEST, SAID)
    assert "**Score: 6 of 10**" in text and "late\\: −10 % of 10 → 6" in text
    assert "| q1 | 2 of 4 |" in text and "| q2 | 5 of 6 |" in text
    assert "Generated by the autograder" in text and "2 of 3 visible checks passed" in text
    assert "<b>" not in text.replace("\\<b\\>", "") and "](" not in text
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": nb(101)})
    (file,) = made(taken(canvas)).files
    nbformat.validate(nbformat.reads(file.data.decode(), 4))
    first, second = read(file.data)["cells"]
    assert first["cell_type"] == "markdown" and second["source"] == "owner = 101"
    assert json.loads(file.data)["cells"][0]["metadata"] == {"autograder": {"generated": True}}


def test_what_was_written_is_not_written_again_unless_it_changed(
    canvas: Canvas, course: Course, tmp_path: Path
) -> None:
    for id_ in (101, 102):
        file = {"hw.ipynb": nb(id_)}
        canvas.hand_in(course, course.assignments[0], canvas.users[id_], file)
    found_in, out = taken(canvas), tmp_path / "f.zip"
    assert write(made(found_in), out, tmp_path) == 2
    first = out.read_bytes()
    again = made(found_in, **read_record(tmp_path))
    with pytest.raises(ExportError, match="All 2 files are as they were"):
        write(again, out, tmp_path)
    assert write(again, out, tmp_path, again=True) == 2 and out.read_bytes() == first
    counted = grades([verdict("101"), verdict("102", score=3)], Rules())
    changed = made(found_in, counted, **read_record(tmp_path))
    assert write(changed, out, tmp_path) == 1
    assert [name.split("_")[2] for name in zipfile.ZipFile(out).namelist()] == ["102"]


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "feedback.json").write_text("[")
    with pytest.raises(ExportError, match="restore or remove it"):
        read_record(tmp_path)


def test_archives_are_packed_no_tighter_than_canvas_unpacks() -> None:
    data = packed({"a": bytes(2**20)})
    assert len(data) > 2**20 and zipfile.ZipFile(io.BytesIO(data)).read("a") == bytes(2**20)
    assert len(packed({"a": json.dumps(list(range(9999))).encode()})) < 40_000

"""What *Download submissions* makes of any class, taken in: nobody gets another's file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakecanvas import Canvas
from fakecanvas.model import Assignment, Course, Group, User
from fakecanvas.scenario import DUE, small
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.bundle import Manifest
from autograder.gradebook import parse
from autograder.intake import Intake, intake
from autograder.model import Student
from autograder.teams import Team

MANIFEST = Manifest(name="hw", title="HW", notebook="hw.ipynb", otter_zip="x.zip", questions=[])
WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
NASTY = st.text(st.sampled_from("_019aé王ｱ܀्Ⅷ -'.,Σς\u200c"), min_size=1, max_size=20)
NAMES = st.one_of(
    WORD,
    NASTY,
    st.sampled_from(["LATE", "12_34", "12, 34", "x_12", "x__12___900009__y", "anon_a", "!!!",
                     "_LATE", "Müller, Jürgen", "Mu\u0308ller, Ju\u0308rgen", "शर्मा, प्रिया", "=1+1",
                     "Σίσυφος", "İpek, Ş", "text.html", "12_34_hw.ipynb", "12_900003_34"]),
).map(lambda name: " ".join(name.split()) or "x")  # fmt: skip
FILES = st.one_of(
    st.sampled_from(["hw.ipynb", "hw-3.ipynb", "hw_link.ipynb", "12_hw.ipynb", "12_34_hw.ipynb",
                     "a_12_900004_x.ipynb", "hw-0b8f4a52-3c1d-4e5f-8a9b-0c1d2e3f4a5b.ipynb",
                     "34_text.html", "hw_2027_11_10.ipynb", "LATE_12_900001_hw.ipynb"]),
    NASTY.map(lambda name: f"{name}.ipynb"),
    WORD.map(lambda name: f"{name}.ipynb"),
)  # fmt: skip
IDS = [12, 34, 99, 101, 345, 2027]


def nb(owner: object) -> bytes:
    cell = {"cell_type": "code", "source": f"{owner}", "metadata": {}, "outputs": []}
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    ).encode()


def owner(notebook: bytes) -> int:
    return int(json.loads(notebook)["cells"][0]["source"])


def course_of(names: list[str]) -> tuple[Canvas, Course, Assignment]:
    canvas = Canvas(now=DUE)
    course = canvas.add_course(1)
    for id_, name in zip(IDS, names, strict=False):
        canvas.enroll(course, canvas.add_user(id_, name))
    return canvas, course, canvas.add_assignment(course, 11, "HW", due_at=DUE)


def roster_of(canvas: Canvas, course: Course) -> list[Student]:
    return parse(canvas.gradebook_csv(course)).students


def taken(
    canvas: Canvas, course: Course, assignment: Assignment, roster: list[Student],
    teams: Sequence[Team] = (),
) -> Intake:  # fmt: skip
    name, data = canvas.submissions_zip(course, assignment)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        return intake([path], roster, MANIFEST, teams)


def hand_in(canvas: Canvas, assignment: Assignment, user: User, name: str, **more: Any) -> None:
    canvas.hand_in(canvas.courses[1], assignment, user, {name: nb(user.id)}, **more)


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(NAMES, FILES, st.booleans(), st.booleans()), min_size=2, max_size=6))
def test_never_is_a_file_taken_for_another_students(
    people: list[tuple[str, str, bool, bool]],
) -> None:
    canvas, course, assignment = course_of([name for name, *_ in people])
    for user, (_, file, late, _) in zip(list(canvas.users.values()), people, strict=True):
        at = DUE + timedelta(hours=1 if late else -1)
        hand_in(canvas, assignment, user, file, at=at)
    known = {str(id_) for id_, (*_, in_roster) in zip(IDS, people, strict=False) if in_roster}
    roster = [student for student in roster_of(canvas, course) if student.id in known]
    found = taken(canvas, course, assignment, roster)
    late = {str(id_): late for id_, (_, _, late, _) in zip(IDS, people, strict=False)}
    for one in found.submissions:
        if one.notebook:
            assert str(owner(one.notebook)) == one.student.id
            assert one.late == late[one.student.id]
    listed = len(found.unmatched) + len(found.unused)
    assert len(found.submissions) + listed >= len(people)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.characters(categories=["L", "M", "Zs"]), min_size=1, max_size=12)
                .filter(str.strip), min_size=2, max_size=6), st.booleans())  # fmt: skip
def test_names_of_letters_in_any_script_are_all_taken(names: list[str], late: bool) -> None:
    canvas, course, assignment = course_of(names)
    for user in list(canvas.users.values()):
        hand_in(canvas, assignment, user, "hw.ipynb", at=DUE + timedelta(hours=late))
    found = taken(canvas, course, assignment, roster_of(canvas, course))
    assert {(one.student.id, owner(one.notebook), one.late) for one in found.submissions} == {
        (str(user.id), user.id, late) for user in canvas.users.values()
    }
    assert not found.unmatched and not found.missing


@settings(max_examples=60, deadline=None)
@given(NAMES, st.booleans())
def test_a_group_counts_for_its_members_and_for_nobody_else(name: str, told: bool) -> None:
    canvas, course, assignment = course_of(["Lovelace, Ada", "Bo", "Cy", "Di"])
    assignment.group_category_id = 3
    course.groups.append(Group(9, name, 3, [34, 101]))
    hand_in(canvas, assignment, canvas.users[34], "hw.ipynb")
    hand_in(canvas, assignment, canvas.users[99], "hw.ipynb")
    roster = roster_of(canvas, course)
    members = [student for student in roster if student.id in {"34", "101"}]
    teams = [Team(name=name, members=members)] if told else []
    found = taken(canvas, course, assignment, roster, teams)
    for one in found.submissions:
        ids = {member.id for member in one.members} or {one.student.id}
        assert ids <= ({"34", "101"} if owner(one.notebook) == 34 else {"99"})
        assert len(ids) == 2 or not told or owner(one.notebook) == 99
    assert "99" in {one.student.id for one in found.submissions}


def test_the_name_of_a_known_group_may_hold_numbers() -> None:
    canvas, course, assignment = course_of(["Lovelace, Ada", "Bo", "Cy"])
    assignment.group_category_id = 3
    course.groups.append(Group(9, "Team_7", 3, [34, 99]))
    hand_in(canvas, assignment, canvas.users[34], "hw.ipynb")
    roster = roster_of(canvas, course)
    alone = taken(canvas, course, assignment, roster)
    assert alone.submissions == [] and "rename it" in alone.unmatched[0].reason
    members = [student for student in roster if student.id in {"34", "99"}]
    found = taken(canvas, course, assignment, roster, [Team(name="Team_7", members=members)])
    assert [one.team for one in found.submissions] == ["Team_7"]


@pytest.mark.parametrize("late", [False, True])
def test_anonymous_archives_are_refused_whole(late: bool) -> None:
    canvas, course, assignment = course_of(["Lovelace, Ada", "Bo"])
    for user in list(canvas.users.values()):
        hand_in(canvas, assignment, user, "hw.ipynb", at=DUE + timedelta(hours=late))
    assignment.anonymous_grading = True
    found = taken(canvas, course, assignment, roster_of(canvas, course))
    assert found.submissions == [] and len(found.unmatched) == len(found.missing) == 2
    assert all("anonymous" in one.reason for one in found.unmatched)


def test_texts_links_and_the_ninth_upload_are_told_apart() -> None:
    canvas, course, assignment = course_of(["Lovelace, Ada", "Bo", "Cy"])
    ada, bo, cy = canvas.users.values()
    for _ in range(9):
        hand_in(canvas, assignment, ada, "hw.ipynb")
    canvas.hand_in(course, assignment, bo, body="my answer")
    canvas.hand_in(course, assignment, cy, url="https://example.edu")
    found = taken(canvas, course, assignment, roster_of(canvas, course))
    one, *others = sorted(found.submissions, key=lambda one: one.student.id)
    assert (one.student.id, one.attempt, one.problem) == ("12", 9, "")
    assert all("a text or a link" in other.problem for other in others)


def test_the_archives_own_entry_name_is_kept_verbatim() -> None:
    canvas, course, assignment = course_of(["Müller, Jürgen"])
    hand_in(canvas, assignment, canvas.users[12], "my  hw\u200f (1).ipynb")
    (one,) = taken(canvas, course, assignment, roster_of(canvas, course)).submissions
    assert one.entry == "müllerjürgen_12_900003_my  hw\u200f (1).ipynb"


def test_an_archive_of_a_course_is_not_taken_for_a_students(tmp_path: Path) -> None:
    canvas = small()
    course, assignment = canvas.courses[1], canvas.courses[1].assignments[0]
    course.course_code, assignment.name = "adl_101_2027_x", "HW"
    canvas.hand_in(course, assignment, canvas.users[102], {"hw.ipynb": nb(102)})
    found = taken(canvas, course, assignment, roster_of(canvas, course))
    assert [one.student.id for one in found.submissions] == ["102"]


def test_the_longest_names_that_canvas_takes_are_read() -> None:
    canvas, course, assignment = course_of(["𐓷" * 255])
    hand_in(canvas, assignment, canvas.users[12], "𐓷" * 249 + ".ipynb")
    (one,) = taken(canvas, course, assignment, roster_of(canvas, course)).submissions
    assert not one.problem

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from autograder.course import parse
from autograder.errors import CourseError
from autograder.syllabus import Entry, entries

COURSE = """
title = "T"
term = "S"
licence = "MIT"
[[assignment]]
name = "hw"
kind = "project"
points = 10
weight = 1
release = 2027-02-01T09:00:00Z
due = 2027-04-01T00:00:00Z
"""
MILESTONES = "".join(
    f'[[assignment.milestone]]\nquestion = "{name}"\ntitle = "{name}"\npoints = {points}\n'
    "due = 2027-03-01T00:00:00Z\n"
    for name, points in (("q1", 7.5), ("q2", 2.5))
)
RUBRIC = 'title = "Work"\n[[rubric.q2]]\ntext = "Says why"\npoints = 2.5\n'
FACTS: dict[str, Any] = {
    "name": "hw", "title": "Work", "notebook": "hw.ipynb", "limits": {},
    "questions": [
        {"name": "q1", "title": "1 · A", "points": 7.5, "written": False},
        {"name": "q2", "title": "2 · B", "points": 2.5, "written": True},
    ],
    "files": [{"name": "hw.safetensors"}],
}  # fmt: skip


def held(folder: Path, course: str = COURSE, facts: Any = FACTS, rubric: str = RUBRIC) -> Entry:
    for name, file, text in (
        ("assignments", "assignment.json", json.dumps(facts)),
        ("solutions", "assignment.toml", rubric),
    ):
        (folder / name / "hw").mkdir(parents=True)
        (folder / name / "hw" / file).write_text(text)
    return entries(parse(course), folder)[0]


def test_an_entry_tells_what_is_built(tmp_path: Path) -> None:
    entry = held(tmp_path, COURSE + MILESTONES)
    assert (entry.title, entry.notebook, entry.files) == ("Work", "hw.ipynb", ["hw.safetensors"])
    assert (entry.automatic, entry.written) == (Decimal("7.5"), Decimal("2.5"))
    assert [item.text for item in entry.rubric["q2"]] == ["Says why"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("points = 10", "points = 12", "points: 12 in course.toml, but 7.5 by tests and 2.5 by"),
        ('"q1"', '"q9"', "milestone q9: no such question; there are q1, q2"),
        ('"q1"', '"q3"', "milestone q3: no such question"),
    ],
)
def test_points_and_questions_must_be_those_that_are_built(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    text = COURSE + ("" if "points" in old else MILESTONES)
    with pytest.raises(CourseError) as raised:
        held(tmp_path, text.replace(old, new, 1))
    assert str(raised.value).startswith("course.toml: assignment hw: ")
    assert says in str(raised.value)


def test_a_milestone_is_worth_what_its_question_is(tmp_path: Path) -> None:
    swapped = MILESTONES.replace("7.5", "5").replace("points = 2.5", "points = 5")
    with pytest.raises(CourseError, match=r"milestone q1: points: 5 in course\.toml, but 7\.5 are"):
        held(tmp_path, COURSE + swapped)


def test_a_rubric_that_was_changed_after_the_build_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"rubric of q2 adds up to 3 points .* 2\.5; run"):
        held(tmp_path, rubric=RUBRIC.replace("2.5", "3"))


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"assignments/hw/assignment\.json is not there; run"):
        entries(parse(COURSE), tmp_path)
    held(tmp_path)
    (tmp_path / "solutions/hw/assignment.toml").unlink()
    with pytest.raises(CourseError, match=r"solutions/hw/assignment\.toml cannot be read"):
        entries(parse(COURSE), tmp_path)
    (tmp_path / "assignments/hw/assignment.json").write_text("{")
    with pytest.raises(CourseError, match=r"course\.toml: assignment hw: .* missing or damaged"):
        entries(parse(COURSE), tmp_path)


def test_a_lab_needs_no_points(tmp_path: Path) -> None:
    lab = COURSE.replace('"project"', '"lab"').replace("points = 10\nweight = 1\n", "")
    assert held(tmp_path, lab).automatic == Decimal("7.5")

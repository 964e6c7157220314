import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from autograder.cli import main
from autograder.release.clone import Record, Update

COURSE = """
title = "Deep Learning"
term = "Spring 2027"
licence = "MIT"
[[assignment]]
name = "hw"
kind = "homework"
points = 10
weight = 1
release = 2027-02-01T09:00:00Z
due = 2027-04-01T00:00:00Z
"""
RUBRIC = """
title = "Networks"
[[rubric.q2]]
text = "Says why"
points = 3
levels = ["0: does not", "3: does"]
"""
FACTS = {
    "name": "hw", "title": "Networks", "notebook": "hw.ipynb", "limits": {}, "files": [],
    "questions": [
        {"name": "q1", "title": "1 · A", "points": 7, "written": False},
        {"name": "q2", "title": "2 · B", "points": 3, "written": True},
    ],
}  # fmt: skip
GRADEBOOK = """Student,ID,SIS Login ID,Section,Networks (11),Total (99)
    Points Possible,,,,10,100
"Lovelace, Ada",101,ada,A,8,
"Müller, Jürgen",102,bob,A,,
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for file, text in {
        "course.toml": COURSE,
        "gradebook.csv": GRADEBOOK,
        "solutions/hw/assignment.toml": RUBRIC,
        "solutions/other/assignment.toml": 'title = "Other"\n',
        "assignments/hw/assignment.json": json.dumps(FACTS),
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_the_course_is_printed_with_its_rubrics(run: Run) -> None:
    result = run("course")
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if "hw: Networks" in line)
    cells = [cell.strip() for cell in row.split("│")[1:6]]
    assert cells == ["hw: Networks", "homework", "1", "10", "7"]
    assert "hw q2, 2 · B: 3 points\n  3  Says why\n       0: does not" in result.output
    assert "note: other is not in course.toml" in result.stderr
    assert "If you hand in more than once, the last attempt counts." in result.output


def test_a_course_file_that_lies_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "course.toml").write_text(COURSE.replace("points = 10", "points = 11"))
    result = run("course")
    assert result.exit_code == 2
    assert result.stderr.startswith("autograder: course.toml: assignment hw: points: 11 in")


EXPORT = ("export", "final", "--gradebook", "gradebook.csv", "--out", "final.csv")


def test_final_grades_are_shown_with_who_lacks_what_before_they_are_written(
    run: Run, tmp_path: Path
) -> None:
    result = run(*EXPORT, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "A blank cell leaves the final grade open" in result.output
    assert "80  100 × (1 × 8/10) = 80" in result.output
    assert "Not everything is graded for 1 of 2 students:\n  Müller, Jürgen" in result.output
    assert not (tmp_path / "final.csv").exists()
    assert run(*EXPORT, "--missing", "zero").exit_code == 0
    lines = list(csv.DictReader((tmp_path / "final.csv").read_text("utf-8").splitlines()))
    assert [one["final of 100"] for one in lines] == ["80", "0"]


def test_a_file_for_canvas_is_written_only_for_a_column_that_is_named(
    run: Run, tmp_path: Path
) -> None:
    result = run(*EXPORT, "--column", "Total", "--dry-run")
    assert "no grade → 80" in result.output and not (tmp_path / "final.csv").exists()
    assert run(*EXPORT, "--column", "Total").exit_code == 0
    text = (tmp_path / "final.csv").read_text("utf-8")
    assert text.splitlines()[0] == "Student,ID,SIS Login ID,Section,Total (99)"
    assert text.splitlines()[2:] == ['"Lovelace, Ada",101,ada,A,80']


def test_what_to_release_is_chosen_by_time_day_or_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def release(project: Path, folder: Path, names: Any, upto: Any, *, overwrite: bool) -> Update:
        asked.append((names, upto, overwrite))
        record = Record(course="C", assignments=["hw"], files={"README.md": ""})
        return Update(folder=folder, record=record, write={"README.md": b""}, remove=["old"],
                      by_hand=[], notebooks=["hw/hw.ipynb"])  # fmt: skip

    monkeypatch.setattr("autograder.release.release", release)
    before = datetime.now(UTC)
    result = run("release", "out")
    assert result.exit_code == 0, result.output
    assert "  wrote README.md\n  removed old\nOut: hw. 1 files in out, 1 written." in result.output
    assert "note: hw/hw.ipynb was out already" in result.stderr
    assert run("release", "out", "--upto", "2027-02-01", "--overwrite").exit_code == 0
    assert run("release", "out", "--names", "hw, lab_1").exit_code == 0
    assert asked[0][0] == [] and before <= asked[0][1] <= datetime.now(UTC) and not asked[0][2]
    assert asked[1] == ([], date(2027, 2, 1), True) and asked[2][0] == ["hw", "lab_1"]
    assert run("release", "out", "--names", "hw", "--upto", "2027-02-01").exit_code == 2

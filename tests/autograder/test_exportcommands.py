"""Files for Canvas from the command line: columns of a whole course, feedback, records."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parents[1] / "canvas"))

from fakecanvas import Canvas
from fakecanvas.scenario import small

from autograder import cli
from autograder.bundle import Manifest, Question
from autograder.canvas.exported import read as read_record
from autograder.canvas.journal import Journal, Part, Record, State
from autograder.canvas.past import Points
from autograder.gradebook import parse
from autograder.intake import Intake, intake
from autograder.model import (
    Outcome,
    QuestionVerdict,
    Standing,
    Student,
    Submission,
    Verdict,
)
from autograder.store import Store

COURSE = """
title = "Course"
term = "Spring"
licence = "Apache-2.0"
{policies}
[[assignment]]
name = "cnn"
kind = "homework"
points = 10
weight = 0.5
release = 2027-02-01T09:00:00Z
due = 2027-02-10T23:59:00Z
canvas = 11

[[assignment]]
name = "project"
kind = "project"
points = 8
weight = 0.5
release = 2027-02-01T09:00:00Z
due = 2027-05-10T23:59:00Z

[[assignment.milestone]]
question = "p0"
title = "Plan"
points = 3
due = 2027-03-15T23:59:00Z

[[assignment.milestone]]
question = "p1"
title = "Model"
points = 5
due = 2027-04-05T23:59:00Z
column = "22"
"""
BY_CANVAS = '[policies.late]\nby = "canvas"\nper_day = 0.1\n'
BY_US = '[policies.late]\nby = "autograder"\nper_day = 0.1\n'
ROSTER = [
    Student(id="101", name="Lovelace, Ada", login="login101", sis_id="0101"),
    Student(id="102", name="Müller, Jürgen", login="login102", sis_id="0102"),
    Student(id="103", name="王, 小明", login="login103", sis_id="0103"),
]
Run = Callable[..., Result]
Scores = dict[str, dict[str, float]]


def results(folder: Path, name: str, scores: Scores, late: tuple[str, ...] = ()) -> Path:
    """A folder of results: points of each question by student."""
    points = {"cnn": {"q1": 10}, "project": {"p0": 3, "p1": 5}}[name]
    manifest = Manifest(name=name, title=name.title(), notebook="hw.ipynb", otter_zip="x.zip",
                        questions=[Question(name=q, points=p)
                                   for q, p in points.items()])  # fmt: skip
    handed_in = [
        Submission(student=one, source="s", notebook=b"", late=one.id in late,
                   entry=f"x_{one.id}_90{one.id}_hw.ipynb")
        for one in ROSTER if one.id in scores
    ]  # fmt: skip
    missing = [one for one in ROSTER if one.id not in scores]
    taken = Intake(submissions=handed_in, missing=missing, unmatched=[], unused=[])
    return keep(folder, manifest, taken, scores)


def keep(folder: Path, manifest: Manifest, taken: Intake, scores: Scores) -> Path:
    """What grading leaves behind of ``taken``."""
    points = {question.name: question.points for question in manifest.questions}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    (folder / "intake.json").write_bytes(msgspec.json.encode(taken))
    with Store(folder / "results.sqlite") as store:
        for one in taken.submissions:
            own = scores[one.student.id]
            verdict = Verdict(
                student=one.student.id, name=one.student.name, assignment=manifest.name,
                status=Standing.GRADED, score=sum(own.values()), possible=sum(points.values()),
                isolation="A", seconds=1, late=one.late,
                key=f"{manifest.name} {one.student.id} {own}",
                questions={q: QuestionVerdict(score=score, possible=points[q], tests=[])
                           for q, score in own.items()},
            )  # fmt: skip
            store.put(verdict.key, Outcome(verdict=verdict))
    return folder


@pytest.fixture
def canvas() -> Canvas:
    made = small()
    course = made.courses[1]
    course.assignments[1].name, course.assignments[1].points_possible = "Plan", 3.0
    made.add_assignment(course, 22, "Something else", points_possible=5.0)
    return made


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canvas: Canvas) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("course.toml").write_text(COURSE.format(policies=""))
    results(Path("grading/cnn"), "cnn", {"101": {"q1": 7}, "102": {"q1": 9.5}})
    results(
        Path("grading/project"), "project", {"101": {"p0": 2, "p1": 4}, "103": {"p0": 1, "p1": 0}}
    )

    def invoke(*arguments: str) -> Result:
        data = canvas.gradebook_csv(canvas.courses[1])
        if not Path("gradebook.csv").exists():
            Path("gradebook.csv").write_bytes(data)
        given = ("--gradebook", "gradebook.csv") if arguments[0] == "canvas" else ()
        result = CliRunner().invoke(cli.main, ["export", *arguments, *given])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def imported(canvas: Canvas, *files: Path) -> dict[tuple[int, int], float | None]:
    """Import files, and tell the scores that Canvas has then."""
    for file in files:
        canvas.import_csv(canvas.courses[1], file.read_bytes()).save()
    Path("gradebook.csv").unlink()
    return {key: one.score for key, one in canvas.courses[1].submissions.items()
            if one.score is not None}  # fmt: skip


ALL = ("canvas", "--all", "--results", "grading", "--out", "out")


def test_a_whole_course_goes_into_its_columns_a_file_for_each(run: Run, canvas: Canvas) -> None:
    done = run(*ALL)
    assert done.exit_code == 0, done.output
    files = sorted(Path("out").iterdir())
    assert [file.name for file in files] == ["cnn.csv", "project-p0.csv", "project-p1.csv"]
    assert "Canvas will show 2 changes in cnn.csv, clear nothing, ignore" in done.output
    assert imported(canvas, *files) == {
        (11, 101): 7, (11, 102): 9.5, (12, 101): 2, (12, 103): 1, (22, 101): 4, (22, 103): 0,
    }  # fmt: skip
    again = run(*ALL)
    assert again.output.count("there is nothing to import") == 3
    assert "Removed: out/cnn.csv, which is older." in again.output
    assert not list(Path("out").iterdir())


def test_nothing_is_written_if_one_column_of_all_is_wrong(run: Run, canvas: Canvas) -> None:
    canvas.courses[1].assignments[2].name = "Final Score of the model"
    refused = run(*ALL)
    assert refused.exit_code == 2 and "for a total" in refused.stderr
    assert not Path("out").exists() and not Path("grading/cnn/exported.json").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("canvas = 11", "canvas = 77", "no column of the Canvas assignment 77"),
        ("canvas = 11", "", "no column of the title of cnn"),
        ("canvas = 11", 'column = ["11", "12"]', "names 2 columns for cnn; say with `canvas`"),
        ('name = "cnn"', 'name = "rnn"', "has no assignment 'cnn'"),
        ('title = "Plan"', 'title = "Scheme"', "no column of the title of project, milestone p0"),
    ],
)
def test_columns_that_cannot_be_told_are_refused(run: Run, old: str, new: str, says: str) -> None:
    text = COURSE.format(policies="").replace(old, new)
    Path("course.toml").write_text(text)
    refused = run(*ALL)
    assert refused.exit_code == 2 and says in refused.stderr, refused.stderr
    assert refused.stderr.count("\n") == 1


def test_two_folders_for_one_column_are_refused(run: Run) -> None:
    results(Path("other"), "cnn", {"101": {"q1": 1}})
    refused = run(*ALL, "--results", "other")
    assert refused.exit_code == 2 and "both have grades for 'CNNs (11)'" in refused.stderr


def test_without_a_course_file_one_column_is_named(run: Run) -> None:
    Path("course.toml").unlink()
    assert "There is no course.toml" in run(*ALL).stderr
    done = run("canvas", "--assignment", "CNNs", "--results", "grading/cnn", "--out", "cnn.csv")
    assert done.exit_code == 0 and "If Canvas' late policy is on" in done.output


@pytest.mark.parametrize(
    "arguments",
    [("--assignment", "11", "--all"), (), ("--all", "--question", "p0"),
     ("--assignment", "11", "--results", "a", "--results", "b")],
)  # fmt: skip
def test_one_column_or_all_must_be_said(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run("canvas", *arguments, "--out", "x")
    assert refused.exit_code == 2 and "Give --assignment" in refused.stderr


ONE = ("canvas", "--assignment", "11", "--results", "grading/cnn", "--out", "cnn.csv")


def test_the_gradebook_itself_is_never_written_or_removed(run: Run) -> None:
    refused = run(*ONE[:-1], "./gradebook.csv")
    assert refused.exit_code == 2 and "name another file" in refused.stderr
    assert Path("gradebook.csv").is_file()


def test_the_file_and_its_record_are_there_both_or_not_at_all(run: Run) -> None:
    Path("out").write_text("")
    refused = run(*ALL)
    assert refused.exit_code == 2 and "cannot be written" in refused.stderr
    assert not read_record(Path("grading/cnn"))
    Path("out").unlink()
    record = Path("grading/cnn/exported.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.canvas.exported.write_atomically", full_disk)
        assert "exported.json cannot be written" in run(*ALL).stderr
    assert not record.exists() and not Path("out/cnn.csv").exists()
    assert run(*ALL).exit_code == 0 and record.is_file()


def full_disk(path: Path, data: bytes) -> None:
    raise OSError(28, "No space left on device")


def test_a_persons_grade_stays_until_it_is_named(run: Run, canvas: Canvas) -> None:
    canvas.grade_by_hand(canvas.courses[1], canvas.courses[1].assignments[0], canvas.users[101], 3)
    kept = run(*ONE, "--dry-run")
    assert "left out: has 3.00 in Canvas, which is not from here" in kept.output
    assert "To overwrite every grade that is not from here: --ours 101" in kept.output
    assert not Path("cnn.csv").exists() and not read_record(Path("grading/cnn"))
    assert run(*ONE, "--ours", "101").exit_code == 0
    assert imported(canvas, Path("cnn.csv")) == {(11, 101): 7, (11, 102): 9.5}


def test_a_regrade_needs_the_gradebook_of_after_the_import(run: Run, canvas: Canvas) -> None:
    assert run(*ONE).exit_code == 0
    first = Path("cnn.csv").read_bytes()
    results(Path("grading/cnn"), "cnn", {"101": {"q1": 8}, "102": {"q1": 9.5}})
    refused = run(*ONE)
    assert refused.exit_code == 2 and "--not-imported" in refused.stderr
    assert Path("cnn.csv").read_bytes() == first
    imported(canvas, Path("cnn.csv"))
    assert run(*ONE).exit_code == 0
    rows = list(csv.reader(Path("cnn.csv").read_text().splitlines()))
    assert [(row[1], row[-1]) for row in rows[2:]] == [("101", "8")]
    batches = read_record(Path("grading/cnn"))["11"].batches
    assert [set(batch.cells) for batch in batches] == [{"101", "102"}, {"101"}]


def test_a_column_of_the_same_title_in_another_course_is_refused(run: Run, canvas: Canvas) -> None:
    named = (*ONE[:2], "CNNs", *ONE[3:])
    assert run(*named).exit_code == 0
    text = Path("gradebook.csv").read_text().replace("CNNs (11)", "CNNs (91)")
    Path("gradebook.csv").write_text(text)
    refused = run(*named)
    assert refused.exit_code == 2 and "may be of another course" in refused.stderr
    assert run(*ONE[:2], "91", *ONE[3:]).exit_code == 0


def test_students_are_left_out_and_renamed_by_their_ids(run: Run, canvas: Canvas) -> None:
    canvas.users[101].login_id = "ada.king"
    assert "--renamed 101" in run(*ONE).stderr
    done = run(*ONE, "--renamed", "101", "--leave-out", "102")
    assert done.exit_code == 0 and "Müller" not in done.output
    assert imported(canvas, Path("cnn.csv")) == {(11, 101): 7}


def test_what_was_pushed_is_known_to_be_ours(run: Run, canvas: Canvas) -> None:
    place = '[canvas]\naddress = "https://canvas.example.edu"\ncourse = 1\n'
    Path("course.toml").write_text(COURSE.format(policies=place))
    run(*ONE, "--dry-run")  # exports the gradebook of before the push
    with Journal(Path("canvas/journal.sqlite"), "https://canvas.example.edu", 1) as journal:
        value = msgspec.json.encode(Points(points=Decimal(3)))
        sent = Record(user="101", attempt=1, part=Part.GRADE, content="", value=value,
                      state=State.CONFIRMED)  # fmt: skip
        journal.append(11, [sent])
    assert "older than what was pushed" in run(*ONE).stderr
    Path("gradebook.csv").unlink()
    canvas.grade_by_hand(canvas.courses[1], canvas.courses[1].assignments[0], canvas.users[101], 3)
    done = run(*ONE)
    assert done.exit_code == 0 and "3.00 → 7" in done.output
    assert imported(canvas, Path("cnn.csv")) == {(11, 101): 7, (11, 102): 9.5}


def test_where_canvas_deducts_it_is_said_once_what_to_set_there(run: Run) -> None:
    Path("course.toml").write_text(COURSE.format(policies=BY_CANVAS))
    results(Path("grading/cnn"), "cnn", {"101": {"q1": 7}, "102": {"q1": 9}}, late=("102",))
    done = run(*ALL)
    assert done.output.count("Canvas takes it off. The points are those earned. Set the same") == 1
    assert "→ 9   9/10, late; Canvas takes off what that costs" in done.output


def test_where_we_deduct_and_no_time_is_known_nothing_is_written_for_late_work(run: Run) -> None:
    Path("course.toml").write_text(COURSE.format(policies=BY_US))
    results(Path("grading/cnn"), "cnn", {"101": {"q1": 7}, "102": {"q1": 9}}, late=("102",))
    done = run(*ONE)
    assert done.exit_code == 0 and "left out: It is late, and how late is not known" in done.output
    assert "see that it is off under Late Policies" in done.output
    assert ",102," not in Path("cnn.csv").read_text()


def feedback_of(*students: str) -> None:
    cells: list[Any] = []
    data = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for student in students:
        place = Path("grading/cnn/results") / student
        place.mkdir(parents=True)
        (place / "executed.ipynb").write_text(json.dumps(data))


def test_feedback_is_written_once(run: Run) -> None:
    feedback_of("101")
    say = ("feedback", "--results", "grading/cnn", "--out", "feedback.zip")
    dry = run(*say, "--dry-run")
    assert dry.exit_code == 0 and not Path("feedback.zip").exists()
    assert "left out: there is no executed notebook" in dry.output
    assert "left out: handed in nothing" in dry.output
    done = run(*say)
    assert done.exit_code == 0 and "feedback.zip, 1 files" in done.output
    (name,) = zipfile.ZipFile("feedback.zip").namelist()
    assert name == "x_101_90101_hw.ipynb"
    refused = run(*say)
    assert refused.exit_code == 2 and "--again" in refused.stderr
    assert run(*say, "--again").exit_code == 0


CLASS = """O'Brien-Smith, Mary Ann|van_der_Berg, J|12, 34|x_7|LATE, Al|=SUM(1)|Ño|शर्मा, प्रिया|
Σίσυφος|İpek, Ş|Li, Wei|Li, Wei|Anon_a, B|!!!|Ⅷ, K""".replace("\n", "").split("|")


def number_in(notebook: bytes) -> float:
    return float(json.loads(notebook)["cells"][-1]["source"])


def graded(canvas: Canvas) -> Intake:
    """Download the submissions, grade them (a notebook holds its own score), and keep that."""
    course = canvas.courses[1]
    name, data = canvas.submissions_zip(course, course.assignments[0])
    Path(name).write_bytes(data)
    roster = parse(canvas.gradebook_csv(course)).students
    manifest = Manifest(name="cnn", title="CNNs", notebook="hw.ipynb", otter_zip="x.zip",
                        questions=[Question(name="q1", points=10)])  # fmt: skip
    taken = intake([Path(name)], roster, manifest)
    scores = {one.student.id: {"q1": number_in(one.notebook)} for one in taken.submissions}
    for one in taken.submissions:
        place = Path("grading/cnn/results") / one.student.id
        place.mkdir(parents=True, exist_ok=True)
        (place / "executed.ipynb").write_bytes(one.notebook)
    lean = [msgspec.structs.replace(one, notebook=b"", files={}) for one in taken.submissions]
    taken = msgspec.structs.replace(taken, submissions=lean)
    keep(Path("grading/cnn"), manifest, taken, scores)
    return taken


def test_the_whole_path_by_files(run: Run, canvas: Canvas) -> None:
    course = canvas.courses[1]
    column = course.assignments[0]
    for number, name in enumerate(CLASS):
        canvas.enroll(course, canvas.add_user(2000 + number, name))
    canvas.enroll(course, canvas.add_user(7777, "Test, Student"))
    newest: dict[int, float] = {}

    def hand_in(user: int, points: float) -> None:
        cell = {"cell_type": "raw", "id": "a", "metadata": {}, "source": f"{points}"}
        data = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        canvas.hand_in(course, column, canvas.users[user], {"hw.ipynb": json.dumps(data).encode()})
        newest[user] = points

    users = range(2000, 2000 + len(CLASS))
    for user in users:
        hand_in(user, (user - 1999) / 2)
    refused = {2012}  # begins as an anonymous one does, and is listed
    assert {int(one.student.id) for one in graded(canvas).submissions} == set(users) - refused
    shutil.rmtree("grading/project")
    first = run(*ALL)
    assert first.exit_code == 0, first.stderr
    imported(canvas, Path("out/cnn.csv"))
    canvas.grade_by_hand(course, column, canvas.users[2001], 9.25)
    for user in (2001, 2004, 2007):
        hand_in(user, 10)
    graded(canvas)
    second = run(*ALL)
    assert "left out: was changed in Canvas from 1 to 9.25" in second.output
    scores = imported(canvas, Path("out/cnn.csv"))
    people = {2001: 9.25}
    assert scores == {(11, user): people.get(user, points) for user, points in newest.items()
                      if user not in refused}  # fmt: skip
    sent = run("feedback", "--results", "grading/cnn", "--out", "feedback.zip")
    assert sent.exit_code == 0 and "x_7" in sent.output
    assert canvas.reupload(course, column, Path("feedback.zip").read_bytes()) == []
    seen = {user: [number_in(file.content) for comment in one.comments
                   for file in comment.attachments]
            for (which, user), one in course.submissions.items() if which == 11}  # fmt: skip
    unreached = refused | {2002, 2003}  # who have a number in front of their ids
    assert {user: found for user, found in seen.items() if found} == {
        user: [points] for user, points in newest.items() if user not in unreached
    }

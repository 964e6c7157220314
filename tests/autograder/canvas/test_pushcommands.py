"""The commands that send grades to Canvas, from a folder of results to what students see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from fakecanvas import Canvas, serve
from fakecanvas.faults import bad_gateway
from fakecanvas.model import Course, LatePolicy
from fakecanvas.scenario import TOKEN
from pusher import grade

from autograder.bundle import Manifest, Question
from autograder.canvas.client import Client
from autograder.cli import main
from autograder.intake import Intake
from autograder.model import Outcome, Status, Student, Submission, TestVerdict
from autograder.store import Store

COURSE = """
title = "Deep Learning"
term = "Spring 2027"
licence = "MIT"
[canvas]
address = "ADDRESS"
course = 1
[policies.late]
by = "BY"
per_day = 0.1
[[assignment]]
name = "cnns"
kind = "homework"
points = 10
weight = 0.5
release = 2027-02-01T09:00:00Z
due = 2027-02-10T23:59:00Z
canvas = 11
[[assignment]]
name = "gnns"
kind = "homework"
points = 10
weight = 0.5
release = 2027-02-01T09:00:00Z
due = 2027-02-10T23:59:00Z
canvas = 12
"""
SECRET = "assert student_model(secret_case) == 41"

Run = Callable[..., Result]


def checks() -> list[TestVerdict]:
    seen = TestVerdict(name="test_shape", status=Status.PASSED, points=2, possible=2, hidden=False)
    unseen = TestVerdict(name="test_secret", status=Status.FAILED, points=0, possible=3,
                         hidden=True, message=SECRET)  # fmt: skip
    return [seen, unseen]


def results(folder: Path, points: dict[int, float], **more: Any) -> None:
    """A folder as `autograder grade` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    questions = [Question(name=name, points=5) for name in ("q1", "q2")]
    manifest = Manifest(
        name="cnns", title="CNNs", notebook="cnns.ipynb", otter_zip="", questions=questions
    )
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    people = [Student(id=str(user), name=f"Student {user}") for user in points]
    handed_in = [Submission(student=one, source="", notebook=b"") for one in people]
    intake = Intake(submissions=handed_in, missing=[], unmatched=[], unused=[])
    (folder / "intake.json").write_bytes(msgspec.json.encode(intake))
    with Store(folder / "results.sqlite") as store:
        for user, worth in points.items():
            verdict = grade(user, worth, key=f"{user} {worth}", **more).verdict
            first = msgspec.structs.replace(verdict.questions["q1"], tests=checks())
            questions_ = verdict.questions | {"q1": first}
            verdict = msgspec.structs.replace(verdict, questions=questions_)
            executed = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
            store.put(verdict.key, Outcome(verdict=verdict, executed=executed))


@pytest.fixture
def address(canvas: Canvas) -> Iterator[str]:
    with serve(canvas) as found:
        yield found


@pytest.fixture
def run(address: str, canvas: Canvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANVAS_TOKEN", TOKEN)
    monkeypatch.setitem(Client.__init__.__kwdefaults__ or {}, "sleep", canvas.advance)

    def do(*arguments: str, by: str = "canvas", said: str = "") -> Result:
        text = COURSE.replace("ADDRESS", address).replace("BY", by)
        (tmp_path / "course.toml").write_text(text)
        return CliRunner().invoke(main, ["canvas", *arguments], input=said)

    results(tmp_path / "grading", {101: 8, 102: 9.5})
    return do


def written(canvas: Canvas) -> list[str]:
    return [f"{method} {path}" for method, path, _ in canvas.log if method != "GET"]


def comments(course: Course, user: int = 101) -> list[str]:
    return [one.comment for one in course.submissions[11, user].comments]


def test_a_dry_run_prints_who_changes_and_writes_nothing(run: Run, canvas: Canvas) -> None:
    result = run("push", "cnns", "--dry-run")
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if "(101)" in line)
    assert [cell.strip() for cell in row.split("│")[1:6]] == [
        "Student 101 (101)", "–", "8", "new", "8/10",
    ]  # fmt: skip
    assert "CNNs: 2 new." in result.output and written(canvas) == []


def test_it_asks_first_and_no_is_no(run: Run, canvas: Canvas) -> None:
    result = run("push", "cnns", said="n\n")
    assert "Send this of 2 students" in result.output and result.exit_code == 1
    assert written(canvas) == []


def test_grades_comments_and_pages_go_up_and_nothing_hidden_does(
    run: Run, canvas: Canvas, course: Course
) -> None:
    result = run("push", "cnns", said="y\n")
    assert result.exit_code == 0, result.output
    assert "Sent and read back: 2 students." in result.output
    one = course.submissions[11, 101]
    assert one.entered_score == 8 and one.posted_at is None
    (text,) = comments(course)
    assert text.startswith("Points for tests: 8/10") and "1 of 1 visible checks passed." in text
    (file,) = one.comments[0].attachments
    assert file.display_name.startswith("feedback-") and file.content_type == "text/html"
    for shown in (text, file.content.decode()):
        assert SECRET not in shown and "test_secret" not in shown and "Student 102" not in shown


def test_sending_the_same_again_asks_and_writes_nothing(run: Run, canvas: Canvas) -> None:
    run("push", "cnns", "--yes")
    canvas.log.clear()
    result = run("push", "cnns")
    assert result.exit_code == 0 and "CNNs: 2 as it is." in result.output
    assert written(canvas) == []


def test_results_are_found_in_a_folder_of_the_assignment(
    run: Run, course: Course, tmp_path: Path
) -> None:
    results(tmp_path / "grading" / "cnns", {101: 6})
    assert run("push", "cnns", "--yes").exit_code == 0
    assert course.submissions[11, 101].entered_score == 6


def test_a_regrade_of_an_interrupted_push_goes_on(
    run: Run, canvas: Canvas, course: Course, tmp_path: Path
) -> None:
    canvas.faults.answers.append(bad_gateway("GET", "students/submissions", nth=2, times=0))
    assert run("push", "cnns", "--yes").exit_code == 3
    canvas.faults.answers.clear()
    results(tmp_path / "grading", {101: 7, 102: 9.5})
    assert run("push", "cnns", "--yes").exit_code == 0
    assert course.submissions[11, 101].entered_score == 7 and len(comments(course)) == 1
    assert course.submissions[11, 102].writes == 1


def test_conflicts_are_named_and_decided_by_hand(run: Run, canvas: Canvas, course: Course) -> None:
    canvas.grade_by_hand(course, course.assignments[0], canvas.users[101], "3")
    result = run("push", "cnns", "--yes")
    assert result.exit_code == 1 and "CONFLICT: there is a grade that is not from here" in (
        result.stderr
    )
    assert course.submissions[11, 101].entered_score == 3
    result = run("push", "cnns", "--yes", "--ours", "101")
    assert result.exit_code == 0 and course.submissions[11, 101].entered_score == 8


def test_lateness_that_would_count_twice_is_refused(
    run: Run, canvas: Canvas, course: Course
) -> None:
    course.late_policy = LatePolicy(True, 10.0)
    result = run("push", "cnns", "--yes", by="autograder")
    assert result.exit_code == 2 and "counted twice" in result.stderr and written(canvas) == []
    assert "Canvas takes off 10 %" in run("push", "cnns", "--dry-run").output


def test_who_takes_points_off_is_said(run: Run) -> None:
    assert "the autograder took it off" in run("push", "cnns", "--dry-run", by="autograder").output
    assert "nobody takes anything off" in run("push", "cnns", "--dry-run").output


def test_comments_and_files_may_be_left_out(run: Run, course: Course) -> None:
    run("push", "cnns", "--yes", "--no-comment")
    assert comments(course) == []
    run("push", "cnns", "--yes", "--feedback", "none")
    assert len(comments(course)) == 1 and not course.submissions[11, 101].comments[0].attachments
    run("push", "cnns", "--yes", "--feedback", "notebook")
    (file,) = course.submissions[11, 101].comments[0].attachments
    assert file.display_name.endswith(".ipynb") and len(comments(course)) == 1


@pytest.mark.parametrize(
    ("change", "arguments", "status", "says"),
    [
        ({"CANVAS_TOKEN": ""}, ["push", "cnns"], 3, "set CANVAS_TOKEN"),
        ({"CANVAS_TOKEN": "stale"}, ["push", "cnns"], 3, "does not accept the access token"),
        ({}, ["push", "gnns"], 2, "holds results of cnns, not of gnns"),
        ({}, ["push", "none"], 2, "has no assignment 'none'"),
        ({}, ["push", "cnns", "--results", "elsewhere"], 2, "holds no results"),
    ],
)
def test_what_cannot_be_sent_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], arguments: list[str],
    status: int, says: str,
) -> None:  # fmt: skip
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    result = run(*arguments)
    assert result.exit_code == status and says in result.stderr, result.output
    assert result.stderr.count("\n") == 1


def test_posting_is_a_step_of_its_own_and_read_back(
    run: Run, canvas: Canvas, course: Course
) -> None:
    run("push", "cnns", "--yes")
    result = run("post", "cnns", said="n\n")
    assert "2 students will see their grade, 2 of them with comments" in result.output
    assert all(one.posted_at is None for one in course.submissions.values())
    result = run("post", "cnns", said="y\n")
    assert result.exit_code == 0 and "Posted: 2 students see their grade" in result.output
    assert (
        course.submissions[11, 101].posted_at and not course.submissions[11, 101].comments[0].hidden
    )
    assert course.submissions[11, 103].posted_at is None
    assert "nobody waits" in run("post", "cnns").output


def test_posting_that_canvas_did_not_do_is_named(run: Run, canvas: Canvas) -> None:
    run("push", "cnns", "--yes")
    said = '{"data": {"postAssignmentGrades": {"progress": {"_id": "1", "state": "queued"}}}}'
    canvas.faults.add("POST", "graphql", status=200, body=said)
    result = run("post", "cnns", "--yes")
    assert result.exit_code == 3 and "2 students still do not see their grade" in result.stderr


def test_posting_whose_answer_is_lost_is_read_back(run: Run, canvas: Canvas) -> None:
    run("push", "cnns", "--yes")
    canvas.faults.answers.append(bad_gateway("POST", "graphql"))
    assert run("post", "cnns", "--yes").exit_code == 0


def test_posting_says_what_was_not_read_back(run: Run, canvas: Canvas) -> None:
    canvas.faults.answers.append(bad_gateway("GET", "students/submissions", nth=3, times=0))
    run("push", "cnns", "--yes")
    canvas.faults.answers.clear()
    assert "what was sent of 2 students was not read back" in run("post", "cnns").output
    assert run("push", "cnns").exit_code == 0
    assert "not read back" not in run("post", "cnns").output


def test_changes_after_posting_are_said_to_be_seen_at_once(run: Run, tmp_path: Path) -> None:
    run("push", "cnns", "--yes")
    run("post", "cnns", "--yes")
    results(tmp_path / "grading", {101: 7, 102: 9.5})
    assert "1 of them see their grade already" in run("push", "cnns", "--dry-run").output


def test_the_status_tells_each_assignment_apart_and_writes_nothing(
    run: Run, canvas: Canvas, course: Course, tmp_path: Path
) -> None:
    run("push", "cnns", "--yes")
    canvas.grade_by_hand(course, course.assignments[0], canvas.users[101], "3")
    canvas.hand_in(course, course.assignments[1], canvas.users[101], {"hw.ipynb": b"x"})
    results(tmp_path / "grading", {101: 8, 102: 7})
    canvas.log.clear()
    result = run("status")
    assert result.exit_code == 0 and written(canvas) == [], result.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]]
            for line in result.output.splitlines() if "nns" in line]  # fmt: skip
    assert rows == [
        ["cnns", "0", "2", "1", "1", "1", "0", "1", "0", "0", "2", "by hand"],
        ["gnns", "1", "0", "0", "0", "0", "0", "0", "0", "0", "0", "AT ONCE"],
    ]
    assert "nobody takes anything off" in result.output

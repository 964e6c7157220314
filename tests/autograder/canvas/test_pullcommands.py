"""`autograder canvas pull`, `login` and `logout` as somebody types them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import pytest
from click.testing import CliRunner, Result
from fakecanvas import Canvas
from fakecanvas.faults import bad_gateway
from fakecanvas.model import Course, Override
from fakecanvas.scenario import DUE, TOKEN
from keyring.backends.fail import Keyring as NoKeyring

from autograder import cli, gradebook, pulled
from autograder.bundle import Manifest
from autograder.canvas import credentials
from autograder.canvas.client import Client
from autograder.intake import intake

COURSE = """
title = "T"
term = "S"
licence = "MIT"
[canvas]
address = "{address}"
course = 1
[[assignment]]
name = "cnns"
kind = "homework"
points = 10
weight = 0.5
canvas = 11
release = 2027-02-01T09:00:00Z
due = 2027-02-10T23:59:00Z
[[assignment]]
name = "study"
kind = "project"
points = 10
weight = 0.5
release = 2027-02-01T09:00:00Z
due = 2027-03-10T23:59:00Z
[[assignment.milestone]]
question = "p1"
title = "Plan"
points = 10
canvas = 12
due = 2027-02-10T23:59:00Z
"""
Run = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "course.toml").write_text(COURSE.format(address=client.origin))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CANVAS_TOKEN", TOKEN)
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    def invoke(*arguments: str, **more: Any) -> Result:
        result = CliRunner().invoke(cli.main, ["canvas", *arguments], **more)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def busy(canvas: Canvas, course: Course) -> Course:
    one, two = course.assignments
    canvas.hand_in(course, one, canvas.users[101], {"hw.ipynb": b"one"}, at=DUE)
    canvas.hand_in(course, one, canvas.users[101], {"hw.ipynb": b"two"})
    canvas.hand_in(course, one, canvas.users[102], {"hw.ipynb": b"three"})
    canvas.hand_in(course, two, canvas.users[103], {"plan.ipynb": b"plan"})
    one.overrides.append(Override(1, None, student_ids=[102]))
    return course


def test_a_pull_says_what_there_is_who_lacks_and_what_to_do_next(
    run: Run, project: Path, busy: Course
) -> None:
    done = run("pull")
    assert done.exit_code == 0, done.output
    for line in (
        "3 students → canvas/roster.csv",
        "cnns: 3 attempts of 2 students, 1 late, 3 files → canvas/cnns",
        "  new: 3 attempts, 3 files",
        "  with a due time of their own: 1 student (102)",
        "  handed in nothing: 1 student (103)",
        "  next: autograder grade dist/cnns canvas/cnns --roster canvas/roster.csv --out grading/",
        "study-p1: 1 attempt of 1 student, 1 late, 1 file → canvas/study-p1",
        "--roster canvas/roster.csv --only p1 --out grading/study-p1",
    ):
        assert line in done.output
    assert not any(name in done.output for name in ("Lovelace", "Müller", "小明"))
    students = gradebook.read(project / "canvas" / "roster.csv").students
    assert [one.login for one in students] == ["login101", "login102", "login103"]
    listed = pulled.read(project / "canvas" / "study-p1")
    assert listed is not None and (listed.name, listed.assignment) == ("study", 12)
    assert "  new: 0 attempts, 0 files" in run("pull").output


def test_what_was_pulled_can_be_graded(run: Run, project: Path, busy: Course) -> None:
    run("pull", "cnns")
    students = gradebook.read(project / "canvas" / "roster.csv").students
    manifest = Manifest(name="cnns", title="", notebook="hw.ipynb", otter_zip="x", questions=[])
    found = intake([project / "canvas" / "cnns"], students, manifest)
    assert [(one.student.id, one.attempt, one.notebook) for one in found.submissions] == [
        ("101", 2, b"two"), ("102", 1, b"three"),
    ]  # fmt: skip
    assert [one.id for one in found.missing] == ["103"] and not found.unmatched


def test_only_what_is_named_is_fetched_and_milestones_with_their_project(
    run: Run, project: Path, busy: Course
) -> None:
    assert run("pull", "study", "--folder", "elsewhere").exit_code == 0
    found = sorted(one.name for one in (project / "elsewhere").iterdir())
    assert found == ["roster.csv", "study-p1"]


def test_a_file_that_is_missing_is_named_and_is_a_finding(
    run: Run, canvas: Canvas, busy: Course
) -> None:
    list(canvas.files.values())[1].deleted = True
    done = run("pull", "cnns")
    assert done.exit_code == cli.FINDINGS
    assert "✗ 101, attempt 2, hw-1.ipynb: Canvas knows no the file" in done.output


def test_what_cannot_be_fetched_is_left_out_and_the_rest_is_not(
    run: Run, project: Path, busy: Course
) -> None:
    busy.assignments[0].submission_types = ["on_paper"]
    done = run("pull")
    assert done.exit_code == 0 and "cnns: left out, because students hand in no" in done.output
    assert (project / "canvas" / "study-p1" / pulled.FILE).exists()
    assert run("pull", "cnns").exit_code == cli.FINDINGS


def test_a_course_file_without_numbers_says_which_to_add(run: Run, project: Path) -> None:
    file = project / "course.toml"
    text = file.read_text()
    file.write_text(text.replace("canvas = 11", ""))
    assert "which assignment in Canvas is cnns; add `canvas = `" in run("pull", "cnns").output
    file.write_text(text.replace("canvas = 11", "").replace("canvas = 12", ""))
    assert "gives no assignment a number" in run("pull").output
    start, end = text.index("[canvas]"), text.index("[[assignment]]")
    file.write_text(text[:start] + text[end:])
    done = run("pull")
    assert done.exit_code == cli.USAGE and "add [canvas] with address and course" in done.output


def test_login_tries_the_token_says_whose_it_is_and_keeps_it(
    run: Run, ring: Any, client: Client, canvas: Canvas
) -> None:
    canvas.sis_rights = False
    done = run("login", input=f"{TOKEN}\n")
    assert done.exit_code == 0, done.output
    assert "the token of Marie Curie" in done.output and "allow to see SIS ids" in done.output
    assert TOKEN not in done.output
    assert ring.kept == {(credentials.SERVICE, client.origin): TOKEN}
    assert run("pull", "cnns").exit_code == 0
    assert "The token is removed" in run("logout").output and not ring.kept
    assert "There was no token" in run("logout").output
    asked = run("pull")
    assert asked.exit_code == cli.INFRASTRUCTURE and "run `autograder canvas login`" in asked.output


@pytest.mark.parametrize("token", ["wrong", "two words"])
def test_login_keeps_no_token_that_does_not_open(run: Run, ring: Any, token: str) -> None:
    done = run("login", input=f"{token}\n")
    assert done.exit_code == cli.INFRASTRUCTURE and not ring.kept
    assert "does not accept the access token" in done.output or "is damaged" in done.output
    assert token not in done.output


def test_login_where_there_is_no_keyring_names_the_variable(run: Run, ring: Any) -> None:
    keyring.set_keyring(NoKeyring())
    done = run("login", input=f"{TOKEN}\n")
    assert done.exit_code == cli.INFRASTRUCTURE and "set CANVAS_TOKEN" in done.output


def test_login_in_a_course_that_the_token_does_not_see_says_so(
    run: Run, ring: Any, project: Path
) -> None:
    file = project / "course.toml"
    file.write_text(file.read_text().replace("course = 1", "course = 9"))
    assert "what it allows is not known: Canvas knows no courses/9" in run(
        "login", input=f"{TOKEN}\n"
    ).output  # fmt: skip


def test_the_token_is_in_no_output_log_or_file(
    run: Run, project: Path, canvas: Canvas, busy: Course, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr("autograder.canvas.client.PAUSES", (0.0,) * 5)
    caplog.set_level(logging.DEBUG)
    canvas.faults.add("GET", "/storage/", kind="truncate")
    canvas.faults.answers.append(bad_gateway("GET", "/submissions"))
    canvas.faults.add("GET", "/files/", nth=2, status=200, body=f"<html>{'x' * 99}")
    said = run("pull", "-h").output + run("pull", "cnns").output
    canvas.tokens[TOKEN].state = "revoked"
    done = run("pull")
    assert done.exit_code == cli.INFRASTRUCTURE and "Revoked access token" in done.output
    said += done.output + caplog.text + repr(vars(Client("http://localhost", "x")).keys())
    for path in project.rglob("*"):
        said += str(path) + (path.read_text("latin-1") if path.is_file() else "")
    assert len(said) > 5000 and TOKEN not in said


def test_the_command_works_as_a_process_and_shows_nothing_when_it_crashes(
    project: Path, busy: Course
) -> None:
    command = [sys.executable, "-m", "autograder.cli", "canvas", "pull", "cnns"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0 and "cnns 3/3" in done.stderr, done.stderr
    assert "3 attempts of 2 students" in done.stdout
    crash = (
        "import httpx, sys; httpx.Client.request = None; from autograder.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", crash, "canvas", "pull"], capture_output=True,
                          text=True, env=os.environ)  # fmt: skip
    assert "Traceback" in done.stderr and TOKEN not in done.stderr + done.stdout

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from autograder import cli
from autograder.demo.pack import zip_bytes
from autograder.errors import AutograderError, IsolationError, RoomError
from autograder.handin import examine, load_assignment
from autograder.ledger import REGISTERED, Ledger
from autograder.model import Student
from autograder.teams import Team

PROJECT = Path(__file__).parents[2]
GRADEBOOK = """Student,ID,SIS User ID,SIS Login ID,Section,Tiny (12),Final Score
    Points Possible,,,,,6,(read only)
"Lovelace, Ada",101,S-1,ada,A,,90
"Müller, Jürgen",102,S-2,bob,A,3,80
"王, 小明",103,S-3,eve,B,,
"O'Neil, Zoë",104,S-4,zoe,B,,
"Student, Test",999,,abc,A,,
"""
HANDED_IN = {"101": "perfect", "102": "blank", "103": "has_syntax_error"}
HEAVY = "torch pandas numpy nbformat otter IPython matplotlib rich msgspec".split()

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, read_notebook: Any) -> Path:
    (tmp_path / "gradebook.csv").write_text(GRADEBOOK)
    for student, name in HANDED_IN.items():
        place = tmp_path / "handed_in" / student
        place.mkdir(parents=True)
        (place / "tiny.ipynb").write_bytes(read_notebook(name))
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("AUTOGRADER_SECRET_FILE", raising=False)
    monkeypatch.setenv("AUTOGRADER_SECRET", "canary of the secret")

    def invoke(*arguments: str | Path) -> Result:
        result = CliRunner().invoke(cli.main, list(map(str, arguments)))
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def grade(run: Run, rooms: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("autograder.session.Engine", rooms.engines)

    def invoke(*more: str | Path, bundle: Any = None) -> Result:
        chosen = (bundle or rooms.lender.bundle).folder
        return run("grade", chosen, "handed_in", "--roster", "gradebook.csv", *more)

    return invoke


def summary(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_help_answers_without_importing_anything_heavy() -> None:
    code = (
        "import sys\nfrom autograder.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as end: assert not end.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    commands = ([], ["grade"], ["report"], ["build"], ["verify"], ["export", "canvas"], ["demo"],
                ["check"], ["calibrate"], ["course"], ["release"], ["export", "final"],
                ["project", "register"], ["project", "exchange"])  # fmt: skip
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-c", code, *command, "--help"], capture_output=True, text=True
        )
        assert done.stderr.strip() == "[]" and "Usage:" in done.stdout, command


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").output.startswith("autograder, version ")


def test_from_a_folder_to_a_gradebook_for_canvas(run: Run, grade: Run, folder: Path) -> None:
    result = grade("--out", "out")
    assert result.exit_code == 0, result.output
    assert "3 graded, 0 as before:" in result.output and "autograder report" in result.output
    assert "1 handed in nothing" in result.stderr and "try-out" not in result.stderr
    own = folder / "out" / "results" / "101"
    assert (own / "executed.ipynb").is_file()
    assert "code cell 1" in (own / "executed.html").read_text()

    result = run("report", "--results", "out")
    assert result.exit_code == 0, result.output
    page = (folder / "out" / "report" / "index.html").read_text()
    assert "Lovelace" in page and "<script" not in page and "canary" not in page

    export = ("export", "canvas", "--results", "out", "--gradebook", "gradebook.csv",
              "--assignment", "Tiny (12)", "--out", "canvas.csv")  # fmt: skip
    dry = run(*export, "--dry-run")
    assert dry.exit_code == 0 and not (folder / "canvas.csv").exists()
    assert "Lovelace, Ada" in dry.output and "no grade → 6" in dry.output
    done = run(*export)
    assert done.exit_code == 0 and "Written: canvas.csv" in done.output
    written = (folder / "canvas.csv").read_text().splitlines()
    rows = {row[1]: row[-1] for row in csv.reader(written)}
    assert rows["101"] == "6" and rows["103"] == "2" and "999" not in rows


def test_feedback_is_the_executed_notebook_under_the_name_in_canvas_archive(
    run: Run, rooms: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, read_notebook: Any
) -> None:
    monkeypatch.setattr("autograder.session.Engine", rooms.engines)
    entries = {"lovelaceada_101_900001_tiny-1.ipynb": read_notebook("perfect"),
               "oneilzoë_LATE_104_900004_tiny.ipynb": b"{"}  # fmt: skip
    (folder / "submissions.zip").write_bytes(zip_bytes(entries))
    bundle = rooms.lender.bundle
    run("grade", bundle.folder, "submissions.zip", "--roster", "gradebook.csv", "--out", "out")
    done = run("export", "feedback", "--results", "out", "--out", "feedback.zip")
    assert done.exit_code == 0 and "O'Neil, Zoë" in done.output, done.output
    with zipfile.ZipFile(folder / "feedback.zip") as archive:
        assert archive.namelist() == ["lovelaceada_101_900001_tiny-1.ipynb"]
        data = archive.read(archive.namelist()[0])
    first, *rest = json.loads(data)["cells"]
    assert "**Score: 6 of 6**" in first["source"] and "| q2 | 2 of 2 |" in first["source"]
    executed = json.loads((folder / "out" / "results" / "101" / "executed.ipynb").read_bytes())
    assert rest == executed["cells"] and b"canary" not in data
    hidden = [test.name for question in bundle.manifest.questions for test in question.tests
              if test.hidden]  # fmt: skip
    assert hidden and not any(name.encode() in data for name in hidden)


def test_one_question_of_teams_is_graded_and_exported(run: Run, grade: Run, folder: Path) -> None:
    rows = ["canvas_user_id,group_name", "101,Blue", "104,Blue"]
    (folder / "groups.csv").write_text("\n".join(rows) + "\n")
    found = summary(grade("--json", "--teams", "groups.csv", "--only", "q2", "--out", "out"))
    assert found["graded"] == 3 and found["missing"] == []
    scores = {one["student"]: (one["score"], one["possible"]) for one in found["students"]}
    assert scores["101"] == scores["104"] == (2, 2) and scores["102"] == (0, 2)
    written = ("--results", "out", "--gradebook", "gradebook.csv", "--assignment", "Tiny (12)",
               "--out", "canvas.csv")  # fmt: skip
    done = run("export", "canvas", "--question", "q2", *written)
    assert done.exit_code == 0 and "O'Neil, Zoë" in done.output and "→ 2" in done.output
    refused = run("export", "canvas", "--question", "q1", *written)
    assert refused.exit_code == 2 and "has no question 'q1'; it has q2" in refused.output


def test_a_second_run_grades_nothing(grade: Run) -> None:
    assert summary(grade("--json"))["graded"] == 3
    second = summary(grade("--json"))
    assert (second["graded"], second["cached"]) == (0, 3)
    assert summary(grade("--json", "--out", "elsewhere"))["graded"] == 3


def test_the_summary_for_scripts_tells_everything(grade: Run, folder: Path) -> None:
    (folder / "handed_in" / "stranger").mkdir()
    (folder / "handed_in" / "stranger" / "tiny.ipynb").write_bytes(b"{}")
    found = summary(grade("--json"))
    assert found["assignment"] == "tiny" and found["missing"] == ["104"]
    assert found["states"] == {"full": 1, "zero": 1, "partial": 1}
    assert [one for one in found["unmatched"] if "stranger" in one] == found["unmatched"] != []
    assert {one["student"]: (one["score"], one["possible"]) for one in found["students"]} == {
        "101": (6, 6), "102": (0, 6), "103": (2, 6),
    }  # fmt: skip


def test_limits_and_weights_can_be_chosen(grade: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(cli, "_grade", lambda session, settings: seen.append(settings) or [])
    assert grade("--limit", "cell_seconds=7", "--limit", "memory_mb=99").exit_code == 0
    assert grade("--retrain", "0.25", "--rooms", "3").exit_code == 0
    assert grade("--retrain", "all").exit_code == 0
    first, second, third = seen
    assert (first.limits.cell_seconds, first.limits.memory_mb) == (7, 99)
    assert first.limits.output_kb == 64 and first.retrain == 0
    assert second.limits is None and (second.retrain, second.rooms) == (0.25, 3)
    assert third.retrain == 1 and third.secret == "canary of the secret"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--limit", "nothing=1"), "there is no limit 'nothing'; there are cell_seconds"),
        (("--limit", "cell_seconds=soon"), "Expected `float`"),
        (("--limit", "cell_seconds"), "Expected `float`"),
        (("--retrain", "some"), "neither all, none nor a share"),
        (("--retrain", "1.5"), "neither all, none nor a share"),
        (("--retrain", "nan"), "neither all, none nor a share"),
        (("--rooms", "0"), "0 is not in the range"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(
    grade: Run, arguments: tuple[str, ...], message: str
) -> None:
    result = grade(*arguments)
    assert result.exit_code == cli.USAGE and message in result.output


def test_grading_without_a_secret_is_said_aloud(
    grade: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOGRADER_SECRET")
    monkeypatch.setattr(cli, "_grade", lambda session, settings: [])
    assert "no course secret is set" in grade().stderr


def test_what_only_the_ledger_tells_is_not_graded_without_it(
    grade: Run, course: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_grade", lambda session, settings: [])
    audit = replace(course.bundle("q2").manifest.questions[0], ledger=True)
    bundle = course.bundle("q1", audit)
    (folder / "empty.jsonl").touch()
    for more in ((), ("--only", "q2"), ("--ledger", "empty.jsonl")):
        result = grade("--out", "out", *more, bundle=bundle)
        assert result.exit_code == cli.USAGE, result.output
        assert "Only the project's ledger tells how q2 of tiny is to be graded" in result.stderr
    assert not (folder / "out").exists()
    assert grade("--only", "q1", bundle=bundle).exit_code == 0
    team = Team(name="", members=[Student(id="101", name="Lovelace, Ada")])
    noon = datetime(2027, 2, 11, 12, tzinfo=UTC)
    Ledger(folder / "project.jsonl").add(REGISTERED, team, noon)
    assert grade("--ledger", "project.jsonl", bundle=bundle).exit_code == 0


def test_a_grader_error_is_told_to_staff_and_is_exit_status_3(grade: Run, course: Any) -> None:
    result = grade(bundle=course.bundle("dies"))
    assert result.exit_code == cli.INFRASTRUCTURE
    assert "! Lovelace, Ada: ours, not the student's" in result.stderr
    assert "log.txt" in result.stderr


def test_an_interruption_loses_nothing_and_says_so(
    grade: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder import terminal

    def interrupted(verdicts: Any, progress: Any) -> Any:
        yield next(verdicts)
        verdicts.close()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(terminal, "show_progress", interrupted)
        result = grade("--rooms", "1")
    assert result.exit_code == 130
    assert "nothing graded is lost. Run the same command to continue." in result.stderr
    assert summary(grade("--json"))["cached"] >= 1


@pytest.mark.parametrize(
    ("error", "status"),
    [(AutograderError("One sentence."), 2), (RoomError("One sentence."), 3),
     (IsolationError("One sentence."), 3)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_an_expected_error_is_one_sentence_and_a_status(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(folder: Path) -> None:
        raise error

    monkeypatch.setattr("autograder.session.load", fail)
    result = run("report")
    assert result.exit_code == status and result.stderr == "autograder: One sentence.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "--results", "nowhere"), "nowhere holds no results"),
        (("grade", ".", "handed_in", "--roster", "gradebook.csv"), "holds no manifest.json"),
        (("grade", "BUNDLE", "handed_in", "--roster", "none.csv"), "none.csv cannot be read"),
        (("build",), "has no solutions/NAME/assignment.toml"),
        (("export", "canvas", "--results", "nowhere", "--gradebook", "gradebook.csv",
          "--assignment", "Tiny (12)", "--out", "x.csv"), "holds no results"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(
    run: Run, course: Any, arguments: tuple[str, ...], message: str
) -> None:
    bundle = str(course.bundle().folder)
    result = run(*(bundle if one == "BUNDLE" else one for one in arguments))
    assert result.exit_code == cli.USAGE and result.stderr.count("\n") == 1
    assert result.stderr.startswith("autograder: ") and message in result.stderr


EVIL = "Eve\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202e\nx"


def test_nothing_that_is_printed_acts_on_a_terminal(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder.bundle import Manifest, Question
    from autograder.intake import Intake, Unmatched
    from autograder.model import Standing, Student, Verdict
    from autograder.progress import Progress
    from autograder.session import Graded

    rows = [["Student", "ID", "Section", "Tiny (12)"], [EVIL, "101", "", "EX"],
            [f"{EVIL}2", "102", EVIL, ""]]  # fmt: skip
    with (folder / "gradebook.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    verdicts = [
        Verdict(student=f"10{n}", name=name, assignment="tiny", status=Standing.GRADED, score=1,
                possible=2, isolation="0", seconds=1, questions={}, message=EVIL, late=True)
        for n, name in ((1, EVIL), (2, f"{EVIL}2"))
    ]  # fmt: skip
    manifest = Manifest(name="tiny", title="Tiny", notebook="tiny.ipynb", otter_zip="x.zip",
                        questions=[Question(name="q1", points=2)])  # fmt: skip
    intake = Intake(submissions=[], missing=[Student(id="103", name=EVIL)],
                    unmatched=[Unmatched(source=EVIL, reason=EVIL)], unused=[])  # fmt: skip
    monkeypatch.setattr(
        "autograder.session.load", lambda folder: Graded(manifest, intake, verdicts, "0")
    )
    export = ("export", "canvas", "--gradebook", "gradebook.csv", "--assignment", "12",
              "--out", "canvas.csv")  # fmt: skip
    refused = run(*export)
    assert refused.exit_code == cli.USAGE and not (folder / "canvas.csv").exists()
    assert refused.stderr.count("\n") == 1 and "x2 (102)" in refused.stderr
    done = run(*export, "--confirm-unsealed")
    assert done.exit_code == 0 and "left out" in done.output and "isolation level 0" in done.stderr

    class Ran:
        out, progress = folder, Progress(2)

        def place(self, verdict: Verdict) -> Path:
            return folder

    Ran.intake, Ran.bundle = intake, type("B", (), {"manifest": manifest, "digest": "0"})  # type: ignore[attr-defined]
    failed = [replace(one, status=Standing.GRADER_ERROR) for one in verdicts]
    with monkeypatch.context() as patch:
        said: list[str] = []
        patch.setattr("click.echo", lambda text, err=False: said.append(text))
        patch.setattr("builtins.print", said.append)
        for as_json in (False, True):
            cli._print_summary(Ran(), failed, as_json)  # type: ignore[arg-type]
    for text in (refused.output, done.output, done.stderr, *said):
        assert not set(text) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize("arguments", [("grade",), ("grade", "nowhere", "x"), ("nothing",)])
def test_a_command_that_is_not_complete_is_a_usage_error(
    run: Run, arguments: tuple[str, ...]
) -> None:
    assert run(*arguments).exit_code == cli.USAGE


def test_grading_forgets_the_token_of_canvas_before_any_room_is_warmed(
    grade: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANVAS_TOKEN", "canary of the token")
    seen: list[Any] = []
    monkeypatch.setattr(cli, "_grade", lambda *_: seen.append(dict(os.environ)) or [])
    assert grade().exit_code == 0
    assert "canary of the token" not in seen[0].values()


@pytest.mark.parametrize("command", ["verify", "doctor", "project", "demo", "check", "course"])
def test_no_command_but_those_of_canvas_keeps_the_token(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANVAS_TOKEN", "canary of the token")
    run(command, "--help")
    assert "CANVAS_TOKEN" not in os.environ


def test_the_whole_command_works_with_rooms_of_its_own(
    folder: Path, course: Any, read_notebook: Any
) -> None:
    looking = folder / "handed_in" / "102" / "tiny.ipynb"
    looking.write_bytes(read_notebook("looks_around"))
    command = [sys.executable, "-m", "autograder.cli", "grade", str(course.bundle().folder),
               "handed_in", "--roster", "gradebook.csv", "--json"]  # fmt: skip
    known = {**os.environ, "CANVAS_TOKEN": "canary of the token"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=known, timeout=240
    )
    assert done.returncode == 0, done.stderr
    scores = {one["student"]: one["score"] for one in json.loads(done.stdout)["students"]}
    assert (scores["101"], scores["103"]) == (6, 2)
    seen = (folder / "grading" / "results" / "102" / "executed.ipynb").read_text()
    assert "PYTHONDONTWRITEBYTECODE" in seen and "canary of the token" not in seen
    assert "CANVAS_TOKEN" not in seen


@pytest.fixture
def pulled(folder: Path, read_notebook: Any, course_file: str) -> Path:
    """A folder as `autograder canvas pull` leaves it: 101 handed in twice, the second time late."""
    attempts = []
    for number, name in ((1, "perfect"), (2, "has_syntax_error")):
        data = read_notebook(name)
        path = f"101/{number}/7/tiny.ipynb"
        (folder / "canvas" / path).parent.mkdir(parents=True)
        (folder / "canvas" / path).write_bytes(data)
        attempts.append({
            "user": "101", "number": number, "submitted": f"2027-03-0{number}T10:00:00Z",
            "late": number == 2, "kind": "online_upload",
            "files": [{"id": 7, "name": "tiny.ipynb", "size": len(data), "path": path}],
        })  # fmt: skip
    listed = {
        "address": "https://canvas.example.edu", "course": 9, "assignment": 12, "title": "Tiny",
        "name": "tiny", "points": 6, "due": "2027-03-01T22:59:00Z",
        "pulled": "2027-03-05T00:00:00Z", "attempts": attempts,
    }  # fmt: skip
    (folder / "canvas" / "pull.json").write_text(json.dumps(listed))
    (folder / "course.toml").write_text(course_file)
    return folder / "canvas"


def test_what_was_fetched_is_graded_by_the_rules_of_the_course(
    run: Run, rooms: Any, folder: Path, pulled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.session.Engine", rooms.engines)
    command = ("grade", rooms.lender.bundle.folder, "canvas", "--roster", "gradebook.csv", "--json")
    last = run(*command)
    assert [one["attempt"] for one in summary(last)["students"]] == [2]
    assert "due Mon 01 Mar 2027, 22:59 (UTC) in Canvas, which counts, and Sun 28" in last.stderr
    own = folder / "grading" / "results" / "101" / "results.json"
    assert "of attempt 2: 2/6, 11 hours 1 minute late: −10 % of 6 → 1.4" in own.read_text()

    best = summary(run(*command, "--attempts", "best"))
    assert sorted(one["attempt"] for one in best["students"]) == [1, 2]
    assert "of attempt 1: 6/6" in own.read_text()
    done = run("report")
    assert done.exit_code == 0 and "which counts" in done.stderr
    page = (folder / "grading" / "report" / "index.html").read_text()
    assert '6<span class="state">6/6</span>' in page and "1, of 2 graded" in page

    listed = pulled / "pull.json"
    listed.write_text(listed.read_text().replace('"due": "2027-03-01T', '"due": "2027-02-28T'))
    assert run("report").exit_code == 0
    assert "of attempt 1: 6/6, 11 hours 1 minute late" not in own.read_text(), "Canvas says in time"
    listed.write_text(listed.read_text().replace('"late": false', '"late": true'))
    assert run("report").exit_code == 0
    assert "of attempt 1: 6/6, 11 hours 1 minute late: −10 % of 6 → 5.4" in own.read_text()


def test_a_course_file_that_is_wrong_stops_grading_before_it_begins(
    run: Run, course: Any, pulled: Path, folder: Path, course_file: str
) -> None:
    (folder / "course.toml").write_text(course_file.replace("per_day = 0.1", ""))
    result = run("grade", course.bundle().folder, "canvas", "--roster", "gradebook.csv")
    assert result.exit_code == cli.USAGE
    assert result.stderr.startswith("autograder: course.toml: policies.late: it needs per_day")
    assert not (folder / "grading").exists()


def test_check_says_what_students_are_told(tmp_path: Path) -> None:
    folder = PROJECT / "assignments" / "cnn_imaging"
    notebook = (folder / "cnn_imaging.ipynb").read_bytes()
    file = tmp_path / "x.zip"
    file.write_bytes(zip_bytes({"cnn_imaging.ipynb": notebook}))
    done = CliRunner().invoke(cli.main, ["check", str(file), "--project", str(PROJECT)])
    assert done.output == f"{examine(file, load_assignment(folder))}\n" and done.exit_code == 1
    named = ["--assignment", "cnn_imaging", "--project", str(PROJECT)]
    assert CliRunner().invoke(cli.main, ["check", str(file), *named]).output == done.output


def test_check_looks_at_one_milestone(tmp_path: Path) -> None:
    folder = PROJECT / "assignments" / "final_project"
    file = tmp_path / "x.zip"
    notebook = (folder / "final_project.ipynb").read_bytes()
    file.write_bytes(zip_bytes({"final_project.ipynb": notebook}))
    named = ["check", str(file), "--project", str(PROJECT), "--milestone"]
    done = CliRunner().invoke(cli.main, [*named, "p2"])
    said = examine(file, load_assignment(folder), milestone="p2")
    assert done.output == f"{said}\n" and "results.json is missing" in done.output
    assert "it has p0, p1" in CliRunner().invoke(cli.main, [*named, "p9"]).output


def test_check_asks_which_assignment_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(zip_bytes({"x.ipynb": b""}))
    done = CliRunner().invoke(cli.main, ["check", str(file), "--project", str(tmp_path)])
    assert done.exit_code == 2 and "add --assignment NAME" in done.output


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose only assignment is a lab that was built."""
    from autograder.build import build

    shutil.copytree(PROJECT / "tests/notebooks/solutions/lab", tmp_path / "solutions/lab")
    monkeypatch.chdir(tmp_path)
    build("lab", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("grade", "dist/lab", "assignments", "--roster", "none.csv"),
        ("check", "assignments/lab/lab.ipynb"),
        ("demo", "lab"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_nobody_hands_in_a_lab(lab: Path, arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli.main, arguments)
    assert done.exit_code == cli.USAGE
    assert "lab is a lab: it has self-checks only, and nobody hands it in." in done.output


def test_the_demonstration_leaves_labs_out(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(project: Path, out: Path, names: list[str]) -> bool:
        return names == []

    monkeypatch.setattr("autograder.demo.run.run", run)
    assert CliRunner().invoke(cli.main, ["demo"]).exit_code == 0

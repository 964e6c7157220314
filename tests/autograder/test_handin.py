"""What a student is told of a hand-in before it is handed in."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from autograder import handin
from autograder.build.compose import Built, compose
from autograder.demo.pack import otter_zip, zip_bytes
from autograder.handin import Report, examine

FILE = Path(handin.__file__)
PROJECT = Path(__file__).parents[1] / "notebooks"
PUBLISHED = Path(__file__).parents[2] / "assignments" / "final_project"
NOTEBOOK, WEIGHTS = "sound.ipynb", "triage.safetensors"
TENSORS = {"layer.weight": torch.ones(2, 3), "layer.bias": torch.zeros(2)}
GOOD = save(TENSORS)
Edit = Callable[[list[dict[str, Any]]], None]


@pytest.fixture(scope="module")
def built() -> Built:
    return compose("sound", PROJECT)


@pytest.fixture(scope="module")
def assignment(built: Built) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(built.assignment["assignment.json"])
    found["files"][0]["tensors"] = {"layer.weight": ["F32", [2, 3]], "layer.bias": ["F32", [2]]}
    return found


@pytest.fixture
def look(built: Built, assignment: dict[str, Any], tmp_path: Path) -> Callable[..., Report]:
    """Looks at the solution's zip with changes: of its cells, its weights, its files."""

    def report(edit: Edit | None = None, weights: bytes | None = GOOD, *, student: bool = False,
               **more: Any) -> Report:  # fmt: skip
        notebook = json.loads(built.student_notebook if student else built.solution_notebook)
        for cell in notebook["cells"]:
            cell["source"] = "".join(cell["source"])
        if edit:
            edit(notebook["cells"])
        files = {NOTEBOOK: json.dumps(notebook).encode()}
        files |= {WEIGHTS: weights} if weights is not None else {}
        path = tmp_path / "sound_2027.zip"
        path.write_bytes(otter_zip(path.name, files))
        changed = assignment | {key: more.pop(key) for key in list(more) if key in assignment}
        return examine(path, changed, **more)

    return report


def marked(report: Report, mark: str) -> list[str]:
    return [finding.text for finding in report.findings if finding.mark == mark]


def source(cells: list[dict[str, Any]], start: str) -> dict[str, Any]:
    return next(cell for cell in cells if start in cell["source"])


def changed(start: str, text: str) -> Edit:
    def edit(cells: list[dict[str, Any]]) -> None:
        source(cells, start)["source"] = text

    return edit


def without(start: str) -> Edit:
    return lambda cells: cells.remove(source(cells, start))


def test_the_published_file_needs_neither_the_grader_nor_torch() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(FILE.parent)!r})\n"
        "import handin\n"
        "print([n for n in ('autograder', 'otter', 'torch', 'msgspec') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_full_hand_in_costs_nothing(look: Callable[..., Report]) -> None:
    report = look()
    assert report.costs == 0 and marked(report, "note") == []
    assert len(marked(report, "ok")) == 6
    assert "triage.safetensors: 2 tensors" in str(report)
    assert "Nothing was found that would cost points by accident." in str(report)


def test_the_notebook_as_handed_out_has_no_answer(look: Callable[..., Report]) -> None:
    assert marked(look(student=True), "fix") == [
        "Question q1 (3 points): sensitivity is still as handed out; what is not answered earns "
        "nothing.",
        "Question q2 (2 points): nothing is written in its answer cell, where a person will look "
        "for your answer.",
        "Question q3 (1 point): threshold is still as handed out; what is not answered earns "
        "nothing.",
    ]


@pytest.mark.parametrize(
    ("same", "said"),
    [
        (["f", "Net.__init__", "Net.forward"], ["f", "Net"]),
        (["Net.forward"], ["Net.forward"]),
        (["Net.__init__", "Net.forward", "Other.f"], ["Net", "Other.f"]),
    ],
)
def test_a_class_of_which_nothing_is_written_is_named_once(
    same: list[str], said: list[str]
) -> None:
    stubs = ["f", "Net.__init__", "Net.forward", "Other.f", "Other.g"]
    assert handin._classes_together(same, stubs) == said


def test_an_answer_with_another_docstring_or_comment_only_is_none(
    look: Callable[..., Report],
) -> None:
    stub = 'def sensitivity(labels, predictions):\n    """Mine."""\n    # to do\n    ...\n'
    (problem,) = marked(look(changed("def sensitivity", stub)), "fix")
    assert problem.startswith("Question q1") and "sensitivity is still" in problem


@pytest.mark.parametrize(
    "answer",
    [
        "sensitivity = lambda labels, predictions: 1.0",
        "from numpy import mean as sensitivity",
        "if True:\n    def sensitivity(labels, predictions):\n        return 1.0",
        "def sensitivity(a, b):\n    ...\n\n\ndef sensitivity(a, b):\n    return 1.0",
    ],
)
def test_an_answer_may_be_written_in_any_way(look: Callable[..., Report], answer: str) -> None:
    assert look(changed("def sensitivity", answer)).costs == 0


def test_a_function_that_is_gone_is_told(look: Callable[..., Report]) -> None:
    (problem,) = marked(look(changed("def sensitivity", "def sensitvity():\n    return 1")), "fix")
    assert "sensitivity is not there any more" in problem


def test_a_written_answer_may_stand_below_its_cell(look: Callable[..., Report]) -> None:
    def edit(cells: list[dict[str, Any]]) -> None:
        place = cells.index(source(cells, "_Type your answer"))
        cells.insert(place + 1, {"cell_type": "markdown", "metadata": {}, "source": "Mine."})

    report = look(edit, student=True)
    assert not any("q2" in text for text in marked(report, "fix"))


def test_a_written_answer_whose_cell_is_gone_is_told(look: Callable[..., Report]) -> None:
    problems = marked(look(without("_Type your answer"), student=True), "fix")
    assert any("q2" in text and "answer cell is gone" in text for text in problems)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("def f(:\n    pass", "line 1: invalid syntax"),
        ("x = 1\nreturn x", "line 2: 'return' outside function"),
        ("%%time\nx = (", r"line 2: '\(' was never closed"),
        ("x = '\0'", "cannot be compiled|null bytes"),
    ],
)
def test_a_cell_that_is_not_python_is_told_with_question_and_line(
    look: Callable[..., Report], code: str, problem: str
) -> None:
    (text,) = marked(look(changed("def sensitivity", code)), "fix")[:1]
    assert re.search(rf"code cell \d+ \(question q1\) is not Python.*({problem})", text)


@pytest.mark.parametrize(
    "code",
    [
        "%matplotlib inline\nx = 1",
        "!ls data\nx = 1",
        "files = !ls",
        "len?",
        "%%bash\nfor x in *; do echo; done",
        "%%time\nx = 1",
        "if True:\n    %time x = 1",
        "await something()",
        "",
    ],
)
def test_magics_shell_commands_and_await_are_no_errors(
    look: Callable[..., Report], code: str
) -> None:
    new = {"cell_type": "code", "metadata": {}, "source": code, "outputs": []}
    assert look(lambda cells: cells.insert(3, new)).costs == 0


def test_a_check_cell_that_is_gone_is_told(look: Callable[..., Report]) -> None:
    (problem,) = marked(look(without('grader.check("q1")')), "fix")[:1]
    assert "not the notebook" in problem or 'put `grader.check("q1")` back' in problem


def test_cells_that_ended_with_an_error_are_noted(look: Callable[..., Report]) -> None:
    def edit(cells: list[dict[str, Any]]) -> None:
        error = {"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": []}
        source(cells, "def sensitivity")["outputs"] = [error]

    report = look(edit)
    assert report.costs == 0 and "(NameError, q1)" in marked(report, "note")[0]


# Weights.


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        (None, "triage.safetensors is missing. Run the cell that trains the model"),
        (b"", "triage.safetensors cannot be loaded"),
        (b"nonsense", "triage.safetensors cannot be loaded"),
        (GOOD[:-4], "triage.safetensors cannot be loaded"),
        (struct.pack("<Q", 2**60) + b"{}", "triage.safetensors cannot be loaded"),
        (save({"a": torch.tensor([1.0, float("nan")])}), "not finite numbers, in a"),
        (save({"a": torch.tensor([1.0, float("inf")], dtype=torch.bfloat16)}), "not finite"),
        (save({"a": torch.tensor([-float("inf")], dtype=torch.float16)}), "not finite"),
    ],
)
def test_weights_that_cannot_be_used_are_told(
    look: Callable[..., Report], weights: bytes | None, problem: str
) -> None:
    report = look(weights=weights)
    (text,) = marked(report, "fix")
    assert problem in text and "the notebook trains again while it is graded" in text
    assert "is trained again there" in str(report)


def test_what_missing_weights_cost_is_said(
    look: Callable[..., Report], assignment: dict[str, Any]
) -> None:
    file = assignment["files"][0] | {"question": "q1", "credit": 0.8}
    (text,) = marked(look(weights=None, files=[file]), "fix")
    assert text.endswith("in question q1 earns at most 80% of its points.")


@pytest.mark.parametrize(
    ("tensors", "difference"),
    [
        ({"layer.weight": torch.ones(2, 3)}, "layer.bias missing"),
        (TENSORS | {"more": torch.ones(1)}, "more not expected"),
        (TENSORS | {"layer.bias": torch.ones(4)}, "layer.bias of another shape or type"),
        (TENSORS | {"layer.bias": torch.ones(2).half()}, "layer.bias of another shape or type"),
    ],
)
def test_another_network_is_noted_and_costs_nothing(
    look: Callable[..., Report], tensors: dict[str, torch.Tensor], difference: str
) -> None:
    report = look(weights=save(tensors))
    (note,) = marked(report, "note")
    assert report.costs == 0 and difference in note and "If that is not on purpose" in note


# Files.


def zipped(tmp_path: Path, files: dict[str, bytes]) -> Path:
    path = tmp_path / "in.zip"
    path.write_bytes(zip_bytes(files))
    return path


def test_another_name_is_noted_and_several_notebooks_are_told(
    built: Built, assignment: dict[str, Any], tmp_path: Path
) -> None:
    data = built.solution_notebook
    one = examine(zipped(tmp_path, {"folder/mine.ipynb": data, WEIGHTS: GOOD}), assignment)
    assert one.costs == 0 and "named mine.ipynb, not sound.ipynb" in marked(one, "note")[0]
    two = examine(zipped(tmp_path, {"a.ipynb": data, "b.ipynb": data, WEIGHTS: GOOD}), assignment)
    assert "None of its 2 notebooks is named sound.ipynb" in marked(two, "fix")[0]
    all_ = examine(zipped(tmp_path, {"a.ipynb": b"", NOTEBOOK: data, WEIGHTS: GOOD}), assignment)
    assert all_.costs == 0 and "2 notebooks; sound.ipynb is graded" in marked(all_, "note")[0]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b"%PDF-1.4", "it is not a notebook, or was cut off"),
        (b'{"nbformat": 3, "worksheets": []}', "it is not a notebook of format 4"),
        (b'{"nbformat": 4, "cells": [{"cell_type": 1}]}', "its cells are damaged"),
        (b"[" * 100_000, "it is not a notebook, or was cut off"),
    ],
)
def test_a_notebook_that_cannot_be_read_is_told(
    assignment: dict[str, Any], tmp_path: Path, data: bytes, problem: str
) -> None:
    report = examine(zipped(tmp_path, {NOTEBOOK: data, WEIGHTS: GOOD}), assignment)
    (text,) = marked(report, "fix")
    assert text.startswith(f"{NOTEBOOK} cannot be read: {problem}") and "save it again" in text


def test_no_notebook_and_the_notebook_of_another_assignment_are_told(
    built: Built, assignment: dict[str, Any], tmp_path: Path
) -> None:
    nothing = examine(zipped(tmp_path, {WEIGHTS: GOOD}), assignment)
    assert marked(nothing, "fix")[0].startswith("There is no notebook in it: hand in sound.ipynb")
    notebook = json.loads(built.solution_notebook)
    notebook["metadata"]["otter"]["assignment_name"] = "other"
    file = zipped(tmp_path, {NOTEBOOK: json.dumps(notebook).encode(), WEIGHTS: GOOD})
    (problem,) = marked(examine(file, assignment | {"name": "sound"}), "fix")
    assert "is not the notebook of sound but of other" in problem


def test_a_notebook_alone_is_looked_at_with_the_weights_beside_it(
    built: Built, assignment: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / NOTEBOOK).write_bytes(built.solution_notebook)
    assert examine(tmp_path / NOTEBOOK, assignment).costs == 1
    (tmp_path / WEIGHTS).write_bytes(GOOD)
    report = examine(tmp_path / NOTEBOOK, assignment)
    assert report.costs == 0 and "hand in the zip" in marked(report, "note")[0]


@pytest.mark.parametrize(("name", "data"), [("a.zip", b"no zip"), ("a.txt", b""), ("b.zip", None)])
def test_what_is_no_hand_in_is_refused_in_one_sentence(
    assignment: dict[str, Any], tmp_path: Path, name: str, data: bytes | None
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=r"does not exist|neither a zip nor a notebook"):
        examine(tmp_path / name, assignment)


def test_a_zip_that_unpacks_to_too_much_is_refused(
    assignment: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handin, "ZIP_BYTES", 1000)
    with pytest.raises(ValueError, match="which graders do not read"):
        examine(zipped(tmp_path, {"x": b"0" * 2000}), assignment)


def test_a_damaged_entry_is_told_and_no_traceback(
    built: Built, assignment: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(NOTEBOOK, built.solution_notebook)
    data = bytearray(path.read_bytes())
    data[2000] ^= 0xFF
    path.write_bytes(bytes(data))
    assert "cannot be read: the file is empty" in marked(examine(path, assignment), "fix")[0]


def test_nothing_in_a_hand_in_acts_on_a_terminal(
    built: Built, assignment: dict[str, Any], tmp_path: Path
) -> None:
    name = "\x1b]52;c;eA==\x07\u202e.ipynb"
    report = examine(zipped(tmp_path, {name: built.solution_notebook}), assignment)
    assert not set(str(report)) & set("\x1b\x07\u202e")


def test_a_notebook_saved_long_before_its_export_is_noted(look: Callable[..., Report]) -> None:
    saved = 1_802_347_200.0  # some day in 2027; the made-up zip is of that year
    notes = marked(look(now=saved + 10**8), "note")
    assert len(notes) == 1 and "was last saved" in notes[0] and "hours ago" in notes[0]


# What will become of it.


def test_it_says_what_is_graded_and_what_runs(look: Callable[..., Report]) -> None:
    text = str(look())
    assert "q1   3 points, 1 visible and 1 hidden checks" in text
    assert "2 points, read by a person" in text
    assert "Together 6 points, of which 2 are given by people." in text
    assert "Each cell may take 20 s" in text and "triage.safetensors is loaded" in text


# In the notebook and on the command line.


def published(built: Built, folder: Path) -> Path:
    for name in ("handin.py", "assignment.json"):
        (folder / name).write_bytes(built.assignment[name])
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "handin.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_prints_and_its_status_tells(built: Built, tmp_path: Path) -> None:
    published(built, tmp_path)
    weights = (PROJECT / "solutions/sound" / WEIGHTS).read_bytes()
    for notebook in (built.solution_notebook, built.student_notebook):
        data = otter_zip("x.zip", {NOTEBOOK: notebook, WEIGHTS: weights})
        (tmp_path / "x.zip").write_bytes(data)
        done = run(tmp_path, "x.zip")
        report = examine(tmp_path / "x.zip", handin.load_assignment(tmp_path))
        assert done.stdout == f"{report}\n" and done.stderr == ""
        assert done.returncode == (1 if report.costs else 0)


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--help"], ["none.zip"]])
def test_without_a_file_it_says_how_to_use_it(
    built: Built, tmp_path: Path, arguments: list[str]
) -> None:
    done = run(published(built, tmp_path), *arguments)
    assert done.returncode == 2 and done.stderr == "" and done.stdout.count("\n") <= 2


def test_without_what_the_assignment_asks_for_it_says_so(built: Built, tmp_path: Path) -> None:
    published(built, tmp_path)
    (tmp_path / "assignment.json").unlink()
    (tmp_path / "x.zip").write_bytes(zip_bytes({}))
    done = run(tmp_path, "x.zip")
    assert done.returncode == 2 and "assignment.json is missing or damaged" in done.stdout


def test_in_the_notebook_the_newest_export_is_looked_at(built: Built, tmp_path: Path) -> None:
    published(built, tmp_path)
    code = [sys.executable, "-c", "import handin; handin.check()"]
    none = subprocess.run(code, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert none.stdout == "There is no exported zip here, so there is nothing to check.\n"
    (tmp_path / "sound_1.zip").write_bytes(zip_bytes({NOTEBOOK: built.student_notebook}))
    found = subprocess.run(code, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.startswith("sound_1.zip, for 'Sound'")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "assignment.json").unlink(), "There is nothing to check here."),
        (lambda folder: (folder / "assignment.json").write_text("{"), "missing or damaged"),
        (lambda folder: (folder / "sound_1.zip").write_bytes(b"x"), "neither a zip nor a notebook"),
    ],
)
def test_in_the_notebook_nothing_is_raised(
    built: Built, tmp_path: Path, damage: Callable[[Path], Any], said: str
) -> None:
    damage(published(built, tmp_path))
    code = [sys.executable, "-c", "import handin; handin.check()"]
    done = subprocess.run(code, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said in done.stdout and done.stdout.count("\n") == 1 and done.stderr == ""


def test_only_files_that_are_there_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").touch()
    assert handin.present(["a", "b"]) == ["a"]


MILESTONES = json.loads((PUBLISHED / "assignment.json").read_text("utf-8"))


def team(tmp_path: Path, last: str, *, without: tuple[str, ...] = ()) -> Path:
    """A team's hand-in with everything up to the milestone ``last``, but for files and answers."""
    notebook = json.loads((PUBLISHED / "final_project.ipynb").read_text("utf-8"))
    files: dict[str, bytes] = {}
    for milestone in MILESTONES["milestones"]:
        files |= {name: GOOD for name in milestone["files"] if name not in without}
        for cell in notebook["cells"]:
            answered = cell["metadata"].get("question") in set(milestone["questions"])
            if answered and handin.ANSWER in cell["metadata"].get("tags", []):
                cell["source"] = read_or_written("".join(cell["source"]), without)
        if milestone["name"] == last:
            break
    path = tmp_path / "final_project_2027.zip"
    path.write_bytes(zip_bytes(files | {"final_project.ipynb": json.dumps(notebook).encode()}))
    return path


def read_or_written(text: str, without: tuple[str, ...]) -> str:
    lines = text.splitlines()
    if "#" not in text:
        return "In our words."
    return "\n".join(
        line if line.split(" = ")[0] in without else f"{line.split(' = ')[0]} = [1]"
        for line in lines
    )


@pytest.mark.parametrize("name", [one["name"] for one in MILESTONES["milestones"]])
def test_a_milestone_asks_for_what_is_due_and_for_nothing_later(tmp_path: Path, name: str) -> None:
    path = team(tmp_path, name, without=("deviations",))
    for milestone in (name, None):
        report = examine(path, MILESTONES, milestone=milestone)
        assert marked(report, "fix") == [], str(report)
        assert f"Looked at as milestone {name}, which needs " in str(report)
        graded = {line.split()[0] for line in report.graded[:-1]}
        (own,) = [one for one in MILESTONES["milestones"] if one["name"] == name]
        assert graded == set(own["questions"])


def test_what_a_milestone_lacks_is_told(tmp_path: Path) -> None:
    lacks = ("predictions.csv", "predictions", "split.csv", "prereg", "deviations", "data_card")
    path = team(tmp_path, "p2", without=lacks)
    report = examine(path, MILESTONES, milestone="p2")
    needs = "is missing: milestone p2 needs it, and what rests on it earns nothing without."
    assert marked(report, "fix") == [
        "Question p0, of an earlier milestone: prereg is still as handed out, and p2 is checked "
        "against it.",
        "Question p2 (10 points): predictions is still as handed out; what is not answered earns "
        "nothing.",
        f"split.csv {needs}",
        f"predictions.csv {needs}",
    ]
    assert "audit" not in str(report) and "predict.py" not in str(report)


def test_the_last_milestone_that_was_begun_is_looked_at(tmp_path: Path) -> None:
    first = team(tmp_path, "p0", without=("prereg.json", "prereg"))
    assert "milestone p0, which needs prereg.json: it is the last" in str(
        examine(first, MILESTONES)
    )
    begun = team(tmp_path, "p3", without=("predict.py", "model.safetensors"))
    report = examine(begun, MILESTONES)
    assert "milestone p3," in marked(report, "note")[0] and report.costs == 2


def test_a_milestone_that_there_is_not_is_refused(
    look: Callable[..., Report], tmp_path: Path
) -> None:
    path = team(tmp_path, "p0")
    with pytest.raises(ValueError, match="no milestone 'p9'; it has p0, p1, p2, p3, p4, p5, p6"):
        examine(path, MILESTONES, milestone="p9")
    with pytest.raises(ValueError, match="'Sound' has no milestone 'p0'; it has none"):
        look(milestone="p0")


@pytest.mark.parametrize("notebook_alone", [False, True])
def test_the_command_takes_a_milestone(tmp_path: Path, notebook_alone: bool) -> None:
    path = team(tmp_path, "p1")
    shutil.copy(FILE, tmp_path)
    shutil.copy(PUBLISHED / "assignment.json", tmp_path)
    if notebook_alone:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path)
        path = tmp_path / "final_project.ipynb"
    fine, less = (
        run(tmp_path, path.name, "--milestone", "p1"),
        run(tmp_path, "--milestone", "p2", path.name),
    )
    assert fine.returncode == 0 and "milestone p1," in fine.stdout, fine.stdout
    assert less.returncode == 1 and "results.json is missing" in less.stdout
    assert run(tmp_path, path.name, "--milestone").returncode == 2

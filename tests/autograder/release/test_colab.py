"""The two cells of a released notebook: of use in Colab, and of no effect anywhere else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from autograder.build.compose import Built, compose
from autograder.build.publish import publish
from autograder.course import Course, read
from autograder.handin import examine, load_assignment
from autograder.release.colab import badge, with_colab
from autograder.release.tree import tree
from autograder.syllabus import Entry, entries

OPEN = "https://colab.research.google.com/github/owner/course/blob/main/sound/sound.ipynb"
COLAB = '''
import json, subprocess, sys, types
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell

for name in ("google", "google.colab", "google.colab._shell"):
    sys.modules[name] = types.ModuleType(name)

class Shell(InteractiveShell):
    """As Colab's: otter knows it by the name of its module."""

Shell.__module__ = "google.colab._shell"
notebook, content, repository, asked = sys.argv[1], sys.argv[2], sys.argv[3], []
real = subprocess.run

def run(command, **more):
    if "pip" in command:
        return asked.extend(command)
    return real([repository if part.startswith("https:") else part for part in command], **more)

subprocess.run = run
shell = Shell.instance()
for cell in json.loads(Path(notebook).read_text())["cells"]:
    source = "".join(cell["source"]).replace("/content", content)
    if cell["cell_type"] == "code" and "grader.export" not in source:
        result = shell.run_cell(source)
        if result.error_in_exec:
            sys.exit(f"{type(result.error_in_exec).__name__}: {result.error_in_exec}")
        if "grader.check" in source:
            print(json.dumps({"says": str(result.result), "asked": asked}))
'''


@pytest.fixture(scope="module")
def plan(offered: Path) -> Course:
    return read(offered)


@pytest.fixture(scope="module")
def sound(plan: Course, offered: Path) -> Entry:
    return next(one for one in entries(plan, offered) if one.plan.name == "sound")


@pytest.fixture(scope="module")
def built(offered: Path) -> Built:
    return compose("sound", offered)


def test_the_notebook_is_the_built_one_with_two_cells_in_front(
    plan: Course, sound: Entry, built: Built
) -> None:
    made = json.loads(with_colab(built.student_notebook, plan, sound))
    assert made | {"cells": made["cells"][2:]} == json.loads(built.student_notebook)
    text = "".join(made["cells"][0]["source"])
    assert f"({OPEN})" in text and "`triage.safetensors` from the folder `course/sound`" in text
    assert [cell["id"] for cell in made["cells"][:2]] == ["colab-badge", "colab-setup"]


@pytest.mark.parametrize("address", ["", "https://gitlab.com/owner/course"])
def test_where_colab_cannot_fetch_it_the_notebook_stays_as_it_is(
    plan: Course, sound: Entry, built: Built, address: str
) -> None:
    elsewhere = replace(plan, repository=address)
    assert with_colab(built.student_notebook, elsewhere, sound) == built.student_notebook
    assert badge(elsewhere, "sound/sound.ipynb") == ""


@pytest.mark.parametrize("address", ["https://github.com/owner/course.git",
                                     "https://github.com/owner/course/"])  # fmt: skip
def test_the_badge_opens_the_notebook_however_the_address_is_written(
    plan: Course, address: str
) -> None:
    assert f"({OPEN})" in badge(replace(plan, repository=address), "sound/sound.ipynb")


def test_a_hand_in_looks_the_same_with_the_cells(
    plan: Course, sound: Entry, built: Built, offered: Path, tmp_path: Path
) -> None:
    said = []
    for data in (built.solution_notebook, with_colab(built.solution_notebook, plan, sound)):
        (tmp_path / "sound.ipynb").write_bytes(data)
        found = examine(tmp_path / "sound.ipynb", load_assignment(offered / "assignments/sound"))
        said.append([(one.mark, one.text) for one in found.findings if "cells" not in one.text])
    assert said[0] == said[1] != []


def test_rooms_give_the_same_points_with_the_cells(plan: Course, sound: Entry, rooms: Any) -> None:
    plain = rooms.once("perfect")
    data = (Path(__file__).parents[2] / "notebooks" / "rooms" / "perfect.ipynb").read_bytes()
    verdict = rooms.grade(with_colab(data, plan, sound)).verdict
    assert (verdict.status, verdict.score) == (plain.verdict.status, plain.verdict.score)
    assert verdict.score == verdict.possible and not verdict.notes


def test_otter_run_gives_full_points_with_the_cells(
    plan: Course, sound: Entry, built: Built, tmp_path: Path
) -> None:
    publish({tmp_path / "dist": built.bundle})
    (tmp_path / "sound.ipynb").write_bytes(with_colab(built.solution_notebook, plan, sound))
    archive = tmp_path / "dist" / built.manifest.otter_zip
    done = subprocess.run(
        [Path(sys.executable).parent / "otter", "run", "sound.ipynb", "-a", archive, "--no-logo"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads((tmp_path / "results.json").read_text())
    assert sum(test.get("score", 0) for test in results["tests"]) == built.manifest.possible


def test_in_colab_a_notebook_fetches_its_files_and_can_check_itself(
    plan: Course, sound: Entry, built: Built, offered: Path, tmp_path: Path
) -> None:
    """In a shell that otter takes for Colab's, with nothing but the notebook at hand."""
    publish({tmp_path / "course": tree(plan, [sound], offered)})
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    for command in (["init", "-qb", "main"], ["add", "-A"], [*who, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(tmp_path / "course"), *command], check=True)
    handed_in = tmp_path / "opened.ipynb"
    handed_in.write_bytes(with_colab(built.solution_notebook, plan, sound))
    (tmp_path / "content").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COLAB, handed_in, tmp_path / "content",
         f"file://{tmp_path / 'course'}"],
        cwd=tmp_path / "content", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert "All test cases passed!" in seen["says"]
    assert "torch" in seen["asked"] and not [one for one in seen["asked"] if "jupyterlab" in one]
    assert (tmp_path / "content" / "course" / "sound" / "data" / "cases.csv").is_file()

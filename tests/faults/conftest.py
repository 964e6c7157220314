"""A small class that is graded by the real command, as often as something breaks."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from autograder.session import load

PROJECT = Path(__file__).parents[2]
CLASS = (
    "perfect", "blank", "has_syntax_error", "never_checked", "crashes_at_once",
    "crashes_in_function", "exits_in_function", "loops_in_function", "takes_memory",
    "writes_its_weights",
)  # fmt: skip
"""Honest, wrong, crashing, endless and greedy ones."""


def _tiny_course() -> Any:
    path = PROJECT / "tests" / "autograder" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tiny_course", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Class:
    """Submissions, a roster and a bundle on disk."""

    folder: Path
    bundle: Path
    out: Path = field(init=False)

    def __post_init__(self) -> None:
        self.out = self.folder / "out"
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir(mode=0o755, exist_ok=True)

    def command(self) -> list[str]:
        """The one command that is run again and again."""
        return [
            sys.executable, "-m", "autograder.cli", "grade", str(self.bundle),
            str(self.folder / "handed_in"), "--roster", str(self.folder / "gradebook.csv"),
            "--out", str(self.out), "--rooms", "2", "--json",
        ]  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        """Run the command, in a session of its own as from a terminal."""
        environment = os.environ | {
            "AUTOGRADER_SECRET": "canary of the secret",
            "TMPDIR": str(self.temporary),
        }
        return subprocess.Popen(
            self.command(), env=environment, text=True, start_new_session=True, cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run the command undisturbed."""
        process = self.start()
        stdout, stderr = process.communicate(timeout=500)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def verdicts(self) -> dict[str, Any]:
        """Everything that counts: status, score, and status and points of each test."""
        return {
            verdict.student: (
                verdict.status,
                verdict.score,
                {
                    name: [(test.name, test.status, test.points) for test in one.tests]
                    for name, one in verdict.questions.items()
                },
            )
            for verdict in load(self.out).verdicts
        }

    def files(self) -> dict[str, str]:
        """Each student's result for Gradescope, without its times."""
        found = {}
        for path in sorted(self.out.glob("results/*/results.json")):
            content = json.loads(path.read_text())
            content.pop("execution_time", None)
            found[path.parent.name] = json.dumps(content)
        return found

    def at_another_place(self, folder: Path) -> Class:
        """The same class with no results."""
        folder.mkdir()
        for name in ("handed_in", "gradebook.csv"):
            (folder / name).symlink_to(self.folder / name)
        return Class(folder, self.bundle)


@pytest.fixture(scope="session")
def small_class(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """The class, with no results."""
    tiny = _tiny_course()
    folder = tmp_path_factory.mktemp("class")
    limits = {
        "cell_seconds": 60, "question_seconds": 15, "submission_seconds": 300, "memory_mb": 512,
        "processes": 40, "file_mb": 4, "disk_mb": 16, "output_kb": 64,
    }  # fmt: skip
    bundle = tiny.Course(folder).bundle(limits=limits)
    rows = ["Student,ID,SIS User ID,SIS Login ID,Section,Tiny (12)", "Points Possible,,,,,6"]
    for number, name in enumerate(CLASS, 101):
        rows.append(f'"Student, {name}",{number},S{number},s{number},A,')
        place = folder / "handed_in" / str(number)
        place.mkdir(parents=True)
        (place / "tiny.ipynb").write_bytes(tiny.notebook(name))
    (folder / "gradebook.csv").write_text("\n".join(rows) + "\n")
    return Class(folder, bundle.folder)


@pytest.fixture(scope="session")
def undisturbed(small_class: Class) -> Class:
    """The class after a run in which nothing broke."""
    done = small_class.run()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["graded"] == len(CLASS)
    return small_class


@pytest.fixture
def fresh(small_class: Class, tmp_path: Path) -> Class:
    """The class with no results, in a folder of its own."""
    return small_class.at_another_place(tmp_path / "class")


def mounts_below(folder: Path) -> list[str]:
    """Mounts of this namespace below ``folder``."""
    return [line for line in Path("/proc/self/mounts").read_text().splitlines()
            if str(folder) in line]  # fmt: skip

"""A tiny course, and one engine whose warm processes all tests of a run share."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autograder.bundle import Bundle, Manifest, Question, TestEntry, sha256
from autograder.engine import Engine, Settings
from autograder.model import Limits, Outcome, Student, Submission
from autograder.supervisor import Supervisor

PROJECT = Path(__file__).parents[2]
NOTEBOOKS = PROJECT / "tests" / "notebooks" / "rooms"
SECRET = "canary of the secret"
LIMITS = Limits(
    cell_seconds=60, question_seconds=60, submission_seconds=300, memory_mb=512, processes=40,
    open_files=100, file_mb=4, disk_mb=16, output_kb=64,
)  # fmt: skip

HEAD = "from otter.test_files import test_case\n\nOK_FORMAT = False\nname = {!r}\npoints = {!r}\n\n"
TESTS = {
    "q1": (4, '''
@test_case(points=1, hidden=False)
def test_one_more(f):
    """Adds one to one."""
    assert f(1) == 2, f"expected 2, got {f(1)}"

@test_case(points=3, hidden=True)
def test_arrays(env):
    """Adds one to each number.

    canary of the tests
    """
    import numpy as np
    from reference_impl.course_secret import student_rng
    x = student_rng("x").standard_normal(5)
    assert np.allclose(env["f"](x), x + 1), "canary of the tests: arrays are added to wrongly"
'''),
    "q2": (2, '''
@test_case(points=2, hidden=True)
def test_refuses_negative_numbers(g):
    """Refuses a negative number."""
    try:
        g(-1)
    except ValueError:
        return
    assert False, "no ValueError"
'''),
    "dies": (1, '''
@test_case(points=1, hidden=False)
def test_before():
    pass

@test_case(points=0, hidden=True)
def test_that_ends_its_room(f):
    import os
    os._exit(3)
'''),
    "counts": (2, '''
@test_case(points=1, hidden=True)
def test_hidden_comes_last(asked):
    import builtins
    assert builtins.seen == ["counts", "counts_too"], builtins.seen

@test_case(points=1, hidden=False)
def test_public_comes_first(f, asked):
    import builtins
    builtins.seen = [*getattr(builtins, "seen", []), "counts"]
'''),
    "counts_too": (2, '''
@test_case(points=1, hidden=True)
def test_hidden_comes_last(asked):
    import builtins
    assert builtins.seen == ["counts", "counts_too"], builtins.seen

@test_case(points=1, hidden=False)
def test_public_comes_first(f, asked):
    import builtins
    builtins.seen = [*getattr(builtins, "seen", []), "counts_too"]
'''),
    "upon": (2, '''
@test_case(points=1, hidden=False)
def test_shown(g):
    assert g(1) is None

@test_case(points=1, hidden=True)
def test_asks_nothing_if_skipped(g):
    assert g(2) is None
'''),
    "all": (2, '''
@test_case(points=1, hidden=True)
def test_good(f):
    assert f(1) == 2

@test_case(points=1, hidden=True)
def test_bad(f):
    assert f(1) == 3
'''),
    "sees": (1, '''
@test_case(points=1, hidden=True)
def test_what_the_judge_sees():
    import os
    held = sorted(os.listdir("/"))
    assert "public" not in held and "course" in held, held
    assert os.environ["AUTOGRADER_SECRET"] == "canary of the secret"
    assert os.environ["AUTOGRADER_STUDENT"] == "101"
    assert "HOST_CANARY" not in os.environ
'''),
}  # fmt: skip
HELPER = '''"""What the tiny course publishes."""

import torch

WORD = "public"


class Scale:
    def __init__(self, factor):
        self.factor, self.calls = factor, 0

    def __call__(self, x):
        self.calls += 1
        return self.factor * x


class _Private:
    pass


def doubled(x):
    return 2 * x


class Line(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(self.layer.weight, weight)

    def forward(self, x):
        return self.layer(x)
'''


COURSE_FILE = """
title = "T"
term = "S"
licence = "MIT"
[policies.late]
by = "autograder"
per_day = 0.1
[[assignment]]
name = "tiny"
kind = "homework"
points = 6
weight = 1
release = 2027-02-01T09:00:00Z
due = 2027-02-28T22:59:00Z
"""


def test_file(name: str) -> str:
    points, body = TESTS[name]
    return HEAD.format(name, points) + body.lstrip()


test_file.__test__ = False  # type: ignore[attr-defined]


def question(name: str, **more: Any) -> Question:
    """The manifest's entry for a question, read off its test file."""
    points, body = TESTS[name]
    entries, marks = [], ""
    for line in body.splitlines():
        if line.startswith("@test_case("):
            marks = line
        elif line.startswith("def "):
            values = dict(part.split("=") for part in marks[11:-1].split(", "))
            entries.append(
                TestEntry(
                    name=line[4:].partition("(")[0],
                    points=float(values["points"]),
                    hidden=values["hidden"] == "True",
                    label="what " + line[4:].partition("(")[0],
                )
            )
    return Question(name=name, points=points, tests=entries, **more)


class Course:
    """Writes bundles of the tiny course: one otter zip with every test, any manifest."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, 0
        self.zip = folder / "tiny-autograder.zip"
        with zipfile.ZipFile(self.zip, "w") as archive:
            archive.writestr("otter_config.json", '{"pdf": false}')
            for name in TESTS:
                archive.writestr(f"tests/{name}.py", test_file(name))
            for name in ("__init__.py", "course_secret.py"):
                source = PROJECT / "reference_impl" / name
                archive.write(source, f"files/reference_impl/{name}")
            archive.write(PROJECT / "autograder" / "coursekit.py", "files/coursekit.py")
            archive.writestr("files/helper.py", HELPER)
            archive.writestr("files/data/points.csv", "1,2")

    def bundle(self, *questions: str | Question, **more: Any) -> Bundle:
        """A bundle of these questions; of ``q1`` and ``q2`` if none are named."""
        self._made += 1
        folder = self._folder / f"bundle{self._made}"
        folder.mkdir()
        shutil.copyfile(self.zip, folder / self.zip.name)
        fields: dict[str, Any] = {
            "name": "tiny", "title": "Tiny", "notebook": "tiny.ipynb", "otter_zip": self.zip.name,
            "questions": [question(q) if isinstance(q, str) else q for q in questions or TWO],
            "helpers": ["helper"], "expected_files": ["weights.bin"], "limits": LIMITS,
            "public_files": ["coursekit.py", "helper.py", "data/points.csv"],
            "hashes": {self.zip.name: sha256(self.zip.read_bytes())},
        }  # fmt: skip
        manifest = msgspec.json.encode(Manifest(**fields | more))
        (folder / "manifest.json").write_bytes(msgspec.json.format(manifest))
        return Bundle(folder)


TWO = ("q1", "q2")


def notebook(name: str) -> bytes:
    return (NOTEBOOKS / f"{name}.ipynb").read_bytes()


def handed_in(data: bytes, student: str = "101", **more: Any) -> Submission:
    who = Student(id=student, name="Lovelace, Ada")
    return Submission(student=who, source="by hand", notebook=data, **more)


class Rooms:
    """Grades in rooms forked from the run's only warm processes."""

    def __init__(self, course: Course, lender: Engine) -> None:
        self.course, self.lender = course, lender
        self.engines = _borrowing(lender)
        self._known: dict[str, Outcome] = {}

    @property
    def students(self) -> Any:
        return self.lender._warm[0]

    def engine(self, bundle: Bundle | None = None, **settings: Any) -> Engine:
        """An engine without warm processes of its own."""
        chosen = Settings(**{"rooms": 2, "secret": SECRET} | settings)
        return self.engines(bundle or self.lender.bundle, chosen)

    def grade(self, name: str | bytes, bundle: Bundle | None = None, *, retrain: float = 0.0,
              files: dict[str, bytes] | None = None, **limits: Any) -> Outcome:  # fmt: skip
        """Grade a notebook by name; ``limits`` are those that differ from the course's."""
        data = notebook(name) if isinstance(name, str) else name
        chosen = msgspec.structs.replace(LIMITS, **limits)
        with self.engine(bundle, limits=chosen, retrain=retrain) as engine:
            (outcome,) = engine.grade([handed_in(data, files=files or {})])
        return outcome

    def once(self, name: str) -> Outcome:
        """The outcome of a notebook graded as it is, at most once in a run."""
        if name not in self._known:
            self._known[name] = self.grade(name)
        return self._known[name]


def _borrowing(lender: Engine) -> type[Engine]:
    class Borrowing(Engine):
        def _start(self) -> None:
            self.isolation, self.lacking = lender.isolation, lender.lacking
            self._supervisor = Supervisor(self.bundle, *lender._warm, self.settings.limits)

    return Borrowing


@pytest.fixture(scope="session")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="session")
def rooms(course: Course) -> Iterator[Rooms]:
    os.environ["HOST_CANARY"] = "canary of the host"
    with Engine(course.bundle(), Settings(rooms=2, secret=SECRET)) as engine:
        yield Rooms(course, engine)
    del os.environ["HOST_CANARY"]


@pytest.fixture(scope="session")
def course_file() -> str:
    """A course file of the tiny course: what is late loses a tenth a day, and we take it off."""
    return COURSE_FILE


@pytest.fixture(scope="session")
def read_notebook() -> Callable[[str], bytes]:
    return notebook


@pytest.fixture(scope="session")
def hand_in() -> Callable[..., Submission]:
    return handed_in


@pytest.fixture(scope="session", name="question")
def question_entry() -> Callable[..., Question]:
    return question


@pytest.fixture
def beside() -> Iterator[Callable[..., Any]]:
    """Makes a link to names that live in a room S without walls: a thread of this process."""
    from autograder.room.answer import Answerer
    from autograder.seal.handles import Link

    ends: list[Any] = []

    def link(names: dict[str, Any], helpers: tuple[str, ...] = (), seconds: float = 60) -> Link:
        ours, theirs = socket.socketpair()
        deadline = time.monotonic() + seconds
        made = Link(ours, lambda: deadline)
        thread = threading.Thread(
            target=Answerer(names, list(helpers)).serve, args=(theirs,), daemon=True
        )
        thread.start()
        ends.append((made, theirs, thread))
        return made

    yield link
    for made, theirs, thread in ends:
        made.close()
        thread.join(10)
        theirs.close()

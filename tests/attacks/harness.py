"""Grades one attack between two honest submissions, and looks at everything it could have moved."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import sqlite3
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

from census import Census
from click.testing import CliRunner

from autograder import cli
from autograder.build import build
from autograder.bundle import Bundle
from autograder.demo.pack import zip_bytes
from autograder.engine import Engine, Settings
from autograder.errors import AutograderError
from autograder.intake.names import slug
from autograder.model import Student
from autograder.session import load as load_results
from autograder.supervisor import Supervisor

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
CORPUS = HERE / "corpus"
TARGET = HERE / "target"
LIST = HERE / "list.toml"
LEFT_OUT = HERE / "left_out.toml"

MEMORY_BOUND_MB = 384
"""How far an attack may drive the supervisor's own memory, at its peak."""
EXECUTED_FACTOR = 16
"""How much larger than the limit of its outputs an executed notebook may be."""
GRACE_SECONDS = 30.0
"""Wall clock that opening rooms and judging may take beyond a submission's own limit."""

SECRET = "CANARY-SECRET-9d3c11aa"
CANARIES = {
    "a hidden test": "CANARY-HIDDENTEST-4e9d10f7",
    "the reference": "CANARY-REFERENCE-b07c55e1",
    "a label": "CANARY#L",
    "the course secret": SECRET,
    "the roster": "CANARY-ROSTER-62fe08bc",
    "the Canvas token": "CANARY-TOKEN-c4410d9e",
    "a file at home": "CANARY-NETRC-18b5f3d2",
    "another student's notebook": "CANARY-NEIGHBOUR-a97e2c40",
}
"""What no student may see and nothing in room S may say, by whose it is."""
INPUT_CANARIES = {"a hidden input": "48213.640625"}
"""What room S is given to answer hidden tests: only its log, which is for staff, may hold it."""
REACHED = "REACHED "
"""What an attack prints when it got what it must not."""

ATTACKER = Student(id="302", name="Mallory, Mal", login="mal302")
HONEST = (
    Student(id="301", name="Ames, Ada", login="ada301"),
    Student(id="303", name="Zorn, Zoe", login=CANARIES["the roster"]),
)
"""Graded before and after the attack."""


@dataclass(frozen=True)
class Attack:
    """One file of the corpus."""

    path: Path
    number: int
    name: str
    tries: str
    must: str
    standing: str
    otter: str
    needs: str

    @property
    def id(self) -> str:
        """Its file's name without the ending."""
        return self.path.stem

    def submission(self) -> dict[str, bytes]:
        """What the student uploads: file name → bytes."""
        if self.path.suffix == ".ipynb":
            return {"target.ipynb": self.path.read_bytes()}
        files: dict[str, bytes] = runpy.run_path(str(self.path))["submission"]()
        return files


def load(path: Path) -> Attack:
    """The attack in a file of the corpus."""
    if path.suffix == ".ipynb":
        told = json.loads(path.read_bytes())["metadata"]["attack"]
    else:
        told = runpy.run_path(str(path))["ATTACK"]
    return Attack(path=path, **{"name": listed()[told["number"]]} | told)


def corpus() -> list[Path]:
    """The files of all attacks, in order."""
    return sorted(path for path in CORPUS.iterdir() if path.name[:2].isdigit())


def listed() -> dict[int, str]:
    """The attacks that there are to be, by number."""
    return {int(key): name for key, name in tomllib.loads(LIST.read_text())["attacks"].items()}


def left_out() -> dict[int, str]:
    """Why some of them are not in the corpus."""
    told = tomllib.loads(LEFT_OUT.read_text())["left_out"]
    return {int(key): reason for key, reason in told.items()}


@dataclass
class Graded:
    """What one run of the command left of three submissions."""

    out: Path
    exit_code: int
    said: str
    wall: float
    stored: dict[str, bytes]
    """Files that S handed over, of the attacker, by name."""
    peak_mb: float = 0.0
    moved: list[str] = field(default_factory=list)
    """What is not as it was before."""

    def verdict(self, student: Student) -> dict[str, Any]:
        """A student's verdict; empty if there is none."""
        file = self.out / "results" / student.id / "verdict.json"
        return json.loads(file.read_bytes()) if file.is_file() else {}

    def folder(self, student: Student) -> dict[str, bytes]:
        """All files of a student's folder."""
        own = self.out / "results" / student.id
        return {path.name: path.read_bytes() for path in sorted(own.glob("*")) if path.is_file()}


@dataclass(frozen=True)
class Finding:
    """What became of an attack."""

    standing: str
    """``graded``, ``unreadable``, ``grader_error``; without a verdict ``unmatched`` or ``lost``."""
    score: float
    seconds: float
    """Wall clock of its grading."""
    violations: list[str]
    """Each begins with the invariant's name, I1 to I6."""
    isolation: str = ""


def check(attack: Attack, grader: Grader) -> Finding:
    """Grade ``attack`` between two honest submissions and see what it moved."""
    return judge(attack.standing, grader.grade(attack.submission()), grader)


def judge(standing: str, graded: Graded, grader: Grader) -> Finding:
    """Hold one run of the command against the invariants.

    Args:
        standing: The submission's right standing.
        graded: The run.
        grader: That ran it.
    """
    verdict = graded.verdict(ATTACKER)
    found = str(verdict.get("status", "")) or _whereabouts(graded)
    violations = [
        *_score(verdict, grader),
        *_canaries(graded),
        *_neighbours(graded, grader),
        *(f"I4: {moved}" for moved in graded.moved),
        *_budget(verdict, graded, grader),
        *_results(graded),
        *([] if found == standing else [f"I6: {found}, not {standing}. {_excuse(verdict)}"]),
        *([] if graded.exit_code == 0 else [f"I6: exit status {graded.exit_code}: {graded.said}"]),
    ]
    return Finding(
        found, verdict.get("score", 0.0), verdict.get("seconds", 0.0), violations,
        verdict.get("isolation", ""),
    )  # fmt: skip


def _whereabouts(graded: Graded) -> str:
    """``unmatched`` if the instructor was told that the file is nobody's, else ``lost``."""
    intake = graded.out / "intake.json"
    told = json.loads(intake.read_bytes())["unmatched"] if intake.is_file() else []
    return "unmatched" if any(ATTACKER.id in found["source"] for found in told) else "lost"


def _excuse(verdict: dict[str, Any]) -> str:
    return str(verdict.get("message", ""))[:300]


def _results(graded: Graded) -> Iterator[str]:
    try:
        load_results(graded.out)
    except AutograderError as error:
        yield f"I4: the results cannot be read again: {error}"


def _score(verdict: dict[str, Any], grader: Grader) -> Iterator[str]:
    if verdict.get("score", 0.0) > grader.wrong_score:
        gained = [
            f"{name} {test['name']}"
            for name, question in verdict["questions"].items()
            for test in question["tests"]
            if test["points"] and f"{name} {test['name']}" not in grader.wrong_passes
        ]
        yield f"I1: {verdict['score']:g} points, not {grader.wrong_score:g}; for {gained}"


def _canaries(graded: Graded) -> Iterator[str]:
    for student in (ATTACKER, *HONEST):
        own = graded.folder(student)
        log = _of_room_s(own.pop("log.txt", b""))
        own.pop("verdict.json", None)
        canaries = dict(CANARIES)
        if student is not ATTACKER:
            del canaries["another student's notebook"]
        handed = graded.stored if student is ATTACKER else {}
        for name, data in (own | handed).items():
            for what in _held(data, canaries | INPUT_CANARIES):
                yield f"I2: {name} of {student.name} shows {what}"
        for what in _held(log, canaries):
            yield f"I2: room S of {student.name} printed {what}"
        printed = outputs(own.get("executed.ipynb", b"").decode(errors="replace"))
        for line in reached(printed) + reached(log.decode(errors="replace")):
            yield f"I2: {student.name} says: {line[:200]}"


def _of_room_s(log: bytes) -> bytes:
    """The log up to the last heading of room T: a student may print headings as well."""
    return log.rpartition(b"\n== room T ==")[0] or log


def _held(data: bytes, canaries: dict[str, str]) -> list[str]:
    return [what for what, canary in canaries.items() if canary.encode() in data]


def shown(text: str) -> list[str]:
    """Whose canaries are in a text."""
    return _held(text.encode(errors="replace"), CANARIES | INPUT_CANARIES)


def reached(text: str) -> list[str]:
    """The lines by which an attack says that it got what it must not."""
    return [line.strip() for line in text.splitlines() if line.lstrip().startswith(REACHED)]


def outputs(notebook: str) -> str:
    """All text in the outputs of an executed notebook; empty if it is none."""
    cells = json.loads(notebook)["cells"] if notebook else []
    return "\n".join(part for cell in cells for part in _parts(cell.get("outputs", [])))


def _parts(found: list[dict[str, Any]]) -> Iterator[str]:
    for output in found:
        yield "".join(output.get("text", ""))
        for value in output.get("data", {}).values():
            yield value if isinstance(value, str) else "".join(map(str, value))
        yield "\n".join(output.get("traceback", []))


def _neighbours(graded: Graded, grader: Grader) -> Iterator[str]:
    for student in HONEST:
        verdict = graded.verdict(student)
        found = (verdict.get("status"), verdict.get("score"))
        if found != ("graded", grader.possible):
            yield f"I3: {student.name}, who is honest, got {found}. {_excuse(verdict)}"


def _budget(verdict: dict[str, Any], graded: Graded, grader: Grader) -> Iterator[str]:
    limits = grader.bundle.manifest.limits
    for name, data in graded.folder(ATTACKER).items():
        if name.startswith("executed") and len(data) > EXECUTED_FACTOR * limits.output_kb * 1024:
            yield f"I5: {name} has {len(data) / 1e6:.1f} MB"
    if graded.peak_mb > MEMORY_BOUND_MB:
        yield f"I5: the supervisor grew by {graded.peak_mb:.0f} MiB"
    allowed = limits.submission_seconds + GRACE_SECONDS
    if graded.wall > allowed or verdict.get("seconds", 0.0) > allowed:
        yield f"I5: grading took {graded.wall:.0f} s; {allowed:.0f} s are allowed"


class Grader:
    """Grades submissions of the target course in rooms forked from one pair of warm processes.

    Args:
        factory: Makes the engine whose warm processes are lent to every run of the command.

    Use as a context manager. It stands in an environment of its own, with secrets in it.
    """

    def __init__(self, factory: Callable[[Bundle, Settings], Engine] = Engine) -> None:
        self._factory, self._stack, self._runs = factory, ExitStack(), 0

    def __enter__(self) -> Grader:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="attacks-"))
            self.folder = Path(folder)
            self._furnish(stack)
            self.bundle = built_target(self.folder / "project")
            self.roster = self.folder / "gradebook.csv"
            self.roster.write_text(gradebook())
            self.possible = self.bundle.manifest.possible
            self.engine = self._factory(self.bundle, Settings(rooms=1, secret=SECRET))
            stack.callback(lambda: self.engine.close())
            self.wrong = self._known_wrong()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _furnish(self, stack: ExitStack) -> None:
        home, scratch = self.folder / "home", self.folder / "tmp"
        home.mkdir()
        scratch.mkdir(mode=0o1777)
        self.folder.chmod(0o755)
        (home / ".netrc").write_text(f"machine canvas password {CANARIES['a file at home']}\n")
        environment = {
            "HOME": str(home),
            "TMPDIR": str(scratch),
            "CANVAS_TOKEN": CANARIES["the Canvas token"],
            "AUTOGRADER_SECRET": SECRET,
        }
        stack.enter_context(mock.patch.dict(os.environ, environment))
        stack.enter_context(mock.patch.object(tempfile, "tempdir", str(scratch)))

    def renew(self) -> None:
        """Start new warm processes, after an attack harmed the old ones."""
        self.engine.close()
        self.engine = self._factory(self.bundle, Settings(rooms=1, secret=SECRET))

    def _known_wrong(self) -> dict[str, Any]:
        """The plain wrong submission's verdict; graded first, so everything was opened once."""
        graded = self.grade({"target.ipynb": (TARGET / "wrong.ipynb").read_bytes()})
        return graded.verdict(ATTACKER)

    @property
    def wrong_score(self) -> float:
        """Points that the plain wrong submission earns."""
        return float(self.wrong["score"])

    @cached_property
    def wrong_passes(self) -> set[str]:
        """Tests that the plain wrong submission passes, as ``question test``."""
        return {
            f"{name} {test['name']}"
            for name, question in self.wrong["questions"].items()
            for test in question["tests"]
            if test["points"]
        }

    def grade(self, files: dict[str, bytes], honest: bytes | None = None,
              meanwhile: Callable[[], None] = lambda: None) -> Graded:  # fmt: skip
        """Run ``autograder grade`` over a submission between two honest ones.

        Args:
            files: What the attacker uploads, by file name.
            honest: What the honest students upload; a full solution if not given.
            meanwhile: Called after the command and before anything is counted.
        """
        self._runs += 1
        out = self.folder / f"out{self._runs}"
        submissions = self.folder / "submissions.zip"
        submissions.write_bytes(_canvas_zip(files, honest or honest_notebook()))
        census = self.census()
        with _peak() as peak:
            started = time.monotonic()
            result = self._graded(submissions, out)
            wall = time.monotonic() - started
            meanwhile()
        graded = Graded(out, result.exit_code, _said(result), wall, _artefacts(out))
        graded.peak_mb = peak[0]
        graded.moved = census.differences(self.census)
        return graded

    def census(self) -> Census:
        """Everything an attack could leave behind, as it is now."""
        for warm in self.engine._warm:
            warm.bury_dead()
        zygotes = [warm.pid for warm in self.engine._warm]
        return Census.take(zygotes, self.folder / "home", self.folder / "tmp")

    def _graded(self, submissions: Path, out: Path) -> Any:
        command = ["grade", self.bundle.folder, submissions, "--roster", self.roster, "--out", out]
        with mock.patch("autograder.session.Engine", borrowing(self.engine)):
            return self.command(*command, "--rooms", "1", "--json")

    def command(self, *words: str | Path) -> Any:
        """Run ``autograder`` in this process; returns click's result."""
        with mock.patch.dict(os.environ):  # commands take the token out of it
            return CliRunner().invoke(cli.main, list(map(str, words)))


def borrowing(lender: Engine) -> type[Engine]:
    """A class of engines that use the warm processes of ``lender``."""

    class Borrowing(Engine):
        def _start(self) -> None:
            self.isolation, self.lacking = lender.isolation, lender.lacking
            self._supervisor = Supervisor(self.bundle, *lender._warm, self.settings.limits)

    return Borrowing


def built_target(folder: Path) -> Bundle:
    """Build the target course in ``folder``."""
    shutil.copytree(TARGET, folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    for name in ("__init__.py", "course_secret.py"):
        shutil.copy(PROJECT / "reference_impl" / name, folder / "reference_impl" / name)
    return build("target", folder)


def gradebook() -> str:
    """The roster, as Canvas exports it."""
    rows = ["Student,ID,SIS User ID,SIS Login ID,Section,Target (77)", "    Points Possible,,,,,50"]
    for one in (HONEST[0], ATTACKER, HONEST[1]):
        rows.append(f'"{one.name}",{one.id},,{one.login},A,')
    return "\n".join([*rows, ""])


def honest_notebook() -> bytes:
    """A full solution that says whose it is."""
    notebook = json.loads((TARGET / "honest.ipynb").read_bytes())
    mark = CANARIES["another student's notebook"]
    notebook["cells"][0]["source"] = ["# Target\n", "\n", mark]
    return json.dumps(notebook).encode()


def _canvas_zip(files: dict[str, bytes], honest: bytes) -> bytes:
    handed_in = {(one, "target.ipynb"): honest for one in HONEST}
    handed_in |= {(ATTACKER, name): data for name, data in files.items()}
    return zip_bytes({
        f"{slug(one.name)}_{one.id}_{9000 + number}_{name}": data
        for number, ((one, name), data) in enumerate(handed_in.items())
    })  # fmt: skip


def _artefacts(out: Path) -> dict[str, bytes]:
    if not (out / "results.sqlite").is_file():
        return {}
    query = "SELECT name, data FROM artefacts JOIN results ON results.id = result WHERE student = ?"
    with sqlite3.connect(out / "results.sqlite") as database:
        found = dict(database.execute(query, (ATTACKER.id,)))
    database.close()
    return found


def _said(result: Any) -> str:
    crash = result.exception
    if crash is None or isinstance(crash, SystemExit):
        return str(result.output[-400:])
    return f"the command ended with {type(crash).__name__}: {str(crash)[:300]}"


@contextmanager
def _peak() -> Iterator[list[float]]:
    """Measure by how many MiB this process's memory grew at its peak (Linux: ``VmHWM``)."""
    grown = [0.0]
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    yield grown
    grown[0] = max(0.0, _status("VmHWM") - before) / 1024


def _status(field_name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field_name))

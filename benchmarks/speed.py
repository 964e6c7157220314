"""Speed, side by side: ``otter run`` and sealed grading of the same submissions.

Run it with ``make bench`` on a machine that does nothing else: processor seconds are those of the
whole machine. It prints a table and writes it to ``docs/benchmark.md``.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from autograder.build.compose import compose
from autograder.build.publish import publish
from autograder.build.sources import Sources
from autograder.bundle import Bundle
from autograder.engine import Engine, Settings
from autograder.model import Standing, Student, Submission, Verdict

PROJECT = Path(__file__).parents[1]
CASES = (
    ("(a) functions only", PROJECT / "tests" / "notebooks", "sound", 3, 40),
    ("(b) cnn_imaging, weights handed in", PROJECT, "cnn_imaging", 2, 4),
)
"""What is graded: title, project, assignment, repetitions with otter, repetitions with rooms."""


@dataclass(frozen=True)
class Measured:
    """One row of the table; seconds and MiB."""

    case: str
    grader: str
    wall: float
    cpu: float
    overhead: float | None = None
    private_mb: float | None = None


def main() -> None:
    """Measure, print and write the table."""
    rows: list[Measured] = []
    warm_seconds: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for case, project, name, with_otter, with_rooms in CASES:
            bundle, submission = _prepare(project, name, Path(folder) / name)
            rows.append(_otter(case, bundle, submission, with_otter, Path(folder)))
            for rooms in dict.fromkeys((1, len(os.sched_getaffinity(0)))):
                started = time.monotonic()
                with Engine(bundle, Settings(rooms=rooms)) as engine:
                    warm_seconds.append(time.monotonic() - started)
                    rows.append(_sealed(case, engine, submission, with_rooms, rooms))
    text = _table(rows, sum(warm_seconds) / len(warm_seconds))
    print(text)
    (PROJECT / "docs" / "benchmark.md").write_text(text)


def _prepare(project: Path, name: str, folder: Path) -> tuple[Bundle, Submission]:
    built = compose(name, project)
    publish({folder: built.bundle})
    sources = Sources.read(name, project)
    submission = Submission(
        student=Student(id="1", name="Solution"),
        source="solution",
        notebook=built.solution_notebook,
        files=sources.weights,
    )
    return Bundle(folder), submission


def _otter(case: str, bundle: Bundle, submission: Submission, times: int, folder: Path) -> Measured:
    work = Path(tempfile.mkdtemp(dir=folder))
    archive = work / "submission.zip"
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr(bundle.manifest.notebook, submission.notebook)
        for name, data in submission.files.items():
            written.writestr(name, data)
    command = [str(Path(sys.executable).parent / "otter"), "run", str(archive),
               "-a", str(bundle.otter_zip), "-o", str(work), "--no-logo"]  # fmt: skip

    def run() -> None:
        for _ in range(times):
            subprocess.run(command, check=True, capture_output=True, cwd=work)

    wall, cpu = _clocked(run)
    return Measured(case, "otter run", wall / times, cpu / times)


def _sealed(case: str, engine: Engine, submission: Submission, times: int, rooms: int) -> Measured:
    verdicts: list[Verdict] = []
    list(engine.grade([submission]))
    wall, cpu = _clocked(
        lambda: verdicts.extend(o.verdict for o in engine.grade([submission] * times))
    )
    with _PrivateMemory() as memory:  # apart, because looking costs time
        list(engine.grade([submission] * rooms))
    if any(v.status is not Standing.GRADED or v.score < v.possible for v in verdicts):
        raise SystemExit(f"{case}: the solution did not get full marks")
    overhead = sum(v.seconds - v.cells_seconds - _tests(v) for v in verdicts) / times
    cores = "one room" if rooms == 1 else f"{rooms} rooms, all cores"
    return Measured(
        case, f"sealed, {cores}", wall / times, cpu / times, overhead / 2, memory.peak / rooms
    )


def _tests(verdict: Verdict) -> float:
    return sum(test.seconds for question in verdict.questions.values() for test in question.tests)


def _clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of ``work``; the latter are the whole machine's."""
    before, started = _busy(), time.monotonic()
    work()
    return time.monotonic() - started, _busy() - before


def _busy() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


class _PrivateMemory:
    """Samples the private memory of all rooms: pages that no other process shares."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _PrivateMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        warm = psutil.Process().children()
        while not self._done.wait(0.1):
            self.peak = max(self.peak, sum(_private(process) for process in warm) / 2**20)


def _private(warm: psutil.Process) -> int:
    total = 0
    for process in warm.children(recursive=True):
        try:
            found = process.memory_full_info()
            total += found.uss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def _table(rows: list[Measured], warm: float) -> str:
    base = {row.case: row.wall for row in rows if row.grader == "otter run"}
    lines = [
        "# Speed",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: "
        f"{len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, "
        f"Linux {platform.release()}. Seconds per submission of the same",
        "solution notebook; processor seconds are the whole machine's. *Overhead* is what a room",
        "costs beyond the student's own cells and the tests; *memory* is what a submission's",
        f"processes share with nobody. Warming up, once a run, took {warm:.1f} s and is left out.",
        "",
        "| notebook | grader | wall s | CPU s | times faster | overhead a room, ms | memory, MiB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        overhead = "" if row.overhead is None else f"{1000 * row.overhead:.0f}"
        memory = "" if row.private_mb is None else f"{row.private_mb:.0f}"
        faster = f"{base[row.case] / row.wall:.1f}"
        cells = (
            row.case,
            row.grader,
            f"{row.wall:.2f}",
            f"{row.cpu:.2f}",
            faster,
            overhead,
            memory,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

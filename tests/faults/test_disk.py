"""A full disk costs a sentence and a second run, nothing else."""

from __future__ import annotations

import ctypes
import json
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.engine import Settings
from autograder.errors import StoreError
from autograder.intake import Intake
from autograder.model import Outcome, Standing, Student, Submission, Verdict
from autograder.session import Session, load

COUNT = 12
_libc = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT = 32


def mount(folder: Path, kilobytes: int, flags: int = 0) -> None:
    options = f"size={kilobytes}k".encode()
    if _libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", flags, options):
        pytest.skip(f"mounting is not allowed here ({os.strerror(ctypes.get_errno())})")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a disk of so many kilobytes, or changes its size."""
    folder = tmp_path / "disk"

    def sized(kilobytes: int) -> Path:
        mount(folder, kilobytes, MS_REMOUNT if folder.exists() else folder.mkdir() or 0)
        return folder

    yield sized
    if folder.is_mount():
        assert _libc.umount2(os.fsencode(folder), 2) == 0


def outcome(submission: Submission) -> Outcome:
    number = int(submission.student.key)
    verdict = Verdict(
        student=submission.student.key, name=submission.student.name, assignment="tiny",
        status=Standing.GRADED, score=number, possible=100, isolation="A", seconds=1,
        questions={}, key=f"key {number}",
    )  # fmt: skip
    weights = random.Random(number).randbytes(9000)
    return Outcome(verdict=verdict, executed=b'{"cells": []}', log="x" * 3000,
                   artefacts={"weights.bin": weights})  # fmt: skip


class Recorded:
    """Stands for the engine: what it gives is always the same."""

    def __init__(self, bundle: Any, settings: Settings) -> None:
        self.graded = 0

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def key(self, submission: Submission) -> str:
        return outcome(submission).verdict.key

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Outcome]:
        for submission in submissions:
            yield outcome(submission)


@pytest.fixture
def grade(small_class: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Session]:
    """Grades a class of ``COUNT`` into a folder."""
    from autograder.bundle import Bundle

    monkeypatch.setattr("autograder.session.Engine", Recorded)
    bundle = Bundle(small_class.bundle)
    submissions = [
        Submission(student=Student(id=str(n), name=f"Student {n}"), source="", notebook=b"")
        for n in range(COUNT)
    ]
    intake = Intake(submissions=submissions, missing=[], unmatched=[], unused=[])

    def run(out: Path) -> Session:
        session = Session(bundle, intake, out)
        try:
            list(session.run(Settings(rooms=1, secret="s")))
        finally:
            session.close()
        return session

    return run


@pytest.mark.parametrize("kilobytes", [4, 16, 40, 64, 90, 130, 180, 240, 300])
def test_a_full_disk_is_one_sentence_and_the_next_run_completes_the_class(
    disk: Callable[[int], Path], grade: Callable[[Path], Session], kilobytes: int
) -> None:
    out = disk(kilobytes) / "out"
    with pytest.raises(StoreError, match=r"^The disk that holds .* is full; free space and run"):
        grade(out)
    for path in out.glob("results/*/*.json"):
        assert json.loads(path.read_text())  # whole, or not there
    assert not [path for path in out.rglob(".*") if path.is_file()]
    disk(20_000)
    session = grade(out)
    assert session.progress.cached + session.progress.done == COUNT
    assert {v.student: v.score for v in load(out).verdicts} == {str(n): n for n in range(COUNT)}
    with session.store.__class__(out / "results.sqlite") as store:
        store.check()
        for submission in session.intake.submissions:
            assert store.get(outcome(submission).verdict.key) == outcome(submission)


def test_what_was_graded_before_the_disk_was_full_is_kept(
    disk: Callable[[int], Path], grade: Callable[[Path], Session]
) -> None:
    out = disk(180) / "out"
    with pytest.raises(StoreError, match="is full"):
        grade(out)
    disk(20_000)
    session = grade(out)
    assert session.progress.cached > 0 and session.progress.done > 0


def test_a_full_disk_while_a_damaged_file_is_put_aside_loses_nothing(
    disk: Callable[[int], Path], grade: Callable[[Path], Session]
) -> None:
    out = disk(20_000) / "out"
    grade(out)
    store = out / "results.sqlite"
    data = bytearray(store.read_bytes())
    data[-2000:-1000] = bytes(1000)
    store.write_bytes(data)
    filler = out.parent / "filler"
    with pytest.raises(OSError), filler.open("wb") as file:
        while True:
            file.write(bytes(8192))
            file.flush()
    with pytest.raises(StoreError, match="is full"):
        grade(out)
    assert store.read_bytes() == data
    filler.unlink()
    session = grade(out)
    assert (session.progress.cached, session.progress.done) == (COUNT - 1, 1)
    assert re.fullmatch("results.sqlite.damaged-1", next(out.glob("*.damaged-*")).name)

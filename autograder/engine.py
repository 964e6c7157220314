"""Grades many submissions of one bundle: warm processes, a pool of rooms, and result keys."""

from __future__ import annotations

import functools
import hashlib
import hmac
import importlib.metadata
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from autograder.bundle import Bundle
from autograder.model import Limits, Outcome, Standing, Submission
from autograder.room.host import Warm, view_of_public
from autograder.secret import course_secret
from autograder.supervisor import Interrupted, Supervisor


@dataclass(frozen=True)
class Settings:
    """How to grade."""

    rooms: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    """Submissions graded at a time."""
    limits: Limits | None = None
    """What a room may use; the manifest's limits if not given."""
    retrain: float = 0.0
    """Share of submissions whose weights are taken away, so that they train afresh."""
    secret: str = field(default_factory=lambda: course_secret().value)
    """The course secret, from which hidden data are drawn."""


class Engine:
    """Keeps two warm processes for one bundle and grades submissions in rooms forked from them.

    Use as a context manager, from the main thread.

    Args:
        bundle: What is graded.
        settings: How.

    Raises:
        IsolationError: if this machine cannot isolate rooms.
        RoomError: if the warm processes could not be prepared.
    """

    def __init__(self, bundle: Bundle, settings: Settings | None = None) -> None:
        self.bundle, self.settings = bundle, settings or Settings()
        self._stop = threading.Event()
        self._folder = Path(tempfile.mkdtemp(prefix="autograder-"))
        self._warm: list[Warm] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        course, public = _lay_out(self.bundle, self._folder)
        students = Warm("autograder.room.student", view_of_public(public))
        self._warm.append(students)
        secret = {"AUTOGRADER_SECRET": self.settings.secret}
        judges = Warm("autograder.seal.judge", {"/course": str(course)}, secret)
        self._warm.append(judges)
        self.isolation = students.wait().level
        """Isolation level that rooms reach on this machine."""
        judges.wait()
        self._supervisor = Supervisor(self.bundle, students, judges, self.settings.limits)

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Outcome]:
        """Grade ``submissions``; outcomes come as they are ready, in any order."""
        pending: set[Future[Outcome]] = set()
        queue = iter(submissions)
        with ThreadPoolExecutor(max_workers=self.settings.rooms) as pool:
            try:
                for submission in queue:
                    pending.add(pool.submit(self._one, submission))
                    if len(pending) >= 2 * self.settings.rooms:
                        done, pending = wait(pending, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in done)
                while pending:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            finally:
                if pending:
                    self._stop.set()
                for future in pending:
                    future.cancel()

    def _one(self, submission: Submission) -> Outcome:
        retrain = self.retrains(submission)
        outcome = self._supervise(submission, retrain)
        if outcome.verdict.status is Standing.GRADER_ERROR:
            outcome = self._supervise(
                submission, retrain
            )  # ours may pass; a zero never stands for it
        verdict = msgspec.structs.replace(outcome.verdict, key=self.key(submission))
        return msgspec.structs.replace(outcome, verdict=verdict)

    def _supervise(self, submission: Submission, retrain: bool) -> Outcome:
        if self._stop.is_set():
            raise Interrupted
        return self._supervisor.grade(submission, retrain=retrain, stopped=self._stop.is_set)

    def retrains(self, submission: Submission) -> bool:
        """Whether the submission's weights are taken away: the same answer every time."""
        message = b"retrain\0" + submission.student.key.encode() + submission.notebook
        digest = hmac.digest(self.settings.secret.encode(), message, hashlib.sha256)
        return int.from_bytes(digest[:8]) / 2**64 < self.settings.retrain

    def key(self, submission: Submission) -> str:
        """Result key: everything the outcome is a function of."""
        digest = hashlib.sha256()
        limits = self.settings.limits or self.bundle.manifest.limits
        files = [
            part for name in sorted(submission.files) for part in (name, submission.files[name])
        ]
        parts = [
            submission.notebook, submission.problem, submission.student.key, *files,
            self.bundle.digest, environment(), msgspec.json.encode(limits), self.settings.secret,
            "afresh" if self.retrains(submission) else "",
        ]  # fmt: skip
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            digest.update(len(data).to_bytes(8) + data)
        return digest.hexdigest()

    def close(self) -> None:
        """End the warm processes and every room."""
        self._stop.set()
        for warm in self._warm:
            warm.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()


def grade(
    bundle: Bundle, submissions: Iterable[Submission], settings: Settings | None = None
) -> Iterator[Outcome]:
    """Grade ``submissions`` with an engine of their own; outcomes come as they are ready."""
    with Engine(bundle, settings) as engine:
        yield from engine.grade(submissions)


@functools.cache
def environment() -> str:
    """Identity of everything installed that can change an outcome: SHA-256, hexadecimal."""
    installed = sorted(
        f"{found.name}=={found.version}" for found in importlib.metadata.distributions()
    )
    digest = hashlib.sha256("\n".join([platform.python_version(), *installed]).encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _lay_out(bundle: Bundle, folder: Path) -> tuple[Path, Path]:
    """Unpack a bundle into what T sees and what S sees."""
    course, public = folder / "course", folder / "public"
    bundle.unpack(course)
    public.mkdir()
    for name in bundle.manifest.public_files:
        target = public / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(course / "files" / name, target)
    for path in (course, public, *course.rglob("*"), *public.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return course, public

"""Grades many submissions of one bundle: warm processes, a pool of rooms, and result keys."""

from __future__ import annotations

import functools
import hashlib
import hmac
import importlib.metadata
import os
import platform
import shutil
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from autograder.bundle import Bundle
from autograder.errors import IsolationError
from autograder.files import TemporaryFolder
from autograder.ledger import lines_of
from autograder.model import Limits, Outcome, Standing, Submission
from autograder.room.host import Warm, view_of_public
from autograder.room.walls import (
    ALL,
    LEVELS,
    MEANING,
    NEXT_TO_NONE,
    RISKS,
    WITHOUT_NAMESPACES,
    Wall,
)
from autograder.secret import course_secret
from autograder.supervisor import Interrupted, Supervisor
from autograder.wire import packets

LEDGER = "ledger.jsonl"
"""Where hidden tests find the ledger, in the assignment's folder of ``reference_impl``."""
_TRIES = 4
"""How often a submission is graded until nothing interferes."""


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
    ledger: bytes = b""
    """A project's ledger (:mod:`autograder.ledger`); room T alone is shown it."""
    accept: str = "A"
    """The lowest isolation level at which to grade."""
    walls: frozenset[Wall] = ALL
    """The walls of rooms where the machine allows them: all, but for tests of single ones."""


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
        self._folder = TemporaryFolder("bundle")
        self._warm: list[Warm] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        course, public = _lay_out(self.bundle, self._folder.path, self.settings.ledger)
        isolation = self._warm_up(course, public)
        self.isolation, self.lacking = isolation.level, isolation.lacking
        """Isolation level that rooms reach on this machine, and what they lack of level A."""
        accepted = self.settings.accept
        if LEVELS.index(self.isolation) > LEVELS.index(accepted):
            raise IsolationError(
                f"Rooms on this machine reach isolation level {self.isolation} only: they lack "
                f"{'; '.join(self.lacking)}. {_hint(self.isolation)}"
            )
        students, judges = self._warm
        self._supervisor = Supervisor(self.bundle, students, judges, self.settings.limits)

    def _warm_up(self, course: Path, public: Path) -> packets.Warm:
        """Start the warm processes, with fewer walls if the machine needs that and it is accepted.

        Raises:
            IsolationError: if rooms of an accepted level cannot be had.
        """
        secret = {"AUTOGRADER_SECRET": self.settings.secret}
        problem: IsolationError | None = None
        for lowest, walls in (("A", ALL), ("B", WITHOUT_NAMESPACES), ("0", NEXT_TO_NONE)):
            if LEVELS.index(lowest) > LEVELS.index(self.settings.accept):
                break
            standing = walls & self.settings.walls
            self._warm += [
                Warm("autograder.room.student", view_of_public(public), walls=standing),
                Warm("autograder.seal.judge", {"/course": str(course)}, secret, standing),
            ]
            try:
                return max((warm.wait() for warm in self._warm), key=_weakness)
            except IsolationError as error:
                problem = problem or error
                self._cool_down()
        raise IsolationError(f"{problem} {_hint('0')}")

    def _cool_down(self) -> None:
        while self._warm:
            self._warm.pop().close()

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
        outcome = self._settled(submission)
        verdict = msgspec.structs.replace(outcome.verdict, key=self.key(submission))
        return msgspec.structs.replace(outcome, verdict=verdict)

    def _settled(self, submission: Submission) -> Outcome:
        """Grade until what comes out is ours to answer for.

        A failure of ours may pass, and so may an accident, such as the machine's running out of
        memory, that ends one of the student's processes. What ends in the same place twice is no
        accident: that is the student's.
        """
        retrain, seen = self.retrains(submission), []
        for _ in range(_TRIES):
            if self._stop.is_set():
                raise Interrupted
            outcome, disturbances = self._supervisor.grade(
                submission, retrain=retrain, stopped=self._stop.is_set
            )
            ours = outcome.verdict.status is Standing.GRADER_ERROR
            if not ours and (not disturbances or disturbances in seen):
                return outcome
            seen.append(disturbances)
        if ours:
            return outcome
        return _unsettled(outcome, disturbances)

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
            "afresh" if self.retrains(submission) else "", self.isolation,
            *([lines_of(self.settings.ledger, submission.student.key)]
              if self.settings.ledger else []),
        ]  # fmt: skip
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            digest.update(len(data).to_bytes(8) + data)
        return digest.hexdigest()

    def close(self) -> None:
        """End the warm processes and every room."""
        self._stop.set()
        self._cool_down()
        self._folder.close()

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


def _unsettled(outcome: Outcome, disturbances: list[str]) -> Outcome:
    """The outcome of a submission whose processes were killed somewhere else each time."""
    message = (
        f"Its processes were killed at a different place in each of {_TRIES} tries, the last time "
        f"in {', '.join(disturbances[:5])}: look for what kills processes on this machine, or in "
        "the notebook."
    )
    verdict = msgspec.structs.replace(
        outcome.verdict, status=Standing.GRADER_ERROR, score=0.0, message=message
    )
    return msgspec.structs.replace(outcome, verdict=verdict)


def _weakness(isolation: packets.Warm) -> int:
    return LEVELS.index(isolation.level)


def _hint(level: str) -> str:
    risk = next(name for name, lowest in RISKS.items() if lowest == level)
    return (
        f"`autograder doctor` says how to mend it. To grade all the same, although then "
        f"{MEANING[level]}, add --accept-risk {risk}."
    )


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


def _lay_out(bundle: Bundle, folder: Path, ledger: bytes) -> tuple[Path, Path]:
    """Unpack a bundle into what T sees and what S sees."""
    course, public = folder / "course", folder / "public"
    bundle.unpack(course)
    if ledger:
        own = course / "files" / "reference_impl" / bundle.manifest.name
        own.mkdir(parents=True, exist_ok=True)
        (own / LEDGER).write_bytes(ledger)
    public.mkdir()
    for name in bundle.manifest.public_files:
        target = public / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(course / "files" / name, target)
    folder.chmod(0o711)  # rooms without a view reach what is below, and cannot list it
    for path in (course, public, *course.rglob("*"), *public.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return course, public

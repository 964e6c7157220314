"""Room T: runs otter's test files against the student's objects and tells M what came out."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from otter.test_files.exception_test import ExceptionTestFile

from autograder import coursekit
from autograder.bundle import lacking
from autograder.model import Status
from autograder.places import place
from autograder.seal.handles import (
    Environment,
    Link,
    Misbehaviour,
    SecretGiven,
    StudentError,
    StudentExit,
    StudentTimeout,
)
from autograder.text import tells_of_memory
from autograder.wire import packets

WARM_INSIDE = True
"""Hidden data are drawn behind the walls, where the bundle is shown as ``/course``."""
_LINES_LIMIT = 128
_MESSAGE_LIMIT = 4000
_tests: dict[str, Any] = {}


class OutOfTime(BaseException):
    """The tests of one question took longer than they may."""


def warm() -> None:
    """Load the bundle's tests and compute its hidden data; called once, before any room exists."""
    warnings.simplefilter("ignore")
    sys.modules["coursekit"] = coursekit
    course = place("/course")
    sys.path.insert(0, str(course / "files"))
    for path in sorted((course / "tests").glob("*.py")):
        test_file = ExceptionTestFile.from_file(str(path))
        _tests[test_file.name] = test_file
    for hidden in (course / "files" / "reference_impl").glob("*/hidden*.py"):
        module = __import__(f"reference_impl.{hidden.parent.name}.{hidden.stem}", fromlist=["warm"])
        if hasattr(module, "warm"):
            module.warm()


def main() -> None:
    """Run in room T, when every wall stands."""
    torch.set_num_threads(1)
    control = socket.socket(fileno=packets.CONTROL)
    job, lines = packets.receive(control, packets.Judge, _LINES_LIMIT)
    os.environ["AUTOGRADER_STUDENT"] = job.student
    signal.signal(signal.SIGALRM, _out_of_time)
    benches = [
        Bench(control, question, socket.socket(fileno=line), job.question_seconds)
        for question, line in zip(job.questions, lines, strict=True)
    ]
    judge(benches, job.requires)
    packets.send(control, packets.Finished())


def judge(benches: Sequence[Bench], requires: Mapping[str, Sequence[str]]) -> None:
    """Run the public tests of all questions, then the hidden ones of those that can stand.

    Hidden tests of a question are skipped where a question that it builds on did not pass its
    smoke test: they would say again what is known.

    Args:
        benches: One for each question, in order.
        requires: The questions that a question builds on, of those that build on any.
    """
    failed = {bench.question for bench in benches if not bench.judge(hidden=False)}
    for bench in benches:
        if lacking(bench.question, requires, failed):
            bench.skip()
        else:
            bench.judge(hidden=True)


class Bench:
    """The tests of one question.

    Public tests are run first, those of all questions: their messages may be shown to students,
    so no hidden input may have been in room S before they are made.

    Args:
        control: The line to M.
        question: Its name.
        line: The line to the question's snapshot in room S.
        seconds: Wall clock for the public tests, and again for the hidden ones.
    """

    def __init__(
        self, control: socket.socket, question: str, line: socket.socket, seconds: float
    ) -> None:
        self.question = question
        self._control, self._seconds = control, seconds
        self._deadline = 0.0
        self._link = Link(line, lambda: self._deadline)

    def judge(self, hidden: bool) -> bool:
        """Run the hidden or the public tests in order and report each.

        Returns:
            Whether the first was passed, or there is none.
        """
        cases = self._cases(hidden)
        packets.send(self._control, packets.Judging(self.question))
        self._deadline = time.monotonic() + self._seconds
        signal.setitimer(signal.ITIMER_REAL, self._seconds + 1)
        outcomes = [self._report(case.body) for case in cases]
        signal.setitimer(signal.ITIMER_REAL, 0)
        if hidden:
            self._link.close()
        return all(outcome is Status.PASSED for outcome in outcomes[:1])

    def skip(self) -> None:
        """Report the hidden tests as skipped; nothing is asked."""
        packets.send(self._control, packets.Judging(self.question))
        for case in self._cases(hidden=True):
            name = case.body.test_func.__name__
            packets.send(
                self._control, packets.Tested(self.question, name, Status.SKIPPED, "", 0.0)
            )
        self._link.close()

    def _cases(self, hidden: bool) -> list[Any]:
        return [case for case in _tests[self.question].test_cases if case.hidden == hidden]

    def _report(self, test: Any) -> Status:
        started = time.monotonic()
        tested = _run(test, self._link)
        tested.question = self.question
        tested.seconds = time.monotonic() - started
        packets.send(self._control, tested)
        return tested.status


def _run(test: Any, link: Link) -> packets.Tested:
    environment = Environment(link)
    tested = packets.Tested("", test.test_func.__name__, Status.PASSED, "", 0.0)
    try:
        test.call_func(environment)
    except BaseException as error:
        tested.status, message = _outcome(error)
        tested.died = error.code if isinstance(error, StudentExit | StudentTimeout) else 0
        if environment.missing:
            names = ", ".join(environment.missing)
            message = f"the notebook does not define {names}. {message}"
            tested.missing = True
        tested.message = message.encode(errors="backslashreplace").decode()[:_MESSAGE_LIMIT]
    return tested


def _outcome(error: BaseException) -> tuple[Status, str]:
    text = _text(error)
    if isinstance(error, OutOfTime | StudentTimeout):
        return Status.TIMEOUT, text
    if isinstance(error, MemoryError) or tells_of_memory(text):
        return Status.MEMORY, text
    if isinstance(error, NotImplementedError) and isinstance(error, StudentError):
        return Status.FAILED, f"not answered: {text}"
    if isinstance(error, AssertionError) and not isinstance(error, StudentError):
        return Status.FAILED, text
    if isinstance(error, SecretGiven) or _is_ours(error):
        return Status.GRADER_ERROR, text
    if not isinstance(error, StudentError):
        return Status.ERROR, f"{type(error).__name__}: {text}"
    if isinstance(error, StudentExit | Misbehaviour):
        return Status.ERROR, text
    kind = next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
    return Status.ERROR, f"the student's code raised {kind}: {text}"


def _is_ours(error: BaseException) -> bool:
    """Whether the reference says that it cannot judge, through no fault of the student."""
    return not isinstance(error, StudentError) and hasattr(type(error), "graders_fault")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return type(error).__name__


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime("the tests of this question ran out of time")

"""Room T: runs otter's test files against the student's objects and tells M what came out."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import warnings
from types import FrameType
from typing import Any

import torch
from otter.test_files.exception_test import ExceptionTestFile

from autograder import coursekit
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
    for hidden in (course / "files" / "reference_impl").glob("*/hidden.py"):
        module = __import__(f"reference_impl.{hidden.parent.name}.hidden", fromlist=["warm"])
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
    for hidden in (False, True):
        for bench in benches:
            bench.judge(hidden)
    packets.send(control, packets.Finished())


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
        self._control, self._question, self._seconds = control, question, seconds
        self._deadline = 0.0
        self._link = Link(line, lambda: self._deadline)

    def judge(self, hidden: bool) -> None:
        """Run the hidden or the public tests in order and report each."""
        cases = [case for case in _tests[self._question].test_cases if case.hidden == hidden]
        packets.send(self._control, packets.Judging(self._question))
        self._deadline = time.monotonic() + self._seconds
        signal.setitimer(signal.ITIMER_REAL, self._seconds + 1)
        for case in cases:
            self._report(case.body)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if hidden:
            self._link.close()

    def _report(self, test: Any) -> None:
        started = time.monotonic()
        tested = _run(test, self._link)
        tested.question = self._question
        tested.seconds = time.monotonic() - started
        packets.send(self._control, tested)


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
    if isinstance(error, SecretGiven):
        return Status.GRADER_ERROR, text
    if not isinstance(error, StudentError):
        return Status.ERROR, f"{type(error).__name__}: {text}"
    if isinstance(error, StudentExit | Misbehaviour):
        return Status.ERROR, text
    kind = next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
    return Status.ERROR, f"the student's code raised {kind}: {text}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return type(error).__name__


def _out_of_time(number: int, frame: FrameType | None) -> None:
    raise OutOfTime("the tests of this question ran out of time")

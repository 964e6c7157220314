"""Grades to push to the fake Canvas, and a push that can be killed at any step."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from fakecanvas.scenario import TOKEN

from autograder.canvas.client import Client
from autograder.canvas.comment import Said, body, file_name
from autograder.canvas.compare import Wanted
from autograder.canvas.journal import Journal
from autograder.canvas.push import Push
from autograder.grades import Grade
from autograder.model import QuestionVerdict, Standing, Verdict


def grade(user: int, points: float | str, attempt: int = 1, **more: Any) -> Grade:
    """What counts for a student: half of the points each for ``q1`` and ``q2``."""
    about = {name: more.pop(name) for name in ("problem", "newest") if name in more}
    half = float(points) / 2
    questions = {name: QuestionVerdict(score=half, possible=5.0, tests=[]) for name in ("q1", "q2")}
    verdict = Verdict(**{
        "student": str(user), "name": f"Student {user}", "assignment": "cnns",
        "status": Standing.GRADED, "score": float(points), "possible": 10.0, "isolation": "A",
        "seconds": 1.0, "questions": questions, "attempt": attempt, **more,
    })  # fmt: skip
    return Grade(
        verdict=verdict, points=Decimal(str(points)).quantize(Decimal("0.01")),
        arithmetic=f"{points}/10", **about,
    )  # fmt: skip


def wanted(
    user: int, points: float | str, text: str | None = None, file: Path | None = None, **more: Any
) -> Wanted:
    """The same with a comment and, if it is given, a file."""
    said = Said(
        text=body(f"{points}/10" if text is None else text),
        file=file_name(file.read_bytes(), file.suffix) if file else "",
    )
    return Wanted(grade=grade(user, points, **more), said=said, path=file)


def run(address: str, journal: Path, orders: Sequence[Wanted], last: int = 0) -> None:
    """Push; if ``last`` is given, be killed at that step.

    Steps are the moments before and after each request and each line of the journal.
    """
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepped(function: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            step()
            found = function(*args, **named)
            step()
            return found

        return call

    client = Client(address, TOKEN, sleep=lambda seconds: None, timeout=20)
    client._http.request = stepped(client._http.request)  # type: ignore[method-assign]
    client._http.post = stepped(client._http.post)  # type: ignore[method-assign]
    with client, Journal(journal, client.origin, 1) as book:
        book.append = stepped(book.append)  # type: ignore[method-assign]
        one = Push(client, book, 1, 11, orders)
        one.send(one.look())

"""A push that is killed at any step, and run again, leaves each grade and comment there once."""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

import pusher
import pytest
from fakecanvas import serve
from fakecanvas.model import Course
from fakecanvas.scenario import small
from pusher import run, wanted

from autograder.canvas.compare import Wanted

STEPS = 66
"""No fewer steps has the push below: requests and journal lines, before and after each."""


@pytest.fixture(scope="module")
def processes() -> Iterator[multiprocessing.context.ForkServerContext]:
    """Children come from a process that has imported everything once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pusher"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(pusher.__file__).parent))
        patch.setattr(sys.modules["__main__"], "__spec__", None)
        patch.setattr(sys.modules["__main__"], "__file__", None)
        yield context


def first(folder: Path) -> list[Wanted]:
    """What was sent before: 101 has a comment with a file, 102 one without, 103 nothing."""
    page = folder / "first.html"
    page.write_bytes(b"<p>first")
    return [wanted(101, 6, file=page), wanted(102, 5)]


def second(folder: Path) -> list[Wanted]:
    """101 gets another file, 102 another text, 103 everything, and 101 the same points again."""
    page = folder / "second.html"
    page.write_bytes(b"<p>second")
    return [wanted(101, 6, file=page), wanted(102, 7), wanted(103, 9, file=page)]


def third(folder: Path) -> list[Wanted]:
    """All get other points again, and the files of before."""
    page = folder / "second.html"
    return [wanted(101, 4, file=page), wanted(102, 8), wanted(103, 10, file=page)]


def killed_at(
    step: int, folder: Path, processes: multiprocessing.context.ForkServerContext
) -> int | None:
    """How a push ended that is to be killed at a step, of which all was right in the end.

    After every other one, grades have changed before the next push.
    """
    canvas, again = small(), second if step % 2 else third
    journal = folder / f"journal-{step}.sqlite"
    with serve(canvas) as address:
        run(address, journal, first(folder))
        child = processes.Process(target=run, args=(address, journal, second(folder), step))
        child.start()
        child.join(60)
        run(address, journal, again(folder))
        before = len(canvas.log)
        run(address, journal, again(folder))
        written = [method for method, _, _ in canvas.log[before:] if method != "GET"]
    assert written == [], f"step {step}: everything was there, and yet {written}"
    check(
        canvas.courses[1], step, {int(one.user): float(one.grade.points) for one in again(folder)}
    )
    return child.exitcode


def check(course: Course, step: int, wanted: dict[int, float]) -> None:
    found = {user: course.submissions[11, user] for user in (101, 102, 103)}
    points = {user: one.entered_score for user, one in found.items()}
    assert points == wanted, f"step {step}"
    for user, one in found.items():
        texts = [comment.comment.split("\n")[0] for comment in one.comments]
        assert texts == [f"{points[user]:g}/10"], f"step {step}, student {user}"
        files = [file.content for comment in one.comments for file in comment.attachments]
        assert files == ([] if user == 102 else [b"<p>second"]), f"step {step}, student {user}"
        assert one.posted_at is None
    if step % 2:
        assert [one.writes for one in found.values()] == [1, 2, 1], f"step {step}: once each"


@pytest.mark.skipif(sys.platform != "linux", reason="kills processes as Linux does")
@pytest.mark.parametrize("step", range(2, STEPS, 9))
def test_a_killed_push_goes_on_where_it_was(
    step: int, tmp_path: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    assert killed_at(step, tmp_path, processes) == -9


@pytest.mark.slow
def test_wherever_it_is_killed(
    tmp_path: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    for step in itertools.count(1):
        status = killed_at(step, tmp_path, processes)
        if status == 0:
            break
        assert status == -9, f"step {step}"
    assert step > STEPS

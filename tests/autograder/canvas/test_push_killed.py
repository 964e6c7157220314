"""A push that is killed at any step, and run again, leaves each grade and comment there once."""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path

import pusher
import pytest
from fakecanvas import Canvas, serve
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


def killed_at(
    step: int, folder: Path, processes: multiprocessing.context.ForkServerContext
) -> tuple[Canvas, Course, int | None]:
    canvas = small()
    course, journal = canvas.courses[1], folder / f"journal-{step}.sqlite"
    with serve(canvas) as address:
        run(address, journal, first(folder))
        child = processes.Process(target=run, args=(address, journal, second(folder), step))
        child.start()
        child.join(60)
        run(address, journal, second(folder))
        before = len(canvas.log)
        run(address, journal, second(folder))
        again = [method for method, _, _ in canvas.log[before:] if method != "GET"]
    assert again == [], f"step {step}: everything was there, and yet {again}"
    return canvas, course, child.exitcode


def check(course: Course, step: int) -> None:
    found = {user: course.submissions[11, user] for user in (101, 102, 103)}
    points = {user: one.entered_score for user, one in found.items()}
    assert points == {101: 6, 102: 7, 103: 9}, f"step {step}"
    for user, one in found.items():
        texts = [comment.comment.split("\n")[0] for comment in one.comments]
        assert texts == [f"{points[user]:g}/10"], f"step {step}, student {user}"
        files = [file.content for comment in one.comments for file in comment.attachments]
        assert files == ([] if user == 102 else [b"<p>second"]), f"step {step}, student {user}"
        assert one.posted_at is None
    assert [one.writes for one in found.values()] == [1, 2, 1], f"step {step}: written once each"


@pytest.mark.skipif(sys.platform != "linux", reason="kills processes as Linux does")
@pytest.mark.parametrize("step", range(2, STEPS, 9))
def test_a_killed_push_goes_on_where_it_was(
    step: int, tmp_path: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    _, course, status = killed_at(step, tmp_path, processes)
    assert status == -9
    check(course, step)


@pytest.mark.slow
def test_wherever_it_is_killed(
    tmp_path: Path, processes: multiprocessing.context.ForkServerContext
) -> None:
    for step in itertools.count(1):
        _, course, status = killed_at(step, tmp_path, processes)
        check(course, step)
        if status == 0:
            break
        assert status == -9, f"step {step}"
    assert step > STEPS

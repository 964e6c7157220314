import os
import socket
from typing import Any, NoReturn

import pytest

from autograder.room.progress import Progress
from autograder.room.snapshot import Desk, Watch


def given_up(desks: list[Desk]) -> NoReturn:
    raise AssertionError


@pytest.fixture
def progress() -> Progress:
    return Progress(3, 2)


def test_progress_is_shared_with_the_processes_that_are_forked(progress: Progress) -> None:
    child = os.fork()
    if not child:
        progress.stand(2)
        progress.leave_out(1)
        progress.own(1, os.getpid())
        os._exit(0)
    os.waitpid(child, 0)
    assert (progress.cell, progress.runner, progress.finished) == (2, child, False)
    assert [progress.left_out(cell) for cell in range(3)] == [False, True, False]
    assert [progress.owner(0), progress.owner(1)] == [0, child]
    assert progress.seconds > 0


def test_whoever_takes_over_keeps_the_cells_time(progress: Progress) -> None:
    progress.stand(1)
    before = progress._memory[:]
    progress.take_over()
    assert progress._memory[:] == before
    progress.stand(-1, finished=True)
    assert progress.seconds == 0 and progress.finished


def test_cells_that_do_not_exist_are_not_left_out(progress: Progress) -> None:
    progress.leave_out(-1)
    progress.leave_out(3)
    assert not any(progress.left_out(cell) for cell in range(3))


def watch(progress: Progress) -> Watch:
    return Watch(progress, 10.0, lambda cell, code, late: None, given_up)


def test_a_child_that_has_not_taken_over_yet_is_still_watched(progress: Progress) -> None:
    progress.stand(0)
    patience = watch(progress)._patience(os.getpid() + 1)
    assert patience is not None and patience <= 15_000
    progress.stand(-1, finished=True)
    assert watch(progress)._patience(os.getpid()) is None


def test_a_snapshot_that_cannot_be_taken_leaves_the_one_before_it(
    progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> NoReturn:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    progress.own(1, 77)
    ours, theirs = socket.socketpair()
    desk: Any = Desk(ours, lambda line: None)
    with pytest.raises(BlockingIOError):
        watch(progress).fork(desk, 1)
    assert progress.owner(1) == 77
    desk.close()
    theirs.close()

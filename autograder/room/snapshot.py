"""Snapshots: paused copies of the notebook's process, one at each check cell.

At a check the process forks. The *child* goes on with the notebook; the *parent* stays behind as
the snapshot, holding the state as it was there, and watches the child: if a later cell kills the
child or does not stop when its time is up, a new child goes on from the snapshot without that
cell. So neither a crash nor an endless loop costs more than the question it stands in.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec

from autograder.room.progress import Progress
from autograder.wire import frames
from autograder.wire import messages as m

RESUME_LIMIT = 6
"""How many times one snapshot may take up the notebook again before the rest is given up."""
_STUBBORN_SECONDS = 5.0
"""How long past its time a cell may ignore the interruption before its process is killed."""
_RESTART_LIMIT = 20
SNAPSHOT, _RUNNER = 500, 1000
"""``oom_score_adj`` of snapshots, and of what runs: where memory runs out, the notebook's own
process and its children end before what it can be taken up again from, and both before the
machine's other processes."""
_encoder = msgspec.msgpack.Encoder()


class Desk:
    """Serves T on one line, in a forked worker, so that a crash there loses one answer only.

    Args:
        line: The line to T.
        serve: Answers on it until T hangs up.
    """

    def __init__(self, line: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        self._line: socket.socket | None = line
        self._serve = serve
        self._worker = self._watched = -1
        self._restarts = 0

    def register(self, poller: select.poll) -> None:
        """Have ``poller`` wake this process when there is something to attend to."""
        if self._line is not None:
            poller.register(self._line, 0 if self._worker > 0 else select.POLLIN)
        if self._watched >= 0:
            poller.register(self._watched, select.POLLIN)

    def attend(self, events: list[tuple[int, int]]) -> None:
        """React to what ``poller`` reported."""
        for number, event in events:
            if number == self._watched:
                self._bury()
            elif self._line is not None and number == self._line.fileno():
                self._hear(event)

    def close(self) -> None:
        """Serve no more."""
        if self._worker > 0:
            os.kill(self._worker, signal.SIGKILL)
        if self._line is not None:
            self._line.close()
            self._line = None

    def _hear(self, event: int) -> None:
        if event & select.POLLIN and self._worker < 0:
            self._start()
        elif event & (select.POLLHUP | select.POLLERR):
            self.close()

    def _start(self) -> None:
        assert self._line is not None
        try:
            self._worker = os.fork()
        except OSError:  # the student's processes leave no room for another: serve without a net
            return self._serve(self._line)
        if not self._worker:
            try:
                self._serve(self._line)
                os._exit(0)
            finally:  # nothing may unwind into the notebook
                os._exit(os.EX_SOFTWARE)
        self._watched = os.pidfd_open(self._worker)
        return None

    def _bury(self) -> None:
        _, status = os.waitpid(self._worker, 0)
        os.close(self._watched)
        self._worker = self._watched = -1
        self._restarts += 1
        if status and self._line is not None:
            self._report(os.waitstatus_to_exitcode(status))
        if self._restarts > _RESTART_LIMIT:
            self.close()

    def _report(self, code: int) -> None:
        assert self._line is not None
        try:
            answer = _encoder.encode(m.Crashed(code))
            frames.send(self._line, answer, deadline=time.monotonic() + 5)
        except (frames.WireClosed, frames.WireTimeout):
            self.close()


class Watch:
    """What a snapshot does while it stays behind.

    Args:
        progress: Where the notebook stands.
        cell_seconds: Wall clock of one cell.
        lost: Called with the cell, the exit status of the child that lost it (negative for a
            signal), and whether the cell's time was over.
        given_up: Called with this snapshot's own desk when the rest of the notebook is given up;
            must not return.
    """

    def __init__(self, progress: Progress, cell_seconds: float,
                 lost: Callable[[int, int, bool], None],
                 given_up: Callable[[list[Desk]], NoReturn]) -> None:  # fmt: skip
        self._progress, self._cell_seconds = progress, cell_seconds
        self._lost, self._given_up = lost, given_up

    def fork(self, desk: Desk | None = None, question: int = -1) -> int:
        """Leave this process behind as a snapshot and return in a child that goes on.

        Args:
            desk: Serves T when it asks about the question.
            question: Index of the question.

        Returns:
            How many times the notebook was taken up again here: 0 in the first child.
        """
        before = self._progress.owner(question) if desk else 0
        if desk:
            self._progress.own(question, os.getpid())
        for resumed in range(RESUME_LIMIT):
            try:
                child = os.fork()
            except OSError:  # the student's processes leave no room: what was there before counts
                if desk:
                    self._progress.own(question, before)
                raise
            if not child:
                be_expendable(_RUNNER)
                self._progress.take_over()
                return resumed
            be_expendable(SNAPSHOT)
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._stay(child, desk, question)
        self._given_up([desk] if desk else [])

    def _stay(self, child: int, desk: Desk | None, question: int) -> None:
        """Serve T and watch ``child``; returns when the child must be replaced."""
        watched = os.pidfd_open(child)
        while True:
            poller = select.poll()
            if watched >= 0:
                poller.register(watched, select.POLLIN)
            if desk:
                desk.register(poller)
            events = poller.poll(self._patience(child))
            if desk and self._progress.owner(question) != os.getpid():
                desk = None  # the question was checked again later: that snapshot counts
            elif desk:
                desk.attend(events)
            if any(number == watched for number, _ in events):
                status = os.waitpid(child, 0)[1]
                os.close(watched)
                watched = -1
                if self._progress.runner == child and not self._progress.finished:
                    return self._give_up(os.waitstatus_to_exitcode(status))
            elif self._overdue(child) > _STUBBORN_SECONDS:
                os.kill(child, signal.SIGKILL)

    def _overdue(self, child: int) -> float:
        """Seconds by which the child's cell is over its time; negative if it is not."""
        if self._progress.runner != child or self._progress.finished:
            return -self._cell_seconds
        return self._progress.seconds - self._cell_seconds

    def _patience(self, child: int) -> float | None:
        """Milliseconds to wait before looking at the child's cell again; None for no limit."""
        if self._progress.finished:
            return None
        return 1000 * max(0.2, _STUBBORN_SECONDS - self._overdue(child))

    def _give_up(self, code: int) -> None:
        cell, late = self._progress.cell, self._progress.seconds > self._cell_seconds
        self._progress.leave_out(cell)
        self._progress.stand(-1)
        self._lost(cell, code, late)


def be_expendable(score: int) -> None:
    """Have the kernel end this process, and those it forks, before others: ``proc(5)``."""
    try:
        Path("/proc/self/oom_score_adj").write_text(str(score))
    except OSError:
        pass  # a nicety: the limits hold without it


def stay_open(desks: list[Desk]) -> NoReturn:
    """Serve at ``desks`` until the room is closed."""
    while True:
        poller = select.poll()
        for desk in desks:
            desk.register(poller)
        events = poller.poll()
        for desk in desks:
            desk.attend(events)

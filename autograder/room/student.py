"""Room S: runs a student's notebook from the first cell to the last, then answers T."""

from __future__ import annotations

import errno
import importlib
import os
import random
import select
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import matplotlib
import msgspec
import nbformat
import numpy as np
import otter
import torch
from matplotlib_inline.backend_inline import set_matplotlib_formats
from otter.check import notebook as otter_notebook
from traitlets.config import Config

from autograder import coursekit
from autograder.model import Limit
from autograder.places import place
from autograder.room.answer import Answerer
from autograder.room.progress import Progress
from autograder.room.recorder import Recorder, Shell
from autograder.room.snapshot import Desk, Watch, stay_open
from autograder.text import tells_of_memory
from autograder.wire import packets

FIRST_LINE = packets.CONTROL + 1
"""Descriptor of the line to T for the first question; the others follow."""
LIBRARIES = (
    "rdkit.Chem.Draw", "scipy.ndimage", "sklearn.metrics", "torch_geometric.nn", "torchvision.ops",
)  # fmt: skip
"""What the course's notebooks import and takes long."""
SEED = 20_260_101
"""Seed of Python's, numpy's and torch's global generators before the first cell."""
_ARTEFACT_LIMIT = 32 * 1024 * 1024
_CAUSES = 10
_LIMITS = {
    errno.ENOSPC: Limit.DISK, errno.EFBIG: Limit.FILE, errno.EMFILE: Limit.OPEN_FILES,
    errno.EAGAIN: Limit.PROCESSES, errno.ENOMEM: Limit.MEMORY,
}  # fmt: skip


class CellTimeout(BaseException):
    """A cell ran longer than a cell may. It was interrupted; the next cell runs as usual."""

    def _render_traceback_(self) -> list[str]:
        return [f"Interrupted: {self}. The cells after it run as usual."]


class CellLost(BaseException):
    """What followed a check in its own cell ended the process; the cell is not taken up again."""


def warm() -> None:
    """Import and set up everything a notebook needs; called once, before any room exists."""
    for name in LIBRARIES:
        importlib.import_module(name)
    matplotlib.use("module://matplotlib_inline.backend_inline")
    importlib.import_module("matplotlib.pyplot")
    sys.modules["coursekit"] = coursekit
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    shell = Shell.instance(config=config)
    shell.run_line_magic("matplotlib", "inline")
    set_matplotlib_formats("png")
    shell.record(Recorder(10_000))
    nbformat.reads(nbformat.writes(nbformat.v4.new_notebook()), nbformat.NO_CONVERT)
    shell.run_cell("None", store_history=False)


def main() -> None:
    """Run in room S, when every wall stands."""
    control = socket.socket(fileno=packets.CONTROL)
    Notebook(control, _receive(control)).run()


def _receive(control: socket.socket) -> packets.Run:
    """Write the submission's files into the working folder and return what to run."""
    contents: dict[str, bytearray] = {}
    while True:
        piece, _ = packets.receive(control, packets.Piece)
        contents.setdefault(piece.name, bytearray()).extend(piece.data)
        if piece.last and piece.name == packets.JOB:
            return msgspec.msgpack.decode(contents.pop(piece.name), type=packets.Run)
        if piece.last:
            Path(piece.name).write_bytes(contents.pop(piece.name))


def _settle() -> None:
    """Undo what the warm process remembers of the machine it was started on."""
    room, temporary = str(place("/room")), str(place("/tmp"))  # noqa: S108
    programs = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    os.environ.clear()
    os.environ.update(
        HOME=room, PATH=programs, LANG="C.UTF-8", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1",
        MPLBACKEND="module://matplotlib_inline.backend_inline", TMPDIR=temporary,
        MPLCONFIGDIR=f"{temporary}/matplotlib", PYTHONDONTWRITEBYTECODE="1", USER="student",
        PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1",
    )  # fmt: skip
    tempfile.tempdir = None
    sys.dont_write_bytecode = True
    sys.path.insert(0, room)
    sys.argv = ["notebook"]
    _show_public(place("/public"), Path(room))
    random.seed(SEED)
    np.random.seed(SEED % 2**32)
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.set_num_threads = lambda nthreads: None  # snapshots can be forked off one thread only


def _show_public(folder: Path, room: Path) -> None:
    """Put the assignment's public files into the working folder, over what was handed in."""
    for public in folder.iterdir() if folder.is_dir() else ():
        own = room / public.name
        if own.exists():
            own.unlink()
        own.symlink_to(public)


def limit_met(error: BaseException | None) -> Limit | None:
    """The limit that ``error``, or what it was raised from, comes from; None if from none."""
    try:
        for _ in range(_CAUSES):
            if error is None:
                return None
            if found := _limit_of(error):
                return found
            error = error.__cause__ or error.__context__
    except Exception:  # an exception of the student's making may raise others when looked at
        return None
    return None


def _limit_of(error: BaseException) -> Limit | None:
    text = str(error)
    if isinstance(error, CellTimeout):
        return Limit.CELL
    if isinstance(error, MemoryError) or tells_of_memory(text):
        return Limit.MEMORY
    if isinstance(error, RuntimeError) and "can't start new thread" in text:
        return Limit.PROCESSES
    return _LIMITS.get(error.errno or 0) if isinstance(error, OSError) else None


class Notebook:
    """One notebook in its room.

    Args:
        control: The line to M.
        job: What to run.
    """

    def __init__(self, control: socket.socket, job: packets.Run) -> None:
        self._control, self._job = control, job
        self._shell = Shell.instance()
        self._recorder = Recorder(job.output_kb * 1024)
        self._progress = Progress(len(job.cells), len(job.questions))
        self._watch = Watch(self._progress, job.cell_seconds, self._cell_lost, self._finish)
        self._cell = 0

    def run(self) -> None:
        """Run every cell, then stay for T's questions."""
        _settle()
        names = self._shell.user_ns
        names["__name__"] = "__main__"
        sys.stdout, sys.stderr = self._shell.record(self._recorder)
        signal.signal(signal.SIGALRM, self._interrupt)
        self._attach_checks()
        self._watch.fork()
        while self._cell < len(self._job.cells):
            if not self._progress.left_out(self._cell):
                self._run_cell(self._cell)
            self._cell += 1
        self._hand_over()
        self._finish([])

    def _run_cell(self, index: int) -> None:
        started = time.monotonic()
        self._progress.stand(index)
        self._send(packets.CellStarted(index))
        signal.setitimer(signal.ITIMER_REAL, self._job.cell_seconds, 1.0)
        try:
            raised = self._execute(self._job.cells[index])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        problem = type(raised).__name__[:64] if raised else ""
        limit = limit_met(raised) or (Limit.OUTPUT if self._recorder.cut_off() else None)
        for piece in packets.output_pieces(index, self._recorder.take()):
            self._send(piece)
        count = self._shell.execution_count - 1
        seconds = time.monotonic() - started
        self._send(packets.CellDone(index, count, seconds, problem, limit))
        self._progress.stand(-1)

    def _execute(self, source: str) -> BaseException | None:
        try:
            result = self._shell.run_cell(source, store_history=True)
        except BaseException as error:
            return error
        raised: BaseException | None = result.error_before_exec or result.error_in_exec
        return raised

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        raise CellTimeout(f"the cell ran for more than {self._job.cell_seconds:g} seconds")

    def _attach_checks(self) -> None:
        """Take a snapshot at each ``grader.check``; let nothing be exported or logged."""
        original = otter_notebook.Notebook.check

        def check(grader: Any, question: str, global_env: dict[str, Any] | None = None) -> Any:
            self._snapshot(question)
            return original(
                grader, question, self._shell.user_ns if global_env is None else global_env
            )

        otter_notebook.Notebook.check = check
        otter_notebook.Notebook._log_event = lambda *args, **kwargs: None
        otter_notebook.Notebook.export = lambda *args, **kwargs: print(
            "Nothing is exported while the notebook is being graded."
        )
        assert otter.Notebook is otter_notebook.Notebook

    def _snapshot(self, question: str) -> None:
        if question not in self._job.questions or torch.cuda.is_initialized():
            return
        index = self._job.questions.index(question)
        left, interval = signal.setitimer(signal.ITIMER_REAL, 0)
        resumed = self._watch.fork(self._desk(index), index)
        if resumed:
            self._resume()
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        self._send(packets.Checked(question))

    def _resume(self) -> None:
        """Take the notebook up again here: what was run after this point is run once more."""
        if self._progress.left_out(self._cell):
            raise CellLost("the rest of this cell ended its process and was left out")
        self._progress.stand(self._cell)
        self._send(packets.CellStarted(self._cell))

    def _desk(self, index: int) -> Desk:
        line = socket.socket(fileno=os.dup(FIRST_LINE + index))
        return Desk(line, self._serve)

    def _serve(self, line: socket.socket) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        Answerer(self._shell.user_ns, self._job.helpers).serve(line)

    def _finish(self, desks: list[Desk]) -> NoReturn:
        """Tell M that the notebook is done; serve what has no snapshot from the state here."""
        self._progress.stand(-1, finished=True)
        self._send(packets.Finished())
        rest = [i for i in range(len(self._job.questions)) if not self._progress.owner(i)]
        if not torch.cuda.is_initialized():
            stay_open([*desks, *(self._desk(index) for index in rest)])
        self._serve_unforked([socket.socket(fileno=FIRST_LINE + index) for index in rest])
        stay_open([])

    def _serve_unforked(self, lines: list[socket.socket]) -> None:
        """Serve all lines from this process: one that has used a GPU cannot be forked."""
        answerers = {line: Answerer(self._shell.user_ns, self._job.helpers) for line in lines}
        while answerers:
            for line in select.select(list(answerers), [], [])[0]:
                if not answerers[line].answer_one(line):
                    del answerers[line]
                    line.close()

    def _hand_over(self) -> None:
        """Send the files the notebook was expected to write."""
        for name in self._job.expected_files:
            path = Path(name)
            try:
                small = path.is_file() and path.stat().st_size <= _ARTEFACT_LIMIT
                data = path.read_bytes()[:_ARTEFACT_LIMIT] if small else None
            except (OSError, MemoryError):  # whatever the notebook has put in its place
                continue
            for piece in packets.pieces(name, data) if data is not None else ():
                self._send(piece)

    def _cell_lost(self, index: int, code: int, late: bool) -> None:
        self._send(packets.CellLost(index, code, late))

    def _send(self, packet: packets.Packet) -> None:
        packets.send(self._control, packet)

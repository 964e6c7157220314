"""Where a notebook stands, in memory that all processes of its room share."""

from __future__ import annotations

import mmap
import os
import struct
import time

_HEAD = struct.Struct("=idiB")
_OWNER = struct.Struct("=i")


class Progress:
    """Survives the process that runs the cells.

    Args:
        cells: Number of cells.
        questions: Number of questions.
    """

    def __init__(self, cells: int, questions: int) -> None:
        self._cells = cells
        self._owners = _HEAD.size + cells
        self._memory = mmap.mmap(-1, self._owners + _OWNER.size * max(questions, 1))
        self.stand(-1)

    def stand(self, cell: int, finished: bool = False) -> None:
        """Note that this process starts ``cell`` now (-1: none)."""
        _HEAD.pack_into(self._memory, 0, cell, time.monotonic(), os.getpid(), finished)

    def take_over(self) -> None:
        """Note that this process now runs the cell that is running."""
        cell, started, _, finished = _HEAD.unpack_from(self._memory)
        _HEAD.pack_into(self._memory, 0, cell, started, os.getpid(), finished)

    @property
    def cell(self) -> int:
        """The cell that runs, -1 if none does."""
        return int(_HEAD.unpack_from(self._memory)[0])

    @property
    def seconds(self) -> float:
        """How long the running cell has been running; 0 if none runs."""
        cell, started, _, _ = _HEAD.unpack_from(self._memory)
        return time.monotonic() - started if cell >= 0 else 0.0

    @property
    def runner(self) -> int:
        """The process that runs the cells."""
        return int(_HEAD.unpack_from(self._memory)[2])

    @property
    def finished(self) -> bool:
        """Whether the last cell was run."""
        return bool(_HEAD.unpack_from(self._memory)[3])

    def leave_out(self, cell: int) -> None:
        """Note that ``cell`` must not be run again."""
        if 0 <= cell < self._cells:
            self._memory[_HEAD.size + cell] = 1

    def left_out(self, cell: int) -> bool:
        """Whether ``cell`` must not be run again."""
        return self._memory[_HEAD.size + cell] == 1

    def own(self, question: int, process: int) -> None:
        """Make ``process`` the one that holds the question's snapshot; 0 for none."""
        _OWNER.pack_into(self._memory, self._owners + question * _OWNER.size, process)

    def owner(self, question: int) -> int:
        """Process that holds the question's snapshot, 0 if none does."""
        return int(_OWNER.unpack_from(self._memory, self._owners + question * _OWNER.size)[0])

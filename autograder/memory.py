"""Watches how much memory the processes of a room take together.

A per-process limit multiplies with the number of processes, so M also adds up what they take.
Source of the fields: Linux ``proc_pid_status(5)`` and ``proc_pid_smaps(5)``.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

_ANONYMOUS = re.compile(rb"^(?:RssAnon|RssShmem):\s+(\d+) kB", re.MULTILINE)
_PROPORTIONAL = re.compile(rb"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
_EXACT_EVERY_SECONDS = 2.0


class MemoryWatch:
    """Adds up the memory of a room's processes beyond what they share with the warm process.

    Args:
        init: Process 1 of the room, which takes nothing of its own and so is the base line.
        limit_mb: MiB the others may take together.
    """

    def __init__(self, init: int, limit_mb: int) -> None:
        self._init, self._limit_mb = init, limit_mb
        self._exact_at = 0.0
        self.peak_mb = 0.0
        """The most that was seen, MiB. An upper bound: pages that snapshots share count each time
        unless the limit was near."""

    def trim(self) -> bool:
        """Look; if the room takes too much, end its largest process. Whether one was ended."""
        base = _kilobytes(self._init, "status", _ANONYMOUS)
        taken = {pid: _kilobytes(pid, "status", _ANONYMOUS) - base for pid in _below(self._init)}
        total_mb = sum(max(value, 0) for value in taken.values()) / 1024
        if total_mb > self._limit_mb:
            if time.monotonic() < self._exact_at + _EXACT_EVERY_SECONDS:
                return False
            self._exact_at = time.monotonic()
            total_mb = (
                sum(_kilobytes(pid, "smaps_rollup", _PROPORTIONAL) for pid in taken) - base
            ) / 1024
        self.peak_mb = max(self.peak_mb, total_mb)
        if total_mb <= self._limit_mb or not taken:
            return False
        return _end(max(taken, key=lambda pid: taken[pid]))


def _kilobytes(pid: int, name: str, fields: re.Pattern[bytes]) -> int:
    try:
        return sum(map(int, fields.findall(Path(f"/proc/{pid}/{name}").read_bytes())))
    except OSError:
        return 0


def _below(pid: int) -> list[int]:
    """All descendants of ``pid``."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        text = " ".join(Path(f"/proc/{pid}/task/{task}/children").read_text() for task in tasks)
    except OSError:
        return []
    children = [int(child) for child in text.split()]
    return children + [found for child in children for found in _below(child)]


def _end(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True

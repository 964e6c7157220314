"""Measures what the processes of a room take together: memory and processor time.

Limits of one process multiply with the number of processes, so M adds up what all of them take.
Sources of the fields: Linux ``proc_pid_status(5)``, ``proc_pid_smaps(5)``, ``proc_pid_stat(5)``.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

_RESIDENT = re.compile(rb"^(?:RssAnon|RssShmem):\s+(\d+) kB", re.MULTILINE)
_PROPORTIONAL = re.compile(rb"^Pss_(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
_EXACT_EVERY_SECONDS = 2.0
_TICKS = os.sysconf("SC_CLK_TCK")
_TIMES = slice(11, 15)
"""utime, stime, cutime and cstime among the fields that follow the name in ``stat``."""


class Meter:
    """Adds up what a room's processes take beyond what they share with the warm process.

    Args:
        init: First process of the room. It takes nothing of its own.
        warm: The warm process the room was forked from. A process that has changed nothing yet
            shares the same pages in the same proportion, so this is the base line.
        limit_mb: MiB the others may take together.
    """

    def __init__(self, init: int, warm: int, limit_mb: int) -> None:
        self._init, self._warm, self._limit_mb = init, warm, limit_mb
        self._exact_at = 0.0
        self.peak_mb = 0.0
        """The most that was seen, MiB. An upper bound: pages that snapshots share count each time
        unless the limit was near."""

    def trim(self) -> bool:
        """Look; while the room takes too much, end its largest process. Whether one was ended."""
        base = _kilobytes(self._warm, "status", _RESIDENT)
        pids = descendants(self._init)
        taken = {pid: max(_kilobytes(pid, "status", _RESIDENT) - base, 0) for pid in pids}
        total_mb = sum(taken.values()) / 1024
        if total_mb > self._limit_mb:
            if time.monotonic() < self._exact_at + _EXACT_EVERY_SECONDS:
                return False
            self._exact_at = time.monotonic()
            total_mb = self._exact_kilobytes(taken) / 1024
        self.peak_mb = max(self.peak_mb, total_mb)
        ended = False
        for pid in sorted(taken, key=lambda pid: taken[pid], reverse=True):
            if total_mb <= self._limit_mb:
                break
            ended = _end(pid) or ended
            total_mb -= taken[pid] / 1024
        return ended

    def _exact_kilobytes(self, taken: dict[int, int]) -> int:
        """What ``taken`` comes to if pages that several processes share count once."""
        base = _kilobytes(self._warm, "smaps_rollup", _PROPORTIONAL)
        total = 0
        for pid, resident in taken.items():
            # who cannot be looked into counts in full
            proportional = _kilobytes(pid, "smaps_rollup", _PROPORTIONAL)
            total += max(proportional - base, 0) if proportional else resident
        return total

    def cpu_seconds(self) -> float:
        """Processor time of the room's processes, of those that have ended as well."""
        return sum(_ticks(pid) for pid in (self._init, *descendants(self._init))) / _TICKS


def _kilobytes(pid: int, name: str, fields: re.Pattern[bytes]) -> int:
    try:
        return sum(map(int, fields.findall(Path(f"/proc/{pid}/{name}").read_bytes())))
    except OSError:
        return 0


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[_TIMES]))


def descendants(pid: int) -> list[int]:
    """All descendants of ``pid``."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        text = " ".join(Path(f"/proc/{pid}/task/{task}/children").read_text() for task in tasks)
    except OSError:
        return []
    children = [int(child) for child in text.split()]
    return children + [found for child in children for found in descendants(child)]


def _end(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True

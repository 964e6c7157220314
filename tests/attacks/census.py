"""What is there beside a room: processes, files, mounts, before an attack and after it."""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from autograder.room.jail import ROOM_USER

_PATIENCE_SECONDS = 20.0
"""How long what ends by itself (a killed room) may take."""
_TICK_SECONDS = 0.05
_SHARED = (Path("/tmp"), Path("/dev/shm"), Path("/var/tmp"))
"""Folders that other programs use as well: what a room's user owns there is counted."""


@dataclass(frozen=True)
class Census:
    """Sets of names by what they are of."""

    processes: frozenset[str]
    """Living processes below the warm ones, and orphans of a room's user."""
    descriptors: frozenset[str]
    """Warm processes with the number of their open files."""
    cgroups: frozenset[str]
    mounts: frozenset[str]
    ipc: frozenset[str]
    """System V shared memory, semaphores and queues of a room's user."""
    files: frozenset[str]
    """Files in the supervisor's home and scratch folder, and a room user's in shared folders."""
    packages: frozenset[str]
    """Folders of installed packages, with the time of their last change."""

    @classmethod
    def take(cls, zygotes: list[int], *folders: Path) -> Census:
        """Count everything as it is now."""
        return cls(
            processes=frozenset(_processes(zygotes)),
            descriptors=frozenset(f"{pid} has {_descriptors(pid)} open files" for pid in zygotes),
            cgroups=frozenset(filter(_ours, _folders(Path("/sys/fs/cgroup")))),
            mounts=frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
            ipc=frozenset(_ipc()),
            files=frozenset([*_files(folders), *_foreign()]),
            packages=frozenset(_packages()),
        )

    def differences(self, again: Callable[[], Census]) -> list[str]:
        """What differs from the census that ``again`` takes, once all has come to rest."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (found := self._from(again())) and time.monotonic() < deadline:
            time.sleep(_TICK_SECONDS)
        return found

    def _from(self, later: Census) -> list[str]:
        found = []
        for field in fields(self):
            before, after = getattr(self, field.name), getattr(later, field.name)
            found += [f"{field.name}: new: {name}" for name in sorted(after - before)]
            found += [f"{field.name}: gone: {name}" for name in sorted(before - after)]
        return found


def room_user() -> int:
    """The user that a room's processes have outside."""
    return ROOM_USER if os.geteuid() == 0 else os.geteuid()


def _processes(zygotes: list[int]) -> Iterator[str]:
    parents = {pid: parent for pid, parent, state in _living() if state not in "ZX"}
    for pid, parent in parents.items():
        if _below(pid, parents, zygotes) or (parent == 1 and _fled(pid)):
            yield f"{pid} {_command(pid)}"


def _living() -> Iterator[tuple[int, int, str]]:
    """Process, parent and state of all; what has no command line has given up its memory."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            state, parent = Path(f"/proc/{name}/stat").read_text().rpartition(") ")[2].split()[:2]
        except OSError:
            continue
        if _command(int(name)):
            yield int(name), int(parent), state


def _below(pid: int, parents: dict[int, int], zygotes: list[int]) -> bool:
    while (pid := parents.get(pid, 0)) > 1:
        if pid in zygotes:
            return True
    return False


def _fled(pid: int) -> bool:
    """Whether an orphan is of a room's user, and no other grader's."""
    other = "autograder.room.zygote" in _command(pid) and sys.executable not in _command(pid)
    return _owner(pid) == ROOM_USER and not other


def _owner(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1


def _command(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()[:200]
            .replace(b"\0", b" ")
            .decode(errors="replace")
        )
    except OSError:
        return ""


def _descriptors(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return -1


def _folders(top: Path) -> Iterator[str]:
    for folder, _, _ in os.walk(top):
        yield folder


def _ours(cgroup: str) -> bool:
    """Whether a cgroup is this grader's or a room's: other programs have theirs as well."""
    try:
        owner = os.stat(cgroup).st_uid
    except OSError:
        return False
    return f"autograder-{os.getpid()}-" in cgroup or owner == room_user() != 0


def _ipc() -> Iterator[str]:
    for kind in ("shm", "sem", "msg"):
        for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]:
            if str(room_user()) in line.split()[3:12]:
                yield f"{kind} {' '.join(line.split()[:2])}"


def _files(folders: tuple[Path, ...]) -> Iterator[str]:
    for top in folders:
        for folder, _, names in os.walk(top):
            for name in (".", *names):
                path = Path(folder, name)
                try:
                    found = path.lstat()
                except OSError:
                    continue
                size = "" if name == "." else f" of {found.st_size} bytes"
                yield f"{path}{size}"


def _foreign() -> Iterator[str]:
    for top in _SHARED:
        for path in top.glob("*"):
            try:
                if path.lstat().st_uid == room_user():
                    yield str(path)
            except OSError:
                continue


def _packages() -> Iterator[str]:
    top = sysconfig.get_path("purelib")
    for folder in _folders(Path(top)):
        yield f"{folder} changed at {os.stat(folder).st_mtime_ns}"

"""Control groups: one for each room, so that all of its processes together have one limit.

Version 1 hierarchies are used where they are mounted and may be written to, else version 2 where
a subtree is delegated. Sources: the kernel's ``admin-guide/cgroup-v1/memory.rst``,
``cgroup-v1/pids.rst`` and ``cgroup-v2.rst``.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from autograder.model import Limits

_MIB = 1024 * 1024
_KERNEL_MB = 64
"""What the kernel may keep for a room beyond its own memory, such as page tables, MiB."""
_PREFIX = "autograder-"
_PATIENCE_SECONDS = 5.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Group:
    """A room's control group, in one hierarchy or in several."""

    folders: tuple[Path, ...]
    events: Path
    """The file that counts what was killed for want of memory."""

    def lines(self) -> list[int]:
        """Descriptors; a process that writes ``0`` to each of them joins the group."""
        return [os.open(folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
                for folder in self.folders]  # fmt: skip

    @property
    def memory_kills(self) -> int:
        """Processes the kernel has ended because the group was out of memory."""
        try:
            fields = dict(line.split() for line in self.events.read_text().splitlines())
            return int(fields.get("oom_kill", 0))
        except (OSError, ValueError):
            return 0

    def kill(self) -> None:
        """Kill every process of the group."""
        for folder in self.folders:
            _kill(folder)

    def remove(self) -> None:
        """Remove the group, and end what is left in it."""
        for folder in self.folders:
            _remove(folder)


class Groups:
    """The place below which control groups are made: below the grader's own group.

    Args:
        root: Where control groups are mounted.
        own: The grader's groups, as ``/proc/self/cgroup`` names them.
    """

    def __init__(
        self, root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
    ) -> None:
        paths = _own_groups(own)
        self._parents: dict[str, Path] = {}
        first = {kind: root / kind / paths[kind].lstrip("/") for kind in ("memory", "pids")
                 if kind in paths}  # fmt: skip
        if "memory" in first and _writable(first["memory"], "memory.limit_in_bytes"):
            self._parents = {kind: path for kind, path in first.items() if _writable(path)}
        elif "" in paths:
            unified = root / paths[""].lstrip("/")
            if _writable(unified, "cgroup.subtree_control") and _hand_down(unified):
                self._parents = {"": unified}
        for parent in self._parents.values():
            _sweep(parent)

    @property
    def usable(self) -> bool:
        """Whether groups can be made here."""
        return bool(self._parents)

    def open(self, limits: Limits) -> Group | None:
        """A new group with these limits; None where there can be none."""
        name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        made: list[Path] = []
        try:
            for kind, parent in self._parents.items():
                folder = parent / name
                folder.mkdir()
                made.append(folder)
                _set(folder, _settings(kind, limits))
        except OSError:
            for folder in made:
                folder.rmdir()
            return None
        if not made:
            return None
        events = made[0] / ("memory.events" if "" in self._parents else "memory.oom_control")
        return Group(tuple(made), events)


def _settings(kind: str, limits: Limits) -> dict[str, int]:
    memory = (limits.memory_mb + _KERNEL_MB) * _MIB
    pids = limits.processes + 8
    if kind == "memory":
        swap = {"memory.memsw.limit_in_bytes": memory, "memory.swappiness": 0}
        return {"memory.limit_in_bytes": memory, **swap}
    if kind == "pids":
        return {"pids.max": pids}
    return {"memory.max": memory, "memory.swap.max": 0, "pids.max": pids}


def _set(folder: Path, settings: dict[str, int]) -> None:
    for name, value in settings.items():
        if (folder / name).exists():
            (folder / name).write_text(str(value))


def _own_groups(own: Path) -> dict[str, str]:
    """Controller → path; the unified hierarchy's controller is empty."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def _writable(folder: Path, member: str = "cgroup.procs") -> bool:
    return os.access(folder, os.W_OK) and (folder / member).exists()


def _hand_down(folder: Path) -> bool:
    """Have ``folder`` limit the groups below it; whether it does.

    A group of version 2 either holds processes or limits groups, so the grader steps aside into
    one of its own, which it may do if nobody else is in ``folder``.
    """
    try:
        if "memory" not in (folder / "cgroup.controllers").read_text().split():
            return False
        if (folder / "cgroup.procs").read_text().split() == [str(os.getpid())]:
            aside = folder / "autograder"
            aside.mkdir(exist_ok=True)
            (aside / "cgroup.procs").write_text("0")
        (folder / "cgroup.subtree_control").write_text("+memory +pids")
    except OSError:
        return False
    return True


def _sweep(parent: Path) -> None:
    """Remove the groups of graders that are gone."""
    for folder in parent.glob(f"{_PREFIX}*-*"):
        maker = folder.name.split("-")[1]
        if not Path(f"/proc/{maker}").exists():
            _remove(folder)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        try:
            return folder.rmdir()
        except OSError:  # version 1 tells nobody when a group is empty
            _kill(folder)
            time.sleep(0.02)
    return None


def _kill(folder: Path) -> None:
    try:
        (folder / "cgroup.kill").write_text("1")
    except OSError:
        _kill_each(folder)


def _kill_each(folder: Path) -> None:
    try:
        pids = [int(word) for word in (folder / "cgroup.procs").read_text().split()]
    except OSError:
        return
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            continue

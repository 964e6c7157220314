"""The walls around a room, and the level of isolation that they add up to."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Wall(StrEnum):
    """One layer of isolation. Each is tested with the others switched off."""

    VIEW = "view"
    """A file system of its own: read-only, with nothing in it but what is needed, and sized
    folders to write in."""
    PROCESSES = "processes"
    """A pid namespace: other processes are not there, and all of a room ends with its first."""
    NETWORK = "network"
    """A network namespace without interfaces."""
    IPC = "ipc"
    """An IPC namespace: no shared memory, semaphores or queues of others."""
    PRIVILEGES = "privileges"
    """No capability, none to be gained, and an ordinary user even if the grader is root."""
    LANDLOCK = "landlock"
    """No file changed (without a view: or read) but the room's, no TCP, no signal outwards."""
    SECCOMP = "seccomp"
    """Only the system calls that the course's libraries make."""
    LIMITS = "limits"
    """Limits of each process: address space, processor time, processes, files."""
    GROUP = "group"
    """A control group that limits the memory and the number of processes of all together."""
    WATCH = "watch"
    """The supervisor adds up memory and processor time and ends what takes too much."""


ALL = frozenset(Wall)
_NAMESPACES = frozenset({Wall.VIEW, Wall.PROCESSES, Wall.NETWORK, Wall.IPC})
WITHOUT_NAMESPACES = ALL - _NAMESPACES
"""What is left on a machine that has no namespaces for us: level B."""
NEXT_TO_NONE = frozenset({Wall.PRIVILEGES, Wall.LIMITS, Wall.GROUP, Wall.WATCH})
"""What is left on a machine that has neither namespaces nor Landlock: level 0."""
LEVELS = ("A", "A-", "B", "0")
"""From the strongest to none."""
RISKS = {"no-landlock": "A-", "no-namespaces": "B", "no-isolation": "0"}
"""What a person accepts who has submissions graded at a lower level than A."""
MEANING = {
    "A-": "one wall less stands between students' code and this machine",
    "B": "students' code sees this machine's processes and may fill its disk",
    "0": "students' code runs with access to this machine's files and network",
}
"""What a lower level than A means."""
SIGNAL_SCOPE_ABI = 6
"""The Landlock ABI that keeps signals inside (Linux 6.12)."""
_LACKING = {
    Wall.VIEW: "a file system of its own (mount namespace)",
    Wall.PROCESSES: "a process list of its own (pid namespace)",
    Wall.NETWORK: "a network of its own (network namespace)",
    Wall.IPC: "shared memory of its own (ipc namespace)",
    Wall.PRIVILEGES: "privileges taken away",
    Wall.LANDLOCK: "Landlock (Linux 5.13 or later with it enabled; 6.12 without namespaces)",
    Wall.SECCOMP: "a system call filter (seccomp)",
    Wall.LIMITS: "limits for each process",
}


def level(standing: Collection[Wall]) -> tuple[str, list[str]]:
    """The isolation level of rooms with the walls ``standing``, and what they lack of level A.

    Returns:
        One of :data:`LEVELS`: ``A`` all walls; ``A-`` all but Landlock; ``B`` no namespaces, but
        Landlock and the system call filter; ``0`` less. Then a phrase for each wall that is
        missing. Memory is limited by a control group *or* by address space and the watch, so
        neither alone changes the level.
    """
    missing = [wall for wall in _LACKING if wall not in standing]
    lacking = [_LACKING[wall] for wall in missing]
    if not missing:
        return "A", lacking
    if missing == [Wall.LANDLOCK]:
        return "A-", lacking
    if not set(missing) - _NAMESPACES:
        return "B", lacking
    return "0", lacking

"""What a room can see and use.

Isolation is built in two steps. :func:`retreat` shuts the warm zygote itself into a minimal
read-only view of the machine and takes away root. :func:`open_room` then starts a process in new
namespaces inside that view, with writable folders, limits and filters of its own.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from autograder.model import Limits
from autograder.room import landlock, linux, seccomp

ROOM_USER = 61_000
"""User and group id that rooms have on the machine when the grader is started by root."""
INSIDE_USER = 1000
"""The same inside a room."""
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/fonts", "/etc/localtime", "/etc/alternatives", "/sys/devices/system/cpu",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom")
_WRITABLE = ("/room", "/tmp", "/dev/shm")  # noqa: S108  mount points of a room's own tmpfs
_BENEATH_WRITABLE = tuple(f"{folder}/" for folder in _WRITABLE)
_covered: list[str] = []
"""Paths of the view that a room's own folders would cover, such as a project below ``/tmp``."""
_NAMESPACES = (
    linux.CLONE_NEWUSER | linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP
)  # fmt: skip
_MIB = 1024 * 1024


def system_paths() -> list[str]:
    """Folders a Python process needs: the system's, this interpreter's and its packages'."""
    own = {sys.prefix, sys.base_prefix, *(p for p in sys.path if p.endswith("site-packages"))}
    own |= {os.path.realpath(path) for path in own}
    return [path for path in (*_SYSTEM, *sorted(own)) if os.path.exists(path)]


def retreat(view: dict[str, str]) -> None:
    """Shut this process into a read-only view, then give up root.

    Args:
        view: What to show beyond the system and the interpreter: path inside → path outside.

    Raises:
        OSError: if the machine does not allow it; nothing useful is left to do then.
    """
    root = os.geteuid() == 0
    user, group = os.geteuid(), os.getegid()
    if root:
        linux.unshare(linux.CLONE_NEWNS)
    else:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
        _map_user(user, group, user, group)
    _build_view({path: path for path in system_paths()} | view)
    if root:
        os.setgroups([])
        os.setresgid(ROOM_USER, ROOM_USER, ROOM_USER)
        os.setresuid(ROOM_USER, ROOM_USER, ROOM_USER)
    linux.no_new_privileges()
    linux.set_dumpable(True)  # a change of user clears it, and /proc/self/uid_map is then root's


def _map_user(inside_user: int, inside_group: int, user: int, group: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside_user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{inside_group} {group} 1")


def _build_view(binds: dict[str, str]) -> None:
    stage = "/tmp"  # noqa: S108  a mount point in a namespace of our own
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    sources = {target: _hold(source) for target, source in binds.items()}
    devices = {name: _hold(f"/dev/{name}") for name in _DEVICES}
    proc = _hold("/proc")
    linux.mount("tmpfs", stage, "tmpfs", linux.MS_NOSUID, "size=1m,nr_inodes=4096,mode=755")
    for target, held in sorted(sources.items()):
        _bind(held, stage + target)
    for name, held in devices.items():
        _bind(held, f"{stage}/dev/{name}", protect=linux.MS_NOSUID)
    _bind(proc, f"{stage}/proc", protect=linux.MS_NOSUID | linux.MS_NODEV)
    for folder in _WRITABLE:
        Path(stage + folder).mkdir(parents=True, exist_ok=True)
    _covered[:] = [path for path in sorted(binds) if path.startswith(_BENEATH_WRITABLE)]
    Path(f"{stage}/etc/passwd").write_text(
        f"student:x:{INSIDE_USER}:{INSIDE_USER}::/room:/bin/sh\n"
    )
    Path(f"{stage}/etc/group").write_text(f"student:x:{INSIDE_USER}:\n")
    linux.pivot_root(stage)
    for held in (*sources.values(), *devices.values(), proc):
        os.close(held)
    linux.mount("none", "/", flags=linux.MS_BIND | 32 | linux.MS_RDONLY | linux.MS_NOSUID)


def _hold(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def _bind(
    held: int, target: str, protect: int = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV
) -> None:
    source = f"/proc/self/fd/{held}"
    place = Path(target)
    if os.path.isdir(source):
        place.mkdir(parents=True, exist_ok=True)
    elif not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    linux.mount(source, target, flags=linux.MS_BIND | linux.MS_REC)
    linux.restrict_mount(target, protect)


def open_room(
    limits: Limits, address_space: int, keep: dict[int, int], work: Callable[[], None]
) -> tuple[int, int]:
    """Start ``work`` in a room of its own.

    Args:
        limits: What the room may use.
        address_space: Bytes of virtual memory that the warm process already has.
        keep: File descriptors the room gets: number outside → number inside. All others are
            closed; 0 becomes ``/dev/null``.
        work: Called in the room once every wall stands; the room ends when it returns.

    Returns:
        The pid of the room's process 1 and a pidfd for it. Killing it ends all of the room.

    Raises:
        OSError: if the machine does not allow a further room.
    """
    user, group = os.geteuid(), os.getegid()
    pid, pidfd = linux.clone(_NAMESPACES)
    if pid:
        return pid, pidfd
    try:
        linux.die_with_parent()
        _map_user(INSIDE_USER, INSIDE_USER, user, group)
        os.setsid()
        _furnish(limits)
        _take_descriptors(keep)
        _run_guarded(limits, address_space, work)
    except BaseException as error:  # nothing may unwind into the zygote's own loop
        _complain(error)
    os._exit(125)


def _furnish(limits: Limits) -> None:
    os.umask(0o022)
    covered = {path: _hold(path) for path in _covered}
    room = f"size={limits.disk_mb}m,nr_inodes=20000,mode=755"
    linux.mount("room", "/room", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, room)
    small = "size=128m,nr_inodes=5000,mode=755"
    linux.mount("tmp", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, small)  # noqa: S108
    linux.mount("shm", "/dev/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, small)  # noqa: S108
    for path, held in covered.items():
        Path(path).mkdir(parents=True, exist_ok=True)
        linux.mount(f"/proc/self/fd/{held}", path, flags=linux.MS_BIND | linux.MS_REC)
        os.close(held)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
    os.chdir("/room")


def _take_descriptors(keep: dict[int, int]) -> None:
    base = 512 + max([*keep, *keep.values()])
    for outside in keep:
        os.dup2(outside, base + outside)
    os.closerange(0, base)
    os.dup2(os.open("/dev/null", os.O_RDWR), 0)
    for outside, inside in keep.items():
        os.dup2(base + outside, inside)
    last = max(keep.values())
    for number in set(range(3, last + 1)) - set(keep.values()):
        _close_quietly(number)
    os.closerange(last + 1, 65_536)


def _close_quietly(number: int) -> None:
    try:
        os.close(number)
    except OSError:
        pass


def _run_guarded(limits: Limits, address_space: int, work: Callable[[], None]) -> None:
    worker = os.fork()
    if worker:
        os.closerange(3, 65_536)
        linux.drop_capabilities()
        linux.set_dumpable(False)
        _reap_until(worker)
    os.setsid()
    _limit(limits, address_space)
    linux.drop_capabilities()
    linux.no_new_privileges()
    landlock.confine([*_WRITABLE, "/dev"])
    linux.load_seccomp(seccomp.program())
    work()
    sys.stdout.flush()
    os._exit(0)


def _reap_until(worker: int) -> NoReturn:
    while True:
        pid, status = os.wait()
        if pid == worker:
            os._exit(os.waitstatus_to_exitcode(status) & 0x7F)


def _limit(limits: Limits, address_space: int) -> None:
    caps: Iterable[tuple[int, int]] = (
        (resource.RLIMIT_AS, address_space + limits.memory_mb * _MIB),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_mb * _MIB),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    )
    for name, value in caps:
        resource.setrlimit(name, (value, value))


def _complain(error: BaseException) -> None:
    try:
        os.write(1, f"room could not be opened: {error}\n".encode())
    except OSError:
        pass

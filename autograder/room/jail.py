"""What a room can see and use.

Isolation is built in two steps. A :class:`Jail` first shuts the warm zygote itself into a minimal
read-only view of the machine and takes away root. :meth:`Jail.open_room` then starts a process in
new namespaces inside that view, with writable folders, limits and filters of its own. Which walls
stand is chosen: a machine may lack some, and each is tested without the others.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from autograder import places
from autograder.model import Limits
from autograder.room import landlock, linux, seccomp
from autograder.room.walls import ALL, SIGNAL_SCOPE_ABI, Wall

ROOM_USER = 61_000
"""User and group id that rooms have on the machine when the grader is started by root."""
INSIDE_USER = 1000
"""The same inside a room."""
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/fonts", "/etc/localtime", "/etc/alternatives", "/sys/devices/system/cpu",
)  # fmt: skip
_READABLE = ("/proc", "/dev/urandom", "/dev/random", "/dev/zero", "/etc/passwd", "/etc/group")
"""What rooms without a view may read beside the system."""
_DEVICES = ("null", "zero", "full", "random", "urandom")
_WRITABLE = ("/room", "/tmp", "/dev/shm")  # noqa: S108  mount points of a room's own tmpfs
_BENEATH_WRITABLE = tuple(f"{folder}/" for folder in _WRITABLE)
_NAMESPACES = {
    Wall.VIEW: linux.CLONE_NEWNS,
    Wall.PROCESSES: linux.CLONE_NEWPID,
    Wall.NETWORK: linux.CLONE_NEWNET,
    Wall.IPC: linux.CLONE_NEWIPC,
}
_WITH_THEM = linux.CLONE_NEWUSER | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP
SIGNALLED = 128
"""A room whose first student process is ended by a signal ends with this plus its number."""
_CPU_GRACE_SECONDS = 5
_ROOMS_AT_ONCE = 32
_MIB = 1024 * 1024


def system_paths() -> list[str]:
    """Folders a Python process needs: the system's, this interpreter's and its packages'."""
    own = {sys.prefix, sys.base_prefix, *(p for p in sys.path if p.endswith("site-packages"))}
    own |= {os.path.realpath(path) for path in own}
    return [path for path in (*_SYSTEM, *sorted(own)) if os.path.exists(path)]


class Jail:
    """Shuts this process in, and opens rooms in which its forks are shut in further.

    Args:
        view: What to show beyond the system and the interpreter: path inside → path outside.
        folder: Where rooms that get no file system of their own work.
        walls: The walls that are to stand.

    Raises:
        OSError: if the machine does not allow it; nothing useful is left to do then.
    """

    def __init__(self, view: dict[str, str], folder: Path, walls: Collection[Wall] = ALL) -> None:
        self._walls = frozenset(walls)
        self._flags = sum(flag for wall, flag in _NAMESPACES.items() if wall in self._walls)
        if self._flags:
            self._flags |= _WITH_THEM
        self._covered: list[str] = []
        self._folders = folder / "rooms"
        self._live: dict[int, Path] = {}
        self._opened = 0
        self._readable = [*system_paths(), *view.values()]
        if Wall.LANDLOCK in self._walls and not self._flags:
            _need_signal_scope()
        self._retreat(view)

    def _retreat(self, view: dict[str, str]) -> None:
        root = _is_root()
        user, group = os.geteuid(), os.getegid()
        if Wall.VIEW in self._walls:
            if root:
                linux.unshare(linux.CLONE_NEWNS)
            else:
                linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
                _map_user(user, group, user, group)
            self._build_view({path: path for path in system_paths()} | view)
        else:
            self._folders.mkdir()
            if root and Wall.PRIVILEGES in self._walls:
                os.chown(self._folders, ROOM_USER, ROOM_USER)
        if root and Wall.PRIVILEGES in self._walls:
            os.setgroups([])
            os.setresgid(ROOM_USER, ROOM_USER, ROOM_USER)
            os.setresuid(ROOM_USER, ROOM_USER, ROOM_USER)
        if Wall.PRIVILEGES in self._walls:
            linux.no_new_privileges()
        # a change of user clears it, and /proc/self/uid_map is then root's
        linux.set_dumpable(True)

    def _build_view(self, binds: dict[str, str]) -> None:
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
        self._covered = [path for path in sorted(binds) if path.startswith(_BENEATH_WRITABLE)]
        _name_user(Path(stage))
        linux.pivot_root(stage)
        for held in (*sources.values(), *devices.values(), proc):
            os.close(held)
        linux.mount("none", "/", flags=linux.MS_BIND | 32 | linux.MS_RDONLY | linux.MS_NOSUID)

    def open_room(
        self,
        limits: Limits,
        address_space: int,
        keep: dict[int, int],
        work: Callable[[], None],
        groups: Sequence[int] = (),
    ) -> tuple[int, int]:
        """Start ``work`` in a room of its own.

        Args:
            limits: What the room may use.
            address_space: Bytes of virtual memory that the warm process already has.
            keep: File descriptors the room gets: number outside → number inside. All others are
                closed; 0 becomes ``/dev/null``.
            work: Called in the room once every wall stands; the room ends when it returns.
            groups: Descriptors by which the room joins its control group.

        Returns:
            The pid of the room's first process and a pidfd for it.

        Raises:
            OSError: if the machine does not allow a further room.
        """
        user, group = os.geteuid(), os.getegid()
        self._opened += 1
        folder = self._folders / str(self._opened)
        pid, pidfd = linux.clone(self._flags)
        if pid:
            self._live[pid] = folder
            return pid, pidfd
        try:
            linux.die_with_parent()
            for line in groups:
                os.write(line, b"0")
            if self._flags:
                _map_user(INSIDE_USER, INSIDE_USER, user, group)
            os.setsid()
            linux.adopt_orphans()
            self._furnish(limits, folder)
            _take_descriptors(keep)
            self._run_guarded(limits, address_space, work)
        except BaseException as error:  # nothing may unwind into the zygote's own loop
            _complain(error)
        os._exit(125)

    def _furnish(self, limits: Limits, folder: Path) -> None:
        os.umask(0o022)
        if Wall.VIEW not in self._walls:
            return _furnish_folder(folder)
        covered = {path: _hold(path) for path in self._covered}
        room = f"size={limits.disk_mb}m,nr_inodes={limits.files},mode=755"
        linux.mount("room", "/room", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, room)
        small = "size=128m,nr_inodes=5000,mode=755"
        linux.mount("tmp", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, small)  # noqa: S108
        linux.mount("shm", "/dev/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, small)  # noqa: S108
        for path, held in covered.items():
            Path(path).mkdir(parents=True, exist_ok=True)
            linux.mount(f"/proc/self/fd/{held}", path, flags=linux.MS_BIND | linux.MS_REC)
            os.close(held)
        if Wall.PROCESSES in self._walls:
            linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV)
        return os.chdir("/room")

    def clean_up(self, pid: int) -> None:
        """Remove what the room of process ``pid`` left, once it has ended."""
        folder = self._live.pop(pid, None)
        if Wall.PROCESSES not in self._walls:
            self._end_strays()
        if folder is not None and Wall.VIEW not in self._walls:
            shutil.rmtree(folder, ignore_errors=True)

    def _end_strays(self) -> None:
        """Kill what outlived its room where no namespace has ended it."""
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        while strays := set(map(int, children.read_text().split())) - set(self._live):
            for pid in strays:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _run_guarded(self, limits: Limits, address_space: int, work: Callable[[], None]) -> None:
        here, there = socket.socketpair()
        worker = os.fork()
        if worker:
            there.close()
            if Wall.PRIVILEGES in self._walls:
                linux.drop_capabilities()
            linux.set_dumpable(False)
            _answer_refusals(here)
            _reap_until(worker)
        here.close()
        linux.die_with_parent()
        os.setsid()
        if Wall.LIMITS in self._walls:
            # without a user namespace, the processes of all rooms are counted together
            shared = 1 if self._flags else _ROOMS_AT_ONCE
            _limit(limits, address_space, shared * limits.processes)
        if Wall.PRIVILEGES in self._walls:
            linux.drop_capabilities()
            linux.no_new_privileges()
        if Wall.LANDLOCK in self._walls:
            self._confine()
        if Wall.SECCOMP in self._walls:
            linux.no_new_privileges()  # no filter without it
            # sockets that are files are nobody's but the view's to hide
            seccomp.confine(there, sockets=Wall.VIEW in self._walls)
        there.close()
        work()
        sys.stdout.flush()
        os._exit(0)

    def _confine(self) -> None:
        if Wall.VIEW in self._walls:
            landlock.confine([*_WRITABLE, "/dev", "/proc"])
        else:
            landlock.confine(
                [str(places.place("/room")), "/dev/null"], [*self._readable, *_READABLE]
            )


def _furnish_folder(folder: Path) -> None:
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    places.move("/room", str(folder))
    places.move("/tmp", str(temporary))  # noqa: S108  the name that rooms know it by
    os.chdir(folder)


def _need_signal_scope() -> None:
    found = landlock.abi()
    if found < SIGNAL_SCOPE_ABI:
        raise OSError(
            f"Landlock {SIGNAL_SCOPE_ABI} is needed to do without namespaces; found {found}"
        )


def _is_root() -> bool:
    """Whether this process may become the rooms' user; the root of a container may not."""
    if os.geteuid() != 0 or Path("/proc/self/setgroups").read_text().strip() == "deny":
        return False
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(int(first) <= ROOM_USER < int(first) + int(count) for first, _, count in ranges)


def _map_user(inside_user: int, inside_group: int, user: int, group: int) -> None:
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside_user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{inside_group} {group} 1")


def _name_user(root: Path) -> None:
    """Without an entry for its user, a notebook's ``getpass.getuser`` and the like fail."""
    line = f"student:x:{INSIDE_USER}:{INSIDE_USER}::/room:/bin/sh\n"
    (root / "etc/passwd").write_text(line)
    (root / "etc/group").write_text(f"student:x:{INSIDE_USER}:\n")


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


def _answer_refusals(line: socket.socket) -> None:
    """Have a thread name the system calls that are refused; close all other lines."""
    listener = seccomp.take_listener(line)
    os.closerange(3, listener)
    os.closerange(max(listener + 1, 3), 65_536)
    if listener >= 0:
        threading.Thread(target=seccomp.Refusals(listener).serve, daemon=True).start()


def _reap_until(worker: int) -> NoReturn:
    while True:
        pid, status = os.wait()
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code & 0x7F if code >= 0 else SIGNALLED - code)


def _limit(limits: Limits, address_space: int, processes: int) -> None:
    caps: Iterable[tuple[int, int]] = (
        (resource.RLIMIT_AS, address_space + limits.memory_mb * _MIB),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, limits.file_mb * _MIB),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    )
    for name, value in caps:
        resource.setrlimit(name, (value, value))
    # at the soft limit comes SIGXCPU, which says why the process ended
    cpu = (limits.cpu_seconds, limits.cpu_seconds + _CPU_GRACE_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, cpu)


def _complain(error: BaseException) -> None:
    try:
        os.write(1, f"room could not be opened: {error}\n".encode())
    except OSError:
        pass

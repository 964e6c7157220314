"""The supervisor's side of rooms: starts warm processes, asks them for rooms, ends rooms."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import msgspec

from autograder.errors import IsolationError, RoomError
from autograder.files import TemporaryFolder
from autograder.model import Limits
from autograder.room.cgroup import Group, Groups
from autograder.room.jail import SIGNALLED
from autograder.room.walls import ALL, Wall
from autograder.room.zygote import Setup
from autograder.text import death
from autograder.wire import packets

_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""All a warm process knows of the environment it is started from: nothing but what is here. One
thread each, because a process that ever ran several cannot be forked safely."""
_REMEDY = (
    "Rooms need Linux with unprivileged user namespaces, or root. On Ubuntu allow them with "
    "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`; on Debian with "
    "`sudo sysctl kernel.unprivileged_userns_clone=1`; in a container start it with "
    "`--security-opt seccomp=unconfined --security-opt systempaths=unconfined`; elsewhere grade "
    "in a Linux virtual machine."
)


_DYING_AT_ONCE = 8
_DEATH_SECONDS = 10.0
_TRIAL_SECONDS = 30.0


class Room:
    """A room that was opened.

    Attributes:
        control: Packets to and from it.
        output: What its processes print, to be read; -1 once that is shut.
        pid: Its first process.
    """

    def __init__(self, pid: int, pidfd: int, control: socket.socket, output: int,
                 group: Group | None, host: _Process) -> None:  # fmt: skip
        self.pid, self.control, self.output = pid, control, output
        self._pidfd, self._group, self._host = pidfd, group, host
        self._killed = self._closed = False
        self._code: int | None = None

    @property
    def ended(self) -> bool:
        """Whether its first process is gone."""
        return bool(select.select([self._pidfd], [], [], 0)[0])

    def fileno(self) -> int:
        """A descriptor that becomes readable when the room has ended."""
        return self._pidfd

    @property
    def killed(self) -> bool:
        """Whether M has ended it."""
        return self._killed

    @property
    def memory_kills(self) -> int:
        """Processes of it that the kernel has ended for want of memory."""
        return self._group.memory_kills if self._group else 0

    @property
    def warm_pid(self) -> int:
        """The warm process it was forked from."""
        return self._host.pid

    def kill(self) -> None:
        """Kill its first process, and with it everything in its namespace and group."""
        self._killed = True
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if self._group:
            self._group.kill()

    def shut_output(self) -> None:
        """Listen no more; whoever still prints is told that nobody does."""
        if self.output >= 0:
            os.close(self.output)
            self.output = -1

    def fate(self) -> int:
        """How the student's first process ended, negative for a signal, if the room has ended.

        Raises:
            RoomError: if it was ended from outside, which nobody inside can do.
        """
        if self._killed or not self.ended:
            return 0
        code = self._bury()
        if code is None:
            raise RoomError("the warm process of a room has ended, and the room with it")
        if code < 0:
            raise RoomError(f"a room was ended from outside ({death(code)})")
        return code if code <= SIGNALLED else SIGNALLED - code

    def close(self) -> None:
        """End the room and let go of it; the warm process waits until it is gone."""
        if not self._closed:
            self._closed = True
            self.kill()
            self.shut_output()
            self.control.close()
            self._host.see_off(self)

    def rest(self) -> None:
        """Wait until it is gone, and clean up after it."""
        select.select([self._pidfd], [], [], _DEATH_SECONDS)
        self._bury()
        os.close(self._pidfd)
        if self._group:
            self._group.remove()

    def _bury(self) -> int | None:
        if self._code is None:
            self._code = self._host.bury(self.pid)
        return self._code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()


class _Process:
    """One warm process, from its start to its end."""

    def __init__(self, setup: Setup) -> None:
        self._lock = threading.RLock()
        self._complaints = tempfile.TemporaryFile()
        self._home = TemporaryFolder("rooms")
        self._home.path.chmod(0o711)  # rooms without a view may pass, but not list it
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-I", "-m", "autograder.room.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, env=_ENVIRONMENT | {"HOME": str(self._home.path)}, cwd="/",
            pass_fds=[theirs.fileno()], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self._complaints, stderr=self._complaints,
        )  # fmt: skip
        theirs.close()
        self._control.send(
            msgspec.msgpack.encode(msgspec.structs.replace(setup, folder=str(self._home.path)))
        )
        self._warm: packets.Warm | None = None
        self._dying: deque[Room] = deque()
        self._closed = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def wait(self, groups: Groups | None) -> packets.Warm:
        with self._lock:
            if self._warm is None:
                try:
                    packet, _ = packets.receive(self._control, packets.Warm | packets.RoomRefused)
                except (EOFError, OSError):
                    raise RoomError(f"a warm process ended early: {self._last_words()}") from None
                if isinstance(packet, packets.RoomRefused):
                    self._explain(packet.reason)
                try:
                    with self.open(Limits(), [], groups) as room:
                        self._try(room)
                except RoomError as error:
                    self._explain(f"OSError: {error}")
                self._warm = packet
            return self._warm

    def _try(self, room: Room) -> None:
        """See that the walls of a room come to stand."""
        if select.select([room.control], [], [], _TRIAL_SECONDS)[0]:
            try:
                packets.receive(room.control, packets.Ready)
            except (EOFError, OSError, msgspec.DecodeError):
                pass
            else:
                return
        try:
            said = os.read(room.output, 2000).decode(errors="replace").strip()
        except BlockingIOError:
            said = "a room does not answer"
        self._explain(f"OSError: {said or self._last_words()}")

    def _explain(self, reason: str) -> NoReturn:
        if reason.startswith(("OSError", "PermissionError")):
            raise IsolationError(f"This machine does not isolate rooms ({reason}). {_REMEDY}")
        raise RoomError(f"a warm process could not be prepared: {self._last_words() or reason}")

    def _last_words(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read()[-4000:].decode(errors="replace").strip()

    def open(self, limits: Limits, lines: Sequence[int], groups: Groups | None) -> Room:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, inlet = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        group = groups.open(limits) if groups else None
        joining = group.lines() if group else []
        order = packets.OpenRoom(limits, len(joining))
        try:
            answer, found = self._ask(order, [*joining, inlet, theirs.fileno(), *lines])
        finally:
            theirs.close()
            for number in (inlet, *joining):
                os.close(number)
        if isinstance(answer, packets.RoomOpened) and found:
            return Room(answer.pid, found[0], ours, output, group, self)
        ours.close()
        os.close(output)
        if group:
            group.remove()
        if answer is None:
            raise RoomError(f"the warm process is gone: {self._last_words()}")
        reason = getattr(answer, "reason", "no descriptor")
        raise RoomError(f"no room could be opened: {reason}")

    def bury(self, pid: int) -> int | None:
        """Clean up after a room that has ended; how its first process did, None if that is lost."""
        answer, _ = self._ask(packets.Bury(pid))
        return answer.code if answer is not None else None

    def _ask(self, order: packets.Packet, descriptors: Sequence[int] = ()) -> tuple[Any, list[int]]:
        kinds = packets.RoomOpened | packets.RoomRefused | packets.Buried
        with self._lock:
            try:
                packets.send(self._control, order, descriptors)
                return packets.receive(self._control, kinds, 1)
            except (OSError, EOFError):
                return None, []

    def see_off(self, room: Room) -> None:
        """Wait for the end of a room that was closed, some time later if possible."""
        if self._closed:
            room.rest()
        else:
            self._dying.append(room)

    def bury_dead(self, keep: int = 0) -> None:
        """Wait until all but ``keep`` of the closed rooms are gone."""
        while len(self._dying) > keep:
            try:
                room = self._dying.popleft()
            except IndexError:
                return
            room.rest()

    def close(self) -> None:
        self._closed = True
        self.bury_dead()
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._complaints.close()
        self._home.close()


class Warm:
    """A warm process and the rooms forked from it. Safe to share between threads.

    Should it die, the next room is forked from a new one.

    Args:
        entry: ``autograder.room.student`` or ``autograder.seal.judge``.
        view: What its rooms see beyond the system: path inside → path outside.
        environment: What its rooms may know beyond the standard environment.
        walls: The walls that are to stand.
    """

    def __init__(
        self,
        entry: str,
        view: dict[str, str],
        environment: dict[str, str] | None = None,
        walls: Collection[Wall] = ALL,
    ) -> None:
        self.walls = frozenset(walls)
        self._setup = Setup(entry, view, environment or {}, sorted(self.walls), folder="")
        self._groups = Groups() if Wall.GROUP in self.walls else None
        self._lock = threading.Lock()
        self._process = _Process(self._setup)

    @property
    def pid(self) -> int:
        """The warm process."""
        return self._process.pid

    def wait(self) -> packets.Warm:
        """Wait until it is warm; returns its isolation.

        Raises:
            IsolationError: if this machine cannot isolate rooms as is asked.
            RoomError: if it failed for another reason.
        """
        return self._process.wait(self._groups)

    def open(self, limits: Limits, lines: Sequence[int] = ()) -> Room:
        """Open a room.

        Args:
            limits: What it may use.
            lines: Descriptors it gets as 4, 5, …; 3 is its control line.

        Raises:
            RoomError: if it could not be opened; not the student's fault.
        """
        with self._lock:
            if self._process.dead:
                self._process.close()
                self._process = _Process(self._setup)
            process = self._process
        process.bury_dead(keep=_DYING_AT_ONCE)
        process.wait(self._groups)
        return process.open(limits, lines, self._groups)

    def bury_dead(self) -> None:
        """Wait until all closed rooms are gone."""
        self._process.bury_dead()

    def close(self) -> None:
        """End it and every room forked from it."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()


def view_of_public(folder: Path) -> dict[str, str]:
    """The view of room S: the assignment's public files, read-only."""
    return {"/public": str(folder.resolve())}

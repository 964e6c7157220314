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
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from autograder.errors import IsolationError, RoomError
from autograder.model import Limits
from autograder.room.zygote import Setup
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
        output: What its processes print, to be read.
        pid: Its process 1.
    """

    def __init__(self, pid: int, pidfd: int, control: socket.socket, output: int,
                 dying: Callable[[int], None]) -> None:  # fmt: skip
        self.pid, self._pidfd, self.control, self.output = pid, pidfd, control, output
        self._dying = dying

    @property
    def ended(self) -> bool:
        """Whether every process of the room is gone."""
        return bool(select.select([self._pidfd], [], [], 0)[0])

    def fileno(self) -> int:
        """A descriptor that becomes readable when the room has ended."""
        return self._pidfd

    def kill(self) -> None:
        """Kill its process 1, and with it everything in its namespace."""
        try:
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """End the room and let go of it; the warm process waits until it is gone."""
        if self._pidfd < 0:
            return
        self.kill()
        os.close(self.output)
        self.control.close()
        self._dying(self._pidfd)
        self._pidfd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()


class Warm:
    """A warm process and the rooms forked from it. Safe to share between threads.

    Args:
        entry: ``autograder.room.student`` or ``autograder.seal.judge``.
        view: What its rooms see beyond the system: path inside → path outside.
        environment: What its rooms may know beyond the standard environment.

    Raises:
        IsolationError: if this machine cannot isolate rooms.
    """

    def __init__(
        self, entry: str, view: dict[str, str], environment: dict[str, str] | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._complaints = tempfile.TemporaryFile()
        self._home = tempfile.TemporaryDirectory(prefix="autograder-home-")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-I", "-m", "autograder.room.zygote", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, env=_ENVIRONMENT | {"HOME": self._home.name}, cwd="/",
            pass_fds=[theirs.fileno()], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=self._complaints, stderr=self._complaints,
        )  # fmt: skip
        theirs.close()
        self._control.send(msgspec.msgpack.encode(Setup(entry, view, environment or {})))
        self._warm: packets.Warm | None = None
        self._dying: deque[int] = deque()

    def wait(self) -> packets.Warm:
        """Wait until it is warm; returns its isolation.

        Raises:
            IsolationError: if this machine cannot isolate rooms.
            RoomError: if it failed for another reason.
        """
        with self._lock:
            if self._warm is None:
                try:
                    packet, _ = packets.receive(self._control, packets.Warm | packets.RoomRefused)
                except (EOFError, OSError):
                    raise RoomError(f"a warm process ended early: {self._last_words()}") from None
                if isinstance(packet, packets.RoomRefused):
                    self._explain(packet.reason)
                try:
                    with self._open(Limits(), []) as room:
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
        self._explain(f"OSError: {said}")

    def _explain(self, reason: str) -> None:
        if reason.startswith(("OSError", "PermissionError")):
            raise IsolationError(f"This machine does not isolate rooms ({reason}). {_REMEDY}")
        raise RoomError(f"a warm process could not be prepared: {self._last_words() or reason}")

    def _last_words(self) -> str:
        self._complaints.seek(0)
        return self._complaints.read()[-4000:].decode(errors="replace").strip()

    def open(self, limits: Limits, lines: Sequence[int] = ()) -> Room:
        """Open a room.

        Args:
            limits: What it may use.
            lines: Descriptors it gets as 4, 5, …; 3 is its control line.

        Raises:
            RoomError: if it could not be opened; not the student's fault.
        """
        self.wait()
        self._bury(keep=_DYING_AT_ONCE)
        with self._lock:
            return self._open(limits, lines)

    def _open(self, limits: Limits, lines: Sequence[int]) -> Room:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, inlet = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        try:
            order = packets.OpenRoom(limits)
            packets.send(self._control, order, [inlet, theirs.fileno(), *lines])
            answer, found = packets.receive(
                self._control, packets.RoomOpened | packets.RoomRefused, 1
            )
        except (OSError, EOFError):
            raise RoomError(f"the warm process is gone: {self._last_words()}") from None
        finally:
            os.close(inlet)
            theirs.close()
        if isinstance(answer, packets.RoomRefused) or not found:
            raise RoomError(
                f"no room could be opened: {getattr(answer, 'reason', 'no descriptor')}"
            )
        return Room(answer.pid, found[0], ours, output, self._dying.append)

    def _bury(self, keep: int = 0) -> None:
        """Wait until all but ``keep`` of the closed rooms are gone."""
        while len(self._dying) > keep:
            try:
                pidfd = self._dying.popleft()
            except IndexError:
                return
            select.select([pidfd], [], [], _DEATH_SECONDS)
            os.close(pidfd)

    def close(self) -> None:
        """End it and every room forked from it."""
        self._bury()
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._complaints.close()
        self._home.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()


def view_of_public(folder: Path) -> dict[str, str]:
    """The view of room S: the assignment's public files, read-only."""
    return {"/public": str(folder.resolve())}

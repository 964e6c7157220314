"""The system calls that rooms may make, as a BPF program, and the naming of those refused.

A known call that is not allowed fails with EPERM. One newer than the tables fails with ENOSYS, as
on an older kernel, so that libraries fall back; so does ``clone3``, whose flags a filter cannot
see. Layouts and numbers: ``linux/filter.h``, ``linux/seccomp.h``, ``linux/audit.h``.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from autograder.room import linux, syscalls

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH values."""
_X32_BIT = 0x40000000
"""Marks calls of the x32 ABI, which shares x86-64's architecture."""

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENTS = 0, 4, 16
_ALLOW, _ASK, _ERRNO, _KILL = 0x7FFF0000, 0x7FC00000, 0x00050000, 0x80000000
_LONGEST_JUMP = 255

_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3
_RECEIVE, _ANSWER = 0xC0502100, 0xC0182101
_NOTIFICATION, _RESPONSE = struct.Struct("=QIIII56x"), struct.Struct("=QqiI")
"""``struct seccomp_notif``: id, process, flags, then number, architecture and the rest of
``seccomp_data``. ``struct seccomp_notif_resp``: id, value, error, flags."""

_Step = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Rule:
    """Judges a call by the low half of one argument, all that the kernel looks at in these.

    Attributes:
        argument: Its index.
        test: The jump that compares it with each value.
        values: What it is compared with.
        allows: Whether the call is allowed if one of them matches, or if none does.
    """

    argument: int
    test: int
    values: tuple[int, ...]
    allows: bool


_AF_UNIX = _Rule(0, _JUMP_EQUAL, (1,), allows=True)
_RULES = {
    "clone": _Rule(0, _JUMP_ANY_BIT, (0x7E020000,), allows=False),  # CLONE_NEW…
    "socket": _AF_UNIX,
    "socketpair": _AF_UNIX,
    "ioctl": _Rule(1, _JUMP_EQUAL, (0x5412, 0x541C), allows=False),  # TIOCSTI, TIOCLINUX: they type
    "personality": _Rule(0, _JUMP_EQUAL, (0xFFFFFFFF,), allows=True),  # the question what it is
    "prctl": _Rule(
        0,
        _JUMP_EQUAL,
        (
            *(1, 2, 36, 37),  # PDEATHSIG, CHILD_SUBREAPER
            *(3, 21, 23, 38, 39),  # GET_DUMPABLE, GET_SECCOMP, CAPBSET_READ, NO_NEW_PRIVS
            *(15, 16, 0x53564D41),  # names of threads and of memory
            *(29, 30, 41, 42),  # TIMERSLACK, THP_DISABLE
            *(51, 56, 64),  # AArch64: SVE_GET_VL, GET_TAGGED_ADDR_CTRL, SME_GET_VL
        ),
        allows=True,
    ),
}


def program(machine: str | None = None, name_refusals: bool = True, sockets: bool = True) -> bytes:
    """The filter as ``struct sock_filter`` bytes.

    Args:
        machine: Processor; this one if not given.
        name_refusals: Whether refused calls go to a listener, which must then answer them.
        sockets: Whether there may be sockets, which are then ``AF_UNIX`` ones; pairs may be.

    Raises:
        OSError: if there is no table for this processor.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(f"rooms are not supported on {machine} processors")
    refuse = _ASK if name_refusals else _ERRNO | errno.EPERM
    steps: list[_Step] = [
        (_LOAD, 0, 0, _AT_ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _AT_NUMBER),
        *_search(list(_spans(machine, refuse, sockets))),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _spans(machine: str, refuse: int, sockets: bool) -> Iterator[tuple[int, list[_Step]]]:
    """First number and judgement of each run of numbers that are judged alike."""
    absent = [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    judged = {n: [(_RETURN, 0, 0, refuse)] for n in syscalls.named(syscalls.REFUSED, machine)}
    for number, name in syscalls.named(syscalls.ALLOWED, machine).items():
        judged[number] = _judge(_RULES.get(name), refuse)
        if name == "socket" and not sockets:
            judged[number] = [(_RETURN, 0, 0, refuse)]
    before: list[_Step] = []
    for number in range(syscalls.NEWEST + 2):
        steps = judged.get(number, absent)
        if steps != before:
            yield number, steps
        before = steps
    if machine == "x86_64":
        yield _X32_BIT, [(_RETURN, 0, 0, refuse)]


def _judge(rule: _Rule | None, refuse: int) -> list[_Step]:
    if rule is None:
        return [(_RETURN, 0, 0, _ALLOW)]
    last = len(rule.values) - 1
    return [
        (_LOAD, 0, 0, _AT_ARGUMENTS + 8 * rule.argument),
        *((rule.test, last - i + 1, 0, value) for i, value in enumerate(rule.values)),
        (_RETURN, 0, 0, refuse if rule.allows else _ALLOW),
        (_RETURN, 0, 0, _ALLOW if rule.allows else refuse),
    ]


def _search(spans: list[tuple[int, list[_Step]]]) -> list[_Step]:
    """A binary search among ``spans``."""
    if len(spans) == 1:
        return spans[0][1]
    middle = len(spans) // 2
    below, above = _search(spans[:middle]), _search(spans[middle:])
    assert len(below) <= _LONGEST_JUMP
    return [(_JUMP_AT_LEAST, len(below), 0, spans[middle][0]), *below, *above]


def install(name_refusals: bool = True, sockets: bool = True) -> int:
    """Install the filter in this process, which must have given up new privileges.

    Args:
        name_refusals: Whether to ask for a listener.
        sockets: Whether there may be sockets.

    Returns:
        The listener, which :class:`Refusals` must serve from a process without the filter; -1 if
        there is none: refused calls then fail without being named.

    Raises:
        OSError: if the kernel takes no filter.
    """
    if name_refusals:
        try:
            return _load(program(sockets=sockets), _NEW_LISTENER)
        except OSError:  # a container's filter has a listener already, or a kernel before 5.0
            pass
    _load(program(name_refusals=False, sockets=sockets), 0)
    return -1


def _load(code: bytes, flags: int) -> int:
    held = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(held))
    number = syscalls.REFUSED["seccomp"][syscalls.COLUMN[platform.machine()]]
    fprog = ctypes.create_string_buffer(header, len(header))
    return linux.syscall(number, _SET_MODE_FILTER, flags, fprog)


def confine(line: socket.socket, sockets: bool = True) -> None:
    """Install the filter and hand its listener to the process at the other end of ``line``."""
    listener = install(sockets=sockets)
    with line:
        if listener >= 0:
            socket.send_fds(line, [b"\0"], [listener])
            os.close(listener)


def take_listener(line: socket.socket) -> int:
    """Wait for what :func:`confine` hands over; -1 if there is none, or the other end died."""
    with line:
        descriptors = socket.recv_fds(line, 1, 1)[1]
    return descriptors[0] if descriptors else -1


class Refusals:
    """Answers refused calls with EPERM and writes the name of each once.

    Args:
        listener: From :func:`install`; closed when serving ends, from when on the kernel itself
            answers with ENOSYS.
        output: Descriptor to write to. A student's code may have filled or changed it, so nothing
            is written to it while that would block.
    """

    def __init__(self, listener: int, output: int = 1) -> None:
        self._listener, self._output = listener, output
        machine = platform.machine()
        known = (syscalls.REFUSED, syscalls.ALLOWED)
        self._names = {n: s for table in known for n, s in syscalls.named(table, machine).items()}
        self._written: set[str] = set()

    def fileno(self) -> int:
        """The listener; readable when a call waits for its answer."""
        return self._listener

    def serve(self) -> None:
        """Answer until no process with the filter is left."""
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        try:
            while poller.poll()[0][1] & select.POLLIN:
                self.answer()
        finally:
            os.close(self._listener)

    def answer(self) -> None:
        """Answer one call; wait for it if there is none."""
        notification = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, notification)
        except OSError:  # the caller was killed, or a signal came: it asks again if it still wants
            return
        call, _, _, number, _ = _NOTIFICATION.unpack(notification)
        self._write(self._names.get(number, "a call of the x32 ABI"))
        try:
            fcntl.ioctl(self._listener, _ANSWER, _RESPONSE.pack(call, 0, -errno.EPERM, 0))
        except OSError:  # the caller was killed
            pass

    def _write(self, name: str) -> None:
        if name in self._written or not select.select([], [self._output], [], 0)[1]:
            return
        try:
            os.write(self._output, f"refused: {name}\n".encode())
        except OSError:
            return
        self._written.add(name)

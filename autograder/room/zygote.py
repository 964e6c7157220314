"""The warm process rooms are forked from. It imports, retreats behind walls, and forks.

Run as ``python -I -m autograder.room.zygote DESCRIPTOR`` with a control socket from M. It holds
no secret that a room forked from it may not know, and it never computes: a process that ever ran
several threads cannot be forked safely.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import msgspec

from autograder.model import Limits
from autograder.room import jail, landlock, linux
from autograder.wire import packets

_DESCRIPTORS_LIMIT = 160
_CONTROL = 3
"""A room's line to M."""


class Setup(msgspec.Struct, frozen=True):
    """M to a zygote, first of all."""

    entry: str
    """Module with ``warm()`` and ``main()``."""
    view: dict[str, str]
    """What rooms see beyond the system: path inside → path outside."""
    environment: dict[str, str]
    """What rooms forked from here may know."""


def main() -> None:
    """Serve M until it hangs up."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    linux.die_with_parent()
    try:
        run = _prepare(control)
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        print(traceback.format_exc(), file=sys.stderr)
        packets.send(control, packets.RoomRefused(reason[:2000]))
        return
    while True:
        try:
            order, descriptors = packets.receive(control, packets.OpenRoom, _DESCRIPTORS_LIMIT)
        except EOFError:
            return
        _open(control, order.limits, descriptors, run)
        _reap()


def _prepare(control: socket.socket) -> Callable[[], None]:
    setup = msgspec.msgpack.decode(control.recv(packets.SIZE_LIMIT), type=Setup)
    os.environ.update(setup.environment)
    warnings.simplefilter("ignore")
    module = importlib.import_module(setup.entry)
    if setup.entry.endswith("student"):
        module.warm()
        jail.retreat(setup.view)
    else:
        jail.retreat(setup.view)
        module.warm()
    linux.adopt_orphans()
    linux.die_with_parent()  # a change of user forgets it
    gc.collect()
    gc.freeze()
    _assert_one_thread()
    level, lacking = _level()
    packets.send(control, packets.Warm(_address_space(), level, lacking))
    main: Callable[[], None] = module.main
    return main


def _open(
    control: socket.socket, limits: Limits, descriptors: list[int], run: Callable[[], None]
) -> None:
    """Open one room; ``descriptors`` are its output and then what it gets as 3, 4 and so on."""
    output, *lines = descriptors
    keep = {output: 1} | {number: 3 + index for index, number in enumerate(lines)}
    try:
        _assert_one_thread()
        pid, pidfd = jail.open_room(limits, _address_space(), keep, lambda: _work(run))
    except OSError as error:
        packets.send(control, packets.RoomRefused(str(error)))
    else:
        packets.send(control, packets.RoomOpened(pid), [pidfd])
        os.close(pidfd)
    for number in descriptors:
        os.close(number)


def _work(run: Callable[[], None]) -> None:
    os.dup2(1, 2)
    try:
        with socket.socket(fileno=os.dup(_CONTROL)) as control:
            packets.send(control, packets.Ready())
        run()
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        os._exit(70)


def _reap() -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                return
        except ChildProcessError:
            return


def _assert_one_thread() -> None:
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise OSError(f"the warm process has {threads} threads; rooms cannot be forked from it")


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _level() -> tuple[str, list[str]]:
    """The isolation rooms get here, and what they lack of level A."""
    if landlock.abi():
        return "A", []
    return "A-", ["Landlock (a kernel of 5.13 or later with it enabled)"]


if __name__ == "__main__":
    main()

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

from autograder import places
from autograder.room import landlock, linux
from autograder.room.jail import Jail
from autograder.room.walls import Wall, level
from autograder.wire import packets

_DESCRIPTORS_LIMIT = 160


class Setup(msgspec.Struct, frozen=True):
    """M to a zygote, first of all."""

    entry: str
    """Module with ``warm()`` and ``main()``."""
    view: dict[str, str]
    """What rooms see beyond the system: path inside → path outside."""
    environment: dict[str, str]
    """What rooms forked from here may know."""
    walls: list[Wall]
    """The walls that are to stand."""
    folder: str
    """An empty folder, for rooms without a file system of their own."""


def main() -> None:
    """Serve M until it hangs up."""
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    linux.die_with_parent()
    try:
        zygote = _prepare(control)
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        print(traceback.format_exc(), file=sys.stderr)
        packets.send(control, packets.RoomRefused(reason[:2000]))
        return
    zygote.serve()


def _prepare(control: socket.socket) -> Zygote:
    setup = msgspec.msgpack.decode(control.recv(packets.SIZE_LIMIT), type=Setup)
    os.environ.update(setup.environment)
    warnings.simplefilter("ignore")
    module = importlib.import_module(setup.entry)
    inside = getattr(module, "WARM_INSIDE", False)
    if Wall.VIEW not in setup.walls:  # nothing new is seen inside, and perhaps less
        inside = False
        for name, path in setup.view.items():
            places.move(name, path)
    if not inside:
        module.warm()
    jail = Jail(setup.view, Path(setup.folder), setup.walls)
    if inside:
        module.warm()
    linux.adopt_orphans()
    linux.die_with_parent()  # a change of user forgets it
    gc.collect()
    gc.freeze()
    _assert_one_thread()
    standing = set(setup.walls)
    if not landlock.abi():
        standing.discard(Wall.LANDLOCK)
    packets.send(control, packets.Warm(*level(standing)))
    return Zygote(control, jail, module.main)


class Zygote:
    """Forks rooms on M's orders.

    Args:
        control: The line to M.
        jail: Where this process is shut in.
        run: What each room runs.
    """

    def __init__(self, control: socket.socket, jail: Jail, run: Callable[[], None]) -> None:
        self._control, self._jail, self._run = control, jail, run

    def serve(self) -> None:
        """Serve M until it hangs up."""
        while True:
            try:
                order, descriptors = packets.receive(
                    self._control, packets.OpenRoom | packets.Bury, _DESCRIPTORS_LIMIT
                )
            except EOFError:
                return
            if isinstance(order, packets.Bury):
                self._bury(order.pid)
            else:
                self._open(order, descriptors)
            for number in descriptors:
                os.close(number)

    def _open(self, order: packets.OpenRoom, descriptors: list[int]) -> None:
        groups, lines = descriptors[: order.groups], descriptors[order.groups :]
        keep = {number: 1 if index == 0 else 2 + index for index, number in enumerate(lines)}
        try:
            _assert_one_thread()
            pid, pidfd = self._jail.open_room(
                order.limits, _address_space(), keep, lambda: _work(self._run), groups
            )
        except OSError as error:
            packets.send(self._control, packets.RoomRefused(str(error)))
        else:
            packets.send(self._control, packets.RoomOpened(pid), [pidfd])
            os.close(pidfd)

    def _bury(self, pid: int) -> None:
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:
            status = 0
        self._jail.clean_up(pid)
        packets.send(self._control, packets.Buried(os.waitstatus_to_exitcode(status)))


def _work(run: Callable[[], None]) -> None:
    os.dup2(1, 2)
    try:
        with socket.socket(fileno=os.dup(packets.CONTROL)) as control:
            packets.send(control, packets.Ready())
        run()
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
        os._exit(os.EX_SOFTWARE)


def _assert_one_thread() -> None:
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise OSError(f"the warm process has {threads} threads; rooms cannot be forked from it")


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()

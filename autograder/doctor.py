"""The doctor: opens rooms on this machine and tries in them what a room must not be able to do."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import selectors
import socket
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from autograder.errors import IsolationError, RoomError
from autograder.meter import Meter, descendants
from autograder.model import Limits
from autograder.room.cgroup import Groups
from autograder.room.host import Room, Warm
from autograder.room.trial import ATTEMPTS, Bait, Job
from autograder.room.walls import ALL, LEVELS, NEXT_TO_NONE, WITHOUT_NAMESPACES, Wall, level
from autograder.wire import packets

LIMITS = Limits(
    submission_seconds=20, cpu_seconds=3, memory_mb=128, processes=24, disk_mb=16, files=500,
    file_mb=4, open_files=64,
)  # fmt: skip
"""Small, so that running into them takes little."""
_OUTSTAY_SECONDS = 3.0
_ENTRY = "autograder.room.trial"
_ALONE = {"outstay its time", "use more processor time", "outlive its room", "print more"}
"""Attempts that M must see the end of, each in a room of its own."""
_OUTPUT_LIMIT = 8 * 1024 * 1024
_REMEDIES = {
    Wall.VIEW: "allow user and mount namespaces, as said below",
    Wall.PROCESSES: "allow pid namespaces, or use a kernel with Landlock 6 (Linux 6.12)",
    Wall.NETWORK: "allow network namespaces",
    Wall.IPC: "allow ipc namespaces",
    Wall.PRIVILEGES: "report this: privileges are always given up",
    Wall.LANDLOCK: "add landlock to the kernel's lsm= list",
    Wall.SECCOMP: "use a kernel built with CONFIG_SECCOMP_FILTER",
    Wall.LIMITS: "let the grader set resource limits (ulimit -H)",
    Wall.GROUP: "run as root, or in a delegated group: systemd-run --user --scope -p Delegate=yes",
    Wall.WATCH: "report this: the supervisor always watches",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was tried.

    Attributes:
        what: What was tried.
        held: Whether it failed, as it should.
        detail: What came of it.
        wall: The wall that should have held.
    """

    what: str
    held: bool
    detail: str
    wall: Wall

    @property
    def remedy(self) -> str:
        """How to mend it."""
        return "" if self.held else _REMEDIES[self.wall]


@dataclass(frozen=True)
class Examination:
    """What rooms are worth on this machine.

    Attributes:
        findings: Everything that was tried.
        level: The isolation level they add up to.
        lacking: What is missing of level A.
        refusal: Why stronger rooms could not be had, if so.
        groups: Whether control groups limit memory; else address space and the watch do.
    """

    findings: list[Finding]
    level: str
    lacking: list[str]
    refusal: str
    groups: bool


def examine(walls: Collection[Wall] = ALL) -> Examination:
    """Open rooms with ``walls``, or the most that this machine allows, and try everything.

    Raises:
        RoomError: if rooms fail for another reason than the machine's.
    """
    refusal = ""
    for tried in (walls, WITHOUT_NAMESPACES, NEXT_TO_NONE):
        try:
            with Warm(_ENTRY, {}, walls=tried) as warm:
                return _examine(warm, refusal)
        except IsolationError as error:
            refusal = refusal or str(error)
    raise RoomError(f"not even a bare process can be started as a room: {refusal}")


def _examine(warm: Warm, refusal: str) -> Examination:
    declared = warm.wait()
    findings = try_out(warm, ATTEMPTS)
    fallen = {finding.wall for finding in findings if not finding.held}
    found, lacking = level(warm.walls - fallen)
    weakest = max(found, declared.level, key=LEVELS.index)
    return Examination(
        findings, weakest, declared.lacking if weakest == declared.level else lacking, refusal,
        Groups().usable,
    )  # fmt: skip


def try_out(warm: Warm, names: Collection[str]) -> list[Finding]:
    """Have rooms forked from ``warm`` make the attempts ``names``."""
    with _bait() as bait:
        together = _try_together(warm, bait, [name for name in names if name not in _ALONE])
        return together + [_try_alone(warm, bait, name) for name in names if name in _ALONE]


def _try_together(warm: Warm, bait: Bait, names: list[str]) -> list[Finding]:
    findings = []
    while names:
        tried = _run(warm, names, bait, LIMITS).findings
        if not tried:  # what ended the room is what it tried first
            tried = [Finding(names[0], True, "the room was ended", ATTEMPTS[names[0]][0])]
        findings += tried
        names = names[len(tried) :]
    return findings


def _try_alone(warm: Warm, bait: Bait, name: str) -> Finding:
    limits = LIMITS
    if name == "outstay its time":
        limits = msgspec.structs.replace(LIMITS, submission_seconds=_OUTSTAY_SECONDS)
    seen = _run(warm, [name], bait, limits)
    wall = ATTEMPTS[name][0]
    warm.bury_dead()
    left = descendants(warm.pid)
    if left:
        return Finding(name, False, f"{len(left)} processes were left", wall)
    if name == "outlive its room":
        return Finding(name, True, "nothing was left", wall)
    if seen.findings:
        return seen.findings[0]
    return Finding(name, bool(seen.ended), seen.ended or "the room ended by itself", wall)


@dataclass
class _Seen:
    findings: list[Finding]
    ended: str = ""
    printed: int = 0


def _run(warm: Warm, names: list[str], bait: Bait, limits: Limits) -> _Seen:
    """Have one room try ``names`` in turn, under the limits."""
    seen = _Seen([])
    with warm.open(limits) as room:
        packets.receive(room.control, packets.Ready)
        job = msgspec.msgpack.encode(Job(names, bait, limits))
        packets.send(room.control, packets.Piece(packets.JOB, job, True))
        meter = Meter(room.pid, room.warm_pid, limits.memory_mb)
        deadline = time.monotonic() + limits.submission_seconds
        while _hear(room, seen):
            if Wall.WATCH in warm.walls:
                meter.trim()
                if meter.cpu_seconds() > limits.cpu_seconds + 0.5 * len(names):
                    seen.ended = f"was ended after {meter.cpu_seconds():.1f} s of processor time"
                    room.kill()
            if time.monotonic() > deadline:
                seen.ended = f"was ended after {limits.submission_seconds:g} s"
                room.kill()
    return seen


def _hear(room: Room, seen: _Seen) -> bool:
    """Take what a room says within a moment; whether more may come."""
    with selectors.DefaultSelector() as selector:
        selector.register(room.control, selectors.EVENT_READ)
        if room.output >= 0:
            selector.register(room.output, selectors.EVENT_READ)
        ready = {key.fileobj for key, _ in selector.select(0.1)}
    if room.output in ready:
        _drain(room, seen)
    if room.control not in ready:
        return not room.ended
    try:
        packet, _ = packets.receive(room.control, packets.Tried | packets.Finished)
    except (EOFError, OSError, msgspec.DecodeError):
        return False
    if isinstance(packet, packets.Finished) or packet.what not in ATTEMPTS:
        return False
    wall = ATTEMPTS[packet.what][0]
    seen.findings.append(Finding(packet.what, packet.held, packet.detail[:200], wall))
    return True


def _drain(room: Room, seen: _Seen) -> None:
    """Read what is there, up to what rooms may print."""
    try:
        while part := os.read(room.output, 1 << 16):
            seen.printed += len(part)
            if seen.printed > _OUTPUT_LIMIT:
                break
    except BlockingIOError:
        return
    room.shut_output()


@contextlib.contextmanager
def _bait() -> Iterator[Bait]:
    """Lay out things that nobody in a room may reach."""
    word = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autograder-bait-")))
        folder.chmod(0o755)  # as another student's work might lie about
        (folder / "secret.txt").write_text(word)
        lines = [stack.enter_context(socket.socket(family))
                 for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX)]  # fmt: skip
        lines[0].bind(("127.0.0.1", 0))
        lines[1].bind(f"\0autograder-{word}")
        lines[2].bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        for line in lines:
            line.listen()
        segment = ctypes.CDLL(None).shmget(0, 4096, 0o1777)
        stack.callback(ctypes.CDLL(None).shmctl, segment, 0, None)
        os.environ["AUTOGRADER_BAIT"] = word
        stack.callback(os.environ.pop, "AUTOGRADER_BAIT", None)
        yield Bait(
            str(folder / "secret.txt"), word, os.getpid(), lines[0].getsockname()[1],
            f"autograder-{word}", str(folder / "socket"), segment, word,
        )  # fmt: skip

"""Coverage-guided fuzzing of all that is decoded of a hostile room: ``make fuzz SECONDS=3600``.

The first byte of an input chooses the reader: room T, which is sent frames in answer to a question,
or M, which is sent packets. Whatever comes, only the documented errors may come out, no process may
crash or hang, and memory must stay in proportion to what was sent. Accepted values are then used
the way a test would use them, because a value that harms native code is a finding too.

Args: those of libFuzzer; the first folder named is the corpus that grows.
"""

from __future__ import annotations

import resource
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import atheris
import msgspec

with atheris.instrument_imports(
    include=["autograder.wire", "autograder.seal.handles", "autograder.executed"]
):
    from autograder.executed import executed
    from autograder.seal import handles
    from autograder.wire import frames, packets

from autograder.model import Limits
from autograder.supervisor import _FROM_T, StudentRoom
from autograder.wire import messages as m
from tests.fuzz import seeds
from tests.fuzz.uses import use

INPUT_LIMIT = 128 * 1024
"""Bytes of one input: what a socket takes without a reader."""
GROWTH_LIMIT = 256 * 1024 * 1024
"""Bytes by which one input may make the process grow: the 40-fold of a message, and slack."""
_HEADER = frames._HEADER
_NOTEBOOK = {"cells": [{"cell_type": "code", "source": ""}] * 3, "metadata": {}, "nbformat": 4}


class MemoryFinding(Exception):
    """One small input made the process grow much."""


def room_t(data: bytes) -> None:
    """Answer one question of T with ``data``, and use the value as a test would."""
    theirs, ours = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * INPUT_LIMIT)
    with theirs, ours:
        ours.send(data, socket.MSG_DONTWAIT)
        ours.shutdown(socket.SHUT_WR)
        link = handles.Link(theirs, lambda: time.monotonic() + 5)
        for _ in range(2):
            try:
                use(link.ask(m.Look("x")))
            except (handles.StudentError, AttributeError):
                pass


class _Room:
    def __init__(self, control: socket.socket) -> None:
        self.control = control


def room_m(data: bytes) -> None:
    """Send M the packets in ``data``, each after its length, as room S, T and a zygote would."""
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * INPUT_LIMIT)
    with theirs, ours:
        student = StudentRoom(_Room(theirs), Limits(), ["w.bin"])
        for packet in seeds.split(data)[:8]:
            ours.send(packet, socket.MSG_DONTWAIT)
            try:
                student.hear()
            except EOFError:
                pass
            for kind, descriptors in ((_FROM_T, 0), (packets.Packet, 4)):
                ours.send(packet, socket.MSG_DONTWAIT)
                try:
                    use(packets.receive(theirs, kind, descriptors)[0])
                except (EOFError, OSError, msgspec.DecodeError):
                    pass
        results = {
            index: (bytes(record.outputs), record.done.count if record.done else None, "")
            for index, record in student.cells.items()
        }
        executed(_NOTEBOOK, results)


_READERS: list[Callable[[bytes], None]] = [room_t, room_m]


def one_input(data: bytes) -> None:
    """Let the reader that the first byte names read the rest."""
    if not data:
        return
    before = _peak()
    _READERS[data[0] % len(_READERS)](data[1:])
    if _peak() - before > GROWTH_LIMIT:
        raise MemoryFinding(f"{len(data):,} bytes made the process grow by {_peak() - before:,}")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def mutate(data: bytes, limit: int, seed: int) -> bytes:
    """Change a value inside a frame's or packet's structure, or else any byte."""
    changed = seeds.mutated(data, seed)
    if changed is None or len(changed) > limit:
        return atheris.Mutate(data, limit)
    return changed


def main() -> None:
    """Run libFuzzer."""
    corpus = next((Path(name) for name in sys.argv[1:] if not name.startswith("-")), None)
    for number, seed in enumerate(seeds.all_seeds()):
        one_input(seed)  # imports all that is imported late, so that it counts for no input
        if corpus is not None:
            (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(sys.argv, one_input, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

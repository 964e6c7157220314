"""Packets between the supervisor and its rooms: typed, bounded, whole or not at all.

They travel over ``SOCK_SEQPACKET`` sockets, so a sender that is killed never leaves half of one.
Long contents go in several packets.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec

from autograder.model import Limit, Limits, Status
from autograder.wire import messages

SIZE_LIMIT = 96 * 1024
"""Bytes of one packet."""
_CHUNK = 48 * 1024
CONTROL = 3
"""Descriptor of a room's line to M."""
JOB = "/job"
"""Name under which M sends a room what to run; no file can have it."""


_Index = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_Code = Annotated[int, msgspec.Meta(gt=-256, lt=256)]
_Seconds = Annotated[float, msgspec.Meta(ge=0.0, le=1e9)]
"""Also no NaN, which JSON cannot hold and which would pass for every limit."""


class _Packet(msgspec.Struct, tag=True):
    pass


class OpenRoom(_Packet):
    """M to a zygote, with descriptors: output, control, and lines to the other room."""

    limits: Limits
    groups: int = 0
    """How many descriptors, by which the room joins its control group, come before the others."""


class RoomOpened(_Packet):
    """A zygote to M, with a pidfd: process 1 of the new room."""

    pid: int


class RoomRefused(_Packet):
    """A zygote to M: no room could be opened."""

    reason: str


class Bury(_Packet):
    """M to a zygote: the room of this process has ended; clean up after it."""

    pid: int


class Buried(_Packet):
    """A zygote to M: how the room's first process ended, negative if by a signal."""

    code: int


class Warm(_Packet):
    """A zygote to M: everything is imported and the walls stand."""

    level: str
    lacking: list[str]


class Ready(_Packet):
    """A room to M: every wall stands. Whatever went wrong before is no student's fault."""


class Piece(_Packet):
    """A piece of a file, either way."""

    name: str
    data: bytes
    last: bool


class Run(msgspec.Struct):
    """M to S, as the last file, named :data:`JOB`: what to run."""

    notebook: str
    cells: list[str]
    questions: list[str]
    helpers: list[str]
    expected_files: list[str]
    cell_seconds: float
    output_kb: int


class CellStarted(_Packet):
    """S to M."""

    index: _Index


class CellOutput(_Packet):
    """S to M: a piece of a cell's outputs, nbformat JSON."""

    index: _Index
    data: bytes


class CellDone(_Packet):
    """S to M. ``problem`` is empty or an exception's name; ``limit`` is one that was met."""

    index: _Index
    count: _Index
    seconds: _Seconds
    problem: str
    limit: Limit | None = None


class CellLost(_Packet):
    """S to M: the cell ended the process it ran in, and was left out."""

    index: _Index
    code: _Code
    """The exit status of the process, negative for a signal."""
    late: bool
    """Whether the cell's time was over."""


class Checked(_Packet):
    """S to M: a snapshot was taken at the question's check cell."""

    question: str


class Finished(_Packet):
    """S or T to M: the last cell was run; or, the last question judged."""


class Tried(_Packet):
    """A room on trial to M: it tried something that it must not be able to do."""

    what: str
    held: bool
    detail: str
    """What came of it."""


class Judge(_Packet):
    """M to T, with one line to S for each question, in order."""

    student: str
    questions: list[str]
    question_seconds: float
    requires: dict[str, list[str]] = {}
    """The questions that a question builds on, of those that build on any."""


class Judging(_Packet):
    """T to M: the tests of a question begin."""

    question: str


class Tested(_Packet):
    """T to M."""

    question: str
    test: str
    status: Status
    message: str
    seconds: _Seconds
    missing: bool = False
    """Whether the notebook does not define what the test asks for."""
    died: _Code = 0
    """How the student's process ended that was to answer, negative for a signal; 0 if it lives."""


Packet = (
    OpenRoom | Ready | Bury | Buried | RoomOpened | RoomRefused | Warm | Piece | CellStarted
    | CellOutput | CellDone | CellLost | Checked | Finished | Judge | Judging | Tested
    | Tried
)  # fmt: skip

_encoder = msgspec.msgpack.Encoder()


def send(link: socket.socket, packet: Packet, descriptors: Sequence[int] = ()) -> None:
    """Send one packet, with descriptors if given.

    Raises:
        OSError: if the other side is gone.
        ValueError: if the packet is too large.
    """
    data = _encoder.encode(packet)
    if len(data) > SIZE_LIMIT:
        raise ValueError(f"packet of {len(data):,} bytes is over the limit")
    if descriptors:
        socket.send_fds(link, [data], list(descriptors))
    else:
        link.send(data, socket.MSG_NOSIGNAL)


def receive(link: socket.socket, kind: Any, descriptors: int = 0) -> tuple[Any, list[int]]:
    """Receive one packet of a given type (or union of types) and up to so many descriptors.

    Raises:
        EOFError: if the other side is gone.
        msgspec.DecodeError: if the packet is of no such type.
    """
    data, found, flags, _ = socket.recv_fds(link, SIZE_LIMIT, descriptors)
    try:
        if not data or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise EOFError("the other side is gone")
        return messages.decode(data, kind), found
    except BaseException:
        for descriptor in found:
            os.close(descriptor)
        raise


def pieces(name: str, data: bytes) -> Iterator[Piece]:
    """``data`` as packets."""
    for start in range(0, max(len(data), 1), _CHUNK):
        part = data[start : start + _CHUNK]
        yield Piece(name, part, start + _CHUNK >= len(data))


def output_pieces(index: int, data: bytes) -> Iterator[CellOutput]:
    """A cell's outputs as packets."""
    for start in range(0, len(data), _CHUNK):
        yield CellOutput(index, data[start : start + _CHUNK])

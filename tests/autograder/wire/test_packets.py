import math
import os
import socket
from collections.abc import Iterator

import msgspec
import pytest

from autograder.model import Limit, Limits, Status
from autograder.wire import packets


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield ends
    for end in ends:
        end.close()


def test_a_packet_arrives_as_it_was_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    sent = packets.Tested("q1", "test_one", Status.TIMEOUT, "späß", 1.5)
    packets.send(pair[0], sent)
    assert packets.receive(pair[1], packets.Packet) == (sent, [])


def test_descriptors_travel_with_a_packet(pair: tuple[socket.socket, socket.socket]) -> None:
    inlet, outlet = os.pipe()
    packets.send(pair[0], packets.OpenRoom(Limits()), [outlet])
    packet, found = packets.receive(pair[1], packets.OpenRoom, 4)
    os.write(found[0], b"through")
    assert packet.limits == Limits() and os.read(inlet, 10) == b"through"
    for number in (inlet, outlet, *found):
        os.close(number)


@pytest.mark.parametrize(
    "sent",
    [
        packets.CellDone(3, 4, 1.5, "MemoryError", Limit.MEMORY),
        packets.CellDone(3, 4, 1.5, ""),
        packets.CellLost(3, -9, late=True),
        packets.Tested("q1", "test_one", Status.ERROR, "", 0.5, missing=True, died=-11),
        packets.OpenRoom(Limits(files=7), groups=2),
        packets.Bury(77),
        packets.Buried(-9),
        packets.Warm("B", ["a network of its own"]),
    ],
    ids=lambda packet: type(packet).__name__,
)
def test_every_field_of_a_packet_arrives(
    pair: tuple[socket.socket, socket.socket], sent: packets.Packet
) -> None:
    packets.send(pair[0], sent)
    assert packets.receive(pair[1], packets.Packet) == (sent, [])


@pytest.mark.parametrize("size", [0, 1, 48 * 1024, 48 * 1024 + 1, 1_000_000])
def test_a_file_in_pieces_can_be_put_together_again(size: int) -> None:
    data = os.urandom(size)
    parts = list(packets.pieces("weights", data))
    assert b"".join(part.data for part in parts) == data
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(len(msgspec.msgpack.encode(part)) <= packets.SIZE_LIMIT for part in parts)


def test_a_packet_of_another_type_is_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    packets.send(pair[0], packets.Tested("q1", "t", Status.PASSED, "", 0.0))
    with pytest.raises(msgspec.DecodeError):
        packets.receive(pair[1], packets.CellStarted | packets.Finished)


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"nonsense",
        msgspec.msgpack.encode({"type": "Nobody"}),
        msgspec.msgpack.encode({"type": "CellStarted", "index": True}),
        msgspec.msgpack.encode({"type": "CellStarted", "index": "1"}),
        msgspec.msgpack.encode({"type": "CellStarted"}),
        msgspec.msgpack.encode({"type": "CellLost", "index": 1, "code": -9, "late": 1}),
        msgspec.msgpack.encode(
            {
                "type": "CellDone",
                "index": 1,
                "count": 1,
                "seconds": 0.1,
                "problem": "",
                "limit": "patience",
            }
        ),
        msgspec.msgpack.encode({"type": "CellStarted", "index": -1}),
        msgspec.msgpack.encode({"type": "CellStarted", "index": 2**63}),
        msgspec.msgpack.encode(packets.CellDone(0, 1, math.nan, "")),
        msgspec.msgpack.encode(packets.CellDone(0, 1, math.inf, "")),
        msgspec.msgpack.encode(packets.CellDone(0, 1, -1.0, "")),
        msgspec.msgpack.encode(packets.CellDone(0, -1, 0.0, "")),
        msgspec.msgpack.encode(packets.Tested("q1", "t", Status.PASSED, "", math.nan)),
        b"\x83\xa4type\xa5Piece\xa4name\xa2\xff\xfe",
        b"\x83\xa4type\xabCellStarted\xa1x" + b"\x91" * 50_000 + b"\x01\xa5index\x01",
    ],
    ids=lambda data: repr(data)[:40],
)
def test_what_is_no_packet_is_refused(
    pair: tuple[socket.socket, socket.socket], data: bytes
) -> None:
    pair[0].send(data)
    with pytest.raises(msgspec.DecodeError):
        packets.receive(pair[1], packets.Packet)


def test_a_packet_over_the_limit_is_neither_sent_nor_received(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(ValueError, match="over the limit"):
        packets.send(pair[0], packets.Piece("x", bytes(packets.SIZE_LIMIT), True))
    pair[0].send(msgspec.msgpack.encode(packets.Piece("x", bytes(packets.SIZE_LIMIT + 9), True)))
    with pytest.raises((EOFError, msgspec.DecodeError)):
        packets.receive(pair[1], packets.Packet)


def test_a_packet_that_is_whole_only_when_cut_off_is_refused(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    bare = len(msgspec.msgpack.encode(packets.Piece("x", bytes(packets.SIZE_LIMIT), True)))
    length = 2 * packets.SIZE_LIMIT - bare
    whole = msgspec.msgpack.encode(packets.Piece("x", bytes(length), True))
    assert len(whole) == packets.SIZE_LIMIT
    pair[0].send(whole + b"more")
    with pytest.raises(EOFError):
        packets.receive(pair[1], packets.Packet)


@pytest.mark.parametrize("welcome", [0, 1])
def test_descriptors_that_come_with_no_packet_are_not_kept(
    pair: tuple[socket.socket, socket.socket], welcome: int
) -> None:
    inlet, outlet = os.pipe()
    os.set_blocking(inlet, False)
    socket.send_fds(pair[0], [b"nonsense"], [outlet])
    os.close(outlet)
    with pytest.raises((EOFError, msgspec.DecodeError)):
        packets.receive(pair[1], packets.Packet, welcome)
    assert os.read(inlet, 1) == b""  # nobody holds the other end any more
    os.close(inlet)


def test_the_end_of_the_line_is_told_from_a_packet(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[0].close()
    with pytest.raises(EOFError):
        packets.receive(pair[1], packets.Packet)

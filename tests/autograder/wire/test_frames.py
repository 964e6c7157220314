import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from autograder.wire import frames

HEADER = struct.Struct("<4sII")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def soon() -> float:
    return time.monotonic() + 0.3


@pytest.mark.parametrize("blob", [b"", b"x", bytes(3_000_000)], ids=["none", "one byte", "3 MB"])
def test_a_frame_arrives_as_it_was_sent(
    pair: tuple[socket.socket, socket.socket], blob: bytes
) -> None:
    thread = threading.Thread(target=frames.send, args=(pair[0], b"message", blob))
    thread.start()
    assert frames.receive(pair[1]) == (b"message", bytearray(blob))
    thread.join()


def test_frames_one_after_another_stay_apart(pair: tuple[socket.socket, socket.socket]) -> None:
    for number in range(3):
        frames.send(pair[0], b"%d" % number, bytes(number))
    assert [frames.receive(pair[1]) for _ in range(3)] == [
        (b"%d" % number, bytearray(number)) for number in range(3)
    ]


@pytest.mark.parametrize("magic", [b"AGW2", b"\0\0\0\0", b"HTTP"])
def test_what_does_not_begin_with_the_magic_is_no_frame(
    pair: tuple[socket.socket, socket.socket], magic: bytes
) -> None:
    pair[0].send(HEADER.pack(magic, 0, 0))
    with pytest.raises(frames.WireError, match="not a frame"):
        frames.receive(pair[1])


@pytest.mark.parametrize(
    "lengths",
    [
        (frames.MESSAGE_LIMIT + 1, 0),
        (0, frames.BLOB_LIMIT + 1),
        (2**32 - 1, 2**32 - 1),
    ],
)
def test_a_length_over_the_limit_is_refused_before_anything_is_read(
    pair: tuple[socket.socket, socket.socket], lengths: tuple[int, int]
) -> None:
    pair[0].send(HEADER.pack(frames.MAGIC, *lengths))
    with pytest.raises(frames.WireError, match="over the limit"):
        frames.receive(pair[1], soon())


def test_a_false_length_costs_no_memory(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].send(HEADER.pack(frames.MAGIC, 3, frames.BLOB_LIMIT) + b"abc" + bytes(1000))
    pair[0].close()
    tracemalloc.start()
    try:
        with pytest.raises(frames.WireClosed):
            frames.receive(pair[1])
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sent", [b"", b"AGW1", HEADER.pack(frames.MAGIC, 5, 0) + b"abc"])
def test_a_frame_that_is_cut_off_means_the_other_side_is_gone(
    pair: tuple[socket.socket, socket.socket], sent: bytes
) -> None:
    pair[0].sendall(sent)
    pair[0].close()
    with pytest.raises(frames.WireClosed):
        frames.receive(pair[1])


def test_one_byte_now_and_then_does_not_put_off_the_deadline(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    enough = threading.Event()

    def drip() -> None:
        for byte in HEADER.pack(frames.MAGIC, 1000, 0) + bytes(1000):
            if enough.wait(0.02):
                return
            pair[0].send(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(frames.WireTimeout):
            frames.receive(pair[1], soon())
    finally:
        enough.set()
        thread.join()


def test_what_is_there_already_is_not_read_after_the_deadline(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    frames.send(pair[0], b"message")
    with pytest.raises(frames.WireTimeout):
        frames.receive(pair[1], time.monotonic() - 1)


def test_a_reader_that_does_not_read_does_not_put_off_the_deadline(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(frames.WireTimeout):
        frames.send(pair[0], b"x", bytes(16_000_000), soon())


def test_sending_to_one_who_is_gone_says_so(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(frames.WireClosed):
        frames.send(pair[0], b"x", bytes(1_000_000))


def test_nothing_over_the_limit_is_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(frames.WireError, match="too much"):
        frames.send(pair[0], bytes(frames.MESSAGE_LIMIT + 1))
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        pair[1].recv(1)

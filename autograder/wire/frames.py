"""Frames: a bounded message and a bounded blob over a stream socket.

Layout, little-endian: ``b"AGW1"``, length of the message (u32), length of the blob (u32), message,
blob. Lengths are checked before anything is allocated.
"""

from __future__ import annotations

import select
import socket
import struct
import time

MAGIC = b"AGW1"
MESSAGE_LIMIT = 4 * 1024 * 1024
"""Bytes of one message."""
BLOB_LIMIT = 256 * 1024 * 1024
"""Bytes of one blob."""
_HEADER = struct.Struct("<4sII")
_CHUNK = 1024 * 1024


class WireError(Exception):
    """The other side sent something that is not of this protocol."""


class WireClosed(Exception):
    """The other side is gone."""


class WireTimeout(Exception):
    """The other side did not answer in time."""


def send(
    link: socket.socket,
    message: bytes,
    blob: bytes | bytearray = b"",
    deadline: float | None = None,
) -> None:
    """Send one frame before ``deadline`` (``time.monotonic()`` seconds).

    Raises:
        WireError: if the frame is over the limits.
        WireClosed, WireTimeout: as their names say.
    """
    if len(message) > MESSAGE_LIMIT or len(blob) > BLOB_LIMIT:
        raise WireError(f"too much to send at once ({len(message) + len(blob):,} bytes)")
    parts = [_HEADER.pack(MAGIC, len(message), len(blob)) + message]
    if blob:
        parts.append(blob)  # type: ignore[arg-type]
    for part in parts:
        rest = memoryview(part)
        while rest:
            _wait(link, select.POLLOUT, deadline)
            try:
                rest = rest[link.send(rest, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
            except OSError:
                raise WireClosed("the other side closed the line") from None


def receive(link: socket.socket, deadline: float | None = None) -> tuple[bytes, bytearray]:
    """Receive one frame before ``deadline`` (``time.monotonic()`` seconds).

    Raises:
        WireError: if what arrives is not a frame or is over the limits.
        WireClosed, WireTimeout: as their names say.
    """
    magic, message_length, blob_length = _HEADER.unpack(_read(link, _HEADER.size, deadline))
    if magic != MAGIC:
        raise WireError("not a frame")
    if message_length > MESSAGE_LIMIT or blob_length > BLOB_LIMIT:
        raise WireError(f"frame of {message_length + blob_length:,} bytes is over the limit")
    message = _read(link, message_length, deadline)
    return bytes(message), _read(link, blob_length, deadline)


def _read(link: socket.socket, length: int, deadline: float | None) -> bytearray:
    data = bytearray()  # grows with what arrives, so a false length costs nothing
    while len(data) < length:
        _wait(link, select.POLLIN, deadline)
        try:
            part = link.recv(min(length - len(data), _CHUNK), socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
        except OSError:
            raise WireClosed("the other side closed the line") from None
        if not part:
            raise WireClosed("the other side closed the line")
        data += part
    return data


def _wait(link: socket.socket, event: int, deadline: float | None) -> None:
    left = None if deadline is None else deadline - time.monotonic()
    poller = select.poll()
    poller.register(link, event)
    if (left is not None and left <= 0) or not poller.poll(None if left is None else left * 1000):
        raise WireTimeout("no answer in time")

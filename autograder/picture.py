"""Pictures that students' code made, checked without decoding them.

A picture is shown if it begins as a PNG or JPEG file and its header declares dimensions that a
browser can hold. Only header bytes are read: image decoders are native code, which M does not
run on students' data.
"""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

MAX_BYTES = 5 * 2**20
"""Size of a picture that is still shown, decoded from base64."""
MAX_SIDE = 10_000
MAX_PIXELS = 25_000_000
"""Pixels of one picture: a browser holds four bytes for each."""

_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_JPEG = b"\xff\xd8\xff"
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers SOF0 to SOF15; the others in that range are DHT, JPG and DAC (ITU-T T.81, table B.1)."""
_BARE = {0x01, *range(0xD0, 0xD8)}
"""Markers without a segment: TEM and the restarts."""
_MAX_SEGMENTS = 1000


class Picture(NamedTuple):
    """A picture that may be shown."""

    base64: str
    """Its bytes, encoded again: no character of it is the student's choice."""
    pixels: int


def picture(kind: str, data: object) -> Picture | None:
    """Check a picture.

    Args:
        kind: ``image/png`` or ``image/jpeg``; anything else is refused.
        data: Base64 as nbformat keeps it: a string or a list of lines.

    Returns:
        The picture, or ``None`` if it is not one of that kind, too large, or declares
        dimensions that are.
    """
    content = _decoded(data)
    if content is None:
        return None
    size = {"image/png": _png, "image/jpeg": _jpeg}.get(kind, _unknown)(content)
    if size is None or not all(0 < side <= MAX_SIDE for side in size):
        return None
    pixels = size[0] * size[1]
    if pixels > MAX_PIXELS:
        return None
    return Picture(base64.b64encode(content).decode("ascii"), pixels)


def _decoded(data: object) -> bytes | None:
    if isinstance(data, list) and all(isinstance(line, str) for line in data):
        data = "".join(data)
    if not isinstance(data, str) or len(data) > MAX_BYTES * 3 // 2:
        return None
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if len(content) <= MAX_BYTES else None


def _unknown(content: bytes) -> None:
    return None


def _png(content: bytes) -> tuple[int, int] | None:
    """Width and height of the header chunk, which must come first (PNG, third edition, §11.2.1)."""
    if not content.startswith(_PNG) or len(content) < 33:
        return None
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


def _jpeg(content: bytes) -> tuple[int, int] | None:
    """Width and height of the first frame header (ITU-T T.81, B.1 and B.2.2)."""
    if not content.startswith(_JPEG):
        return None
    place = 2
    for _ in range(_MAX_SEGMENTS):
        if place + 9 > len(content) or content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker in _FRAMES:
            height = int.from_bytes(content[place + 5 : place + 7])
            return int.from_bytes(content[place + 7 : place + 9]), height
        if marker == 0xFF:
            place += 1
        elif marker in _BARE:
            place += 2
        else:
            place += 2 + max(int.from_bytes(content[place + 2 : place + 4]), 2)
    return None

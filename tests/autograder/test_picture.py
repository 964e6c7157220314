import base64
import io
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from autograder.picture import MAX_BYTES, MAX_PIXELS, picture


def made(kind: str, width: int = 30, height: int = 20, **options: bool) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, kind, **options)
    return file.getvalue()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + bytes(40)


def jpeg(width: int, height: int) -> bytes:
    return b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", height, width) + bytes(40)


def test_honest_pictures_are_shown_with_their_size() -> None:
    for kind, data in [
        ("png", made("PNG")), ("jpeg", made("JPEG")), ("jpeg", made("JPEG", progressive=True)),
    ]:  # fmt: skip
        found = picture(f"image/{kind}", text(data))
        assert found is not None and found.pixels == 600
        assert base64.b64decode(found.base64) == data


def test_base64_in_lines_is_read_as_nbformat_keeps_it() -> None:
    lines = [f"{line}\n" for line in text(made("PNG")).partition("AA") if line]
    assert picture("image/png", lines) == picture("image/png", "".join(lines)) is not None


@pytest.mark.parametrize("header", [png, jpeg])
@pytest.mark.parametrize("size", [(60_000, 60_000), (0, 10), (10, 0), (10_001, 1), (5001, 5000)])
def test_dimensions_that_no_browser_should_hold_are_refused(
    header: Callable[[int, int], bytes], size: tuple[int, int]
) -> None:
    kind = f"image/{header.__name__}"
    assert picture(kind, text(header(*size))) is None
    assert picture(kind, text(header(5000, MAX_PIXELS // 5000))) is not None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("image/png", text(made("JPEG"))),
        ("image/jpeg", text(made("PNG"))),
        ("image/svg+xml", text(made("PNG"))),
        ("image/png", text(made("PNG")[:20])),
        ("image/jpeg", text(made("JPEG")[:20])),
        ("image/jpeg", text(b"\xff\xd8" + b"\xff\xfe\0\2" * 2000)),
        ("image/jpeg", text(b"\xff\xd8" + b"\xff" * 5000)),
        ("image/png", "%%%"),
        ("image/png", text(made("PNG")) + '" onload="alert(1)'),
        ("image/png", "\N{FULLWIDTH LATIN SMALL LETTER A}" * 40),
        ("image/png", ""),
        ("image/png", None),
        ("image/png", [1, 2]),
        ("image/png", {"a": 1}),
        ("image/png", text(made("PNG") + bytes(MAX_BYTES))),
    ],
)
def test_what_is_no_such_picture_is_refused(kind: str, data: object) -> None:
    assert picture(kind, data) is None


@given(st.sampled_from(["image/png", "image/jpeg"]), st.binary(), st.text())
def test_whatever_the_bytes_nothing_is_raised(kind: str, tail: bytes, rubbish: str) -> None:
    picture(kind, rubbish)
    for start in (png(10, 10)[:24], b"\xff\xd8\xff"):
        picture(kind, text(start + tail))

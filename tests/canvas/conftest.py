"""Makes the fake Canvas importable, and a small course on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fakecanvas import Canvas, serve
from fakecanvas.model import Course
from fakecanvas.scenario import small


@pytest.fixture
def canvas() -> Canvas:
    return small()


@pytest.fixture
def course(canvas: Canvas) -> Course:
    return canvas.courses[1]


@pytest.fixture
def url(canvas: Canvas) -> Iterator[str]:
    with serve(canvas) as address:
        yield address

"""The fake Canvas of ``tests/canvas``, and a client of ours that asks it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "canvas"))

from fakecanvas import Canvas, serve
from fakecanvas.model import Course
from fakecanvas.scenario import TOKEN, small

from autograder.canvas.client import Client


@pytest.fixture
def canvas() -> Canvas:
    return small()


@pytest.fixture
def course(canvas: Canvas) -> Course:
    return canvas.courses[1]


@pytest.fixture
def client(canvas: Canvas) -> Iterator[Client]:
    """Waits by letting the fake's clock run."""
    with serve(canvas) as address, Client(address, TOKEN, sleep=canvas.advance, timeout=5) as made:
        yield made

"""Makes the fake Canvas importable, and a small course on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fakecanvas import Canvas, serve
from fakecanvas.model import Course

DUE = datetime(2027, 2, 10, 23, 59, tzinfo=UTC)


@pytest.fixture
def canvas() -> Canvas:
    """A Canvas on 12 February 2027, with a teacher and three students."""
    made = Canvas()
    course = made.add_course(1)
    made.add_teacher(course)
    for id_, name in ((101, "Lovelace, Ada"), (102, "Müller, Jürgen"), (103, "王, 小明")):
        user = made.add_user(id_, name, login_id=f"login{id_}", sis_user_id=f"0{id_}")
        made.enroll(course, user)
    made.add_assignment(course, 11, "CNNs", points_possible=10.0, due_at=DUE)
    made.add_assignment(course, 12, "GNNs", points_possible=10.0, due_at=DUE)
    return made


@pytest.fixture
def course(canvas: Canvas) -> Course:
    return canvas.courses[1]


@pytest.fixture
def url(canvas: Canvas) -> Iterator[str]:
    with serve(canvas) as address:
        yield address

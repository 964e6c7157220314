"""A small course to begin with."""

from __future__ import annotations

from datetime import UTC, datetime

from fakecanvas.canvas import Canvas

DUE = datetime(2027, 2, 10, 23, 59, tzinfo=UTC)
"""When both assignments of the small course are due."""
TOKEN = "teacher-token"
"""The instructor's access token."""


def small() -> Canvas:
    """A Canvas on 12 February 2027: a teacher, three students, two assignments of ten points."""
    made = Canvas()
    course = made.add_course(1)
    made.add_teacher(course, token=TOKEN)
    for id_, name in ((101, "Lovelace, Ada"), (102, "Müller, Jürgen"), (103, "王, 小明")):
        made.enroll(course, made.add_user(id_, name, login_id=f"login{id_}", sis_user_id=f"0{id_}"))
    made.add_assignment(course, 11, "CNNs", points_possible=10.0, due_at=DUE)
    made.add_assignment(course, 12, "GNNs", points_possible=10.0, due_at=DUE)
    return made

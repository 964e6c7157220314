"""Whatever fails, and whoever grades in between: in the end each grade is right, and there once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fakecanvas import Canvas, serve
from fakecanvas.faults import Fault, JobFault, bad_gateway, throttled
from fakecanvas.model import LatePolicy
from fakecanvas.scenario import TOKEN, small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pusher import wanted

from autograder.canvas.client import Client
from autograder.canvas.compare import Wanted
from autograder.canvas.journal import Journal
from autograder.canvas.push import Push
from autograder.errors import CanvasError

STUDENTS = (101, 102, 103)
BY_HAND = 3.75
"""What people enter; the autograder gives whole points here."""
WRITES = [("POST", "update_grades"), ("PUT", r"submissions/\d+$"), ("PUT", "comments/"),
          ("DELETE", "comments/"), ("POST", "comments/files"), ("POST", "graphql")]  # fmt: skip


def answers() -> st.SearchStrategy[Fault]:
    def made(kind: str, path: tuple[str, str], nth: int, times: int) -> Fault:
        if kind == "throttled":
            return throttled(*path, nth=nth, times=times)
        if kind in ("respond", "after"):
            return bad_gateway(*path, kind=kind, nth=nth, times=times)
        return Fault(*path, kind=kind, nth=nth, times=times)

    kinds = st.sampled_from(["throttled", "respond", "after", "drop", "drop_after", "truncate"])
    paths = st.sampled_from([*WRITES, ("GET", "submissions"), ("GET", "progress")])
    return st.builds(made, kinds, paths, st.integers(1, 4), st.integers(1, 8))


JOBS = st.sampled_from([
    None, JobFault(dies_after=0), JobFault(dies_after=1), JobFault(canceled=True),
    JobFault(gone=True),
])  # fmt: skip
Round = tuple[list[int], bool, list[Fault], list[Any], int | None]
ROUNDS: st.SearchStrategy[Round] = st.tuples(
    st.lists(st.integers(0, 10), min_size=3, max_size=3), st.booleans(),
    st.lists(answers(), max_size=3), st.lists(JOBS, max_size=2),
    st.none() | st.sampled_from(STUDENTS),
)  # fmt: skip


def push(canvas: Canvas, journal: Path, orders: list[Wanted]) -> bool:
    """Whether it came to its end."""
    with serve(canvas) as address:
        with (
            Client(address, TOKEN, sleep=canvas.advance, timeout=5) as client,
            Journal(journal, "https://canvas.example.edu", 1) as book,
        ):
            one = Push(client, book, 1, 11, orders)
            try:
                one.send(one.look())
            except CanvasError:
                return False
            return True


def play(folder: Path, rounds: list[Round]) -> None:
    canvas = small()
    course = canvas.courses[1]
    assignment = course.assignments[0]
    course.late_policy = LatePolicy(True, 10.0)
    canvas.hand_in(course, assignment, canvas.users[101], {"hw.ipynb": b"x"}, at=canvas.now)
    people: set[int] = set()
    orders: list[Wanted] = []
    for number, (points, has_file, faults, jobs, person) in enumerate(rounds):
        page = folder / f"page-{number}.html"
        page.write_bytes(f"<p>{number}".encode())
        orders = [wanted(user, one, file=page if has_file else None)
                  for user, one in zip(STUDENTS, points, strict=True)]  # fmt: skip
        canvas.faults.answers[:], canvas.faults.jobs[:] = faults, jobs
        push(canvas, folder / "journal.sqlite", orders)
        if person is not None:
            canvas.settle()
            canvas.grade_by_hand(course, assignment, canvas.users[person], str(BY_HAND))
            people.add(person)
    canvas.faults.answers.clear()
    canvas.faults.jobs.clear()
    assert push(canvas, folder / "journal.sqlite", orders)
    canvas.settle()
    for order in orders:
        one = course.submissions[11, int(order.user)]
        by_hand = int(order.user) in people
        assert one.entered_score == (BY_HAND if by_hand else float(order.grade.points))
        assert by_hand or one.posted_at is None
        texts = [comment.comment for comment in one.comments]
        assert len(texts) <= 1 if by_hand else texts == [order.said.text]
        if not by_hand:
            files = [file.display_name[:21] for file in one.comments[0].attachments]
            assert files == ([order.said.file[:21]] if order.said.file else [])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ROUNDS, min_size=1, max_size=3))
def test_each_grade_is_right_in_the_end_and_no_persons_is_lost(rounds: list[Round]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), rounds)

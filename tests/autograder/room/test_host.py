"""Rooms and warm processes that end unasked, and what becomes of the submissions in them."""

import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psutil
import pytest

from autograder.engine import Engine
from autograder.errors import RoomError
from autograder.model import Limits, Outcome, Standing, Submission
from autograder.room.host import Room, Warm
from autograder.wire import packets
from tests.autograder.room.test_limits import with_cell

LIMITS = Limits(memory_mb=128, disk_mb=8)
PATIENCE_SECONDS = 30


@pytest.fixture
def warm() -> Iterator[Warm]:
    """A warm process that imports little; its rooms wait for a job."""
    with Warm("autograder.room.trial", {}) as made:
        made.wait()
        yield made


@pytest.fixture
def room(warm: Warm) -> Iterator[Room]:
    with warm.open(LIMITS) as opened:
        packets.receive(opened.control, packets.Ready)
        yield opened


def await_end(room: Room) -> None:
    assert select.select([room], [], [], PATIENCE_SECONDS)[0]


def worker(room: Room) -> psutil.Process:
    (found,) = psutil.Process(room.pid).children()
    return found


def end(warm: Warm) -> int:
    """Kill the warm process; returns which it was."""
    pid = warm.pid
    os.kill(pid, signal.SIGKILL)
    warm._process._process.wait(PATIENCE_SECONDS)
    return pid


def test_a_warm_process_that_was_killed_is_replaced_for_the_next_room(warm: Warm) -> None:
    pid = end(warm)
    with warm.open(LIMITS) as room:
        packets.receive(room.control, packets.Ready)
        assert warm.pid == room.warm_pid != pid


def test_a_room_whose_warm_process_is_killed_ends_with_it_and_that_is_no_students_doing(
    warm: Warm, room: Room
) -> None:
    inside = worker(room)
    end(warm)
    await_end(room)
    with pytest.raises(RoomError, match="the warm process of a room has ended"):
        room.fate()
    assert not inside.is_running()


def test_rooms_of_a_killed_warm_process_and_of_the_next_one_are_seen_off(warm: Warm) -> None:
    with warm.open(LIMITS) as old:
        end(warm)
        with warm.open(LIMITS) as new:
            packets.receive(new.control, packets.Ready)
            assert new.warm_pid != old.warm_pid
    warm.bury_dead()
    assert psutil.Process(warm.pid).children(recursive=True) == []


def test_a_room_that_is_killed_from_outside_is_no_students_doing(room: Room) -> None:
    os.kill(room.pid, signal.SIGKILL)
    await_end(room)
    with pytest.raises(RoomError, match=r"ended from outside \(was killed by SIGKILL\)"):
        room.fate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGXCPU])
def test_a_room_whose_process_was_killed_inside_says_by_what(room: Room, number: int) -> None:
    worker(room).send_signal(number)
    await_end(room)
    assert room.fate() == -number
    assert room.fate() == -number


def test_a_room_whose_process_exits_says_with_what(room: Room) -> None:
    room.control.shutdown(socket.SHUT_RDWR)
    await_end(room)
    assert room.fate() == 70


def test_a_room_that_lives_or_was_ended_by_us_has_no_fate(room: Room) -> None:
    assert (room.fate(), room.ended, room.killed) == (0, False, False)
    room.kill()
    await_end(room)
    assert (room.fate(), room.ended, room.killed) == (0, True, True)


Play = Callable[..., tuple[Outcome, int]]


@pytest.fixture
def play(
    rooms: Any, hand_in: Any, read_notebook: Callable[[str], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Play:  # fmt: skip
    """Grades the perfect notebook with one more cell; also says how many times it was graded."""

    def run(cell: str, disturb: Callable[[Engine, int], Any] = lambda engine, number: None,
            disturbances: list[list[str]] | None = None) -> tuple[Outcome, int]:  # fmt: skip
        with rooms.engine() as engine:
            real, tries = engine._supervisor.grade, []

            def grade(submission: Submission, **more: Any) -> Any:
                tries.append(submission)
                number = len(tries)
                disturber = threading.Thread(target=disturb, args=(engine, number))
                disturber.start()
                outcome, found = real(submission, **more)
                disturber.join(PATIENCE_SECONDS)
                return outcome, disturbances[number - 1] if disturbances else found

            monkeypatch.setattr(engine._supervisor, "grade", grade)
            data = with_cell(read_notebook("perfect"), cell)
            (outcome,) = engine.grade([hand_in(data)])
        return outcome, len(tries)

    return run


NAMED = "import ctypes, time\nctypes.CDLL(None).prctl(15, b'victim')\ntime.sleep(4)"
"""A cell by whose process's name others find it."""


def kill_victim(rooms: Any) -> None:
    """Kill the process of the cell :data:`NAMED` from outside, as soon as it is there."""
    rooms.students.bury_dead()
    warm, tick = psutil.Process(rooms.students.pid), threading.Event()
    for _ in range(1000):
        for process in warm.children(recursive=True):
            try:
                if process.name() == "victim":
                    return process.kill()
            except psutil.NoSuchProcess:
                continue
        tick.wait(0.05)
    raise AssertionError("no such cell came to run")


def test_a_submission_that_is_disturbed_once_is_graded_again_and_gets_its_own_score(
    rooms: Any, play: Play
) -> None:
    outcome, tries = play(NAMED, lambda engine, number: number == 1 and kill_victim(rooms))
    assert tries == 2
    assert (outcome.verdict.score, outcome.verdict.remarks, outcome.verdict.notes) == (6, [], [])


def test_a_room_that_is_killed_from_outside_is_opened_again(rooms: Any, play: Play) -> None:
    def kill_room(engine: Engine, number: int) -> None:
        if number == 1:
            rooms.students.bury_dead()  # an earlier room may have had one of that name
            warm, tick = psutil.Process(rooms.students.pid), threading.Event()
            while not (named := [p for p in warm.children() if has_victim(p)]):
                tick.wait(0.05)
            named[0].kill()

    outcome, tries = play(NAMED, kill_room)
    assert tries == 2 and outcome.verdict.score == 6 and outcome.verdict.remarks == []


def has_victim(process: psutil.Process) -> bool:
    try:
        return any(child.name() == "victim" for child in process.children(recursive=True))
    except psutil.NoSuchProcess:
        return False


def test_a_submission_that_kills_itself_in_the_same_place_is_graded_twice_and_scored(
    play: Play,
) -> None:
    outcome, tries = play("import os\nos.kill(os.getpid(), 9)")
    assert tries == 2
    assert outcome.verdict.status is Standing.GRADED and outcome.verdict.score == 6
    assert outcome.verdict.remarks == [
        "Your code in code cell 4 (question q2) was killed by SIGKILL; that cell was left out."
    ]


def test_the_same_disturbance_need_not_come_twice_in_a_row(play: Play) -> None:
    _, tries = play("1", disturbances=[["cell 1"], ["cell 2"], ["cell 1"]])
    assert tries == 3


def test_a_submission_that_is_killed_at_four_places_is_the_graders_error(play: Play) -> None:
    outcome, tries = play("1", disturbances=[[f"cell {number}"] for number in range(4)])
    assert tries == 4
    assert (outcome.verdict.status, outcome.verdict.score) == (Standing.GRADER_ERROR, 0)
    assert "in each of 4 tries, the last time in cell 3" in outcome.verdict.message
    assert outcome.verdict.key


def test_failures_of_ours_are_tried_four_times_and_told(
    rooms: Any, hand_in: Any, monkeypatch: pytest.MonkeyPatch, read_notebook: Any
) -> None:
    with rooms.engine() as engine:
        tries: list[Submission] = []
        real = engine._supervisor._ungraded

        def grade(submission: Submission, **more: Any) -> Any:
            tries.append(submission)
            return real(submission, Standing.GRADER_ERROR, f"try {len(tries)}"), []

        monkeypatch.setattr(engine._supervisor, "grade", grade)
        (outcome,) = engine.grade([hand_in(read_notebook("perfect"))])
    assert outcome.verdict.status is Standing.GRADER_ERROR and outcome.verdict.message == "try 4"


def test_grading_goes_on_after_a_warm_process_was_killed(rooms: Any, play: Play) -> None:
    pid = end(rooms.students)
    outcome, tries = play("1")
    assert (outcome.verdict.score, tries) == (6, 1)
    assert rooms.students.pid != pid
    assert msgspec.json.encode(outcome.verdict)

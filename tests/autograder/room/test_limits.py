"""Notebooks that run into the limits of real rooms: with every wall, and with some of them."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from autograder.model import Outcome, Standing, Status, Verdict
from autograder.room.cgroup import Groups
from autograder.room.host import Warm
from autograder.room.jail import ROOM_USER
from autograder.room.walls import ALL, Wall
from autograder.supervisor import StudentRoom, Supervisor

Grade = Callable[..., Outcome]
WALLS = {
    "every wall": ALL,
    "no group": ALL - {Wall.GROUP},
    "the group alone": ALL - {Wall.LIMITS, Wall.WATCH},
}
PLACE = "in code cell 4 (question q2)"
needs_groups = pytest.mark.skipif(not Groups().usable, reason="no control groups can be made here")


def with_cell(notebook: bytes, *sources: str, before: int = 4) -> bytes:
    """``notebook`` with code cells put in before its cell number ``before``."""
    found = json.loads(notebook)
    cells = [{"cell_type": "code", "execution_count": None, "id": f"limit-{number}",
              "metadata": {}, "outputs": [], "source": source}
             for number, source in enumerate(sources)]  # fmt: skip
    found["cells"][before:before] = cells
    return json.dumps(found).encode()


class Warmed:
    """Warm student processes, one for each choice of walls, started when first asked for."""

    def __init__(self, rooms: Any) -> None:
        self._rooms = rooms
        self._own: dict[str, Warm] = {}
        self.judges: Warm = rooms.lender._warm[1]

    def students(self, walls: str) -> Warm:
        if walls == "every wall":
            found: Warm = self._rooms.students
            return found
        if walls not in self._own:
            view = self._rooms.students._setup.view
            self._own[walls] = Warm("autograder.room.student", view, walls=WALLS[walls])
        return self._own[walls]

    def close(self) -> None:
        for warm in self._own.values():
            warm.close()


@pytest.fixture(scope="module")
def warmed(rooms: Any) -> Iterator[Warmed]:
    made = Warmed(rooms)
    yield made
    made.close()


@pytest.fixture
def grade(
    rooms: Any, warmed: Warmed, read_notebook: Callable[[str], bytes], hand_in: Any
) -> Iterator[Grade]:
    """Grades a notebook that answers well but for more cells; see then that nothing is left."""
    before = roomers_files()
    used: set[Warm] = {warmed.judges}

    def run(*sources: str, walls: str = "every wall", before: int = 4, **limits: Any) -> Outcome:
        students = warmed.students(walls)
        used.add(students)
        manifest_limits = rooms.lender.bundle.manifest.limits
        wanted = msgspec.structs.replace(manifest_limits, **{"memory_mb": 256} | limits)
        supervisor = Supervisor(rooms.lender.bundle, students, warmed.judges, wanted)
        data = with_cell(read_notebook("perfect"), *sources, before=before)
        outcome, disturbances = supervisor.grade(hand_in(data))
        assert outcome.verdict.status is Standing.GRADED, outcome.verdict
        assert disturbances == []
        return outcome

    yield run
    for warm in used:
        warm.bury_dead()
        assert psutil.Process(warm.pid).children(recursive=True) == []
    assert groups_of_ours() == [] and roomers_files() == before


def groups_of_ours() -> list[Path]:
    found = [Path(folder) / name for folder, names, _ in os.walk("/sys/fs/cgroup")
             for name in names if name.startswith(f"autograder-{os.getpid()}-")]  # fmt: skip
    # the warm rooms of other tests in this run are buried when theirs are
    return [folder for folder in found if folder.exists()]


def roomers_files() -> set[str]:
    """What somebody in a room has written to the machine's own temporary folders."""
    found = set()
    for folder in ("/tmp", "/dev/shm", "/var/tmp"):
        for entry in os.scandir(folder):
            if entry.stat(follow_symlinks=False).st_uid == ROOM_USER:
                found.add(entry.path)
    return found


def statuses(verdict: Verdict, question: str) -> list[tuple[Status, str]]:
    return [(test.status, test.message) for test in verdict.questions[question].tests]


EACH_IN_TURN = {
    "Your code started more than 40 processes or threads": """
import os, signal, time
children = []
try:
    while True:
        child = os.fork()
        if not child:
            time.sleep(1000)
        children.append(child)
finally:
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
""",
    "Your code started more than 40 processes or threads ": """
import threading
stop = threading.Event()
threads = []
try:
    while True:
        threads.append(threading.Thread(target=stop.wait))
        threads[-1].start()
finally:
    stop.set()
    for thread in threads[:-1]:
        thread.join()
""",
    "Your code filled its disk": """
import os
try:
    for number in range(1000):
        with open(f"part{number}", "wb") as file:
            file.write(bytes(1 << 20))
finally:
    for count in range(number + 1):
        if os.path.exists(f"part{count}"):
            os.unlink(f"part{count}")
""",
    "Your code filled its disk ": """
import os
os.mkdir("many")
try:
    for number in range(1000):
        open(f"many/{number}", "w").close()
finally:
    for name in os.listdir("many"):
        os.unlink(f"many/{name}")
""",
    "Your code filled its disk  ": """
import os
try:
    for number in range(1000):
        with open(f"/dev/shm/part{number}", "wb") as file:
            file.write(bytes(1 << 20))
finally:
    for name in os.listdir("/dev/shm"):
        os.unlink(f"/dev/shm/{name}")
""",
    "Your code wrote a file of more than 4 MB": """
with open("large", "wb") as file:
    for _ in range(100):
        file.write(bytes(1 << 20))
""",
    "Your code opened more than 100 files at a time": """
opened = []
try:
    while True:
        opened.append(open("/dev/null"))
finally:
    for file in opened:
        file.close()
""",
    "Your code used more than 256 MB of memory": "bytearray(1 << 30)",
    "Your notebook showed more than 64 kB by the end of": "print('x' * 100_000)",
}
"""What is told of a cell, and a cell that comes to feel a limit and leaves nothing behind."""


@pytest.mark.parametrize("walls", ["every wall", "no group"])
def test_each_limit_that_a_cell_feels_is_told_once_and_costs_no_more(
    grade: Grade, walls: str
) -> None:
    outcome = grade(*EACH_IN_TURN.values(), walls=walls, files=300)
    assert outcome.verdict.score == 6
    expected = [
        f"{sentence.strip()} in code cell {number} (question q2).".replace("of in", "of")
        for number, sentence in enumerate(EACH_IN_TURN, 4)
    ]
    more = (
        "; what came after is left out",
        ": the working folder holds 16 MB and 300 files, /tmp and /dev/shm 128 MB each",
    )
    found = outcome.verdict.remarks
    for text in more:
        found = [remark.replace(text, "") for remark in found]
    assert found == expected


@pytest.mark.parametrize("walls", ["every wall", "no group"])
def test_a_cells_time_costs_that_cell_only(grade: Grade, walls: str) -> None:
    outcome = grade("while True:\n    pass", walls=walls, cell_seconds=5.0)
    assert outcome.verdict.remarks == [f"Your code ran for more than 5 s {PLACE}."]
    assert outcome.verdict.score == 6


FORKS = """
import mmap, os, time
children = []
for _ in range({0}):
    children.append(os.fork())
    if not children[-1]:
        {1}
        time.sleep(1000)
gone, _ = os.wait()
for child in children:
    if child != gone:
        os.kill(child, 9)
"""
TAKES = {
    "private": FORKS.format(1, "held = bytearray(os.urandom(1 << 20)) * 600"),
    "mapped and shared": FORKS.format(
        3, "held = mmap.mmap(-1, 150 << 20)\n        while held.write(bytes(1 << 20)) and "
        "held.tell() < len(held): pass"
    ),
    "many children": FORKS.format(9, "held = bytearray(os.urandom(1 << 20)) * 60"),
}  # fmt: skip
ITSELF = "import os\nheld = bytearray(os.urandom(1 << 20)) * 600"
REMARK = f"Your code used more than 256 MB of memory {PLACE}."


@needs_groups
@pytest.mark.parametrize("takes", TAKES)
def test_the_group_alone_binds_memory_of_every_kind(grade: Grade, takes: str) -> None:
    outcome = grade(TAKES[takes], walls="the group alone")
    assert (outcome.verdict.score, outcome.verdict.remarks) == (6, [REMARK])


@needs_groups
def test_the_group_alone_ends_a_cells_own_process_and_the_notebook_goes_on(grade: Grade) -> None:
    outcome = grade(ITSELF, walls="the group alone")
    assert (outcome.verdict.score, outcome.verdict.remarks) == (6, [REMARK])
    assert outcome.verdict.notes == ["code cell 4 was killed by SIGKILL and was left out"]


def test_memory_that_nobody_is_seen_to_take_cannot_be_had(grade: Grade) -> None:
    outcome = grade("import os\nos.memfd_create('x')")
    assert outcome.verdict.notes == ["code cell 4 raised PermissionError"]
    assert "refused: memfd_create" in outcome.log and outcome.verdict.score == 6


@pytest.mark.parametrize("walls", ["every wall", "no group"])
@pytest.mark.parametrize("takes", ["mapped and shared", "many children"])
def test_the_watch_binds_memory_that_processes_take_together(
    grade: Grade, takes: str, walls: str
) -> None:
    outcome = grade(TAKES[takes], walls=walls)
    assert (outcome.verdict.score, outcome.verdict.remarks) == (6, [REMARK])


@pytest.mark.parametrize("walls", ["every wall", "no group"])
def test_processor_time_of_several_processes_ends_the_notebook(grade: Grade, walls: str) -> None:
    busy = "import os\nfor _ in range(3):\n    os.fork()\nwhile True:\n    pass"
    verdict = grade(busy, walls=walls, cpu_seconds=4).verdict
    why = "The notebook was stopped: it used more than 4 s of processor time."
    assert verdict.remarks == [f"Your code used more than 4 s of processor time {PLACE}."]
    assert statuses(verdict, "q1") == [(Status.TIMEOUT, why)] * 2 and verdict.score == 0


def test_a_submissions_time_ends_the_notebook(grade: Grade) -> None:
    verdict = grade("while True:\n    pass", submission_seconds=8.0).verdict
    why = "The notebook was stopped: it took more than 8 s."
    assert verdict.remarks == [why] and verdict.score == 0
    assert statuses(verdict, "q2") == [(Status.TIMEOUT, why)]


IN_A_TEST = "def g(x):\n"


@pytest.mark.parametrize("walls", ["every wall", "no group"])
def test_a_questions_time_costs_that_question_only(grade: Grade, walls: str) -> None:
    # the cell stands between g and its check
    verdict = grade(IN_A_TEST + "    while True:\n        pass", walls=walls, before=5,
                    question_seconds=3.0).verdict  # fmt: skip
    assert verdict.questions["q1"].score == 4 and verdict.remarks == []
    assert statuses(verdict, "q2") == [
        (Status.TIMEOUT, "the student's code did not answer in time")
    ]


def test_memory_in_a_test_is_told_of_that_test(grade: Grade) -> None:
    code = IN_A_TEST + "    return bytearray(1 << 32)"
    ((status, message),) = statuses(grade(code, before=5).verdict, "q2")
    assert status is Status.MEMORY, message


@needs_groups
def test_a_kill_for_memory_in_a_test_is_told_of_that_test(grade: Grade) -> None:
    code = "import os\n" + IN_A_TEST + "    return bytearray(os.urandom(1 << 20)) * 600"
    verdict = grade(code, before=5, walls="the group alone").verdict
    assert statuses(verdict, "q2") == [
        (Status.MEMORY, "Your code used more than 256 MB of memory.")
    ]
    assert verdict.questions["q1"].score == 4


@pytest.mark.parametrize("walls", ["every wall", "no group"])
def test_output_past_the_shell_without_end_is_cut_off_and_told(grade: Grade, walls: str) -> None:
    flood = "import os\nwhile True:\n    os.write(1, b'x' * 65536)"
    verdict = grade(flood, walls=walls, cell_seconds=30.0).verdict
    assert verdict.score == 6
    assert "room S printed more than 8 MiB past the shell" in verdict.notes
    assert len(verdict.remarks) == 1 and re.search("code cell 4", verdict.remarks[0])


def test_a_flood_is_told_of_its_own_cell_though_word_of_it_comes_late(
    grade: Grade, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = StudentRoom.hear

    def late(room: StudentRoom) -> None:
        time.sleep(0.2)
        hear(room)

    monkeypatch.setattr(StudentRoom, "hear", late)
    flood = "import os\nos.write(1, bytes(9 << 20))"
    verdict = grade(flood).verdict
    assert len(verdict.remarks) == 1 and re.search("code cell 4", verdict.remarks[0])

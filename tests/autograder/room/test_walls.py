"""What a room can see, do and use, tried by notebooks in it."""

import json
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.model import Outcome, Standing
from autograder.room import landlock
from autograder.room.walls import ALL, NEXT_TO_NONE, WITHOUT_NAMESPACES, Wall, level


def printed(outcome: Outcome, cell: int = -1) -> str:
    """What the last code cell but those that answer question 2 printed."""
    cells = [one for one in json.loads(outcome.executed)["cells"] if one["cell_type"] == "code"]
    return "".join(one["text"] for one in cells[cell]["outputs"] if one["output_type"] == "stream")


def test_a_room_sees_a_minimal_view(rooms: Any) -> None:
    seen = json.loads(printed(rooms.once("looks_around")))
    allowed = {"bin", "dev", "etc", "lib", "lib32", "lib64", "proc", "public", "room", "sbin",
               "sys", "tmp", "usr"}  # fmt: skip
    own = {Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)}
    assert set(seen["root"]) <= allowed | {path.parts[1] for path in own}
    assert set(seen["etc"]) <= {"alternatives", "fonts", "group", "ld.so.cache", "ld.so.conf",
                                "localtime", "passwd"}  # fmt: skip
    assert set(seen["dev"]) == {"full", "null", "random", "shm", "urandom", "zero"}
    assert seen["public"] == ["coursekit.py", "data", "helper.py"]
    assert seen["room"] == ["coursekit.py", "data", "helper.py", "tiny.ipynb"]
    assert seen["users"].count("\n") == 1 and seen["users"].startswith("student:")
    for prefix, beside in seen["beside the interpreter"].items():
        if not prefix.startswith("/usr"):
            assert beside == [Path(prefix).name]


def test_a_room_knows_nothing_of_the_environment_it_is_started_from(rooms: Any) -> None:
    seen = json.loads(printed(rooms.once("looks_around")))
    assert set(seen["environment"]) <= {
        "HOME", "LANG", "MPLBACKEND", "MPLCONFIGDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
        "PATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "USER", "KMP_DUPLICATE_LIB_OK", "PIP_NO_INDEX",
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "KMP_INIT_AT_FORK",
    }  # fmt: skip
    assert seen["environment"]["HOME"] == "/room" and seen["arguments"] == ["notebook"]
    assert "canary" not in json.dumps(seen) and str(Path.cwd()) not in json.dumps(seen["status"])


def test_a_room_sees_its_own_processes_only(rooms: Any) -> None:
    seen = json.loads(printed(rooms.once("looks_around")))
    assert seen["processes"][0] == 1 and 2 <= len(seen["processes"]) <= 5
    assert max(seen["processes"]) < 100
    assert seen["uid"] == 1000 and seen["interfaces"] == ["lo"]


def test_a_room_has_no_rights_and_every_filter(rooms: Any) -> None:
    status = json.loads(printed(rooms.once("looks_around")))["status"]
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0
    assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"


def test_all_of_a_rooms_view_is_read_only_but_its_own_folders(rooms: Any) -> None:
    mounts = json.loads(printed(rooms.once("looks_around")))["mounts"]
    writable = {
        place
        for _, place, _, options, *_ in map(str.split, mounts.splitlines())
        if "rw" in options.split(",")
    }
    devices = {f"/dev/{name}" for name in ("full", "null", "random", "urandom", "zero")}
    assert writable - devices <= {"/room", "/tmp", "/dev/shm", "/proc"}


def test_no_wall_gives_way(rooms: Any) -> None:
    outcome = rooms.once("tries_to_escape")
    results = json.loads(printed(outcome, 5))
    done = {name for name, result in results.items() if result == "done"}
    tried = {"end process 1"} if landlock.abi() < 6 else set()  # it may be tried, and does nothing
    assert done == tried | {"write /room", "write /tmp", "write /dev/null", "talk to itself",
                    "run a program"}  # fmt: skip
    assert len(results) == 14 + 3 + 9 + 1 + 6
    assert outcome.verdict.score == 6


def test_every_limit_binds(rooms: Any) -> None:
    reached = json.loads(printed(rooms.once("meets_its_limits"), 4))
    assert reached["file"] == "File too large" and reached["file_mb"] == 4
    assert reached["disk"] == "No space left on device" and 10 <= reached["disk_mb"] <= 16
    assert reached["processes"] == "Resource temporarily unavailable" and reached["forks"] <= 40
    assert reached["descriptors"] == "Too many open files" and reached["files"] <= 100
    assert reached["memory"] == "MemoryError" and reached["core"] == [0, 0]


def test_no_file_in_a_room_holds_tests_or_secrets(rooms: Any) -> None:
    outcome = rooms.once("reads_files")
    assert printed(outcome, 4) == "True ['/room/decoy.txt']\n"
    assert printed(outcome, 5) == "[]\n"


def test_the_memory_of_a_room_holds_neither_tests_nor_secrets(rooms: Any) -> None:
    assert printed(rooms.once("searches_memory"), 3) == "[b'canary of the decoy']\n"


def left_over(warm: Any) -> list[psutil.Process]:
    warm.bury_dead()
    children = psutil.Process(warm._process.pid).children(recursive=True)
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE]


def test_nothing_of_a_room_is_left_when_it_is_closed(rooms: Any) -> None:
    outcome = rooms.grade("leaves_a_daemon")
    assert outcome.verdict.score == 6 and printed(outcome, 3) == "True\n"
    assert [left_over(warm) for warm in rooms.lender._warm] == [[], []]
    marked = [one for one in psutil.process_iter(["cmdline"])
              if any("7531" in word for word in one.info["cmdline"] or [])]  # fmt: skip
    assert marked == []


def test_a_bomb_and_a_slaughter_leave_nothing_either(rooms: Any) -> None:
    for name in ("fork_bomb", "kills_everything"):
        assert rooms.once(name).verdict.status is Standing.GRADED
        assert [left_over(warm) for warm in rooms.lender._warm] == [[], []]


def test_a_room_has_its_public_files_and_can_use_them(rooms: Any) -> None:
    outcome = rooms.once("writes_its_weights")
    assert printed(outcome, 4) == "public 6 1,2\n"


def test_the_judge_sees_the_course_and_nothing_of_the_student(rooms: Any, course: Any) -> None:
    outcome = rooms.grade("perfect", course.bundle("sees"))
    assert outcome.verdict.score == 1, outcome.verdict.questions["sees"].tests[0].message


@pytest.mark.parametrize(
    ("standing", "expected", "lacks"),
    [
        (ALL, "A", 0),
        (ALL - {Wall.GROUP}, "A", 0),
        (ALL - {Wall.WATCH}, "A", 0),
        (ALL - {Wall.LANDLOCK}, "A-", 1),
        (ALL - {Wall.NETWORK}, "B", 1),
        (WITHOUT_NAMESPACES, "B", 4),
        (WITHOUT_NAMESPACES - {Wall.LANDLOCK}, "0", 5),
        (ALL - {Wall.LANDLOCK, Wall.SECCOMP}, "0", 2),
        (ALL - {Wall.PRIVILEGES}, "0", 1),
        (ALL - {Wall.LIMITS}, "0", 1),
        (NEXT_TO_NONE, "0", 6),
        (frozenset[Wall](), "0", 8),
    ],
)
def test_the_level_of_a_room_is_that_of_the_walls_that_stand(
    standing: frozenset[Wall], expected: str, lacks: int
) -> None:
    found, lacking = level(standing)
    assert (found, len(lacking)) == (expected, lacks)

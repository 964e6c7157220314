import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from autograder import memory
from autograder.memory import MemoryWatch

INIT = """
import subprocess, sys, time
code = "import os, time; held = os.urandom(1 << 20) * {}; print(flush=True); time.sleep(600)"
for size in sys.argv[1:]:
    child = subprocess.Popen([sys.executable, "-c", code.format(size)], stdout=subprocess.PIPE)
    child.stdout.readline()
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def init() -> Iterator[int]:
    """A process with two children that hold 60 and 90 MiB."""
    with subprocess.Popen(
        [sys.executable, "-c", INIT, "60", "90"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = psutil.Process(process.pid).children()
        yield process.pid
        process.kill()
        for child in children:
            if child.is_running():
                child.kill()


def alive(init: int) -> int:
    children = psutil.Process(init).children()
    return sum(child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_processes_within_the_limit_are_left_alone(init: int) -> None:
    watch = MemoryWatch(init, 400)
    assert not watch.trim()
    assert 140 < watch.peak_mb < 250 and alive(init) == 2


def test_only_the_largest_process_is_ended(init: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_EXACT_EVERY_SECONDS", 0)
    large = psutil.Process(init).children()[1]
    watch = MemoryWatch(init, 120)
    assert watch.trim()
    while alive(init) == 2:
        time.sleep(0.05)
    assert large.status() == psutil.STATUS_ZOMBIE
    assert not watch.trim() and alive(init) == 1


def test_memory_is_not_looked_at_exactly_all_the_time(
    init: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_EXACT_EVERY_SECONDS", 3600)
    watch = MemoryWatch(init, 120)
    watch._exact_at = time.monotonic()
    assert not watch.trim() and alive(init) == 2


def test_a_room_that_is_gone_takes_nothing() -> None:
    watch = MemoryWatch(2**22 + 1, 0)
    assert not watch.trim() and watch.peak_mb == 0

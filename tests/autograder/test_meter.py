import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from autograder import meter
from autograder.meter import Meter

NOBODY = 2**22 + 1
"""More than any process id."""
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
    found = Meter(init, NOBODY, 400)
    assert not found.trim()
    assert 140 < found.peak_mb < 250 and alive(init) == 2


def test_only_the_largest_process_is_ended(init: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "_EXACT_EVERY_SECONDS", 0)
    large = psutil.Process(init).children()[1]
    found = Meter(init, NOBODY, 120)
    assert found.trim()
    while alive(init) == 2:
        time.sleep(0.05)
    assert large.status() == psutil.STATUS_ZOMBIE
    assert not found.trim() and alive(init) == 1


def test_memory_is_not_looked_at_exactly_all_the_time(
    init: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meter, "_EXACT_EVERY_SECONDS", 3600)
    found = Meter(init, NOBODY, 120)
    found._exact_at = time.monotonic()
    assert not found.trim() and alive(init) == 2


def test_a_room_that_is_gone_takes_nothing() -> None:
    found = Meter(NOBODY, NOBODY, 0)
    assert not found.trim() and found.peak_mb == 0 and found.cpu_seconds() == 0


def test_what_the_warm_process_holds_is_nobodys(init: int) -> None:
    small, _ = psutil.Process(init).children()
    found = Meter(init, small.pid, 400)
    assert not found.trim() and 20 < found.peak_mb < 50


SHARING = """
import os, time
held = bytearray(os.urandom(1 << 20)) * 80
for child in range(3):
    if not os.fork():
        time.sleep(600)
print(flush=True)
time.sleep(600)
"""


def test_pages_that_processes_share_count_once_where_it_matters() -> None:
    with subprocess.Popen([sys.executable, "-c", SHARING], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        children = psutil.Process(process.pid).children()
        far, near = Meter(process.pid, NOBODY, 400), Meter(process.pid, NOBODY, 150)
        assert not far.trim() and far.peak_mb > 240
        assert not near.trim() and near.peak_mb < 100
        for child in children:
            child.kill()
        process.kill()


BUSY = """
import os, sys, time
for child in range(2):
    if not os.fork():
        while time.process_time() < 0.5:
            pass
        if child:
            os._exit(0)
        print(flush=True)
        time.sleep(600)
os.wait()
os.read(0, 1)
"""


def test_processor_time_is_that_of_all_processes_and_of_those_that_ended() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        init = psutil.Process(process.pid)
        while len(init.children()) == 2:
            time.sleep(0.05)
        assert Meter(process.pid, NOBODY, 400).cpu_seconds() >= 0.98
        for child in init.children():
            child.kill()
        process.kill()

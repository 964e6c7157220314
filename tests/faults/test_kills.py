"""Whatever dies while a class is graded, the same command completes it with the same scores.

A seeded killer ends, at random moments, M itself, a warm process, process 1 of a room, or a
process in a room. None of this is a student's doing, so no outcome may show it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from typing import Any

import psutil
import pytest

KINDS = {"zygote": 1, "room": 2, "worker": 3}
"""How far below M a process of the kind stands; what stands deeper is a worker, too."""


class Killer:
    """Ends processes at random moments.

    Args:
        seed: Of the moments and the victims.
        kinds: What is ended: ``M`` or a key of ``KINDS``.
    """

    def __init__(self, seed: int, kinds: list[str]) -> None:
        self.kills: Counter[str] = Counter()
        self.completed = 0
        """Classes graded to the end among the kills."""
        self._chance, self._kinds = random.Random(seed), kinds
        self._seen: set[psutil.Process] = set()

    def haunt(self, process: subprocess.Popen[str], kills: int) -> None:
        """End up to so many processes until M is gone."""
        while kills > 0 and process.poll() is None:
            kind = self._chance.choice(self._kinds)
            if kind != "M" or self._chance.random() < 0.7:
                self._await_room(process)
            if self._ends(process, self._chance.uniform(0, 4)):
                return
            victim = self._victim(process, kind)
            if victim is not None and _killed(victim):
                self.kills[kind] += 1
                kills -= 1

    def survivors(self) -> list[psutil.Process]:
        """What still runs of all that was seen below M, a minute after it should have ended."""
        return psutil.wait_procs(self._seen, timeout=60)[1]

    def _await_room(self, process: subprocess.Popen[str]) -> None:
        while not any(depth > 1 for _, depth in self._below(process)):
            if self._ends(process, 0.1):
                return

    def _ends(self, process: subprocess.Popen[str], seconds: float) -> bool:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._seen.update(one for one, _ in self._below(process))
            return False
        return True

    def _victim(self, process: subprocess.Popen[str], kind: str) -> psutil.Process | None:
        if kind == "M":
            return psutil.Process(process.pid)
        below = self._below(process)
        self._seen.update(one for one, _ in below)
        candidates = [one for one, depth in below if min(depth, 3) == KINDS[kind]]
        return self._chance.choice(candidates) if candidates else None

    def _below(self, process: subprocess.Popen[str]) -> list[tuple[psutil.Process, int]]:
        """The living processes below M and how far below it they stand."""
        found: list[tuple[psutil.Process, int]] = []
        try:
            level = [(one, 1) for one in psutil.Process(process.pid).children()]
        except psutil.NoSuchProcess:
            return []
        while level:
            one, depth = level.pop()
            try:
                level += [(child, depth + 1) for child in one.children()]
                if one.status() != psutil.STATUS_ZOMBIE:
                    found.append((one, depth))
            except psutil.NoSuchProcess:
                continue
        return sorted(found, key=lambda entry: entry[0].pid)


def _killed(victim: psutil.Process) -> bool:
    try:
        victim.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:  # it has just ended by itself
        return False
    return True


def graded_in_spite_of(killer: Killer, kills: int, graded: Any, undisturbed: Any) -> None:
    """Grade the class again and again until there were so many kills; compare each whole one."""
    while sum(killer.kills.values()) < kills:
        process = graded.start()
        killer.haunt(process, kills - sum(killer.kills.values()))
        _, stderr = process.communicate(timeout=900)
        assert "Traceback" not in stderr, stderr
        assert process.returncode in (0, 3, -signal.SIGKILL), stderr
        if process.returncode == 0:
            same(graded, undisturbed)
            killer.completed += 1
            shutil.rmtree(graded.out)
    for _ in range(3):  # what is ours is graded again by the same command
        last = graded.run()
        if last.returncode == 0:
            break
    assert last.returncode == 0, last.stderr
    same(graded, undisturbed)
    assert not killer.survivors()


def same(graded: Any, undisturbed: Any) -> None:
    """Scores, statuses, outcomes of tests and files are those of a run in which nothing broke."""
    assert graded.verdicts() == undisturbed.verdicts()
    assert graded.files() == undisturbed.files()


def test_a_class_is_graded_the_same_whatever_dies(fresh: Any, undisturbed: Any) -> None:
    killer = Killer(1, ["M", *KINDS])
    graded_in_spite_of(killer, 8, fresh, undisturbed)
    assert sum(killer.kills.values()) == 8


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["M", *KINDS])
def test_a_class_is_graded_the_same_if_one_kind_dies(
    fresh: Any, undisturbed: Any, kind: str
) -> None:
    killer = Killer(1, [kind])
    graded_in_spite_of(killer, 5, fresh, undisturbed)
    assert killer.kills == {kind: 5}


@pytest.mark.slow
def test_two_hundred_kills_change_nothing(fresh: Any, undisturbed: Any) -> None:
    killer = Killer(int(os.environ.get("KILL_SEED", "2")), ["M", *KINDS])
    started = time.monotonic()
    try:
        graded_in_spite_of(killer, int(os.environ.get("KILLS", "200")), fresh, undisturbed)
    finally:
        print(f"killed {dict(killer.kills)} in {time.monotonic() - started:.0f} s; "
              f"{killer.completed} classes were completed on the way")  # fmt: skip
    assert set(killer.kills) == {"M", *KINDS}


def test_what_a_killed_run_left_behind_is_cleared_by_the_next(fresh: Any) -> None:
    process = fresh.start()
    killer = Killer(3, ["M"])
    killer.haunt(process, 1)
    process.communicate()
    assert fresh.run().returncode == 0 and not killer.survivors()
    assert list(fresh.temporary.iterdir()) == []


@pytest.mark.parametrize("name", [pytest.param("SIGINT", marks=pytest.mark.slow), "SIGTERM"])
def test_a_signal_while_results_are_written_leaves_a_store_that_can_be_gone_on_with(
    fresh: Any, undisturbed: Any, name: str
) -> None:
    process = fresh.start()
    killer = Killer(4, ["M"])
    while not (fresh.out / "results" / "101").exists():  # the first result is being written
        if killer._ends(process, 0.02):
            break
    process.send_signal(getattr(signal, name))
    _, stderr = process.communicate(timeout=120)
    assert process.returncode != 0 and "Traceback" not in stderr, stderr
    assert fresh.run().returncode == 0
    same(fresh, undisturbed)
    assert not killer.survivors()

"""The corpus is not blind: without the walls that stop it, an attack turns red.

Each wall by itself is tried in ``tests/autograder/test_doctor.py``; here whole submissions are
graded in rooms that lack some.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from harness import CORPUS, Grader, check, load

from autograder.bundle import Bundle
from autograder.engine import Engine, Settings
from autograder.room.walls import ALL, Wall

FALLS = {
    "14_read_tests": {Wall.VIEW, Wall.LANDLOCK},
    "18_proc_peek": {Wall.VIEW, Wall.PROCESSES, Wall.LANDLOCK, Wall.SECCOMP},
    "58_mem_hog_private": {Wall.LIMITS, Wall.GROUP, Wall.WATCH},
    "59_disk_fill": {Wall.VIEW, Wall.LANDLOCK},
    "69_net_exfil": {Wall.NETWORK, Wall.LANDLOCK, Wall.SECCOMP},
    "70_userns_climb": {Wall.SECCOMP},
}
"""Attack → the walls without which it gets what it must not."""


def without(walls: set[Wall]) -> Callable[[Bundle, Settings], Engine]:
    def make(bundle: Bundle, settings: Settings) -> Engine:
        values = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
        return Engine(bundle, Settings(**values | {"walls": ALL - walls, "accept": "0"}))

    return make


@pytest.mark.slow
@pytest.mark.parametrize("name", FALLS)
def test_an_attack_turns_red_without_the_walls_that_stop_it(name: str) -> None:
    with Grader(without(FALLS[name])) as grader:
        finding = check(load(CORPUS / f"{name}.ipynb"), grader)
    assert [one for one in finding.violations if one.startswith(("I1", "I2", "I4", "I5"))]

"""Each wall by itself: what it holds back when no other stands, and what falls when it is gone."""

import json
from collections.abc import Collection
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder import doctor
from autograder.cli import main
from autograder.room import landlock
from autograder.room.cgroup import Groups
from autograder.room.host import Warm
from autograder.room.trial import ATTEMPTS
from autograder.room.walls import ALL, SIGNAL_SCOPE_ABI, WITHOUT_NAMESPACES, Wall

HOLDS = {
    Wall.VIEW: [
        "read a file outside", "list a folder outside", "connect to a socket file", "write more",
        "make more files",
    ],
    Wall.PROCESSES: ["signal the grader"],
    Wall.NETWORK: [
        "connect to the grader's machine", "send a name query", "connect to an abstract socket",
    ],
    Wall.IPC: ["share the grader's memory"],
    Wall.PRIVILEGES: ["become root"],
    Wall.LANDLOCK: [
        "read a file outside", "list a folder outside", "write outside",
        "connect to the grader's machine", "connect to an abstract socket",
    ],
    Wall.SECCOMP: [
        "connect to the grader's machine", "send a name query", "open further namespaces",
        "call open_tree", "call io_uring_setup", "call pidfd_getfd",
    ],
    Wall.LIMITS: [
        "take more memory", "write a larger file", "open more files",
    ],
    Wall.GROUP: [
        "take more memory", "take more shared memory", "take more memory together",
        "start more processes",
    ],
    Wall.WATCH: ["take more memory together"],
}  # fmt: skip
AS_ROOT = {Wall.PROCESSES, Wall.PRIVILEGES}
"""Walls that hold back root; the others are tried as an ordinary user."""


def held(walls: Collection[Wall], names: Collection[str]) -> dict[str, bool]:
    with Warm("autograder.room.trial", {}, walls=walls) as warm:
        return {one.what: one.held for one in doctor.try_out(warm, names)}


def possible(wall: Wall) -> bool:
    if wall is Wall.LANDLOCK:
        return landlock.abi() >= SIGNAL_SCOPE_ABI
    return Groups().usable if wall is Wall.GROUP else True


@pytest.mark.parametrize("wall", HOLDS, ids=str)
def test_a_wall_holds_with_all_others_off_and_what_it_held_falls_without_it(wall: Wall) -> None:
    if not possible(wall):
        pytest.skip("this machine has no such wall")
    base = set() if wall in AS_ROOT else {Wall.PRIVILEGES}
    names = HOLDS[wall]
    assert held(base | {wall}, names) == dict.fromkeys(names, True)
    assert held(base, names) == dict.fromkeys(names, False)


@pytest.fixture(scope="module")
def examined() -> doctor.Examination:
    return doctor.examine()


def test_nothing_that_is_forbidden_succeeds_in_a_room(examined: doctor.Examination) -> None:
    assert {one.what: one.detail for one in examined.findings if not one.held} == {}
    assert {one.what for one in examined.findings} == set(ATTEMPTS)
    found = {one.what: one.detail for one in examined.findings}
    assert "of processor time" in found["use more processor time"]
    assert examined.level == ("A" if landlock.abi() else "A-") and not examined.refusal


def test_without_namespaces_files_network_and_limits_still_hold() -> None:
    if landlock.abi() < SIGNAL_SCOPE_ABI:
        pytest.skip("this kernel has no such level")
    examined = doctor.examine(WITHOUT_NAMESPACES)
    fell = {one.what for one in examined.findings if not one.held}
    assert examined.level == "B" and len(examined.lacking) == 4
    assert fell <= {
        "see the grader's process", "start more processes", "write more", "make more files",
    }  # fmt: skip


def test_walls_that_fall_lower_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    fallen = doctor.Finding("become root", False, "became root", Wall.PRIVILEGES)
    monkeypatch.setattr(doctor, "try_out", lambda warm, names: [fallen])
    examined = doctor.examine(ALL)
    assert examined.level == "0" and examined.lacking == ["privileges taken away"]
    assert fallen.remedy


def test_the_command_prints_what_was_tried_and_the_level(
    examined: doctor.Examination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: examined)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == (0 if examined.level == "A" else 1)
    assert "read a file outside" in done.output and "✓ held" in done.output
    assert done.output.rstrip().endswith(f"Isolation level: {examined.level}")
    found = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).output)
    assert found["level"] == examined.level and len(found["findings"]) == len(ATTEMPTS)


def test_the_doctor_leaves_nothing_behind(examined: doctor.Examination) -> None:
    assert not list(Path("/tmp").glob("autograder-bait-*"))

"""Control groups: real ones where this machine lets us make them, else a tree of plain files."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.model import Limits
from autograder.room.cgroup import Group, Groups

LIMITS = Limits(memory_mb=64, processes=12)
real = pytest.mark.skipif(not Groups().usable, reason="no control groups can be made here")
WAITS = "print(flush=True); input()"
SERVES = """
import sys
print(flush=True)
for line in sys.stdin:
    exec(line)
    print(flush=True)
"""


@pytest.fixture
def group() -> Iterator[Group]:
    made = Groups().open(LIMITS)
    assert made is not None
    yield made
    made.kill()
    made.remove()


@pytest.fixture
def member(group: Group) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a Python process in the group; returns it once it has printed a line."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        lines = group.lines()
        joining = f"import os\nfor line in {lines}: os.write(line, b'0'); os.close(line)\n"
        process = subprocess.Popen(
            [sys.executable, "-c", joining + code], pass_fds=lines, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        for line in lines:
            os.close(line)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield start
    group.kill()
    for process in started:
        process.kill()
        process.communicate()


def members(group: Group) -> list[set[int]]:
    return [set(map(int, (folder / "cgroup.procs").read_text().split()))
            for folder in group.folders]  # fmt: skip


@real
def test_each_group_is_a_new_one_below_our_own(group: Group) -> None:
    other = Groups().open(LIMITS)
    assert other is not None and set(other.folders).isdisjoint(group.folders)
    assert all(folder.is_dir() for folder in (*group.folders, *other.folders))
    assert all(folder.name.startswith(f"autograder-{os.getpid()}-") for folder in group.folders)
    other.remove()
    assert not any(folder.exists() for folder in other.folders)


@real
def test_the_limits_are_set(group: Group) -> None:
    found = {
        name: (folder / name).read_text().strip()
        for folder in group.folders
        for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max",
                     "pids.max")
        if (folder / name).exists()
    }  # fmt: skip
    memory = {value for name, value in found.items() if name.startswith("memory")}
    assert memory == {str((64 + 64) << 20)}
    assert not any("pids" in str(folder) for folder in group.folders) or found["pids.max"] == "20"


@real
def test_a_process_joins_every_hierarchy_and_its_children_with_it(
    group: Group, member: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = member("child = os.fork(); print(child, flush=True) if child else None; input()")
    for found in members(group):
        assert process.pid in found and len(found) == 2
    assert os.getpid() not in members(group)[0]


@real
def test_kill_ends_all_and_an_empty_group_is_removed(
    group: Group, member: Callable[[str], subprocess.Popen[str]]
) -> None:
    processes = [member(WAITS) for _ in range(3)]
    group.kill()
    assert [process.wait(10) for process in processes] == [-9, -9, -9]
    group.remove()
    assert not any(folder.exists() for folder in group.folders)


@real
def test_a_group_that_is_removed_leaves_nothing_even_if_somebody_was_in_it(
    group: Group, member: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = member(WAITS)
    group.remove()
    assert process.wait(10) == -9
    assert not any(folder.exists() for folder in group.folders)


@real
@pytest.mark.parametrize(
    "takes",
    [
        "held = bytearray(os.urandom(1 << 20)) * 300",
        "import mmap; held = mmap.mmap(-1, 300 << 20); held[:] = b'x' * len(held)",
        "held = os.memfd_create('x'); [os.write(held, b'x' * (1 << 20)) for _ in range(300)]",
    ],
    ids=["private", "shared", "memfd"],
)
def test_who_takes_more_memory_than_the_group_may_is_killed_and_counted(
    group: Group, member: Callable[[str], subprocess.Popen[str]], takes: str
) -> None:
    process = member(SERVES)
    assert group.memory_kills == 0
    print(takes, file=process.stdin, flush=True)
    assert process.wait(60) == -9
    assert group.memory_kills == 1


@real
def test_memory_is_that_of_all_processes_together(
    group: Group, member: Callable[[str], subprocess.Popen[str]]
) -> None:
    processes = [member(SERVES) for _ in range(4)]
    for process in processes:
        print("held = bytearray(os.urandom(1 << 20)) * 45", file=process.stdin, flush=True)
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()  # it has what it wanted, or was ended
    assert group.memory_kills >= 1


@real
def test_no_more_processes_than_the_group_may(
    group: Group, member: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = member(
        "import time\ncount = 0\ntry:\n    while True:\n"
        "        os.fork() or time.sleep(600)\n        count += 1\n"
        "except OSError as error:\n    print(flush=True); print(count, error.errno, flush=True)\n"
        "input()"
    )
    assert process.stdout is not None
    expected = "19 11\n" if any("pids" in str(folder) for folder in group.folders) else ""
    assert process.stdout.readline() == expected
    assert len(members(group)[0]) == 20


def plain(folder: Path, **files: str) -> Path:
    """A folder of plain files; ``__`` stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.fixture
def unified(tmp_path: Path) -> tuple[Path, Path]:
    """Version 2 as plain files: the root, and what ``/proc/self/cgroup`` would be."""
    plain(tmp_path / "root/own", cgroup__procs="1\n2\n", cgroup__subtree_control="",
          cgroup__controllers="cpu memory pids")  # fmt: skip
    (tmp_path / "own").write_text("0::/own\n")
    return tmp_path / "root", tmp_path / "own"


def test_version_2_is_used_where_a_subtree_is_ours(unified: tuple[Path, Path]) -> None:
    root, own = unified
    groups = Groups(root, own)
    assert groups.usable
    assert (root / "own/cgroup.subtree_control").read_text() == "+memory +pids"
    assert not (root / "own/autograder").exists()


def test_in_version_2_the_grader_steps_aside_if_it_is_alone(unified: tuple[Path, Path]) -> None:
    root, own = unified
    (root / "own/cgroup.procs").write_text(f"{os.getpid()}\n")
    plain(root / "own/autograder", cgroup__procs="")
    assert Groups(root, own).usable
    assert (root / "own/autograder/cgroup.procs").read_text() == "0"


def test_in_version_2_a_group_has_one_folder_and_counts_in_its_events(
    unified: tuple[Path, Path],
) -> None:
    group = Groups(*unified).open(LIMITS)
    assert group is not None
    (folder,) = group.folders
    assert folder.parent == unified[0] / "own" and group.events == folder / "memory.events"
    assert group.memory_kills == 0
    plain(folder, memory__events="low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert group.memory_kills == 2
    plain(folder, cgroup__kill="")
    group.kill()
    assert (folder / "cgroup.kill").read_text() == "1"


def test_in_version_2_all_limits_are_set_in_one_folder(
    unified: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("memory.max", "memory.swap.max", "pids.max")
    make = Path.mkdir

    def furnished(folder: Path, *arguments: int, **more: bool) -> None:
        make(folder, *arguments, **more)
        for name in names:
            (folder / name).touch()

    groups = Groups(*unified)
    monkeypatch.setattr(Path, "mkdir", furnished)
    group = groups.open(LIMITS)
    assert group is not None
    assert [(group.folders[0] / name).read_text() for name in names] == [
        str(128 << 20), "0", "20",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"), [("cgroup.controllers", "cpu io"), ("cgroup.subtree_control", None)]
)
def test_without_the_memory_controller_or_the_right_there_are_no_groups(
    unified: tuple[Path, Path], name: str, text: str | None
) -> None:
    file = unified[0] / "own" / name
    file.write_text(text) if text else file.unlink()
    groups = Groups(*unified)
    assert not groups.usable and groups.open(LIMITS) is None


def test_version_1_is_preferred_and_its_hierarchies_are_used_as_they_are_there(
    tmp_path: Path,
) -> None:
    plain(tmp_path / "root/memory/own", cgroup__procs="", memory__limit_in_bytes="")
    (tmp_path / "own").write_text("8:pids:/own\n4:memory:/own\n3:cpu,cpuacct:/\n0::/\n")
    group = Groups(tmp_path / "root", tmp_path / "own").open(LIMITS)
    assert group is not None
    assert [folder.parent for folder in group.folders] == [tmp_path / "root/memory/own"]
    plain(tmp_path / "root/pids/own", cgroup__procs="")
    group = Groups(tmp_path / "root", tmp_path / "own").open(LIMITS)
    assert group is not None and len(group.folders) == 2
    plain(group.folders[0], memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 7\n")
    assert group.memory_kills == 7


def test_a_machine_without_control_groups_has_none(tmp_path: Path) -> None:
    groups = Groups(tmp_path, tmp_path / "nowhere")
    assert not groups.usable and groups.open(LIMITS) is None


def test_a_group_that_cannot_be_furnished_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = plain(tmp_path / "root/memory/own", cgroup__procs="", memory__limit_in_bytes="")
    (tmp_path / "own").write_text("4:memory:/own\n")
    groups = Groups(tmp_path / "root", tmp_path / "own")

    def refuse(folder: Path, settings: dict[str, int]) -> None:
        raise OSError("read-only")

    monkeypatch.setattr("autograder.room.cgroup._set", refuse)
    assert groups.open(LIMITS) is None
    assert sorted(path.name for path in own.iterdir()) == ["cgroup.procs", "memory.limit_in_bytes"]

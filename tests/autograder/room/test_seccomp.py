"""What the filter decides, call by call, and what becomes of it in rooms."""

import errno
import json
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat
import pytest

from autograder.model import Outcome
from autograder.room import seccomp, syscalls

MACHINES = ["x86_64", "aarch64"]
ALLOW, ASK, KILL = 0x7FFF0000, 0x7FC00000, 0x80000000
EPERM, ENOSYS = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
FORK = 17  # SIGCHLD, as fork() passes it to clone
ARGUMENTS: list[tuple[str, tuple[int, ...], bool]] = [
    ("clone", (FORK,), True),
    ("clone", (0x003D0F00,), True),  # pthread_create's
    *(("clone", (FORK | flag,), False) for flag in (
        0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)),
    ("socket", (1,), True),
    *(("socket", (family,), False) for family in (0, 2, 10, 16, 17, 38, 40, 44)),
    ("socketpair", (1,), True),
    ("socketpair", (2,), False),
    *(("ioctl", (0, request), True) for request in (0x5401, 0x5413, 0x5421, 0xC020462A)),
    *(("ioctl", (0, request), False) for request in (0x5412, 0x541C)),
    ("ioctl", (0, 0x5412 | 1 << 32), False),
    ("personality", (0xFFFFFFFF,), True),
    *(("personality", (kind,), False) for kind in (0, 0x0040000, 0x0400000)),
    *(("prctl", (option,), True) for option in (1, 15, 16, 23, 38, 0x53564D41)),
    *(("prctl", (option,), False) for option in (4, 22, 35, 47, 53, 62)),
]  # fmt: skip
NEVER = """
    ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp unshare setns chroot pivot_root
    mount umount2 mount_setattr move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick
    bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register add_key
    request_key keyctl fanotify_init name_to_handle_at open_by_handle_at seccomp memfd_create
    memfd_secret shmget mq_open quotactl quotactl_fd reboot kexec_load kexec_file_load init_module
    finit_module delete_module swapon swapoff settimeofday clock_settime adjtimex acct syslog
""".split()


def decision(code: bytes, machine: str, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Run a filter as the kernel would."""
    values = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, AUDIT[machine], 0, *values)
    steps = list(struct.iter_unpack("=HBBI", code))
    place = held = 0
    while True:
        kind, when_true, when_false, value = steps[place]
        place += 1
        if kind == 0x20:
            (held,) = struct.unpack_from("<I", data, value)
        elif kind == 0x06:
            return value
        else:
            holds = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[kind]
            place += when_true if holds else when_false


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("named", "refused"), [(True, ASK), (False, EPERM)])
def test_exactly_the_listed_calls_pass(machine: str, named: bool, refused: int) -> None:
    code = seccomp.program(machine, named)
    judged = {name for name, _, _ in ARGUMENTS}
    allowed = syscalls.named(syscalls.ALLOWED, machine)
    known = syscalls.named(syscalls.REFUSED, machine)
    for number in (*range(2000), *range(1 << 30, (1 << 30) + 600), (1 << 31) + 1, (1 << 32) - 1):
        if allowed.get(number) in judged:
            continue
        x32 = machine == "x86_64" and number >= 1 << 30
        expected = ALLOW if number in allowed else refused if number in known or x32 else ENOSYS
        assert decision(code, machine, number) == expected, number


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("name", "arguments", "passes"), ARGUMENTS)
def test_some_calls_pass_with_some_arguments_only(
    machine: str, name: str, arguments: tuple[int, ...], passes: bool
) -> None:
    number = syscalls.ALLOWED[name][syscalls.COLUMN[machine]]
    expected = ALLOW if passes else ASK
    assert decision(seccomp.program(machine), machine, number, arguments) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_a_call_of_another_architecture_ends_the_process(machine: str) -> None:
    other = next(one for one in MACHINES if one != machine)
    assert decision(seccomp.program(machine), other, 0) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_a_filter_is_not_longer_than_the_kernel_takes(machine: str) -> None:
    assert len(seccomp.program(machine)) // 8 < 4096


def test_there_is_no_filter_for_an_unknown_processor() -> None:
    with pytest.raises(OSError, match="not supported on riscv64"):
        seccomp.program("riscv64")


def test_no_call_is_in_two_tables_and_none_that_leads_out_is_allowed() -> None:
    tables = [set(syscalls.ALLOWED), set(syscalls.ABSENT), set(syscalls.REFUSED)]
    assert sum(map(len, tables)) == len(set.union(*tables))
    assert set(NEVER) <= tables[2]
    for machine in MACHINES:
        numbers = [n for table in (syscalls.ALLOWED, syscalls.ABSENT, syscalls.REFUSED)
                   for n in syscalls.named(table, machine)]  # fmt: skip
        assert len(numbers) == len(set(numbers)) and max(numbers) == syscalls.NEWEST


ONLY_32_BIT = re.compile("64$|^(llseek|mmap2|sync_file_range2|arch_specific_syscall)$")
HEADERS = [
    ("x86_64", Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")),
    ("aarch64", Path("/usr/include/asm-generic/unistd.h")),
]


def numbers_in(header: Path) -> dict[str, int]:
    found = dict(re.findall(r"^#define (__NR(?:3264)?_\w+)\s+(\w+)", header.read_text(), re.M))
    resolved = {name: found.get(value, value) for name, value in found.items()}
    return {
        name[5:]: int(value)
        for name, value in resolved.items()
        if name.startswith("__NR_") and name != "__NR_syscalls" and value.isdigit()
    }


@pytest.mark.parametrize(("machine", "header"), HEADERS)
def test_the_numbers_are_those_of_the_kernels_headers(machine: str, header: Path) -> None:
    if not header.exists():
        pytest.skip(f"{header} is not there")
    column = syscalls.COLUMN[machine]
    ours = {n: both[column] for table in (syscalls.ALLOWED, syscalls.ABSENT, syscalls.REFUSED)
            for n, both in table.items() if both[column] >= 0}  # fmt: skip
    theirs = numbers_in(header)
    newest = min(max(theirs.values()), syscalls.NEWEST)
    assert {name: n for name, n in ours.items() if n <= newest} == {
        name: n for name, n in theirs.items()
        if n <= newest and (name in ours or machine == "x86_64" or not ONLY_32_BIT.search(name))
    } | {name: n for name, n in ours.items() if name in ("uprobe", "uretprobe")}  # fmt: skip


def handed_in(*cells: str) -> bytes:
    """A notebook that answers both questions well and runs ``cells`` in between."""
    sources = [
        "import otter\n\ngrader = otter.Notebook('tiny.ipynb')",
        "def f(x):\n    return x + 1",
        "grader.check('q1')",
        *(dedent(cell).strip() for cell in cells),
        "def g(x):\n    if x < 0:\n        raise ValueError('negative')",
        "grader.check('q2')",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in sources])
    return nbformat.writes(notebook).encode()


def printed(outcome: Outcome) -> list[str]:
    cells = json.loads(outcome.executed)["cells"]
    return ["".join(one.get("text", one.get("evalue", "")) for one in cell["outputs"])
            for cell in cells[3:-2]]  # fmt: skip


def refusals(outcome: Outcome) -> list[str]:
    room = outcome.log.partition("== room T ==")[0]
    return sorted(line for line in room.splitlines() if line.startswith("refused: "))


def number(name: str) -> int:
    both = {**syscalls.ALLOWED, **syscalls.ABSENT, **syscalls.REFUSED}[name]
    return both[syscalls.COLUMN[platform.machine()]]


TRIES = """
import ctypes, errno, json, os
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return errno.errorcode.get(ctypes.get_errno(), "done")
"""
REFUSED: dict[str, tuple[int, ...]] = {
    "ptrace": (0,), "unshare": (0x10000000,), "clone": (0x10000000 | FORK,),
    "socket": (2, 1), "io_uring_setup": (1,), "bpf": (), "keyctl": (), "userfaultfd": (),
    "perf_event_open": (), "mount": (), "process_vm_readv": (), "memfd_create": (),
    "prctl": (22, 2), "ioctl": (0, 0x5412), "personality": (0x0040000,), "setuid": (0,),
}  # fmt: skip


def test_what_leads_out_is_refused_in_a_room_and_named_once_for_staff(rooms: Any) -> None:
    tried = {name: (number(name), *rest) for name, rest in REFUSED.items()}
    more = {"netlink": (number("socket"), 16, 3), "vsock": (number("socket"), 40, 1),
            "clone3": (number("clone3"), 0, 0), "a newer call": (9999,)}  # fmt: skip
    outcome = rooms.grade(handed_in(
        TRIES,
        f"print(json.dumps({{name: call(*one) for name, one in {tried | more}.items()}}))",
        f"print(json.dumps([call(*one) for one in {tried}.values()]))",
    ))  # fmt: skip
    first, again = map(json.loads, printed(outcome)[1:])
    absent = {"clone3": "ENOSYS", "a newer call": "ENOSYS"}
    assert first == dict.fromkeys(first, "EPERM") | absent
    assert set(again) == {"EPERM"}
    assert refusals(outcome) == sorted(f"refused: {name}" for name in REFUSED)
    assert outcome.verdict.score == 6


@pytest.mark.skipif(sys.platform != "linux" or number("open") < 0, reason="x32 is x86-64's")
def test_calls_of_the_x32_abi_are_refused_and_named_once(rooms: Any) -> None:
    outcome = rooms.grade(handed_in(
        TRIES, "print([call(n) for n in (0x40000000 + 39, 0x40000000 + 521, 0x80000001, -1)])"
    ))  # fmt: skip
    assert printed(outcome)[1] == f"{['EPERM'] * 4}\n"
    assert refusals(outcome) == ["refused: a call of the x32 ABI"]


HONEST = [
    """
    import multiprocessing, subprocess, tempfile, threading
    from concurrent.futures import ThreadPoolExecutor

    def square(x):
        return x * x

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(square, range(4))) == [0, 1, 4, 9]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(square, range(4)) == [0, 1, 4, 9]
    assert subprocess.run("echo x | cat", shell=True, capture_output=True).stdout == b"x\\n"
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    print("done")
    """,
    """
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(1)
    torch.set_num_threads(2)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(),
                                  torch.nn.Linear(144, 2))
    optimiser = torch.optim.Adam(network.parameters())
    data = TensorDataset(torch.randn(8, 1, 8, 8), torch.randint(0, 2, (8,)))
    for workers in (0, 2):
        for x, y in DataLoader(data, batch_size=4, num_workers=workers):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(x), y).backward()
            optimiser.step()
    torch.save(network.state_dict(), "/room/weights.pt")
    torch.load("/room/weights.pt", weights_only=True)
    print("done")
    """,
    """
    import numpy as np, pandas as pd, sqlite3
    import matplotlib.pyplot as plt

    table = pd.DataFrame({"a": np.arange(9.0), "b": np.arange(9.0) ** 2})
    table.to_csv("/room/table.csv")
    table.plot()
    plt.savefig("/room/figure.png")
    plt.close("all")
    sqlite3.connect("/room/base").execute("create table t (x)")
    print("done")
    """,
]  # fmt: skip


def test_honest_work_is_refused_nothing(rooms: Any) -> None:
    outcome = rooms.grade(
        handed_in(*HONEST), memory_mb=4096, processes=100, open_files=400, cell_seconds=200
    )
    assert printed(outcome) == ["done\n"] * 3
    assert refusals(outcome) == [] and outcome.verdict.score == 6


def test_a_flood_of_refused_calls_hurts_nobody(rooms: Any) -> None:
    flood = f"""
    print({{call({number("ptrace")}, 16, 1) for _ in range(20_000)}})
    """
    killed = f"""
    import signal
    for _ in range(20):
        pid = os.fork()
        if not pid:
            while True:
                call({number("unshare")}, 0)
        os.sched_yield()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print(call({number("bpf")}))
    """
    outcome = rooms.grade(handed_in(TRIES, flood, killed))
    assert printed(outcome)[1:] == ["{'EPERM'}\n", "EPERM\n"]
    assert {"refused: bpf", "refused: ptrace"} <= set(refusals(outcome))
    assert len(refusals(outcome)) <= 3
    assert outcome.verdict.score == 6


ALONE = """
import ctypes, errno, os, socket, struct, threading
from autograder.room import linux, seccomp

libc = ctypes.CDLL(None, use_errno=True)
linux.no_new_privileges()

def attempts():
    for attempt in (lambda: libc.unshare(0x10000000), lambda: libc.ptrace(0, 0, 0, 0)):
        ctypes.set_errno(0)
        attempt()
        print(errno.errorcode.get(ctypes.get_errno()), flush=True)
    socket.socketpair()
    os.waitpid(os.fork() or os._exit(0), 0)
"""
UNNAMED = "print(seccomp.install(name_refusals=False))\nattempts()"
LISTENED = """
allow_all = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
print(seccomp._load(allow_all, 1 << 3) >= 0)
print(seccomp.install())
attempts()
"""
OUTPUT_IS_FULL = """
here, there = socket.socketpair()
child = os.fork()
if not child:
    here.close()
    seccomp.confine(there)
    attempts()
    os._exit(0)
there.close()
inlet, outlet = os.pipe()
os.set_blocking(outlet, BLOCKING)
while seccomp.select.select([], [outlet], [], 0)[1]:
    os.write(outlet, b"x" * 4096)
refusals = seccomp.Refusals(seccomp.take_listener(here), outlet)
for _ in range(2):
    seccomp.select.select([refusals], [], [])
    refusals.answer()
os.waitpid(child, 0)
print(os.read(inlet, 1 << 20).strip(b"x"))
"""


def ran(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ALONE + code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_without_a_listener_calls_are_refused_all_the_same() -> None:
    assert ran(UNNAMED) == ["-1", "EPERM", "EPERM"]


def test_beside_another_filters_listener_calls_are_refused_all_the_same() -> None:
    assert ran(LISTENED) == ["True", "-1", "EPERM", "EPERM"]


@pytest.mark.parametrize("blocking", [True, False])
def test_an_output_that_is_full_keeps_no_call_waiting(blocking: bool) -> None:
    code = OUTPUT_IS_FULL.replace("BLOCKING", str(blocking))
    assert ran(code) == ["EPERM", "EPERM", "b''"]

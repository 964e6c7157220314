"""Rooms without the course: each wall alone, and together, from a process that imports little."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autograder.room import landlock

ALONE = """
import ctypes, json, os, socket
from autograder.room import landlock, linux

libc = ctypes.CDLL(None, use_errno=True)
results = {}

def attempt(name, action):
    ctypes.set_errno(0)
    try:
        answer = action()
    except OSError as error:
        results[name] = os.strerror(error.errno)
    else:
        results[name] = "done" if answer != -1 else os.strerror(ctypes.get_errno())

def write(path):
    with open(path, "w") as file:
        file.write("x")
"""
LANDLOCK = (
    ALONE
    + """
import signal, sys
inside, outside = sys.argv[1:]
parent = os.getpid()
child = os.fork()
if child:
    os.waitpid(child, 0)
    sys.exit()
linux.no_new_privileges()
landlock.confine([inside])
attempt("write inside", lambda: write(inside + "/x"))
attempt("make inside", lambda: os.mkdir(inside + "/folder"))
attempt("write outside", lambda: write(outside + "/x"))
attempt("make outside", lambda: os.mkdir(outside + "/folder"))
attempt("remove outside", lambda: os.unlink(outside + "/kept"))
attempt("truncate outside", lambda: os.truncate(outside + "/kept", 0))
attempt("rename outside", lambda: os.rename(outside + "/kept", outside + "/gone"))
attempt("link outside", lambda: os.symlink("x", outside + "/link"))
attempt("read outside", lambda: open(outside + "/kept").close())
attempt("connect", lambda: socket.socket().connect(("127.0.0.1", 9)))
attempt("listen", lambda: socket.socket().bind(("127.0.0.1", 0)))
attempt("signal the parent", lambda: os.kill(parent, 0))
print(json.dumps(results))
"""
)
ROOM = (
    ALONE
    + """
import time
from pathlib import Path
from autograder.model import Limits
from autograder.room import jail

def look():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
    os.wait()
    attempt("read the machine's users", lambda: open("/etc/shadow").close())
    attempt("write the view", lambda: write("/etc/passwd"))
    attempt("write the room", lambda: write("/room/x"))
    attempt("become root", lambda: os.setuid(0))
    attempt("unshare", lambda: libc.unshare(0x10000000))
    attempt("signal process 1", lambda: os.kill(1, 0))
    results["uid"] = os.getuid()
    results["root"] = sorted(os.listdir("/"))
    results["shown"] = open("/shown/file").read()
    results["below a folder of its own"] = open("/tmp/below/file").read()
    attempt("write the view below a folder of its own", lambda: write("/tmp/below/x"))
    attempt("write beside it", lambda: write("/tmp/x"))
    results["interfaces"] = open("/proc/net/dev").read().count(":")
    results["processes"] = len([one for one in os.listdir("/proc") if one.isdigit()])
    results["descriptors"] = sorted(map(int, os.listdir("/proc/self/fd")))[:-1]
    status = open("/proc/self/status").read()
    results["walls"] = {
        line.partition(":")[0]: line.split()[1] for line in status.splitlines()
        if line.startswith(("CapEff", "CapBnd", "NoNewPrivs", "Seccomp:"))
    }
    os.write(1, json.dumps(results).encode() + b"\\n")
    time.sleep(1000)

folder = sys.argv[1]
shut = jail.Jail({"/shown": folder, "/tmp/below": folder}, Path(folder))
inlet, outlet = os.pipe()
pid, pidfd = shut.open_room(Limits(memory_mb=64, disk_mb=8), 1 << 30, {outlet: 1}, look)
os.close(outlet)
lines = open(inlet, closefd=False)
said = next((line for line in lines if not line.startswith("refused: ")), "")
def below(pid):
    found = open(f"/proc/{pid}/task/{pid}/children").read().split()
    return [pid, *(one for child in found for one in below(int(child)))]

inside = below(pid)
import select, signal
signal.pidfd_send_signal(pidfd, signal.SIGKILL)
select.select([pidfd], [], [])
left = os.read(inlet, 1)  # b"" once no process holds the other end
os.waitpid(pid, 0)
print(json.dumps({
    "inside": len(inside), "left": len(left),
    "alive": [one for one in inside if os.path.exists(f"/proc/{one}")],
    "room": json.loads(said) if said.startswith("{") else said,
}))
""".replace("import time\n", "import sys, time\n", 1)
)


def ran(code: str, *arguments: str | Path, prefix: tuple[str, ...] = ()) -> Any:
    command = [*prefix, sys.executable, "-c", code]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, cwd="/", timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
def test_landlock_alone_refuses_changes_outside_the_writable_folders(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("kept")
    results = ran(LANDLOCK, inside, outside)
    expected = {"write inside", "make inside", "read outside"}
    version = landlock.abi()
    expected |= {"truncate outside"} if version < 3 else set()
    expected |= {"listen"} if version < 4 else set()
    expected |= {"signal the parent"} if version < 6 else set()
    assert {name for name, result in results.items() if result == "done"} == expected
    assert results["connect"] == ("Connection refused" if version < 4 else "Permission denied")
    if version >= 3:
        assert (outside / "kept").read_text() == "kept"


def check_room(found: Any) -> None:
    room = found["room"]
    assert isinstance(room, dict), room
    assert room.pop("walls") == {
        "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2",
    }  # fmt: skip
    assert room.pop("shown") == room.pop("below a folder of its own") == "as it is outside"
    assert not {"home", "var", "root/x"} & set(room.pop("root"))
    assert room.pop("uid") == 1000 and room.pop("interfaces") == 1
    assert room.pop("processes") == 3 and room.pop("descriptors") == [0, 1]
    done = {"write the room", "write beside it"} | (
        {"signal process 1"} if landlock.abi() < 6 else set()
    )
    assert {name for name, result in room.items() if result == "done"} == done
    assert found["inside"] == 3 and found["alive"] == [] and found["left"] == 0


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    folder = tmp_path / "shown"
    folder.mkdir()
    (folder / "file").write_text("as it is outside")
    for path in (folder, *folder.parents):
        if path.owner() == Path.home().owner() and path.stat().st_mode & 0o55 != 0o55:
            path.chmod(0o755)
        if path.name.startswith("pytest-of"):
            break
    return folder


def test_a_room_shows_and_allows_only_what_it_should_and_ends_whole(shown: Path) -> None:
    check_room(ran(ROOM, shown))


def test_a_room_opened_by_an_ordinary_user_holds_as_well(shown: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("all tests of this run are an ordinary user's")
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv to become an ordinary user with")
    ordinary = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all")
    tried = subprocess.run(
        [*ordinary, sys.executable, "-c", f"import autograder, os; os.listdir({str(shown)!r})"],
        capture_output=True, text=True, cwd="/",
    )  # fmt: skip
    if tried.returncode:
        pytest.skip(f"an ordinary user cannot run {sys.executable} here")
    check_room(ran(ROOM, shown, prefix=ordinary))

"""Runs otter's own grader on an attack, in namespaces of its own: there the attack may succeed.

Run as a script inside ``unshare`` it makes everything but ``/mnt`` and ``/tmp`` read-only and
starts ``otter run``.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS = 300
"""Wall clock that ``otter run`` gets; it has no limit of its own."""
CONTAINED = ["unshare", "-Urmpfin", "--mount-proc", "--kill-child"]
_BIND, _REMOUNT, _READ_ONLY = 4096, 32, 1
_DUMP = """
import dill, nbformat
with open("/mnt/out/results.pkl", "rb") as file:
    nbformat.write(dill.load(file).notebook, "/mnt/out/executed.ipynb")
"""


@dataclass(frozen=True)
class Ran:
    """What came out of ``otter run``."""

    score: float | None
    """None if it wrote no results."""
    executed: str
    """The executed notebook, or an empty string."""
    timed_out: bool


def run(otter_zip: Path, files: dict[str, bytes], environment: dict[str, str], home: str) -> Ran:
    """Run ``otter run`` on what a student handed in.

    Args:
        otter_zip: The bundle's archive.
        files: What was handed in, by name.
        environment: Variables that the grader has beyond the ordinary ones.
        home: Text of the ``.netrc`` in the grader's home.
    """
    with tempfile.TemporaryDirectory(prefix="otter-") as folder:
        work = Path(folder)
        (work / "out").mkdir()
        (work / "netrc").write_text(home)
        shutil.copy(otter_zip, work / "autograder.zip")
        with zipfile.ZipFile(work / "submission.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        command = [*CONTAINED, sys.executable, __file__, folder]
        variables = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | environment
        try:
            subprocess.run(command, env=variables, capture_output=True, timeout=SECONDS)
            timed_out = False
        except subprocess.TimeoutExpired:
            timed_out = True
        return Ran(_score(work / "out"), _text(work / "out" / "executed.ipynb"), timed_out)


def _score(out: Path) -> float | None:
    try:
        told = json.loads((out / "results.json").read_bytes())
        if "score" in told:
            return float(told["score"])
        return float(sum(test.get("score", 0.0) for test in told["tests"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _inside(work: str) -> None:
    _loopback_up()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mount(work.encode(), b"/mnt", None, _BIND, None)
    libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, b"size=512m")
    libc.mount(b"tmpfs", str(Path(__file__).parents[1]).encode(), b"tmpfs", 0, None)  # canaries
    for place in _mounts():
        if not place.startswith(("/mnt", "/tmp", "/proc", "/dev")):
            libc.mount(None, place.encode(), None, _BIND | _REMOUNT | _READ_ONLY, None)
    os.makedirs("/tmp/home")
    shutil.copy("/mnt/netrc", "/tmp/home/.netrc")
    os.environ.update(HOME="/tmp/home", TMPDIR="/tmp", PYTHONDONTWRITEBYTECODE="1")
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**28, 2**28))
    resource.setrlimit(resource.RLIMIT_AS, (2**34, 2**34))
    os.chdir("/mnt/out")  # otter pickles its results into the working folder
    otter = [str(Path(sys.executable).parent / "otter"), "run", "/mnt/submission.zip"]
    options = ["-a", "/mnt/autograder.zip", "-o", "/mnt/out", "--no-logo", "-p"]
    subprocess.run([*otter, *options])
    time.sleep(1)  # otter ends nothing that a student started: that has a moment after the grader
    subprocess.run([sys.executable, "-c", _DUMP])


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        yield line.split()[4].encode().decode("unicode_escape")


if __name__ == "__main__":
    _inside(sys.argv[1])

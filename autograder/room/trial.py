"""A room on trial: it tries what a room must not be able to do, and says what came of it.

A configuration that looks right is no evidence; this is. The attempts are named in
:data:`ATTEMPTS`, by the wall that is to hold; :mod:`autograder.doctor` makes them.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from autograder.model import Limits
from autograder.places import place
from autograder.room.walls import Wall
from autograder.wire import packets

_libc = ctypes.CDLL(None, use_errno=True)
_MIB = 1024 * 1024
_FAR_BEYOND = 3
"""How many times its limit an attempt goes for before it counts as unlimited."""
_SAME_NUMBER = {"open_tree": 428, "io_uring_setup": 425, "pidfd_getfd": 438, "fsopen": 430}
"""System calls that have one number on all processors."""


class Bait(msgspec.Struct, frozen=True):
    """Things outside the room, laid out by M, that nobody in the room may reach."""

    file: str
    """A file outside, such as another student's."""
    word: str
    """What it holds."""
    process: int
    """M."""
    port: int
    """Where M listens on 127.0.0.1."""
    abstract: str
    """Name of an abstract socket where M listens."""
    path: str
    """Path of a socket where M listens."""
    segment: int
    """A segment of System V shared memory."""
    variable: str
    """An environment variable that M has."""


class Job(msgspec.Struct, frozen=True):
    """M to a room on trial: what to try."""

    attempts: list[str]
    bait: Bait
    limits: Limits


def warm() -> None:
    """Nothing is needed beforehand."""


def main() -> None:
    """Run in the room, when every wall stands."""
    control = socket.socket(fileno=packets.CONTROL)
    piece, _ = packets.receive(control, packets.Piece)
    job = msgspec.msgpack.decode(piece.data, type=Job)
    for name in job.attempts:
        _, attempt = ATTEMPTS[name]
        try:
            reached = attempt(job)
        except (OSError, MemoryError) as error:
            reached, detail = "", _reason(error)
        else:
            detail = reached or "nothing came of it"
        packets.send(control, packets.Tried(name, not reached, detail[:200]))
    packets.send(control, packets.Finished())
    signal.pause()


def _reason(error: OSError | MemoryError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _call(name: str, *arguments: object) -> str:
    """Make a call of the C library; says so if it worked."""
    ctypes.set_errno(0)
    if getattr(_libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return f"{name} worked"


def _refused_call(name: str) -> Callable[[Job], str]:
    def attempt(job: Job) -> str:
        ctypes.set_errno(0)
        _libc.syscall(_SAME_NUMBER[name], 0, 0, 0, 0)
        number = ctypes.get_errno()
        if number in (errno.EPERM, errno.ENOSYS):
            raise OSError(number, os.strerror(number))
        return f"{name} reached the kernel"

    return attempt


def _read_file(job: Job) -> str:
    return "read it" if job.bait.word in Path(job.bait.file).read_text() else ""


def _list_folder(job: Job) -> str:
    return ", ".join(os.listdir(Path(job.bait.file).parent))


def _read_passwords(job: Job) -> str:
    return Path("/etc/shadow").read_text()[:20] and "read /etc/shadow"


def _write_outside(job: Job) -> str:
    for folder in (sys.prefix, "/usr/lib", "/etc", "/var/tmp", "/home"):  # noqa: S108
        try:
            (Path(folder) / "autograder-was-here").touch(exist_ok=False)
        except OSError:
            continue
        (Path(folder) / "autograder-was-here").unlink()
        return f"wrote into {folder}"
    return ""


def _see_process(job: Job) -> str:
    line = Path(f"/proc/{job.bait.process}/cmdline").read_bytes()
    return "saw the grader's command" if b"autograder" in line or b"python" in line else ""


def _signal_process(job: Job) -> str:
    if Path(f"/proc/{job.bait.process}").is_dir():
        os.kill(job.bait.process, 0)
        return "could signal the grader"
    raise ProcessLookupError(errno.ESRCH, "no such process")


def _trace_process(job: Job) -> str:
    # PTRACE_SEIZE; to attach would stop the grader
    return _call("ptrace", 0x4206, job.bait.process, None, None)


def _connect(family: int, address: object) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as line:
        line.settimeout(5)
        line.connect(address)  # type: ignore[arg-type]
    return "connected"


def _send_abroad(job: Job) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.sendto(b"?", ("192.0.2.1", 53))  # an address that documentation reserves (RFC 5737)
    return "sent a datagram"


def _raw_socket(job: Job) -> str:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    return "opened a raw socket"


def _attach_segment(job: Job) -> str:
    _libc.shmat.restype = ctypes.c_void_p
    ctypes.set_errno(0)
    if _libc.shmat(job.bait.segment, None, 0o10000) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "attached the grader's shared memory"


def _see_variable(job: Job) -> str:
    own = Path("/proc/self/environ").read_bytes() + "".join(os.environ.values()).encode()
    theirs = Path(f"/proc/{job.bait.process}/environ").read_bytes()
    return "saw the grader's environment" if job.bait.variable.encode() in own + theirs else ""


def _become_root(job: Job) -> str:
    os.setuid(0)
    return "became root"


def _mount(job: Job) -> str:
    return _call("mount", b"x", b"/room", b"tmpfs", 0, None)


def _nest_namespaces(job: Job) -> str:
    return _call("unshare", 0x10000000)


def _type_into_terminal(job: Job) -> str:
    for number in range(3):
        if os.isatty(number):
            return _call("ioctl", number, 0x5412, b"x")
    return ""


def _counted(grow: Callable[[Callable[[], int]], None]) -> int:
    """What ``grow`` has counted in a child of its own before it ended or was ended."""
    counter = mmap.mmap(-1, 8)

    def count() -> int:
        number = int.from_bytes(counter[:8], "little") + 1
        counter[:8] = number.to_bytes(8, "little")
        return number

    child = os.fork()
    if not child:
        try:
            grow(count)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return int.from_bytes(counter[:8], "little")


def _verdict(unit: str, reached: float, limit: float) -> str:
    """What an attempt reached, if that is too much."""
    text = f"reached {reached:g} of {limit:g} {unit}"
    if reached < 2 * limit:
        raise OSError(errno.EDQUOT, text)
    return text


def _hoard(shared: bool) -> Callable[[Job], str]:
    def attempt(job: Job) -> str:
        most, step = job.limits.memory_mb, 4
        flags = mmap.MAP_ANONYMOUS | (mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE)

        def grow(count: Callable[[], int]) -> None:
            held: list[mmap.mmap] = []
            while len(held) * step < _FAR_BEYOND * most:
                held.append(mmap.mmap(-1, step * _MIB, flags=flags))
                held[-1].write(b"x" * (step * _MIB))
                count()
                time.sleep(0.02)
            time.sleep(2)

        return _verdict("MB", _counted(grow) * step, most)

    return attempt


def _hoard_together(job: Job) -> str:
    most, children = job.limits.memory_mb, []
    for _ in range(2 * _FAR_BEYOND):
        child = os.fork()
        if not child:
            held = bytearray(os.urandom(_MIB)) * (most // 2)
            time.sleep(1000)
            del held
        children.append(child)
    time.sleep(4)
    alive = 0
    for child in children:
        if os.waitpid(child, os.WNOHANG) == (0, 0):
            alive += 1
            os.kill(child, signal.SIGKILL)
    return _verdict("MB", alive * (most // 2), most)


def _until_refused(step: Callable[[int], object], limit: int) -> int:
    """How often ``step`` works before it is refused, if that is soon enough."""
    for number in range(_FAR_BEYOND * limit):
        try:
            step(number)
        except OSError:
            return number
    return _FAR_BEYOND * limit


def _multiply(job: Job) -> str:
    def bear(number: int) -> None:
        if not os.fork():
            time.sleep(1000)

    most = job.limits.processes
    return _verdict("processes", _until_refused(bear, most), most)


def _fill_disk(job: Job) -> str:
    def fill(number: int) -> None:
        (place("/room") / f"block{number}").write_bytes(bytes(_MIB))

    most = job.limits.disk_mb
    return _verdict("MB", _until_refused(fill, most), most)


def _fill_folder(job: Job) -> str:
    most = job.limits.files
    made = _until_refused(lambda number: (place("/room") / f"{number}").touch(), most)
    return _verdict("files", made, most)


def _grow_file(job: Job) -> str:
    most = job.limits.file_mb
    with open(place("/tmp") / "large", "wb", buffering=0) as file:  # noqa: S108
        grown = _until_refused(lambda number: file.write(bytes(_MIB)), most)
    return _verdict("MB", grown, most)


def _open_files(job: Job) -> str:
    most = job.limits.open_files
    opened = _until_refused(lambda number: os.dup(0), most)
    os.closerange(packets.CONTROL + 1, packets.CONTROL + 1 + opened)
    return _verdict("files", opened, most)


def _flood(job: Job) -> str:
    line, written = b"x" * 65535 + b"\n", 0
    while written < 64 * _MIB:
        written += os.write(1, line)
    return "wrote 64 MB past every limit"


def _spin(job: Job) -> str:
    for _ in range(2):
        if not os.fork():
            break
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    deadline = time.monotonic() + 60 * job.limits.cpu_seconds
    while time.monotonic() < deadline:
        pass
    return "was never stopped"


def _outstay(job: Job) -> str:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    time.sleep(60 * job.limits.submission_seconds)
    return "was never stopped"


def _outlive(job: Job) -> str:
    if not os.fork():
        os.setsid()
        if not os.fork():
            signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
            time.sleep(1000)
        os._exit(0)
    os.wait()
    return ""


ATTEMPTS: dict[str, tuple[Wall, Callable[[Job], str]]] = {
    "read a file outside": (Wall.VIEW, _read_file),
    "list a folder outside": (Wall.VIEW, _list_folder),
    "read the machine's passwords": (Wall.VIEW, _read_passwords),
    "write outside": (Wall.VIEW, _write_outside),
    "see the grader's process": (Wall.PROCESSES, _see_process),
    "signal the grader": (Wall.PROCESSES, _signal_process),
    "trace the grader": (Wall.SECCOMP, _trace_process),
    "connect to the grader's machine": (
        Wall.NETWORK, lambda job: _connect(socket.AF_INET, ("127.0.0.1", job.bait.port))),
    "send a name query": (Wall.NETWORK, _send_abroad),
    "open a raw socket": (Wall.NETWORK, _raw_socket),
    "connect to an abstract socket": (
        Wall.NETWORK, lambda job: _connect(socket.AF_UNIX, "\0" + job.bait.abstract)),
    "connect to a socket file": (
        Wall.VIEW, lambda job: _connect(socket.AF_UNIX, job.bait.path)),
    "share the grader's memory": (Wall.IPC, _attach_segment),
    "see the grader's environment": (Wall.PROCESSES, _see_variable),
    "become root": (Wall.PRIVILEGES, _become_root),
    "mount": (Wall.PRIVILEGES, _mount),
    "open further namespaces": (Wall.SECCOMP, _nest_namespaces),
    "type into a terminal": (Wall.SECCOMP, _type_into_terminal),
    **{f"call {name}": (Wall.SECCOMP, _refused_call(name)) for name in _SAME_NUMBER},
    "take more memory": (Wall.LIMITS, _hoard(shared=False)),
    "take more shared memory": (Wall.LIMITS, _hoard(shared=True)),
    "take more memory together": (Wall.WATCH, _hoard_together),
    "start more processes": (Wall.PROCESSES, _multiply),
    "write more": (Wall.VIEW, _fill_disk),
    "make more files": (Wall.VIEW, _fill_folder),
    "write a larger file": (Wall.LIMITS, _grow_file),
    "open more files": (Wall.LIMITS, _open_files),
    "print more": (Wall.WATCH, _flood),
    "use more processor time": (Wall.WATCH, _spin),
    "outstay its time": (Wall.WATCH, _outstay),
    "outlive its room": (Wall.PROCESSES, _outlive),
}  # fmt: skip
"""What is tried → the wall that is to hold, and how it is tried."""

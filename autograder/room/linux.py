"""Linux calls that Python's standard library does not wrap. Each raises ``OSError``."""

from __future__ import annotations

import ctypes
import os
import platform

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_PIDFD = 0x00001000
_SIGCHLD = 17

MS_RDONLY, MS_NOSUID, MS_NODEV = 1, 2, 4
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 24, 36, 38, 47
_MOUNT_ATTR = {MS_RDONLY: 1, MS_NOSUID: 2, MS_NODEV: 4}
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000

_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "mount_setattr": 442, "capset": 126},
    "aarch64": {"clone": 220, "pivot_root": 41, "mount_setattr": 442, "capset": 91},
}
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)
_held = ctypes.PyDLL(None, use_errno=True)
"""The C library, called without releasing the interpreter's lock."""


def _check(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
    return result


def number(name: str) -> int:
    """System call number of ``name`` on this processor; ``OSError`` on an unknown one."""
    try:
        return _NUMBERS[platform.machine()][name]
    except KeyError:
        raise OSError(f"rooms are not supported on {platform.machine()} processors") from None


def syscall(
    name_or_number: str | int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None
) -> int:
    """Make a system call with integer, bytes or buffer arguments."""
    code = number(name_or_number) if isinstance(name_or_number, str) else name_or_number
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return _check(_libc.syscall(ctypes.c_long(code), *converted), f"syscall {name_or_number}")


def prctl(option: int, *values: int) -> int:
    """``prctl(2)``."""
    padded = [ctypes.c_ulong(v) for v in (*values, 0, 0, 0, 0)][:4]
    return _check(_libc.prctl(option, *padded), f"prctl {option}")


def die_with_parent() -> None:
    """Have this process killed when its parent dies; lost at fork and at a change of user."""
    prctl(_PR_SET_PDEATHSIG, 9)


def no_new_privileges() -> None:
    """Make set-user-id programs powerless, for good."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def adopt_orphans() -> None:
    """Become the parent of descendants whose parents die."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_dumpable(value: bool) -> None:
    """Say whether this process's ``/proc`` files belong to its user rather than to root."""
    prctl(_PR_SET_DUMPABLE, int(value))


def drop_capabilities() -> None:
    """Give up every capability, for this process and all it may become."""
    prctl(_PR_CAP_AMBIENT, 4)
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            break
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    _check(
        _libc.syscall(ctypes.c_long(number("capset")), ctypes.byref(header), ctypes.byref(data)),
        "capset",
    )


def unshare(flags: int) -> None:
    """``unshare(2)``."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def clone(flags: int) -> tuple[int, int]:
    """Fork into new namespaces.

    Returns:
        ``(pid, pidfd)`` in the parent, ``(0, -1)`` in the child, which is process 1 if
        ``CLONE_NEWPID`` is among ``flags``.
    """
    pidfd = ctypes.c_int(-1)
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = _held.syscall(
        ctypes.c_long(number("clone")),
        ctypes.c_ulong(flags | CLONE_PIDFD | _SIGCHLD),
        ctypes.c_void_p(None),
        ctypes.byref(pidfd),
        ctypes.c_void_p(None),
        ctypes.c_void_p(None),
    )
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0, -1
    problem = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(problem, f"clone into new namespaces: {os.strerror(problem)}")
    return pid, pidfd.value


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """``mount(2)``."""
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, f"mount {kind or source} on {target}")


def unmount(target: str) -> None:
    """Detach the mount at ``target``."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def restrict_mount(target: str, flags: int) -> None:
    """Set ``MS_RDONLY``, ``MS_NOSUID``, ``MS_NODEV`` on the mounts at and below ``target``."""
    bits = sum(attribute for flag, attribute in _MOUNT_ATTR.items() if flags & flag)
    request = (ctypes.c_uint64 * 4)(bits, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(number("mount_setattr")),
        ctypes.c_int(_AT_FDCWD),
        target.encode(),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(request),
        ctypes.c_size_t(ctypes.sizeof(request)),
    )
    _check(result, f"mount_setattr {target}")


def pivot_root(new_root: str) -> None:
    """Make ``new_root`` the root of this mount namespace and let go of the old one."""
    os.chdir(new_root)
    _check(_libc.syscall(ctypes.c_long(number("pivot_root")), b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")

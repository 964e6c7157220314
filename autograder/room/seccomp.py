"""The system calls that rooms may not make, as a BPF program.

A refused call fails with EPERM, so that a library can fall back; ``clone3`` fails with ENOSYS, so
that the C library falls back to ``clone``, whose flags a filter can see. Layout of the program:
``linux/filter.h``, ``linux/seccomp.h``.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Iterator

_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""AUDIT_ARCH value, and column in the tables below."""

_REFUSED = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, -1),
    "iopl": (172, -1),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "memfd_secret": (447, 447),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_CLONE, _CLONE3, _SOCKET, _IOCTL = (56, 220), (435, 435), (41, 198), (16, 29)
_NAMESPACE_FLAGS = 0x7E020000
_AF_UNIX = 1
_TERMINAL_INJECTION = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX, which type into a terminal."""
_X32_BIT = 0x40000000

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_AT_NUMBER, _AT_ARCHITECTURE, _AT_ARGUMENT = 0, 4, 16


def program(machine: str | None = None) -> bytes:
    """The filter for ``machine`` (this one if not given) as ``struct sock_filter`` bytes.

    Raises:
        OSError: if there is no table for this processor.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(f"rooms are not supported on {machine} processors")
    return b"".join(struct.pack("=HBBI", *step) for step in _steps(*_ARCHITECTURES[machine]))


def _steps(architecture: int, column: int) -> Iterator[tuple[int, int, int, int]]:
    deny = _ERRNO | _EPERM
    yield _LOAD, 0, 0, _AT_ARCHITECTURE
    yield _JUMP_EQUAL, 1, 0, architecture
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _AT_NUMBER
    if column == 0:
        yield _JUMP_AT_LEAST, 0, 1, _X32_BIT
        yield _RETURN, 0, 0, deny
    for numbers in _REFUSED.values():
        if numbers[column] >= 0:
            yield _JUMP_EQUAL, 0, 1, numbers[column]
            yield _RETURN, 0, 0, deny
    yield _JUMP_EQUAL, 0, 1, _CLONE3[column]
    yield _RETURN, 0, 0, _ERRNO | _ENOSYS
    yield _JUMP_EQUAL, 0, 4, _CLONE[column]
    yield _LOAD, 0, 0, _AT_ARGUMENT
    yield _JUMP_ANY_BIT, 0, 1, _NAMESPACE_FLAGS
    yield _RETURN, 0, 0, deny
    yield _RETURN, 0, 0, _ALLOW
    yield _JUMP_EQUAL, 0, 4, _SOCKET[column]
    yield _LOAD, 0, 0, _AT_ARGUMENT
    yield _JUMP_EQUAL, 1, 0, _AF_UNIX
    yield _RETURN, 0, 0, deny
    yield _RETURN, 0, 0, _ALLOW
    yield _JUMP_EQUAL, 0, 4, _IOCTL[column]
    yield _LOAD, 0, 0, _AT_ARGUMENT + 8
    yield _JUMP_EQUAL, 1, 0, _TERMINAL_INJECTION[0]
    yield _JUMP_EQUAL, 0, 1, _TERMINAL_INJECTION[1]
    yield _RETURN, 0, 0, deny
    yield _RETURN, 0, 0, _ALLOW

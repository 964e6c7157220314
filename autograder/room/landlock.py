"""Landlock: a second, independent wall around the files and signals of a room.

Source: ``linux/landlock.h`` and the kernel's ``Documentation/userspace-api/landlock.rst``.
"""

from __future__ import annotations

import ctypes
import os
import struct

from autograder.room import linux

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_WRITES = {1: (1 << 1) | 0x1FF0, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""Rights to change files, by the ABI that introduced them: write, make and remove everything;
refer; truncate; device ioctls."""
_READS = 0b1101
"""Rights to execute files, to read them and to list folders."""
_OF_FILES = 0b111 | 1 << 14 | 1 << 15
"""Rights that a rule for a single file may give."""
_TCP = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def abi() -> int:
    """The kernel's Landlock version, 0 if it has none."""
    try:
        return linux.syscall(_CREATE, None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def confine(writable: list[str], readable: list[str] | None = None) -> int:
    """Forbid this process to change files outside ``writable``, to use TCP and to signal outwards.

    Args:
        writable: Folders and files that may be read and changed.
        readable: If given, nothing but these and ``writable`` may be read or executed either.

    Returns:
        The Landlock ABI that was enforced, 0 if the kernel has none.
    """
    version = abi()
    if not version:
        return 0
    rights = sum(right for since, right in _WRITES.items() if since <= version)
    if readable is not None:
        rights |= _READS
    network = _TCP if version >= 4 else 0
    scoped = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0
    attributes = struct.pack("=QQQ", rights, network, scoped)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = linux.syscall(_CREATE, ctypes.create_string_buffer(attributes[:size], size), size, 0)
    for path in writable:
        _allow_beneath(ruleset, path, rights)
    for path in readable or ():
        if os.path.exists(path):
            _allow_beneath(ruleset, path, _READS)
    linux.syscall(_RESTRICT, ruleset, 0)
    os.close(ruleset)
    return version


def _allow_beneath(ruleset: int, path: str, rights: int) -> None:
    if not os.path.isdir(path):
        rights &= _OF_FILES
    folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", rights, folder)
    linux.syscall(
        _ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.create_string_buffer(rule, len(rule)), 0
    )
    os.close(folder)

"""Where a room's folders really are: under their own names, or, without a view, somewhere else."""

from __future__ import annotations

from pathlib import Path

_elsewhere: dict[str, str] = {}


def place(name: str) -> Path:
    """The folder that rooms know as ``name`` (``/room``, ``/tmp``, ``/public``, ``/course``)."""
    return Path(_elsewhere.get(name, name))


def move(name: str, path: str) -> None:
    """Say that what rooms know as ``name`` is at ``path``."""
    _elsewhere[name] = path

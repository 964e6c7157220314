"""What was fetched of one assignment from Canvas: who handed in what, when, and how often.

``autograder canvas pull`` writes such a folder, ``autograder grade`` reads it: ``pull.json`` beside
``<user>/<attempt>/<attachment>/<file>``. It has what an archive from Canvas lacks: every attempt,
the moment of each, and due times of students' own.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from autograder.errors import IntakeError
from autograder.files import write_atomically

__all__ = ["FILE", "Attempt", "File", "Pull", "read", "write"]

FILE = "pull.json"
"""Name of the list in the folder."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was handed in."""

    id: int
    """Canvas attachment id."""
    name: str
    """As the student named it; its name on disk may be another one."""
    size: int
    """Bytes, as Canvas says."""
    path: str
    """Below the folder, with slashes; made of ids and a safe name only."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One time that a student handed in."""

    user: str
    """Canvas user id."""
    number: int
    """Canvas' count, from 1."""
    submitted: datetime
    """UTC."""
    late: bool
    """What Canvas says, extensions considered."""
    kind: str
    """Canvas' submission type, such as ``online_upload`` or ``online_text_entry``."""
    files: list[File] = []
    lost: list[str] = []
    """Names of further files that Canvas lists and did not give."""


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was fetched of one assignment."""

    address: str
    """Canvas' origin."""
    course: int
    assignment: int
    """Canvas assignment id."""
    title: str
    name: str
    """Name of the assignment here, in the course file."""
    points: float | None
    """Points possible in Canvas."""
    due: datetime | None
    """For everybody without a due time of their own, UTC."""
    pulled: datetime
    """When it was fetched, UTC."""
    dues: dict[str, datetime | None] = {}
    """Due times of students' own by Canvas user id, UTC; without one, nothing of theirs is late."""
    attempts: list[Attempt] = []
    """Ordered by user and number."""


def read(folder: Path) -> Pull | None:
    """What was fetched into ``folder``, or ``None`` if it is no such folder.

    Raises:
        IntakeError: if its list is damaged.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Pull)
    except (OSError, msgspec.DecodeError) as error:
        raise IntakeError(
            f"{file} cannot be read ({error}); run `autograder canvas pull` again."
        ) from None


def write(folder: Path, pull: Pull) -> None:
    """Write the list of ``folder``."""
    write_atomically(folder / FILE, msgspec.json.format(msgspec.json.encode(pull), indent=1))

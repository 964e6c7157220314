"""What students handed in, from Canvas to disk: ``USER/ATTEMPT/ATTACHMENT/FILE`` and a list of it.

Names of folders are Canvas' ids. A file's name is made safe; the true one is in the list. The list
is written last, so that it never tells of a file that is not there. What is there already is not
fetched again; what was begun is continued.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import UnsetType

from autograder import pulled
from autograder.canvas.client import Client
from autograder.canvas.dues import Override, due
from autograder.canvas.handedin import (
    Attachment,
    Column,
    HandedIn,
    Submission,
    overrides,
    submissions,
)
from autograder.canvas.people import Roster
from autograder.errors import CanvasError, IntakeError
from autograder.files import make_private
from autograder.pulled import Attempt, File, Pull
from autograder.text import one_line

__all__ = ["Summary", "counted", "few", "pull", "safe"]

_GIVE_UP = 3
"""So many files in a row that Canvas fails to give, and it is Canvas, not the files."""
_LONGEST, _SHOWN = 100, 10
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)

Heard = Callable[[int, int], None]
"""Is told how many of how many files were looked at."""


class Summary(msgspec.Struct, kw_only=True):
    """What came of a pull."""

    pull: Pull
    students: int
    """In the roster."""
    idle: list[str]
    """Canvas user ids of those who have it to do and handed in nothing."""
    new: list[Attempt]
    """Attempts that the list did not have before."""
    fetched: int
    """Files that were not there before."""
    problems: list[str] = []
    """Files that could not be fetched: whose, which, and why."""
    notes: list[str] = []


def pull(
    client: Client, course: int, column: Column, name: str, folder: Path, roster: Roster,
    heard: Heard = lambda *_: None,
) -> Summary:  # fmt: skip
    """Fetch everything that was handed in for one assignment.

    Args:
        client: Asks Canvas.
        course: Canvas course id.
        column: The assignment in Canvas.
        name: Its name here.
        folder: Where to put it.
        roster: The course's students; what others handed in is left alone.
        heard: Is told how far it is.

    Raises:
        CanvasError: if Canvas fails; what is there stays, and the list is the one before.
        IntakeError: if the folder is another assignment's, cannot be written, or is in use.
    """
    try:
        make_private(folder)
        with _alone(folder):
            return _pull(client, course, column, name, folder, roster, heard)
    except OSError as error:
        raise IntakeError(
            f"{folder} cannot be written ({error.strerror}); what was fetched stays: mend that and "
            "run the same command again."
        ) from None


def safe(name: str) -> str:
    """A file's name made of ASCII letters, digits, ``.``, ``_`` and ``-``, at most 100 of them.

    It has no folder in it, begins with no dot, and is no device's name on any system.
    """
    plain = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", plain).lstrip(".")
    if len(plain) > _LONGEST:
        stem, dot, suffix = plain.rpartition(".")
        end = dot + suffix if stem and len(suffix) < 16 else ""
        plain = plain[: _LONGEST - len(end)] + end
    plain = plain.rstrip(".") or "file"
    return f"_{plain}" if _RESERVED.fullmatch(plain) else plain


def few(users: Sequence[str]) -> str:
    """How many, and the first ones' ids."""
    shown = ", ".join(users[:_SHOWN]) + (", …" if len(users) > _SHOWN else "")
    return f"{counted(len(users), 'student')} ({shown})"


def counted(number: int, thing: str) -> str:
    """A number of things: ``1 file``, ``2 files``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _pull(
    client: Client, course: int, column: Column, name: str, folder: Path, roster: Roster,
    heard: Heard,
) -> Summary:  # fmt: skip
    now = datetime.now(UTC)
    before = _before(folder, client.origin, column.id)
    own = overrides(client, course, column.id)
    found = submissions(client, course, column.id, roster.people)
    shelf = _Shelf(client, folder, heard, sum(map(_count, found.values())))
    attempts = [shelf.take(str(user), one) for user, each in found.items() for one in each.attempts]
    attempts.sort(key=lambda one: (int(one.user), one.number))
    dues, unsure = _dues(column, found, roster, own)
    made = Pull(
        address=client.origin, course=course, assignment=column.id, title=column.name, name=name,
        points=column.points_possible, due=column.due_at, pulled=now, dues=dues, attempts=attempts,
    )  # fmt: skip
    pulled.write(folder, made)
    known = {(one.user, one.number) for one in before.attempts} if before else set()
    return Summary(
        pull=made,
        students=len(roster.people),
        idle=[str(user) for user, each in found.items() if not each.attempts],
        new=[one for one in attempts if (one.user, one.number) not in known],
        fetched=shelf.fetched,
        problems=shelf.problems,
        notes=_notes(column, unsure),
    )


class _Shelf:
    """Files on disk, and those that are still to come."""

    def __init__(self, client: Client, folder: Path, heard: Heard, total: int) -> None:
        self.client, self.folder, self.heard, self.total = client, folder, heard, total
        self.done = self.fetched = self._failures = 0
        self.problems: list[str] = []
        self._places: dict[int, Path] = {}
        self._lost: dict[int, CanvasError] = {}

    def take(self, user: str, one: HandedIn) -> Attempt:
        """Fetch the files of one attempt."""
        number, files, lost = one.attempt or 0, list[File](), list[str]()
        for listed in one.attachments or []:
            path = f"{user}/{number}/{listed.id}/{safe(listed.display_name)}"
            name = listed.display_name.encode("utf-8", "replace").decode()
            if self._is_there(listed, self.folder / path, f"{user}, attempt {number}"):
                files.append(File(id=listed.id, name=name, size=listed.size, path=path))
            else:
                lost.append(name)
            self.done += 1
            self.heard(self.done, self.total)
        return Attempt(
            user=user, number=number, submitted=one.submitted_at or datetime.now(UTC),
            late=bool(one.late), kind=one.submission_type or "", files=files, lost=lost,
        )  # fmt: skip

    def _is_there(self, listed: Attachment, target: Path, whose: str) -> bool:
        """Fetch a file unless it is there; whether it is there then."""
        try:
            if not _has(target, listed.size):
                self._fetch(listed, target)
                self.fetched += 1
        except CanvasError as error:
            self._failures += error.status >= 500 and listed.id not in self._lost
            if error.status in (0, 401) or self._failures >= _GIVE_UP:
                raise
            self._lost[listed.id] = error
            self.problems.append(f"{whose}, {one_line(listed.display_name, 80)}: {error}")
            return False
        self._failures = 0
        self._places[listed.id] = target
        return True

    def _fetch(self, listed: Attachment, target: Path) -> None:
        if listed.id in self._lost:  # of another member of the group
            raise self._lost[listed.id]
        make_private(target.parent)
        twin = self._places.get(listed.id)
        if twin is not None and _has(twin, listed.size):
            part = target.with_name(f"{target.name}.part")
            shutil.copy(twin, part)
            part.replace(target)
            return
        if not listed.url:
            raise CanvasError("Canvas has it no more, or does not give it out", 404)
        self.client.download(listed.url, target, listed.size)


def _has(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _count(one: Submission) -> int:
    return sum(len(each.attachments or []) for each in one.attempts)


def _before(folder: Path, address: str, assignment: int) -> Pull | None:
    """What was fetched before.

    Raises:
        IntakeError: if it was another assignment.
    """
    try:
        found = pulled.read(folder)
    except IntakeError:
        return None  # it is written anew
    if found and (found.address, found.assignment) != (address, assignment):
        raise IntakeError(
            f"{folder} holds assignment {found.assignment} of {found.address}, not {assignment} of "
            f"{address}; choose another --folder."
        )
    return found


def _dues(
    column: Column, found: dict[int, Submission], roster: Roster, own: list[Override]
) -> tuple[dict[str, datetime | None], list[str]]:
    """Due times that are not the general one, and for whom Canvas' two answers differ.

    What Canvas has worked out counts, because by that it tells who is late.
    """
    dues, unsure = dict[str, datetime | None](), list[str]()
    for user, each in found.items():
        group = each.group.id if each.group else None
        sections = roster.people[str(user)].sections
        mine = due(column.due_at, own, user, sections, group)
        theirs = each.cached_due_date
        if not isinstance(theirs, UnsetType):
            if not _same(theirs, mine):
                unsure.append(str(user))
            mine = theirs
        if not _same(mine, column.due_at):
            dues[str(user)] = mine
    return dues, unsure


def _same(one: datetime | None, other: datetime | None) -> bool:
    """Whether two due times are the same for people, who set them to the minute."""
    if one is None or other is None:
        return one is other
    return abs(one - other) < timedelta(minutes=1)


def _notes(column: Column, unsure: list[str]) -> list[str]:
    notes = []
    if unsure:
        notes.append(
            f"Canvas counts another due time for {few(unsure)} than its dates say, as it "
            "does for minutes after a date was changed; pull again before you grade."
        )
    if column.group_category_id is not None:
        notes.append("it is done in groups; give `autograder grade` the groups with --teams.")
    if column.moderated_grading:
        notes.append("grading is moderated; Canvas takes grades once the moderator releases them.")
    return notes


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second pull out of the folder.

    Raises:
        IntakeError: if there is one already.
    """
    lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise IntakeError(f"Another pull is writing {folder}; wait until it ends.") from None
    finally:
        os.close(lock)

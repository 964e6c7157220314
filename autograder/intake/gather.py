"""Finding every file that was handed in, and whose it is."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from autograder.errors import IntakeError
from autograder.intake.names import Reading, is_named, readings, slug, whose
from autograder.intake.unpack import COURSE, STUDENT, Member, unpack
from autograder.model import Student
from autograder.teams import Team
from autograder.text import one_line

SUFFIX = re.compile(r"\.ipynb(?:\.(?:txt|json))?$|\.[^.]*$", re.IGNORECASE)
"""A file's ending; some browsers add one to ``.ipynb``."""
JUNK = re.compile(r"(?:^|/)(?:\.|__MACOSX/|__pycache__/|Thumbs\.db$|desktop\.ini$)")
OTTER_MARK = "__zip_filename__"
"""Otter's ``Notebook.export`` puts an entry of this name into its archives."""


class Unmatched(msgspec.Struct, frozen=True, kw_only=True):
    """A file that became no submission."""

    source: str
    """Where it was found."""
    reason: str


class Piece(NamedTuple):
    """One file of one student."""

    owner: str
    """Canvas user id."""
    group: str
    """Files of one group were downloaded together: they are one attempt."""
    name: str
    """The name the student gave the file, or that of the student's archive's entry."""
    data: bytes
    problem: str
    """Why it could not be read, or empty."""
    source: str
    attachment: int
    """Canvas attachment id, which grows with time; 0 if unknown."""
    late: bool
    page: bool
    """Whether it is the page Canvas makes of a text entry or link."""
    named_after_owner: bool
    """Whether only the file's ending tells what it is."""
    entry: str = ""
    """As Canvas named it in its archive, or the archive in it; empty if it did not."""


class Owner(NamedTuple):
    """Whose a file is, and what its name tells beside."""

    id: str
    name: str
    attachment: int = 0
    late: bool = False
    page: bool = False
    named_after_owner: bool = False
    entry: str = ""


class Found(NamedTuple):
    """A file before anybody knows whose it is."""

    member: Member
    group: str
    source: str


class Roster:
    """The students by everything their files may be named after."""

    def __init__(self, students: Sequence[Student], teams: Sequence[Team] = ()) -> None:
        self.by_id = {student.id: student for student in students}
        self.groups = {one.id: {slug(team.name)} for team in teams for one in team.members}
        self.handles: defaultdict[str, set[str]] = defaultdict(set)
        for student in students:
            for handle in filter(None, (student.id, student.login, student.sis_id)):
                self.handles[handle.casefold()].add(student.id)

    def owner(self, path: str) -> Owner | str:
        """Whose the file at the relative ``path`` is, or why nobody's."""
        *folders, base = path.split("/")
        for depth, handle in enumerate([*folders, SUFFIX.sub("", base)]):
            ids = self.handles.get(handle.casefold(), set())
            if len(ids) > 1:
                return f"{one_line(handle, 60)!r} is the login or id of several students"
            if ids:
                return Owner(next(iter(ids)), base, named_after_owner=depth == len(folders))
        reading = whose(base, self.by_id, self.groups)
        return _canvas_owner(reading, base) if isinstance(reading, Reading) else reading

    def is_one_students(self, archive: str) -> bool:
        """Whether an archive is named after one student.

        The name of a whole course's may hold numbers too, so the student's own must be in it.
        """
        owner = self.owner(archive)
        if isinstance(owner, str) or not owner.entry:
            return isinstance(owner, Owner)
        return any(
            is_named(reading, self.by_id[owner.id], self.groups)
            for reading in readings(archive)
            if reading.user == owner.id
        )


def gather(
    paths: Sequence[Path], roster: Sequence[Student], teams: Sequence[Team] = ()
) -> tuple[list[Piece], list[Unmatched]]:
    """Find the files at ``paths``.

    Returns:
        The students' files, and what is nobody's.

    Raises:
        IntakeError: if a path does not exist, or an archive of a whole course cannot be read.
    """
    known = Roster(roster, teams)
    pieces: list[Piece] = []
    unmatched: list[Unmatched] = []
    for path in paths:
        for found in _files(path, known):
            owner = known.owner(found.member.name)
            if isinstance(owner, Owner):
                pieces += opened(found, owner)
            else:
                unmatched.append(Unmatched(source=found.source, reason=owner))
    return pieces, unmatched


def _canvas_owner(reading: Reading, entry: str) -> Owner:
    page = reading.attachment == 0
    return Owner(reading.user, reading.rest, reading.attachment, reading.late, page, entry=entry)


def _files(path: Path, roster: Roster) -> Iterator[Found]:
    if path.is_dir():
        for member in _folder(path):
            file = path / member.name
            if _is_archive(member) and not roster.is_one_students(member.name):
                yield from _course_archive(file)
            else:
                yield Found(member, str(path), one_line(str(file)))
    elif not path.is_file():
        raise IntakeError(f"{path} does not exist; pass the archive or folder of submissions.")
    elif path.suffix.lower() == ".zip" and not roster.is_one_students(path.name):
        yield from _course_archive(path)
    else:
        yield Found(read(path, path.name), str(path.parent), one_line(str(path)))


def _folder(folder: Path) -> Iterator[Member]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            name = (Path(root) / file).relative_to(folder).as_posix()
            if not JUNK.search(name):
                yield read(Path(root) / file, name, os.O_NOFOLLOW)


def read(path: Path, name: str, flags: int = 0) -> Member:
    """Read a file; what is no ordinary one, or is too large, has a problem instead of contents."""
    try:
        # O_NONBLOCK, so that opening a pipe does not wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | flags)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return Member(name, problem="it is a link or device, not a file")
            data = file.read(COURSE.file_bytes + 1)
    except OSError:
        return Member(name, problem="it is a link, or cannot be read")
    if len(data) > COURSE.file_bytes:
        return Member(name, problem="it is too large")
    return Member(name, data)


def _is_archive(member: Member) -> bool:
    return member.name.lower().endswith(".zip") and member.data.startswith(b"PK")


def _course_archive(path: Path) -> Iterator[Found]:
    try:
        members = list(unpack(path, COURSE, lambda name: not JUNK.search(name)))
    except IntakeError as error:
        raise IntakeError(f"{path}: {error}") from None
    if any(member.name == OTTER_MARK for member in members):
        raise IntakeError(
            f"{path} is an archive that otter made for one student and does not say for whom; "
            "rename it to the student's login or Canvas id, as in 123.zip."
        )
    for member in members:
        yield Found(member, str(path), one_line(f"{path.name}/{member.name}"))


def opened(found: Found, owner: Owner) -> Iterator[Piece]:
    """The files that ``found`` is: itself, or what the archive of a student holds."""

    def piece(name: str, member: Member, source: str) -> Piece:
        return Piece(
            owner=owner.id,
            group=found.group,
            name=name,
            data=member.data,
            problem=member.problem,
            source=source,
            attachment=owner.attachment,
            late=owner.late,
            page=owner.page,
            named_after_owner=owner.named_after_owner and member is found.member,
            entry=owner.entry,
        )

    if not _is_archive(found.member):
        yield piece(owner.name, found.member, found.source)
        return
    try:
        for member in unpack(found.member.data, STUDENT, lambda name: not JUNK.search(name)):
            if member.name != OTTER_MARK:
                inner = one_line(f"{found.source}/{member.name}")
                yield piece(member.name.rpartition("/")[2], member, inner)
    except IntakeError as error:
        yield piece(owner.name, Member(owner.name, problem=str(error)), found.source)

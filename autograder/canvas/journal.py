"""What was sent to Canvas: SQLite, append-only, a line for each step of each student's grade.

A step is written down before it is taken, and again when its outcome was read back. So after a
crash anywhere it is known what may have been done, and what was in Canvas when it was last seen
to be ours is what a later grade is compared with.

Its folder is locked while grades are sent: two at a time would each take the other for a person.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from autograder.database import Database
from autograder.errors import StoreError

__all__ = ["FILE", "Journal", "Part", "Record", "State"]

FILE = "journal.sqlite"
"""Its usual name."""
VERSION = 1
"""Version of the tables; kept in ``PRAGMA user_version``."""
APPLICATION = 0x61677270
"""``PRAGMA application_id`` of our files: "agrp"."""
SCHEMA = (
    "CREATE TABLE course (canvas TEXT NOT NULL, course INTEGER NOT NULL)",
    """CREATE TABLE steps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    written TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    assignment INTEGER NOT NULL,
    user TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    part TEXT NOT NULL CHECK (part IN ('grade', 'comment')),
    content TEXT NOT NULL,
    value BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intended', 'sent', 'confirmed', 'refused')),
    job INTEGER,
    detail TEXT NOT NULL
)""",
    "CREATE INDEX steps_of_student ON steps (assignment, part, user, id)",
    """CREATE TRIGGER steps_stay BEFORE UPDATE ON steps
    BEGIN SELECT RAISE(ABORT, 'steps are append-only'); END""",
    """CREATE TRIGGER steps_remain BEFORE DELETE ON steps
    BEGIN SELECT RAISE(ABORT, 'steps are append-only'); END""",
)
_COLUMNS = "user, attempt, part, content, value, state, job, detail, written"


class State(StrEnum):
    """How far a step is."""

    INTENDED = "intended"
    """It may have been sent."""
    SENT = "sent"
    """Canvas has taken it, and may not have done it yet."""
    CONFIRMED = "confirmed"
    """It was read back."""
    REFUSED = "refused"
    """It was looked for, and is not there."""

    @property
    def open(self) -> bool:
        """Whether its outcome is unknown."""
        return self in (State.INTENDED, State.SENT)


class Part(StrEnum):
    """What a step sends."""

    GRADE = "grade"
    """Points and rubric."""
    COMMENT = "comment"
    """Our comment with its file."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the journal."""

    user: str
    """Canvas user id."""
    attempt: int
    part: Part
    content: str
    """Hash of points, rubric, comment and file: all that was to be in Canvas."""
    value: bytes
    """JSON: what of it this part is."""
    state: State
    job: int | None = None
    """Canvas' number of the job that does it."""
    detail: str = ""
    """Why it was refused."""
    written: str = ""
    """UTC, ISO 8601; the journal's to say."""

    def now(self, state: State, job: int | None = None, detail: str = "") -> Record:
        """The same step, this far."""
        return msgspec.structs.replace(self, state=state, job=job or self.job, detail=detail)


class Journal(Database):
    """The journal of one course. Also a context manager that closes it.

    Args:
        path: The file; made if it is not there.
        origin: Canvas' address.
        course: Canvas course id.

    Raises:
        StoreError: if it is no journal of this course, or cannot be read.
    """

    def __init__(self, path: Path, origin: str, course: int) -> None:
        self.origin, self.course = origin, course
        super().__init__(path)

    def append(self, assignment: int, records: Iterable[Record]) -> None:
        """Write lines down: all or, after a crash, none.

        Args:
            assignment: Canvas assignment id.
            records: What happened, in order.

        Raises:
            StoreError: if they cannot be written.
        """
        rows = [(assignment, one.user, one.attempt, one.part, one.content, one.value, one.state,
                 one.job, one.detail) for one in records]  # fmt: skip
        with self._errors(), self._transaction():
            self._database.executemany(
                "INSERT INTO steps (assignment, user, attempt, part, content, value, state, job, "
                "detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def confirmed(self, assignment: int, part: Part) -> dict[str, Record]:
        """What was confirmed last of each student, by Canvas user id.

        Raises:
            StoreError: if it cannot be read.
        """
        return self._last(assignment, part, "state = 'confirmed'")

    def latest(self, assignment: int, part: Part) -> dict[str, Record]:
        """The last step of each student, by Canvas user id.

        Raises:
            StoreError: if it cannot be read.
        """
        return self._last(assignment, part, "1")

    def length(self, assignment: int) -> int:
        """How many steps of an assignment it has.

        Raises:
            StoreError: if it cannot be read.
        """
        with self._errors():
            (found,) = self._database.execute(
                "SELECT count(*) FROM steps WHERE assignment = ?", (assignment,)
            ).fetchone()
        return int(found)

    def history(self, assignment: int) -> list[Record]:
        """Every step of an assignment, in order.

        Raises:
            StoreError: if it cannot be read.
        """
        return self._read("assignment = ? ORDER BY id", (assignment,))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from sending grades with it.

        Raises:
            StoreError: if somebody does already.
        """
        with self._errors():
            handle = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise StoreError(
                f"Grades are being sent with {self.path} already; wait until that has ended."
            ) from None
        try:
            yield
        finally:
            os.close(handle)

    def _last(self, assignment: int, part: Part, where: str) -> dict[str, Record]:
        found = self._read(
            "id IN (SELECT max(id) FROM steps WHERE assignment = ? AND part = ? AND "  # noqa: S608
            f"{where} GROUP BY user)",
            (assignment, part),
        )
        return {one.user: one for one in found}

    def _read(self, where: str, values: tuple[object, ...]) -> list[Record]:
        with self._errors():
            asked = f"SELECT {_COLUMNS} FROM steps WHERE {where}"  # noqa: S608
            rows = self._database.execute(asked, values).fetchall()
        names = _COLUMNS.split(", ")
        return [msgspec.convert(dict(zip(names, row, strict=True)), Record) for row in rows]

    def _open(self) -> None:
        self._database.execute("PRAGMA synchronous = FULL")
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not (application or version or tables):
            os.chmod(self.path, 0o600)
            origin = self.origin.replace("'", "''")
            whose = f"INSERT INTO course VALUES ('{origin}', {self.course})"  # noqa: S608
            self._create([*SCHEMA, whose], APPLICATION, VERSION)
        elif (application, version) != (APPLICATION, VERSION):
            raise StoreError(
                f"{self.path} is no journal of this version of the autograder; name another file, "
                "and every grade in Canvas is taken for a person's."
            )
        found = self._database.execute("SELECT canvas, course FROM course").fetchone()
        if found != (self.origin, self.course):
            raise StoreError(
                f"{self.path} is the journal of course {found[1]} on {found[0]}, not of course "
                f"{self.course} on {self.origin}; name another file."
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, msgspec.ValidationError) as error:
            raise StoreError(
                f"The journal {self.path} cannot be used ({error}); check that it may be written "
                "and that the disk has room. Without it every grade in Canvas is taken for a "
                "person's, so put a copy of it back if it is damaged."
            ) from None
        except OSError as error:
            raise StoreError.unwritable(self.path, error) from None

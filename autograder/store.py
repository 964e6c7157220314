"""The file of results: SQLite, append-only, one transaction for each submission.

A result is kept under its key (a hash of submission, bundle, environment and seed), which makes
the store the cache, the resume after a crash and the history of regrades at once. ``results`` are
never changed; ``history`` says in which order they came to count. Every result is kept with
checksums, so a byte that a disk turned is never taken for a grade.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from autograder.database import Database
from autograder.errors import DamagedStoreError, StoreError
from autograder.model import Outcome, Verdict

VERSION = 2
"""Version of the tables; kept in ``PRAGMA user_version``."""
APPLICATION = 0x61677264
"""``PRAGMA application_id`` of our files: "agrd"."""

SCHEMA = """
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    student TEXT NOT NULL,
    assignment TEXT NOT NULL,
    written TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    verdict BLOB NOT NULL,
    executed BLOB NOT NULL,
    log TEXT NOT NULL,
    contents BLOB NOT NULL,
    checksum BLOB NOT NULL
);
CREATE INDEX results_by_key ON results (key, id);
CREATE TABLE artefacts (
    result INTEGER NOT NULL REFERENCES results (id),
    name TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (result, name)
) WITHOUT ROWID;
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    result INTEGER NOT NULL REFERENCES results (id)
);
CREATE TRIGGER results_stay BEFORE UPDATE ON results
    BEGIN SELECT RAISE(ABORT, 'results are append-only'); END;
CREATE TRIGGER results_remain BEFORE DELETE ON results
    BEGIN SELECT RAISE(ABORT, 'results are append-only'); END;
"""
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Store(Database):
    """Results of submissions, by key and by student. Also a context manager that closes it.

    Args:
        path: The file; made if it is not there.

    Raises:
        DamagedStoreError: if the file is damaged.
        StoreError: if it is no store of results, or of another version.
    """

    def get(self, key: str) -> Outcome | None:
        """Return the newest outcome put under ``key``, if there is one.

        Raises:
            DamagedStoreError: if it is not what was put.
        """
        with self._errors():
            row = self._database.execute(
                "SELECT max(id) FROM results WHERE key = ?", (key,)
            ).fetchone()
            return None if row[0] is None else self.read(row[0]).outcome

    def whole(self, verdict: Verdict) -> Outcome:
        """Return the outcome that ``verdict`` is of.

        Raises:
            StoreError: if there is none, or it is not what was put.
        """
        found = self.get(verdict.key)
        if found is None:
            raise StoreError(f"{self.path} has no result of the key {verdict.key}.")
        return msgspec.structs.replace(found, verdict=verdict)

    def read(self, number: int) -> Kept:
        """Return the ``number``-th result.

        Raises:
            DamagedStoreError: if it is not what was put, or there is none.
        """
        with self._errors():
            return read(self._database, number)

    def check(self) -> None:
        """Read everything.

        Raises:
            DamagedStoreError: if anything in the file is not what was put.
        """
        with self._errors():
            (found,) = self._database.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            numbers = self._database.execute("SELECT id FROM results").fetchall()
            for (number,) in numbers:
                self.read(number)

    def put(self, key: str, outcome: Outcome, written: str | None = None) -> None:
        """Append ``outcome``, which is from now on the latest of its hand-in.

        Either all of it is in the file when this returns, or nothing after a crash.

        Args:
            key: Result key.
            outcome: What to keep.
            written: When it was first put, as :class:`Kept` says it; now if not given.

        Raises:
            StoreError: if it cannot be written.
        """
        log = outcome.log.encode("utf-8", "replace").decode("utf-8")
        outcome = msgspec.structs.replace(outcome, log=log)
        student, assignment = outcome.verdict.student, outcome.verdict.assignment
        verdict = msgspec.json.encode(outcome.verdict)
        with self._errors(), self._transaction():
            contents = _contents(outcome)
            result = self._database.execute(
                "INSERT INTO results "
                "(key, student, assignment, verdict, executed, log, contents, checksum) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key, student, assignment, verdict, outcome.executed, log, contents,
                    _checksum(verdict, key, contents, student, assignment),
                ),
            ).lastrowid  # fmt: skip
            self._database.executemany(
                "INSERT INTO artefacts VALUES (?, ?, ?)",
                [(result, name, data) for name, data in outcome.artefacts.items()],
            )
            self._database.execute("INSERT INTO history (result) VALUES (?)", (result,))

    def reuse(self, verdict: Verdict) -> bool:
        """Make a kept outcome with this very verdict the latest of its hand-in again.

        To be called when ``get`` spared a grading: after a change of bundle was taken back, what
        counts is the older result.

        Returns:
            Whether there was one.

        Raises:
            StoreError: if it cannot be written.
        """
        with self._errors(), self._transaction():
            found = self._database.execute(
                "INSERT INTO history (result) SELECT max(id) FROM results "
                "WHERE key = ? AND verdict = ? GROUP BY key",
                (verdict.key, msgspec.json.encode(verdict)),
            )
            return found.rowcount == 1

    def latest(self, assignment: str | None = None) -> list[Verdict]:
        """Return the newest verdict on each hand-in, in the order of the students' ids and times.

        A student has as many as there are attempts whose times are known, and one of all others.

        Args:
            assignment: Of this assignment only; by default the newest of any.

        Raises:
            StoreError: if the file is damaged.
        """
        with self._errors():
            rows = self._database.execute(
                "SELECT verdict, key, contents, checksum, student, assignment FROM results "
                "JOIN (SELECT result, max(id) AS counted FROM history GROUP BY result) "
                "ON result = results.id WHERE ?1 IS NULL OR assignment = ?1 ORDER BY counted",
                (assignment,),
            )
            newest = {verdict.occasion: verdict for verdict in (_verdict(*row) for row in rows)}
        return sorted(newest.values(), key=_place)

    def _open(self) -> None:
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        held = {sql for (sql,) in self._database.execute("SELECT sql FROM sqlite_master")}
        if not held and not version and not application:
            self._create(_statements(), APPLICATION, VERSION)
        elif held >= set(_statements()) and (application, version) != (APPLICATION, VERSION):
            raise sqlite3.DatabaseError("its first page was changed")
        elif application != APPLICATION:
            raise StoreError(f"{self.path} is a database of another program; name another file.")
        elif version < VERSION:
            raise OldStoreError(
                f"{self.path} was written by an earlier version of the autograder; run `autograder "
                "grade` again: it puts the file aside and grades afresh."
            )
        elif version != VERSION:
            raise StoreError(
                f"{self.path} was written by another version of the autograder (tables {version}, "
                f"not {VERSION}); name another file, and grading fills it again."
            )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, msgspec.DecodeError, UnicodeError) as error:
            raise self._problem(error) from None
        except OSError as error:
            raise StoreError.unwritable(self.path, error) from None

    def _problem(self, error: Exception) -> StoreError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and not self._room()):
            return StoreError.full(self.path)
        if code in _DAMAGE or "decode" in str(error).lower():
            return DamagedStoreError(
                f"The results in {self.path} are damaged ({error}); run `autograder grade` again: "
                "it keeps what is sound and grades the rest afresh."
            )
        return StoreError(
            f"The results in {self.path} cannot be used ({error}); check that the folder exists, "
            "may be written and has room, and that no other grading runs on it."
        )

    def _room(self) -> bool:
        return shutil.disk_usage(self.path.parent).free > 0


class OldStoreError(StoreError):
    """The file of results is of an earlier version."""


@dataclass(frozen=True)
class Kept:
    """One result as it was put."""

    key: str
    written: str
    """UTC, ISO 8601."""
    outcome: Outcome


def read(database: sqlite3.Connection, number: int) -> Kept:
    """Return the ``number``-th result in ``database``, checked.

    Raises:
        sqlite3.DatabaseError, msgspec.DecodeError: if it is not what was put, or there is none.
    """
    row = database.execute(
        "SELECT verdict, key, contents, checksum, student, assignment, written, executed, log "
        "FROM results WHERE id = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"result {number} is missing")
    artefacts = database.execute("SELECT name, data FROM artefacts WHERE result = ?", (number,))
    outcome = Outcome(
        verdict=_verdict(*row[:6]), executed=row[7], log=row[8], artefacts=dict(artefacts)
    )
    if _contents(outcome) != row[2]:
        raise sqlite3.DatabaseError(f"result {number} was changed")
    return Kept(row[1], row[6], outcome)


def _place(verdict: Verdict) -> tuple[int, str, bool, float, int]:
    when = verdict.submitted.timestamp() if verdict.submitted else 0.0
    known = verdict.submitted is not None
    return len(verdict.student), verdict.student, known, when, verdict.attempt


def _verdict(
    data: bytes, key: str, contents: bytes, checksum: bytes, student: str, assignment: str
) -> Verdict:
    if _checksum(data, key, contents, student, assignment) != checksum:
        raise sqlite3.DatabaseError("a verdict was changed")
    return msgspec.json.decode(data, type=Verdict)


def _checksum(data: bytes, key: str, contents: bytes, student: str, assignment: str) -> bytes:
    return _digest(key.encode(), student.encode(), assignment.encode(), data, contents)


def _contents(outcome: Outcome) -> bytes:
    parts = [outcome.executed, outcome.log.encode()]
    for name, data in sorted(outcome.artefacts.items()):
        parts += [name.encode(), data]
    return _digest(*parts)


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.digest()


def _statements() -> Iterator[str]:
    statement = ""
    for line in SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip().removesuffix(";")
            statement = ""

"""The file of results: SQLite, append-only, one transaction for each submission.

A result is kept under its key (a hash of submission, bundle, environment and seed), which makes
the store the cache, the resume after a crash and the history of regrades at once. ``results`` are
never changed; ``history`` says in which order they came to count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import msgspec

from autograder.errors import StoreError
from autograder.model import Outcome, Verdict

VERSION = 1
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
    log TEXT NOT NULL
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


class Store:
    """Results of submissions, by key and by student. Also a context manager that closes it.

    The rollback journal is kept instead of SQLite's write-ahead log, which is unsafe on network
    file systems. Several processes may read; writers wait for each other.

    Args:
        path: The file; made if it is not there.

    Raises:
        StoreError: if the file is damaged, no store of results, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def get(self, key: str) -> Outcome | None:
        """Return the newest outcome put under ``key``, if there is one.

        Raises:
            StoreError: if the file is damaged.
        """
        with self._errors():
            row = self._database.execute(
                "SELECT id, verdict, executed, log FROM results WHERE key = ? "
                "ORDER BY id DESC LIMIT 1",
                (key,),
            ).fetchone()
            if row is None:
                return None
            artefacts = self._database.execute(
                "SELECT name, data FROM artefacts WHERE result = ?", (row[0],)
            )
            return Outcome(
                verdict=_verdict(row[1]), executed=row[2], log=row[3], artefacts=dict(artefacts)
            )

    def put(self, key: str, outcome: Outcome) -> None:
        """Append ``outcome``, which is from now on the latest of its student.

        Either all of it is in the file when this returns, or nothing after a crash.

        Raises:
            StoreError: if it cannot be written.
        """
        verdict = outcome.verdict
        with self._errors(), self._transaction():
            result = self._database.execute(
                "INSERT INTO results (key, student, assignment, verdict, executed, log) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    key,
                    verdict.student,
                    verdict.assignment,
                    msgspec.json.encode(verdict),
                    outcome.executed,
                    outcome.log.encode("utf-8", "replace").decode("utf-8"),
                ),
            ).lastrowid
            self._database.executemany(
                "INSERT INTO artefacts VALUES (?, ?, ?)",
                [(result, name, data) for name, data in outcome.artefacts.items()],
            )
            self._database.execute("INSERT INTO history (result) VALUES (?)", (result,))

    def reuse(self, key: str) -> None:
        """Make the newest outcome under ``key`` the latest of its student again.

        To be called when ``get`` spared a grading: after a change of bundle was taken back, what
        counts is the older result.

        Raises:
            StoreError: if there is none, or it cannot be written.
        """
        with self._errors(), self._transaction():
            found = self._database.execute(
                "INSERT INTO history (result) SELECT max(id) FROM results WHERE key = ? "
                "GROUP BY key",
                (key,),
            )
            if found.rowcount != 1:
                raise StoreError(f"{self.path} has no result of the key {key}.")

    def latest(self, assignment: str | None = None) -> list[Verdict]:
        """Return the verdict that counts for each student, in the order of their ids.

        Args:
            assignment: Of this assignment only; by default the newest of any.

        Raises:
            StoreError: if the file is damaged.
        """
        with self._errors():
            rows = self._database.execute(
                "SELECT verdict FROM history JOIN results ON results.id = history.result "
                "WHERE history.id IN (SELECT max(history.id) FROM history "
                "JOIN results ON results.id = history.result "
                "WHERE ?1 IS NULL OR assignment = ?1 GROUP BY student) "
                "ORDER BY length(student), student",
                (assignment,),
            ).fetchall()
            return [_verdict(row[0]) for row in rows]

    def _open(self) -> None:
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        empty = not self._database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        if empty and not version:
            self._create()
        elif application != APPLICATION:
            raise StoreError(f"{self.path} is a database of another program; name another file.")
        elif version != VERSION:
            raise StoreError(
                f"{self.path} was written by another version of the autograder (tables {version}, "
                f"not {VERSION}); name another file, and grading fills it again."
            )

    def _create(self) -> None:
        with self._transaction():
            if self._database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                return  # another process was faster
            statement = ""
            for line in SCHEMA.splitlines(keepends=True):
                statement += line
                if sqlite3.complete_statement(statement):
                    self._database.execute(statement)
                    statement = ""
            self._database.execute(f"PRAGMA application_id = {APPLICATION}")
            self._database.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise StoreError(
                f"The results in {self.path} cannot be used ({error}); check that the folder "
                "exists, may be written and has room, and that no other grading runs on it."
            ) from None
        except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
            raise StoreError(
                f"The results in {self.path} are damaged ({error}); move the file away and grade "
                "again, or put a copy from before in its place."
            ) from None


def _verdict(data: bytes) -> Verdict:
    return msgspec.json.decode(data, type=Verdict)

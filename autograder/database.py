"""An SQLite file that is written in whole transactions."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self


class Database(ABC):
    """One file. Also a context manager that closes it.

    The rollback journal is kept instead of SQLite's write-ahead log, which is unsafe on network
    file systems. Several processes may read; writers wait for each other.

    Args:
        path: The file; made if it is not there.
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

    def __enter__(self) -> Self:
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

    @abstractmethod
    def _open(self) -> None:
        """See that it is what it should be, and make what is not there."""

    @abstractmethod
    def _errors(self) -> AbstractContextManager[None]:
        """Say what fails in a sentence."""

    def _create(self, statements: Iterable[str], application: int, version: int) -> None:
        with self._transaction():
            if self._database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                return  # another process was faster
            for statement in statements:
                self._database.execute(statement)
            self._database.execute(f"PRAGMA application_id = {application}")
            self._database.execute(f"PRAGMA user_version = {version}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

"""Opening a file of results that may be damaged: what is sound is kept, the rest graded again."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from autograder.errors import DamagedStoreError, StoreError
from autograder.store import Kept, OldStoreError, Store, read

_SMALLEST_RESULT = 200
"""Bytes that any result takes in the file."""


def opened(path: Path, say: Callable[[str], None]) -> Store:
    """Open the results in ``path``; put the file aside first if it is damaged.

    What is put aside is not changed. Every result in it that its checksums prove is copied.

    Args:
        path: The file; made if it is not there.
        say: Told in one sentence what was done, if anything.

    Raises:
        StoreError: if the file is no store of results, or nothing can be written.
    """
    copy = path.with_name(f"{path.name}.salvaged")
    if copy.exists() and not path.exists():  # a run ended between the two renamings
        copy.rename(path)
    try:
        store = Store(path)
        try:
            store.check()
        except BaseException:
            store.close()
            raise
        return store
    except OldStoreError:
        return _renewed(path, copy, "old", "is of an earlier version", say)
    except DamagedStoreError:
        return _renewed(path, copy, "damaged", "is damaged", say)


def _renewed(path: Path, copy: Path, why: str, what: str, say: Callable[[str], None]) -> Store:
    try:
        kept = _salvage(path, copy)
        aside = _put_aside(path, why)
        copy.rename(path)
    except OSError as error:
        raise StoreError.unwritable(path, error) from None
    say(
        f"{path} {what}: it is now {aside.name}, the {kept} results in it that are proved sound "
        "are kept, and all others are graded again."
    )
    return Store(path)


def _put_aside(path: Path, why: str) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.{why}-{number}")).exists():
        number += 1
    journal = path.with_name(f"{path.name}-journal")
    if journal.exists():  # first: it must never be applied to the new file
        journal.rename(aside.with_name(f"{aside.name}-journal"))
    path.rename(aside)
    return aside


def _salvage(path: Path, copy: Path) -> int:
    for leftover in (copy, copy.with_name(f"{copy.name}-journal")):
        leftover.unlink(missing_ok=True)
    kept = 0
    with Store(copy) as store:
        for found in _sound(path):
            store.put(found.key, found.outcome, found.written)
            kept += 1
    return kept


def _sound(path: Path) -> Iterator[Kept]:
    """The sound results, those that came to count last at the end."""
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"  # as it lies there, journal or not
    with contextlib.closing(sqlite3.connect(address, uri=True)) as old:
        old.execute("PRAGMA writable_schema = ON")  # reads a file that was cut off, too
        for number in _numbers(old, path):
            with contextlib.suppress(sqlite3.Error, ValueError, TypeError, AttributeError):
                yield read(old, number)


def _numbers(old: sqlite3.Connection, path: Path) -> Iterable[int]:
    with contextlib.suppress(sqlite3.Error):
        if old.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
            return [number for (number,) in old.execute(
                "SELECT result FROM history GROUP BY result ORDER BY max(id)"
            )]  # fmt: skip
    return range(1, path.stat().st_size // _SMALLEST_RESULT + 1)  # numbered without gaps

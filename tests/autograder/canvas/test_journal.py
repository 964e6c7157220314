"""The journal keeps every step, knows the last of each, and belongs to one course."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from autograder.canvas.journal import Journal, Part, Record, State
from autograder.errors import StoreError

ORIGIN = "https://canvas.example.edu"


def step(user: str, state: State, part: Part = Part.GRADE, value: bytes = b"{}") -> Record:
    return Record(user=user, attempt=1, part=part, content="c", value=value, state=state)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "canvas" / "journal.sqlite"


def test_it_knows_the_last_step_and_the_last_confirmed_one(path: Path) -> None:
    with Journal(path, ORIGIN, 1) as journal:
        journal.append(11, [step("101", State.CONFIRMED, value=b"1"), step("102", State.SENT)])
        journal.append(11, [step("101", State.INTENDED, value=b"2")])
        journal.append(12, [step("101", State.REFUSED)])
    with Journal(path, ORIGIN, 1) as journal:
        assert {user: one.value for user, one in journal.confirmed(11, Part.GRADE).items()} == {
            "101": b"1"
        }
        last = {user: one.state for user, one in journal.latest(11, Part.GRADE).items()}
        assert last == {"101": State.INTENDED, "102": State.SENT}
        assert journal.latest(11, Part.COMMENT) == {} and journal.length(11) == 3
        assert [one.state for one in journal.history(12)] == [State.REFUSED]


def test_nothing_in_it_is_ever_changed(path: Path) -> None:
    with Journal(path, ORIGIN, 1) as journal:
        journal.append(11, [step("101", State.SENT)])
    for statement in ("UPDATE steps SET user = '9'", "DELETE FROM steps"):
        with sqlite3.connect(path) as database, pytest.raises(sqlite3.Error, match="append-only"):
            database.execute(statement)


def test_lines_come_all_or_none(path: Path) -> None:
    def broken() -> list[Record]:
        return [step("101", State.SENT), step("102", "lost")]  # type: ignore[arg-type]

    with Journal(path, ORIGIN, 1) as journal:
        with pytest.raises(StoreError, match="cannot be used"):
            journal.append(11, broken())
        assert journal.length(11) == 0


@pytest.mark.parametrize(("origin", "course"), [(ORIGIN, 2), ("https://other.example.edu", 1)])
def test_it_is_of_one_course(path: Path, origin: str, course: int) -> None:
    Journal(path, ORIGIN, 1).close()
    with pytest.raises(StoreError, match="is the journal of course 1 on https://canvas"):
        Journal(path, origin, course)


def test_another_programs_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE things (id)")
    with pytest.raises(StoreError, match="no journal"):
        Journal(path, ORIGIN, 1)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(StoreError, match="put a copy of it back"):
        Journal(path, ORIGIN, 1)


def test_two_pushes_at_a_time_are_refused_and_others_may_read(path: Path) -> None:
    with Journal(path, ORIGIN, 1) as first, Journal(path, ORIGIN, 1) as second:
        with first.locked():
            assert second.length(11) == 0
            with pytest.raises(StoreError, match="being sent"), second.locked():
                pass
        with second.locked():
            pass


def test_only_its_owner_may_read_it(path: Path) -> None:
    Journal(path, ORIGIN, 1).close()
    assert path.stat().st_mode & 0o077 == 0

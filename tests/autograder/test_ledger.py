from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from autograder.ledger import Ledger, LedgerError, fingerprint, lines_of
from autograder.model import Student
from autograder.teams import Team

ADA, BOB, EVE = (Student(id=str(number), name=f"Student {number}") for number in (101, 102, 103))
BLUE, RED = Team(name="Blue", members=[ADA, BOB]), Team(name="", members=[EVE])
NOON = datetime(2027, 2, 11, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "project.jsonl")
    made.add("registered", BLUE, NOON, sha256="a" * 64, prereg={"metric": "mae"})
    made.add("registered", RED, NOON, sha256="b" * 64, prereg={"metric": "auc"})
    return made


def test_what_was_added_is_there_when_read_again(ledger: Ledger) -> None:
    again = Ledger(ledger.path)
    assert again.entries == ledger.entries and again.data == ledger.path.read_bytes()
    entry = again.last("registered", Team(name="New name", members=[BOB]))
    assert entry is not None and entry.prereg == {"metric": "mae"} and entry.team == "Blue"
    assert again.last("exchanged", BLUE) is None


def test_times_are_kept_in_utc(ledger: Ledger) -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    assert ledger.add("registered", BLUE, there).at == "2027-02-11T12:00:00+00:00"


@pytest.mark.parametrize("change", ["changed", "taken out"])
def test_a_line_that_was_touched_is_noticed(ledger: Ledger, change: str) -> None:
    first, second = ledger.path.read_bytes().splitlines(keepends=True)
    other = first.replace(b"mae", b"auc") if change == "changed" else b""
    ledger.path.write_bytes(other + second)
    with pytest.raises(LedgerError, match="not the one that was written"):
        Ledger(ledger.path)


def test_only_the_lines_about_a_student_decide_about_their_grade(ledger: Ledger) -> None:
    before = lines_of(ledger.data, "102")
    ledger.add("exchanged", RED, NOON)
    assert lines_of(ledger.data, "102") == before and before.count(b"\n") == 0
    ledger.add("exchanged", BLUE, NOON)
    assert lines_of(ledger.data, "102") != before


def test_the_order_of_keys_does_not_change_a_fingerprint() -> None:
    assert fingerprint({"a": 1, "b": "é"}) == fingerprint({"b": "é", "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})

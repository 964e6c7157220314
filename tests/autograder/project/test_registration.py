import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from autograder.ledger import Ledger
from autograder.model import Student, Submission
from autograder.project.registration import Registered, register

PROJECT = Path(__file__).parents[3]
SCHEMA = json.loads(
    (PROJECT / "solutions/final_project/schemas/prereg.schema.json").read_text("utf-8")
)
PREREG = json.loads((PROJECT / "solutions/final_project/prereg.json").read_text("utf-8"))
NOON = datetime(2027, 2, 11, 12, tzinfo=UTC)
ADA = Student(id="101", name="Lovelace, Ada")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "project.jsonl")


def hand_in(content: Any) -> Submission:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    files = {} if content is None else {"prereg.json": data}
    return Submission(student=ADA, source="x", notebook=b"", files=files)


def taken(ledger: Ledger, content: Any, **options: Any) -> Registered:
    (found,) = register([hand_in(content)], ledger, NOON, SCHEMA, **options)
    return found


def test_a_registration_is_kept_with_its_time(ledger: Ledger) -> None:
    assert taken(ledger, PREREG).known
    (entry,) = ledger.entries
    assert entry.prereg == PREREG and entry.at.startswith("2027-02-11T12:00")


def test_the_same_again_adds_nothing(ledger: Ledger) -> None:
    taken(ledger, PREREG)
    assert taken(ledger, dict(reversed(PREREG.items()))).known and len(ledger.entries) == 1


def test_the_first_registration_stands_unless_staff_replace_it(ledger: Ledger) -> None:
    taken(ledger, PREREG)
    other = PREREG | {"baseline": "a random forest"}
    found = taken(ledger, other)
    assert not found.known and "stands" in found.says and len(ledger.entries) == 1
    assert taken(ledger, other, replace=True).known
    assert [one.prereg["baseline"] for one in ledger.entries] == [
        PREREG["baseline"],
        "a random forest",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no prereg.json"),
        (b"{", "is no JSON"),
        (b"[" * 30_000, "is no JSON"),
        (b" " * 70_000, "more than 64 kB"),
        ({**PREREG, "metric": "accuracy"}, r"against its schema at $.metric"),
    ],
)
def test_what_is_no_registration_is_told_and_not_kept(
    ledger: Ledger, content: Any, told: str
) -> None:
    found = taken(ledger, content)
    assert not found.known and told in found.says and not ledger.entries

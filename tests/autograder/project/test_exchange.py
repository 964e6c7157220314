import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.ledger import Ledger
from autograder.model import Student
from autograder.project.exchange import ExchangeError, Package, Taken, _parsed, exchange
from autograder.teams import Team

PROJECT = Path(__file__).parents[3]
NOON = datetime(2027, 2, 11, 12, tzinfo=UTC)
ROWS = 480
"""Rows of the panel of solubility."""


def unpack(folder: Path) -> None:
    """The part of the project's bundle that plants models."""
    shutil.copytree(PROJECT / "assignments/final_project", folder / "files")
    own = folder / "files/reference_impl"
    own.mkdir()
    for name in ("__init__.py", "course_secret.py", "secret.py"):
        shutil.copy(PROJECT / "reference_impl" / name, own)
    shutil.copytree(PROJECT / "reference_impl/final_project", own / "final_project")


@pytest.fixture
def bundle() -> Any:
    return SimpleNamespace(unpack=unpack, folder=Path("dist/final_project"))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "project.jsonl")


def taken(count: int) -> list[Taken]:
    return [
        Taken(Team(name=f"T{number}", members=[Student(id=str(number), name=f"Student {number}")]),
              "solubility", [f"{number}.5"] * ROWS)
        for number in range(1, count + 1)
    ]  # fmt: skip


def given(packages: list[Package]) -> dict[str, str]:
    return {
        one.team.key: next((who for who in one.models.values() if who.isdigit()), "")
        for one in packages
    }


def test_everybody_gets_anothers_model_and_two_planted_ones(
    bundle: Any, ledger: Ledger, tmp_path: Path
) -> None:
    packages = exchange(bundle, taken(5), ledger, "a secret", NOON, tmp_path / "out")
    found = given(packages)
    assert sorted(found.values()) == sorted(found) and all(k != v for k, v in found.items())
    for one in packages:
        assert sorted(one.models) == ["model_1", "model_2", "model_3"]
        assert sorted(one.models.values()) == sorted([found[one.team.key], "guilty", "innocent"])
        table = (tmp_path / "out" / one.team.key / "answers.csv").read_text().splitlines()
        assert table[0] == "row,model_1,model_2,model_3" and len(table) == ROWS + 1
        place = 1 + sorted(one.models).index(
            next(name for name, who in one.models.items() if who == found[one.team.key])
        )
        assert table[1].split(",")[place] == f"{found[one.team.key]}.5"
    assert len({one.code for one in packages}) == 5
    assert len({tuple(sorted(one.models.items())) for one in packages}) > 1
    kept = {entry.key: entry.models for entry in Ledger(ledger.path).entries}
    assert kept == {one.team.key: one.models for one in packages}


def test_nothing_in_a_package_says_whose_a_model_is(
    bundle: Any, ledger: Ledger, tmp_path: Path
) -> None:
    for one in exchange(bundle, taken(2), ledger, "a secret", NOON, tmp_path / "out"):
        assert sorted(one.files) == ["README.txt", "answers.csv"]
        text = b"".join(one.files.values()).decode()
        assert not any(word in text for word in ("T1", "T2", "guilty", "innocent", "Student"))


def test_a_team_alone_with_its_topic_gets_planted_models_only(
    bundle: Any, ledger: Ledger, tmp_path: Path
) -> None:
    (package,) = exchange(bundle, taken(1), ledger, "a secret", NOON, tmp_path / "out")
    assert sorted(package.models.values()) == ["guilty", "innocent"]


def test_nobody_gets_a_second_package(bundle: Any, ledger: Ledger, tmp_path: Path) -> None:
    ledger.add("exchanged", taken(1)[0].team, NOON)
    with pytest.raises(ExchangeError, match="The team T1 has a package already"):
        exchange(bundle, taken(2), ledger, "a secret", NOON, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "data", [b"", b"row,answer\n0,nan\n", b"row,answer\n0\n", b"row,answer\n0,=1+1\n", b"\xff\xfe"]
)
def test_answers_are_numbers_or_nothing(data: bytes) -> None:
    assert _parsed(data) == []
    assert _parsed(b"row,answer\n0,1\n1,-2.5\n") == ["1.0000", "-2.5000"]

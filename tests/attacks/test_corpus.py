"""The corpus itself: whole, well-formed, readable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness import CORPUS, TARGET, Attack, corpus, left_out, listed, load

AT_LEAST = 70
FILES = corpus()
NOTEBOOKS = [path for path in FILES if path.suffix == ".ipynb"]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def attack(request: pytest.FixtureRequest) -> Attack:
    return load(request.param)


def test_it_holds_most_attacks_of_the_list_and_says_why_not_the_others() -> None:
    held = {load(path).number for path in FILES}
    assert len(held) >= AT_LEAST
    assert held | left_out().keys() == listed().keys() and not held & left_out().keys()
    assert all(len(reason) > 20 for reason in left_out().values())


def test_nothing_else_lies_in_its_folder() -> None:
    others = {path for path in CORPUS.iterdir() if path.name != "__pycache__"} - set(FILES)
    assert not others


def test_number_and_name_are_those_of_the_list(attack: Attack) -> None:
    number, name = attack.id.split("_", 1)
    assert int(number) == attack.number
    assert name.split("_")[0] == listed()[attack.number].split("-")[0]


def test_it_says_what_it_tries_and_what_must_happen(attack: Attack) -> None:
    assert attack.tries.endswith(".") and attack.must.endswith(".")
    assert attack.standing in {"graded", "unreadable", "unmatched"}
    assert attack.otter == "run" or len(attack.otter) > 10
    assert attack.needs in {"", "gpu"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_can_be_read_by_people(path: Path) -> None:
    first = json.loads(path.read_bytes())["cells"][0]
    text = "".join(first["source"])
    assert first["cell_type"] == "markdown" and text.startswith(f"# {path.name[:2]} ")
    assert "**Tries** " in text and "**A safe grader must** " in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_asks_for_the_check_of_every_question(path: Path) -> None:
    text = path.read_text()
    asked = [
        question for question in ("q1", "q2", "q3", "q4", "q5") if f'check(\\"{question}' in text
    ]
    assert len(asked) == 5


def test_what_is_handed_in_has_names_and_bytes(attack: Attack) -> None:
    files = attack.submission()
    assert files and all(type(data) is bytes for data in files.values())


@pytest.mark.parametrize("name", ["honest.ipynb", "wrong.ipynb"])
def test_plain_submissions_attack_nothing(name: str) -> None:
    assert "REACHED" not in (TARGET / name).read_text()
    assert Path(TARGET / name).stat().st_size < 20_000

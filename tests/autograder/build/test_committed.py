"""The committed assignments are what a build makes of their sources, and leak nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.build import labs, leaks, names
from autograder.build.assign import read_tree
from autograder.build.compose import compose
from autograder.build.hidden import Hidden
from autograder.build.leak import find_leaks

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", names(ROOT))
def test_committed_assignment_is_what_a_build_makes(name: str) -> None:
    committed = read_tree(ROOT / "assignments" / name)
    made = compose(name, ROOT).assignment
    assert sorted(committed) == sorted(made)
    assert [path for path in made if made[path] != committed[path]] == []


@pytest.mark.parametrize("name", names(ROOT))
def test_committed_assignment_leaks_nothing(name: str) -> None:
    assert leaks(ROOT / "assignments" / name, name, ROOT) == []


@pytest.mark.parametrize("name", [name for name in names(ROOT) if name not in labs(ROOT)])
def test_no_lab_gives_away_what_is_hidden_of_an_assignment(name: str) -> None:
    shown = {
        f"{lab}/{path}": data
        for lab in labs(ROOT)
        for path, data in read_tree(ROOT / "assignments" / lab).items()
    }
    assert shown and find_leaks(shown, Hidden.of(name, ROOT)) == []

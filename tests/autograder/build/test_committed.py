"""The committed assignments are what a build makes of their sources, and leak nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.build import leaks, names
from autograder.build.assign import read_tree
from autograder.build.compose import compose

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", names(ROOT))
def test_committed_assignment_is_what_a_build_makes(name: str) -> None:
    committed = read_tree(ROOT / "assignments" / name)
    made = compose(name, ROOT).assignment
    assert sorted(committed) == sorted(made)
    assert [path for path in made if made[path] != committed[path]] == []


@pytest.mark.parametrize("name", names(ROOT))
def test_no_committed_assignment_shows_what_this_one_hides(name: str) -> None:
    assert leaks(ROOT / "assignments", name, ROOT) == []

"""The modules that are published beside the project's notebook, importable as they are there."""

import sys
from pathlib import Path
from typing import Any

import pytest

PUBLISHED = Path(__file__).parents[3] / "assignments" / "final_project"
NAMES = ("topics", "projectkit", "dermsim", "moldata", "coursekit")


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(PUBLISHED))


@pytest.fixture
def kit(published: None) -> Any:
    import projectkit

    return projectkit


@pytest.fixture
def topics(published: None) -> Any:
    import topics

    return topics

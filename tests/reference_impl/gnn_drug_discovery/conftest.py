"""What a notebook's folder has beside the loaders: coursekit, under its published name."""

import sys

import pytest

from autograder import coursekit


@pytest.fixture
def published(monkeypatch):
    """Make ``import coursekit`` work as it does beside a notebook."""
    monkeypatch.setitem(sys.modules, "coursekit", coursekit)

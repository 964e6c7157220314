"""One pair of warm processes for all attacks of a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import Grader


@pytest.fixture(scope="package")  # it stands in an environment of its own
def grader() -> Iterator[Grader]:
    with Grader() as grader:
        yield grader

"""Every attack of the corpus, one test each; the invariants are in ``harness.judge``."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from harness import Grader, check, corpus, load

HOLES: dict[str, str] = {}
"""Attacks that get what they must not, by id, and what that is."""


def _marked(path: Path) -> object:
    hole = HOLES.get(path.stem)
    marks = [pytest.mark.xfail(reason=hole, strict=True)] if hole else []
    return pytest.param(path, id=path.stem, marks=marks)


@pytest.mark.parametrize("path", [_marked(path) for path in corpus()])
def test_attack_gets_nothing_and_leaves_nothing(path: Path, grader: Grader) -> None:
    attack = load(path)
    if attack.needs == "gpu" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    finding = check(attack, grader)
    if finding.violations:
        grader.renew()
    assert not finding.violations, "\n".join([attack.must, *finding.violations])

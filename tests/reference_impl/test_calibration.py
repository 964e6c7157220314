"""The committed thresholds follow from the committed runs, and none is refused."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from autograder.calibrate.derive import derived, quality
from autograder.calibrate.ledger import Ledger
from autograder.calibrate.pool import trials
from reference_impl.secret import Secret

ROOT = Path(__file__).parents[2]
NAMES = sorted(file.parent.name for file in ROOT.glob("reference_impl/*/calibration.py"))


@pytest.mark.parametrize("name", NAMES)
def test_every_threshold_follows_from_the_runs_and_is_clear_of_trivial_baselines(name: str) -> None:
    found, ledger = trials(ROOT, name), Ledger.read(ROOT / "reference_impl" / name)
    thresholds, refused = derived(found, ledger.runs)
    assert refused == []
    assert ledger.thresholds == thresholds, "run `autograder calibrate --seeds 0`"


@pytest.mark.parametrize("name", NAMES)
def test_hidden_reads_the_thresholds_that_were_derived(name: str) -> None:
    stored = Ledger.read(ROOT / "reference_impl" / name).thresholds
    read = {step for module in _readers(name) for value in vars(module).values()
            for secret in (value.values() if isinstance(value, dict) else [value])
            if isinstance(secret, Secret)
            for step in np.atleast_1d(secret.reveal()).tolist()}  # fmt: skip
    assert read == {step for threshold in stored.values() for step in threshold.steps}


def _readers(name: str) -> list[ModuleType]:
    """The modules of an assignment's reference that read thresholds."""
    sys.modules.setdefault("dermsim", importlib.import_module("reference_impl.cnn_imaging.dermsim"))
    files = sorted((ROOT / "reference_impl" / name).glob("*.py"))
    return [
        importlib.import_module(f"reference_impl.{name}.{file.stem}")
        for file in files
        if "Thresholds(" in file.read_text("utf-8")
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_correct_solution_hardly_ever_fails(name: str) -> None:
    found, ledger = trials(ROOT, name), Ledger.read(ROOT / "reference_impl" / name)
    for trial in found.values():
        own = [run for run in ledger.runs if run.trial == trial.name]
        for metric in trial.metrics:
            known = quality(ledger.thresholds[metric.name], metric, trial, own)
            assert known.failed <= 0.05 * known.honest, metric.name

"""Trials that train nothing, and runs that nobody made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autograder.calibrate.ledger import Run
from reference_impl.calibrating import Metric, Trial


def a_run(seed: int, recipe: str = "reference", **changes: Any) -> Run:
    return Run(**{
        "trial": "classifier", "recipe": recipe, "seed": seed, "secret": seed, "device": "cpu",
        "torch": "2", "numpy": "2", "source": "abc", "seconds": 1.0, "metrics": {"auc": 0.8},
        **changes,
    })  # fmt: skip


def scores(mean: float, n: int, sd: float = 0.01) -> list[float]:
    from scipy import stats

    x = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return [float(value) for value in mean + sd * x / x.std(ddof=1)]


@pytest.fixture
def metric() -> Metric:
    return Metric("auc", "higher", lambda task, answers: answers, steps=(0.5, 1.0))


@pytest.fixture
def trial(metric: Metric) -> Trial:
    return Trial(
        name="classifier",
        prepare=lambda: None,
        answer=lambda task, seed, device: np.zeros(1),
        metrics=(metric,),
        baselines={"colours": lambda task: task, "chance": lambda task: task},
        learners={"forest": lambda task: task},
        honest={"wider": ()},
        weak={"one epoch": ()},
    )


def reference_runs(
    n: int = 30, mean: float = 0.8, error: float = 0.01, **changes: Any
) -> list[Run]:
    """Runs whose baselines are far below them, and one learner above."""
    simple = {"colours": 0.6, "chance": 0.5, "forest": 0.9}
    return [
        a_run(
            seed,
            metrics={"auc": value},
            baselines={"auc": simple},
            errors={"auc": dict.fromkeys(simple, error)},
            **changes,
        )
        for seed, value in enumerate(scores(mean, n))
    ]


@pytest.fixture
def fakes() -> SimpleNamespace:
    """Runs that nobody made."""
    return SimpleNamespace(a_run=a_run, scores=scores, reference_runs=reference_runs)

"""How an assignment declares what its thresholds rest on, and one run of it.

``reference_impl/NAME/calibration.py`` lists its :class:`Trial` in ``TRIALS``. A trial trains the
reference and asks it about a hidden set; its :class:`Metric` say what is measured there and which
way is better. ``autograder calibrate NAME`` runs every trial with many seeds, each under a course
secret of its own, so that runs are independent draws of seed and hidden set, and derives the
thresholds from what comes out::

    TRIALS = (
        Trial(
            name="segmenter",
            prepare=_segmentation,             # draws what the trial needs, under a course secret
            answer=_masks,                     # trains with a seed, and asks
            metrics=(Metric("dice", "higher", _dice, steps=(0.5, 1.0)),),
            baselines={"Otsu's threshold": _otsu},
            honest={"half the learning rate": changed(segmentation, LEARNING_RATE=5e-3)},
            weak={"one epoch": changed(segmentation, EPOCHS=1)},
        ),
    )
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

__all__ = [
    "REFERENCE",
    "Change",
    "Measured",
    "Metric",
    "Trial",
    "changed",
    "course",
    "measure",
    "under",
]

REFERENCE = "reference"
"""The recipe that changes nothing."""
RESAMPLES = 200
"""Bootstrap samples of which a standard error is taken."""

Array = npt.NDArray[Any]


def _mean(rows: Array) -> float:
    return float(np.mean(rows))


@dataclass(frozen=True)
class Change:
    """Values that a module's names have in one recipe."""

    module: ModuleType
    values: Mapping[str, Any]


def changed(module: ModuleType, **values: Any) -> tuple[Change, ...]:
    """A recipe in which names of ``module`` have other ``values``; add recipes to change more."""
    return (Change(module, values),)


@dataclass(frozen=True)
class Metric:
    """A number measured on a hidden set, and what is graded by it."""

    name: str
    """Key of its thresholds, such as ``"auc"``"""
    better: Literal["higher", "lower"]
    rows: Callable[[Any, Any], Array]
    """From what ``prepare`` and ``answer`` gave to what the metric is computed of: one row for
    each thing that was asked about, [N] or [N, ...]"""
    score: Callable[[Array], float] = _mean
    """From rows to the number. Standard errors come from leaving out and repeating rows."""
    groups: Callable[[Any], Array] | None = None
    """Which rows are drawn together, such as a patient's: [N]; each row by itself if not given"""
    steps: tuple[float, ...] = (1.0,)
    """Which shares of the way from the best baseline to the bound are asked for. None: the metric
    is measured and not graded."""
    theory: float | None = None
    """A bound that follows from theory or from the question's own words, in place of the tolerance
    bound. Whoever declares one says where it comes from. Runs tell how often it fails a correct
    solution, and it is refused like any other where a trivial baseline comes near."""
    what: str = ""
    """What it is and in which unit, for people"""


@dataclass(frozen=True)
class Trial:
    """One training of the reference, and everything measured of it."""

    name: str
    prepare: Callable[[], Any]
    """Draws data to learn from and hidden sets. The course secret of the run is set."""
    answer: Callable[[Any, int, str], Any]
    """Trains on what ``prepare`` gave with a seed on a device, and asks about the hidden set"""
    metrics: tuple[Metric, ...]
    baselines: Mapping[str, Callable[[Any], Any]]
    """What needs no learning of the kind that is graded: answers as ``answer`` gives them. A
    threshold that does not clearly exceed the best of these is refused."""
    learners: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """Simple methods that do what is asked for; shown for comparison, they refuse nothing"""
    honest: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    """Other recipes that deserve full credit, too"""
    weak: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    """Recipes that do not; how many of them a threshold finds is its power"""

    @property
    def recipes(self) -> dict[str, tuple[Change, ...]]:
        """All recipes by name, :data:`REFERENCE` first."""
        return {REFERENCE: (), **self.honest, **self.weak}


@dataclass(frozen=True)
class Measured:
    """What one run has shown."""

    metrics: dict[str, float]
    """Each metric of the trained reference"""
    baselines: dict[str, dict[str, float]]
    """For each metric, what baselines and learners score on the same hidden set"""
    errors: dict[str, dict[str, float]]
    """For each metric and baseline, the standard error of its distance from the reference"""


def measure(trial: Trial, recipe: str, seed: int, device: str = "cpu") -> Measured:
    """One run of ``trial`` under the course secret number ``seed``.

    Baselines are measured with :data:`REFERENCE` only. Standard errors are paired: the same
    bootstrap samples of a hidden set's rows (or groups of rows) are scored for both.

    Args:
        trial: What to run.
        recipe: A name of ``trial.recipes``.
        seed: Seed of the training and number of the course secret.
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        KeyError: if the trial has no such recipe.
    """
    with course(seed), under(trial.recipes[recipe]):
        task = trial.prepare()
        answers = trial.answer(task, seed, device)
        rows = {metric.name: metric.rows(task, answers) for metric in trial.metrics}
        metrics = {metric.name: metric.score(rows[metric.name]) for metric in trial.metrics}
        if recipe != REFERENCE:
            return Measured(metrics, {}, {})
        simple = {**trial.baselines, **trial.learners}
        others = {name: answer(task) for name, answer in simple.items()}
        baselines: dict[str, dict[str, float]] = {}
        errors: dict[str, dict[str, float]] = {}
        for metric in trial.metrics:
            found = {name: metric.rows(task, given) for name, given in others.items()}
            baselines[metric.name] = {name: metric.score(part) for name, part in found.items()}
            groups = metric.groups(task) if metric.groups else np.arange(len(rows[metric.name]))
            errors[metric.name] = _errors(metric, rows[metric.name], found, groups)
    return Measured(metrics, baselines, errors)


def _errors(
    metric: Metric, rows: Array, others: dict[str, Array], groups: Array
) -> dict[str, float]:
    """Bootstrap standard errors of the distance of ``rows`` from each of ``others``."""
    rng = np.random.default_rng(0)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    gaps: dict[str, list[float]] = {name: [] for name in others}
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(members), len(members))
        chosen = np.concatenate([members[number] for number in drawn])
        own = metric.score(rows[chosen])
        for name, other in others.items():
            gaps[name].append(own - metric.score(other[chosen]))
    return {name: float(np.std(values, ddof=1)) for name, values in gaps.items()}


@contextmanager
def course(number: int) -> Iterator[None]:
    """The course secret number ``number``, and no student, for as long as it lasts."""
    with patch.dict(os.environ, AUTOGRADER_SECRET=f"calibration {number}"):
        os.environ.pop("AUTOGRADER_STUDENT", None)
        yield


@contextmanager
def under(changes: tuple[Change, ...]) -> Iterator[None]:
    """The ``changes`` of a recipe, for as long as it lasts."""
    with ExitStack() as stack:
        for change in changes:
            stack.enter_context(patch.multiple(change.module, **change.values))
        yield

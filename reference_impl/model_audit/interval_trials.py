"""What the thresholds of the questions on intervals and calibration rest on.

Where theory gives a bound, a tolerance bound from 30 runs is the worse of the two: what is graded
is the largest of several errors and skewed, so that it would be the worst run seen, of content 0.9.
These bounds are

``temperature_error``
    The question's own 5 %; the standard error from 100,000 labels is 0.9 %.
``width_error``, ``patient_width_error``
    The standard error of a 2.5 % quantile of B draws is √(.025 · .975 / B) / φ(1.96) standard
    deviations; an interval has two ends and is 3.92 of these wide, so that ln(width) from 400
    resamples has one of 0.048. Allowed are five of these, and 0.05 for the normal approximation.
``null_mean_error``, ``null_tail_error``
    5 % and 8 % for 2,000 draws against 3,000: five standard errors or more, see the spread of runs.
``rank_error``
    The mean of 40 ranks in [0, 1] has a standard error of 0.046; 0.2 are four.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pandas as pd

from reference_impl.calibrating import Metric, Trial, changed
from reference_impl.course_secret import student_rng
from reference_impl.model_audit import hidden, reliability, subgroups

__all__ = ["INTERVAL_TRIALS", "POISSON", "STANDARD_DEVIATION"]

Array = npt.NDArray[Any]
Numbers = list[float]


def _worst(rows: Array) -> float:
    return float(np.max(rows))


class _Fitted(NamedTuple):
    """Temperatures, and whether labels decided them."""

    values: Numbers
    learnt: bool = False


def _influences(tasks: list[hidden.Temperature], found: _Fitted) -> Array:
    """Rows whose mean is the relative error of each temperature: [100000, 2].

    The estimate is the root of a mean over labels, so that to first order it moves by each label's
    score over the mean curvature: rows left out and repeated then stand for a fit anew.
    """
    columns = []
    for task, value in zip(tasks, found.values, strict=True):
        z = task.logits / value
        p = 1 / (1 + np.exp(-z))
        slope, curvature = -z * (p - task.y), z**2 * p * (1 - p) + z * (p - task.y)
        moved = -slope / curvature.mean() if found.learnt else np.zeros(len(z))
        columns.append(value / task.planted - 1 + moved)
    return np.column_stack(columns)


def _grid(logits: Array, y: Array) -> float:
    """The best of 300 temperatures."""
    tried = np.geomspace(*reliability.TEMPERATURES, 300)
    return float(min(tried, key=lambda t: reliability.nll(logits[::4], y[::4], float(t))))


def _of_probabilities(logits: Array, y: Array) -> float:
    """Divides probabilities, not log odds, by the temperature."""
    p = 1 / (1 + np.exp(-logits))
    tried = np.geomspace(0.2, 5, 60)

    def loss(t: float) -> float:
        scaled = np.clip(p / t, 1e-9, 1 - 1e-9)
        return -float(np.mean(y * np.log(scaled) + (1 - y) * np.log(1 - scaled)))

    return float(min(tried, key=loss))


_temperature = Trial(
    name="temperature",
    prepare=lambda: hidden.temperatures(student_rng("model_audit/q4/temperature")),
    answer=lambda tasks, seed, device: _Fitted(
        [reliability.fit_temperature(task.logits, task.y) for task in tasks], learnt=True
    ),
    metrics=(
        Metric(
            "temperature_error", "lower", rows=_influences,
            score=lambda rows: _worst(np.abs(rows.mean(axis=0))),
            groups=lambda tasks: np.arange(100_000) // 100,
            theory=0.05,
            what="relative error of a planted temperature, the larger of two",
        ),
    ),
    baselines={
        "always 1": lambda tasks: _Fitted([1.0, 1.0]),
        "in the middle": lambda tasks: _Fitted([1.1, 1.1]),
    },
    honest={"grid of 300, a quarter of the labels": changed(reliability, fit_temperature=_grid)},
    weak={"of probabilities": changed(reliability, fit_temperature=_of_probabilities)},
)  # fmt: skip


_reference_null = reliability.ece_null


class _Nulls(NamedTuple):
    """Predictions of three groups, and what their nulls should be, for both kinds of bins."""

    p: list[Array]
    expected: list[Array]
    """Draws [3000] of each"""


_STRATEGIES = ("width", "mass")


def _nulls() -> _Nulls:
    rng = student_rng("model_audit/q4/null")
    p = hidden.null_predictions(rng)
    draws = [
        _reference_null(one, 3000, int(rng.integers(2**31)), strategy=strategy)
        for one in p
        for strategy in _STRATEGIES
    ]
    return _Nulls(p, draws)


def _draws(task: _Nulls, seed: int, device: str) -> Array:
    return np.column_stack(
        [reliability.ece_null(p, 2000, seed, strategy=kind) for p in task.p for kind in _STRATEGIES]
    )


def _over_expected(summary: Callable[..., Array]) -> Callable[[_Nulls, Array], Array]:
    """Draws over what ``summary`` should be of them: [2000, 6]."""
    return lambda task, drawn: drawn / np.array([summary(one) for one in task.expected])


def _tail(draws: Array, axis: int | None = None) -> Array:
    return np.asarray(np.quantile(draws, 0.95, axis=axis))


def _in_the_large(task: _Nulls) -> Array:
    """One bin for all."""
    return np.repeat(
        np.column_stack([reliability.ece_null(p, 2000, 1, bins=1) for p in task.p]), 2, axis=1
    )


def _thirty_bins(
    p: Array, B: int = 500, seed: int = 0, bins: int = 10, strategy: str = "width"
) -> Any:
    """Thirty bins, whatever is asked for."""
    return _reference_null(p, B, seed, 30, strategy)


_chance = Trial(
    name="null of the calibration error",
    prepare=_nulls,
    answer=_draws,
    metrics=(
        Metric(
            "null_mean_error", "lower", rows=_over_expected(np.mean),
            score=lambda rows: _worst(np.abs(rows.mean(axis=0) - 1)),
            theory=0.05,
            what="relative error of the mean, the largest of three groups and both kinds of bins",
        ),
        Metric(
            "null_tail_error", "lower", rows=_over_expected(_tail),
            score=lambda rows: _worst(np.abs(_tail(rows, axis=0) - 1)),
            theory=0.08,
            what="the same of the 95 % quantile",
        ),
    ),
    baselines={
        "no bins": _in_the_large,
        "one group's for all": lambda task: np.column_stack([task.expected[2][:2000]] * 6),
    },
    weak={"30 bins": changed(reliability, ece_null=_thirty_bins)},
)  # fmt: skip


def _calibrated() -> list[tuple[Array, float]]:
    """40 models that are calibrated, and the calibration error seen of each."""
    rng = student_rng("model_audit/q4/calibrated")
    models = [rng.beta(1, 3, 120) for _ in range(40)]
    return [(p, reliability.ece((rng.random(120) < p).astype(int), p)) for p in models]


def _ranks(null: Callable[[Array, int], Array], models: list[tuple[Array, float]]) -> Array:
    return np.array([(null(p, n) <= seen).mean() for n, (p, seen) in enumerate(models)])


_rank = Trial(
    name="calibrated models",
    prepare=_calibrated,
    answer=lambda models, seed, device: _ranks(
        lambda p, n: reliability.ece_null(p, 99, 1000 * seed + n), models
    ),
    metrics=(
        Metric(
            "rank_error", "lower",
            rows=lambda models, ranks: ranks,
            score=lambda ranks: abs(float(ranks.mean()) - 0.5),
            theory=0.2,
            what="distance of the mean rank of 40 calibration errors in their nulls from one half",
        ),
    ),
    baselines={
        "no error by chance": lambda models: _ranks(lambda p, n: np.zeros(99), models),
        "no bins": lambda models: _ranks(
            lambda p, n: reliability.ece_null(p, 99, n, bins=1), models
        ),
    },
)  # fmt: skip

# Intervals

_RATES = (("tpr", 1), ("fpr", 0))
_WIDTH = 5 * 0.048 + 0.05


TIMES = 5
"""Rows of a patient, where each has several."""


class _Asked(NamedTuple):
    """A cohort, and how many rows each of its patients has."""

    data: hidden.Cohort
    times: int = 1


def _reports(task: _Asked, seed: int) -> list[tuple[dict[str, Any], str, int]]:
    """Row, rate and number of patients of two intervals of each site."""
    data, rows = task.data, np.repeat(np.arange(len(task.data)), task.times)
    groups = data.groups.loc[rows].reset_index(drop=True)
    settings: dict[str, Any] = {"B": 400, "seed": seed} | (
        {"cluster": rows} if task.times > 1 else {}
    )
    table = subgroups.subgroup_report(data.y[rows], data.p[rows], groups, 0.4, **settings)
    found = []
    for line in table.to_dict("records"):
        here = "site=" + data.groups["site"] == line["group"]
        row = {str(name): value for name, value in line.items()}
        found += [(row, rate, int((data.y[here] == label).sum())) for rate, label in _RATES]
    return found


def _errors(task: _Asked, seed: int, device: str) -> Array:
    """The error of each width, two of each site."""
    return np.array([hidden.width_error(*one) for one in _reports(task, seed)])


def _with_ends(half: Callable[[float, int], float]) -> Callable[[_Asked], Array]:
    """Intervals that reach ``half`` (of a rate and its patients) to both sides."""

    def errors(task: _Asked) -> Array:
        found = []
        for row, rate, count in _reports(task, 0):
            reach = half(row[rate], count)
            ends = {f"{rate}_lo": row[rate] - reach, f"{rate}_hi": row[rate] + reach}
            found.append(hidden.width_error({**row, **ends}, rate, count))
        return np.array(found)

    return errors


def _normal_ends(drawn: list[dict[str, float]]) -> dict[str, float]:
    """1.96 standard deviations of the resamples to both sides of their mean."""
    table = pd.DataFrame(drawn)
    mean, reach = table.mean(), 1.96 * table.std()
    low, high = (mean - reach).add_suffix("_lo"), (mean + reach).add_suffix("_hi")
    return {str(name): float(value) for name, value in [*low.items(), *high.items()]}


POISSON = changed(subgroups, _times=lambda rng, count: rng.poisson(1, count))
"""Each patient is drawn a Poisson number of times."""
STANDARD_DEVIATION = changed(subgroups, _intervals=_normal_ends)
"""Intervals of 1.96 standard deviations of the resamples."""

_reference_report = subgroups.subgroup_report


def _by_row(*given: Any, cluster: Any = None, **settings: Any) -> pd.DataFrame:
    """Rows are drawn and not patients."""
    return _reference_report(*given, **settings)


def _twenty(
    y: Array, p: Array, groups: pd.DataFrame, thr: float, B: int = 200, **settings: Any
) -> pd.DataFrame:
    """Twenty resamples, whatever is asked for."""
    return _reference_report(y, p, groups, thr, min(B, 20), **settings)


def _rows_as_patients(task: _Asked) -> Array:
    with patch.object(subgroups, "subgroup_report", _by_row):
        return _errors(task, 0, "cpu")


_HONEST = {
    "Poisson weights": POISSON,
    "Bayesian bootstrap": changed(subgroups, _times=lambda rng, count: rng.exponential(1, count)),
    "standard deviation of resamples": STANDARD_DEVIATION,
}
_WEAK = {"20 resamples": changed(subgroups, subgroup_report=_twenty)}

_widths = Trial(
    name="widths of intervals",
    prepare=lambda: _Asked(hidden.cohort("q2/width", {"north": 900, "south": 300})),
    answer=_errors,
    metrics=(
        Metric(
            "width_error", "lower", rows=lambda task, errors: errors, score=_worst, theory=_WIDTH,
            what="log of an interval's width over the normal approximation's, the largest of four",
        ),
    ),
    baselines={"plus or minus 0.1": _with_ends(lambda rate, count: 0.1)},
    honest=_HONEST,
    weak=_WEAK,
)  # fmt: skip

_patients = Trial(
    name="widths of intervals by patient",
    prepare=lambda: _Asked(hidden.cohort("q2/patients", {"north": 300}), TIMES),
    answer=_errors,
    metrics=(
        Metric(
            "patient_width_error", "lower", rows=lambda task, errors: errors, score=_worst,
            theory=_WIDTH,
            what="the same of 300 patients with five rows each, the larger of two",
        ),
    ),
    baselines={"every row a patient": _rows_as_patients},
    honest=_HONEST,
    weak=_WEAK,
)  # fmt: skip

INTERVAL_TRIALS = (_widths, _patients, _temperature, _chance, _rank)

"""From runs of the reference to thresholds, and what is known of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autograder.calibrate.bounds import (
    CONFIDENCE,
    Bound,
    Group,
    failure_rate_at_most,
    lower_bound,
)
from autograder.calibrate.ledger import Run, Threshold

if TYPE_CHECKING:
    from reference_impl.calibrating import Metric, Trial

__all__ = ["LEAST_ERRORS", "Quality", "derive", "derived", "quality", "refusal"]

LEAST_ERRORS = 3.0
"""Standard errors that a threshold lies beyond the best trivial baseline, at least."""
REFERENCE = "reference"
DIGITS = 4
"""Decimals of a threshold; it is rounded to the lenient side."""


@dataclass(frozen=True)
class Quality:
    """What a threshold does to correct solutions, weak ones and trivial baselines."""

    separation: list[float]
    """For each step, how many standard errors it lies beyond the best trivial baseline"""
    failed: int
    """Runs of honest recipes that miss full credit"""
    honest: int
    """Runs of honest recipes"""
    false_fail_at_most: float
    """Upper confidence bound of the rate at which honest recipes miss full credit"""
    missed: dict[str, int]
    """For each recipe, how many runs miss full credit; of weak ones this is the power"""


def derive(metric: Metric, trial: Trial, runs: Sequence[Run]) -> Threshold:
    """The thresholds of ``metric`` from the ``runs`` of its trial.

    The last step is the bound that correct solutions reach, or the one that theory gives; a step
    of share ``s`` lies at ``b + s (bound - b)``, ``b`` the mean score of the best trivial
    baseline, but, as far as the bound allows, at least :data:`LEAST_ERRORS` standard errors beyond
    it and beyond whatever a trivial baseline has scored on any hidden set.

    Raises:
        ValueError: if there are too few runs to tell.
    """
    sign = 1.0 if metric.better == "higher" else -1.0
    honest = {REFERENCE, *trial.honest}
    groups: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run.recipe in honest and metric.name in run.metrics:
            groups.setdefault((run.recipe, run.device), []).append(sign * run.metrics[metric.name])
    bound = lower_bound(groups)
    tolerance = sign * bound.value
    if metric.theory is not None:
        bound = _declared(sign * metric.theory, groups, bound)
    name, score, error, top = _best_baseline(metric, trial, runs, sign)
    value = sign * bound.value
    way, scale = bound.value - sign * score, 10**DIGITS
    least = max(LEAST_ERRORS * error, sign * (top - score) + 2 / scale)
    steps = [min(max(share * way, least), way) for share in metric.steps]
    lenient: Callable[[float], float] = math.floor if sign > 0 else math.ceil
    return Threshold(
        steps=[
            round(lenient(round((score + sign * step) * scale, DIGITS)) / scale, DIGITS)
            for step in steps
        ],
        better=metric.better,
        bound=round(value, 6),
        rule=bound.rule,
        content=round(bound.content, 4),
        confidence=CONFIDENCE,
        deciding=f"{bound.deciding[0]} on {bound.deciding[1]}",
        baseline=name,
        baseline_score=round(score, 6),
        baseline_top=round(top, 6),
        error=round(error, 6),
        tolerance=None if metric.theory is None else round(tolerance, 6),
    )


def _declared(value: float, groups: Mapping[Group, Sequence[float]], tolerance: Bound) -> Bound:
    """The bound that theory gives, with the content that the runs of ``groups`` are sure of."""
    scores = [score for values in groups.values() for score in values]
    rate = failure_rate_at_most(sum(score < value for score in scores), len(scores))
    return Bound(value, "theory", 1 - rate, tolerance.deciding)


def _best_baseline(
    metric: Metric, trial: Trial, runs: Sequence[Run], sign: float
) -> tuple[str, float, float, float]:
    """Name, mean score and standard error of the best trivial baseline, and the best score of any.

    The error is of its distance from the reference on one hidden set.
    """
    kept = [run for run in runs if metric.name in run.baselines]
    scores = {
        name: np.array([run.baselines[metric.name][name] for run in kept])
        for name in trial.baselines
    }
    best = max(scores, key=lambda name: sign * scores[name].mean())
    error = float(np.mean([run.errors[metric.name][best] for run in kept]))
    top = sign * float(max((sign * values).max() for values in scores.values()))
    return best, float(scores[best].mean()), error, top


def quality(threshold: Threshold, metric: Metric, trial: Trial, runs: Sequence[Run]) -> Quality:
    """What is known of a ``threshold`` from the ``runs`` of its metric's trial."""
    sign = 1.0 if threshold.better == "higher" else -1.0
    beyond = [sign * (step - threshold.baseline_score) for step in threshold.steps]
    missed: dict[str, list[bool]] = {}
    for run in runs:
        if metric.name in run.metrics and threshold.steps:
            short = sign * run.metrics[metric.name] < sign * threshold.steps[-1]
            missed.setdefault(run.recipe, []).append(short)
    honest = [one for name in (REFERENCE, *trial.honest) for one in missed.get(name, [])]
    return Quality(
        separation=[_in_errors(distance, threshold) for distance in beyond],
        failed=sum(honest),
        honest=len(honest),
        false_fail_at_most=failure_rate_at_most(sum(honest), len(honest)),
        missed={recipe: sum(short) for recipe, short in missed.items()},
    )


def _in_errors(distance: float, threshold: Threshold) -> float:
    """``distance`` in standard errors; infinite where nothing varies."""
    return distance / threshold.error if threshold.error else math.copysign(math.inf, distance)


def refusal(threshold: Threshold, metric: str) -> str:
    """Why ``threshold`` cannot be used, or nothing.

    It is refused where a step lies less than :data:`LEAST_ERRORS` standard errors beyond the best
    trivial baseline, or where one has reached it on a hidden set: chance would decide then whether
    learning is told from none.
    """
    sign = 1.0 if threshold.better == "higher" else -1.0
    advice = "grade another metric, ask about more, or give no credit for it."
    for step in threshold.steps:
        distance = sign * (step - threshold.baseline_score)
        if not distance >= LEAST_ERRORS * threshold.error - 10**-DIGITS:
            return (
                f"{metric}: the step {step:g} lies {_in_errors(distance, threshold):.1f} standard "
                f"errors ({threshold.error:.3g} each) beyond {threshold.baseline} "
                f"({threshold.baseline_score:.4g}), and {LEAST_ERRORS:g} are needed; {advice}"
            )
        if not sign * step > sign * threshold.baseline_top:
            return (
                f"{metric}: a trivial baseline has scored {threshold.baseline_top:.4g} on a hidden "
                f"set, and the step is {step:g}; {advice}"
            )
    return ""


def derived(found: dict[str, Trial], runs: Sequence[Run]) -> tuple[dict[str, Threshold], list[str]]:
    """The thresholds of all metrics that have any, and why others have none."""
    thresholds, refused = {}, []
    for trial in found.values():
        own = [run for run in runs if run.trial == trial.name]
        for metric in trial.metrics:
            try:
                threshold = derive(metric, trial, own)
            except ValueError as error:
                refused.append(f"{metric.name}: {error}.")
                continue
            problem = refusal(threshold, metric.name)
            if problem:
                refused.append(problem)
            else:
                thresholds[metric.name] = threshold
    return thresholds, refused

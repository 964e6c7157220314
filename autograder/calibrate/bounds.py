"""Bounds that nearly all correct solutions reach, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = [
    "CONFIDENCE",
    "CONTENT",
    "Bound",
    "failure_rate_at_most",
    "lower_bound",
    "order_content",
    "tolerance_factor",
]

CONTENT = 0.99
"""Share of correct solutions that a threshold admits."""
CONFIDENCE = 0.95
"""How sure the share is."""
LEVEL = 0.05
"""A test of an assumption rejects it below this p value."""
LARGE = 10
"""Runs that tell a recipe's own spread."""

Group = tuple[str, str]
"""A recipe and a device."""
Array = npt.NDArray[Any]


def tolerance_factor(
    n: int, freedom: int, content: float = CONTENT, confidence: float = CONFIDENCE
) -> float:
    """How many standard deviations below its mean a normal sample's lower tolerance bound lies.

    The ``confidence`` quantile of the noncentral t distribution with ``freedom`` degrees and
    noncentrality ``z sqrt(n)``, over ``sqrt(n)``; ``z`` is the ``content`` quantile of the normal
    distribution (NIST/SEMATECH e-Handbook of Statistical Methods, 7.2.6.3).

    Args:
        n: Values that the mean is of.
        freedom: Degrees of freedom of the standard deviation, ``n - 1`` if it is of the same.
        content: Share of the population above the bound.
        confidence: Probability that the share is at least that.
    """
    root = np.sqrt(n)
    quantile = stats.nct.ppf(confidence, freedom, stats.norm.ppf(content) * root)
    return float(quantile / root)


def order_content(n: int, confidence: float = CONFIDENCE) -> float:
    """Share of any continuous population above the least of ``n`` values, with ``confidence``.

    The least lies below the ``1 - c`` quantile with probability ``1 - c^n``.
    """
    return float((1 - confidence) ** (1 / n))


def failure_rate_at_most(failed: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The upper Clopper-Pearson bound of a rate of which ``failed`` of ``n`` were seen."""
    return 1.0 if failed >= n else float(stats.beta.ppf(confidence, failed + 1, n - failed))


@dataclass(frozen=True)
class Bound:
    """A bound that a share ``content`` of correct solutions exceeds."""

    value: float
    rule: str
    """``"normal"``, ``"order statistic"`` or ``"constant"``"""
    content: float
    deciding: Group
    """The group whose bound it is: the most lenient of all"""


def lower_bound(groups: Mapping[Group, Sequence[float]]) -> Bound:
    """The most lenient of the lower tolerance bounds of several groups of correct solutions.

    Groups share a standard deviation. Where the Brown-Forsythe test rejects that, groups of
    :data:`LARGE` values or more have their own, and the smaller ones share theirs. If the
    Shapiro-Wilk test rejects that deviations from the groups' means are normal, the bound is not
    above the least value of all groups either, and the content is what :func:`order_content` says
    of so many: whatever the distribution is, a bound that is lower yet admits no fewer. Where all
    values are one, as where a definition leaves no room, it is the bound: a spread of zero says
    nothing of a distribution, so that the content is :func:`order_content`'s there, too.

    Args:
        groups: Scores by recipe and device, the higher the better; five or more in all, of which
            one group has three or more.

    Raises:
        ValueError: if there are fewer.
    """
    samples = {group: np.asarray(values, float) for group, values in groups.items() if len(values)}
    everything = np.concatenate([*samples.values(), np.empty(0)])
    if len(everything) < 5 or max(map(len, samples.values())) < 3:
        raise ValueError(f"{len(everything)} runs tell nothing of a spread; run five seeds or more")
    if np.ptp(everything) == 0:
        first = next(iter(samples))
        return Bound(float(everything[0]), "constant", order_content(len(everything)), first)
    spreads = _spreads(samples)
    parts = [
        (x - x.mean()) / (spreads[group][0] or 1.0)
        for group, x in samples.items() if len(x) > 1
    ]  # fmt: skip
    deviations = np.concatenate(parts)
    bounds = {
        group: float(x.mean() - tolerance_factor(len(x), freedom) * spread)
        for group, x in samples.items()
        for spread, freedom in [spreads[group]]
        if freedom
    }
    rule, content = "normal", CONTENT
    if np.ptp(deviations) > 0 and stats.shapiro(deviations).pvalue < LEVEL:
        rule, content = "order statistic", order_content(len(everything))
        bounds = {group: min(bound, float(samples[group].min())) for group, bound in bounds.items()}
    least = min(bounds, key=lambda group: bounds[group])
    return Bound(bounds[least], rule, content, least)


def _spreads(samples: dict[Group, Array]) -> dict[Group, tuple[float, int]]:
    """Standard deviation of each group, and its degrees of freedom."""
    several = [x for x in samples.values() if len(x) > 2]
    equal = len(several) < 2 or stats.levene(*several, center="median").pvalue >= LEVEL
    small = {group: x for group, x in samples.items() if equal or len(x) < LARGE}
    own = {group: _pooled([x]) for group, x in samples.items() if group not in small}
    return own | dict.fromkeys(small, _pooled(small.values()))


def _pooled(samples: Iterable[Array]) -> tuple[float, int]:
    """Standard deviation about the means of ``samples``, and its degrees of freedom."""
    kept = list(samples)
    freedom = sum(len(x) - 1 for x in kept)
    squares = sum(float(((x - x.mean()) ** 2).sum()) for x in kept)
    return (float(np.sqrt(squares / freedom)), freedom) if freedom else (0.0, 0)

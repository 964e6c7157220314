"""Whether there is a difference between groups, and whether it could be chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["CONDITION", "equalised_odds_difference", "gap", "permutation_p"]

CONDITION = {"tpr": 1, "fpr": 0, "rate": None}
"""The label of the rows that a rate is about; ``rate`` is about all rows."""

Array = npt.NDArray[Any]


def gap(report: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Largest difference of a metric between groups, with an interval.

    From the groups' own intervals, the interval of a difference of independent estimates a - b is

        d - √((a - a_lo)² + (b_hi - b)²)  to  d + √((a_hi - a)² + (b - b_lo)²)

    (Newcombe, Stat Med 17:873, 1998, method 10; Zou & Donner, Stat Med 27:1693, 2008). It does not
    know that the two groups were chosen as the extremes.

    Args:
        report: As :func:`~reference_impl.model_audit.subgroups.subgroup_report` gives it. Groups
            that are not ``"ok"``, or whose metric is ``nan``, take no part.
        metric: Name of a column that has ``_lo`` and ``_hi`` beside it.

    Returns:
        ``high`` and ``low``, the two groups; ``gap``, ``lo``, ``hi``; and ``claim``, whether the
        interval lies above 0. With fewer than two groups: ``None``, ``nan`` and ``False``.
    """
    known = report[(report["status"] == "ok") & report[metric].notna()]
    if len(known) < 2:
        nan = float("nan")
        return {"high": None, "low": None, "gap": nan, "lo": nan, "hi": nan, "claim": False}
    a, b = known.iloc[known[metric].argmax()], known.iloc[known[metric].argmin()]
    d = a[metric] - b[metric]
    lo = d - np.hypot(a[metric] - a[f"{metric}_lo"], b[f"{metric}_hi"] - b[metric])
    hi = d + np.hypot(a[f"{metric}_hi"] - a[metric], b[metric] - b[f"{metric}_lo"])
    return {
        "high": str(a["group"]),
        "low": str(b["group"]),
        "gap": float(d),
        "lo": float(lo),
        "hi": float(hi),
        "claim": bool(lo > 0),
    }


def equalised_odds_difference(
    y: npt.ArrayLike, flagged: npt.ArrayLike, groups: npt.ArrayLike
) -> float:
    """Larger of two ranges: of the true positive rate over groups, and of the false positive rate.

    Zero if and only if both rates are equal in all groups (Hardt et al., 2016); the worst case over
    groups and over both rates. A group without positives takes no part in the first range, one
    without negatives none in the second; a range of fewer than two groups is 0.

    Args:
        y: Labels 0 or 1 [N].
        flagged: Decisions 0 or 1 [N].
        groups: Names [N].
    """
    truth, decision, names = np.asarray(y), np.asarray(flagged, dtype=float), np.asarray(groups)
    return max(_range(decision[truth == label], names[truth == label]) for label in (0, 1))


def permutation_p(
    y: npt.ArrayLike,
    flagged: npt.ArrayLike,
    groups: npt.ArrayLike,
    metric: str = "tpr",
    B: int = 999,
    seed: int = 0,
) -> float:
    """How often chance alone makes a range of ``metric`` over groups as large as the one seen.

    Under the null hypothesis the decision does not depend on the group *among rows of one label*.
    So names of groups are exchangeable there and, where prevalences differ, only there. They are
    shuffled among those rows ``B`` times: p = (1 + number of ranges >= the one seen) / (B + 1)
    (Phipson & Smyth, 2010), two-sided since a range has no direction.

    Args:
        y: Labels 0 or 1 [N].
        flagged: Decisions 0 or 1 [N].
        groups: Names [N].
        metric: ``"tpr"``, ``"fpr"`` or ``"rate"`` (share of flagged rows).
        B: Number of shuffles.
        seed: The same seed gives the same answer.

    Raises:
        ValueError: if there is no such metric.
    """
    if metric not in CONDITION:
        raise ValueError(f"no metric {metric!r}; choose one of {tuple(CONDITION)}")
    truth, decision, names = np.asarray(y), np.asarray(flagged, dtype=float), np.asarray(groups)
    label = CONDITION[metric]
    rows = np.ones(len(truth), dtype=bool) if label is None else truth == label
    decision, names = decision[rows], names[rows]
    seen = _range(decision, names)
    rng = np.random.default_rng(seed)
    # Sums of zeros and ones are exact, so that equal ranges compare as equal but for one division.
    extreme = sum(_range(decision, rng.permutation(names)) >= seen - 1e-12 for _ in range(B))
    return float((1 + extreme) / (B + 1))


def _range(decision: Array, names: Array) -> float:
    """Largest minus smallest share of 1 over the groups that have rows here."""
    _, group = np.unique(names, return_inverse=True)
    if not len(group):
        return 0.0
    share = np.bincount(group, decision) / np.bincount(group)
    return float(share.max() - share.min())

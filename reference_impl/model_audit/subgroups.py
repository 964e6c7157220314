"""One model, many groups of patients: estimates with intervals, and no group left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["COLUMNS", "METRICS", "group_keys", "rates", "roc_auc", "subgroup_report"]

METRICS = ("prev", "auc", "tpr", "fnr", "fpr", "ppv")
"""What is estimated of each group."""
COLUMNS = (
    "group", "n", "patients", "status", *METRICS,
    *(f"{metric}_{end}" for metric in METRICS for end in ("lo", "hi")),
)  # fmt: skip
"""Columns of a report."""

Array = npt.NDArray[Any]


def roc_auc(y: Array, s: Array, weight: Array | None = None) -> float:
    """Probability that a positive row scores higher than a negative one; ties count half.

    Args:
        y: Labels 0 or 1 [N].
        s: Scores [N].
        weight: How often each row counts, [N]; once if not given.

    Returns:
        In [0, 1]; ``nan`` where one class is missing.
    """
    w = np.ones(len(y)) if weight is None else weight
    _, level = np.unique(s, return_inverse=True)
    positive, negative = (np.bincount(level, w * part) for part in (y, 1 - y))
    below = np.cumsum(negative) - 0.5 * negative
    return _ratio(float(positive @ below), float(positive.sum() * negative.sum()))


def rates(y: Array, p: Array, thr: float, weight: Array | None = None) -> dict[str, float]:
    """The :data:`METRICS` of N rows; ``nan`` where a denominator is 0.

    ``prev`` = share of positives, ``tpr`` = TP/(TP+FN), ``fnr`` = FN/(TP+FN), ``fpr`` = FP/(FP+TN),
    ``ppv`` = TP/(TP+FP); a row is flagged if ``p >= thr``.
    """
    w = np.ones(len(y)) if weight is None else weight
    flagged = p >= thr
    tp, fn = float(w @ (y * flagged)), float(w @ (y * ~flagged))
    fp, tn = float(w @ ((1 - y) * flagged)), float(w @ ((1 - y) * ~flagged))
    return {
        "prev": _ratio(tp + fn, tp + fn + fp + tn),
        "auc": roc_auc(y, p, weight),
        "tpr": _ratio(tp, tp + fn),
        "fnr": _ratio(fn, tp + fn),
        "fpr": _ratio(fp, fp + tn),
        "ppv": _ratio(tp, tp + fp),
    }


def group_keys(groups: pd.DataFrame) -> list[str]:
    """The group of each row: ``"race=black & sex=female"``, attributes in alphabetical order.

    ``None`` and ``nan`` are written ``missing``.
    """
    names = sorted(groups.columns)
    texts = [[f"{name}={'missing' if pd.isna(v) else v}" for v in groups[name]] for name in names]
    return [" & ".join(row) for row in zip(*texts, strict=True)]


def subgroup_report(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    groups: pd.DataFrame,
    thr: float,
    B: int = 200,
    seed: int = 0,
    min_n: int = 30,
    cluster: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Performance of one model in every group, with 95 % bootstrap intervals.

    Each of ``B`` resamples of a group draws as many of its patients as it has, with replacement,
    and takes all rows of each (Davison & Hinkley, Bootstrap Methods, 1997, section 3.8); the
    interval runs from the 2.5 % to the 97.5 % quantile of what is defined.

    Args:
        y: Labels 0 or 1 [N].
        p: Predicted probabilities [N].
        groups: Attributes [N, A]; a group is a combination of their values, see
            :func:`group_keys`.
        thr: Rows with ``p >= thr`` are flagged, in every group.
        B: Number of resamples.
        seed: The same seed gives the same report.
        min_n: Groups of fewer patients get the status ``"insufficient"`` and ``nan`` throughout.
        cluster: The patient of each row [N]; every row its own if not given.

    Returns:
        One row a group, sorted by ``group``, with the :data:`COLUMNS`; ``n`` counts rows,
        ``status`` is ``"ok"`` or ``"insufficient"``.
    """
    labels, scores = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    patient = np.arange(len(labels)) if cluster is None else np.asarray(cluster)
    keys = np.array(group_keys(groups))
    rng = np.random.default_rng(seed)
    lines = []
    for key in np.unique(keys):
        rows = keys == key
        who, number = np.unique(patient[rows], return_inverse=True)
        line: dict[str, Any] = {"group": str(key), "n": int(rows.sum()), "patients": len(who)}
        if len(who) < min_n:
            lines.append({**line, "status": "insufficient"})
            continue
        own, own_scores = labels[rows], scores[rows]
        line |= {"status": "ok", **rates(own, own_scores, thr)}
        drawn = [
            rates(own, own_scores, thr, _times(rng, len(who))[number].astype(float))
            for _ in range(B)
        ]
        lines.append(line | _intervals(drawn))
    return pd.DataFrame(lines).reindex(columns=list(COLUMNS))


def _times(rng: np.random.Generator, count: int) -> Array:
    """How often each of ``count`` patients is drawn when as many are drawn with replacement."""
    return np.bincount(rng.integers(count, size=count), minlength=count)


def _intervals(drawn: list[dict[str, float]]) -> dict[str, float]:
    ends: dict[str, float] = {}
    for metric in METRICS:
        values = np.array([sample[metric] for sample in drawn])
        known = values[~np.isnan(values)]
        low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
        ends |= {f"{metric}_lo": float(low), f"{metric}_hi": float(high)}
    return ends


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")

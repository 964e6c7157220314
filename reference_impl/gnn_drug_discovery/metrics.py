"""Measures of predictions, in the unit of what was measured.

Throughout, ``y`` is what was measured and ``p`` is predicted. What is not defined is nan, never 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

__all__ = [
    "Standardiser",
    "capped_error",
    "concordance_index",
    "mae",
    "multitask_auc",
    "r2",
    "rmse",
    "spearman",
]

_CHUNK = 512


class Standardiser:
    """Shifts and scales a target to mean 0 and standard deviation 1, and back.

    Fitted on the training set alone: whatever it is fitted on, the model has seen.
    """

    mean: float
    std: float

    def fit(self, y: npt.ArrayLike) -> Standardiser:
        """Take mean and population standard deviation of ``y``; nan entries are left out.

        A target that is the same everywhere is only shifted: ``std`` is then 1.

        Raises:
            ValueError: if there is no number in ``y``.
        """
        values = np.asarray(y, dtype=np.float64)
        values = values[~np.isnan(values)]
        if not len(values):
            raise ValueError("there is no number to take a mean of")
        self.mean = float(values.mean())
        spread = float(values.std())
        # A constant's spread is not exactly 0 once its mean is rounded.
        self.std = spread if spread > 1e-12 * max(1.0, abs(self.mean)) else 1.0
        return self

    def transform(self, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """``(y - mean) / std``."""
        self._check()
        return (np.asarray(y, dtype=np.float64) - self.mean) / self.std

    def inverse(self, z: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """``mean + std z``: from standardised units back to those of the target."""
        self._check()
        return self.mean + self.std * np.asarray(z, dtype=np.float64)

    def _check(self) -> None:
        if not hasattr(self, "mean"):
            raise ValueError("fit the standardiser first")


def rmse(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """Root of the mean squared error, in the unit of ``y``; nan for no rows."""
    truth, guess = _pair(y, p)
    return float(np.sqrt(np.mean((truth - guess) ** 2))) if len(truth) else float("nan")


def mae(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """Mean absolute error, in the unit of ``y``; nan for no rows."""
    truth, guess = _pair(y, p)
    return float(np.mean(np.abs(truth - guess))) if len(truth) else float("nan")


def capped_error(y: npt.ArrayLike, p: npt.ArrayLike, cap: float = 2.0) -> float:
    """Mean absolute error, no error counting for more than ``cap``: ``mean_n min(|y - p|, cap)``.

    In log10, a prediction that is wrong by a factor of a hundred is wrong; how far beyond says
    little of a model and much of a few molecules.

    Args:
        y: Measurements [N].
        p: Predictions [N], in their unit.
        cap: The largest error that counts, in the same unit.
    """
    truth, guess = _pair(y, p)
    return float(np.minimum(np.abs(truth - guess), cap).mean())


def r2(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """Coefficient of determination ``1 - sum (y - p)^2 / sum (y - mean y)^2``.

    It is 0 for the constant that fits ``y`` best, negative for worse predictions, and no squared
    correlation: a shifted prediction loses. nan if ``y`` is constant.
    """
    truth, guess = _pair(y, p)
    spread = float(((truth - truth.mean()) ** 2).sum()) if len(truth) else 0.0
    return 1 - float(((truth - guess) ** 2).sum()) / spread if spread else float("nan")


def spearman(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's of the mid-ranks; nan if either is constant."""
    ranks = [rankdata(values) for values in _pair(y, p)]
    a, b = (values - values.mean() if len(values) else values for values in ranks)
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale else float("nan")


def concordance_index(y: npt.ArrayLike, p: npt.ArrayLike) -> float:
    """Share of the pairs that differ in ``y`` which ``p`` puts in that order, ties in ``p`` half.

    Pairs of equal ``y`` have no order and do not count (Gönen & Heller, Biometrika 92:965, 2005).

    Args:
        y: Measurements [N].
        p: Predictions [N], any monotone scale.

    Returns:
        In [0, 1], 0.5 for a constant; nan if all ``y`` are equal.
    """
    truth, guess = _pair(y, p)
    concordant, pairs = 0.0, 0
    for start in range(0, len(truth), _CHUNK):
        rows = slice(start, start + _CHUNK)
        higher = truth[rows, None] > truth
        step = guess[rows, None] - guess
        concordant += float((higher & (step > 0)).sum()) + 0.5 * float((higher & (step == 0)).sum())
        pairs += int(higher.sum())
    return concordant / pairs if pairs else float("nan")


def multitask_auc(y: npt.ArrayLike, s: npt.ArrayLike) -> float:
    """Mean over tasks of the area under the ROC curve, over the rows that have a label.

    Each task counts once, however many labels it has. A task without both classes has no AUC and
    is left out.

    Args:
        y: Labels 0, 1 or nan (not measured) [N, T].
        s: Scores [N, T].

    Returns:
        In [0, 1]; nan if no task has both classes.

    Raises:
        ValueError: if the shapes differ or a label is none of 0, 1 and nan.
    """
    truth, score = np.asarray(y, dtype=np.float64), np.asarray(s, dtype=np.float64)
    if truth.ndim != 2 or truth.shape != score.shape:
        raise ValueError(f"one score for each label: {score.shape} is not {truth.shape}")
    if not np.isin(truth[~np.isnan(truth)], (0, 1)).all():
        raise ValueError("labels must be 0, 1 or nan")
    areas = [_auc(truth[:, task], score[:, task]) for task in range(truth.shape[1])]
    defined = [area for area in areas if not np.isnan(area)]
    return float(np.mean(defined)) if defined else float("nan")


def _auc(truth: Any, score: Any) -> float:
    """Mann-Whitney statistic of the labelled rows, with mid-ranks; nan for one class."""
    known = ~np.isnan(truth)
    positive, ranks = truth[known] == 1, rankdata(score[known])
    n1, n0 = int(positive.sum()), int((~positive).sum())
    return float(ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0) if n1 * n0 else float("nan")


def _pair(y: npt.ArrayLike, p: npt.ArrayLike) -> tuple[Any, Any]:
    truth, guess = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != guess.shape:
        raise ValueError(f"one prediction for each measurement: {guess.shape} is not {truth.shape}")
    if np.isnan(truth).any() or np.isnan(guess).any():
        raise ValueError("a measurement or a prediction is nan")
    return truth, guess

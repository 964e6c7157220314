"""Does a model depend on what it should not? Paired counterfactuals of a black box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = ["shortcut_report"]

Array = npt.NDArray[Any]


def shortcut_report(
    predict: Callable[[Array], Any],
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    edits: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    margin: float = 0.1,
    alpha: float = 0.05,
) -> dict[str, Any]:
    """Convict a model of the edits that move its probabilities by more than ``margin``.

    For an edit with images ``A`` (without) and ``B`` (with) of the same N lesions, the paired
    differences are ``d = predict(B) - predict(A)``. Reported are their mean and the interval
    ``mean +- t sd(d) / sqrt(N)`` of Student's t with N - 1 degrees of freedom. The edit is flagged
    if that whole interval lies above ``margin`` or below ``-margin``.

    Args:
        predict: From images [N, ...] to probabilities [N].
        X: Images as they come [N, ...].
        y: Labels 0 or 1 [N], of ``X`` and of both images of each pair.
        edits: For each edit the images without and with it.
        margin: Smallest effect that matters, a probability.
        alpha: One minus the confidence of the intervals.

    Returns:
        ``auc`` of the images as they come, and ``edits``: for each its ``delta``, ``lo``, ``hi``,
        ``flag`` and ``auc_against``: the AUC where the edit speaks against the truth, whichever
        way is worse: all benign images with it and all malignant ones without, or the reverse.

    Raises:
        ValueError: if there are fewer than two labels, or some array has another number of rows.
    """
    labels = np.asarray(y).astype(bool)
    n = len(labels)
    if n < 2 or len(np.asarray(X)) != n:
        raise ValueError(
            f"X and y must have the same length of at least 2, not {len(np.asarray(X))} and {n}"
        )
    found = {}
    for name, (without, with_it) in edits.items():
        off, on = (_probabilities(predict, images, n, name) for images in (without, with_it))
        difference = on - off
        delta = float(difference.mean())
        half = float(stats.t.ppf(1 - alpha / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n))
        against = [_auc(labels, np.where(labels, a, b)) for a, b in ((off, on), (on, off))]
        found[name] = {
            "delta": delta,
            "lo": delta - half,
            "hi": delta + half,
            "flag": bool(delta - half > margin or delta + half < -margin),
            "auc_against": float(np.min(against)),
        }
    as_they_come = _probabilities(predict, X, n, "X")
    return {"auc": _auc(labels, as_they_come), "edits": found}


def _probabilities(
    predict: Callable[[Array], Any], images: npt.ArrayLike, n: int, what: str
) -> Array:
    given = np.asarray(images)
    if len(given) != n:
        raise ValueError(f"{what}: {len(given)} images, but {n} labels; pairs are row by row")
    return np.asarray(predict(given), float)


def _auc(labels: Array, scores: Array) -> float:
    """Area under the ROC curve by ranks, ties counted half; nan if a class is missing."""
    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return float("nan")
    ranks = stats.rankdata(scores)
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * negative))

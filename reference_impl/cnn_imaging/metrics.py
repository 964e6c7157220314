"""Measures of a binary classifier, from counts and from scores.

Throughout, ``y`` is 0 or 1 (1 is diseased), ``s`` is a score that is higher for disease, and the
decision at threshold ``t`` is ``s >= t``. What is not defined (0/0) is nan, never 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

__all__ = [
    "average_precision",
    "binary_metrics",
    "choose_threshold",
    "confusion",
    "ppv_at_prevalence",
    "roc_auc",
]


def confusion(y: npt.ArrayLike, yhat: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Counts ``[[TN, FP], [FN, TP]]``, int64 [2, 2]: rows are the truth, columns the decision.

    Args:
        y: Truth, 0 or 1 (or bool) [N].
        yhat: Decisions, 0 or 1 (or bool) [N].
    """
    truth, decision = _binary(y), _binary(yhat)
    if truth.shape != decision.shape:
        raise ValueError(f"as many decisions as labels: {decision.shape} is not {truth.shape}")
    return np.bincount(2 * truth + decision, minlength=4).reshape(2, 2).astype(np.int64)


def binary_metrics(y: npt.ArrayLike, yhat: npt.ArrayLike) -> dict[str, float]:
    """Rates of a set of decisions.

    ========================= =========================================
    ``accuracy``              (TP + TN) / N
    ``sensitivity``           TP / (TP + FN)
    ``specificity``           TN / (TN + FP)
    ``balanced_accuracy``     (sensitivity + specificity) / 2
    ``ppv``                   TP / (TP + FP)
    ``npv``                   TN / (TN + FN)
    ``f1``                    2 TP / (2 TP + FP + FN)
    ========================= =========================================

    Args:
        y: Truth, 0 or 1 [N].
        yhat: Decisions, 0 or 1 [N].

    Returns:
        The seven rates; one whose denominator is 0 is nan.
    """
    (tn, fp), (fn, tp) = confusion(y, yhat).tolist()
    sensitivity, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    return {
        "accuracy": _ratio(tp + tn, tp + tn + fp + fn),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "ppv": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
    }


def roc_auc(y: npt.ArrayLike, s: npt.ArrayLike) -> float:
    """Probability that a random positive scores higher than a random negative, ties half.

    ``AUC = (sum of the positives' ranks - n1 (n1 + 1) / 2) / (n1 n0)``, with mid-ranks for tied
    scores: the Mann-Whitney statistic (Hanley & McNeil, Radiology 143:29, 1982).

    Args:
        y: Labels, 0 or 1 [N].
        s: Scores [N], any monotone scale.

    Returns:
        AUC in [0, 1]; nan if only one class is present.
    """
    truth, score = _labels_and_scores(y, s)
    n1 = int(truth.sum())
    n0 = len(truth) - n1
    rank_sum = rankdata(score)[truth == 1].sum()
    return _ratio(float(rank_sum) - n1 * (n1 + 1) / 2, n1 * n0)


def average_precision(y: npt.ArrayLike, s: npt.ArrayLike) -> float:
    """Area under the precision-recall steps: ``sum_k (R_k - R_{k-1}) P_k``.

    ``k`` runs over the distinct scores from the highest down; ``P_k`` and ``R_k`` are precision
    and recall when everything that scores at least as much is called positive. There is no
    interpolation, which would be optimistic (Davis & Goadrich, ICML 2006).

    Args:
        y: Labels, 0 or 1 [N].
        s: Scores [N].

    Returns:
        Average precision in [0, 1]; nan if there is no positive.
    """
    truth, score = _labels_and_scores(y, s)
    if not truth.any():
        return float("nan")
    _, tp, called = _counts_by_threshold(truth, score)
    recall = tp / truth.sum()
    return float(np.sum(np.diff(recall, prepend=0.0) * tp / called))


def choose_threshold(y_val: npt.ArrayLike, s_val: npt.ArrayLike, min_sensitivity: float) -> float:
    """The threshold of best specificity among those that are sensitive enough.

    Raising the threshold can only gain specificity and lose sensitivity, so this is the largest
    observed score ``t`` at which ``s >= t`` still finds ``min_sensitivity`` of the positives. It
    must be chosen on validation data: chosen on the test set it is optimistic.

    Args:
        y_val: Validation labels, 0 or 1 [N].
        s_val: Validation scores [N].
        min_sensitivity: Share of the positives to be found, in [0, 1].

    Returns:
        One of the scores; nan if there is no positive.
    """
    truth, score = _labels_and_scores(y_val, s_val)
    if not truth.any():
        return float("nan")
    thresholds, tp, _ = _counts_by_threshold(truth, score)
    return float(thresholds[np.argmax(tp / truth.sum() >= min_sensitivity)])


def ppv_at_prevalence(sens: float, spec: float, prev: float) -> float:
    """Positive predictive value where a share ``prev`` is diseased, by Bayes' theorem.

    ``PPV = sens prev / (sens prev + (1 - spec) (1 - prev))``

    Args:
        sens: Sensitivity in [0, 1].
        spec: Specificity in [0, 1].
        prev: Prevalence in the population that will be tested, in [0, 1].

    Returns:
        Probability of disease given a positive result; nan if no result would be positive.
    """
    return _ratio(sens * prev, sens * prev + (1 - spec) * (1 - prev))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else float("nan")


def _binary(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or not np.isin(array, (0, 1)).all():
        raise ValueError("labels must be a vector of 0 and 1")
    return array.astype(np.int64)


def _labels_and_scores(y: npt.ArrayLike, s: npt.ArrayLike) -> tuple[Any, Any]:
    truth, score = _binary(y), np.asarray(s, dtype=np.float64)
    if truth.shape != score.shape:
        raise ValueError(f"as many scores as labels: {score.shape} is not {truth.shape}")
    if np.isnan(score).any():
        raise ValueError("a score is nan")
    return truth, score


def _counts_by_threshold(truth: Any, score: Any) -> tuple[Any, Any, Any]:
    """Distinct scores, descending, with the true positives and all that score at least as much."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last_of_tie = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return ranked[last_of_tie], np.cumsum(truth[order])[last_of_tie], last_of_tie + 1

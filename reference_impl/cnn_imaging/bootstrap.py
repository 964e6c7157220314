"""Confidence intervals when the rows of one patient are alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["bootstrap_ci"]

Statistic = Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]


def bootstrap_ci(
    y: npt.ArrayLike,
    s: npt.ArrayLike,
    patient_id: npt.ArrayLike,
    stat: Statistic,
    B: int = 1000,
    alpha: float = 0.05,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Percentile interval of ``stat(y, s)`` from a cluster bootstrap.

    The patients are the independent draws from the population, not the images. Each of ``B``
    resamples draws as many patients as there are, with replacement, and takes all rows of each,
    as often as it was drawn (Davison & Hinkley, Bootstrap Methods, 1997, section 3.8). The
    interval runs from the ``alpha / 2`` to the ``1 - alpha / 2`` quantile of the resampled
    statistics.

    Args:
        y: Labels [N].
        s: Scores [N].
        patient_id: Integers or strings [N], the patient of each row.
        stat: The statistic, for example ``roc_auc``; nan where it is not defined.
        B: Number of resamples.
        alpha: One minus the confidence level.
        seed: The same seed gives the same interval.

    Returns:
        ``(estimate, low, high)``; the estimate is that of the data as they are. Resamples whose
        statistic is nan, such as those with one class only, are left out. With a single patient,
        or if all are left out, ``low`` and ``high`` are nan.
    """
    labels, scores = np.asarray(y), np.asarray(s)
    patients, patient_of_row = np.unique(np.asarray(patient_id), return_inverse=True)
    estimate = float(stat(labels, scores))
    if len(patients) < 2:
        return estimate, float("nan"), float("nan")
    rows_by_patient = np.argsort(patient_of_row, kind="stable")
    rows = np.split(rows_by_patient, np.cumsum(np.bincount(patient_of_row))[:-1])

    rng = np.random.default_rng(seed)
    resampled = np.empty(B)
    for b in range(B):
        drawn = rng.integers(0, len(patients), size=len(patients))
        chosen = np.concatenate([rows[patient] for patient in drawn])
        resampled[b] = stat(labels[chosen], scores[chosen])
    defined = resampled[~np.isnan(resampled)]
    if not len(defined):
        return estimate, float("nan"), float("nan")
    low, high = np.quantile(defined, [alpha / 2, 1 - alpha / 2])
    return estimate, float(low), float(high)

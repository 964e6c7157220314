"""What a model is worth where somebody acts on it, and what another prevalence does to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["net_benefit", "recalibrate_prevalence"]


def net_benefit(y: npt.ArrayLike, p: npt.ArrayLike, t: npt.ArrayLike) -> npt.NDArray[Any]:
    """Net benefit of acting on ``p >= t`` (Vickers & Elkin, Med Decis Making 26:565, 2006).

        TP/N - FP/N · t / (1 - t)

    The odds of the threshold are the price of a false alarm, in true positives.

    Args:
        y: Labels 0 or 1 [N].
        p: Probabilities [N].
        t: Thresholds in [0, 1), a number or any shape.

    Returns:
        float64 of the shape of ``t``.

    Raises:
        ValueError: if some threshold is not in [0, 1).
    """
    labels, scores = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    thresholds = np.asarray(t, dtype=float)
    if not ((thresholds >= 0) & (thresholds < 1)).all():
        raise ValueError("thresholds must lie in [0, 1)")
    flagged = scores >= thresholds[..., None]
    gain = (flagged * labels).mean(axis=-1)
    return gain - (flagged * (1 - labels)).mean(axis=-1) * thresholds / (1 - thresholds)


def recalibrate_prevalence(p: npt.ArrayLike, pi0: float, pi1: float) -> npt.NDArray[np.float64]:
    """Probabilities for a population of prevalence ``pi1``, from those for one of ``pi0``.

    If patients with and without the disease look the same in both, log odds move by
    log odds(pi1) - log odds(pi0) (Elkan, 2001, theorem 2; Saerens et al., 2002).

    Args:
        p: Probabilities, any shape; 0 and 1 stay what they are.
        pi0: Prevalence where they are right, in (0, 1).
        pi1: Prevalence where they are wanted, in (0, 1).

    Raises:
        ValueError: if a prevalence is not in (0, 1).
    """
    if not (0 < pi0 < 1 and 0 < pi1 < 1):
        raise ValueError("prevalences must lie between 0 and 1, ends excluded")
    values = np.asarray(p, dtype=float)
    ratio = pi1 / (1 - pi1) / (pi0 / (1 - pi0))
    return ratio * values / (ratio * values + (1 - values))

"""Whether predicted probabilities come true, and how well that can be known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

__all__ = ["bin_numbers", "brier_decomposition", "ece", "ece_null", "fit_temperature", "nll"]

TEMPERATURES = (0.02, 50.0)
"""Between these a temperature is looked for."""

Floats = npt.NDArray[np.float64]


def bin_numbers(p: npt.ArrayLike, bins: int, strategy: str) -> npt.NDArray[np.int64]:
    """The bin of each probability, from 0.

    ``"width"``: bin k holds k/bins <= p < (k + 1)/bins, and the last also p = 1. ``"mass"``: the
    edges are the quantiles 0, 1/bins, ..., 1 of ``p``; a value at an inner edge belongs to the bin
    above it, so that equal values stay together.

    Raises:
        ValueError: if there is no such strategy, or some ``p`` is not in [0, 1].
    """
    values = np.asarray(p, dtype=float)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1]")
    if strategy == "width":
        inner = np.arange(1, bins) / bins
    elif strategy == "mass":
        inner = np.quantile(values, np.arange(1, bins) / bins)
    else:
        raise ValueError(f"no strategy {strategy!r}; choose 'width' or 'mass'")
    return np.searchsorted(inner, values, side="right")


def ece(y: npt.ArrayLike, p: npt.ArrayLike, bins: int = 10, strategy: str = "width") -> float:
    """Expected calibration error of the probability of the positive class.

        Σ_k (n_k / N) |mean of y in bin k - mean of p in bin k|

    (after Naeini et al., 2015). Empty bins add nothing.

    Args:
        y: Labels 0 or 1 [N].
        p: Probabilities of 1, [N], in [0, 1].
        bins: Number of bins.
        strategy: ``"width"`` or ``"mass"``, see :func:`bin_numbers`.
    """
    number = bin_numbers(p, bins, strategy)
    error = np.asarray(y, dtype=float) - np.asarray(p, dtype=float)
    return float(np.abs(np.bincount(number, error, minlength=bins)).sum() / len(error))


def brier_decomposition(y: npt.ArrayLike, p: npt.ArrayLike, bins: int = 10) -> dict[str, float]:
    """Brier score and what it is made of (Murphy, 1973), over bins of equal width.

    With n_k rows in bin k, mean forecast p_k and mean outcome y_k:
    ``reliability`` = Σ n_k (p_k - y_k)² / N, ``resolution`` = Σ n_k (y_k - ȳ)² / N,
    ``uncertainty`` = ȳ (1 - ȳ). Forecasts that differ within a bin leave a remainder (Stephenson et
    al., 2008), ``within``, so that brier = reliability - resolution + uncertainty + within.

    Returns:
        ``brier``, ``reliability``, ``resolution``, ``uncertainty``, ``within``.
    """
    labels, forecasts = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    number = bin_numbers(forecasts, bins, "width")
    count = np.bincount(number, minlength=bins)
    used = np.maximum(count, 1)
    mean_p, mean_y = (np.bincount(number, v, minlength=bins) / used for v in (forecasts, labels))
    share = count / len(labels)
    parts = {
        "brier": float(np.mean((forecasts - labels) ** 2)),
        "reliability": float(share @ (mean_p - mean_y) ** 2),
        "resolution": float(share @ (mean_y - labels.mean()) ** 2),
        "uncertainty": float(labels.mean() * (1 - labels.mean())),
    }
    sum_of_parts = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    return {**parts, "within": parts["brier"] - sum_of_parts}


def nll(logits: npt.ArrayLike, y: npt.ArrayLike, temperature: float = 1.0) -> float:
    """Mean negative log likelihood of labels, when logits are divided by a temperature."""
    z = np.asarray(logits, dtype=float) / temperature
    return float(np.mean(np.logaddexp(0, z) - np.asarray(y, dtype=float) * z))


def fit_temperature(logits: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The temperature T > 0 with the least :func:`nll` of y given logits / T (Guo et al., 2017).

    Args:
        logits: Log odds of 1, [N].
        y: Labels 0 or 1 [N]; of validation data, which the model was not trained on.
    """
    found: Any = minimize_scalar(
        lambda log_t: nll(logits, y, float(np.exp(log_t))),
        bounds=(np.log(TEMPERATURES[0]), np.log(TEMPERATURES[1])),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def ece_null(
    p: npt.ArrayLike, B: int = 500, seed: int = 0, bins: int = 10, strategy: str = "width"
) -> Floats:
    """The :func:`ece` that perfectly calibrated probabilities have, by chance.

    Labels are drawn from the probabilities themselves, ``B`` times.

    Returns:
        float64 [B].
    """
    forecasts = np.asarray(p, dtype=float)
    rng = np.random.default_rng(seed)
    number = bin_numbers(forecasts, bins, strategy)
    expected = np.bincount(number, forecasts, minlength=bins)
    drawn = np.empty(B)
    for b in range(B):
        happened = np.bincount(number[rng.random(len(forecasts)) < forecasts], minlength=bins)
        drawn[b] = np.abs(happened - expected).sum() / len(forecasts)
    return drawn

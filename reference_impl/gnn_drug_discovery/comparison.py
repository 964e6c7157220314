"""Whether one model is better than another, or nobody can tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["compare"]


def compare(
    y: npt.ArrayLike,
    pa: npt.ArrayLike,
    pb: npt.ArrayLike,
    groups: npt.ArrayLike,
    B: int = 2000,
    alpha: float = 0.05,
    seed: int = 0,
) -> dict[str, Any]:
    """Difference of two models' RMSE on the same molecules, by a paired cluster bootstrap.

    Molecules of one scaffold are alike, so the scaffolds are resampled, as many as there are, each
    with all its molecules (Davison & Hinkley, Bootstrap Methods, 1997, section 3.8). Both models
    are measured on the same resample: what makes a molecule hard for both cancels. The interval
    runs from the ``alpha / 2`` to the ``1 - alpha / 2`` quantile of the resampled differences.

    Args:
        y: Measurements [N].
        pa: Predictions of model a [N].
        pb: Predictions of model b [N].
        groups: Numbers or names [N], such as the scaffold of each molecule.
        B: Number of resamples.
        alpha: One minus the confidence level.
        seed: The same seed gives the same interval.

    Returns:
        ``diff``, RMSE(a) - RMSE(b) on the data as they are; ``lo`` and ``hi``, its interval, nan if
        there is one group only; ``verdict``: ``"a"`` if a is better (``hi < 0``), ``"b"`` if b is
        (``lo > 0``), otherwise ``"inconclusive"``.

    Raises:
        ValueError: if the lengths differ or there are no rows.
    """
    truth, a, b = (np.asarray(values, dtype=np.float64) for values in (y, pa, pb))
    members = np.asarray(groups)
    if truth.ndim != 1 or not len(truth):
        raise ValueError("there must be one measurement at least")
    if not truth.shape == a.shape == b.shape == members.shape:
        raise ValueError("as many predictions and groups as measurements")
    _, group = np.unique(members, return_inverse=True)
    count = int(group.max()) + 1
    # A resample's RMSE needs only how often each group was drawn: no rows are copied.
    sums = np.stack([np.bincount(group, w) for w in ((a - truth) ** 2, (b - truth) ** 2)])
    sizes = np.bincount(group)
    diff = _difference(sums.sum(axis=1), sizes.sum())
    lo = hi = float("nan")
    if count > 1:
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=B)  # [B, groups]
        resampled = _difference(sums @ drawn.T, drawn @ sizes)
        lo, hi = np.quantile(resampled, [alpha / 2, 1 - alpha / 2]).tolist()
    verdict = "a" if hi < 0 else "b" if lo > 0 else "inconclusive"
    return {"diff": float(diff), "lo": lo, "hi": hi, "verdict": verdict}


def _difference(squares: Any, rows: Any) -> Any:
    """RMSE of a minus RMSE of b, from both sums of squared errors and the number of rows."""
    a, b = np.sqrt(squares / rows)
    return a - b

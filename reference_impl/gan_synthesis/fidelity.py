"""Whether a synthetic image shows what is there: lesions kept, none invented, no systematic error.

A mean error over all pixels hardly sees a lesion of twenty. These measures look where it matters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["bias_map", "hallucination_rate", "lesion_contrast_recovery"]

Floats = npt.NDArray[np.float64]

Z95 = 1.959963984540054
"""Quantile of the normal distribution for a two-sided interval of 95 %."""


def lesion_contrast_recovery(
    pred: npt.ArrayLike, target: npt.ArrayLike, lesion: npt.ArrayLike, ref: npt.ArrayLike
) -> Floats:
    """Share of a lesion's contrast that the prediction shows, for each image.

    Contrast is the mean over the lesion minus the mean over the reference tissue; recovery is the
    contrast in ``pred`` divided by that in ``target``. 1 is faithful, 0 means that the lesion is
    gone, below 0 that it shows with the wrong sign.

    Args:
        pred: Predicted images [N, H, W].
        target: True images [N, H, W].
        lesion: Pixels of the lesion, bool [N, H, W].
        ref: Pixels of healthy tissue to compare with, bool [N, H, W].

    Returns:
        float64 [N]; ``nan`` where an image has no lesion, no reference, or no contrast in
        ``target``.

    Raises:
        ValueError: if shapes differ.
    """
    predicted, true = np.asarray(pred, np.float64), np.asarray(target, np.float64)
    inside, outside = np.asarray(lesion, bool), np.asarray(ref, bool)
    _check_shapes(predicted, true, inside, outside)
    shown, real = (_mean(x, inside) - _mean(x, outside) for x in (predicted, true))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(real == 0, np.nan, shown / real))


def hallucination_rate(
    pred: npt.ArrayLike, target: npt.ArrayLike, mask: npt.ArrayLike, delta: float
) -> tuple[float, float, float]:
    """Share of images in which something bright was invented, with an interval of 95 %.

    An image counts if in at least one 3x3 window that lies wholly in ``mask`` the mean of ``pred -
    target`` is above ``delta``: a window, because a single noisy pixel is no structure. Images
    without any such window are left out. The interval is Wilson's score interval (J Am Stat Assoc
    22:209, 1927) over images: with few of them, no finding proves little.

    Args:
        pred: Predicted images [N, H, W].
        target: True images [N, H, W].
        mask: Where to look, bool [N, H, W].
        delta: How much brighter is an invention, in the unit of the images.

    Returns:
        ``(rate, low, high)``; all ``nan`` if no image is left.

    Raises:
        ValueError: if shapes differ.
    """
    predicted, true = np.asarray(pred, np.float64), np.asarray(target, np.float64)
    looked_at = np.asarray(mask, bool)
    _check_shapes(predicted, true, looked_at)
    excess = ndimage.uniform_filter(predicted - true, 3, axes=(-2, -1))
    whole = ndimage.minimum_filter(looked_at, 3, axes=(-2, -1), mode="constant", cval=0)
    usable = whole.any(axis=(-2, -1))
    found = (whole & (excess > delta)).any(axis=(-2, -1))
    return _wilson(int(found.sum()), int(usable.sum()))


def bias_map(
    pred: npt.ArrayLike, target: npt.ArrayLike, mask: npt.ArrayLike | None = None
) -> Floats:
    """Mean of ``pred - target`` over images, at each pixel: errors that do not average out.

    Args:
        pred: Predicted images [N, H, W].
        target: True images [N, H, W].
        mask: Pixels that count, bool [N, H, W]; all if not given.

    Returns:
        float64 [H, W]; ``nan`` where no image counts.

    Raises:
        ValueError: if shapes differ.
    """
    predicted, true = np.asarray(pred, np.float64), np.asarray(target, np.float64)
    counted = np.ones(true.shape, bool) if mask is None else np.asarray(mask, bool)
    _check_shapes(predicted, true, counted)
    total = np.where(counted, predicted - true, 0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / counted.sum(axis=0))


def _check_shapes(*arrays: npt.NDArray[Any]) -> None:
    shapes = [array.shape for array in arrays]
    if len(set(shapes)) > 1 or len(shapes[0]) != 3:
        raise ValueError(f"images and masks must be of one shape [N, H, W], not {shapes}")


def _mean(images: Floats, where: npt.NDArray[np.bool_]) -> Floats:
    """Mean over the pixels of a mask: [N]; nan where there are none."""
    with np.errstate(invalid="ignore"):
        total: Floats = np.where(where, images, 0).sum(axis=(1, 2))
        return total / where.sum(axis=(1, 2))


def _wilson(found: int, n: int) -> tuple[float, float, float]:
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    rate = found / n
    centre = (rate + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * np.sqrt(rate * (1 - rate) / n + Z95**2 / (4 * n**2))
    return rate, max(0.0, float(centre - half)), min(1.0, float(centre + half))

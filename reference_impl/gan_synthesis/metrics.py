"""How close an image is to the true one: PSNR, SSIM and NRMSE, over an image or part of it.

Every function gives one value for each image: the mean over a set is the caller's to take. None
looks at an image to decide its scale: ``data_range`` is a fact about the data, and a metric that
normalises each image by itself cannot see that intensities are wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["nrmse", "psnr", "ssim"]

WINDOW = 7
"""Side of the window of :func:`ssim`, pixels."""

Floats = npt.NDArray[np.float64]


def psnr(
    p: npt.ArrayLike, t: npt.ArrayLike, data_range: float, mask: npt.ArrayLike | None = None
) -> Any:
    """Peak signal-to-noise ratio, ``10 log10(data_range^2 / mean((p - t)^2))``, dB.

    Args:
        p: Predicted images [..., H, W].
        t: True images [..., H, W].
        data_range: Largest minus smallest value that an image of this kind can have, above 0.
        mask: Pixels that count, bool, [..., H, W] or [H, W]; all if not given.

    Returns:
        float64 [...], a value for each image: ``inf`` where they are equal, ``nan`` where no pixel
        counts.

    Raises:
        ValueError: if shapes differ or ``data_range`` is not above 0.
    """
    predicted, true, counted = _checked(p, t, mask)
    _check_range(data_range)
    error = _mean((predicted - true) ** 2, counted)
    with np.errstate(divide="ignore"):
        return 10 * np.log10(data_range**2 / error)


def ssim(
    p: npt.ArrayLike, t: npt.ArrayLike, data_range: float, mask: npt.ArrayLike | None = None
) -> Any:
    """Structural similarity (Wang et al., IEEE Trans Image Process 13:600, 2004).

    In each window of 7 x 7 pixels, all of equal weight, with means ``m``, variances ``v`` and
    covariance ``c`` (divided by 48, the sample's)::

        (2 m_p m_t + C1) (2 c + C2) / ((m_p^2 + m_t^2 + C1) (v_p + v_t + C2))

    with ``C1 = (0.01 data_range)^2`` and ``C2 = (0.03 data_range)^2``, then the mean over all
    windows that lie wholly in the image. A window belongs to ``mask`` if its central pixel does.
    These are the choices of ``skimage.metrics.structural_similarity`` by default.

    Args:
        p: Predicted images [..., H, W]; H and W at least 7.
        t: True images [..., H, W].
        data_range: Largest minus smallest value that an image of this kind can have, above 0.
        mask: Pixels that count, bool, [..., H, W] or [H, W]; all if not given.

    Returns:
        float64 [...], a value for each image, at most 1; ``nan`` where no window counts.

    Raises:
        ValueError: if shapes differ, an image is smaller than a window, or ``data_range`` is not
            above 0.
    """
    predicted, true, counted = _checked(p, t, mask)
    _check_range(data_range)
    if min(true.shape[-2:]) < WINDOW:
        raise ValueError(f"images must have at least 7 x 7 pixels, not {true.shape[-2:]}")
    mean_p, mean_t = _window_mean(predicted), _window_mean(true)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    var_p = sample * (_window_mean(predicted**2) - mean_p**2)
    var_t = sample * (_window_mean(true**2) - mean_t**2)
    covariance = sample * (_window_mean(predicted * true) - mean_p * mean_t)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    likeness = (2 * mean_p * mean_t + c1) * (2 * covariance + c2)
    likeness /= (mean_p**2 + mean_t**2 + c1) * (var_p + var_t + c2)
    return _mean(likeness, _valid(counted))


def nrmse(p: npt.ArrayLike, t: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> Any:
    """Root mean square error relative to the true image's own, ``||p - t|| / ||t||``.

    Args:
        p: Predicted images [..., H, W].
        t: True images [..., H, W].
        mask: Pixels that count, bool, [..., H, W] or [H, W]; all if not given.

    Returns:
        float64 [...], a value for each image: 0 where they are equal, ``inf`` where the true image
        is zero and the predicted one is not, ``nan`` where both are zero or no pixel counts.

    Raises:
        ValueError: if shapes differ.
    """
    predicted, true, counted = _checked(p, t, mask)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(_mean((predicted - true) ** 2, counted) / _mean(true**2, counted))


def _checked(p: npt.ArrayLike, t: npt.ArrayLike, mask: npt.ArrayLike | None) -> tuple[Any, ...]:
    """Both images as float64, and which pixels count."""
    predicted, true = np.asarray(p, np.float64), np.asarray(t, np.float64)
    if predicted.shape != true.shape or true.ndim < 2:
        raise ValueError(f"images must be of one shape: {predicted.shape} and {true.shape}")
    if mask is None:
        return predicted, true, np.ones(true.shape, bool)
    counted = np.asarray(mask, bool)
    if counted.shape not in {true.shape, true.shape[-2:]}:
        raise ValueError(f"the mask {counted.shape} does not fit images {true.shape}")
    return predicted, true, np.broadcast_to(counted, true.shape)


def _check_range(data_range: float) -> None:
    if not data_range > 0:
        raise ValueError(f"data_range must be above 0, not {data_range}")


def _mean(values: Floats, counted: Any) -> Any:
    """Mean over the pixels that count; nan where none does."""
    total = np.where(counted, values, 0).sum(axis=(-2, -1))
    with np.errstate(invalid="ignore"):
        return total / counted.sum(axis=(-2, -1))


def _window_mean(images: Floats) -> Floats:
    """Mean of each window that lies wholly in the image: [..., H - 6, W - 6]."""
    return _valid(ndimage.uniform_filter(images, WINDOW, axes=(-2, -1)))


def _valid(images: Any) -> Any:
    margin = WINDOW // 2
    return images[..., margin:-margin, margin:-margin]

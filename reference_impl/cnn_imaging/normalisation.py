"""Scaling intensities by the training set's statistics, and augmenting image and mask as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["apply", "augment", "fit_normaliser"]

Stats = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
Image = npt.NDArray[Any]

_SHIFT = 2
"""Largest shift of :func:`augment`, pixels."""


def fit_normaliser(X: npt.ArrayLike) -> Stats:
    """Mean and standard deviation of each channel over all images and pixels.

    ``mean_c = 1/n sum x_c`` and ``std_c = sqrt(1/n sum (x_c - mean_c)^2)``, ``n = N H W``.

    Args:
        X: Training images [N, 3, H, W] in any unit: [0, 1] or 0 to 255.

    Returns:
        ``(mean, std)``, float64 [3] each, in the unit of ``X``. A channel that does not vary
        has ``std`` 1, so that dividing by it stays finite.
    """
    pixels = np.asarray(X, dtype=np.float64)
    mean = pixels.mean(axis=(0, 2, 3))
    std = pixels.std(axis=(0, 2, 3))
    # Rounding leaves a constant channel a tiny std; the bound is relative so that units cancel.
    constant = std <= 1e-10 * np.abs(mean)
    return mean, np.where(constant, 1.0, std)


def apply(X: npt.ArrayLike, stats: Stats) -> Image:
    """Standardise images: ``(x_c - mean_c) / std_c``.

    Args:
        X: Images [N, 3, H, W] in the unit that ``stats`` were fitted in.
        stats: What :func:`fit_normaliser` returned for the *training* images.

    Returns:
        [N, 3, H, W], float64 if ``X`` is float64, otherwise float32.
    """
    images = np.asarray(X)
    mean, std = (np.reshape(values, (-1, 1, 1)) for values in stats)
    scaled = (images.astype(np.float64) - mean) / std
    return scaled if images.dtype == np.float64 else scaled.astype(np.float32)


def augment(x: Image, mask: Image, rng: np.random.Generator) -> tuple[Image, Image]:
    """Flip, turn and shift an image and its mask by the same random movement.

    A lesion has no up or down, so all eight symmetries of the square are as likely as what was
    photographed; the shift is up to 2 pixels, and pixels at the edge are repeated. Only geometry
    is changed: an image made of its own mask stays equal to that mask.

    Args:
        x: Image [3, H, W] of any dtype.
        mask: Mask [H, W] of any dtype.
        rng: Source of randomness; it draws the same amount whatever the image holds.

    Returns:
        New arrays of the shapes and dtypes of ``x`` and ``mask``. Images that are not square
        are only turned by half a circle.
    """
    flip, turns = rng.integers(0, 2), int(rng.integers(0, 4))
    shift = rng.integers(-_SHIFT, _SHIFT + 1, size=2)
    height, width = mask.shape
    turns = turns if height == width else 2 * (turns % 2)
    rows = np.clip(np.arange(height) + shift[0], 0, height - 1)
    columns = np.clip(np.arange(width) + shift[1], 0, width - 1)

    def move(image: Image) -> Image:
        turned = np.rot90(image[..., ::-1] if flip else image, turns, axes=(-2, -1))
        return turned[..., rows[:, None], columns]

    return move(x), move(mask)

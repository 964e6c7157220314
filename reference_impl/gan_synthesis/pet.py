"""Low-dose PET: fewer counts of the same scan, and the blur of the scanner."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["gaussian_psf", "thin_counts"]


def thin_counts(N: npt.ArrayLike, p: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The scan that a dose of ``p`` would have given: each count is kept with probability ``p``.

    If ``N`` is Poisson with mean ``m``, binomial thinning is *exactly* Poisson with mean ``p m``,
    and what was kept is independent of what was not (Kingman, Poisson Processes, 1993, section
    5.1). Scaling, ``p N``, has the right mean but only ``p`` times the right variance.

    Args:
        N: Counts, integers of any shape, at least 0.
        p: Share of the dose, in [0, 1].
        rng: Decides which counts are kept.

    Returns:
        int64, of the shape of ``N``, between 0 and ``N``.

    Raises:
        ValueError: if ``p`` is out of range, a count is negative, or ``N`` is not of an integer
            dtype: an image that was scaled is no longer counts.
    """
    counts = np.asarray(N)
    if counts.dtype.kind not in "iu":
        raise ValueError(f"N must be counts of an integer dtype, not {counts.dtype}")
    if counts.size and counts.min() < 0:
        raise ValueError("N must not be negative")
    if not 0 <= p <= 1:
        raise ValueError(f"p must be between 0 and 1, not {p}")
    return np.asarray(rng.binomial(counts.astype(np.int64), p), np.int64)


def gaussian_psf(
    img: npt.ArrayLike, fwhm_mm: float | tuple[float, float], voxel_mm: float | tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Blur by a scanner whose point spread function is a Gaussian.

    Scanners are described by the full width at half maximum, ``FWHM = 2 sqrt(2 ln 2) sigma``, in
    millimetres. At the borders activity is mirrored, so that the sum is conserved.

    Args:
        img: Images [..., H, W].
        fwhm_mm: Full width at half maximum, mm, at least 0; one number, or one for each of H, W.
        voxel_mm: Size of a pixel, mm, above 0; one number, or one for each of H, W.

    Returns:
        float64 [..., H, W].

    Raises:
        ValueError: if a width is negative or a size not above 0.
    """
    width, size = np.broadcast_to(fwhm_mm, 2), np.broadcast_to(voxel_mm, 2)
    if not ((width >= 0).all() and (size > 0).all()):
        raise ValueError(f"fwhm_mm must be at least 0 and voxel_mm above 0: {fwhm_mm}, {voxel_mm}")
    sigma = width / size / (2 * math.sqrt(2 * math.log(2)))
    images = np.asarray(img, np.float64)
    # The kernel is cut where what is left of it is below 1e-8.
    return np.asarray(
        ndimage.gaussian_filter(images, sigma, axes=(-2, -1), mode="reflect", truncate=6.0)
    )

"""What a low field does to an image: shorter T1, fewer spatial frequencies, more noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from reference_impl.gan_synthesis.physics import spin_echo, t1_at_field

__all__ = ["kspace_truncate", "rician", "to_low_field"]

Floats = npt.NDArray[np.float64]


def kspace_truncate(img: npt.ArrayLike, frac: float) -> Floats:
    """Keep the central part of k-space and set the rest to zero.

    Of an axis with ``n`` samples, those with ``|k| <= frac n / 2`` are kept, where ``k`` counts
    cycles per field of view from ``-n/2`` to ``n/2`` (``numpy.fft.fftfreq(n) * n``). So the rule
    is symmetric in ``k``, keeps ``k = 0`` and with it the mean, and ``frac=1`` keeps everything.
    The pixel grid stays: the image has fewer details, not fewer pixels.

    Args:
        img: Images [..., H, W].
        frac: Share of each axis of k-space that is kept, above 0, at most 1.

    Returns:
        Real images float64 [..., H, W]. They may be slightly negative (Gibbs ringing).

    Raises:
        ValueError: if ``frac`` is out of range.
    """
    if not 0 < frac <= 1:
        raise ValueError(f"frac must be above 0 and at most 1, not {frac}")
    images = np.asarray(img, np.float64)
    rows, columns = (np.abs(np.fft.fftfreq(n)) <= frac / 2 for n in images.shape[-2:])
    spectrum = np.fft.fft2(images) * np.outer(rows, columns)
    return np.asarray(np.fft.ifft2(spectrum).real)


def rician(img: npt.ArrayLike, sigma: float, rng: np.random.Generator) -> Floats:
    """Magnitude of an image with complex Gaussian noise: ``|img + sigma (n1 + i n2)|``.

    A scanner measures real and imaginary part, each with noise of standard deviation ``sigma``,
    and shows the magnitude, which is never negative (Gudbjartsson & Patz, Magn Reson Med 34:910,
    1995). Where there is no signal, the mean is ``sigma sqrt(pi / 2)``, not 0; everywhere
    ``E[M^2] = img^2 + 2 sigma^2``.

    Args:
        img: Images of any shape.
        sigma: Standard deviation of the noise in each channel, in the unit of ``img``; at least 0.
        rng: Source of the noise.

    Returns:
        float64, of the shape of ``img``, at least 0.

    Raises:
        ValueError: if ``sigma`` is negative.
    """
    if not sigma >= 0:
        raise ValueError(f"sigma must not be negative, but it is {sigma}")
    images = np.asarray(img, np.float64)
    real = images + sigma * rng.standard_normal(images.shape)
    return np.asarray(np.hypot(real, sigma * rng.standard_normal(images.shape)))


def to_low_field(
    pd: npt.ArrayLike,
    A: npt.ArrayLike,
    C: npt.ArrayLike,
    t2: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    B0: float = 0.064,
    tr: float = 0.5,
    te: float = 0.012,
    frac: float = 0.5,
    sigma: float = 0.03,
) -> Floats:
    """The image that a scanner of low field takes of maps of tissue.

    The order is nature's: the field decides T1 and the sequence the signal, then the scanner
    samples part of k-space, then noise is added and the magnitude taken.

    Args:
        pd: Map of proton density [..., H, W].
        A: Map of T1 at 1 T [..., H, W], seconds.
        C: Map of the exponent of T1 [..., H, W].
        t2: Map of T2 [..., H, W], seconds.
        rng: Source of the noise.
        B0: Field strength, tesla.
        tr: Repetition time, s.
        te: Echo time, s.
        frac: Share of each axis of k-space that is sampled.
        sigma: Standard deviation of the noise, in the unit of ``pd``.

    Returns:
        Magnitude images float64 [..., H, W].
    """
    signal = spin_echo(pd, t1_at_field(A, C, B0), t2, tr, te)
    return rician(kspace_truncate(signal, frac), sigma, rng)

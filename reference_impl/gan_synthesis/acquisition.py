"""The scans of the assignment: which sequence at which field, and the files of the public data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.gan_synthesis import headsim, petsim
from reference_impl.gan_synthesis.headsim import Heads
from reference_impl.gan_synthesis.lowfield import kspace_truncate, rician
from reference_impl.gan_synthesis.pet import gaussian_psf
from reference_impl.gan_synthesis.physics import spin_echo, t1_at_field

__all__ = [
    "FWHM_MM",
    "HIGH_T1W",
    "HIGH_T2W",
    "LOW_T1W",
    "PARTS",
    "Protocol",
    "Scans",
    "acquire",
    "main",
    "public_pet",
    "public_scans",
]


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How an image is taken."""

    B0: float
    """Field strength, T"""
    tr: float
    """Repetition time, s"""
    te: float
    """Echo time, s"""
    gain: float
    """What the signal is multiplied by, so that 1 is the brightest an image may be"""
    frac: float = 1.0
    """Share of each axis of k-space that is sampled"""
    sigma: float = 0.006
    """Noise of each channel, after the gain"""


HIGH_T1W = Protocol(B0=1.5, tr=0.5, te=0.012, gain=1.5)
HIGH_T2W = Protocol(B0=1.5, tr=4.0, te=0.1, gain=1.5)
LOW_T1W = Protocol(B0=0.064, tr=0.5, te=0.012, gain=1.3, frac=0.5, sigma=0.03)

FWHM_MM = 6.0
"""Full width at half maximum of the PET scanner, mm."""

PARTS = {"train": 160, "val": 32, "held_out": 48}
"""Heads in each part of the public data."""
PUBLIC_SEED = 20261103
PUBLIC_PET = 32

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Scans:
    """Heads, and the three images taken of each."""

    heads: Heads
    low: Array
    """uint8 [N, H, W], T1-weighted at 0.064 T; 255 is full scale"""
    t1w: Array
    """uint8 [N, H, W], T1-weighted at 1.5 T"""
    t2w: Array
    """uint8 [N, H, W], T2-weighted at 1.5 T"""

    def __len__(self) -> int:
        return len(self.heads)

    def take(self, rows: Any) -> Scans:
        """The chosen rows."""
        return Scans(headsim.take(self.heads, rows), self.low[rows], self.t1w[rows], self.t2w[rows])


def acquire(heads: Heads, protocol: Protocol, rng: np.random.Generator) -> Array:
    """Take an image of each head: uint8 [N, H, W], 255 is full scale."""
    t1 = t1_at_field(heads.A, heads.C, protocol.B0)
    table = protocol.gain * spin_echo(heads.pd, t1, heads.t2, protocol.tr, protocol.te)
    images = kspace_truncate(headsim.render(heads, table), protocol.frac)
    noisy = rician(images, protocol.sigma, rng)
    return np.clip(noisy * 255 + 0.5, 0, 255).astype(np.uint8)


def scan_heads(heads: Heads, rng: np.random.Generator) -> Scans:
    """Take all three images of each head."""
    return Scans(heads, *(acquire(heads, p, rng) for p in (LOW_T1W, HIGH_T1W, HIGH_T2W)))


def public_scans() -> dict[str, Array]:
    """The arrays of ``heads.npz``."""
    raise NotImplementedError


def public_pet() -> dict[str, Array]:
    """The arrays of ``pet.npz``."""
    raise NotImplementedError


def main() -> None:
    """Write the public data."""
    raise NotImplementedError

"""The scans of the assignment: which sequence at which field, and the files of the public data."""

from __future__ import annotations

import argparse
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
    "PET_PARTS",
    "Protocol",
    "Scans",
    "acquire",
    "main",
    "public_pet",
    "public_scans",
    "scan_heads",
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

PARTS = {"train": 128, "val": 24, "held_out": 40}
"""Heads in each part of the public data."""
PUBLIC_SEED = 20261103
PET_PARTS = {"train": 20, "val": 4, "held_out": 8}
"""Heads in each part of the public PET data."""

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
    """The arrays of ``heads.npz``: what the loaders in ``scans`` read."""
    rng = np.random.default_rng(PUBLIC_SEED)
    count = sum(PARTS.values())
    scans = scan_heads(headsim.draw(count, rng), rng)
    return {
        "low": scans.low,
        "t1w": scans.t1w,
        "t2w": scans.t2w,
        "labels": headsim.majority(scans.heads),
        **_rows(PARTS, "head", headsim.PROVENANCE),
    }


def public_pet() -> dict[str, Array]:
    """The arrays of ``pet.npz``: activity relative to white matter, and counts of a full dose."""
    rng = np.random.default_rng(PUBLIC_SEED + 1)
    heads = headsim.draw(sum(PET_PARTS.values()), rng, lesions=0.0)
    activity = headsim.render(heads, petsim.draw_uptake(len(heads), rng))
    seen = gaussian_psf(activity, FWHM_MM, petsim.VOXEL_MM)
    return {
        "activity": seen.astype(np.float16),
        "counts": petsim.scan(seen, rng).astype(np.uint16),
        "labels": headsim.majority(heads),
        **_rows(PET_PARTS, "pet", petsim.PROVENANCE),
    }


def _rows(parts: dict[str, int], prefix: str, provenance: str) -> dict[str, Array]:
    names = np.array([f"{prefix}{row:03d}" for row in range(sum(parts.values()))])
    part = np.repeat(list(parts), list(parts.values()))
    return {"subject": names, "part": part, "provenance": np.array(provenance)}


def main() -> None:
    """Write the public data into the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    np.savez_compressed(folder / "heads.npz", allow_pickle=False, **public_scans())
    np.savez_compressed(folder / "pet.npz", allow_pickle=False, **public_pet())


if __name__ == "__main__":
    main()

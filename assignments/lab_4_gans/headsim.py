"""A simulator of axial brain slices whose tissue is known exactly.

A head is nested, warped curves (scalp, bone, liquor, a folded cortex, white matter), ventricles,
deep grey nuclei and, in some heads, a lesion in the white matter. Every head has its own shape,
and its tissues their own properties around common ones (:data:`TISSUES`). **These are not
patients.** It is a cartoon of one slice: no vessels, no fat in the orbits, no coil, no motion.

The simulator knows tissue, not scanners: :func:`render` takes a table with the brightness of each
tissue in each head, which is yours to compute, and draws it. Pixels at a border mix what they
hold, because labels are drawn at twice the resolution of images.

The lesion is chosen to be a trap. Its proton density and T1 are both higher than those of white
matter, by amounts that cancel in a T1-weighted image at 1.5 T: there it cannot be seen, not even
in principle, while its longer T2 makes it bright in a T2-weighted image.

Only NumPy is needed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "AIR",
    "BONE",
    "CSF",
    "DEEP_GREY",
    "GREY",
    "LESION",
    "PROVENANCE",
    "SCALP",
    "SIZE",
    "TISSUES",
    "WHITE",
    "Heads",
    "cover",
    "draw",
    "healthy",
    "majority",
    "render",
    "take",
]

PROVENANCE = "simulated by headsim 1.0; no patient, no scanner"
SIZE = 64
"""Pixels along each side of an image."""
AIR, SCALP, BONE, CSF, GREY, WHITE, DEEP_GREY, LESION = range(8)
"""Codes of the labels."""

TISSUES = np.array(
    [
        [0.000, 1.000, 0.000, 1.000],  # air, which gives no signal whatever its times
        [0.900, 0.324, 0.137, 0.070],  # scalp
        [0.100, 0.533, 0.088, 0.050],  # bone
        [1.000, 4.200, 0.000, 1.990],  # liquor
        [0.800, 0.857, 0.376, 0.100],  # grey matter of the cortex
        [0.700, 0.583, 0.382, 0.080],  # white matter
        [0.760, 0.720, 0.376, 0.090],  # deep grey matter
        [0.885, 0.862, 0.382, 0.120],  # lesion
    ]
)
"""Proton density, A in s, C and T2 in s of each label, with T1 = A B0^C for B0 in tesla.

A, C and T2 of scalp, bone (marrow), liquor, grey and white matter are those of the MR Shepp-Logan
phantom (Gach, Tanase & Boada, International Conference on Systems Engineering, 2008). The proton
densities, and all of deep grey matter and lesion, are this simulator's own.
"""

_SPREAD = np.array([0.02, 0.04, 0.0, 0.05])
"""Standard deviation, relative, of a head's own proton density, A, C and T2."""
_HARMONICS = np.arange(2, 6)
_FINE = 2
"""Label pixels along a side of an image pixel."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Heads:
    """Tissue of each head, one row a head."""

    labels: Array
    """uint8 [N, 2 SIZE, 2 SIZE], codes of tissues"""
    pd: Array
    """float64 [N, 8], proton density of each tissue"""
    A: Array
    """float64 [N, 8], T1 at 1 T, s"""
    C: Array
    """float64 [N, 8], exponent of T1"""
    t2: Array
    """float64 [N, 8], T2, s"""
    has_lesion: Array
    """bool [N]"""

    def __len__(self) -> int:
        return len(self.labels)


def take(heads: Heads, rows: Any) -> Heads:
    """The chosen rows."""
    fields = {f.name: getattr(heads, f.name)[rows] for f in dataclasses.fields(heads)}
    return Heads(**fields)


def healthy(heads: Heads) -> Heads:
    """The same heads without their lesions: white matter is where they were."""
    labels = np.where(heads.labels == LESION, np.uint8(WHITE), heads.labels)
    none = np.zeros(len(heads), bool)
    return dataclasses.replace(heads, labels=labels, has_lesion=none)


def render(heads: Heads, table: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Draw each head with the brightness that ``table`` gives its tissues.

    Args:
        heads: N heads.
        table: [N, 8] or [8], by the codes of the labels, in any unit.

    Returns:
        float64 [N, SIZE, SIZE]; a pixel is the mean of the four label pixels it covers.
    """
    values = np.broadcast_to(np.asarray(table, np.float64), (len(heads), len(TISSUES)))
    return _pooled(np.take_along_axis(values, heads.labels.reshape(len(heads), -1), axis=1))


def cover(heads: Heads, *tissues: int) -> npt.NDArray[np.float64]:
    """Share of each pixel that is one of ``tissues``: float64 [N, SIZE, SIZE].

    >>> inside = cover(heads, BONE, CSF) == 1  # pixels of nothing else
    """
    return _pooled(np.isin(heads.labels, tissues).reshape(len(heads), -1))


def majority(heads: Heads) -> npt.NDArray[np.uint8]:
    """The tissue that has most of each pixel, the later code of equal ones: uint8 [N, H, W]."""
    shares = np.stack([cover(heads, tissue) for tissue in range(len(TISSUES))])
    return (len(TISSUES) - 1 - shares[::-1].argmax(axis=0)).astype(np.uint8)


def _pooled(fine: Array) -> npt.NDArray[np.float64]:
    blocks = fine.reshape(-1, SIZE, _FINE, SIZE, _FINE)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float64))


def draw(n: int, rng: np.random.Generator, lesions: float = 0.3) -> Heads:
    """Draw ``n`` heads.

    Args:
        n: How many.
        rng: Source of all randomness; the same state gives the same heads.
        lesions: Probability that a head has a lesion.
    """
    has_lesion = rng.random(n) < lesions
    shape = (n, _FINE * SIZE, _FINE * SIZE)
    labels = np.empty(shape, np.uint8)
    for row in range(n):
        labels[row] = _slice(rng)
        if has_lesion[row]:
            _add_lesion(labels[row], rng)
    own = 1 + _SPREAD * np.clip(rng.standard_normal((n, len(TISSUES), 4)), -2.5, 2.5)
    # A lesion is altered white matter: where one is bright, so is the other.
    own[:, LESION] = own[:, WHITE]
    pd, A, C, t2 = np.moveaxis(TISSUES * own, 2, 0)
    return Heads(labels, pd, A, C, t2, has_lesion)


def _slice(rng: np.random.Generator) -> Array:
    """Labels of one head without a lesion: uint8 [2 SIZE, 2 SIZE]."""
    z = _warped_plane(rng)
    angle, radius = np.angle(z), np.abs(z)
    head = _head_outline(rng, angle)
    scalp, bone = rng.uniform(0.05, 0.08), rng.uniform(0.05, 0.08)
    brain = head - scalp - bone - rng.uniform(0.02, 0.045)
    sulci = _folds(rng, angle)
    grey = brain * (1 - rng.uniform(0.06, 0.11) * np.maximum(0, sulci) ** 6)
    white = brain * (1 - rng.uniform(0.11, 0.15) - rng.uniform(0.05, 0.09) * sulci)

    labels = np.full(radius.shape, AIR, np.uint8)
    for outline, tissue in (
        (head, SCALP),
        (head - scalp, BONE),
        (head - scalp - bone, CSF),
        (grey, GREY),
        (np.minimum(white, grey), WHITE),
    ):
        labels[radius < outline] = tissue
    _add_midline(labels, z, brain, rng)
    for side in (-1, 1):
        _add_deep(labels, z, side, rng)
    return labels


def _warped_plane(rng: np.random.Generator) -> Array:
    """Points x + iy of the image plane, shifted, turned and smoothly bent."""
    n = _FINE * SIZE
    grid = (np.arange(n) + 0.5) * 2 / n - 1
    x, y = grid[None, :], grid[:, None]
    z = x + 1j * y - complex(*rng.normal(0, 0.02, 2))
    z = z * np.exp(1j * rng.normal(0, 0.08))
    for _ in range(3):
        kx, ky = rng.uniform(1, 3.5, 2) * rng.choice([-1, 1], 2)
        bend = 0.02 * np.exp(1j * rng.uniform(0, 2 * np.pi))
        z = z + bend * np.cos(kx * x + ky * y + rng.uniform(0, 2 * np.pi))
    return np.asarray(z)


def _head_outline(rng: np.random.Generator, angle: Array) -> Array:
    """Radius of the head in each direction: an ellipse, longer from front to back, with bumps."""
    across, along = rng.uniform(0.66, 0.76), rng.uniform(0.80, 0.90)
    outline = across * along / np.hypot(along * np.cos(angle), across * np.sin(angle))
    for m in _HARMONICS:
        outline = outline * (1 + rng.normal(0, 0.012 / m) * np.cos(m * angle + rng.uniform(0, 6.3)))
    return np.asarray(outline)


def _folds(rng: np.random.Generator, angle: Array) -> Array:
    """From -1 on a gyrus to 1 in a sulcus, along the cortex, at uneven distances."""
    count = int(rng.integers(9, 14))
    phase: Array = np.full(angle.shape, rng.uniform(0, 2 * np.pi))
    for m in range(1, 4):
        phase = phase + rng.normal(0, 0.7) * np.cos(m * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(np.cos(count * angle + phase))


def _add_midline(labels: Array, z: Array, brain: Array, rng: np.random.Generator) -> None:
    """The fissure between the hemispheres, with cortex on both sides, in front and behind."""
    depth = rng.uniform(0.42, 0.55) * brain
    at, width = np.abs(z.real), rng.uniform(0.010, 0.022)
    outside = (np.abs(z) > depth) & (np.abs(z) < brain) & (np.abs(z.imag) > np.abs(z.real))
    labels[outside & (at < width + rng.uniform(0.03, 0.05))] = GREY
    labels[outside & (at < width)] = CSF


def _add_deep(labels: Array, z: Array, side: int, rng: np.random.Generator) -> None:
    """Deep grey nuclei and the lateral ventricle of one side."""
    nuclei = ((0.24, -0.10, 0.06, 0.10), (0.20, 0.13, 0.09, 0.11))  # caudate and thalamus, roughly
    for x, y, a, b in nuclei:
        labels[_ellipse(z, side * x, y, a, b, 0.15 * side, rng)] = DEEP_GREY
    size = rng.uniform(0.7, 1.5)
    for y, tilt in ((-0.17, -0.35), (0.14, 0.35)):  # front and back horn
        labels[_ellipse(z, side * 0.09, y, 0.045 * size, 0.16 * size**0.5, side * tilt, rng)] = CSF


def _ellipse(
    z: Array, x: float, y: float, a: float, b: float, tilt: float, rng: np.random.Generator
) -> Array:
    """Points in an ellipse around (x, y), each of its numbers varied a little."""
    x, y = x * rng.normal(1, 0.06), y + rng.normal(0, 0.01)
    a, b = np.array([a, b]) * rng.uniform(0.85, 1.15, 2)
    turned = (z - complex(x, y)) * np.exp(-1j * (tilt + rng.normal(0, 0.08)))
    return np.asarray((turned.real / a) ** 2 + (turned.imag / b) ** 2 < 1)


def _add_lesion(labels: Array, rng: np.random.Generator) -> None:
    """Alter the white matter in an uneven disc around one of its points, in place."""
    n = labels.shape[0]
    grid = (np.arange(n) + 0.5) * 2 / n - 1
    white = labels == WHITE
    row, column = divmod(int(rng.choice(np.flatnonzero(_eroded(white, 5)))), n)
    z = grid[None, :] - grid[column] + 1j * (grid[:, None] - grid[row])
    bumps = 1 + 0.15 * np.cos(2 * np.angle(z) + rng.uniform(0, 6.3))
    bumps += 0.1 * np.cos(3 * np.angle(z) + rng.uniform(0, 6.3))
    labels[white & (np.abs(z) < rng.uniform(0.09, 0.15) * bumps)] = LESION


def _eroded(mask: Array, steps: int) -> Array:
    """Points of ``mask`` with ``steps`` points of it on all four sides; all of it if none has."""
    inner = mask.copy()
    for step in range(1, steps + 1):
        for axis in (0, 1):
            inner &= np.roll(mask, step, axis) & np.roll(mask, -step, axis)
    return inner if inner.any() else mask

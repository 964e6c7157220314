"""A simulator of PET: tracer in a head, and the counts that a scanner registers.

Grey matter takes up about four times as much as white matter, as with FDG. A scan is a Poisson
draw: the number of counts in a pixel has the mean that activity, dose and time give it, and that
mean as its variance. **These are not patients**: one slice, no attenuation, scatter or randoms,
and no reconstruction.

The scanner's blur is not part of this module: pass images that were blurred already.

Only NumPy is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PROVENANCE", "UPTAKE", "VOXEL_MM", "draw_uptake", "scan"]

PROVENANCE = "simulated by petsim 1.0; no patient, no scanner"
VOXEL_MM = 4.0
"""Side of a pixel, mm: 64 of them make 256 mm."""

UPTAKE = np.array([0.0, 0.25, 0.15, 0.05, 4.0, 1.0, 4.4, 0.5])
"""Activity of each tissue relative to white matter, by the label codes of ``headsim``.

Air, scalp, bone, liquor, cortex, white matter, deep grey matter, lesion.
"""

Array = npt.NDArray[Any]


def draw_uptake(n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Activity of each tissue in each of ``n`` heads: float64 [n, 8], no unit.

    Every tissue varies by 10 % around :data:`UPTAKE`, and a head as a whole by 15 %.
    """
    tissue = np.exp(0.10 * rng.standard_normal((n, len(UPTAKE))))
    return np.asarray(UPTAKE * tissue * np.exp(0.15 * rng.standard_normal((n, 1))))


def scan(
    activity: npt.ArrayLike, rng: np.random.Generator, counts_per_unit: float = 100.0
) -> npt.NDArray[np.int64]:
    """Counts of a scan at full dose: Poisson with mean ``counts_per_unit * activity``.

    Args:
        activity: Images of any shape, at least 0, relative to white matter.
        rng: Source of the counts.
        counts_per_unit: Mean counts of a pixel of white matter.

    Returns:
        int64, of the shape of ``activity``.
    """
    return np.asarray(rng.poisson(counts_per_unit * np.asarray(activity, np.float64)), np.int64)

"""Generators whose faults are known, for students' audits to find."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LesionCase", "Sampled", "erased", "hallucinated", "sampled"]

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Sampled:
    """What ``mode_collapse_report`` is given."""

    fake: Floats
    real: Floats
    source: Floats
    train: Floats


def sampled(kind: str, rng: np.random.Generator, n: int = 180, d: int = 12) -> Sampled:
    """A sample of a generator of a known kind: one of ``distributions.VERDICTS``.

    Returns:
        Arrays [n, d]; the distribution has nine modes.
    """
    raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False)
class LesionCase:
    """Images of heads with lesions, and where these are."""

    target: Floats
    """[N, H, W] true images"""
    lesion: npt.NDArray[np.bool_]
    """[N, H, W]"""
    ref: npt.NDArray[np.bool_]
    """[N, H, W] healthy tissue beside it"""
    healthy: Floats
    """[N, H, W] the same images without the lesion"""


def erased(case: Any, share: float) -> Floats:
    """Predictions in which ``share`` of each lesion's contrast is lost; 0 is faithful."""
    raise NotImplementedError


def hallucinated(target: Floats, mask: Any, rate: float, delta: float, rng: Any) -> Any:
    """Predictions of which exactly ``round(rate N)`` show something that is not there."""
    raise NotImplementedError

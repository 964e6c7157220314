"""Pairs of images that differ in one thing, drawn again from the same lesions.

This file is published with the notebook. A simulator can do what no archive can: show the *same*
lesion with and without a ruler. All else is kept, the sensor noise too.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import dermsim
import numpy as np
import numpy.typing as npt

__all__ = ["EDITS", "moved", "pairs", "single_views"]

EDITS = {
    "ruler": "no ruler → a ruler at the image's edge",
    "tone": "light skin → dark skin",
    "hair": "no hair → six hairs",
    "position": "the lesion at the centre → near the image's border",
}
"""Every edit by name, and what it changes from and to."""

OFF_CENTRE = 0.5
"""How far from the centre ``position`` moves a lesion, in half-widths of the image."""

Array = npt.NDArray[Any]


def single_views(n: int, rng: np.random.Generator, **settings: Any) -> Any:
    """``n`` lesions of ``n`` patients, one view each, so that rows are independent.

    Args:
        n: How many.
        rng: Source of all randomness.
        **settings: As for ``dermsim.draw``.
    """
    return dermsim.draw(n, rng, views=(1.0, 0.0, 0.0, 0.0), **settings)


def moved(lesions: Any, distance: float) -> Any:
    """The same lesions, each at ``distance`` half-widths from the centre in a direction of its own.

    The direction comes from the image's own seed of noise: the same at every call.
    """
    angle = lesions.noise_seed % 3600 * (2 * np.pi / 3600)
    centre = distance * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return dataclasses.replace(lesions, centre=centre.astype(np.float32))


def _changed(lesions: Any, edit: str) -> tuple[Any, Any]:
    if edit == "position":
        return moved(lesions, 0.0), moved(lesions, OFF_CENTRE)
    name, off, on = {
        "ruler": ("ruler", False, True), "tone": ("tone", 0, 3), "hair": ("hairs", 0, 6),
    }[edit]  # fmt: skip
    change = dermsim.counterfactual
    return change(lesions, **{name: off}), change(lesions, **{name: on})


def pairs(lesions: Any) -> dict[str, tuple[Array, Array]]:
    """Images of each lesion without and with every edit of :data:`EDITS`.

    Args:
        lesions: ``dermsim.Lesions``, N rows.

    Returns:
        For each edit two arrays uint8 [N, 3, 32, 32]; row i of both is lesion i.
    """
    found = {}
    for edit in EDITS:
        without, with_it = _changed(lesions, edit)
        found[edit] = dermsim.render(without).X, dermsim.render(with_it).X
    return found

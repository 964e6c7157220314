"""TriageStream: patients who arrive day by day, and what may change under a model that scores them.

This file is published with the notebook. **These are not patients.** A model gives each patient a
probability ``p`` of a bad outcome from four standardised measurements ``x``; at first it is right,
in that the outcome is drawn with that probability. From day ``change`` on one thing may differ:

- ``"covariate"``: one measurement is shifted. Given ``x``, the outcome is drawn as before.
- ``"label"``: bad outcomes become more frequent; the patients with a given outcome look as before.
- ``"concept"``: the same patients, the same scores, and outcomes that no longer agree with them.

Only NumPy is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["KINDS", "PROVENANCE", "Streams", "reference", "streams"]

PROVENANCE = "simulated by triage 1.0; no patient, no hospital"
KINDS = ("none", "covariate", "label", "concept")
FEATURES = 4
COEFFICIENTS = np.array([1.3, -0.9, 0.7, 0.0])
INTERCEPT = -1.0
SHIFT = {"covariate": 0.5, "label": 0.9, "concept": 0.9}
"""How large each change is: standard deviations of the first measurement; log odds; log odds."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Streams:
    """Several streams of one kind, N streams of T days with m patients each."""

    x: Array
    """float32 [N, T, m, 4], measurements, standardised on the reference period"""
    p: Array
    """float32 [N, T, m], the model's probability of a bad outcome"""
    y: Array
    """int8 [N, T, m], 1 is a bad outcome; known only ``delay`` days later"""
    change: int
    """First day, counted from 0, on which something is different; T if nothing ever is"""


def _sigmoid(z: Array) -> Array:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * z))


def _patients(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Measurements of independent patients, correlated with each other, sd 1: [*shape, 4]."""
    common = rng.standard_normal((*shape, 1))
    return np.asarray(0.6 * common + 0.8 * rng.standard_normal((*shape, FEATURES)))


def _logit(x: Array) -> Array:
    return np.asarray(x @ COEFFICIENTS + INTERCEPT)


def reference(n: int, rng: np.random.Generator) -> dict[str, Array]:
    """Patients of the time when the model was accepted, with their outcomes.

    Args:
        n: How many.
        rng: Source of all randomness.

    Returns:
        ``x`` float32 [n, 4], ``p`` float32 [n] and ``y`` int8 [n].
    """
    x = _patients((n,), rng)
    p = _sigmoid(_logit(x))
    y = rng.random(n) < p
    return {"x": x.astype(np.float32), "p": p.astype(np.float32), "y": y.astype(np.int8)}


def streams(
    kind: str,
    rng: np.random.Generator,
    n: int = 1,
    days: int = 120,
    change: int = 40,
    patients: int = 30,
) -> Streams:
    """Streams in which one thing changes, or nothing.

    Args:
        kind: One of :data:`KINDS`.
        rng: Source of all randomness.
        n: Streams.
        days: Days of each.
        change: First day that differs; has no effect on ``"none"``.
        patients: Patients a day.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no change {kind!r}; choose one of {KINDS}")
    change = days if kind == "none" else change
    after = np.arange(days)[:, None] >= change  # [T, 1]
    x = _patients((n, days, patients), rng)
    if kind == "label":
        x = np.where(after[..., None], _more_bad_outcomes((n, days, patients), rng), x)
    if kind == "covariate":
        x[..., 0] += SHIFT[kind] * after
    logit = _logit(x)
    true = logit + after * (SHIFT[kind] if kind in {"label", "concept"} else 0.0)
    y = rng.random(true.shape) < _sigmoid(true)
    p = _sigmoid(logit)
    return Streams(x.astype(np.float32), p.astype(np.float32), y.astype(np.int8), change)


def _more_bad_outcomes(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Patients among whom the odds of a bad outcome are higher by ``SHIFT["label"]``.

    Each class is weighted by the same factor for all its patients, so that P(x | y) is as before:
    a patient is kept with probability proportional to 1 + (e^shift - 1) P(bad | x).
    """
    wanted = int(np.prod(shape))
    kept: list[Array] = []
    while sum(len(part) for part in kept) < wanted:
        x = _patients((2 * wanted,), rng)
        weight = 1 + np.expm1(SHIFT["label"]) * _sigmoid(_logit(x))
        kept.append(x[rng.random(len(x)) < weight / np.exp(SHIFT["label"])])
    return np.concatenate(kept)[:wanted].reshape(*shape, FEATURES)

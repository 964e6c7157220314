"""What only the grader has for the questions on images, explanations and drift.

Lesions are drawn for the course from its secret and rendered once; each student's code is shown
three quarters of them, the student's own choice, in random order. Labels and weights are sent on
purpose: an audit is impossible without. What each model depends on is a
:class:`~reference_impl.secret.Secret`, and the weights are disguised anew for each student.

:func:`warm` draws all images, so that a process from which graders are forked pays for them once.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import dermsim
import numpy as np
import numpy.typing as npt

from reference_impl.course_secret import seed, student_rng
from reference_impl.model_audit import planted_images, triage
from reference_impl.model_audit.counterfactuals import pairs, single_views
from reference_impl.secret import Secret
from reference_impl.thresholds import Thresholds

__all__ = [
    "ARL0",
    "ARL0_LEAST",
    "COMPLETENESS_MOST",
    "DELAY_MOST",
    "VERDICTS_LEAST",
    "AuditSet",
    "Sealed",
    "audit_set",
    "relative_delay",
    "run_length",
    "sealed_models",
    "streams",
    "warm",
]

_THRESHOLDS = Thresholds(Path(__file__).parent)
# Derived from runs of the reference, or declared with the reason, in `image_trials.py`.

VERDICTS_LEAST = _THRESHOLDS.full("verdicts", "sealed models judged right, at least")
"""Of six sealed models, how many must be judged right; and none of the clean ones convicted."""

COMPLETENESS_MOST = _THRESHOLDS.full("completeness", "how far attributions may not add up")
"""How far the sum of an image's attributions over the change of its logit is from one, at most,
with 400 steps."""

ARL0 = 50
"""Updates to a false alarm, on average, that the hidden tests ask a monitor for."""

ARL0_LEAST = _THRESHOLDS.full("run_length", "mean run length without drift, at least")
"""Days watched over alarms in 200 streams without drift of 120 days, at least."""

DELAY_MOST = {
    kind: _THRESHOLDS.full(f"{kind}_delay", f"delay of {what} over that without drift, at most")
    for kind, what in {
        "any": "an early drift", "covariate": "a covariate drift", "label": "a label drift",
        "concept": "a concept drift",
    }.items()
}  # fmt: skip
""":func:`relative_delay` at most, by what drifts; ``any`` is a covariate drift from day 0."""

SHARE, STOCK = 300, 400
"""Lesions shown to one student's code, of those drawn for the course."""

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class AuditSet:
    """Lesions to audit models with: all of it is sent on purpose."""

    X: Array
    """uint8 [300, 3, 32, 32], as they come: nothing goes with the label"""
    y: Array
    """int64 [300]"""
    edits: dict[str, tuple[Array, Array]]
    """Images of all lesions without and with each edit"""

    def together(self, edit: str, rng: np.random.Generator) -> Array:
        """The images as where a model was trained that depends on ``edit``: it goes with ``y``."""
        return planted_images.as_at_home(self.edits[edit], self.y, rng)


@dataclasses.dataclass(frozen=True, eq=False)
class Sealed:
    """A model of which the grader knows what it depends on."""

    weights: dict[str, Array]
    """For ``blackbox.Predictor``; disguised"""
    fault: Secret[str | None]
    """The edit that it depends on, or nothing"""


def audit_set() -> AuditSet:
    """300 of the course's lesions, chosen and ordered by the student's own generator."""
    stock = _stock(seed("model_audit lesions"))
    rows = student_rng("model_audit audit set").permutation(STOCK)[:SHARE]
    edits = {name: (off[rows], on[rows]) for name, (off, on) in stock.edits.items()}
    return AuditSet(stock.X[rows], stock.y[rows], edits)


def sealed_models(purpose: str, *names: str) -> list[Sealed]:
    """Planted models in random order, all of them if none is named.

    Args:
        purpose: Of the student's generator, which orders and disguises them.
        names: Some of ``planted_images.PLANTED``.
    """
    rng = student_rng(purpose)
    chosen = rng.permutation(list(names or planted_images.PLANTED))
    return [
        Sealed(
            planted_images.disguised(planted_images.planted(str(name)), rng),
            Secret(planted_images.PLANTED[str(name)], "what a sealed model depends on"),
        )
        for name in chosen
    ]


def streams(kind: str, rng: np.random.Generator) -> tuple[triage.Streams, triage.Streams]:
    """100 streams of 120 days that drift from a day on, and 150 that do not.

    Args:
        kind: One of ``triage.KINDS`` or ``any``, as in :data:`DELAY_MOST`.
        rng: Source of all randomness, the day of the change among it.
    """
    early = kind == "any"
    change = 0 if early else int(rng.integers(25, 40))
    drifting = triage.streams("covariate" if early else kind, rng, n=100, change=change)
    return drifting, triage.streams("none", rng, n=150)


def run_length(alarms: Array, days: int = 120) -> float:
    """Days watched over alarms.

    Args:
        alarms: Day of the first alarm in each stream, from 0; ``days`` if there was none.
        days: Length of a stream.
    """
    return float(np.minimum(alarms + 1, days).sum() / max(1, int((alarms < days).sum())))


def relative_delay(drifting: Array, quiet: Array, change: int) -> float:
    """Mean delay from ``change`` to the alarm with drift, over the same without.

    Streams that alarmed before do not count. Whoever does not look at the data, but alarms never,
    always, at random or on a certain day, has 1: nothing tells them which streams drift.

    Args:
        drifting: First alarm of each stream in which something changes, as in :func:`run_length`.
        quiet: The same of streams without drift.
        change: First day on which something is different.

    Returns:
        0 or more; 1 where fewer than ten streams of either kind are left.
    """
    late, usual = (alarms[alarms >= change] - change for alarms in (drifting, quiet))
    if min(len(late), len(usual)) < 10 or not usual.any():
        return 1.0
    return float(late.mean() / usual.mean())


@functools.cache
def _stock(number: int) -> AuditSet:
    lesions = single_views(STOCK, np.random.default_rng(number), **planted_images.DRAWN)
    return AuditSet(dermsim.render(lesions).X, lesions.y, pairs(lesions))


def warm() -> None:
    """Draw all images and import what tests compare with, SciPy among it, now."""
    from reference_impl.model_audit import attribution, drift, shortcuts, triage  # noqa: F401

    _stock(seed("model_audit lesions"))

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
from typing import Any

import dermsim
import numpy as np
import numpy.typing as npt

from reference_impl.course_secret import seed, student_rng
from reference_impl.model_audit import planted_images
from reference_impl.model_audit.counterfactuals import pairs, single_views
from reference_impl.secret import Secret

__all__ = [
    "ARL0",
    "ARL0_LEAST",
    "DELAY_MOST",
    "VERDICTS_LEAST",
    "AuditSet",
    "Sealed",
    "audit_set",
    "sealed_models",
    "warm",
]

VERDICTS_LEAST = 5
"""Of six sealed models, how many must be judged right; and none of the clean ones convicted.

`planted_images.json` has the mean and the standard deviation of the paired differences of each edit
on 1,500 lesions. With the 300 of a test, the largest effect of an edit on a model that does not
depend on it is -0.048, and each is at least 9.8 standard errors within the margin of 0.1; to be
flagged, an estimate has to lie 1.97 standard errors beyond. The smallest on a model that does
depend on it is 0.735, 41 standard errors beyond. So chance turns no verdict of the intervals asked
for (a normal tail beyond 11 standard errors: below 1e-27), nor of others of reasonable kind, and
five of six leaves room for one that turns out differently.
"""

ARL0 = 50
"""Updates to a false alarm, on average, that the hidden tests ask a monitor for."""

ARL0_LEAST = Secret(0.8 * ARL0, "mean run length without drift, at least")
"""Days watched over alarms in 200 streams without drift of 120 days, at least.

Of 200 streams some 180 sound an alarm, so that the estimate has a relative standard error of about
1 / sqrt(180) = 7.5 %. A monitor whose true run length is exactly what it was asked for fails in
about 0.15 % of draws (ln 0.8 = -3.0 standard errors); the reference, which keeps a reserve of a
quarter, in fewer than one in 10^8.
"""

DELAY_MOST = {
    "covariate": Secret(8.0, "mean delay of a covariate drift, at most"),
    "label": Secret(15.0, "mean delay of a label drift, at most"),
    "concept": Secret(20.0, "mean delay of a concept drift, at most"),
}
"""Mean days from the change to the alarm, of 60 streams less those that alarmed before, at most.

The reference, with 5 draws of reference period and streams each: covariate 1.3, highest 1.6; label
3.8, highest 4.3; concept 11.1, highest 11.2, of which 10 days pass until outcomes are known. Who
never alarms is delayed by 80 days, who alarms at random at the rate allowed by about 40; with some
30 streams left the mean of such delays has a standard error of about 6 days, so the bounds lie more
than 3 below. They are wide on purpose: a weekly window, or CUSUM charts, pass too.
"""

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


@functools.cache
def _stock(number: int) -> AuditSet:
    lesions = single_views(STOCK, np.random.default_rng(number), **planted_images.DRAWN)
    return AuditSet(dermsim.render(lesions).X, lesions.y, pairs(lesions))


def warm() -> None:
    """Draw all images and import what tests compare with, SciPy among it, now."""
    from reference_impl.model_audit import attribution, drift, shortcuts, triage  # noqa: F401

    _stock(seed("model_audit lesions"))

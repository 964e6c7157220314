"""Data that only the grader has, and the scores that a trained model must reach on them.

Images are drawn for the course from its secret and hold no patient that students have. Each
student's code is shown three quarters of them, chosen by the student's own generator and in an
order that tells nothing: another choice for each student, the same at every attempt. So a metric
is measured on sets of one size and one origin. What answers are compared with is a
:class:`~reference_impl.secret.Secret`.

:func:`warm` draws all images, so that a process from which graders are forked pays for them once.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.cnn_imaging import dermsim
from reference_impl.cnn_imaging.dermsim import Cohort
from reference_impl.course_secret import seed, student_rng
from reference_impl.secret import Secret
from reference_impl.thresholds import Thresholds

__all__ = [
    "AUC_STEPS",
    "CANARY_MOST",
    "DICE_STEPS",
    "FLIPPED_AUC",
    "RETRAINED_AUC",
    "HiddenCohort",
    "Retraining",
    "canary",
    "classification_set",
    "nearest_neighbour_accuracy",
    "retraining_set",
    "segmentation_set",
    "warm",
]

_THRESHOLDS = Thresholds(Path(__file__).parent)
# Derived from runs of the reference that `calibration.py` declares.

AUC_STEPS = _THRESHOLDS.steps("auc", "AUC that earns part of the credit, and all of it")
"""AUC on :func:`classification_set` for part of the credit and for all of it."""

DICE_STEPS = _THRESHOLDS.steps("dice", "Dice that earns part of the credit, and all of it")
"""Mean Dice on :func:`segmentation_set` for part of the credit and for all of it."""

RETRAINED_AUC = _THRESHOLDS.full("retrained_auc", "AUC after training again, at least")
"""AUC on ``retraining_set().evaluation`` after training on its true labels, at least."""

FLIPPED_AUC = _THRESHOLDS.full("flipped_auc", "AUC after training on exchanged labels, at most")
"""AUC by the true labels after training on flipped ones, at most."""

CANARY_MOST = _THRESHOLDS.full("canary", "share of coin flips guessed right, at most")
"""Mean accuracy of :func:`nearest_neighbour_accuracy` on twelve draws of :func:`canary`, at most,
if the split is by patient and has its usual fractions."""

_ONE_VIEW = (1.0, 0.0, 0.0, 0.0)
_FOUR_VIEWS = (0.0, 0.0, 0.0, 1.0)
_EVEN = (0.25, 0.25, 0.25, 0.25)

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class HiddenCohort:
    """Images to ask a student's model about, and what its answers are compared with."""

    images: Array
    """uint8 [N, 3, H, W], red, green, blue; in no order"""
    labels: Secret[Array]
    """int64 [N], 1 is malignant"""
    masks: Secret[Array]
    """bool [N, H, W], the lesion"""
    tones: Array
    """int64 [N], 0 (light) to 3 (dark)"""

    @classmethod
    def of(cls, data: Cohort, what: str) -> HiddenCohort:
        """``data`` with its truth wrapped; ``what`` names it in errors."""
        labels = Secret(data.y, f"the labels of {what}")
        return cls(data.X, labels, Secret(data.mask, f"the masks of {what}"), data.tone)

    def __len__(self) -> int:
        return len(self.images)


@dataclasses.dataclass(frozen=True, eq=False)
class Retraining:
    """A small task of the same kind, to train on while the grader watches.

    ``train`` and ``val`` are sent on purpose, labels and all; ``evaluation`` is asked about.
    """

    train: Cohort
    val: Cohort
    evaluation: HiddenCohort

    def flipped(self) -> Retraining:
        """The same images with every label of training and validation turned round.

        Whoever learns from what is sent is now wrong as often as they were right: the AUC against
        the true labels of ``evaluation`` becomes one minus what it was. An answer that was
        prepared beforehand cannot pass both.
        """
        train, val = (dataclasses.replace(part, y=1 - part.y) for part in (self.train, self.val))
        return dataclasses.replace(self, train=train, val=val)


def classification_set() -> HiddenCohort:
    """900 patients, about 2,250 lesions."""
    rng = student_rng("cnn_imaging classification set")
    chosen = _some_patients(_images("classification"), 900, rng)
    return HiddenCohort.of(chosen, "the classification set")


def segmentation_set() -> HiddenCohort:
    """400 lesions of 400 patients, every skin tone about equally often."""
    rng = student_rng("cnn_imaging segmentation set")
    chosen = _some_patients(_images("segmentation"), 400, rng)
    return HiddenCohort.of(chosen, "the segmentation set")


def retraining_set() -> Retraining:
    """Plain lesions, half of them malignant: 200 to learn from, 40 to watch, 400 to judge by.

    The signs are four times as strong as in the course's data, so that a short training shows
    clearly whether the code learns from what it is given.
    """
    rng = student_rng("cnn_imaging retraining set")
    chosen = _some_patients(_images("retraining"), 640, rng)
    parts = slice(0, 200), slice(200, 240), slice(240, 640)
    train, val, judged = (dermsim.take(chosen, part) for part in parts)
    return Retraining(train, val, HiddenCohort.of(judged, "the retraining set"))


def canary(rng: np.random.Generator) -> Cohort:
    """400 patients with four views each, whose label is a coin flip.

    Nothing can be learnt here but who a patient is. So whoever predicts better than chance has
    seen the patient before: :func:`nearest_neighbour_accuracy` between the parts of a split is
    about one half if the split is by patient. Split it with fractions (0.5, 0.25, 0.25) and test
    on the second and third part together: with fewer patients, chance strays further.

    The labels are tossed here and sent on purpose: a split may look at them, and they say nothing.

    Args:
        rng: Chooses the order of the rows, the patients' numbers and the labels.
    """
    data = _some_patients(_images("canary"), 400, rng)
    _, patient = np.unique(data.patient_id, return_inverse=True)
    names = rng.choice(10**6, size=400, replace=False)
    return dataclasses.replace(data, patient_id=names[patient], y=rng.integers(0, 2, 400)[patient])


def _some_patients(data: Cohort, count: int, rng: np.random.Generator) -> Cohort:
    """All rows of ``count`` patients, in random order."""
    chosen = rng.choice(np.unique(data.patient_id), size=count, replace=False)
    rows = np.flatnonzero(np.isin(data.patient_id, chosen))
    return dermsim.take(data, rng.permutation(rows))


_DRAWN: dict[str, dict[str, Any]] = {
    "classification": {"n_patients": 1200},
    "segmentation": {"n_patients": 540, "views": _ONE_VIEW, "tones": _EVEN},
    "retraining": {
        "n_patients": 860, "views": _ONE_VIEW, "prevalence": 0.5, "ruler": (0.0, 0.0), "signs": 4.0,
    },
    "canary": {"n_patients": 400, "views": _FOUR_VIEWS, "prevalence": 0.0},
}  # fmt: skip
"""What is drawn for the course; about three quarters of it are shown to one student's code."""


def _images(name: str) -> Cohort:
    """The course's images of one kind."""
    return _drawn(name, seed(f"cnn_imaging {name}"))


@functools.cache
def _drawn(name: str, number: int) -> Cohort:
    return dermsim.cohort(rng=np.random.default_rng(number), **_DRAWN[name])


def nearest_neighbour_accuracy(
    data: Cohort, train: npt.NDArray[Any], test: npt.NDArray[Any]
) -> float:
    """Share of ``test`` rows that have the label of the most similar ``train`` row.

    Similar means a small Euclidean distance between images averaged down to 8 x 8 pixels.
    """
    n, colours, height, width = data.X.shape
    blocks = data.X.reshape(n, colours, 8, height // 8, 8, width // 8)
    pooled = blocks.mean(axis=(3, 5), dtype=np.float64).reshape(n, -1)
    a, b = pooled[test], pooled[train]
    square = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    nearest = np.asarray(train)[square.argmin(axis=1)]
    return float((data.y[nearest] == data.y[test]).mean())


def warm() -> None:
    """Draw all images and import what tests compare with, SciPy among it, now."""
    from reference_impl.cnn_imaging import detection, metrics, networks, segmentation  # noqa: F401

    for name in _DRAWN:
        _images(name)

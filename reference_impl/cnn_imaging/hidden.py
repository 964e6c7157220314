"""Data that only the grader has, and the scores that a trained model must reach on them.

Every set is drawn once for the course from its secret, is the same for all students, and holds no
patient that students have. :func:`warm` draws all of them, so that a process from which graders
are forked pays for them once. Only NumPy is used here.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.cnn_imaging import dermsim
from reference_impl.cnn_imaging.dermsim import Cohort
from reference_impl.course_secret import course_rng

__all__ = [
    "AUC_STEPS",
    "CANARY_RANGE",
    "DICE_STEPS",
    "FLIPPED_AUC",
    "RETRAINED_AUC",
    "Retraining",
    "canary",
    "classification_set",
    "nearest_neighbour_accuracy",
    "retraining_set",
    "segmentation_set",
    "warm",
]

# All numbers below: `calibration.py`, 2026-11, torch 2.15 on one CPU thread, mean and standard
# deviation (sd) over n runs, each a pair of a training seed and a course secret.

AUC_STEPS = (0.65, 0.70)
"""AUC on :func:`classification_set` for part of the credit and for all of it.

Reference 0.768, sd 0.016, lowest 0.738 (10 seeds x 6 secrets); mean - 3.98 sd = 0.705.
Logistic regression on colour statistics and dark area 0.584, sd 0.010, highest 0.598 (6 secrets).
"""

DICE_STEPS = (0.88, 0.91)
"""Mean Dice on :func:`segmentation_set` for part of the credit and for all of it.

Reference 0.933, sd 0.005, lowest 0.922 (5 seeds x 6 secrets); mean - 4.5 sd = 0.912. By tone, light
to dark: 0.94, 0.94, 0.93, 0.92. Otsu's threshold 0.840, sd 0.010, highest 0.857 (6 secrets).
"""

RETRAINED_AUC = 0.65
"""AUC on ``retraining_set().evaluation`` after training on its true labels, at least.

Reference 0.940, sd 0.011, lowest 0.920 (5 seeds x 3 secrets). Other honest recipes (3 seeds on one
set): Adam 1e-3, batches of 64, 10 epochs, no augmentation 0.84 to 0.87; 5 epochs 0.83 to 0.87;
Adam 1e-2 0.77 to 0.84. Ten epochs of plain SGD at 0.01 have hardly begun to learn: 0.61 to 0.71.
Scores that know nothing of the labels: 0.5, sd 0.03.
"""

FLIPPED_AUC = 0.35
"""AUC by the true labels after training on flipped ones, at most.

Reference 0.061, sd 0.007, highest 0.076 (5 seeds x 3 secrets). The other recipes: 0.11 to 0.23;
0.11 to 0.21; 0.17 to 0.27; SGD 0.22 to 0.38.
"""

CANARY_RANGE = (0.40, 0.60)
"""Accuracy of :func:`nearest_neighbour_accuracy` on :func:`canary` if the split is by patient.

With fractions (0.5, 0.25, 0.25): by patient 0.506, sd 0.025 (n = 60); by image 0.675, sd 0.019,
lowest 0.630. With (0.7, 0.15, 0.15) and 300 patients: 0.507, sd 0.036; 0.732, sd 0.023 (n = 30), so
average several coin flips there.
"""

_ONE_VIEW = (1.0, 0.0, 0.0, 0.0)
_FOUR_VIEWS = (0.0, 0.0, 0.0, 1.0)
_EVEN = (0.25, 0.25, 0.25, 0.25)


@dataclasses.dataclass(frozen=True)
class Retraining:
    """A small task of the same kind, to train on while the grader watches."""

    train: Cohort
    val: Cohort
    evaluation: Cohort

    def flipped(self) -> Retraining:
        """The same images with every label of training and validation turned round.

        Whoever learns from what is sent is now wrong as often as they were right: the AUC against
        the true labels of ``evaluation`` becomes one minus what it was. An answer that was
        prepared beforehand cannot pass both.
        """
        train, val = (dataclasses.replace(part, y=1 - part.y) for part in (self.train, self.val))
        return dataclasses.replace(self, train=train, val=val)


@functools.cache
def classification_set() -> Cohort:
    """900 patients, about 2,250 lesions, all benign ones first.

    In this order a whole batch is of one class: batch norm left in training mode, which shuffled
    batches forgive, normalises the difference away.
    """
    data = dermsim.cohort(900, course_rng("cnn_imaging classification"))
    return dermsim.take(data, np.argsort(data.y, kind="stable"))


@functools.cache
def segmentation_set() -> Cohort:
    """400 lesions of 400 patients, every skin tone equally often."""
    rng = course_rng("cnn_imaging segmentation")
    return dermsim.cohort(400, rng, views=_ONE_VIEW, tones=_EVEN)


@functools.cache
def retraining_set() -> Retraining:
    """Plain lesions, half of them malignant: 200 to learn from, 40 to watch, 400 to judge by.

    The signs are four times as strong as in the course's data, so that a short training shows
    clearly whether the code learns from what it is given.
    """
    rng = course_rng("cnn_imaging retraining")
    sizes = {"train": 200, "val": 40, "evaluation": 400}
    draws = {
        name: dermsim.cohort(n, rng, views=_ONE_VIEW, prevalence=0.5, ruler=(0.0, 0.0), signs=4.0)
        for name, n in sizes.items()
    }
    return Retraining(**draws)


@functools.cache
def canary() -> Cohort:
    """400 patients with four views each, whose label is a coin flip.

    Nothing can be learnt here but who a patient is. So whoever predicts better than chance has
    seen the patient before: :func:`nearest_neighbour_accuracy` between the parts of a split is
    about one half if the split is by patient. Split it with fractions (0.5, 0.25, 0.25) and test
    on the second and third part together: with fewer patients, chance strays further.
    """
    rng = course_rng("cnn_imaging canary")
    data = dermsim.cohort(400, rng, views=_FOUR_VIEWS, prevalence=0.0)
    _, patient = np.unique(data.patient_id, return_inverse=True)
    return dataclasses.replace(data, y=rng.integers(0, 2, 400)[patient])


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
    """Draw every hidden set now."""
    for draw in (classification_set, segmentation_set, retraining_set, canary):
        draw()

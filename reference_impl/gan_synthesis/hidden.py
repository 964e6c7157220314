"""Data that only the grader has, and the scores that a trained model must reach on them.

Heads are drawn for the course from its secret. Each student's code is shown three quarters of
them, chosen by the student's own generator and in an order that tells nothing: another choice for
each student, the same at every attempt. So a metric is measured on sets of one size and one
origin. What answers are compared with is a :class:`~reference_impl.secret.Secret`.

:func:`warm` takes all images, so that a process from which graders are forked pays for them once.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.course_secret import seed, student_rng
from reference_impl.gan_synthesis import acquisition, headsim
from reference_impl.gan_synthesis.acquisition import Scans
from reference_impl.secret import Secret
from reference_impl.thresholds import Thresholds

__all__ = [
    "HARD_PSNR_LEAST",
    "PSNR_STEPS",
    "RETRAINED_GAIN",
    "SSIM_LEAST",
    "SWAPPED_GAIN",
    "LesionSet",
    "Retraining",
    "TranslationSet",
    "lesion_set",
    "retraining_set",
    "translation_set",
    "warm",
]

_THRESHOLDS = Thresholds(Path(__file__).parent)
# Derived from runs of the reference that `calibration.py` declares.

PSNR_STEPS = _THRESHOLDS.steps("psnr", "PSNR that earns part of the credit, and all of it")
"""Mean PSNR, dB, on :func:`translation_set` for part of the credit and for all of it."""

SSIM_LEAST = _THRESHOLDS.full("ssim", "SSIM, at least")
"""Mean SSIM on :func:`translation_set`, at least."""

HARD_PSNR_LEAST = _THRESHOLDS.full("hard_psnr", "PSNR in thin layers, at least")
"""Mean PSNR, dB, in the thin layers of :func:`translation_set`, at least."""

RETRAINED_GAIN = _THRESHOLDS.full("retrained_gain", "gain in PSNR after training again, at least")
"""Mean PSNR on ``retraining_set().evaluation`` over that of the source as it is, dB, at least."""

SWAPPED_GAIN = _THRESHOLDS.full(
    "swapped_gain", "gain in PSNR after training on exchanged images, at most"
)
"""The same after training on :meth:`Retraining.swapped`, dB, at most.

Whoever answers as after the right training gains as much as there.
"""

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class TranslationSet:
    """Images to ask a student's model about, and what its answers are compared with."""

    source: Array
    """float32 [N, 64, 64] in [0, 1], T1-weighted at 0.064 T; in no order"""
    target: Secret[Array]
    """float32 [N, 64, 64] in [0, 1], T1-weighted at 1.5 T"""
    hard: Secret[Array]
    """bool [N, 64, 64], bone and liquor: thin dark layers, which the source has blurred"""

    @classmethod
    def of(cls, scans: Scans, what: str) -> TranslationSet:
        """Low field to high field of ``scans``; ``what`` names the set in errors."""
        thin = np.isin(headsim.majority(scans.heads), (headsim.BONE, headsim.CSF))
        target = Secret(_unit(scans.t1w), f"the true images of {what}")
        return cls(_unit(scans.low), target, Secret(thin, f"the thin layers of {what}"))

    def __len__(self) -> int:
        return len(self.source)


@dataclasses.dataclass(frozen=True, eq=False)
class LesionSet:
    """Heads with lesions that their T1-weighted images cannot show, for a T1-to-T2 model."""

    source: Array
    """float32 [N, 64, 64] in [0, 1], T1-weighted at 1.5 T; in no order"""
    target: Secret[Array]
    """float32 [N, 64, 64] in [0, 1], T2-weighted at 1.5 T"""
    lesion: Secret[Array]
    """bool [N, 64, 64]"""
    ref: Secret[Array]
    """bool [N, 64, 64], healthy white matter of the same head"""

    def __len__(self) -> int:
        return len(self.source)


@dataclasses.dataclass(frozen=True, eq=False)
class Retraining:
    """A small task of the same kind, to train on while the grader watches.

    ``train`` and ``val`` are sent on purpose, targets and all; ``evaluation`` is asked about.
    """

    train: tuple[Array, Array]
    """Source and target, float32 [N, 64, 64] in [0, 1]"""
    val: tuple[Array, Array]
    """The same, to watch"""
    evaluation: TranslationSet

    def swapped(self) -> Retraining:
        """The same images with source and target of training and validation exchanged.

        Whoever learns from what is sent now learns to make images *worse*: on the sources of
        ``evaluation`` the answer is further from the true images than the sources are. A model
        that was prepared beforehand cannot do both.
        """
        return dataclasses.replace(self, train=self.train[::-1], val=self.val[::-1])


def translation_set() -> TranslationSet:
    """200 heads."""
    chosen = _some("translation", 200)
    return TranslationSet.of(chosen, "the translation set")


def lesion_set() -> LesionSet:
    """60 heads with a lesion each."""
    chosen = _some("lesions", 60)
    labels = headsim.majority(chosen.heads)
    white = headsim.cover(chosen.heads, headsim.WHITE) == 1
    return LesionSet(
        _unit(chosen.t1w),
        Secret(_unit(chosen.t2w), "the true images of the lesion set"),
        Secret(labels == headsim.LESION, "the lesions of the lesion set"),
        Secret(white, "the healthy tissue of the lesion set"),
    )


def retraining_set() -> Retraining:
    """32 heads to learn from, 8 to watch, 60 to judge by."""
    chosen = _some("retraining", 100)
    parts = slice(0, 32), slice(32, 40), slice(40, 100)
    train, val, judged = (chosen.take(part) for part in parts)
    pairs = [(_unit(part.low), _unit(part.t1w)) for part in (train, val)]
    return Retraining(pairs[0], pairs[1], TranslationSet.of(judged, "the retraining set"))


def _some(name: str, count: int) -> Scans:
    """``count`` of the course's heads of one kind, in random order: the student's own choice."""
    scans = _drawn(name, seed(f"gan_synthesis {name}"))
    rng = student_rng(f"gan_synthesis {name} set")
    return scans.take(rng.choice(len(scans), size=count, replace=False))


_DRAWN: dict[str, dict[str, Any]] = {
    "translation": {"n": 266, "lesions": 0.3},
    "lesions": {"n": 80, "lesions": 1.0},
    "retraining": {"n": 134, "lesions": 0.3},
}
"""What is drawn for the course; about three quarters of it are shown to one student's code."""


@functools.cache
def _drawn(name: str, number: int) -> Scans:
    rng = np.random.default_rng(number)
    return acquisition.scan_heads(headsim.draw(rng=rng, **_DRAWN[name]), rng)


def _unit(images: Array) -> npt.NDArray[np.float32]:
    return np.asarray(images.astype(np.float32) / 255)


def warm() -> None:
    """Take all images and import what tests compare with, SciPy among it, now."""
    from reference_impl.gan_synthesis import (  # noqa: F401
        distributions,
        fidelity,
        losses,
        metrics,
        networks,
        pet,
        planted,
    )

    for name in _DRAWN:
        _drawn(name, seed(f"gan_synthesis {name}"))

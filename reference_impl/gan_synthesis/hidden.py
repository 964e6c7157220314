"""Data that only the grader has, and the scores that a trained model must reach on them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.secret import Secret

__all__ = [
    "LesionSet",
    "Retraining",
    "TranslationSet",
    "lesion_set",
    "retraining_set",
    "translation_set",
    "warm",
]

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class TranslationSet:
    """Images to ask a student's model about, and what its answers are compared with."""

    source: Array
    """float32 [N, 64, 64] in [0, 1], T1-weighted at 0.064 T; in no order"""
    target: Secret[Array]
    """float32 [N, 64, 64] in [0, 1], T1-weighted at 1.5 T"""
    hard: Secret[Array]
    """bool [N, 64, 64], bone and liquor, which no map of intensities can tell apart"""


@dataclasses.dataclass(frozen=True, eq=False)
class LesionSet:
    """T1-weighted images of heads with lesions that these cannot show, for a T1-to-T2 model."""

    source: Array
    """float32 [N, 64, 64] in [0, 1], T1-weighted at 1.5 T"""
    target: Secret[Array]
    """float32 [N, 64, 64] in [0, 1], T2-weighted at 1.5 T"""
    lesion: Secret[Array]
    """bool [N, 64, 64]"""
    ref: Secret[Array]
    """bool [N, 64, 64], healthy white matter"""


@dataclasses.dataclass(frozen=True, eq=False)
class Retraining:
    """A small task of the same kind: ``train`` and ``val`` are sent, both sides, on purpose."""

    train: tuple[Array, Array]
    val: tuple[Array, Array]
    evaluation: TranslationSet

    def swapped(self) -> Retraining:
        """The same images with source and target of training and validation exchanged."""
        raise NotImplementedError


def translation_set() -> TranslationSet:
    """200 heads."""
    raise NotImplementedError


def lesion_set() -> LesionSet:
    """60 heads with a lesion each."""
    raise NotImplementedError


def retraining_set() -> Retraining:
    """64 heads to learn from, 8 to watch, 60 to judge by."""
    raise NotImplementedError


def warm() -> None:
    """Draw all images and import what tests compare with."""
    raise NotImplementedError

"""What the thresholds of this assignment rest on, for ``autograder calibrate gan_synthesis``.

Students who follow the text train the reference's recipe; so do the runs that its thresholds come
from. Whoever is trained again while the grader watches may use another recipe, so that several
count there as honest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from reference_impl.calibrating import Metric, Trial, changed
from reference_impl.gan_synthesis import hidden, training
from reference_impl.gan_synthesis.metrics import psnr, ssim

__all__ = ["TRIALS", "lookup_table", "patch_filter"]

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]

DATA = Path(__file__).parents[2] / "solutions/gan_synthesis/data/heads.npz"
"""The course's public data."""
UNHURRIED = 1e9
"""Seconds a training may take: no run ends early because the machine is busy."""
RIDGE = 1e-3
"""Keeps the normal equations of :func:`patch_filter` solvable."""


def lookup_table(train: Pair, images: Array) -> Array:
    """The best map of intensities: each of 256 grey values becomes its mean in the targets.

    Args:
        train: Source and target, floats in [0, 1] [N, H, W].
        images: Sources to translate [M, H, W].
    """
    code = np.rint(train[0] * 255).astype(int).ravel()
    total = np.bincount(code, weights=train[1].ravel(), minlength=256)
    count = np.bincount(code, minlength=256)
    known = np.flatnonzero(count)
    table = np.interp(np.arange(256), known, total[known] / count[known])
    return np.asarray(table[np.rint(images * 255).astype(int)])


def patch_filter(train: Pair, images: Array) -> Array:
    """Ridge regression of a pixel on the 25 pixels around it and all their products.

    Args:
        train: Source and target, floats in [0, 1] [N, H, W].
        images: Sources to translate [M, H, W].
    """
    return _filtered(_fitted(train), images)


def _quadratic(image: Array) -> Array:
    """1, the 25 pixels around each pixel, and their products: [H W, 351]."""
    padded = np.pad(image.astype(np.float64), 2, mode="reflect")
    patches = sliding_window_view(padded, (5, 5)).reshape(-1, 25)
    one, other = np.triu_indices(25)
    products = patches[:, one] * patches[:, other]
    return np.column_stack([np.ones(len(patches)), patches, products])


def _fitted(train: Pair) -> Array:
    """Weights of :func:`patch_filter`."""
    normal: Any = 0.0
    right: Any = 0.0
    for source, target in zip(*train, strict=True):
        features = _quadratic(source)
        normal = normal + features.T @ features
        right = right + features.T @ target.ravel()
    return np.linalg.solve(normal + RIDGE * np.eye(len(right)), right)


def _filtered(weights: Array, images: Array) -> Array:
    found = [(_quadratic(image) @ weights).reshape(image.shape) for image in images]
    return np.clip(np.stack(found), 0, 1)


@functools.cache
def _public(part: str) -> Pair:
    """Low field and high field of a part of the public data."""
    with np.load(DATA, allow_pickle=False) as stored:
        rows = np.flatnonzero(stored["part"] == part)
        low, high = (stored[key][rows].astype(np.float32) / 255 for key in ("low", "t1w"))
    return low, high


@functools.cache
def _public_filter() -> Array:
    return _fitted(_public("train"))


def _translate(data: hidden.TranslationSet, seed: int, device: str) -> Array:
    model = training.train_translator(
        _public("train"), _public("val"), seed, device, max_seconds=UNHURRIED
    )
    return training.translate(model, data.source)


_translation = Trial(
    name="translation",
    prepare=hidden.translation_set,
    answer=_translate,
    metrics=(
        Metric(
            "psnr", "higher",
            rows=lambda data, made: psnr(made, data.target.reveal(), 1.0),
            steps=(0.5, 1.0),
            what="mean PSNR on unseen heads, dB",
        ),
        Metric(
            "ssim", "higher",
            rows=lambda data, made: ssim(made, data.target.reveal(), 1.0),
            what="mean SSIM on unseen heads",
        ),
        Metric(
            "hard_psnr", "higher",
            rows=lambda data, made: psnr(made, data.target.reveal(), 1.0, data.hard.reveal()),
            what="mean PSNR in bone and liquor of unseen heads, dB",
        ),
    ),
    baselines={
        "source as it is": lambda data: data.source,
        "lookup table": lambda data: lookup_table(_public("train"), data.source),
        "5x5 quadratic filter": lambda data: _filtered(_public_filter(), data.source),
    },
    honest={
        "30 epochs": changed(training, EPOCHS=30),
        "learning rate 4e-3": changed(training, LEARNING_RATE=4e-3),
    },
    weak={
        "half the learning rate": changed(training, LEARNING_RATE=2.5e-3),
        "batches of 16": changed(training, BATCH=16),
        "one epoch": changed(training, EPOCHS=1),
        "four epochs": changed(training, EPOCHS=4),
        "learning rate 1e-5": changed(training, LEARNING_RATE=1e-5),
        "adversarial weight 100": changed(training, ADVERSARIAL=100.0),
    },
)  # fmt: skip


def _retrain(task: hidden.Retraining, seed: int, device: str) -> dict[str, Array]:
    found = {}
    for name, sent in (("as sent", task), ("swapped", task.swapped())):
        model = training.train_translator(sent.train, sent.val, seed, device, max_seconds=UNHURRIED)
        found[name] = training.translate(model, task.evaluation.source)
    return found


def _gain(task: hidden.Retraining, made: Array) -> Array:
    source, target = task.evaluation.source, task.evaluation.target.reveal()
    return psnr(made, target, 1.0) - psnr(source, target, 1.0)


def _same(made: Array) -> dict[str, Array]:
    """An answer that does not depend on what is sent."""
    return {"as sent": made, "swapped": made}


def _learnt_by(simple: Callable[[Pair, Array], Array], task: hidden.Retraining) -> dict[str, Array]:
    asked = task.evaluation.source
    return {"as sent": simple(task.train, asked), "swapped": simple(task.swapped().train, asked)}


_retraining = Trial(
    name="retraining",
    prepare=hidden.retraining_set,
    answer=_retrain,
    metrics=(
        Metric(
            "retrained_gain", "higher",
            rows=lambda task, made: _gain(task, made["as sent"]),
            what="gain in PSNR over the source after training again on other heads, dB",
        ),
        Metric(
            "swapped_gain", "lower",
            rows=lambda task, made: _gain(task, made["swapped"]),
            what="the same after training with source and target exchanged, dB",
        ),
    ),
    baselines={"source as it is": lambda task: _same(task.evaluation.source)},
    learners={
        "lookup table": functools.partial(_learnt_by, lookup_table),
        "5x5 quadratic filter": functools.partial(_learnt_by, patch_filter),
    },
    honest={
        "half the learning rate": changed(training, LEARNING_RATE=2.5e-3),
        "batches of 16": changed(training, BATCH=16),
        "12 epochs": changed(training, EPOCHS=12),
    },
    weak={
        "one epoch": changed(training, EPOCHS=1),
        "learning rate 1e-5": changed(training, LEARNING_RATE=1e-5),
    },
)  # fmt: skip

TRIALS = (_retraining, _translation)

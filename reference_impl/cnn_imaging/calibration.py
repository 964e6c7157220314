"""What the thresholds of this assignment rest on, for ``autograder calibrate cnn_imaging``.

Students who follow the text train the reference's recipe; so do the runs that its thresholds come
from. Whoever is trained again while the grader watches may use another recipe, so that several
count there as honest.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reference_impl.calibrating import Metric, Trial, changed
from reference_impl.cnn_imaging import dermsim, hidden, networks, segmentation, training
from reference_impl.cnn_imaging.dermsim import Cohort
from reference_impl.cnn_imaging.metrics import roc_auc
from reference_impl.cnn_imaging.splitting import patient_split
from reference_impl.course_secret import course_rng

__all__ = ["TRIALS", "colour_statistics", "otsu_masks"]

Array = npt.NDArray[Any]
UNHURRIED = 1e9
"""Seconds a training may take: no run ends early because the machine is busy."""


def otsu_masks(X: Array) -> npt.NDArray[np.bool_]:
    """Pixels darker than each image's Otsu threshold (IEEE Trans SMC 9:62, 1979).

    The threshold is the grey value that maximises the variance between the two classes.

    Args:
        X: Images uint8 [N, 3, H, W].

    Returns:
        bool [N, H, W].
    """
    grey = X.mean(axis=1).astype(np.uint8)
    masks = np.empty(grey.shape, dtype=bool)
    for image, mask in zip(grey, masks, strict=True):
        counts = np.bincount(image.ravel(), minlength=256) / image.size
        weight, mean = np.cumsum(counts), np.cumsum(counts * np.arange(256))
        spread = np.maximum(weight * (1 - weight), 1e-12)
        between = (mean[-1] * weight - mean) ** 2 / spread
        mask[:] = image <= between.argmax()
    return masks


def colour_statistics(X: Array) -> npt.NDArray[np.float64]:
    """Mean, spread and three quantiles of each colour, and the share of dark pixels: [N, 16]."""
    images = X / 255.0
    quantiles = np.percentile(images, [5, 25, 50], axis=(2, 3)).transpose(1, 0, 2)
    parts = [images.mean(axis=(2, 3)), images.std(axis=(2, 3)), quantiles.reshape(len(X), -1)]
    return np.column_stack([*parts, otsu_masks(X).mean(axis=(1, 2))])


_public = functools.cache(dermsim.public_cohort)


def _public_parts() -> list[Cohort]:
    """Training and validation part of the course's public data, split as the notebook does."""
    data = _public()
    return [dermsim.take(data, rows) for rows in patient_split(data.patient_id, data.y)[:2]]


@functools.cache
def _simple() -> Any:
    """Logistic regression on colour statistics of the training part."""
    train = _public_parts()[0]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    return model.fit(colour_statistics(train.X), train.y)


def _auc(truth_and_score: Array) -> float:
    return roc_auc(*truth_and_score.T)


def _train_classifier(train: Cohort, val: Cohort, seed: int, device: str) -> networks.SmallResNet:
    sets = (train.X, train.y), (val.X, val.y)
    return training.train_classifier(*sets, seed, device, max_seconds=UNHURRIED)


def _classify(data: hidden.HiddenCohort, seed: int, device: str) -> Array:
    model = _train_classifier(*_public_parts(), seed, device)  # type: ignore[call-arg, arg-type]
    return training.predict_proba(model, data.images)


_classifier = Trial(
    name="classifier",
    prepare=hidden.classification_set,
    answer=_classify,
    metrics=(
        Metric(
            "auc", "higher",
            rows=lambda data, p: np.column_stack([data.labels.reveal(), p]),
            score=_auc,
            steps=(0.5, 1.0),
            what="AUC on lesions of unseen patients",
        ),
    ),
    baselines={
        "colour statistics": lambda data: _simple().predict_proba(
            colour_statistics(data.images)
        )[:, 1],
    },
    honest={
        "width 24": changed(training, SmallResNet=functools.partial(networks.SmallResNet, 24)),
    },
    weak={
        "half the learning rate": changed(training, LEARNING_RATE=1e-3),
        "one epoch": changed(training, EPOCHS=1),
        "learning rate 1e-5": changed(training, LEARNING_RATE=1e-5),
        "no augmentation": changed(training, augment=lambda image, mask, rng: (image, mask)),
    },
)  # fmt: skip


def _outline(data: hidden.HiddenCohort, seed: int, device: str) -> Array:
    parts = ((part.X, part.mask) for part in _public_parts())
    model = segmentation.train_segmenter(*parts, seed, device, max_seconds=UNHURRIED)  # type: ignore
    return segmentation.predict_mask(model, data.images)


_segmenter = Trial(
    name="segmenter",
    prepare=hidden.segmentation_set,
    answer=_outline,
    metrics=(
        Metric(
            "dice", "higher",
            rows=lambda data, masks: segmentation.dice(masks, data.masks.reveal()),
            steps=(0.5, 1.0),
            what="mean Dice on unseen lesions of all tones",
        ),
    ),
    baselines={"Otsu's threshold": lambda data: otsu_masks(data.images)},
    honest={
        "half the learning rate": changed(segmentation, LEARNING_RATE=5e-3),
        "width 16": changed(segmentation, UNet=functools.partial(networks.UNet, 16)),
    },
    weak={
        "one epoch": changed(segmentation, EPOCHS=1),
        "learning rate 1e-4": changed(segmentation, LEARNING_RATE=1e-4),
        "no augmentation": changed(segmentation, augment=lambda image, mask, rng: (image, mask)),
    },
)  # fmt: skip


def _retrain(task: hidden.Retraining, seed: int, device: str) -> dict[str, Array]:
    found = {}
    for name, given in (("as sent", task), ("flipped", task.flipped())):
        model = _train_classifier(given.train, given.val, seed, device)
        found[name] = training.predict_proba(model, given.evaluation.images)
    return found


def _labelled(task: hidden.Retraining, p: Array) -> Array:
    return np.column_stack([task.evaluation.labels.reveal(), p])


def _guessed(task: hidden.Retraining) -> dict[str, Array]:
    p = np.random.default_rng(0).random(len(task.evaluation))
    return {"as sent": p, "flipped": p}


def _plain_adam(parameters: Any, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr)


def _plain_sgd(parameters: Any, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr)


class _Constant:
    """A learning rate that stays as it is."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def step(self) -> None:
        """Change nothing."""


_NO_AUGMENTATION = changed(training, augment=lambda image, mask, rng: (image, mask))
_CONSTANT = changed(torch.optim.lr_scheduler, OneCycleLR=_Constant)
_ADAM = (*changed(torch.optim, AdamW=_plain_adam), *_CONSTANT, *_NO_AUGMENTATION)

_retraining = Trial(
    name="retraining",
    prepare=hidden.retraining_set,
    answer=_retrain,
    metrics=(
        Metric(
            "retrained_auc", "higher",
            rows=lambda task, p: _labelled(task, p["as sent"]),
            score=_auc,
            what="AUC after training again on other patients",
        ),
        Metric(
            "flipped_auc", "lower",
            rows=lambda task, p: _labelled(task, p["flipped"]),
            score=_auc,
            what="AUC by the true labels after training on exchanged ones",
        ),
    ),
    baselines={"guessing": _guessed},
    honest={
        "plain Adam 1e-3, batches of 64, 10 epochs": (
            *_ADAM, *changed(training, LEARNING_RATE=1e-3, BATCH=64, EPOCHS=10),
        ),
        "plain Adam 1e-3, 5 epochs": (
            *_ADAM, *changed(training, LEARNING_RATE=1e-3, EPOCHS=5),
        ),
    },
    weak={
        "one epoch": changed(training, EPOCHS=1),
        "plain SGD 1e-2, 10 epochs": (
            *changed(torch.optim, AdamW=_plain_sgd), *_CONSTANT, *_NO_AUGMENTATION,
            *changed(training, LEARNING_RATE=1e-2, EPOCHS=10),
        ),
    },
)  # fmt: skip


@dataclass(frozen=True)
class _CoinFlips:
    """What the canary is asked about: for each of its draws, whether each guess was right."""

    draws: list[Cohort]


TOSSES = 12
"""Draws of which the hidden test takes the mean."""


def _canary() -> _CoinFlips:
    rng = course_rng("cnn_imaging canary calibration")
    return _CoinFlips([hidden.canary(rng) for _ in range(TOSSES)])


def _shares(task: _CoinFlips, parts: Any) -> Array:
    """The share guessed right in each draw, for a split of each into training and test rows."""
    shares = [
        hidden.nearest_neighbour_accuracy(data, *split)
        for data, split in zip(task.draws, parts, strict=True)
    ]
    return np.array(shares)


def _by_patient(task: _CoinFlips, seed: int, _device: str) -> list[tuple[Array, Array]]:
    found = []
    for number, data in enumerate(task.draws):
        parts = patient_split(data.patient_id, data.y, seed=TOSSES * seed + number)
        found.append((parts[0], parts[2]))
    return found


def _by_image(task: _CoinFlips) -> list[tuple[Array, Array]]:
    found = []
    for data, (train, test) in zip(task.draws, _by_patient(task, 0, "cpu"), strict=True):
        rows = np.random.default_rng(0).permutation(len(data))
        found.append((rows[: len(train)], rows[-len(test) :]))
    return found


_coin_flips = Trial(
    name="canary",
    prepare=_canary,
    answer=_by_patient,
    metrics=(
        Metric(
            "canary", "lower", rows=_shares,
            what="share of coin flips guessed right across the split",
        ),
    ),
    baselines={"split by image": _by_image},
)  # fmt: skip

TRIALS = (_coin_flips, _retraining, _segmenter, _classifier)

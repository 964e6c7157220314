"""Measures what the reference scores on hidden sets, and what needs no learning scores.

``python -m reference_impl.cnn_imaging.calibration --seeds 5 --secrets 8`` prints the numbers that
stand beside the thresholds in :mod:`reference_impl.cnn_imaging.hidden`. Hidden sets of several
secrets are drawn, because a threshold must hold for whichever secret a course has.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reference_impl.calibrating import for_secrets, show
from reference_impl.cnn_imaging import dermsim, hidden, segmentation, training
from reference_impl.cnn_imaging.dermsim import Cohort
from reference_impl.cnn_imaging.metrics import roc_auc
from reference_impl.cnn_imaging.splitting import patient_split
from reference_impl.course_secret import course_rng

__all__ = ["colour_statistics", "main", "otsu_masks"]

Array = npt.NDArray[Any]


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


def _classifier(data: Cohort, seeds: int, secrets: int) -> None:
    sets = for_secrets(hidden.classification_set, secrets)
    parts = patient_split(data.patient_id, data.y)
    train, val = ((data.X[rows], data.y[rows]) for rows in parts[:2])
    baseline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    baseline.fit(colour_statistics(train[0]), train[1])
    simple = [baseline.predict_proba(colour_statistics(h.images))[:, 1] for h in sets]
    truths = [h.labels.reveal() for h in sets]
    show("AUC colour statistics", [roc_auc(y, s) for y, s in zip(truths, simple, strict=True)])
    table, seconds = [], []
    for seed in range(seeds):
        start = time.process_time()
        model = training.train_classifier(train, val, seed, max_seconds=600)
        seconds.append(time.process_time() - start)
        scores = [training.predict_proba(model, h.images) for h in sets]
        table.append([roc_auc(y, s) for y, s in zip(truths, scores, strict=True)])
        show(f"  AUC seed {seed}", table[-1])
    show("AUC classifier", table)
    show("AUC classifier, by seed", np.mean(table, axis=1))
    show("classifier seconds", seconds)


def _segmenter(data: Cohort, seeds: int, secrets: int) -> None:
    sets = for_secrets(hidden.segmentation_set, secrets)
    parts = patient_split(data.patient_id, data.y)
    train, val = ((data.X[rows], data.mask[rows]) for rows in parts[:2])
    otsu = [segmentation.dice(otsu_masks(h.images), h.masks.reveal()) for h in sets]
    show("Dice Otsu", [overlap.mean() for overlap in otsu])
    table, seconds = [], []
    for seed in range(seeds):
        start = time.process_time()
        model = segmentation.train_segmenter(train, val, seed, max_seconds=600)
        seconds.append(time.process_time() - start)
        found = [segmentation.predict_mask(model, h.images) for h in sets]
        by_image = [
            segmentation.dice(f, h.masks.reveal()) for f, h in zip(found, sets, strict=True)
        ]
        table.append([d.mean() for d in by_image])
        tones = [by_image[0][sets[0].tones == tone].mean() for tone in range(4)]
        show(f"  Dice seed {seed}, by tone {np.round(tones, 3)}", table[-1])
    show("Dice U-Net", table)
    show("U-Net seconds", seconds)


def _flip_probe(_: Cohort, seeds: int, secrets: int) -> None:
    honest: list[float] = []
    flipped: list[float] = []
    seconds = []
    for task in for_secrets(hidden.retraining_set, secrets):
        for seed in range(seeds):
            for given, into in ((task, honest), (task.flipped(), flipped)):
                start = time.process_time()
                model = training.train_classifier(
                    (given.train.X, given.train.y), (given.val.X, given.val.y), seed
                )
                seconds.append(time.process_time() - start)
                probability = training.predict_proba(model, given.evaluation.images)
                into.append(roc_auc(given.evaluation.labels.reveal(), probability))
    show("retrained AUC", honest)
    show("retrained AUC, labels flipped", flipped)
    show("retraining seconds", seconds)


def _canary(_: Cohort, seeds: int, secrets: int) -> None:
    by_patient, by_image = [], []
    draws = for_secrets(lambda: hidden.canary(course_rng("calibration")), seeds * secrets)
    for number, data in enumerate(draws):
        parts = patient_split(data.patient_id, data.y, (0.5, 0.25, 0.25), seed=number)
        train, test = parts[0], np.concatenate(parts[1:])
        by_patient.append(hidden.nearest_neighbour_accuracy(data, train, test))
        rows = np.random.default_rng(number).permutation(len(data))
        image_split = rows[: len(train)], rows[-len(test) :]
        by_image.append(hidden.nearest_neighbour_accuracy(data, *image_split))
    show("canary, split by patient", by_patient)
    show("canary, split by image", by_image)


_PARTS = {
    "canary": _canary,
    "flip": _flip_probe,
    "segmenter": _segmenter,
    "classifier": _classifier,
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(_PARTS), help=", ".join(_PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--secrets", type=int, default=8)
    parser.add_argument("--data", type=Path, help="dermsim.npz; drawn anew if not given")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = dermsim.load_cohort(arguments.data) if arguments.data else dermsim.public_cohort()
    for part in arguments.parts:
        _PARTS[part](data, arguments.seeds, arguments.secrets)


if __name__ == "__main__":
    main()

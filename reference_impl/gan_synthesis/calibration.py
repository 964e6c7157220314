"""Measures what the reference scores on hidden sets, and what needs no learning scores.

``python -m reference_impl.gan_synthesis.calibration FOLDER --seeds 5 --secrets 4`` prints the
numbers that stand beside the thresholds in :mod:`reference_impl.gan_synthesis.hidden`. Hidden sets
of several secrets are drawn, because a threshold must hold for whichever secret a course has.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numpy.lib.stride_tricks import sliding_window_view

from reference_impl.calibrating import for_secrets, show
from reference_impl.gan_synthesis import hidden, training
from reference_impl.gan_synthesis.fidelity import lesion_contrast_recovery
from reference_impl.gan_synthesis.metrics import psnr, ssim

__all__ = ["lookup_table", "main", "patch_filter"]

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]

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
    normal: Any = 0.0
    right: Any = 0.0
    for source, target in zip(*train, strict=True):
        features = _quadratic(source)
        normal = normal + features.T @ features
        right = right + features.T @ target.ravel()
    weights = np.linalg.solve(normal + RIDGE * np.eye(len(right)), right)
    found = [(_quadratic(image) @ weights).reshape(image.shape) for image in images]
    return np.clip(np.stack(found), 0, 1)


def _quadratic(image: Array) -> Array:
    """1, the 25 pixels around each pixel, and their products: [H W, 351]."""
    padded = np.pad(image.astype(np.float64), 2, mode="reflect")
    patches = sliding_window_view(padded, (5, 5)).reshape(-1, 25)
    one, other = np.triu_indices(25)
    products = patches[:, one] * patches[:, other]
    return np.column_stack([np.ones(len(patches)), patches, products])


def _scores(pred: Array, data: hidden.TranslationSet) -> tuple[float, float, float]:
    """PSNR, SSIM and PSNR in thin layers, means over images."""
    true, hard = data.target.reveal(), data.hard.reveal()
    by_image = psnr(pred, true, 1.0), ssim(pred, true, 1.0), psnr(pred, true, 1.0, hard)
    return tuple(float(np.mean(values)) for values in by_image)  # type: ignore[return-value]


def _show_scores(name: str, scores: Any) -> None:
    for what, column in zip(("PSNR", "SSIM", "PSNR thin"), np.transpose(scores), strict=True):
        show(f"{name} {what}", column)


def _pairs(folder: Path, part: str, source: str, target: str) -> Pair:
    with np.load(folder / "heads.npz", allow_pickle=False) as stored:
        rows = np.flatnonzero(stored["part"] == part)
        one, other = (stored[key][rows].astype(np.float32) / 255 for key in (source, target))
    return one, other


def _translation(folder: Path, seeds: int, secrets: int) -> None:
    sets = for_secrets(hidden.translation_set, secrets)
    train, val = (_pairs(folder, part, "low", "t1w") for part in ("train", "val"))
    _show_scores("identity", [_scores(h.source, h) for h in sets])
    for baseline in (lookup_table, patch_filter):
        scores = [_scores(baseline(train, h.source), h) for h in sets]
        _show_scores(baseline.__name__, scores)
    table, seconds = [], []
    for seed in range(seeds):
        start = time.process_time()
        model = training.train_translator(train, val, seed, max_seconds=6000)
        seconds.append(time.process_time() - start)
        table += [_scores(training.translate(model, h.source), h) for h in sets]
        _show_scores(f"  seed {seed}", table[-secrets:])
    _show_scores("reference", table)
    show("seconds", seconds)


def _retraining(_: Path, seeds: int, secrets: int) -> None:
    sets = for_secrets(hidden.retraining_set, secrets)
    gains: dict[str, list[float]] = {"retrained": [], "swapped": []}
    seconds = []
    for seed in range(seeds):
        kept = sets[seed % secrets]
        for name, data in (("retrained", kept), ("swapped", kept.swapped())):
            start = time.process_time()
            model = training.train_translator(data.train, data.val, seed, max_seconds=6000)
            seconds.append(time.process_time() - start)
            before = _scores(data.evaluation.source, data.evaluation)[0]
            after = _scores(training.translate(model, data.evaluation.source), data.evaluation)[0]
            gains[name].append(after - before)
            show(f"  gain {name}, seed {seed}", gains[name][-1])
    for name, values in gains.items():
        show(f"gain {name}", values)
    for baseline in (lookup_table, patch_filter):
        found = [
            _scores(baseline(s.train, s.evaluation.source), s.evaluation)[0]
            - _scores(s.evaluation.source, s.evaluation)[0]
            for s in sets
        ]
        show(f"gain {baseline.__name__}", found)
    show("retraining seconds", seconds)


def _lesions(folder: Path, seeds: int, secrets: int) -> None:
    sets = for_secrets(hidden.lesion_set, secrets)
    train, val, held = (_pairs(folder, part, "t1w", "t2w") for part in ("train", "val", "held_out"))
    for baseline in (lookup_table, patch_filter):
        found = baseline(train, held[0])
        show(f"T2 {baseline.__name__} PSNR", psnr(found, held[1], 1.0).mean())
        show(f"T2 {baseline.__name__} SSIM", ssim(found, held[1], 1.0).mean())
    scores, recovered, seconds = [], [], []
    for seed in range(seeds):
        start = time.process_time()
        model = training.train_translator(train, val, seed, max_seconds=6000)
        seconds.append(time.process_time() - start)
        made = training.translate(model, held[0])
        scores.append((psnr(made, held[1], 1.0).mean(), ssim(made, held[1], 1.0).mean()))
        for h in sets:
            made = training.translate(model, h.source)
            truth = h.target.reveal(), h.lesion.reveal(), h.ref.reveal()
            recovered.append(float(np.nanmean(lesion_contrast_recovery(made, *truth))))
        print(f"  T2 seed {seed}: {scores[-1]}, recovery {recovered[-secrets:]}", flush=True)
    show("T2 PSNR", [psnr_ for psnr_, _ in scores])
    show("T2 SSIM", [ssim_ for _, ssim_ in scores])
    show("T2 lesion contrast recovery, mean of a set", recovered)
    show("T2 seconds", seconds)


_PARTS = {"retraining": _retraining, "translation": _translation, "lesions": _lesions}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where heads.npz is")
    parser.add_argument("parts", nargs="*", default=list(_PARTS), help=", ".join(_PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--secrets", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for part in arguments.parts:
        _PARTS[part](arguments.folder, arguments.seeds, arguments.secrets)


if __name__ == "__main__":
    main()

"""Boxes: their overlap, removing duplicates, and two summaries of a detector.

A box is ``x0, y0, x1, y1`` in pixels, with ``x1`` and ``y1`` exclusive, so that its area is
``(x1 - x0) (y1 - y0)``. Detections of a data set are lists with one array an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["FP_RATES", "average_precision_det", "box_iou", "froc", "nms"]

FP_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives an image at which :func:`froc` reads the sensitivity."""

Array = npt.NDArray[Any]


def box_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Intersection over union of every box of ``a`` with every box of ``b``.

    Args:
        a: [N, 4].
        b: [M, 4].

    Returns:
        float64 [N, M]; boxes that only touch have 0, and so has a box without area.
    """
    first = np.asarray(a, dtype=np.float64).reshape(-1, 4)
    second = np.asarray(b, dtype=np.float64).reshape(-1, 4)
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])  # [N, M, 2]
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    both = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    union = _area(first)[:, None] + _area(second)[None, :] - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def _area(boxes: Array) -> Array:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def nms(
    boxes: npt.ArrayLike,
    scores: npt.ArrayLike,
    thr: float,
    labels: npt.ArrayLike | None = None,
) -> npt.NDArray[np.int64]:
    """Non-maximum suppression: keep the best box, drop what overlaps it too much, repeat.

    Args:
        boxes: [N, 4].
        scores: [N]; of two equal scores the earlier box counts as better.
        thr: A box is dropped if its IoU with a kept box is *greater* than this.
        labels: Classes [N]; boxes of different classes never drop one another.

    Returns:
        Indices of the kept boxes, int64, best first.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    overlap = box_iou(boxes, boxes) > thr
    if labels is not None:
        of_class = np.asarray(labels)
        overlap &= of_class[:, None] == of_class[None, :]
    kept: list[int] = []
    for candidate in order:
        if not overlap[candidate, kept].any():
            kept.append(int(candidate))
    return np.asarray(kept, dtype=np.int64)


def average_precision_det(
    boxes: Sequence[npt.ArrayLike],
    scores: Sequence[npt.ArrayLike],
    truth: Sequence[npt.ArrayLike],
    iou_thr: float = 0.5,
) -> float:
    """Average precision of a detector, from all points of its precision-recall curve.

    Detections of all images are taken from the highest score down, ties in the order given. One
    is a true positive if its best unmatched true box in the image has at least ``iou_thr`` IoU,
    and uses that box up: a second detection of it is a false positive. Precision at a recall is
    the best precision at that recall or any higher one, and
    ``AP = sum_k (R_k - R_{k-1}) max_{j >= k} P_j`` (Everingham et al., IJCV 111:98, 2015).

    Args:
        boxes: For each image, detections [n_i, 4].
        scores: For each image, scores [n_i].
        truth: For each image, true boxes [m_i, 4].
        iou_thr: Overlap that counts as found.

    Returns:
        AP in [0, 1]; nan if there is no true box.
    """
    n_true = sum(len(np.reshape(t, (-1, 4))) for t in truth)
    if not n_true:
        return float("nan")
    _, hit = _match(boxes, scores, truth, iou_thr)
    tp = np.cumsum(hit)
    precision = tp / np.arange(1, len(hit) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(hit * envelope) / n_true)


def froc(
    boxes: Sequence[npt.ArrayLike],
    scores: Sequence[npt.ArrayLike],
    truth: Sequence[npt.ArrayLike],
    fp_rates: Sequence[float] = FP_RATES,
    iou_thr: float = 0.5,
) -> tuple[npt.NDArray[np.float64], float]:
    """Sensitivity at given numbers of false positives an image (free-response ROC).

    A threshold takes all detections that score at least as much, tied ones together. At each rate
    the sensitivity is the highest of all thresholds with at most that many false positives an
    image, without interpolation. The mean over 1/8 to 8 is the competition metric of LUNA16
    (Setio et al., Medical Image Analysis 42:1, 2017). Matching is as in
    :func:`average_precision_det`.

    Args:
        boxes: For each image, detections [n_i, 4]; images without lesions count too.
        scores: For each image, scores [n_i].
        truth: For each image, true boxes [m_i, 4].
        fp_rates: False positives an image.
        iou_thr: Overlap that counts as found.

    Returns:
        ``(sensitivities, mean)``: float64 [len(fp_rates)] and their mean; nan without true boxes.
    """
    n_true = sum(len(np.reshape(t, (-1, 4))) for t in truth)
    if not n_true:
        return np.full(len(fp_rates), np.nan), float("nan")
    score, hit = _match(boxes, scores, truth, iou_thr)
    last_of_tie = np.append(score[1:] != score[:-1], True)[: len(score)]
    fp_per_image = np.append(0, np.cumsum(~hit)[last_of_tie]) / len(truth)
    sensitivity = np.append(0, np.cumsum(hit)[last_of_tie]) / n_true
    at_rates = np.array([sensitivity[fp_per_image <= rate].max() for rate in fp_rates])
    return at_rates, float(at_rates.mean())


def _match(
    boxes: Sequence[npt.ArrayLike],
    scores: Sequence[npt.ArrayLike],
    truth: Sequence[npt.ArrayLike],
    iou_thr: float,
) -> tuple[Array, Array]:
    """Scores of all detections, descending, and whether each is a true positive."""
    if not len(boxes) == len(scores) == len(truth):
        raise ValueError("boxes, scores and truth must have one entry for each image")
    image = np.repeat(np.arange(len(boxes)), [len(np.ravel(s)) for s in scores])
    score = np.concatenate([np.zeros(0), *(np.ravel(s) for s in scores)])
    overlap = [box_iou(b, t) for b, t in zip(boxes, truth, strict=True)]
    place = np.concatenate([np.arange(len(o)) for o in overlap] or [np.zeros(0, int)])
    free = [np.ones(o.shape[1], dtype=bool) for o in overlap]
    order = np.argsort(-score, kind="stable")
    hit = np.zeros(len(score), dtype=bool)
    for rank, detection in enumerate(order):
        i = image[detection]
        candidates = np.where(free[i], overlap[i][place[detection]], -1.0)
        if len(candidates) and candidates.max() >= iou_thr:
            free[i][candidates.argmax()] = False
            hit[rank] = True
    return score[order], hit

"""Boxes against torchvision and brute force."""

import math

import numpy as np
import pytest
import torch
import torchvision

from reference_impl.cnn_imaging.detection import (
    FP_RATES,
    average_precision_det,
    box_iou,
    froc,
    nms,
)


def boxes(n, rng, size=10):
    corners = np.sort(rng.integers(0, size, (n, 2, 2)), axis=1)
    return corners.reshape(n, 4).astype(float)


@pytest.mark.parametrize("seed", range(20))
def test_iou_equals_torchvision_and_is_zero_where_that_is_undefined(seed):
    rng = np.random.default_rng(seed)
    a, b = boxes(12, rng), boxes(9, rng)
    expected = torchvision.ops.box_iou(torch.as_tensor(a), torch.as_tensor(b)).nan_to_num(0.0)
    assert np.allclose(box_iou(a, b), expected, atol=1e-12)


def test_iou_of_touching_identical_and_missing_boxes():
    assert box_iou([[0, 0, 2, 2]], [[2, 0, 4, 2]]) == 0
    assert box_iou([[0, 0, 2, 2]], [[0, 0, 2, 2]]) == 1
    assert box_iou([[1, 1, 1, 5]], [[1, 1, 1, 5]]) == 0
    assert box_iou([], [[0, 0, 1, 1]]).shape == (0, 1)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5])
def test_suppression_equals_torchvision(seed, threshold):
    rng = np.random.default_rng(seed)
    found = boxes(30, rng) + np.array([0, 0, 1, 1])
    scores = rng.permutation(30) / 30
    labels = rng.integers(0, 3, 30)
    tensors = [torch.as_tensor(v) for v in (found, scores, labels)]
    expected = torchvision.ops.nms(*tensors[:2], threshold)
    assert nms(found, scores, threshold).tolist() == expected.tolist()
    expected = torchvision.ops.batched_nms(*tensors, threshold)
    assert nms(found, scores, threshold, labels).tolist() == expected.tolist()


def test_of_equal_scores_the_earlier_box_is_kept():
    found = [[0, 0, 4, 4], [0, 0, 4, 5], [9, 9, 12, 12]]
    assert nms(found, [0.5, 0.5, 0.5], 0.5).tolist() == [0, 2]
    assert nms(found[::-1], [0.5, 0.5, 0.5], 0.5).tolist() == [0, 1]


def test_a_box_of_exactly_the_threshold_is_kept():
    assert nms([[0, 0, 2, 2], [0, 0, 2, 1]], [0.9, 0.8], 0.5).tolist() == [0, 1]


def test_suppressing_nothing_gives_nothing():
    assert nms([], [], 0.5).tolist() == []


def detections(seed, n_images=6):
    rng = np.random.default_rng(seed)
    truth = [boxes(rng.integers(0, 4), rng) + np.array([0, 0, 2, 2]) for _ in range(n_images)]
    found = [
        np.concatenate([t + rng.integers(-1, 2, t.shape), boxes(rng.integers(0, 4), rng)])
        for t in truth
    ]
    scores = [rng.integers(0, 6, len(f)) / 5 for f in found]
    return found, scores, truth


def hits_by_hand(found, scores, truth, threshold):
    """(score, image, hit) of all detections, best first, by the definition."""
    ranked = sorted(
        ((s, i, k) for i, row in enumerate(scores) for k, s in enumerate(row)),
        key=lambda item: -item[0],
    )
    used, out = set(), []
    for s, i, k in ranked:
        options = [
            (box_iou([found[i][k]], [t])[0, 0], -j)
            for j, t in enumerate(truth[i])
            if (i, j) not in used
        ]
        overlap, j = max(options, default=(0.0, 0))
        hit = bool(options) and overlap >= threshold
        if hit:
            used.add((i, -j))
        out.append((s, i, hit))
    return out


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_average_precision_equals_its_definition(seed, threshold):
    found, scores, truth = detections(seed)
    n_true = sum(map(len, truth))
    hits = [hit for *_, hit in hits_by_hand(found, scores, truth, threshold)]
    points = [(sum(hits[:k]) / n_true, sum(hits[:k]) / k) for k in range(1, len(hits) + 1)]
    area, before = 0.0, 0.0
    for recall, _ in points:
        area += (recall - before) * max(p for r, p in points if r >= recall)
        before = recall
    assert average_precision_det(found, scores, truth, threshold) == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_froc_equals_its_definition(seed):
    found, scores, truth = detections(seed)
    n_true, n_images = sum(map(len, truth)), len(truth)
    ranked = hits_by_hand(found, scores, truth, 0.5)
    expected = []
    for rate in FP_RATES:
        best = 0.0
        for t in {s for s, *_ in ranked}:
            above = [hit for s, _, hit in ranked if s >= t]
            if (len(above) - sum(above)) / n_images <= rate:
                best = max(best, sum(above) / n_true)
        expected.append(best)
    at_rates, mean = froc(found, scores, truth)
    assert at_rates.tolist() == pytest.approx(expected, abs=1e-12)
    assert mean == pytest.approx(np.mean(expected), abs=1e-12)


def test_a_perfect_detector_scores_one_and_a_second_detection_is_false():
    truth = [[[0, 0, 4, 4]], [[1, 1, 5, 5]]]
    assert average_precision_det(truth, [[0.9], [0.8]], truth) == 1
    assert froc(truth, [[0.9], [0.8]], truth)[1] == 1
    twice = [[[0, 0, 4, 4], [0, 0, 4, 4]], [[1, 1, 5, 5]]]
    found = average_precision_det(twice, [[0.9, 0.85], [0.8]], truth)
    assert found == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_images_without_lesions_count_in_the_rate_of_false_positives():
    found, scores = [[[0, 0, 1, 1], [5, 5, 9, 9]]], [[0.9, 0.8]]
    truth = [[[5, 5, 9, 9]]]
    assert froc(found, scores, truth, (0.5,))[0] == 0
    more = [[]] * 1
    assert froc(found + more, scores + more, truth + more, (0.5,))[0] == 1


def test_without_detections_nothing_is_found_and_without_truth_nothing_is_defined():
    assert average_precision_det([[]], [[]], [[[0, 0, 1, 1]]]) == 0
    assert froc([[]], [[]], [[[0, 0, 1, 1]]])[1] == 0
    assert math.isnan(average_precision_det([[[0, 0, 1, 1]]], [[0.5]], [[]]))
    assert math.isnan(froc([[[0, 0, 1, 1]]], [[0.5]], [[]])[1])


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="image"):
        average_precision_det([[]], [], [[[0, 0, 1, 1]]])

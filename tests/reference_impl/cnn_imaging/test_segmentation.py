"""Overlap measures, the soft Dice loss and the U-Net's training."""

import numpy as np
import pytest
import torch

from reference_impl.cnn_imaging import dermsim, segmentation
from reference_impl.cnn_imaging.segmentation import (
    dice,
    iou,
    predict_mask,
    soft_dice_loss,
    train_segmenter,
)


def masks(seed, n=12):
    rng = np.random.default_rng(seed)
    return rng.random((2, n, 6, 7)) < rng.random((2, n, 1, 1))


def test_dice_and_iou_equal_counting_with_sets():
    p, m = masks(0)
    for i in range(len(p)):
        a, b = set(map(tuple, np.argwhere(p[i]))), set(map(tuple, np.argwhere(m[i])))
        assert dice(p, m)[i] == pytest.approx(2 * len(a & b) / (len(a) + len(b)), abs=1e-12)
        assert iou(p, m)[i] == pytest.approx(len(a & b) / len(a | b), abs=1e-12)


def test_iou_follows_from_dice():
    p, m = masks(1)
    d = dice(p, m)
    assert np.allclose(iou(p, m), d / (2 - d), atol=1e-12)


def test_empty_masks():
    empty, full = np.zeros((1, 4, 4)), np.ones((1, 4, 4))
    for measure in (dice, iou):
        assert measure(empty, empty) == 1
        assert measure(empty, full) == measure(full, empty) == 0


def test_images_count_alike_whatever_their_lesions_size():
    p, m = np.zeros((2, 8, 8), bool), np.zeros((2, 8, 8), bool)
    m[0], p[0], m[1, 0, 0] = True, True, True
    assert dice(p, m).tolist() == [1, 0]


def test_probabilities_and_other_shapes_are_refused():
    p, m = masks(2)
    with pytest.raises(ValueError, match="threshold"):
        dice(p * 0.7, m)
    with pytest.raises(ValueError, match="stacks"):
        iou(p[0], m[0])


def test_soft_dice_of_certain_logits_is_dice():
    p, m = masks(3)
    p[0] = m[0] = False
    logits = torch.as_tensor(np.where(p, 50.0, -50.0))
    loss = soft_dice_loss(logits[:, None], torch.as_tensor(m))
    assert loss.item() == pytest.approx(1 - dice(p, m).mean(), abs=1e-6)


def test_soft_dice_is_its_formula():
    logits = torch.randn(5, 1, 4, 4, dtype=torch.float64)
    m = (torch.rand(5, 4, 4) < 0.4).double()
    q = 1 / (1 + torch.exp(-logits[:, 0]))
    by_image = [2 * (q[i] * m[i]).sum() / (q[i].sum() + m[i].sum()) for i in range(5)]
    assert soft_dice_loss(logits, m).item() == pytest.approx(1 - np.mean(by_image), abs=1e-6)


@pytest.mark.parametrize("logit", [-80.0, 0.0, 80.0])
def test_the_gradient_is_finite_on_an_empty_mask(logit):
    logits = torch.full((2, 1, 4, 4), logit, requires_grad=True)
    soft_dice_loss(logits, torch.zeros(2, 4, 4)).backward()
    assert torch.isfinite(logits.grad).all()


def test_the_loss_falls_when_logits_follow_its_gradient():
    logits = torch.zeros(2, 4, 4, requires_grad=True)
    m = torch.zeros(2, 4, 4)
    m[:, :2] = 1
    loss = soft_dice_loss(logits, m)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert soft_dice_loss(logits - gradient, m) < loss


def test_pixels_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="same pixels"):
        soft_dice_loss(torch.zeros(2, 4, 4), torch.zeros(2, 4, 5))


@pytest.fixture(scope="module")
def trained():
    data = dermsim.cohort(150, np.random.default_rng(0), views=(1, 0, 0, 0))
    train, val = (data.X[:120], data.mask[:120]), (data.X[120:], data.mask[120:])
    return train_segmenter(train, val, seed=1, max_seconds=600), train, val


def test_training_learns_to_outline_new_lesions(trained):
    model, _, val = trained
    assert not model.training
    assert dice(predict_mask(model, val[0]), val[1]).mean() > 0.75
    assert len(model.history) == segmentation.EPOCHS
    assert model.history[-1][0] < model.history[0][0]


def test_the_training_statistics_are_inside_the_model(trained):
    model, train, _ = trained
    assert np.allclose(model.standardise.mean, train[0].mean((0, 2, 3)) / 255, atol=1e-4)
    assert np.allclose(model.standardise.std, train[0].std((0, 2, 3)) / 255, atol=1e-4)


def test_a_mask_is_where_the_logit_is_positive_in_any_batch(trained):
    model, _, val = trained
    model.train()
    predicted = predict_mask(model, val[0], batch=5)
    assert model.training
    model.eval()
    with torch.inference_mode():
        logits = model(torch.as_tensor(val[0]) / 255)[:, 0].numpy()
    assert predicted.dtype == np.bool_
    assert np.array_equal(predicted, logits > 0)
    assert predict_mask(model, val[0][:0]).shape == (0, 32, 32)


def test_training_ends_when_time_is_over(trained):
    _, train, val = trained
    assert len(train_segmenter(train, val, max_seconds=0.0).history) == 1

"""Lesions kept or lost, structures invented, errors that do not average out."""

import numpy as np
import pytest

from reference_impl.gan_synthesis.fidelity import (
    bias_map,
    hallucination_rate,
    lesion_contrast_recovery,
)
from reference_impl.gan_synthesis.planted import erased, hallucinated


def scene(n=6, size=24, seed=0):
    rng = np.random.default_rng(seed)
    lesion = np.zeros((n, size, size), bool)
    lesion[:, 8:12, 9:13] = True
    ref = np.zeros_like(lesion)
    ref[:, 2:6, 2:20] = True
    healthy = np.full((n, size, size), 0.3)
    target = healthy + 0.4 * lesion + 0.02 * rng.standard_normal(healthy.shape) * lesion
    return target, healthy, lesion, ref


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_recovery_of_a_lesion_partly_erased_is_what_is_left(share):
    target, healthy, lesion, ref = scene()
    pred = erased(target, healthy, lesion, share)
    assert np.allclose(lesion_contrast_recovery(pred, target, lesion, ref), 1 - share)


def test_recovery_has_a_sign_and_ignores_brightness_common_to_all():
    target, healthy, lesion, ref = scene()
    assert np.allclose(lesion_contrast_recovery(target + 0.1, target, lesion, ref), 1)
    assert np.allclose(lesion_contrast_recovery(2 * target, target, lesion, ref), 2)
    dark = 2 * healthy - target
    assert np.allclose(lesion_contrast_recovery(dark, target, lesion, ref), -1)
    assert np.allclose(lesion_contrast_recovery(1 - target, 1 - target, lesion, ref), 1)


def test_recovery_looks_nowhere_else():
    target, _, lesion, ref = scene()
    pred = np.where(lesion | ref, target, 99)
    assert np.allclose(lesion_contrast_recovery(pred, target, lesion, ref), 1)


def test_one_pixel_is_a_lesion_and_none_has_no_recovery():
    target, _, lesion, ref = scene()
    lesion[0], ref[1] = False, False
    lesion[2] = False
    lesion[2, 9, 10] = True
    found = lesion_contrast_recovery(0.5 * target + 0.15, target, lesion, ref)
    assert np.isnan(found[:2]).all() and np.allclose(found[2:], 0.5)


def test_no_contrast_has_no_recovery():
    target, _, lesion, ref = scene()
    flat = np.full_like(target, 0.5)
    assert np.isnan(lesion_contrast_recovery(target, flat, lesion, ref)).all()


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_the_planted_rate_of_hallucinations_is_found(rate):
    target, _, lesion, _ = scene(n=40)
    mask = ~lesion
    pred, guilty = hallucinated(target, mask, rate, 0.2, np.random.default_rng(1))
    found, low, high = hallucination_rate(pred, target, mask, 0.2)
    assert found == guilty.mean() == rate
    assert 0 <= low <= rate <= high <= 1


def test_the_interval_is_wilsons():
    target = np.zeros((10, 8, 8))
    pred = target.copy()
    pred[:3, 2:5, 2:5] = 1
    found = hallucination_rate(pred, target, np.ones_like(target, bool), 0.5)
    # The ends solve (p - 0.3)^2 = z^2 p (1 - p) / 10.
    z2 = 1.959963984540054**2
    roots = np.sort(np.roots([1 + z2 / 10, -(0.6 + z2 / 10), 0.09]))
    assert found == pytest.approx((0.3, *roots), abs=1e-12)


def test_nothing_found_in_few_images_proves_little():
    zeros = np.zeros((10, 8, 8))
    rate, low, high = hallucination_rate(zeros, zeros, np.ones_like(zeros, bool), 0.1)
    assert (rate, low) == (0, 0) and high == pytest.approx(0.2775, abs=1e-4)


def test_a_single_pixel_and_a_window_that_leaves_the_mask_do_not_count():
    target, pred = np.zeros((2, 2, 9, 9))
    pred[0, 4, 4] = 1  # 1/9 in the mean of its window
    mask = np.ones((2, 9, 9), bool)
    mask[1, 4:, :] = False
    pred[1, 5:9] = 1
    assert hallucination_rate(pred, target, mask, 0.2)[0] == 0
    assert hallucination_rate(pred, target, mask, 0.1)[0] == 0.5


def test_a_window_at_the_border_of_the_image_does_not_count():
    target, pred = np.zeros((2, 1, 9, 9))
    pred[0, :, 0] = 1
    mask = np.ones((1, 9, 9), bool)
    assert hallucination_rate(pred, target, mask, 0.4)[0] == 0
    assert hallucination_rate(pred, target, mask, 0.3)[0] == 1


def test_what_is_lost_is_not_invented():
    target, pred = np.ones((1, 9, 9)), np.zeros((1, 9, 9))
    assert hallucination_rate(pred, target, np.ones((1, 9, 9), bool), 0.1)[0] == 0


def test_images_without_a_window_are_left_out():
    target, pred = np.zeros((2, 4, 9, 9))
    pred[:] = 1
    mask = np.zeros((4, 9, 9), bool)
    assert np.isnan(hallucination_rate(pred, target, mask, 0.5)).all()
    mask[0] = True
    assert hallucination_rate(pred, target, mask, 0.5)[0] == 1


def test_bias_is_what_does_not_average_out():
    rng = np.random.default_rng(3)
    target = rng.uniform(0, 1, (5, 6, 7))
    truth = rng.standard_normal((6, 7))
    noise = rng.standard_normal((5, 6, 7))
    pred = target + truth + noise - noise.mean(axis=0)
    assert np.allclose(bias_map(pred, target), truth)


def test_bias_of_a_mask_is_the_mean_over_the_images_that_have_the_pixel():
    target, pred = np.zeros((3, 2, 2)), np.arange(12.0).reshape(3, 2, 2)
    mask = np.ones((3, 2, 2), bool)
    mask[0, 0, 0] = False
    mask[:, 1, 1] = False
    found = bias_map(pred, target, mask)
    assert found[0, 0] == 6 and found[0, 1] == 5 and np.isnan(found[1, 1])


def test_shapes_that_do_not_fit_are_refused():
    x, m = np.zeros((2, 5, 5)), np.zeros((2, 5, 5), bool)
    for call in (
        lambda: lesion_contrast_recovery(x, x[:1], m, m),
        lambda: hallucination_rate(x, x, m[0], 0.1),
        lambda: bias_map(x[0], x[0]),
    ):
        with pytest.raises(ValueError, match="one shape"):
            call()

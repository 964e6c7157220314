"""Normalisation and augmentation."""

import numpy as np
import pytest

from reference_impl.cnn_imaging.normalisation import apply, augment, fit_normaliser


@pytest.fixture
def X():
    return np.random.default_rng(0).random((20, 3, 6, 5)) * [[[0.2]], [[0.9]], [[0.5]]] + 0.05


def test_statistics_are_those_of_all_pixels_of_a_channel(X):
    mean, std = fit_normaliser(X)
    for c in range(3):
        assert mean[c] == pytest.approx(np.mean(X[:, c].ravel()), abs=1e-13)
        assert std[c] == pytest.approx(np.sqrt(np.mean((X[:, c] - X[:, c].mean()) ** 2)), abs=1e-13)
    assert mean.dtype == std.dtype == np.float64


def test_what_was_fitted_on_becomes_standard(X):
    scaled = apply(X, fit_normaliser(X))
    assert np.allclose(scaled.mean((0, 2, 3)), 0, atol=1e-12)
    assert np.allclose(scaled.std((0, 2, 3)), 1, atol=1e-12)


def test_the_unit_cancels(X):
    bytes_ = (X * 255).round().astype(np.uint8)
    by_byte = apply(bytes_, fit_normaliser(bytes_))
    by_unit = apply(bytes_ / 255, fit_normaliser(bytes_ / 255))
    assert np.allclose(by_byte, by_unit, atol=1e-6)


def test_other_images_are_scaled_by_the_training_statistics(X):
    stats = fit_normaliser(X)
    shifted = apply(X + 0.5, stats)
    assert np.allclose(shifted - apply(X, stats), 0.5 / stats[1][:, None, None], atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 255.0])
def test_a_constant_channel_stays_finite_and_becomes_zero(X, value):
    X[:, 1] = value
    mean, std = fit_normaliser(X)
    assert std[1] == 1
    assert np.allclose(apply(X, (mean, std))[:, 1], 0, atol=1e-12)


def test_a_channel_is_constant_even_if_its_mean_was_rounded():
    X = np.full((2, 3, 13, 11), 0.1)
    assert X.std() > 0
    assert (fit_normaliser(X)[1] == 1).all()


@pytest.mark.parametrize(
    ("given", "returned"),
    [(np.float64, np.float64), (np.float32, np.float32), (np.uint8, np.float32)],
)
def test_dtypes(X, given, returned):
    assert apply(X.astype(given), fit_normaliser(X)).dtype == returned


def numbered(height, width):
    mask = np.arange(height * width).reshape(height, width)
    return np.stack([mask, mask, mask]), mask


@pytest.mark.parametrize("shape", [(8, 8), (6, 10)])
def test_image_and_mask_move_together_and_keep_shape_and_dtype(shape):
    x, mask = numbered(*shape)
    rng = np.random.default_rng(0)
    for _ in range(100):
        new_x, new_mask = augment(x.astype(np.uint8), mask.astype(np.uint8), rng)
        assert new_x.shape == x.shape
        assert new_x.dtype == new_mask.dtype == np.uint8
        assert (new_x == new_mask).all()


def test_all_eight_symmetries_occur_when_nothing_is_shifted():
    _, mask = numbered(8, 8)
    symmetries = {
        np.rot90(m, k)[3:5, 3:5].tobytes() for m in (mask, mask[:, ::-1]) for k in range(4)
    }
    rng = np.random.default_rng(1)
    seen = {augment(mask[None], mask, rng)[1][3:5, 3:5].tobytes() for _ in range(2000)}
    assert len(symmetries) == 8
    assert symmetries <= seen


def test_a_shift_is_at_most_two_pixels():
    mask = np.zeros((11, 11), int)
    mask[5, 5] = 1
    rng = np.random.default_rng(2)
    seen = {tuple(np.argwhere(augment(mask[None], mask, rng)[1])[0]) for _ in range(1000)}
    assert seen == {(i, j) for i in range(3, 8) for j in range(3, 8)}


def test_originals_are_left_alone_and_results_are_copies():
    x, mask = numbered(8, 8)
    rng = np.random.default_rng(3)
    for _ in range(20):
        new_x, new_mask = augment(x, mask, rng)
        new_x[:], new_mask[:] = -1, -1
    assert (x[0] == np.arange(64).reshape(8, 8)).all()
    assert (mask == x[0]).all()


def test_the_generator_decides_and_advances_alike_for_every_image():
    x, mask = numbered(8, 8)
    a, b = np.random.default_rng(4), np.random.default_rng(4)
    first, again = augment(x, mask, a), augment(x, mask, b)
    assert np.array_equal(first[0], again[0])
    augment(x, mask, a)
    augment(np.zeros((3, 6, 9)), np.zeros((6, 9)), b)
    assert a.random() == b.random()

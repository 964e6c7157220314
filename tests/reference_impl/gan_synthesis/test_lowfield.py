"""Truncated k-space and Rician noise, against closed forms and moments."""

import numpy as np
import pytest

from reference_impl.gan_synthesis.lowfield import kspace_truncate, rician, to_low_field
from reference_impl.gan_synthesis.physics import spin_echo, t1_at_field

SHAPES = [(16, 16), (15, 15), (16, 9), (1, 12), (64, 64)]


def image(shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("frac", [0.3, 0.5, 0.77])
def test_exactly_the_low_frequencies_are_kept(shape, frac):
    x = image(shape)
    spectrum = np.fft.fft2(x)
    k = [np.minimum(np.arange(n), n - np.arange(n)) for n in shape]
    kept = np.logical_and.outer(*(2 * ki <= frac * n for ki, n in zip(k, shape, strict=True)))
    found = np.fft.fft2(kspace_truncate(x, frac))
    assert np.allclose(found[kept], spectrum[kept], atol=1e-10)
    assert np.abs(found[~kept]).max(initial=0) < 1e-10


@pytest.mark.parametrize("shape", SHAPES)
def test_truncation_keeps_the_mean_adds_no_energy_and_is_idempotent(shape):
    x = image(shape)
    once = kspace_truncate(x, 0.5)
    assert once.mean() == pytest.approx(x.mean(), abs=1e-12)
    assert (once**2).sum() <= (x**2).sum() + 1e-12
    assert np.allclose(kspace_truncate(once, 0.5), once, atol=1e-12)
    assert np.allclose(kspace_truncate(x, 1.0), x, atol=1e-12)


def test_a_slow_wave_passes_and_a_fast_one_does_not():
    n = np.arange(64)
    slow, fast = (np.cos(2 * np.pi * k * n / 64)[None] * np.ones((64, 1)) for k in (15, 17))
    assert np.allclose(kspace_truncate(slow, 0.5), slow, atol=1e-12)
    assert np.abs(kspace_truncate(fast, 0.5)).max() < 1e-12


def test_both_axes_are_truncated():
    x = image((32, 32))
    found = np.fft.fft2(kspace_truncate(x, 0.5))
    assert np.abs(found[16]).max() < 1e-12 and np.abs(found[:, 16]).max() < 1e-12


def test_images_of_a_stack_do_not_mix():
    x = image((4, 3, 16, 16))
    found = kspace_truncate(x, 0.4)
    assert found.shape == x.shape
    assert np.allclose(found[2, 1], kspace_truncate(x[2, 1], 0.4), atol=1e-14)


@pytest.mark.parametrize("frac", [0, -0.5, 1.01, np.nan])
def test_an_impossible_share_of_kspace_is_refused(frac):
    with pytest.raises(ValueError, match="frac"):
        kspace_truncate(np.zeros((8, 8)), frac)


def test_background_has_the_moments_of_a_rayleigh_distribution():
    n, sigma = 200_000, 0.03
    found = rician(np.zeros(n), sigma, np.random.default_rng(1)) / sigma
    assert found.min() >= 0
    sd = np.sqrt(2 - np.pi / 2)
    assert abs(found.mean() - np.sqrt(np.pi / 2)) < 5 * sd / np.sqrt(n)
    assert found.std() == pytest.approx(sd, rel=0.01)


@pytest.mark.parametrize("signal", [0.0, 0.02, 0.1, 0.8])
def test_the_second_moment_is_signal_squared_plus_twice_the_variance(signal):
    n, sigma = 200_000, 0.05
    square = rician(np.full(n, signal), sigma, np.random.default_rng(2)) ** 2
    error = square.mean() - (signal**2 + 2 * sigma**2)
    assert abs(error) < 5 * square.std() / np.sqrt(n)


def test_noise_of_a_bright_image_is_nearly_gaussian_with_the_given_sigma():
    found = rician(np.full(100_000, 1.0), 0.02, np.random.default_rng(3))
    assert found.std() == pytest.approx(0.02, rel=0.02)


def test_noise_follows_the_generator_and_no_noise_changes_nothing():
    x = image((8, 8))
    one, again, other = (rician(x, 0.1, np.random.default_rng(s)) for s in (4, 4, 5))
    assert (one == again).all() and not (one == other).any()
    assert (rician(x, 0.0, np.random.default_rng(0)) == x).all()


@pytest.mark.parametrize("sigma", [-0.1, np.nan])
def test_an_impossible_noise_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma"):
        rician(np.zeros(3), sigma, np.random.default_rng(0))


def test_low_field_is_field_then_kspace_then_noise():
    maps = np.random.default_rng(6).uniform(0.2, 1, (4, 32, 32))
    pd, A, C, t2 = maps
    signal = spin_echo(pd, t1_at_field(A, C, 0.1), t2, 0.6, 0.02)
    expected = rician(kspace_truncate(signal, 0.5), 0.04, np.random.default_rng(7))
    found = to_low_field(
        pd, A, C, t2, np.random.default_rng(7), B0=0.1, tr=0.6, te=0.02, frac=0.5, sigma=0.04
    )
    assert np.array_equal(found, expected)

"""Thinned counts and the scanner's blur."""

import numpy as np
import pytest

from reference_impl.gan_synthesis.pet import gaussian_psf, thin_counts

N = 200_000


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_thinned_poisson_counts_are_poisson(p):
    rng = np.random.default_rng(0)
    thin = thin_counts(rng.poisson(20, N), p, rng)
    mean = 20 * p
    assert abs(thin.mean() - mean) < 5 * np.sqrt(mean / N)
    # The variance of a sample variance of Poisson counts is (m + 2 m^2) / N.
    assert abs(thin.var() - mean) < 5 * np.sqrt((mean + 2 * mean**2) / N)
    assert (thin == 0).mean() == pytest.approx(np.exp(-mean), abs=5 * np.sqrt(0.25 / N))


def test_what_is_kept_is_independent_of_what_is_not():
    rng = np.random.default_rng(1)
    full = rng.poisson(20, N)
    thin = thin_counts(full, 0.3, rng)
    assert abs(np.corrcoef(thin, full - thin)[0, 1]) < 5 / np.sqrt(N)


def test_counts_stay_counts_and_never_grow():
    rng = np.random.default_rng(2)
    full = rng.poisson(3, (5, 6, 7)).astype(np.uint16)
    thin = thin_counts(full, 0.5, rng)
    assert thin.dtype == np.int64 and thin.shape == full.shape
    assert (thin >= 0).all() and (thin <= full).all()


def test_no_dose_and_full_dose():
    full = np.arange(10)
    assert (thin_counts(full, 0, np.random.default_rng(0)) == 0).all()
    assert (thin_counts(full, 1, np.random.default_rng(0)) == full).all()


def test_the_generator_decides():
    full = np.full(100, 50)
    one, again, other = (thin_counts(full, 0.5, np.random.default_rng(s)) for s in (3, 3, 4))
    assert (one == again).all() and (one != other).any()


@pytest.mark.parametrize(
    ("counts", "p", "what"),
    [([1.0, 2.0], 0.5, "integer"), ([-1], 0.5, "negative"), ([1], 1.1, "p"), ([1], np.nan, "p")],
)
def test_what_is_no_count_or_share_is_refused(counts, p, what):
    with pytest.raises(ValueError, match=what):
        thin_counts(counts, p, np.random.default_rng(0))


def half_maximum_width(profile):
    """Full width at half maximum of a peak, by linear interpolation, in samples."""
    half, peak = profile.max() / 2, profile.argmax()
    right = peak + np.argmax(profile[peak:] < half)
    left = peak - np.argmax(profile[peak::-1] < half)
    ends = []
    for out, inside in ((left, left + 1), (right, right - 1)):
        share = (half - profile[out]) / (profile[inside] - profile[out])
        ends.append(out + share * (inside - out))
    return ends[1] - ends[0]


@pytest.mark.parametrize(("fwhm", "voxel"), [(24.0, 1.0), (24.0, 2.0), (12.5, 0.5)])
def test_a_point_is_blurred_to_the_stated_width_in_millimetres(fwhm, voxel):
    point = np.zeros((129, 129))
    point[64, 64] = 1
    blurred = gaussian_psf(point, fwhm, voxel)
    for profile in (blurred[64], blurred[:, 64]):
        assert half_maximum_width(profile) * voxel == pytest.approx(fwhm, rel=0.01)


def test_each_axis_may_have_its_own_width():
    point = np.zeros((129, 129))
    point[64, 64] = 1
    blurred = gaussian_psf(point, (24.0, 12.0), (2.0, 1.0))
    assert half_maximum_width(blurred[:, 64]) == pytest.approx(12, rel=0.01)
    assert half_maximum_width(blurred[64]) == pytest.approx(12, rel=0.01)


def test_the_sum_is_conserved_even_at_the_border():
    rng = np.random.default_rng(5)
    images = rng.uniform(0, 1, (3, 20, 31))
    found = gaussian_psf(images, 9.0, 2.0)
    assert found.shape == images.shape
    assert np.allclose(found.sum(axis=(1, 2)), images.sum(axis=(1, 2)), rtol=1e-12)
    assert np.allclose(found[1], gaussian_psf(images[1], 9.0, 2.0))


def test_no_width_changes_nothing_and_impossible_widths_are_refused():
    x = np.random.default_rng(6).uniform(0, 1, (8, 8))
    assert np.allclose(gaussian_psf(x, 0, 2.0), x)
    for fwhm, voxel in ((-1, 2), (5, 0), (np.nan, 2)):
        with pytest.raises(ValueError, match="fwhm_mm"):
            gaussian_psf(x, fwhm, voxel)

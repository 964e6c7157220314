"""PSNR, SSIM and NRMSE against scikit-image, closed forms and edge cases."""

import numpy as np
import pytest
from skimage import metrics as oracle

from reference_impl.gan_synthesis.metrics import nrmse, psnr, ssim


def pair(seed=0, shape=(5, 24, 31), dtype=np.float64):
    rng = np.random.default_rng(seed)
    t = rng.uniform(0, 1, shape)
    return (t + 0.1 * rng.standard_normal(shape)).astype(dtype), t.astype(dtype)


@pytest.mark.parametrize("data_range", [0.5, 1.0, 2.0, 255.0])
@pytest.mark.parametrize("shape", [(5, 24, 31), (3, 7, 7), (2, 8, 40)])
def test_psnr_and_ssim_of_each_image_equal_scikit_image(data_range, shape):
    p, t = pair(1, shape)
    for i in range(len(t)):
        expected = oracle.peak_signal_noise_ratio(t[i], p[i], data_range=data_range)
        assert psnr(p, t, data_range)[i] == pytest.approx(expected, abs=1e-10)
        expected = oracle.structural_similarity(t[i], p[i], data_range=data_range)
        assert ssim(p, t, data_range)[i] == pytest.approx(expected, abs=1e-10)
        expected = oracle.normalized_root_mse(t[i], p[i])
        assert nrmse(p, t)[i] == pytest.approx(expected, abs=1e-10)


def test_ssim_of_single_precision_images_is_computed_in_double():
    p, t = pair(2, dtype=np.float32)
    assert np.array_equal(ssim(p, t, 1.0), ssim(p.astype(float), t.astype(float), 1.0))


def test_a_constant_error_of_a_tenth_is_20_db():
    t = np.random.default_rng(3).uniform(0, 1, (9, 9))
    assert psnr(t + 0.1, t, 1.0) == pytest.approx(20)
    assert psnr(t + 0.1, t, 2.0) == pytest.approx(20 + 20 * np.log10(2))


def test_equal_images():
    t = np.random.default_rng(4).uniform(0, 1, (2, 9, 9))
    assert (psnr(t, t, 1.0) == np.inf).all()
    assert np.allclose(ssim(t, t, 1.0), 1, atol=1e-12)
    assert (nrmse(t, t) == 0).all()


def test_constant_images_have_a_ssim_of_their_means_alone():
    p, t = np.full((9, 9), 0.3), np.full((9, 9), 0.5)
    expected = (2 * 0.3 * 0.5 + 1e-4) / (0.3**2 + 0.5**2 + 1e-4)
    assert ssim(p, t, 1.0) == pytest.approx(expected, abs=1e-10)


def test_no_metric_rescales_an_image_by_itself():
    p, t = pair(5)
    for metric in (psnr, ssim):
        assert not np.isclose(metric(2 * p, t, 1.0), metric(p, t, 1.0)).any()
        assert not np.isclose(metric(p + 0.2, t, 1.0), metric(p, t, 1.0)).any()
    assert not np.isclose(nrmse(2 * p, t), nrmse(p, t)).any()


def test_scaling_images_and_range_together_changes_nothing():
    p, t = pair(6)
    for metric in (psnr, ssim):
        assert np.allclose(metric(7 * p, 7 * t, 7.0), metric(p, t, 1.0))
    assert np.allclose(nrmse(7 * p, 7 * t), nrmse(p, t))


def test_an_images_value_does_not_depend_on_its_neighbours():
    p, t = pair(7)
    for found in (psnr(p, t, 1.0), ssim(p, t, 1.0), nrmse(p, t)):
        assert found.shape == (5,)
    assert ssim(p[None], t[None], 1.0).shape == (1, 5)
    assert ssim(p[3], t[3], 1.0) == ssim(p, t, 1.0)[3]
    assert psnr(p[3], t[3], 1.0) == psnr(p, t, 1.0)[3]


def test_a_full_mask_is_no_mask():
    p, t = pair(8)
    everything = np.ones(t.shape[-2:], bool)
    assert np.array_equal(psnr(p, t, 1.0, everything), psnr(p, t, 1.0))
    assert np.array_equal(ssim(p, t, 1.0, everything), ssim(p, t, 1.0))
    assert np.array_equal(nrmse(p, t, everything), nrmse(p, t))


def test_masked_psnr_and_nrmse_look_at_the_mask_alone():
    p, t = pair(9)
    mask = np.random.default_rng(9).random(t.shape) < 0.3
    for i in range(len(t)):
        a, b = p[i][mask[i]], t[i][mask[i]]
        assert psnr(p, t, 1.0, mask)[i] == pytest.approx(-10 * np.log10(((a - b) ** 2).mean()))
        assert nrmse(p, t, mask)[i] == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b))
    outside = np.where(mask, p, np.nan)
    assert np.array_equal(psnr(outside, t, 1.0, mask), psnr(p, t, 1.0, mask))


def test_masked_ssim_is_the_mean_over_windows_whose_centre_is_in_the_mask():
    p, t = pair(10)
    mask = np.random.default_rng(10).random(t.shape) < 0.3
    for i in range(len(t)):
        _, whole = oracle.structural_similarity(t[i], p[i], data_range=1.0, full=True)
        expected = whole[3:-3, 3:-3][mask[i, 3:-3, 3:-3]].mean()
        assert ssim(p, t, 1.0, mask)[i] == pytest.approx(expected, abs=1e-10)


def test_where_no_pixel_counts_there_is_no_value():
    p, t = pair(11, (9, 9))
    nothing, rim = np.zeros((9, 9), bool), np.ones((9, 9), bool)
    rim[3:-3, 3:-3] = False
    assert np.isnan(psnr(p, t, 1.0, nothing)) and np.isnan(nrmse(p, t, nothing))
    assert np.isnan(ssim(p, t, 1.0, rim)) and np.isfinite(psnr(p, t, 1.0, rim))


def test_nrmse_of_an_empty_truth():
    zero = np.zeros((8, 8))
    assert np.isnan(nrmse(zero, zero)) and nrmse(zero + 1, zero) == np.inf


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_the_range_must_be_given_and_positive(metric):
    p, t = pair(12)
    with pytest.raises(TypeError):
        metric(p, t)
    for data_range in (0, -1, np.nan):
        with pytest.raises(ValueError, match="data_range"):
            metric(p, t, data_range)


def test_shapes_that_do_not_fit_are_refused():
    p, t = pair(13)
    for metric in (lambda *a: psnr(*a, 1.0), lambda *a: ssim(*a, 1.0), nrmse):
        with pytest.raises(ValueError, match="one shape"):
            metric(p[:1], t)
    with pytest.raises(ValueError, match="mask"):
        psnr(p, t, 1.0, np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="7 x 7"):
        ssim(p[:, :6], t[:, :6], 1.0)

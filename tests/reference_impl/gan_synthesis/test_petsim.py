"""The PET simulator: uptake, and counts that are Poisson."""

import numpy as np

from reference_impl.gan_synthesis import headsim, petsim


def test_grey_matter_takes_up_four_times_as_much_as_white():
    uptake = petsim.draw_uptake(2000, np.random.default_rng(0))
    assert uptake.shape == (2000, 8) and (uptake[:, headsim.AIR] == 0).all()
    ratio = np.median(uptake[:, headsim.GREY] / uptake[:, headsim.WHITE])
    assert 3.8 < ratio < 4.2
    assert (uptake[:, headsim.CSF] < uptake[:, headsim.WHITE]).all()


def test_counts_are_poisson():
    n = 100_000
    counts = petsim.scan(np.full(n, 0.2), np.random.default_rng(1))
    assert counts.dtype == np.int64
    assert abs(counts.mean() - 20) < 5 * np.sqrt(20 / n)
    assert abs(counts.var() / counts.mean() - 1) < 5 * np.sqrt(2 / n)


def test_the_dose_scales_the_mean_and_air_gives_nothing():
    activity = np.array([[0.0, 1.0]]) * np.ones((50_000, 1))
    counts = petsim.scan(activity, np.random.default_rng(2), counts_per_unit=10)
    assert (counts[:, 0] == 0).all() and abs(counts[:, 1].mean() - 10) < 0.1


def test_the_generator_decides():
    for draw in (
        lambda rng: petsim.draw_uptake(5, rng),
        lambda rng: petsim.scan(np.full(50, 3.0), rng),
    ):
        one, again, other = (draw(np.random.default_rng(s)) for s in (3, 3, 4))
        assert np.array_equal(one, again) and not np.array_equal(one, other)

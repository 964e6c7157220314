"""Spin-echo contrast: limits, orderings and units."""

import numpy as np
import pytest

from reference_impl.gan_synthesis.headsim import CSF, GREY, TISSUES, WHITE
from reference_impl.gan_synthesis.physics import spin_echo, t1_at_field

SEEN = [WHITE, GREY, CSF]
PD, A, C, T2 = TISSUES[SEEN].T


def test_long_tr_and_no_te_leave_the_proton_density():
    assert spin_echo(0.7, 0.9, 0.1, 1e6, 0.0) == pytest.approx(0.7, abs=1e-15)


def test_no_tr_or_a_long_te_leave_nothing():
    assert spin_echo(0.7, 0.9, 0.1, 0.0, 0.01) == 0
    assert spin_echo(0.7, 0.9, 0.1, 0.5, 100.0) < 1e-300


def test_one_relaxation_time_of_each_by_hand():
    expected = 0.5 * (1 - np.exp(-1)) * np.exp(-1)
    assert spin_echo(0.5, 0.8, 0.1, 0.8, 0.1) == pytest.approx(expected, rel=1e-14)


def test_a_short_tr_loses_no_digits():
    assert spin_echo(1.0, 1.0, 1.0, 1e-12, 0.0) == pytest.approx(1e-12, rel=1e-11)


def test_white_matter_is_brightest_on_t1_and_liquor_on_t2_weighted_images():
    t1 = t1_at_field(A, C, 1.5)
    assert (np.diff(spin_echo(PD, t1, T2, 0.5, 0.012)) < 0).all()
    assert (np.diff(spin_echo(PD, t1, T2, 4.0, 0.1)) > 0).all()


def test_t1_grows_with_the_field_where_the_exponent_is_positive():
    t1 = t1_at_field(A[:, None], C[:, None], [0.064, 1.5, 3.0])
    assert t1.shape == (3, 3)
    assert (np.diff(t1[:2], axis=1) > 0).all() and (t1[2] == 4.2).all()


def test_a_is_the_t1_at_one_tesla():
    assert t1_at_field(0.583, 0.382, 1.0) == 0.583


def test_milliseconds_passed_by_mistake_saturate_everything():
    assert spin_echo(0.7, 0.7, 0.1, 500, 0.0) == pytest.approx(0.7)
    assert spin_echo(0.7, 0.7, 0.1, 0.5, 0.0) < 0.4


def test_maps_and_scalars_broadcast():
    maps = np.random.default_rng(0).uniform(0.1, 1, (3, 5, 4))
    found = spin_echo(*maps, 0.5, 0.012)
    assert found.shape == (5, 4) and found.dtype == np.float64
    assert found[2, 3] == spin_echo(*maps[:, 2, 3], 0.5, 0.012)
    assert spin_echo(maps[0], maps[1], maps[2], np.ones((7, 1, 1)), 0.012).shape == (7, 5, 4)


@pytest.mark.parametrize("B0", [0, -1.5, [1.5, 0.0], np.nan])
def test_a_field_that_is_not_positive_is_refused(B0):
    with pytest.raises(ValueError, match="tesla"):
        t1_at_field(0.5, 0.3, B0)


@pytest.mark.parametrize(
    ("times", "what"),
    [((0, 0.1, 0.5, 0.01), "t1"), ((1, 0, 0.5, 0.01), "t2"), ((1, 0.1, -1, 0.01), "negative")],
)
def test_impossible_times_are_refused(times, what):
    with pytest.raises(ValueError, match=what):
        spin_echo(1.0, *times)

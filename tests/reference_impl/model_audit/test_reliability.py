"""Calibration against scikit-learn, loops and planted temperatures."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from reference_impl.model_audit import reliability


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def test_bins_of_equal_width_are_those_of_scikit_learn(rng):
    p = rng.random(500)
    y = (rng.random(500) < p).astype(int)
    happened, predicted = calibration_curve(y, p, n_bins=10)
    share = np.bincount(reliability.bin_numbers(p, 10, "width"), minlength=10) / 500
    expected = share[share > 0] @ np.abs(happened - predicted)
    assert reliability.ece(y, p) == pytest.approx(expected)


def test_both_ends_have_a_bin_and_equal_values_share_one():
    assert reliability.bin_numbers([0, 0.1, 0.95, 1], 10, "width").tolist() == [0, 1, 9, 9]
    mass = reliability.bin_numbers([0.2] * 5 + [0.9] * 5, 2, "mass")
    assert set(mass[:5]) == {0} and set(mass[5:]) == {1}
    assert set(reliability.bin_numbers([1.0] * 4, 10, "mass")) == {9}


@pytest.mark.parametrize("wrong", [([1.1], "width"), ([np.nan], "width"), ([0.5], "log")])
def test_what_is_no_probability_or_strategy_is_refused(wrong):
    with pytest.raises(ValueError):
        reliability.bin_numbers(wrong[0], 10, wrong[1])


def test_parts_of_the_brier_score_add_up_and_are_exact_for_forecasts_of_few_values(rng):
    p = rng.choice([0.05, 0.35, 0.95], 600)
    y = (rng.random(600) < p).astype(int)
    parts = reliability.brier_decomposition(y, p)
    assert parts["within"] == pytest.approx(0, abs=1e-12)
    assert parts["resolution"] > 0.1 > 0.01 > parts["reliability"]
    rough = reliability.brier_decomposition(y, rng.random(600))
    total = rough["reliability"] - rough["resolution"] + rough["uncertainty"] + rough["within"]
    assert total == pytest.approx(rough["brier"])


def test_planted_temperatures_are_recovered(rng):
    for planted in (0.5, 1.0, 2.5):
        z = rng.normal(0, 1.5, 50_000)
        y = rng.random(50_000) < 1 / (1 + np.exp(-z))
        found = reliability.fit_temperature(planted * z, y)
        assert found == pytest.approx(planted, rel=0.05)
        assert reliability.nll(planted * z, y, found) <= reliability.nll(planted * z, y)


def test_temperature_has_its_closed_form_where_all_logits_agree():
    assert reliability.fit_temperature([2.0] * 4, [1, 1, 1, 0]) == pytest.approx(
        2 / np.log(3), 1e-4
    )


def test_chance_alone_gives_what_a_loop_over_drawn_labels_gives(rng):
    for size in (89, 410):
        p = rng.beta(1, 3, size)
        loop = [reliability.ece(rng.random(size) < p, p) for _ in range(600)]
        assert reliability.ece_null(p).mean() == pytest.approx(np.mean(loop), rel=0.06)


def test_ece_by_chance_grows_as_groups_of_the_real_cohort_shrink():
    from reference_impl.model_audit import hidden

    data, _ = hidden.evaluation()
    p = [data.p[data.groups["race"] == name] for name in ("white", "black", "hispanic")]
    assert [len(group) for group in p] == [2164, 416, 86]
    means = [reliability.ece_null(group, B=300).mean() for group in p]
    assert means == pytest.approx([0.019, 0.042, 0.087], rel=0.08)

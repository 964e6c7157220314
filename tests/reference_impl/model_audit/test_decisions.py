"""Net benefit by counting, and prevalence by Bayes' theorem."""

import numpy as np
import pytest

from reference_impl.model_audit import decisions


def test_net_benefit_is_a_count_of_true_and_false_positives():
    y, p = np.array([1, 0, 0, 0]), np.array([0.9, 0.8, 0.2, 0.1])
    got = decisions.net_benefit(y, p, [0.0, 0.2, 0.5, 0.95])
    assert got == pytest.approx([0.25, 0.25 - 0.5 * 0.25, 0.0, 0.0])
    assert decisions.net_benefit(y, np.ones(4), 0.2) == pytest.approx(0.25 - 0.75 * 0.25)


def test_log_odds_move_by_the_difference_of_the_prevalences():
    p = np.linspace(0.01, 0.99, 9)
    moved = decisions.recalibrate_prevalence(p, 0.26, 0.08)
    offset = np.log(moved / (1 - moved)) - np.log(p / (1 - p))
    assert offset == pytest.approx(np.full(9, np.log(0.08 / 0.92) - np.log(0.26 / 0.74)))
    assert decisions.recalibrate_prevalence([0, 1], 0.3, 0.05).tolist() == [0, 1]


@pytest.mark.parametrize("t", [1.0, -0.1])
def test_an_impossible_threshold_is_refused(t):
    with pytest.raises(ValueError, match="threshold"):
        decisions.net_benefit([1], [0.5], t)


@pytest.mark.parametrize("pair", [(0, 0.5), (0.5, 1)])
def test_an_impossible_prevalence_is_refused(pair):
    with pytest.raises(ValueError, match="prevalence"):
        decisions.recalibrate_prevalence(0.5, *pair)

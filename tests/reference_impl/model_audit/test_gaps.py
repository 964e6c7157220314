"""Gaps, odds and permutations against formulas, brute force and what a p-value means."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from reference_impl.model_audit import gaps, hidden


def report(rows):
    return pd.DataFrame(rows, columns=["group", "status", "tpr", "tpr_lo", "tpr_hi"])


def test_interval_of_a_difference_is_newcombes_example():
    # Newcombe (1998), table II, contrast (a): 56/70 and 48/80, Wilson limits; method 10.
    def wilson(r, n, z=1.959964):
        centre, half = 2 * r + z * z, z * np.sqrt(z * z + 4 * r * (1 - r / n))
        return (centre - half) / (2 * (n + z * z)), (centre + half) / (2 * (n + z * z))

    rows = [("a", "ok", 56 / 70, *wilson(56, 70)), ("b", "ok", 48 / 80, *wilson(48, 80))]
    found = gaps.gap(report(rows), "tpr")
    assert (round(found["lo"], 4), round(found["hi"], 4)) == (0.0524, 0.3339)
    assert found["claim"] and (found["high"], found["low"]) == ("a", "b")


def test_groups_without_a_value_take_no_part():
    rows = [("a", "ok", 0.5, 0.4, 0.6), ("b", "insufficient", 0.9, 0.8, 1.0)]
    rows.append(("c", "ok", np.nan, np.nan, np.nan))
    found = gaps.gap(report(rows), "tpr")
    assert found["high"] is None and not found["claim"] and np.isnan(found["gap"])


def test_equalised_odds_is_the_worst_of_all_pairs_and_both_rates():
    rng = np.random.default_rng(3)
    for count in (2, 4):
        y, flagged, g = rng.integers(2, size=(2, 200)), None, rng.integers(count, size=200)
        y, flagged = y
        rates = [[flagged[(g == k) & (y == v)].mean() for k in range(count)] for v in (0, 1)]
        worst = max(abs(a - b) for pair in rates for a, b in itertools.combinations(pair, 2))
        assert gaps.equalised_odds_difference(y, flagged, g) == pytest.approx(worst, abs=1e-12)


def test_p_is_that_of_all_permutations():
    flagged, names = np.array([1, 1, 1, 0, 1, 0, 0, 0]), np.array(list("aaaabbbb"))
    seen = abs(flagged[:4].mean() - flagged[4:].mean())
    sets = [list(s) for s in itertools.combinations(range(8), 4)]
    others = [[k for k in range(8) if k not in s] for s in sets]
    ranges = [abs(flagged[s].mean() - flagged[o].mean()) for s, o in zip(sets, others, strict=True)]
    exact = np.mean(np.array(ranges) >= seen - 1e-12)
    p = gaps.permutation_p(np.ones(8), flagged, names, B=4000)
    assert p == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 4000))


def test_p_is_uniform_without_a_gap_though_prevalences_differ():
    rng, found = np.random.default_rng(8), []
    for number in range(hidden.NULL_SIMULATIONS):
        g = rng.choice(3, 360, p=[0.25, 0.35, 0.4])
        y = (rng.random(360) < np.array([0.6, 0.4, 0.25])[g]).astype(int)
        flagged = rng.random(360) < np.where(y == 1, 0.6, 0.15)
        found.append(gaps.permutation_p(y, flagged, g, B=59, seed=number))
    assert kstest(found, "uniform").statistic < hidden.KS_MOST.reveal()


def test_an_unknown_metric_is_refused_by_name():
    with pytest.raises(ValueError, match="fairness"):
        gaps.permutation_p([1], [1], ["a"], "fairness")

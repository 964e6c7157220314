"""The cluster bootstrap: its definition, and that it knows about clusters."""

import math

import numpy as np
import pytest

from reference_impl.cnn_imaging.bootstrap import bootstrap_ci
from reference_impl.cnn_imaging.metrics import roc_auc


def mean_score(y, s):
    return s.mean()


def clustered(n_patients, views, seed, within=0.0):
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), views)
    s = rng.normal(size=n_patients)[patient] + within * rng.normal(size=len(patient))
    return np.zeros(len(patient), int), s, patient


def test_the_interval_is_of_the_quantiles_of_resampled_patients():
    y, s, patient = clustered(7, 3, 0)
    seen = []

    def record(labels, scores):
        seen.append(scores.mean())
        return scores.mean()

    estimate, low, high = bootstrap_ci(y, s, patient, record, B=200, alpha=0.1, seed=3)
    assert len(seen) == 201
    assert estimate == seen[0] == s.mean()
    assert (low, high) == pytest.approx(np.quantile(seen[1:], [0.05, 0.95]))


def test_patients_are_drawn_whole_and_as_many_as_there_are():
    patient = np.repeat(["a", "b", "c", "d"], [1, 2, 3, 4])
    sizes = {"a": 1, "b": 2, "c": 3, "d": 4}

    def check(labels, scores):
        names, counts = np.unique(labels, return_counts=True)
        times = [count / sizes[name] for name, count in zip(names, counts, strict=True)]
        assert all(time == int(time) for time in times)
        assert sum(times) == 4
        return 0.0

    bootstrap_ci(patient, np.zeros(10), patient, check, B=100)


def test_the_standard_error_is_that_of_patients_not_of_images():
    y, s, patient = clustered(200, 8, 1, within=0.1)
    _, low, high = bootstrap_ci(y, s, patient, mean_score, B=1500, alpha=0.3173, seed=0)
    by_patient = s.reshape(200, 8).mean(1).std() / math.sqrt(200)
    assert (high - low) / 2 == pytest.approx(by_patient, rel=0.1)
    _, low, high = bootstrap_ci(y, s, np.arange(1600), mean_score, B=1500, alpha=0.3173, seed=0)
    assert (high - low) / 2 == pytest.approx(by_patient / math.sqrt(8), rel=0.15)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for seed in range(120):
        y, s, patient = clustered(40, 4, seed, within=0.5)
        _, low, high = bootstrap_ci(y, s, patient, mean_score, B=200, seed=seed)
        covered += low <= 0 <= high
    assert 0.86 <= covered / 120 <= 0.99


def test_the_order_of_rows_does_not_matter_and_the_seed_does():
    y, s, patient = clustered(30, 3, 2, within=1.0)
    order = np.random.default_rng(0).permutation(90)
    first = bootstrap_ci(y, s, patient, mean_score, B=50, seed=1)
    assert first == bootstrap_ci(y, s, patient, mean_score, B=50, seed=1)
    assert first == pytest.approx(
        bootstrap_ci(y[order], s[order], patient[order], mean_score, B=50, seed=1)
    )
    assert first != bootstrap_ci(y, s, patient, mean_score, B=50, seed=2)


def test_resamples_without_a_statistic_are_left_out():
    y, s = np.array([1, 0, 0, 0]), np.array([0.9, 0.1, 0.95, 0.3])
    estimate, low, high = bootstrap_ci(y, s, np.arange(4), roc_auc, B=200)
    assert estimate == pytest.approx(2 / 3)
    assert 0 <= low <= high <= 1


def test_without_two_patients_or_any_statistic_there_is_no_interval():
    y, s = np.array([0, 1, 1]), np.array([0.1, 0.7, 0.6])
    estimate, low, high = bootstrap_ci(y, s, ["p", "p", "p"], roc_auc)
    assert estimate == 1
    assert math.isnan(low)
    assert math.isnan(high)
    none = bootstrap_ci(np.ones(3, int), s, [1, 2, 3], roc_auc, B=20)
    assert all(math.isnan(value) for value in none)

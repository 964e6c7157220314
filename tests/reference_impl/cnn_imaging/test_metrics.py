"""Metrics against scikit-learn and brute force."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from reference_impl.cnn_imaging.metrics import (
    average_precision,
    binary_metrics,
    choose_threshold,
    confusion,
    ppv_at_prevalence,
    roc_auc,
)

labelled = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
        st.lists(st.integers(-3, 3).map(lambda k: k / 4), min_size=n, max_size=n),
    )
)


@given(labelled)
@settings(max_examples=60, deadline=None)
def test_counts_and_rates_equal_scikit_learn(drawn):
    y, s = drawn
    yhat = (np.array(s) >= 0).astype(int)
    assert np.array_equal(confusion(y, yhat), sk.confusion_matrix(y, yhat, labels=[0, 1]))
    rates = binary_metrics(y, yhat)
    expected = {
        "accuracy": sk.accuracy_score(y, yhat),
        "sensitivity": sk.recall_score(y, yhat, zero_division=math.nan),
        "specificity": sk.recall_score(y, yhat, pos_label=0, zero_division=math.nan),
        "ppv": sk.precision_score(y, yhat, zero_division=math.nan),
        "npv": sk.precision_score(y, yhat, pos_label=0, zero_division=math.nan),
        "f1": sk.f1_score(y, yhat, zero_division=math.nan),
    }
    expected["balanced_accuracy"] = (expected["sensitivity"] + expected["specificity"]) / 2
    assert rates == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_the_confusion_matrix_has_the_truth_in_its_rows():
    assert confusion([0, 0, 0, 1, 1], [0, 1, 1, 1, 0]).tolist() == [[1, 2], [1, 1]]


@given(labelled)
@settings(max_examples=60, deadline=None)
def test_auc_is_the_share_of_pairs_in_the_right_order(drawn):
    y, s = map(np.array, drawn)
    pairs = s[y == 1][:, None] - s[y == 0][None, :]
    if not pairs.size:
        assert math.isnan(roc_auc(y, s))
        return
    assert roc_auc(y, s) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean(), abs=1e-12)
    assert roc_auc(y, s) == pytest.approx(sk.roc_auc_score(y, s), abs=1e-12)


@given(labelled)
@settings(max_examples=60, deadline=None)
def test_average_precision_equals_scikit_learn(drawn):
    y, s = drawn
    if not any(y):
        assert math.isnan(average_precision(y, s))
        return
    assert average_precision(y, s) == pytest.approx(sk.average_precision_score(y, s), abs=1e-12)


def test_auc_survives_monotone_maps_and_is_mirrored_by_negation():
    rng = np.random.default_rng(0)
    y, s = rng.integers(0, 2, 300), rng.normal(size=300).round(1)
    auc = roc_auc(y, s)
    assert roc_auc(y, np.exp(3 * s) - 7) == pytest.approx(auc, abs=1e-12)
    assert roc_auc(y, -s) == pytest.approx(1 - auc, abs=1e-12)
    assert roc_auc(1 - y, s) == pytest.approx(1 - auc, abs=1e-12)
    assert roc_auc(y, np.zeros(300)) == 0.5


@given(labelled, st.sampled_from([0.0, 0.3, 0.5, 0.8, 0.9, 1.0]))
@settings(max_examples=60, deadline=None)
def test_the_threshold_is_the_best_of_all_scores_by_brute_force(drawn, wanted):
    y, s = map(np.array, drawn)
    if not y.any():
        assert math.isnan(choose_threshold(y, s, wanted))
        return
    feasible = [t for t in np.unique(s) if (s[y == 1] >= t).mean() >= wanted]
    best = max(feasible, key=lambda t: ((s[y == 0] < t).mean() if (y == 0).any() else 0, t))
    assert choose_threshold(y, s, wanted) == best


def test_a_threshold_is_met_by_equality():
    y, s = [0, 0, 1, 1, 1, 1], [0.1, 0.4, 0.4, 0.6, 0.8, 0.9]
    assert choose_threshold(y, s, 0.75) == 0.6
    assert choose_threshold(y, s, 1.0) == 0.4


def test_ppv_is_bayes_theorem():
    assert ppv_at_prevalence(0.9, 0.8, 0.02) == pytest.approx(0.018 / (0.018 + 0.196))
    assert ppv_at_prevalence(0.9, 0.8, 0.0) == 0
    assert ppv_at_prevalence(0.9, 0.8, 1.0) == 1
    assert math.isnan(ppv_at_prevalence(0.0, 1.0, 0.3))


def test_ppv_agrees_with_counts_at_their_own_prevalence():
    rng = np.random.default_rng(1)
    y, yhat = rng.integers(0, 2, 500), rng.integers(0, 2, 500)
    rates = binary_metrics(y, yhat)
    ppv = ppv_at_prevalence(rates["sensitivity"], rates["specificity"], y.mean())
    assert ppv == pytest.approx(rates["ppv"], abs=1e-12)


@pytest.mark.parametrize("as_type", [bool, np.int8, np.int64, float])
def test_labels_may_be_of_any_dtype(as_type):
    y = np.array([0, 1, 1, 0]).astype(as_type)
    assert roc_auc(y, [0.1, 0.9, 0.4, 0.5]) == 0.75
    assert confusion(y, y).tolist() == [[2, 0], [0, 2]]


def test_nothing_warns_about_divisions_by_zero():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(binary_metrics([0, 0], [0, 0])["sensitivity"])
        assert math.isnan(roc_auc([1, 1], [0.2, 0.3]))


@pytest.mark.parametrize(
    ("y", "s"),
    [([0, 2], [0.1, 0.2]), ([0, 1], [0.1]), ([0, 1], [0.1, math.nan]), ([[0], [1]], [0, 1])],
)
def test_inputs_that_mean_nothing_are_refused(y, s):
    for metric in (roc_auc, average_precision):
        with pytest.raises(ValueError, match=r"score|labels"):
            metric(y, s)

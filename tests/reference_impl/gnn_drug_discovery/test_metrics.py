"""Metrics agree with scikit-learn, SciPy and brute force, ties and missing labels included."""

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as oracle

from reference_impl.gnn_drug_discovery.metrics import (
    Standardiser,
    capped_error,
    concordance_index,
    mae,
    multitask_auc,
    r2,
    rmse,
    spearman,
)


def draws(seed=0, count=40):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = int(rng.integers(2, 60))
        levels = int(rng.integers(2, 12))  # few levels: many ties
        yield rng.integers(0, levels, n).astype(float), rng.integers(0, levels, n) + rng.random()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (rmse, oracle.root_mean_squared_error),
        (mae, oracle.mean_absolute_error),
        (r2, oracle.r2_score),
        (spearman, lambda y, p: spearmanr(y, p).statistic),
    ],
)
def test_they_are_those_of_the_libraries(ours, theirs):
    for y, p in draws():
        if np.ptp(y) and np.ptp(p):
            assert ours(y, p) == pytest.approx(theirs(y, p), abs=1e-12)


def brute_force(y, p):
    scores = [
        1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0
        for i, j in itertools.permutations(range(len(y)), 2)
        if y[i] > y[j]
    ]
    return np.mean(scores)


def test_concordance_by_brute_force():
    for y, p in draws(1):
        if np.ptp(y):
            assert concordance_index(y, p) == pytest.approx(brute_force(y, p), abs=1e-12)


def test_concordance_does_not_depend_on_how_many_rows_are_taken_at_a_time():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 9, 1300), rng.integers(0, 9, 1300)
    assert concordance_index(y, p) == pytest.approx(
        1 - concordance_index(-y.astype(float), p), abs=1e-12
    )
    positive = (y > 4).astype(int)
    assert concordance_index(positive, p) == pytest.approx(oracle.roc_auc_score(positive, p))


def test_concordance_by_hand():
    assert concordance_index([1, 2, 3], [1, 3, 2]) == pytest.approx(2 / 3)
    assert concordance_index([1, 2, 3], [7, 7, 7]) == 0.5
    assert concordance_index([1, 1, 2], [5, 0, 5]) == 0.75
    assert concordance_index([1, 2], [3, 1]) == 0


@pytest.mark.parametrize("undefined", [concordance_index, r2, spearman])
def test_what_is_not_defined_is_nan(undefined):
    assert np.isnan(undefined([2.0, 2.0], [1.0, 3.0]))
    assert np.isnan(undefined([], []))


def test_spearman_of_a_constant_prediction_is_nan():
    assert np.isnan(spearman([1, 2, 3], [4, 4, 4]))


def test_r2_is_no_squared_correlation():
    y = np.arange(5.0)
    assert r2(y, y) == 1
    assert r2(y, np.full(5, y.mean())) == 0
    assert r2(y, y + 10) < 0


@pytest.mark.parametrize("measure", [rmse, mae, r2, spearman, concordance_index])
def test_shapes_that_broadcast_and_nan_are_errors(measure):
    with pytest.raises(ValueError, match="one prediction"):
        measure([1.0, 2.0], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="one prediction"):
        measure([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="nan"):
        measure([1.0, 2.0], [1.0, np.nan])


def test_multitask_auc_is_the_mean_over_tasks_of_the_labelled_rows():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (80, 5)).astype(float)
    y[rng.random(y.shape) < [0.0, 0.2, 0.5, 0.8, 0.0]] = np.nan
    y[:, 4] = 1  # one class only
    s = rng.integers(0, 6, y.shape)
    known = [~np.isnan(y[:, task]) for task in range(4)]
    areas = [oracle.roc_auc_score(y[k, t], s[k, t]) for t, k in enumerate(known)]
    assert multitask_auc(y, s) == pytest.approx(np.mean(areas), abs=1e-12)
    rest = np.where(np.isnan(y), rng.standard_normal(y.shape) * 1e6, s)
    assert multitask_auc(y, rest) == multitask_auc(y, s)


def test_without_a_task_of_two_classes_there_is_no_auc():
    assert np.isnan(multitask_auc([[1.0, np.nan], [1.0, np.nan]], np.zeros((2, 2))))
    with pytest.raises(ValueError, match="0, 1 or nan"):
        multitask_auc([[2.0]], [[0.0]])
    with pytest.raises(ValueError, match="one score"):
        multitask_auc([[1.0]], [0.0])


def test_standardising_and_back():
    y = np.array([1.0, 4.0, 7.0])
    scale = Standardiser().fit(y)
    z = scale.transform(y)
    assert z.mean() == pytest.approx(0) and z.std() == pytest.approx(1)
    assert np.allclose(scale.inverse(z), y)
    assert np.allclose(scale.transform([4.0, 10.0]), [0.0, 6 / y.std()])


def test_missing_entries_do_not_count_and_stay_missing():
    scale = Standardiser().fit([1.0, np.nan, 3.0])
    assert (scale.mean, scale.std) == (2.0, 1.0)
    assert np.isnan(scale.transform([np.nan])).all()


def test_a_constant_target_is_only_shifted():
    assert np.allclose(Standardiser().fit([0.1] * 7).transform([0.1, 1.1]), [0.0, 1.0], atol=1e-12)


def test_a_standardiser_must_be_fitted_on_something():
    with pytest.raises(ValueError, match="fit the standardiser first"):
        Standardiser().transform([1.0])
    with pytest.raises(ValueError, match="no number"):
        Standardiser().fit([np.nan])


def test_an_error_counts_up_to_the_cap():
    assert capped_error([0.0, 0.0, 0.0], [1.0, -1.5, 9.0]) == pytest.approx(4.5 / 3)
    assert capped_error([0.0, 0.0], [1.0, 9.0], cap=1.0) == 1.0
    assert capped_error([1.0, 2.0], [1.5, 2.5]) == mae([1.0, 2.0], [1.5, 2.5])

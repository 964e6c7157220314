"""The auditor of shortcuts against SciPy, scikit-learn and definitions written out."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from reference_impl.model_audit.shortcuts import shortcut_report


def first_pixel(images):
    return np.asarray(images, float)[:, 0, 0, 0]


def images_of(values):
    return np.asarray(values, float)[:, None, None, None]


def one_edit(off, on, y, **settings):
    X = images_of(np.zeros(len(y)))
    return shortcut_report(first_pixel, X, y, {"edit": (images_of(off), images_of(on))}, **settings)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_the_interval_is_that_of_a_paired_t_test(alpha):
    rng = np.random.default_rng(0)
    off, on = rng.normal(size=(2, 30))
    found = one_edit(off, on, np.arange(30) % 2, alpha=alpha)["edits"]["edit"]
    expected = stats.ttest_rel(on, off).confidence_interval(1 - alpha)
    assert [found["lo"], found["hi"]] == pytest.approx([expected.low, expected.high])
    assert found["delta"] == pytest.approx((on - off).mean())


def test_auc_is_that_of_scikit_learn_with_ties():
    rng = np.random.default_rng(1)
    y, scores = np.arange(50) % 2, rng.integers(0, 6, 50)
    report = shortcut_report(first_pixel, images_of(scores), y, {})
    assert report["auc"] == pytest.approx(roc_auc_score(y, scores))


def test_auc_against_takes_the_worse_arrangement():
    y = np.array([0, 0, 1, 1])
    found = one_edit([0.1, 0.1, 0.2, 0.2], [0.9, 0.9, 0.8, 0.8], y)["edits"]["edit"]
    assert found["auc_against"] == 0


def test_auc_of_a_single_class_is_nan():
    assert np.isnan(one_edit([0, 0], [1, 1], np.ones(2))["auc"])


@pytest.mark.parametrize(
    ("effect", "flag"), [(0.3, True), (-0.3, True), (0.05, False), (0.0, False)]
)
def test_an_edit_is_flagged_beyond_the_margin_on_either_side(effect, flag):
    off = np.linspace(0.3, 0.6, 20)
    assert one_edit(off, off + effect, np.arange(20) % 2)["edits"]["edit"]["flag"] is flag


def test_an_effect_that_is_large_but_unsure_is_not_flagged():
    on = np.where(np.arange(20) < 3, 0.9, 0.0)
    assert not one_edit(np.zeros(20), on, np.arange(20) % 2)["edits"]["edit"]["flag"]


def test_a_false_alarm_at_the_margin_is_as_rare_as_the_level_says():
    rng = np.random.default_rng(2)
    y = np.arange(40) % 2
    flags = [
        one_edit(np.zeros(40), 0.1 + rng.normal(0, 0.2, 40), y)["edits"]["edit"]["flag"]
        for _ in range(400)
    ]
    assert sum(flags) <= 22  # 10 are expected; P(more than 22) is below 0.001


@pytest.mark.parametrize("rows", [1, 3])
def test_another_number_of_rows_is_refused(rows):
    with pytest.raises(ValueError, match="row by row"):
        one_edit(np.zeros(2), np.zeros(rows), np.array([0, 1]))
    with pytest.raises(ValueError, match="same length"):
        shortcut_report(first_pixel, images_of(np.zeros(rows)), np.array([0, 1]), {})

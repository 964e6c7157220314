"""Reports by group against scikit-learn and against what intervals mean."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from reference_impl.model_audit import subgroups


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def sample(rng, n):
    p = np.round(rng.random(n), 1)
    return (rng.random(n) < p).astype(int), p


def test_rates_and_auc_are_those_of_scikit_learn(rng):
    for n in (20, 300):
        y, p = sample(rng, n)
        tn, fp, fn, tp = confusion_matrix(y, p >= 0.4).ravel()
        got = subgroups.rates(y.astype(float), p, 0.4)
        assert got["auc"] == pytest.approx(roc_auc_score(y, p), abs=1e-12)
        expected = {"prev": y.mean(), "tpr": tp / (tp + fn), "fnr": fn / (tp + fn)}
        expected |= {"fpr": fp / (fp + tn), "ppv": tp / (tp + fp)}
        assert {k: got[k] for k in expected} == pytest.approx(expected, abs=1e-12)


def test_weights_count_rows_as_often_as_repeating_them(rng):
    y, p = sample(rng, 60)
    times = rng.integers(0, 4, 60)
    weighted = subgroups.rates(y.astype(float), p, 0.5, times.astype(float))
    repeated = subgroups.rates(np.repeat(y, times).astype(float), np.repeat(p, times), 0.5)
    assert weighted == pytest.approx(repeated)


def test_every_row_is_in_one_group_and_missing_ones_have_their_own(rng):
    y, p = sample(rng, 100)
    groups = pd.DataFrame({"b": rng.choice(["x", None], 100), "a": rng.choice([1.0, np.nan], 100)})
    report = subgroups.subgroup_report(y, p, groups, 0.5, B=2, min_n=1)
    assert report["n"].sum() == 100 and list(report.columns) == list(subgroups.COLUMNS)
    assert list(report["group"]) == sorted(
        f"a={a} & b={b}" for a in ("1.0", "missing") for b in ("missing", "x")
    )


def test_small_groups_stay_and_patients_not_rows_are_counted(rng):
    y, p = sample(rng, 60)
    groups = pd.DataFrame({"g": ["a"] * 40 + ["b"] * 20})
    report = subgroups.subgroup_report(y, p, groups, 0.5, B=2, min_n=30)
    assert list(report["status"]) == ["ok", "insufficient"] and np.isnan(report["auc"][1])
    by_two = subgroups.subgroup_report(y, p, groups, 0.5, B=2, cluster=np.arange(60) // 2)
    assert list(by_two["patients"]) == [20, 10] and set(by_two["status"]) == {"insufficient"}


def test_intervals_hold_the_truth_as_often_as_they_say():
    hits, trials = 0, 150
    for number in range(trials):
        rng = np.random.default_rng(number)
        flagged = rng.random(120) < 0.6
        report = subgroups.subgroup_report(
            np.ones(120), flagged.astype(float), pd.DataFrame({"g": ["a"] * 120}), 0.5, seed=number
        )
        hits += report["tpr_lo"][0] <= 0.6 <= report["tpr_hi"][0]
    assert hits / trials > 0.88  # 0.93 or so is due; three standard errors less


def test_images_of_a_patient_do_not_narrow_an_interval(rng):
    y, p = sample(rng, 300)
    groups = pd.DataFrame({"g": ["a"] * 300})
    one = subgroups.subgroup_report(y, p, groups, 0.5, B=300)
    five = [np.repeat(v, 5) for v in (y, p, np.arange(300))]
    many = subgroups.subgroup_report(
        five[0], five[1], pd.DataFrame({"g": ["a"] * 1500}), 0.5, B=300, cluster=five[2]
    )
    width = [r["tpr_hi"][0] - r["tpr_lo"][0] for r in (one, many)]
    assert width[1] == pytest.approx(width[0], rel=0.25)

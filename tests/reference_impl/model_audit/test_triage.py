"""The stream of patients: each kind of drift changes what it says, and nothing else."""

import numpy as np
import pytest

from reference_impl.model_audit import triage

CHANGE = 60


def drawn(kind):
    return triage.streams(kind, np.random.default_rng(0), n=60, days=120, change=CHANGE)


def calibration(s, days):
    p, y = s.p[:, days].astype(float), s.y[:, days]
    return (y - p).sum() / np.sqrt((p * (1 - p)).sum())


BEFORE, AFTER = slice(0, CHANGE), slice(CHANGE, None)


def test_scores_are_right_before_anything_changes():
    for kind in triage.KINDS:
        assert abs(calibration(drawn(kind), BEFORE)) < 4


def test_covariate_drift_moves_one_measurement_and_leaves_scores_right():
    s = drawn("covariate")
    moved = s.x[:, AFTER].mean((0, 1, 2)) - s.x[:, BEFORE].mean((0, 1, 2))
    assert moved == pytest.approx([triage.SHIFT["covariate"], 0, 0, 0], abs=0.02)
    assert abs(calibration(s, AFTER)) < 4


def test_concept_drift_leaves_patients_and_scores_as_they_were():
    s, same = drawn("concept"), drawn("none")
    assert np.array_equal(s.x, same.x)
    assert np.array_equal(s.p, same.p)
    assert calibration(s, AFTER) > 20


def test_label_drift_leaves_patients_with_a_given_outcome_as_they_were():
    s = drawn("label")
    assert s.y[:, AFTER].mean() > s.y[:, BEFORE].mean() + 0.1
    for outcome in (0, 1):
        means = [s.x[:, days][s.y[:, days] == outcome].mean(axis=0) for days in (BEFORE, AFTER)]
        assert means[0] == pytest.approx(means[1], abs=0.02)


def test_nothing_changes_without_drift():
    s = drawn("none")
    assert s.change == 120
    assert s.x[:, AFTER].mean((0, 1, 2)) == pytest.approx(0, abs=0.02)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no change 'other'"):
        drawn("other")

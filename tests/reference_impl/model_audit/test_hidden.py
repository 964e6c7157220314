"""The grader's draws: the student's own, the same at every attempt, with secrets wrapped."""

import numpy as np
import pandas as pd
import pytest

from reference_impl.model_audit import hidden, subgroups
from reference_impl.secret import Secret


def test_another_student_gets_another_draw_and_the_same_one_gets_it_again(monkeypatch):
    drawn = {}
    for student in ("101", "102"):
        monkeypatch.setenv("AUTOGRADER_STUDENT", student)
        drawn[student] = hidden.cohort("x", {"a": 50})
        assert (hidden.cohort("x", {"a": 50}).p == drawn[student].p).all()
        table, leaks = hidden.leak_table("x", ("after", "copy"))
        assert table.leaks == {} and isinstance(leaks, Secret)
    assert (drawn["101"].p != drawn["102"].p).any()


def test_cohorts_have_their_sizes_and_ties():
    data = hidden.cohort("sizes", {"a": 200, "b": 3})
    assert data.groups["site"].value_counts().to_dict() == {"a": 200, "b": 3}
    assert len(np.unique(data.p)) < len(data) and 0.1 < data.y.mean() < 0.6


def test_bounds_are_secret():
    bounds = (
        hidden.AGREEMENT_LEAST, hidden.EXCESS_LEAST, hidden.KS_MOST, hidden.LEAK_SCORE_LEAST,
        hidden.NULL_MEAN, hidden.NULL_TAIL, hidden.PATIENT_WIDTH_ERROR, hidden.RANK_ERROR,
        hidden.TEMPERATURE_SHARE, hidden.WIDTH_ERROR,
    )  # fmt: skip
    assert all(isinstance(bound, Secret) for bound in bounds)


def test_noise_agrees_with_nothing_and_a_constant_is_no_agreement():
    rng = np.random.default_rng(0)
    p, noise = rng.random((2, 200))
    assert hidden.agreement(p, p**2) == pytest.approx(1)
    assert abs(hidden.agreement(p, noise)) < hidden.AGREEMENT_LEAST.reveal()
    assert hidden.agreement(p, [0.01] * 200) == 0


def test_groups_differ_in_prevalence_alone_or_in_the_planted_direction():
    rng = np.random.default_rng(1)
    many = [hidden.without_gap(rng) for _ in range(60)]
    y, flagged = (np.concatenate([getattr(one, name) for one in many]) for name in ("y", "flagged"))
    names = np.concatenate([one.groups for one in many])
    tpr = [flagged[(names == name) & (y == 1)].mean() for name in "abc"]
    prevalence = [y[names == name].mean() for name in "abc"]
    assert np.ptp(tpr) < 0.05 and prevalence[0] > prevalence[1] > prevalence[2]
    for better, sign in (("a", 1), ("b", -1), ("", 0)):
        gaps = []
        for _ in range(20):
            one = hidden.in_two_groups(rng, better)
            ill, group = one.y == 1, np.array(one.groups)
            rates = [one.flagged[ill & (group == name)].mean() for name in "ab"]
            gaps.append(rates[0] - rates[1])
        assert np.mean(gaps) == pytest.approx(0.3 * sign, abs=0.06)


def test_an_interval_is_off_by_the_same_factor_whether_too_wide_or_too_narrow():
    half = 1.96 * np.sqrt(0.3 * 0.7 / 100)
    for factor in (2, 1 / 2, 1):
        row = {"tpr": 0.3, "tpr_lo": 0.3 - factor * half, "tpr_hi": 0.3 + factor * half}
        expected = abs(np.log(factor))
        assert hidden.width_error(row, "tpr", 100) == pytest.approx(expected, abs=1e-9)
    assert hidden.width_error({"tpr": 0.3, "tpr_lo": 0.3, "tpr_hi": 0.3}, "tpr", 100) == np.inf


@pytest.mark.parametrize("wrong", [None, "ab", [("a",)], [("a", 1)], [("a", "x"), ("a", "y")]])
def test_what_is_no_list_of_leaks_is_refused(wrong):
    with pytest.raises(AssertionError, match="Expected"):
        hidden.accused(wrong)


def test_what_is_no_report_is_refused():
    report = pd.DataFrame([{**dict.fromkeys(subgroups.COLUMNS, 0.0), "group": "a"}])
    assert list(hidden.rows_of(report)) == ["a"]
    for wrong in ([], report.drop(columns="fpr"), pd.concat([report, report])):
        with pytest.raises(AssertionError, match="Expected"):
            hidden.rows_of(wrong)


def test_everything_that_tests_import_is_warm():
    hidden.warm()

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
        hidden.KS_MOST, hidden.LEAK_SCORE_LEAST, hidden.POWER_LEAST, hidden.TEMPERATURE_SHARE,
        hidden.WIDTH_RANGE,
    )  # fmt: skip
    assert all(isinstance(bound, Secret) for bound in bounds)


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

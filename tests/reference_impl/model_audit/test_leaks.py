"""Leaks are found, and innocent columns acquitted."""

import numpy as np
import pandas as pd
import pytest

from reference_impl.model_audit import hidden, leaks, planted


@pytest.mark.parametrize("seed", range(12))
def test_all_planted_leaks_and_nothing_else_are_found(seed):
    table = planted.leak_table(np.random.default_rng(seed), leaks.REASONS)
    found = leaks.find_leaks(table.df, planted.TARGET, planted.INDEX_TIME, table.dictionary)
    assert dict(found) == table.leaks and set(table.leaks.values()) == set(leaks.REASONS)


def test_innocent_columns_look_as_they_should():
    table = planted.leak_table(np.random.default_rng(1), ())
    assert table.leaks == {} and len(table.df.columns) == 10
    y = table.df["event"].to_numpy(float)
    numbers = [c for c in table.df.select_dtypes("number").dropna(axis=1) if c != "event"]
    aucs = [leaks.roc_auc(y, table.df[c].to_numpy(float)) for c in numbers]
    assert 0.9 < max(aucs) < 0.97


def test_the_dictionary_convicts_ten_columns_of_the_real_table(cohorts, root):
    found = leaks.find_leaks(
        cohorts.patients(root), cohorts.TARGET, cohorts.INDEX_TIME, cohorts.DICTIONARY
    )
    assert [name for name, _ in found] == [
        "death", "slos", "d.time", "charges", "totcst", "totmcst", "avtisst", "dnr", "dnrday",
        "sfdm2",
    ]  # fmt: skip
    assert {reason for _, reason in found} == {"after"}
    assert leaks.find_leaks(cohorts.patients(root).drop(columns=[n for n, _ in found]),
                            cohorts.TARGET, 3.0, {}) == []  # fmt: skip


def test_the_first_reason_counts():
    y = np.tile([0, 1], 50)
    df = pd.DataFrame({"y": y, "a": y + 0.0})
    entry = {"known": 1.0, "kind": "moment"}
    assert leaks.find_leaks(df, "y", 0.5, {"a": entry}) == [("a", "after")]
    assert leaks.find_leaks(df, "y", 1.0, {"a": entry}) == [("a", "copy")]
    assert leaks.find_leaks(df + 2, "y", 1.0, {"a": entry}) == [("a", "future")]


def test_score_of_a_list_punishes_false_accusations():
    assert hidden.leak_score({"a", "b"}, {"a", "b"}) == 1
    assert hidden.leak_score({"a", "b", "c"}, {"a", "b"}) == pytest.approx(0.8 - 0.1)
    assert hidden.leak_score({"a"}, {"a", "b"}) == pytest.approx(2 / 3)
    assert hidden.leak_score(set(), set()) == 1

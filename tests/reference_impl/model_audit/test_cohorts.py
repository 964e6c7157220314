"""Cohorts are loaded with their source, and no patient is in two parts."""

import numpy as np
import pytest


def test_parts_of_both_sets_share_no_patient_and_hold_all(cohorts, root):
    for name, rows in (("support2", 9105), ("cxr_metadata", 112120)):
        parts = [cohorts.load(name, part, root=root) for part in cohorts.PARTS]
        who = [set(part.meta["patient"].tolist()) for part in parts]
        assert sum(map(len, parts)) == rows
        assert not (who[0] & who[1] or who[0] & who[2] or who[1] & who[2])
        shares = np.array([len(w) for w in who]) / sum(map(len, who))
        assert np.allclose(shares, cohorts.SHARES, atol=1e-3)


def test_a_bundle_says_that_its_patients_are_real_and_of_which_part_it_is(cohorts, root):
    bundle = cohorts.load("support2", "test", root=root)
    assert "REAL" in repr(bundle) and "support2, test" in repr(bundle)
    assert bundle.X.shape == (2731, len(cohorts.FEATURES))
    assert set(np.unique(bundle.y)) == {0, 1}
    assert (bundle.meta["race"] == "missing").sum() == 13


def test_the_dictionary_describes_every_column_and_no_feature_is_known_too_late(cohorts, root):
    assert list(cohorts.DICTIONARY) == list(cohorts.patients(root).columns)
    assert all(cohorts.DICTIONARY[name]["known"] <= cohorts.INDEX_TIME for name in cohorts.FEATURES)
    assert not {"race", "income"} & set(cohorts.FEATURES)


def test_findings_are_those_that_the_table_names(cohorts, root):
    import pandas as pd

    table = pd.read_csv(root / "cxr_metadata.csv.gz")
    bundle = cohorts.load("cxr_metadata", root=root)
    for number, name in enumerate(cohorts.FINDINGS):
        assert bundle.y[:, number].sum() == table["findings"].str.contains(name).sum()
    assert (~bundle.y.any(axis=1)).sum() == (table["findings"] == "No Finding").sum()


@pytest.mark.parametrize("wrong", [("mimic",), ("support2", "all"), ("support2", "test", "sim")])
def test_an_unknown_set_part_or_source_is_refused(cohorts, root, wrong):
    name, part, source = (*wrong, "test", "auto")[:3] if len(wrong) < 3 else wrong
    with pytest.raises(ValueError, match="parts"):
        cohorts.load(name, part, root=root, source=source)

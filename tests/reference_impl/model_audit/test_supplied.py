"""The models under audit are as good, and as wrong, as the notebook says."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from reference_impl.model_audit import reliability, risk_model, supplied


def test_supplied_answers_are_those_of_the_public_loader(cohorts, root):
    for part in cohorts.PARTS:
        mine, public = supplied.answers(part), cohorts.load("support2", part, root=root)
        assert (mine["y"] == public.y).all() and (mine["race"] == public.meta["race"]).all()
        assert (mine["logit"] == public.meta["logit"]).all()


def test_the_supplied_model_ranks_well_and_is_calibrated_and_the_other_is_overtrained():
    test = supplied.answers("test")
    p, other = (1 / (1 + np.exp(-test[name])) for name in supplied.EPOCHS)
    assert roc_auc_score(test["y"], p) == pytest.approx(0.812, abs=0.002)
    assert reliability.ece(test["y"], p) < 0.03 < 0.08 < reliability.ece(test["y"], other)
    val = supplied.answers("val")
    assert 1.5 < reliability.fit_temperature(val["overtrained_logit"], val["y"]) < 4


def test_columns_known_too_late_raise_the_auc(cohorts, root):
    table = cohorts.patients(root)
    part, y = cohorts.part_of(len(table)), table["hospdead"].to_numpy()
    auc = {}
    for extra in ((), ("dnr",), ("d.time",)):
        X = risk_model.design(table, [*cohorts.FEATURES, *extra], part == "train")
        logit = risk_model.fit_risk(X, y, part == "train", epochs=10)
        auc[extra] = roc_auc_score(y[part == "test"], logit[part == "test"])
    assert auc[()] < 0.83 < 0.88 < auc["dnr",] < 0.95 < auc["d.time",]


def test_a_design_uses_the_training_rows_alone():
    import pandas as pd

    table = pd.DataFrame({"a": [1.0, 3.0, np.nan, 99.0], "b": ["x", "y", None, "z"]})
    train = np.array([True, True, True, False])
    X = risk_model.design(table, ["a", "b"], train)
    assert X.shape == (4, 4) and X[2, 0] == 0 and X[3, 0] == 6
    assert X[:, 1:].sum(axis=1).tolist() == [1, 1, 1, 0]

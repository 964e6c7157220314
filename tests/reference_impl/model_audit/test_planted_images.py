"""Planted models: what they depend on, and that a disguise changes weights and nothing else."""

import json

import numpy as np
import pytest

from reference_impl.model_audit import counterfactuals, hidden_images, planted_images
from reference_impl.model_audit.blackbox import Predictor
from reference_impl.model_audit.shortcuts import shortcut_report


@pytest.fixture(scope="module")
def data():
    return hidden_images.audit_set()


@pytest.mark.parametrize("name", planted_images.PLANTED)
def test_each_model_depends_on_its_fault_alone(name, data):
    predict = Predictor(planted_images.planted(name))
    found = shortcut_report(predict, data.X, data.y, data.edits)["edits"]
    flagged = {edit for edit in found if found[edit]["flag"]}
    assert flagged == {planted_images.PLANTED[name]} - {None}


def test_a_guilty_model_is_good_at_home_and_wrong_with_its_shortcut_turned(data):
    X = data.together("ruler", np.random.default_rng(0))
    predict = Predictor(planted_images.planted("ruler"))
    report = shortcut_report(predict, X, data.y, data.edits)
    assert report["auc"] > 0.93
    assert report["edits"]["ruler"]["auc_against"] < 0.1


def test_external_auc_does_not_order_guilt(data):
    auc = {
        name: shortcut_report(Predictor(planted_images.planted(name)), data.X, data.y, {})["auc"]
        for name in ("position", "weak", "clean")
    }
    assert auc["position"] > 0.85 > 0.7 > auc["weak"]
    assert auc["clean"] > 0.85


def test_a_disguise_changes_every_weight_and_no_probability(data):
    arrays = planted_images.planted("clean")
    twin = planted_images.disguised(arrays, np.random.default_rng(1))
    for name in arrays:
        assert arrays[name].shape == twin[name].shape
        if name != "head.bias":
            assert not np.isclose(np.sort(arrays[name].ravel()), np.sort(twin[name].ravel())).all()
    rows = slice(0, 40)
    assert Predictor(arrays)(data.X[rows]) == pytest.approx(Predictor(twin)(data.X[rows]), abs=1e-5)


def test_recorded_effects_are_those_of_the_stored_models(data):
    recorded = json.loads((planted_images.HERE / "planted_images.json").read_text())
    measured = planted_images.measured(planted_images.planted("hair"), data.edits)
    for edit, (mean, sd) in recorded["hair"].items():
        assert measured[edit][0] == pytest.approx(mean, abs=5 * sd / 300**0.5)


def test_a_pair_differs_in_its_edit_alone():
    lesions = counterfactuals.single_views(12, np.random.default_rng(2), **planted_images.DRAWN)
    found = counterfactuals.pairs(lesions)
    assert list(found) == list(counterfactuals.EDITS)
    off, on = found["ruler"]
    touched = (off != on).any(axis=(0, 1))
    assert not touched[4:-4, 4:-4].any()  # a ruler lies at the edge
    for off, on in found.values():
        assert (off != on).any(axis=(1, 2, 3)).all()


def test_training_learns_what_goes_with_the_label():
    arrays = planted_images.train("ruler", seed=5, lesions=384)
    lesions = counterfactuals.single_views(60, np.random.default_rng(3), **planted_images.DRAWN)
    mean, _ = planted_images.measured(arrays, counterfactuals.pairs(lesions))["ruler"]
    assert mean > 0.2


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="no planted model 'other'"):
        planted_images.planted("other")

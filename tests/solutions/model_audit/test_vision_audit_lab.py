"""What students are given beside the notebook does what its docstrings say."""

import importlib.util
import sys
import tomllib
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch

from reference_impl.cnn_imaging import dermsim

sys.modules.setdefault("dermsim", dermsim)

from reference_impl.model_audit import (
    attribution,
    blackbox,
    counterfactuals,
    drift,
    planted_images,
    shortcuts,
    triage,
)

FOLDER = Path(__file__).parents[3] / "solutions/model_audit"


@pytest.fixture(scope="module")
def lab():
    pytest.importorskip("matplotlib").use("Agg")
    with pytest.MonkeyPatch.context() as patch:
        for module in (blackbox, counterfactuals, triage):
            patch.setitem(sys.modules, module.__name__.rpartition(".")[2], module)
        file = FOLDER / "vision_audit_lab.py"
        spec = importlib.util.spec_from_file_location("vision_audit_lab", file)
        module = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, "vision_audit_lab", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def audit(lab):
    return lab.audit_set(n=120, seed=1)


def test_practice_models_have_the_faults_that_are_told(lab, audit):
    assert lab.FAULTS == planted_images.PRACTICE
    for name, fault in lab.FAULTS.items():
        model = lab.practice_model(name, FOLDER / "data")
        found = shortcuts.shortcut_report(model, *audit)["edits"]
        assert {edit for edit in found if found[edit]["flag"]} == {fault} - {None}


def test_images_at_home_show_what_goes_with_the_label(lab, audit):
    home = lab.audit_set(n=120, seed=1, together="ruler")
    with_ruler = (home.X == audit.edits["ruler"][1]).all(axis=(1, 2, 3))
    assert with_ruler[home.y == 1].mean() > 0.8
    assert with_ruler[home.y == 0].mean() < 0.2


def test_a_linear_score_is_the_weighted_sum(lab):
    X = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    weights = np.linspace(0, 1, 12).reshape(3, 2, 2)
    expected = (X / 255 * weights).sum(axis=(1, 2, 3)) + 0.5
    assert lab.LinearScore(weights, 0.5)(X) == pytest.approx(expected)


def test_a_rewired_network_is_the_same_function(lab):
    arrays = planted_images.planted("clean")
    x = torch.rand(4, 3, 32, 32)
    assert torch.allclose(lab.Rewired(arrays)(x), blackbox.network(arrays)(x), atol=1e-5)


@pytest.mark.parametrize("name", ["clean", "position"])
def test_the_cascade_tells_explainers_that_look_from_those_that_do_not(lab, audit, name):
    x = lab.to_unit(audit.X[:8])
    model = blackbox.network(planted_images.planted(name))
    flags = {
        kind: attribution.saliency_sanity(model, lab.Explainer(kind), x, seed=2)["flag"]
        for kind in ("gradient", "edges", "guided", "shallow")
    }
    assert flags == {"gradient": False, "edges": True, "guided": False, "shallow": True}


def test_an_unknown_explainer_is_refused(lab):
    with pytest.raises(ValueError, match="no explainer 'other'"):
        lab.Explainer("other")


def test_first_alarms_are_those_of_a_monitor_told_day_by_day(lab):
    rng = np.random.default_rng(0)
    monitor = drift.DriftMonitor(triage.reference(3000, rng), arl0=50)
    s = triage.streams("covariate", rng, n=3, days=40, change=10)
    found = lab.first_alarms(monitor, s)
    again = lab.first_alarms(monitor, (s.x, s.p, s.y))
    assert found == again  # the monitor was not changed
    assert all(alarm < 40 for alarm in found)


def test_every_figure_is_drawn(lab, audit):
    x = audit.X[:2]
    report = {"auc": 0.5, "edits": {"a": {"delta": 0.1, "lo": 0.0, "hi": 0.2, "flag": True}}}
    sanity = {"layers": {"head": 0.4, "conv3": 0.2}, "flag": False}
    lab.show_pairs(audit.edits, 0, "pairs")
    lab.show_effects({"one": report}, 0.1, "effects")
    lab.show_attributions(x, {"map": lab.to_unit(x)}, "maps")
    lab.show_sanity({"gradient": sanity}, "sanity")
    lab.show_charts({"none": [3, 40], "label": [20]}, 10, 5, 40, "charts")
    lab.plt.close("all")


def test_each_regulatory_fact_says_where_and_when_it_was_read(lab, capsys):
    facts = tomllib.loads((FOLDER / "data/regulatory_facts.toml").read_text())
    assert facts["owner"]
    for fact in facts["fact"]:
        assert set(fact) == {"id", "title", "where", "says", "source", "kind", "read"}
        assert fact["kind"] in {"official", "mirror", "commentary"}
        assert isinstance(fact["read"], date)
        assert fact["read"] <= facts["as_of"]
    lab.show_facts(FOLDER / "data/regulatory_facts.toml")
    printed = capsys.readouterr().out
    assert all(f"[{fact['id']}]" in printed for fact in facts["fact"])

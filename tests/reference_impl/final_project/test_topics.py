from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score


def test_metrics_agree_with_scikit_learn_ties_too(topics: Any) -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 300), np.round(rng.random(300), 1)
    assert topics.score("auc", y, p) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert topics.score("mae", y, p) == pytest.approx(mean_absolute_error(y, p), abs=1e-12)
    with pytest.raises(ValueError, match="both classes"):
        topics.score("auc", np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="there is no metric"):
        topics.score("accuracy", y, p)


@pytest.mark.parametrize("name", ["solubility", "derm"])
def test_a_topic_has_what_milestones_ask_of_it(topics: Any, name: str) -> None:
    data, panel = topics.load(name), topics.panel(name)
    assert sorted(data.meta) == ["group", "row", "subgroup", "testable"]
    assert len(set(data.meta["row"].tolist())) == len(data) == len(data.y)
    assert data.meta["testable"].sum() > 200
    assert set(panel.subgroup.tolist()) <= set(data.meta["subgroup"].tolist())
    assert len(panel.X) == len(panel) == len(panel.item) == len(panel.edit)
    counts = {edit: int((panel.edit == edit).sum()) for edit in set(panel.edit.tolist())}
    assert set(counts.values()) == {counts["as is"]}, "every item is there with every edit"


def test_an_edit_leaves_the_truth_and_changes_the_input(topics: Any) -> None:
    lesions, molecules = topics.panel("derm"), topics.panel("solubility")
    on, off = (lesions.X[lesions.edit == name] for name in ("ruler on", "ruler off"))
    assert (on != off).any(axis=(1, 2, 3)).all()
    assert (lesions.y[lesions.edit == "ruler on"] == lesions.y[lesions.edit == "as is"]).all()
    spelt = [one != other for one, other in zip(molecules.X[:240], molecules.X[240:], strict=True)]
    assert np.mean(spelt) > 0.8


@pytest.mark.parametrize("name", ["solubility", "derm"])
def test_a_model_that_answers_the_truth_has_no_flaw(topics: Any, name: str) -> None:
    panel = topics.panel(name)
    for flaw in topics.TOPICS[name].flaws.values():
        assert flaw.effect(panel, panel.y) == pytest.approx(0, abs=1e-12)


def test_an_unknown_topic_is_told(topics: Any) -> None:
    with pytest.raises(ValueError, match="there are solubility, derm"):
        topics.load("survival")

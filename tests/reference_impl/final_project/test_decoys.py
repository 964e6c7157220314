from typing import Any

import numpy as np
import pytest

from reference_impl.final_project import decoys

CLEAR = {"spelling": 0.15, "rings": 0.4, "ruler": 0.08, "tone": 0.08}
"""Effects between those of innocent and of guilty models; the sample's auditor uses them."""


@pytest.mark.parametrize("topic", ["solubility", "derm"])
def test_guilty_models_have_their_flaw_and_innocent_ones_none(topics: Any, topic: str) -> None:
    panel, seen = topics.panel(topic), set()
    for key in map(str, range(20)):
        found = decoys.planted(key, topic)
        seen.add(found.flaw)
        for name, flaw in topics.TOPICS[topic].flaws.items():
            effect = abs(flaw.effect(panel, found.answers[found.innocent]))
            assert effect < CLEAR[name], f"{key}: an innocent model has {name} {effect:.3f}"
        assert abs(found.effect) > CLEAR[found.flaw]
    assert seen == set(topics.TOPICS[topic].flaws), "every flaw is planted somewhere"


@pytest.mark.parametrize("topic", ["solubility", "derm"])
def test_the_error_tells_little_of_who_is_guilty(topics: Any, topic: str) -> None:
    panel = topics.panel(topic)
    plain = panel.edit == "as is"
    metric = topics.TOPICS[topic].metric
    worse = []
    for key in map(str, range(40)):
        found = decoys.planted(key, topic)
        guilty, innocent = (
            topics.score(metric, panel.y[plain], found.answers[name][plain])
            for name in (found.guilty, found.innocent)
        )
        worse.append(guilty > innocent if metric == "mae" else guilty < innocent)
    assert 0.2 <= np.mean(worse) <= 0.9


def test_facts_follow_from_secret_and_team_alone(
    topics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def facts(key: str) -> tuple[str, str, float]:
        found = decoys.planted(key, "derm")
        return found.guilty, found.flaw, found.effect

    monkeypatch.setenv("AUTOGRADER_SECRET", "one")
    first, practice, package = facts("101"), facts(decoys.PRACTICE), decoys.package_of("101")
    assert facts("101") == first and facts("102") != first
    monkeypatch.setenv("AUTOGRADER_SECRET", "another")
    assert facts("101") != first and decoys.package_of("101") != package
    assert facts(decoys.PRACTICE) == practice, "the published package is the same for everybody"


@pytest.mark.parametrize("topic", ["solubility", "derm"])
def test_the_published_practice_package_is_the_planted_one(topics: Any, topic: str) -> None:
    from pathlib import Path

    file = Path(topics.__file__).with_name("practice") / f"{topic}.csv"
    table = np.genfromtxt(file, delimiter=",", names=True)
    found = decoys.planted(decoys.PRACTICE, topic)
    assert sorted(table.dtype.names) == sorted(["row", found.guilty, found.innocent])
    for name, answers in found.answers.items():
        assert np.abs(table[name] - answers).max() < 1e-3

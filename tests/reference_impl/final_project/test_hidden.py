from typing import Any

import numpy as np
import pytest

from reference_impl.final_project import hidden


def dealt(topics: Any, topic: str, by: str, rng: np.random.Generator) -> dict[str, str]:
    data = topics.load(topic)
    names, number = np.unique(data.meta[by], return_inverse=True)
    part = rng.choice(["train", "val", "test"], len(names), p=[0.5, 0.1, 0.4])[number]
    return dict(zip(data.meta["row"].tolist(), part.tolist(), strict=True))


@pytest.mark.parametrize("topic", ["solubility", "derm"])
def test_the_canary_tells_a_leaking_split_from_an_honest_one(topics: Any, topic: str) -> None:
    most = hidden.CANARY_MOST[topic].reveal()
    for seed in range(3):
        rng = np.random.default_rng(seed)
        honest = hidden.canary_accuracy(topic, dealt(topics, topic, "group", rng), rng)
        leaking = hidden.canary_accuracy(topic, dealt(topics, topic, "row", rng), rng)
        assert honest <= most < leaking


@pytest.mark.parametrize("topic", ["solubility", "derm"])
def test_rows_held_back_are_none_that_teams_have(topics: Any, topic: str) -> None:
    data, held = topics.load(topic), hidden.held_back(topic)
    key = (lambda one: one) if topic == "solubility" else (lambda one: one.tobytes())
    assert not {key(one) for one in data.X} & {key(one) for one in held.inputs}
    assert len(held.inputs) == len(held.y.reveal()) > 200


def test_images_held_back_follow_the_course_secret(
    topics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGRADER_SECRET", "one")
    first = hidden._derm()[1]
    monkeypatch.setenv("AUTOGRADER_SECRET", "another")
    second = hidden._derm()[1]
    assert len(first) != len(second) or (first != second).any()


def test_the_order_is_the_students_own(topics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = []
    for student in ("101", "102", "101"):
        monkeypatch.setenv("AUTOGRADER_STUDENT", student)
        orders.append(hidden.held_back("solubility").inputs)
    assert orders[0] == orders[2] != orders[1] and sorted(orders[0]) == sorted(orders[1])

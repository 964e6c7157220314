"""One run: its own secret, its own recipe, and errors that are paired."""

import os
import types

import numpy as np
import pytest

from reference_impl.calibrating import Metric, Trial, changed, measure
from reference_impl.course_secret import course_rng

settings = types.SimpleNamespace(SHIFT=1.0)


def draw():
    return course_rng("calibrating").standard_normal(400)


def trial(**overrides):
    return Trial(**{
        "name": "shift",
        "prepare": draw,
        "answer": lambda task, seed, device: task + settings.SHIFT + 0.001 * seed,
        "metrics": (Metric("mean", "higher", lambda task, answers: answers),),
        "baselines": {"as it is": lambda task: task, "nothing": np.zeros_like},
        "honest": {"twice": changed(settings, SHIFT=2.0)},
        **overrides,
    })  # fmt: skip


def test_a_run_draws_with_the_secret_of_its_number_and_leaves_none_behind(monkeypatch):
    monkeypatch.setenv("AUTOGRADER_SECRET", "the course's own")
    monkeypatch.setenv("AUTOGRADER_STUDENT", "17")
    seen = []

    def prepare():
        seen.append((os.environ["AUTOGRADER_SECRET"], os.environ.get("AUTOGRADER_STUDENT")))
        return draw()

    one, same, other = (measure(trial(prepare=prepare), "reference", n) for n in (1, 1, 2))
    assert one == same and abs(one.metrics["mean"] - other.metrics["mean"]) > 0.002
    assert seen == [(f"calibration {n}", None) for n in (1, 1, 2)]
    assert os.environ["AUTOGRADER_SECRET"] == "the course's own"
    assert os.environ["AUTOGRADER_STUDENT"] == "17"


def test_a_recipe_holds_for_its_run_alone():
    reference, twice = (measure(trial(), recipe, 0) for recipe in ("reference", "twice"))
    assert twice.metrics["mean"] - reference.metrics["mean"] == pytest.approx(1)
    assert settings.SHIFT == 1.0


def test_a_recipe_that_changes_what_is_not_there_is_an_error():
    with pytest.raises(AttributeError):
        measure(trial(weak={"odd": changed(settings, SHIFTS=2.0)}), "odd", 0)
    with pytest.raises(KeyError):
        measure(trial(), "thrice", 0)


def test_baselines_are_measured_beside_the_reference_and_not_beside_other_recipes():
    found = measure(trial(learners={"half": lambda task: task + 0.5}), "reference", 0)
    scores = found.baselines["mean"]
    assert set(scores) == set(found.errors["mean"]) == {"as it is", "nothing", "half"}
    assert scores["half"] - scores["as it is"] == pytest.approx(0.5)
    assert measure(trial(), "twice", 0).baselines == {}


def test_standard_errors_are_those_of_the_paired_distance():
    errors = measure(trial(), "reference", 0).errors["mean"]
    assert errors["as it is"] == pytest.approx(0, abs=1e-12)  # the distance is 1 for every row
    assert errors["nothing"] == pytest.approx(1 / 400**0.5, rel=0.2)


def test_rows_of_one_group_are_drawn_together():
    grouped = Metric(
        "mean", "higher",
        rows=lambda task, answers: np.repeat(answers[:40], 10),
        groups=lambda task: np.repeat(np.arange(40), 10),
    )  # fmt: skip
    found = measure(trial(metrics=(grouped,), baselines={"nothing": np.zeros_like}), "reference", 0)
    assert found.errors["mean"]["nothing"] == pytest.approx(1 / 40**0.5, rel=0.3)

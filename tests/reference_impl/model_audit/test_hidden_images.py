"""What only the grader has: whose draw it is, and what is secret of it."""

import numpy as np
import pytest

from reference_impl.model_audit import hidden_images, planted_images
from reference_impl.secret import Secret


def test_another_student_gets_another_choice_and_the_same_one_gets_it_again(monkeypatch):
    sets = []
    for student in ("one", "other", "one"):
        monkeypatch.setenv("AUTOGRADER_STUDENT", student)
        weights = hidden_images.sealed_models("models")[0].weights
        sets.append((hidden_images.audit_set().X, weights["conv1.bias"]))
    assert not np.array_equal(sets[0][0], sets[1][0])
    assert not np.array_equal(np.sort(sets[0][1]), np.sort(sets[1][1]))
    assert all(np.array_equal(a, b) for a, b in zip(sets[0], sets[2], strict=True))


def test_images_labels_and_pairs_stay_together():
    data = hidden_images.audit_set()
    assert data.X.shape == (300, 3, 32, 32)
    assert len(data.y) == 300
    # A lesion as it comes is nearer to its own pair than to another's.
    off = data.edits["ruler"][0].astype(float)
    own = np.abs(data.X - off).mean(axis=(1, 2, 3))
    other = np.abs(data.X - np.roll(off, 1, axis=0)).mean(axis=(1, 2, 3))
    assert (own < other).mean() > 0.95


def test_all_faults_are_planted_and_secret():
    models = hidden_images.sealed_models("all")
    faults = [model.fault for model in models]
    assert all(isinstance(fault, Secret) for fault in faults)
    found = sorted(str(fault.reveal()) for fault in faults)
    assert found == sorted(str(fault) for fault in planted_images.PLANTED.values())


def test_images_are_drawn_once_for_the_course():
    hidden_images.warm()
    before = hidden_images._stock.cache_info().misses
    hidden_images.audit_set()
    assert hidden_images._stock.cache_info().misses == before


@pytest.mark.parametrize("day", ["never", "always", "on day 40", "at random"])
def test_who_does_not_look_is_as_late_with_drift_as_without(day):
    rng = np.random.default_rng(0)
    alarms = [
        {
            "never": np.full(n, 120), "always": np.zeros(n), "on day 40": np.full(n, 40),
            "at random": np.minimum(rng.geometric(1 / hidden_images.ARL0, n), 120),
        }[day]
        for n in (100, 150)
    ]  # fmt: skip
    share = hidden_images.relative_delay(*alarms, change=30)
    assert share == pytest.approx(1, abs=0.4 if day == "at random" else 0)
    assert all(share > bound.reveal() for bound in hidden_images.DELAY_MOST.values())


def test_a_delay_counts_from_the_change_and_only_alarms_after_it():
    drifting = np.array([5] * 20 + [32] * 20)
    quiet = np.array([50] * 20 + [10] * 10)
    assert hidden_images.relative_delay(drifting, quiet, 30) == pytest.approx(2 / 20)
    assert hidden_images.relative_delay(drifting[:25], quiet, 30) == 1  # five are left


def test_a_run_length_counts_days_watched_over_alarms():
    assert hidden_images.run_length(np.array([9, 19, 120, 120])) == (10 + 20 + 240) / 2
    assert hidden_images.run_length(np.full(3, 120)) == 360


@pytest.mark.parametrize("kind", ["any", "covariate", "label", "concept"])
def test_streams_drift_from_their_day_on(kind):
    drifting, quiet = hidden_images.streams(kind, np.random.default_rng(1))
    assert (len(drifting.x), len(quiet.x)) == (100, 150)
    assert drifting.change == 0 if kind == "any" else 25 <= drifting.change < 40
    assert quiet.change == 120

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


@pytest.mark.parametrize("kind", ["covariate", "label", "concept"])
def test_who_alarms_at_random_is_too_late(kind):
    assert hidden_images.DELAY_MOST[kind].reveal() <= hidden_images.ARL0 / 2

"""Planted generators do what they are said to do."""

import numpy as np
import pytest

from reference_impl.gan_synthesis.distributions import VERDICTS
from reference_impl.gan_synthesis.planted import MODES, erased, hallucinated, sampled


@pytest.mark.parametrize("kind", VERDICTS)
def test_samples_have_the_documented_shapes_and_follow_the_generator(kind):
    one, again, other = (sampled(kind, np.random.default_rng(s), n=90, d=5) for s in (1, 1, 2))
    for name in ("fake", "real", "source"):
        assert getattr(one, name).shape == (90, 5)
        assert np.array_equal(getattr(one, name), getattr(again, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))
    assert one.train.shape == (180, 5)


def nearest(a, b):
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    return distance.argmin(axis=1), distance.min(axis=1)


def clusters(x):
    """Number of groups of samples that hang together at a distance of 5."""
    close = np.linalg.norm(x[:, None] - x[None], axis=2) < 5
    for _ in range(8):
        close = close @ close
    return len(np.unique(close, axis=0))


def test_real_samples_have_all_modes_and_collapsed_ones_a_third():
    planted = sampled("collapsed", np.random.default_rng(3))
    assert clusters(planted.real) == MODES and clusters(planted.fake) == MODES // 3
    assert clusters(sampled("faithful", np.random.default_rng(3)).fake) == MODES


def test_copies_are_of_their_own_source_and_memories_of_training():
    copied = sampled("copying", np.random.default_rng(4))
    row, distance = nearest(copied.fake, copied.source)
    assert (row == np.arange(len(row))).all() and distance.max() < 0.2
    recited = sampled("memorising", np.random.default_rng(4))
    assert nearest(recited.fake, recited.train)[1].max() < 0.2
    assert np.median(nearest(recited.fake, recited.real)[1]) > 0.5


def test_an_unknown_generator_is_refused():
    with pytest.raises(ValueError, match="'nice'"):
        sampled("nice", np.random.default_rng(0))


def test_erasure_changes_the_lesion_alone():
    rng = np.random.default_rng(5)
    target, healthy = rng.uniform(0, 1, (2, 3, 8, 8))
    lesion = rng.random((3, 8, 8)) < 0.2
    half = erased(target, healthy, lesion, 0.5)
    assert np.array_equal(half[~lesion], target[~lesion])
    assert np.allclose(half[lesion], (target + healthy)[lesion] / 2)
    assert np.array_equal(erased(target, healthy, lesion, 0.0), target)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_hallucinations_are_as_many_as_asked_and_inside_the_mask(rate):
    target = np.zeros((20, 16, 16))
    mask = np.zeros((20, 16, 16), bool)
    mask[:, 3:12, 4:13] = True
    pred, guilty = hallucinated(target, mask, rate, 0.4, np.random.default_rng(6))
    assert guilty.sum() == round(20 * rate)
    bright = pred > 0.4
    assert (bright.sum(axis=(1, 2)) == 25 * guilty).all() and not (bright & ~mask).any()


def test_a_mask_without_room_is_refused():
    with pytest.raises(ValueError, match="image 0"):
        hallucinated(np.zeros((1, 9, 9)), np.zeros((1, 9, 9)), 1.0, 0.1, np.random.default_rng(0))

"""The baselines that thresholds must exceed."""

import numpy as np
import pytest

from reference_impl.gan_synthesis.calibration import lookup_table, patch_filter


def images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 16, 16)) / 255


def test_a_lookup_table_learns_any_map_of_intensities():
    train, new = images(20), images(3, 1)
    found = lookup_table((train, np.cos(5 * train)), new)
    assert np.allclose(found, np.cos(5 * new), atol=1e-9)


def test_grey_values_that_were_never_seen_lie_between_their_neighbours():
    train = np.where(images(4) < 0.5, 0.2, 0.6)
    found = lookup_table((train, 2 * train), np.array([[[0.2, 0.4, 0.6, 1.0]]]))
    assert found.ravel() == pytest.approx([0.4, 0.8, 1.2, 1.2], abs=0.01)


def test_the_patch_filter_learns_what_neighbours_and_their_products_say():
    def target(x):
        neighbours = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="reflect")
        return 0.1 + 0.5 * neighbours[:, :-2, 1:-1] * x + 0.3 * neighbours[:, 1:-1, 2:]

    train, new = images(20), images(3, 1)
    found = patch_filter((train, target(train)), new)
    assert np.abs(found - target(new)).max() < 1e-3

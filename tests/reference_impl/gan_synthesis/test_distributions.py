"""Distances of distributions: closed forms, brute force and planted generators."""

import numpy as np
import pytest
from scipy import linalg

from reference_impl.gan_synthesis import distributions
from reference_impl.gan_synthesis.distributions import (
    VERDICTS,
    frechet_distance,
    gaussian_statistics,
    mode_collapse_report,
    precision_recall,
)
from reference_impl.gan_synthesis.planted import sampled


def gaussian(seed, d=4):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((d, d))
    return rng.standard_normal(d), root @ root.T


def test_a_gaussian_is_at_no_distance_from_itself():
    mu, S = gaussian(0)
    assert frechet_distance(mu, S, mu, S) == pytest.approx(0, abs=1e-10)


def test_shifted_gaussians_are_as_far_apart_as_their_means():
    mu, S = gaussian(1)
    assert frechet_distance(mu, S, np.add(mu, [1, 2, 0, 0]), S) == pytest.approx(5)


def test_commuting_covariances_have_a_closed_form():
    a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 1.0, 16.0])
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert frechet_distance(np.zeros(3), np.diag(a), np.zeros(3), np.diag(b)) == pytest.approx(
        expected
    )


@pytest.mark.parametrize("seed", range(5))
def test_general_gaussians_agree_with_the_matrix_square_root_both_ways(seed):
    (mu1, S1), (mu2, S2) = gaussian(seed), gaussian(seed + 50)
    root = linalg.sqrtm(S1 @ S2).real
    expected = ((mu1 - mu2) ** 2).sum() + np.trace(S1 + S2 - 2 * root)
    assert frechet_distance(mu1, S1, mu2, S2) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(mu2, S2, mu1, S1) == pytest.approx(expected, rel=1e-8)


def test_singular_covariances_are_fine():
    S1, S2 = np.diag([1.0, 0.0]), np.diag([0.0, 4.0])
    found = frechet_distance([0, 0], S1, [0, 0], S2)
    assert isinstance(found, float) and found == pytest.approx(5)
    assert frechet_distance([0, 0], 0 * S1, [3, 4], 0 * S1) == pytest.approx(25)
    x = np.random.default_rng(2).standard_normal((3, 8))
    S = np.cov(x, rowvar=False)  # rank 2
    assert frechet_distance(x[0], S, x[0], S) == pytest.approx(0, abs=1e-6)


def test_one_feature():
    assert frechet_distance([0.0], [[4.0]], [1.0], [[9.0]]) == pytest.approx(2)


def test_shapes_that_do_not_fit_are_refused():
    mu, S = gaussian(3)
    for wrong in ((mu[:3], S, mu, S), (mu, S[:3, :3], mu, S), (mu, S[0], mu, S)):
        with pytest.raises(ValueError, match=r"means \[d\]"):
            frechet_distance(*wrong)


def test_statistics_are_the_samples_and_too_few_samples_are_refused():
    x = np.random.default_rng(4).standard_normal((20, 3))
    mu, S = gaussian_statistics(x)
    centred = x - x.mean(axis=0)
    assert np.allclose(mu, x.mean(axis=0)) and np.allclose(S, centred.T @ centred / 19)
    with pytest.raises(ValueError, match="more samples"):
        gaussian_statistics(x[:3])
    assert gaussian_statistics(x[:, :1])[1].shape == (1, 1)


def by_brute_force(real, fake, k):
    def share(centres, asked):
        inside = 0
        for x in asked:
            for i, centre in enumerate(centres):
                others = np.delete(centres, i, axis=0)
                radius = np.sort(np.linalg.norm(others - centre, axis=1))[k - 1]
                if np.linalg.norm(x - centre) <= radius:
                    inside += 1
                    break
        return inside / len(asked)

    return share(real, fake), share(fake, real)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_precision_and_recall_by_brute_force(k):
    rng = np.random.default_rng(k)
    real, fake = rng.standard_normal((25, 3)), 0.7 * rng.standard_normal((18, 3)) + 0.5
    assert precision_recall(real, fake, k) == pytest.approx(by_brute_force(real, fake, k))


def test_the_same_set_is_covered_and_a_distant_one_is_not():
    x = np.random.default_rng(5).standard_normal((30, 4))
    assert precision_recall(x, x) == (1, 1)
    assert precision_recall(x, x + 100) == (0, 0)


def test_precision_and_recall_change_places_with_the_sets():
    rng = np.random.default_rng(6)
    real, fake = rng.standard_normal((40, 3)), 0.3 * rng.standard_normal((30, 3))
    precision, recall = precision_recall(real, fake)
    assert precision > recall
    assert precision_recall(fake, real) == (recall, precision)


def test_duplicates_have_no_radius_and_still_cover_themselves():
    x = np.repeat(np.eye(3), 4, axis=0)
    assert precision_recall(x, x, k=3) == (1, 1)
    assert precision_recall(x, x + 1e-3, k=3) == (0, 0)


def test_images_count_as_vectors():
    rng = np.random.default_rng(7)
    real, fake = rng.standard_normal((2, 20, 3, 2))
    assert precision_recall(real, fake) == precision_recall(
        real.reshape(20, 6), fake.reshape(20, 6)
    )


@pytest.mark.parametrize("k", [0, 20, 25])
def test_a_neighbour_that_is_not_there_is_refused(k):
    with pytest.raises(ValueError, match="k must"):
        precision_recall(np.zeros((30, 2)), np.zeros((20, 2)), k)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", VERDICTS)
def test_planted_generators_are_seen_through(kind, seed):
    report = mode_collapse_report(**vars(sampled(kind, np.random.default_rng(seed))))
    assert report["verdict"] == kind
    assert set(report) == {"copy_ratio", "memory_ratio", "precision", "recall", "verdict"}


def test_ratios_of_the_report_by_hand():
    source = np.array([[0.0], [10.0], [20.0], [30.0], [40.0]])
    real, train = source + 2, source + 2.5
    report = mode_collapse_report(source + 1.5, real, source, train, k=1)
    assert report["copy_ratio"] == pytest.approx(0.75)
    assert report["memory_ratio"] == pytest.approx(2)


def test_the_order_of_verdicts_is_that_of_the_list():
    x = np.random.default_rng(8).standard_normal((30, 2))
    far = x + 100
    assert mode_collapse_report(x, far, x, x)["verdict"] == "copying"
    assert mode_collapse_report(x, x + 3, x + 50, x)["verdict"] == "memorising"


def test_paired_sets_of_different_length_are_refused():
    x = np.zeros((9, 2))
    with pytest.raises(ValueError, match="differ"):
        mode_collapse_report(x[:8], x, x, x)


def test_every_public_name_is_listed():
    assert "VERDICTS" in distributions.__all__

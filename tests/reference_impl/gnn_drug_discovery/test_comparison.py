"""The comparison of two models: right about its own uncertainty, and paired."""

import numpy as np
import pytest

from reference_impl.gnn_drug_discovery.comparison import compare
from reference_impl.gnn_drug_discovery.metrics import rmse


def task(rng, gap=0.0, clusters=80, shared=1.0):
    """Two models whose errors are shared by cluster and molecule; b's are larger by ``gap``."""
    sizes = rng.integers(1, 6, clusters)
    group = np.repeat(np.arange(clusters), sizes)
    common = shared * rng.standard_normal(clusters)[group] + rng.standard_normal(len(group))
    own = 0.3 * rng.standard_normal((2, len(group)))
    y = rng.standard_normal(len(group))
    return y, y + common + own[0], y + (1 + gap) * common + own[1], group


def test_the_difference_is_that_of_the_rmse():
    y, a, b, group = task(np.random.default_rng(0))
    assert compare(y, a, b, group)["diff"] == pytest.approx(rmse(y, a) - rmse(y, b), abs=1e-12)


def test_resamples_are_those_of_a_loop_over_clusters():
    y, a, b, group = task(np.random.default_rng(1), clusters=7)
    found = compare(y, a, b, group, B=500, alpha=0.2, seed=3)
    drawn = np.random.default_rng(3).multinomial(7, np.full(7, 1 / 7), size=500)
    looped = []
    for counts in drawn:
        rows = np.concatenate(
            [np.tile(np.flatnonzero(group == g), n) for g, n in enumerate(counts)]
        )
        rows = rows.astype(int)
        looped.append(rmse(y[rows], a[rows]) - rmse(y[rows], b[rows]))
    assert (found["lo"], found["hi"]) == pytest.approx(tuple(np.quantile(looped, [0.1, 0.9])))


@pytest.mark.parametrize("gap", [0.0, 0.2])
def test_the_interval_holds_the_truth_as_often_as_it_says(gap):
    # Var of an error: shared 1 + own 1 (times 1 + gap for b) + 0.09.
    truth = np.sqrt(2.09) - np.sqrt(2 * (1 + gap) ** 2 + 0.09)
    inside = []
    for number in range(200):
        found = compare(*task(np.random.default_rng(number), gap), B=500, seed=number)
        inside.append(found["lo"] <= truth <= found["hi"])
    assert np.mean(inside) >= 0.90


def test_without_a_difference_it_mostly_says_that_nobody_can_tell():
    verdicts = [
        compare(*task(np.random.default_rng(n)), B=500, seed=n)["verdict"] for n in range(200)
    ]
    assert verdicts.count("inconclusive") >= 180


def test_a_clear_difference_is_found_in_either_direction():
    y, a, b, group = task(np.random.default_rng(0), gap=0.3)
    assert compare(y, a, b, group)["verdict"] == "a"
    assert compare(y, b, a, group)["verdict"] == "b"
    one, other = compare(y, a, b, group), compare(y, b, a, group)
    assert (one["lo"], one["hi"]) == pytest.approx((-other["hi"], -other["lo"]))


def test_pairs_are_kept_together():
    y, a, b, group = task(np.random.default_rng(0), shared=3.0)
    found = compare(y, a, b, group)
    rng = np.random.default_rng(0)
    rows = [rng.choice(len(y), (2, len(y))) for _ in range(500)]
    unpaired = [rmse(y[i], a[i]) - rmse(y[j], b[j]) for i, j in rows]
    assert found["hi"] - found["lo"] < 0.3 * np.ptp(np.quantile(unpaired, [0.025, 0.975]))


def test_clusters_are_kept_together():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 30)
    better = rng.standard_normal(20)[group]  # each scaffold favours one model as a whole
    y = np.zeros(len(group))
    a, b = 2 + 0.5 * better, 2 - 0.5 * better
    by_cluster, by_row = compare(y, a, b, group), compare(y, a, b, np.arange(len(y)))
    assert by_cluster["hi"] - by_cluster["lo"] > 3 * (by_row["hi"] - by_row["lo"])


def test_names_of_groups_order_of_rows_and_a_shift_of_everything_do_not_matter():
    y, a, b, group = task(np.random.default_rng(2))
    names = np.array([f"scaffold {g:03d}" for g in group])
    order = np.random.default_rng(0).permutation(len(y))
    one = compare(y, a, b, group)
    for other in (
        compare(y, a, b, names),
        compare(y[order], a[order], b[order], group[order]),
        compare(y + 5, a + 5, b + 5, group),
    ):
        assert [other[k] for k in ("diff", "lo", "hi")] == pytest.approx(
            [one[k] for k in ("diff", "lo", "hi")]
        )


def test_one_group_tells_nothing():
    found = compare([1.0, 2.0], [1.0, 2.0], [3.0, 4.0], ["same", "same"])
    assert np.isnan(found["lo"]) and np.isnan(found["hi"])
    assert found["verdict"] == "inconclusive"


def test_equal_predictions_are_no_difference():
    y, a, _, group = task(np.random.default_rng(0))
    assert compare(y, a, a, group) == {"diff": 0, "lo": 0, "hi": 0, "verdict": "inconclusive"}


def test_the_seed_decides():
    given = task(np.random.default_rng(0))
    assert compare(*given, seed=1) == compare(*given, seed=1)
    assert compare(*given, seed=1)["lo"] != compare(*given, seed=2)["lo"]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="as many"):
        compare([1.0, 2.0], [1.0, 2.0], [1.0], [0, 1])
    with pytest.raises(ValueError, match="one measurement"):
        compare([], [], [], [])

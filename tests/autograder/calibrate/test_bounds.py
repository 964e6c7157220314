"""Tolerance bounds hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from autograder.calibrate.bounds import (
    failure_rate_at_most,
    lower_bound,
    order_content,
    tolerance_factor,
)

REFERENCE = ("reference", "cpu")
OTHER = ("other", "cpu")


@pytest.mark.parametrize(
    ("n", "factor"), [(6, 5.062), (10, 3.981), (20, 3.295), (30, 3.064), (50, 2.862)]
)
def test_factors_are_those_of_published_tables(n: int, factor: float) -> None:
    assert tolerance_factor(n, n - 1) == pytest.approx(factor, abs=5e-4)


def test_a_normal_bound_has_its_content_as_often_as_it_is_sure() -> None:
    samples = np.random.default_rng(0).standard_normal((4000, 10))
    bounds = samples.mean(1) - tolerance_factor(10, 9) * samples.std(1, ddof=1)
    assert (bounds < -2.3263).mean() == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize(("n", "content"), [(59, 0.95), (299, 0.99)])
def test_so_many_values_are_needed_without_a_distribution(n: int, content: float) -> None:
    assert order_content(n - 1) < content <= order_content(n)


def test_what_was_never_seen_to_fail_may_still_fail() -> None:
    assert failure_rate_at_most(0, 30) == pytest.approx(1 - 0.05 ** (1 / 30))
    assert failure_rate_at_most(1, 30) > failure_rate_at_most(0, 30) > failure_rate_at_most(0, 60)
    assert failure_rate_at_most(3, 3) == 1


def normal(n: int, mean: float = 0.0, sd: float = 1.0) -> list[float]:
    """Equally spaced quantiles of a normal distribution: as normal as a sample can be."""
    from scipy import stats

    x = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return list(mean + sd * x / x.std(ddof=1))


def test_a_normal_sample_gets_a_normal_bound() -> None:
    bound = lower_bound({REFERENCE: normal(30)})
    assert bound.value == pytest.approx(-tolerance_factor(30, 29), abs=1e-9)
    assert (bound.rule, bound.content, bound.deciding) == ("normal", 0.99, REFERENCE)


def test_a_sample_that_is_not_normal_gets_a_smaller_content() -> None:
    bound = lower_bound({REFERENCE: list(-np.exp(normal(30)))})
    assert bound.rule == "order statistic"
    assert bound.content == pytest.approx(0.05 ** (1 / 30))


def test_without_normality_the_bound_lies_above_nobody() -> None:
    outlier = [*normal(40), -7.0]
    assert lower_bound({REFERENCE: outlier}).value == -7.0
    skewed = list(np.exp(normal(30)))
    assert lower_bound({REFERENCE: skewed}).value < min(skewed)


def test_the_most_lenient_group_decides() -> None:
    groups = {REFERENCE: normal(30), OTHER: normal(10, -1.0)}
    bound = lower_bound(groups)
    assert bound.deciding == OTHER
    assert bound.value < lower_bound({REFERENCE: groups[REFERENCE]}).value
    gpu = lower_bound({REFERENCE: normal(30), ("reference", "GPU"): normal(30, -0.5)})
    assert gpu.deciding == ("reference", "GPU")


def test_groups_share_a_spread_unless_they_clearly_differ() -> None:
    alike = lower_bound({REFERENCE: normal(30), OTHER: normal(5, -1.0)})
    assert alike.value == pytest.approx(-1.0 - tolerance_factor(5, 33), abs=1e-6)
    apart = lower_bound({REFERENCE: normal(30), OTHER: normal(20, -1.0, 6.0)})
    assert apart.value == pytest.approx(-1.0 - 6 * tolerance_factor(20, 19), abs=1e-6)


def test_small_groups_share_a_spread_where_large_ones_have_their_own() -> None:
    small = {(name, "cpu"): normal(5, -1.0, 6.0) for name in ("one", "two", "three")}
    bound = lower_bound({REFERENCE: normal(30), **small})
    assert bound.value == pytest.approx(-1.0 - 6 * tolerance_factor(5, 12), abs=1e-6)


def test_what_never_varies_is_its_own_bound_and_no_normal_sample() -> None:
    bound = lower_bound({REFERENCE: [1.0] * 30, OTHER: [1.0] * 10})
    assert (bound.value, bound.rule, bound.deciding) == (1.0, "constant", REFERENCE)
    assert bound.content == pytest.approx(order_content(40))
    once = lower_bound({REFERENCE: [1.0] * 29 + [0.9]})
    assert once.rule == "order statistic" and once.value <= 0.9


def test_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="run five seeds"):
        lower_bound({REFERENCE: normal(4)})
    with pytest.raises(ValueError, match="0 runs"):
        lower_bound({})
    assert lower_bound({REFERENCE: normal(5)}).value < lower_bound({REFERENCE: normal(9)}).value

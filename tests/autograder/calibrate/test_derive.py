"""From runs to thresholds: each rule by itself."""

from __future__ import annotations

import dataclasses
import math

import msgspec
import pytest

from autograder.calibrate.bounds import failure_rate_at_most, tolerance_factor
from autograder.calibrate.derive import derive, derived, quality, refusal
from autograder.calibrate.ledger import Run


def test_full_credit_is_the_tolerance_bound_and_part_of_it_lies_halfway(
    metric, trial, fakes
) -> None:
    found = derive(metric, trial, fakes.reference_runs())
    bound = 0.8 - 0.01 * tolerance_factor(30, 29)
    assert found.bound == pytest.approx(bound, abs=1e-6)
    assert found.steps == pytest.approx([(0.6 + bound) / 2, bound], abs=1e-4)
    assert found.steps[-1] <= bound, "rounding is to the student's good"
    assert (found.content, found.confidence, found.rule) == (0.99, 0.95, "normal")


def test_the_best_trivial_baseline_counts_and_a_learner_does_not(metric, trial, fakes) -> None:
    found = derive(metric, trial, fakes.reference_runs())
    assert (found.baseline, found.baseline_score) == ("colours", 0.6)
    assert not refusal(found, "auc")


def test_lower_is_better_is_the_mirror_image(metric, trial, fakes) -> None:
    def mirrored(run: Run) -> Run:
        turned = {name: -value for name, value in run.baselines["auc"].items()}
        return fakes.a_run(run.seed, metrics={"auc": -run.metrics["auc"]},
                           baselines={"auc": turned}, errors=run.errors)  # fmt: skip

    runs = fakes.reference_runs()
    up = derive(metric, trial, runs)
    lower = dataclasses.replace(metric, better="lower")
    down = derive(lower, trial, [mirrored(run) for run in runs])
    assert down.steps == pytest.approx([-step for step in up.steps])
    assert down.baseline == "colours" and not refusal(down, "auc")


def test_a_step_too_near_the_baseline_is_moved_away_from_it(metric, trial, fakes) -> None:
    part, full = derive(metric, trial, fakes.reference_runs(error=0.05)).steps
    assert part == pytest.approx(0.6 + 3 * 0.05, abs=1e-4) and part < full


def test_a_threshold_within_three_standard_errors_of_the_baseline_is_refused(
    metric, trial, fakes
) -> None:
    runs = fakes.reference_runs(error=0.06)
    problem = refusal(derive(metric, trial, runs), "auc")
    assert "auc: the step 0.76" in problem and "2.8 standard errors" in problem
    assert "beyond colours (0.6)" in problem
    assert derived({"classifier": trial}, runs) == ({}, [problem])
    assert not refusal(derive(metric, trial, fakes.reference_runs(error=0.05)), "auc")


def test_no_step_lies_where_a_trivial_baseline_has_been(metric, trial, fakes) -> None:
    runs = fakes.reference_runs()
    simple = {"colours": 0.6, "chance": 0.74, "forest": 0.9}
    lucky = [*runs[:-1], msgspec.structs.replace(runs[-1], baselines={"auc": simple})]
    found = derive(metric, trial, lucky)
    assert (found.baseline, found.baseline_top) == ("colours", 0.74)
    assert 0.74 < found.steps[0] < 0.741 and not refusal(found, "auc")
    simple["chance"] = 0.8
    problem = refusal(derive(metric, trial, lucky), "auc")
    assert "a trivial baseline has scored 0.8 on a hidden set, and the step is 0.76" in problem


def test_honest_recipes_widen_the_threshold_and_weak_ones_do_not(metric, trial, fakes) -> None:
    runs = fakes.reference_runs()
    alone = derive(metric, trial, runs)
    weak = [
        fakes.a_run(n, "one epoch", metrics={"auc": v}) for n, v in enumerate(fakes.scores(0.7, 5))
    ]
    assert derive(metric, trial, [*runs, *weak]).steps == alone.steps
    wider = [
        fakes.a_run(n, "wider", metrics={"auc": v}) for n, v in enumerate(fakes.scores(0.78, 5))
    ]
    lenient = derive(metric, trial, [*runs, *wider])
    assert lenient.steps[-1] < alone.steps[-1] and lenient.deciding == "wider on cpu"


def test_every_device_has_its_say(metric, trial, fakes) -> None:
    cpu, gpu = fakes.reference_runs(), fakes.reference_runs(mean=0.77, device="H100")
    found = derive(metric, trial, [*cpu, *gpu])
    assert found.deciding == "reference on H100"
    assert found.bound == pytest.approx(0.77 - 0.01 * tolerance_factor(30, 58), abs=1e-3)


def test_false_fails_and_power_are_counted(metric, trial, fakes) -> None:
    runs = fakes.reference_runs()
    weak = [fakes.a_run(n, "one epoch", metrics={"auc": v}) for n, v in enumerate((0.5, 0.6, 0.79))]
    found = derive(metric, trial, runs)
    known = quality(found, metric, trial, [*runs, *weak])
    assert known.missed == {"reference": 0, "one epoch": 2}
    assert (known.failed, known.honest) == (0, 30)
    assert known.false_fail_at_most == failure_rate_at_most(0, 30)
    assert known.separation[-1] == pytest.approx((found.steps[-1] - 0.6) / 0.01, rel=1e-3)


def test_a_metric_that_is_not_graded_has_no_steps_and_is_never_refused(
    metric, trial, fakes
) -> None:
    found = derive(dataclasses.replace(metric, steps=()), trial, fakes.reference_runs(error=1.0))
    assert found.steps == [] and not refusal(found, "auc")


def test_a_bound_of_theory_takes_the_place_of_the_tolerance_bound(metric, trial, fakes) -> None:
    runs = fakes.reference_runs()
    plain = derive(metric, trial, runs)
    found = derive(dataclasses.replace(metric, theory=0.7, steps=(1.0,)), trial, runs)
    assert (found.steps, found.bound, found.rule) == ([0.7], 0.7, "theory")
    assert found.tolerance == plain.bound and plain.tolerance is None
    assert found.content == pytest.approx(1 - failure_rate_at_most(0, 30), abs=1e-4)


def test_a_bound_of_theory_is_refused_and_counted_like_any_other(metric, trial, fakes) -> None:
    runs = fakes.reference_runs()
    near = derive(dataclasses.replace(metric, theory=0.62, steps=(1.0,)), trial, runs)
    assert "2.0 standard errors" in refusal(near, "auc")
    strict = dataclasses.replace(metric, theory=0.8, steps=(1.0,))
    found = derive(strict, trial, runs)
    known = quality(found, strict, trial, runs)
    assert known.failed == 15
    assert found.content == pytest.approx(1 - known.false_fail_at_most, abs=1e-4)


def test_where_nothing_varies_a_threshold_is_infinitely_far_from_a_baseline_or_refused(
    metric, trial, fakes
) -> None:
    runs = fakes.reference_runs(error=0.0)
    found = derive(metric, trial, runs)
    assert quality(found, metric, trial, runs).separation == [math.inf, math.inf]
    assert not refusal(found, "auc")
    below = derive(dataclasses.replace(metric, theory=0.5, steps=(1.0,)), trial, runs)
    assert "-inf standard errors" in refusal(below, "auc")


def test_too_few_runs_give_a_reason_and_no_threshold(trial, fakes) -> None:
    thresholds, refused = derived({"classifier": trial}, fakes.reference_runs(3))
    assert thresholds == {} and refused == ["auc: 3 runs tell nothing of a spread; run five seeds "
                                            "or more."]  # fmt: skip

"""The monitor: false alarms as rare as asked for, and drift found when it can be known."""

import copy

import numpy as np
import pytest

from reference_impl.model_audit import triage
from reference_impl.model_audit.drift import DriftMonitor, first_alarms

DAYS, CHANGE, DELAY = 120, 40, 10


@pytest.fixture(scope="module")
def fresh():
    return DriftMonitor(triage.reference(15_000, np.random.default_rng(0)), arl0=50)


def test_false_alarms_come_as_seldom_as_asked_for(fresh):
    alarms = first_alarms(fresh, triage.streams("none", np.random.default_rng(1), n=150))
    run_length = np.minimum(alarms + 1, DAYS).sum() / (alarms < DAYS).sum()
    assert 45 <= run_length <= 85  # 62.5 is aimed at, with a standard error of about 5


@pytest.mark.parametrize(("kind", "most"), [("covariate", 4), ("label", 9), ("concept", DELAY + 5)])
def test_drift_is_found_soon(fresh, kind, most):
    drawn = triage.streams(kind, np.random.default_rng(2), n=50, change=CHANGE)
    alarms = first_alarms(fresh, drawn)
    assert (alarms[alarms >= CHANGE] - CHANGE).mean() <= most


def test_concept_drift_cannot_be_seen_before_outcomes_are_known(fresh):
    drawn = triage.streams("concept", np.random.default_rng(3), n=20, change=0)
    turned = triage.Streams(drawn.x, drawn.p, 1 - drawn.y, 0)
    one, other = first_alarms(fresh, drawn, delay=30), first_alarms(fresh, turned, delay=30)
    assert ((one == other) | (np.minimum(one, other) >= 30)).all()


def test_outcomes_are_matched_by_day_whatever_their_order(fresh):
    days = [triage.reference(m, np.random.default_rng(m)) for m in (20, 30, 40)]
    monitors = [copy.deepcopy(fresh) for _ in range(2)]
    for monitor in monitors:
        for day in days:
            monitor.update(day["x"], day["p"])
    for monitor, order in zip(monitors, ([0, 1], [1, 0]), strict=True):
        for when in order:
            monitor.update(days[2]["x"], days[2]["p"], (when, days[when]["y"]))


@pytest.mark.parametrize("when", [5, 0])
def test_outcomes_of_no_day_or_told_twice_are_refused(fresh, when):
    monitor, day = copy.deepcopy(fresh), triage.reference(30, np.random.default_rng(4))
    monitor.update(day["x"], day["p"], (0, day["y"]))
    with pytest.raises(ValueError, match=f"day {when}"):
        monitor.update(day["x"], day["p"], (when, day["y"]))


def test_a_longer_run_length_means_a_higher_limit():
    past = triage.reference(4000, np.random.default_rng(5))
    limits = [DriftMonitor(past, arl0=arl0)._limit for arl0 in (20, 80, 320)]
    assert limits == sorted(limits)
    assert limits[0] < limits[-1]

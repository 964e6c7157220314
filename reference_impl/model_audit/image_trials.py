"""What the thresholds of the questions on images, explanations and drift rest on.

A monitor that is blind to the data keeps any run length: it need only never sound, or sound on a
certain day. So delays are graded as a share of what they are without drift, which is 1 for whoever
does not look, and the run length never by itself.

Bounds that are the question's own, and not the tolerance bound of runs, are ``run_length`` (0.8 of
what is asked for) and ``completeness`` (1 %).

What each of six sealed models depends on is planted and does not vary; what varies is the lesions
that it is asked about. Standard errors of ``verdicts`` come from drawing those anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from reference_impl.calibrating import Metric, Trial, changed
from reference_impl.course_secret import student_rng
from reference_impl.model_audit import attribution, drift, hidden_images, shortcuts, triage
from reference_impl.model_audit.blackbox import Network, Predictor, network

__all__ = ["IMAGE_TRIALS"]

Array = npt.NDArray[Any]


# Verdicts


class _Case(NamedTuple):
    """Six sealed models, and what they answer about 300 lesions with and without each edit."""

    y: Array
    as_they_come: Array
    """Answers about the lesions as they come, float64 [300, models]"""
    p: Array
    """float64 [300, models, edits, 2]"""
    faults: Array
    """Number of the edit that each model depends on; -1 for none"""


def _case() -> _Case:
    data = hidden_images.audit_set()
    models = hidden_images.sealed_models("model_audit/q5/six")
    images = [data.X, *(part for pair in data.edits.values() for part in pair)]
    asked = np.array([[Predictor(model.weights)(x) for x in images] for model in models])
    first, others = asked[:, 0].T, np.moveaxis(asked[:, 1:], -1, 0)
    names = [*data.edits]
    faults = [model.fault.reveal() for model in models]
    numbers = np.array([-1 if fault is None else names.index(fault) for fault in faults])
    return _Case(data.y, first, others.reshape(*others.shape[:2], len(names), 2), numbers)


def _judged(case: _Case, p: Array) -> Array:
    """One row a lesion: label, each model's fault and its answers, [300, 1 + models (1 + 8)]."""
    n = len(case.y)
    return np.column_stack([case.y, np.tile(case.faults, (n, 1)), p.reshape(n, -1)])


def _right(rows: Array) -> float:
    """How many models are judged right by their answers about some lesions."""
    models = (rows.shape[1] - 1) // 9
    faults, p = rows[0, 1 : models + 1], rows[:, models + 1 :].reshape(len(rows), models, 4, 2)
    found = 0
    for number, fault in enumerate(faults):
        edits = {str(k): (p[:, number, k, 0], p[:, number, k, 1]) for k in range(4)}
        report = shortcuts.shortcut_report(np.asarray, p[:, number, 0, 0], rows[:, 0], edits)
        flagged = {int(name) for name, one in report["edits"].items() if one["flag"]}
        found += flagged == {int(fault)} - {-1}
    return float(found)


def _accusing(chosen: Callable[[_Case], Array]) -> Callable[[_Case], Array]:
    """Answers that convict each model of the edits that ``chosen`` marks: bool [models, 4]."""

    def answers(case: _Case) -> Array:
        p = np.zeros(case.p.shape)
        p[..., 1] = chosen(case)
        return p

    return answers


def _one_at_random(case: _Case) -> Array:
    """Of each model one edit or none."""
    drawn = student_rng("model_audit calibration verdicts").integers(-1, 4, case.p.shape[1])
    return np.asarray(drawn).reshape(-1, 1) == np.arange(4)


def _low_auc(case: _Case) -> Array:
    """Whoever has an AUC below 0.8 on these lesions depends on the ruler."""
    aucs = np.array([shortcuts._auc(case.y.astype(bool), p) for p in case.as_they_come.T])
    return (aucs < 0.8)[:, None] & (np.arange(4) == 0)


_report = shortcuts.shortcut_report


def _flagging(flagged: Callable[[Array, Array], bool]) -> tuple[Any, ...]:
    """Verdicts by another look at the answers without and with an edit."""

    def report(predict: Any, X: Any, y: Any, edits: Any, **given: Any) -> dict[str, Any]:
        found = _report(predict, X, y, edits, **given)
        for name, (off, on) in edits.items():
            found["edits"][name]["flag"] = flagged(predict(off), predict(on))
        return found

    return changed(shortcuts, shortcut_report=report)


def _bootstrapped(off: Array, on: Array) -> bool:
    d = on - off
    draws = np.random.default_rng(0).choice(d, (200, len(d))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return bool(low > 0.1 or high < -0.1)


def _unpaired(off: Array, on: Array) -> bool:
    reach = 1.96 * np.sqrt((off.var(ddof=1) + on.var(ddof=1)) / len(on))
    return bool(abs(on.mean() - off.mean()) - reach > 0.1)


def _significant(off: Array, on: Array) -> bool:
    d = on - off
    return bool(abs(d.mean()) > 1.96 * d.std(ddof=1) / np.sqrt(len(d)))


_verdicts = Trial(
    name="verdicts",
    prepare=_case,
    answer=lambda case, seed, device: case.p,
    metrics=(
        Metric(
            "verdicts", "higher", rows=_judged, score=_right,
            # one of six may turn out differently, as for an interval of another kind
            steps=(0.7,),
            what="sealed models judged right, of six",
        ),
    ),
    baselines={
        "acquits everybody": _accusing(lambda case: np.zeros((6, 4), bool)),
        "convicts everybody": _accusing(lambda case: np.ones((6, 4), bool)),
        "at random": _accusing(_one_at_random),
        "a low AUC": _accusing(_low_auc),
    },
    honest={"bootstrap interval": _flagging(_bootstrapped)},
    weak={
        "unpaired interval": _flagging(_unpaired),
        "significant is enough": _flagging(_significant),
    },
)  # fmt: skip


# Attributions


class _Pictures(NamedTuple):
    """Two networks, six images for each on which the logit changes, a baseline, the change."""

    networks: list[Network]
    images: list[torch.Tensor]
    x0: list[torch.Tensor]
    change: list[Array]


def _pictures() -> _Pictures:
    rng = student_rng("model_audit/q6/completeness")
    shown = torch.as_tensor(hidden_images.audit_set().X).float() / 255
    task = _Pictures([], [], [], [])
    for model in hidden_images.sealed_models("model_audit/q6/completeness", "clean", "hair"):
        own, x0 = network(model.weights), torch.full((1, 3, 32, 32), float(rng.uniform(0.2, 0.8)))
        with torch.no_grad():
            change = (own(shown) - own(x0)).double().numpy()
        rows = np.argsort(-np.abs(change))[:50][rng.permutation(50)[:6]]
        task.networks.append(own)
        task.images.append(shown[rows])
        task.x0.append(x0)
        task.change.append(change[rows])
    return task


def _sums(task: _Pictures, steps: int = 400) -> Array:
    """Sum of the attributions of each image: [12]."""
    maps = [
        attribution.integrated_gradients(own, x, x0, steps=steps)
        for own, x, x0 in zip(task.networks, task.images, task.x0, strict=True)
    ]
    return np.concatenate([found.double().sum(dim=(1, 2, 3)).numpy() for found in maps])


def _at_the_end(task: _Pictures) -> Array:
    """Gradient at the image, times the image's distance from the baseline."""
    found = []
    for own, images, x0 in zip(task.networks, task.images, task.x0, strict=True):
        x = images.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(own(x).sum(), x)
        found.append(((x.detach() - x0) * slope).double().sum(dim=(1, 2, 3)).numpy())
    return np.concatenate(found)


_attributions = Trial(
    name="attributions",
    prepare=_pictures,
    answer=lambda task, seed, device: _sums(task),
    metrics=(
        Metric(
            "completeness", "lower",
            rows=lambda task, sums: np.abs(sums / np.concatenate(task.change) - 1),
            score=lambda errors: float(errors.max()),
            theory=0.01,
            what="how far attributions are from adding up, the largest of 12 images",
        ),
    ),
    baselines={"gradient times input": _at_the_end, "three steps": lambda task: _sums(task, 3)},
)  # fmt: skip


# Drift


def _outwards(sums: Array, z: Array) -> Array:
    """Both sums of a CUSUM chart with an allowance of half a standard deviation."""
    return np.maximum(0, sums + np.stack([z, -z], axis=-1) - 0.5)


def _shifted(days: Array, z: Array) -> Array:
    return np.concatenate([days[..., 1:], z[..., None]], axis=-1)


CUSUM = drift.Chart(2, _outwards, lambda sums: np.asarray(sums.max(axis=-1)))
"""Two cumulative sums, one for each direction."""
WEEK = drift.Chart(7, _shifted, lambda days: np.abs(days.sum(axis=-1)))
"""The sum of the last seven days."""


def _week_by_week(state: Array, z: Array) -> Array:
    """Days since the last week was over, their sum, and the sum of that week."""
    days, total, last = state[..., 0] + 1, state[..., 1] + z, state[..., 2]
    over = days == 7
    return np.stack(
        [np.where(over, 0, days), np.where(over, 0, total), np.where(over, total, last)], axis=-1
    )


WEEKS = drift.Chart(3, _week_by_week, lambda state: np.abs(state[..., 2]))
"""The sum of each week, looked at when it is over."""


class _Watched(NamedTuple):
    """What a monitor is made of, and streams that it watches."""

    past: dict[str, Array]
    streams: list[triage.Streams]


def _quiet() -> _Watched:
    rng = student_rng("model_audit/q8/false alarms")
    return _Watched(triage.reference(15_000, rng), [triage.streams("none", rng, n=200)])


def _drifting(kind: str) -> Callable[[], _Watched]:
    def draw() -> _Watched:
        rng = student_rng(f"model_audit/q8/{kind}")
        return _Watched(triage.reference(15_000, rng), [*hidden_images.streams(kind, rng)])

    return draw


def _watch(task: _Watched, seed: int, device: str) -> list[Array]:
    """Day of the first alarm in each stream."""
    monitor = drift.DriftMonitor(task.past, arl0=hidden_images.ARL0, seed=seed)
    return [drift.first_alarms(monitor, watched) for watched in task.streams]


def _delays(task: _Watched, alarms: list[Array]) -> Array:
    """Whether something drifts, the alarm, and the day of the change: [streams, 3]."""
    drifting, quiet = alarms
    kinds = np.repeat([1, 0], [len(drifting), len(quiet)])
    change = np.full(len(kinds), task.streams[0].change)
    return np.column_stack([kinds, np.concatenate(alarms), change])


def _delay(rows: Array) -> float:
    kinds, alarms, change = rows.T
    return hidden_images.relative_delay(alarms[kinds == 1], alarms[kinds == 0], int(change[0]))


def _blind(day: Callable[[tuple[int, ...]], Array]) -> Callable[[_Watched], list[Array]]:
    """Alarms on a ``day`` of its own choice, drawn for so many streams."""
    return lambda task: [np.minimum(day((len(s.x),)), s.x.shape[1]) for s in task.streams]


def _rarely(shape: tuple[int, ...]) -> Array:
    rng = student_rng("model_audit calibration alarms")
    return np.concatenate([rng.geometric(1 / hidden_images.ARL0, shape[0]) - 1])


def _two_sigma(task: _Watched) -> list[Array]:
    """Alarms beyond two standard deviations of the day in any chart, whatever was asked for."""
    alarm = drift.DriftMonitor(task.past, arl0=hidden_images.ARL0)
    alarm._limit = 2.0 * np.sqrt(drift.WEIGHT / (2 - drift.WEIGHT))
    return [drift.first_alarms(alarm, watched) for watched in task.streams]


_HONEST = {
    "CUSUM": changed(drift, CHART=CUSUM),
    "moving windows of a week": changed(drift, CHART=WEEK),
    "whole weeks": changed(drift, CHART=WEEKS),
    "weight 0.1": changed(drift, WEIGHT=0.1),
    "weight 0.4": changed(drift, WEIGHT=0.4),
    "half as many false alarms": changed(drift, RESERVE=2.0),
}
_NEVER = {"never alarms": _blind(lambda shape: np.full(shape, 10**6))}
_BLIND = {
    **_NEVER,
    "alarms at the rate allowed": _blind(_rarely),
    "alarms on day 40": _blind(lambda shape: np.full(shape, 40)),
    "always alarms": _blind(np.zeros),
}

_false_alarms = Trial(
    name="false alarms",
    prepare=_quiet,
    answer=_watch,
    metrics=(
        Metric(
            "run_length", "higher",
            rows=lambda task, alarms: alarms[0],
            score=hidden_images.run_length,
            theory=0.8 * hidden_images.ARL0,
            what="days watched without drift over false alarms",
        ),
    ),
    baselines={"two standard deviations": _two_sigma, "always alarms": _blind(np.zeros)},
    # They keep any run length; `any_delay`, which the same hidden test asks for, tells them.
    learners={"alarms at the rate allowed": _blind(_rarely), **_NEVER},
    honest=_HONEST,
    weak={"no reserve for what is estimated": changed(drift, RESERVE=0.7)},
)  # fmt: skip


def _delay_trial(kind: str, what: str) -> Trial:
    ignored = changed(drift.DriftMonitor, _calibration=lambda self, day, y: 0.0)  # type: ignore[arg-type]
    return Trial(
        name=f"{kind} drift",
        prepare=_drifting(kind),
        answer=_watch,
        metrics=(
            Metric(
                f"{kind}_delay", "lower", rows=_delays, score=_delay,
                what=f"mean delay of the alarm after {what}, over that without drift",
            ),
        ),
        baselines=_BLIND,
        honest=_HONEST,
        weak={"today alone": changed(drift, WEIGHT=1.0), "outcomes are not looked at": ignored},
    )  # fmt: skip


IMAGE_TRIALS = (
    _verdicts,
    _attributions,
    _false_alarms,
    _delay_trial("any", "a covariate drift from the first day"),
    _delay_trial("covariate", "a covariate drift"),
    _delay_trial("label", "a label drift"),
    _delay_trial("concept", "a concept drift"),
)

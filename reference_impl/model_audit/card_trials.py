"""What the thresholds of the question on model cards rest on.

Both bounds are theory's: what is graded is the largest of 18 errors, whose tolerance bound from 30
runs would be the worst run seen, of content 0.9.

``card_ends``
    The standard error of a 2.5 % quantile of 200 draws is 0.189 standard deviations, an interval is
    3.92 of these wide, so that the difference of two ends has one of √2 · 0.189 / 3.92 = 0.068
    widths. Allowed are 0.35, five of these.
``card_null``
    The 95 % quantile of 500 draws is known to 3 %; a quarter admits other numbers of draws.

The four points of the card are counted by what is wrong with it, as the question says, and have no
threshold; ``card_points`` shows what simple cards lose of them.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from reference_impl.calibrating import Change, Metric, Trial, changed, under
from reference_impl.model_audit import card_audit, hidden, reliability, subgroups
from reference_impl.model_audit.interval_trials import POISSON, STANDARD_DEVIATION

__all__ = ["CARD_TRIALS"]

Array = npt.NDArray[Any]


_own_report = subgroups.subgroup_report
"""What the author of a card reports with; the card that it is compared with stays as it is."""


def _reporting(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """A recipe in which the author's report alone is under ``changes``."""

    def report(*given: Any, **settings: Any) -> pd.DataFrame:
        with under(changes):
            return subgroups.subgroup_report(*given, **settings)

    return changed(sys.modules[__name__], _own_report=report)


class _Carded(NamedTuple):
    """Patients of a card, and the reference's card of them."""

    data: hidden.Cohort
    card: dict[str, Any]


def _carded() -> _Carded:
    data = hidden.cohort("q9/card", {"north": 500, "south": 300, "west": 40}, slope=0.4)
    return _Carded(data, card_audit.model_card(data.y, data.p, 0.35, data.groups, {}))


class _Told(NamedTuple):
    """What a card says that chance decides."""

    ends: Array
    """How far each end of an interval is from the reference's, in its widths"""
    null: Array
    """Draws of the calibration error"""


def _told(task: _Carded, seed: int, device: str) -> _Told:
    tools: dict[str, Any] = {
        **card_audit.TOOLS,
        "subgroup_report": functools.partial(_own_report, seed=1000 + seed),
    }
    data = task.data
    card = card_audit.model_card(data.y, data.p, 0.35, data.groups, {}, tools)
    return _Told(_ends(task.card, card), reliability.ece_null(data.p, seed=1000 + seed))


def _ends(truth: Mapping[str, Any], card: Mapping[str, Any]) -> Array:
    pairs = [*zip(truth["subgroups"], card["subgroups"], strict=True)]
    names = [(*pair, metric) for pair in pairs for metric in ("auc", "tpr", "fpr")]
    found = [
        abs(said[f"{metric}_{end}"] - true[f"{metric}_{end}"])
        / (true[f"{metric}_hi"] - true[f"{metric}_lo"])
        for true, said, metric in names
        for end in ("lo", "hi")
    ]
    return np.array(found)


def _no_intervals(task: _Carded) -> _Told:
    """Estimates as ends, and no error by chance."""
    flat = [
        {**row, **{f"{m}_{end}": row[m] for m in ("auc", "tpr", "fpr") for end in ("lo", "hi")}}
        for row in task.card["subgroups"]
    ]
    return _Told(_ends(task.card, {"subgroups": flat}), np.zeros(500))


def _first_groups(task: _Carded) -> _Told:
    """The interval of the first group for all, and the card's own error as what chance gives."""
    first = task.card["subgroups"][0]
    same = [first] * len(task.card["subgroups"])
    own = task.card["calibration"]["ece"]
    return _Told(_ends(task.card, {"subgroups": same}), np.full(500, own))


_cards = Trial(
    name="intervals of a card",
    prepare=_carded,
    answer=_told,
    metrics=(
        Metric(
            "card_ends", "lower",
            rows=lambda task, told: told.ends,
            score=lambda ends: float(ends.max()),
            theory=0.35,
            what="distance of an interval's end from the reference's, in its widths, the largest "
            "of 18",
        ),
        Metric(
            "card_null", "lower",
            rows=lambda task, told: told.null / task.card["calibration"]["ece_null_95"],
            score=lambda rows: abs(float(np.quantile(rows, 0.95)) - 1),
            theory=0.25,
            what="relative error of the 95 % quantile of the calibration error by chance",
        ),
    ),
    baselines={"no intervals": _no_intervals, "one group's for all": _first_groups},
    honest={
        "Poisson weights": _reporting(POISSON),
        "standard deviation of resamples": _reporting(STANDARD_DEVIATION),
    },
)  # fmt: skip


def _points(card: dict[str, Any]) -> Array:
    return np.array([float(len(hidden.points_lost(card, card_audit.TOOLS)))])


def _card_of(part: str, seed: int = 0) -> dict[str, Any]:
    """The card of the supplied model, of the patients of one part."""
    data, _ = hidden.evaluation(part)
    threshold = float(np.quantile(hidden.evaluation("val")[0].p, 0.75))
    tools: dict[str, Any] = {
        **card_audit.TOOLS,
        "subgroup_report": functools.partial(subgroups.subgroup_report, seed=seed),
        "ece_null": functools.partial(reliability.ece_null, seed=seed),
    }
    facts = {**hidden.FACTS, "data": {**hidden.FACTS["data"], "simulated": False}}
    return card_audit.model_card(data.y, data.p, threshold, data.groups, facts, tools)


_whole = Trial(
    name="the card handed in",
    prepare=lambda: None,
    answer=lambda task, seed, device: _points(_card_of("test", 1000 + seed)),
    metrics=(
        Metric(
            "card_points", "lower", rows=lambda task, lost: lost, steps=(),
            what="points that the card of the supplied model loses, of four",
        ),
    ),
    baselines={
        "of the training patients": lambda task: _points(_card_of("train")),
        "numbers left out": lambda task: _points(
            {**_card_of("test"), "performance": {}, "subgroups": []}
        ),
        "nothing": lambda task: _points({}),
    },
)  # fmt: skip

CARD_TRIALS = (_cards, _whole)

"""A model card, and the recomputation of every number in one."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reference_impl.model_audit import cards, gaps, reliability, subgroups
from reference_impl.thresholds import Thresholds

__all__ = ["DEDUCTIONS", "TOOLS", "deductions", "model_card"]

DEDUCTIONS = {"false": 2, "superlative": 1, "missing": 1}
"""Points for each finding of :func:`deductions`."""

POINT = 6e-4
"""How far an estimate may be off: cards may round to three decimals."""
_THRESHOLDS = Thresholds(Path(__file__).parent)
# Derived from runs, or declared with the reason, in `card_trials.py`.

SPREAD = _THRESHOLDS.full("card_ends", "how far an end of an interval may be off, at most")
"""In widths of the reference's interval: two percentile intervals differ by chance."""
NULL_SPREAD = _THRESHOLDS.full("card_null", "how far ece_null_95 may be off, at most")
"""As a share of the reference's."""
_ENDS = tuple(f"{metric}_{end}" for metric in ("auc", "tpr", "fpr") for end in ("lo", "hi"))
_GROUP = ("auc", "tpr", "fpr", *_ENDS)

Finding = tuple[str, str]

TOOLS: Mapping[str, Callable[..., Any]] = {
    "subgroup_report": subgroups.subgroup_report,
    "gap": gaps.gap,
    "ece": reliability.ece,
    "ece_null": reliability.ece_null,
}
"""What computes the numbers of a card."""


def model_card(
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    threshold: float,
    groups: pd.DataFrame,
    facts: Mapping[str, Any],
    tools: Mapping[str, Callable[..., Any]] = TOOLS,
) -> dict[str, Any]:
    """A card in the form of :data:`~reference_impl.model_audit.cards.SCHEMA`.

    Args:
        y: Labels 0 or 1 [N] of patients on whom the model was not trained.
        p: Its probabilities [N].
        threshold: Patients with ``p >= threshold`` are flagged.
        groups: Attributes [N, A].
        facts: The parts that are text: ``name``, ``intended_use``, ``out_of_scope``, ``data`` and
            ``limitations``.
        tools: What computes the numbers, see :data:`TOOLS`.
    """
    labels, scores = np.asarray(y), np.asarray(p, dtype=float)
    everybody = pd.DataFrame({"all": ["yes"] * len(labels)})
    overall = tools["subgroup_report"](labels, scores, everybody, threshold, B=2).iloc[0]
    report = tools["subgroup_report"](labels, scores, groups, threshold)
    largest = tools["gap"](report, "tpr")
    chance = np.asarray(tools["ece_null"](scores), dtype=float)
    card = {
        **facts,
        "performance": {
            "n": len(labels),
            "prevalence": float(overall["prev"]),
            "threshold": float(threshold),
            **{name: float(overall[name]) for name in ("auc", "tpr", "fpr", "ppv")},
            "brier": float(np.mean((scores - labels) ** 2)),
        },
        "calibration": {
            "ece": float(tools["ece"](labels, scores)),
            "ece_null_95": float(np.quantile(chance, 0.95)),
        },
        "subgroups": report[["group", "n", "status", *_GROUP]].to_dict("records"),
        "gap": {"metric": "tpr", **{name: largest[name] for name in ("gap", "lo", "hi", "claim")}},
    }
    return dict(_without_nan(card))


def deductions(
    card: Any,
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    threshold: float,
    groups: pd.DataFrame,
    simulated: bool,
    own: Mapping[str, Callable[..., Any]] | None = None,
) -> list[Finding]:
    """What is wrong with a card about these predictions: kind of :data:`DEDUCTIONS`, sentence.

    *missing*: a part of the form, or a group, that is not there; *false*: a number that the
    predictions do not have, a claim of a gap that the interval does not bear out, or the wrong word
    on whether the data are simulated; *superlative*: a word of ``cards.SUPERLATIVES``.

    Args:
        card: What was handed in.
        y: Labels [N].
        p: Probabilities [N].
        threshold: As in :func:`model_card`.
        groups: Attributes [N, A].
        simulated: Whether the data are.
        own: The author's own :data:`TOOLS`. A mistake in one of them is paid for elsewhere: what
            they say of these predictions is not false here.
    """
    if not isinstance(card, Mapping):
        return [("missing", str(part)) for part in cards.SCHEMA["required"]]
    found = [("missing", sentence) for sentence in cards.complaints(card)]
    found += [("superlative", f"the word '{word}'") for word in cards.superlatives(card)]
    truths = [model_card(y, p, threshold, groups, {})]
    if own is not None:
        with contextlib.suppress(Exception):
            truths.append(model_card(y, p, threshold, groups, {}, own))
    if _inner(card, "data").get("simulated") not in (None, simulated):
        found.append(("false", "data.simulated"))
    judged = [_compared(card, truth) for truth in truths]
    return found + [finding for finding in judged[0] if all(finding in other for other in judged)]


def _compared(card: Mapping[str, Any], truth: dict[str, Any]) -> list[Finding]:
    found = _section(card, truth, "performance", lambda name: POINT)
    found += _section(card, truth, "calibration", lambda name: _null(truth, name))
    found += _section(card, truth, "gap", lambda name: _gap(truth, name))
    if _inner(card, "gap").get("claim") not in (None, truth["gap"]["claim"]):
        found.append(("false", "gap.claim is not what the interval says"))
    return found + list(_groups(card.get("subgroups"), truth["subgroups"]))


def _null(truth: dict[str, Any], name: str) -> float:
    return NULL_SPREAD.reveal() * truth["calibration"][name] if name == "ece_null_95" else POINT


def _gap(truth: dict[str, Any], name: str) -> float:
    lo, hi = truth["gap"]["lo"], truth["gap"]["hi"]
    return POINT if name == "gap" or lo is None else SPREAD.reveal() * float(hi - lo)


def _section(
    card: Mapping[str, Any], truth: dict[str, Any], name: str, allowed: Any
) -> list[Finding]:
    given = _inner(card, name)
    return [
        ("false", f"{name}.{key}")
        for key, value in truth[name].items()
        if key not in ("metric", "claim") and key in given
        if not _agree(given[key], value, allowed(key))
    ]


def _groups(given: Any, truth: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    rows = [row for row in given if isinstance(row, Mapping)] if isinstance(given, list) else []
    by_name = {row.get("group"): row for row in rows}
    for line in truth:
        row = by_name.get(line["group"])
        if row is None:
            yield "missing", f"the group {line['group']}"
            continue
        wrong = [key for key in ("n", "status") if key in row and row[key] != line[key]]
        wrong += [k for k in _GROUP if k in row and not _agree(row[k], line[k], _width(line, k))]
        yield from (("false", f"{key} of {line['group']}") for key in wrong)


def _width(line: dict[str, Any], key: str) -> float:
    metric = key.split("_")[0]
    low, high = line[f"{metric}_lo"], line[f"{metric}_hi"]
    return POINT if key == metric or low is None else max(SPREAD.reveal() * (high - low), 0.01)


def _agree(given: Any, true: Any, allowed: float) -> bool:
    if true is None or given is None:
        return given is None and true is None
    if isinstance(given, bool) or not isinstance(given, int | float):
        return False
    return abs(float(given) - float(true)) <= allowed


def _inner(card: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = card.get(name)
    return value if isinstance(value, Mapping) else {}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value

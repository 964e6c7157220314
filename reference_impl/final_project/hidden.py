"""Data that only the grader has, and the bounds that claims on them must keep.

Rows held back are of no group that students have: molecules of other scaffolds, patients of the new
clinic drawn from the course secret. No bound asks for a good model, because a negative result earns
full credit: what is asked is that the model does on new rows what its team claims. What answers are
compared with is a :class:`~reference_impl.secret.Secret`.

To add a topic, add it to ``topics.TOPICS`` and to :data:`_HELD_BACK`.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import gzip
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.course_secret import seed, student_rng
from reference_impl.secret import Secret
from reference_impl.thresholds import Thresholds

__all__ = [
    "CANARY_MOST",
    "CLAIM",
    "EFFECT_MOST",
    "HeldBack",
    "canary_accuracy",
    "canary_guesses",
    "held_back",
    "warm",
]

_THRESHOLDS = Thresholds(Path(__file__).parent)
# Derived from runs, or declared with the reason, in `calibration.py`.

CANARY_MOST = {
    topic: _THRESHOLDS.full(f"canary_{topic}", "share of coin flips guessed right, at most")
    for topic in ("solubility", "derm")
}
""":func:`canary_accuracy` of each topic if no group is in two parts, at most."""

CLAIM = {
    topic: _THRESHOLDS.full(f"claim_{topic}", "how much worse than claimed a model may be, at most")
    for topic in ("solubility", "derm")
}
"""On rows held back, in the unit of each topic's metric: log10(mol/L), area under the curve."""

EFFECT_MOST = _THRESHOLDS.full("effect_error", "how far a reported effect may be off, at most")
"""From the one in the answers, in their unit."""

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class HeldBack:
    """Rows to ask a team's model about, and what its answers are compared with."""

    inputs: Any
    """A list [N] or array [N, ...], in the student's own order"""
    y: Secret[Array]
    """float64 [N]"""


def held_back(topic: str) -> HeldBack:
    """Rows of ``topic`` that no team has, in an order of the student's own.

    Raises:
        KeyError: if there are none for this topic.
    """
    inputs, y = _HELD_BACK[topic]()
    order = student_rng(f"final_project {topic}").permutation(len(y))
    chosen = [inputs[row] for row in order] if isinstance(inputs, list) else inputs[order]
    return HeldBack(chosen, Secret(y[order], f"the answers held back of {topic}"))


@functools.cache
def _solubility() -> tuple[list[str], Array]:
    """256 molecules of scaffolds that students lack; measured, and published by others."""
    file = Path(__file__).parents[1] / "gnn_drug_discovery" / "held_out.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    return [row["smiles"] for row in rows], np.array([float(row["log_solubility"]) for row in rows])


def _derm() -> tuple[Array, Array]:
    """600 patients of the new clinic."""
    return _new_clinic(seed("final_project derm"))


@functools.cache
def _new_clinic(number: int) -> tuple[Array, Array]:
    topics, dermsim = (importlib.import_module(name) for name in ("topics", "dermsim"))
    found = dermsim.cohort(600, np.random.default_rng(number), **topics.NEW_CLINIC)
    return found.X, found.y.astype(np.float64)


_HELD_BACK: dict[str, Callable[[], tuple[Any, Array]]] = {
    "solubility": _solubility, "derm": _derm,
}  # fmt: skip


def canary_accuracy(topic: str, split: dict[str, str], rng: np.random.Generator) -> float:
    """Share of test rows that have the coin flip of their nearest training row, a mean."""
    return float(canary_guesses(topic, split, rng).mean())


def canary_guesses(topic: str, split: dict[str, str], rng: np.random.Generator) -> Array:
    """Whether the coin flip of a test row's nearest training row is its own: bool [20, test rows].

    Each group (scaffold, patient) gets a coin flip. Nothing can be learnt of it but which group a
    row is of, so that more than about one half means that groups are in two parts. There are 20
    tosses; near means a small Euclidean distance of the topic's features.
    """
    topics = importlib.import_module("topics")
    data = topics.load(topic)
    names = data.meta["row"].tolist()
    train, test = (
        np.array([row for row, name in enumerate(names) if split.get(name) == part], dtype=int)
        for part in ("train", "test")
    )
    nearest = train[_nearest(_features(topic), train, test)]
    _, group = np.unique(data.meta["group"], return_inverse=True)
    tosses = rng.integers(0, 2, (20, group.max() + 1))
    found: Array = tosses[:, group[nearest]] == tosses[:, group[test]]
    return found


def _nearest(features: Array, train: Array, test: Array) -> Array:
    a, b = features[test], features[train]
    square = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    found: Array = square.argmin(axis=1)
    return found


@functools.cache
def _features(topic: str) -> Array:
    topics = importlib.import_module("topics")
    found: Array = topics.TOPICS[topic].features(topics.load(topic))
    return found


def warm() -> None:
    """Draw, read and prepare everything, and import what tests use, now."""
    import jsonschema  # noqa: F401

    from reference_impl.final_project import decoys

    for topic, draw in _HELD_BACK.items():
        draw()
        _features(topic)
        decoys.planted(decoys.PRACTICE, topic)

"""What the thresholds of this assignment rest on, for ``autograder calibrate gnn_drug_discovery``.

Everybody trains the solubility model on the molecules that the notebook's given split calls
training set, and everybody is asked about the same hidden molecules: what differs between runs is
the seed.

Errors are capped because a few molecules with errors of several units make the plain mean absolute
error too unsure on so few: its threshold lies less than three standard errors from the baseline.
No network is asked to beat ridge regression on five descriptors: it cannot be told from
it on 256 molecules, and one of the five, Crippen's logP, was itself fitted to thousands of measured
molecules. The trivial baseline is what a graph network can say that passes no messages.

Whoever is trained again while the grader watches learns a target that the course secret
decides, perhaps by another recipe, so that several count there as honest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reference_impl.calibrating import Metric, Trial, changed
from reference_impl.course_secret import course_rng
from reference_impl.gnn_drug_discovery import baselines, given, hidden, training
from reference_impl.gnn_drug_discovery.metrics import capped_error, mae, spearman
from reference_impl.gnn_drug_discovery.moldata import NODE_DIMS
from reference_impl.gnn_drug_discovery.molecules import mol_to_graph
from reference_impl.gnn_drug_discovery.partition import PROJECT, read
from reference_impl.gnn_drug_discovery.splitting import scaffold_split

__all__ = ["TRIALS", "atom_counts"]

Array = npt.NDArray[Any]
Answers = dict[str, Array]
Columns = Callable[[Sequence[str]], npt.NDArray[np.float64]]
UNHURRIED = 1e9
"""Seconds a training may take: no run ends early because the machine is busy."""


@functools.cache
def _public_parts() -> dict[str, hidden.Labelled]:
    """The notebook's training and validation part."""
    rows = read(PROJECT / "data/solubility/known.csv.gz")
    smiles = [row["smiles"] for row in rows]
    y = np.array([float(row["log_solubility"]) for row in rows])
    split = given.split(smiles)
    return {
        part: ([smiles[row] for row in split[part]], y[split[part]]) for part in ("train", "val")
    }


def atom_counts(smiles: Sequence[str]) -> npt.NDArray[np.float64]:
    """How many atoms of a molecule have each code of each atom feature: [N, codes].

    All that a graph network sees of a molecule if it passes no messages and looks at no bonds.
    """
    graphs = [np.asarray(mol_to_graph(text)["x"]) for text in smiles]  # type: ignore[index]
    columns = [
        [np.bincount(graph[:, feature], minlength=codes) for graph in graphs]
        for feature, codes in enumerate(NODE_DIMS)
    ]
    return np.concatenate(columns, axis=1).astype(np.float64)


def _by_ridge(columns: Columns, data: hidden.HiddenMolecules) -> Array:
    """Ridge regression on ``columns`` of the training part's molecules."""
    smiles, y = _public_parts()["train"]
    return baselines.ridge((columns(smiles), y), columns(data.smiles))


def _solve(data: hidden.HiddenMolecules, seed: int, device: str) -> Array:
    parts = _public_parts()
    model = training.train_regressor(
        parts["train"], parts["val"], seed, device, max_seconds=UNHURRIED
    )
    return training.predict(model, data.smiles)


def _with_truth(data: hidden.HiddenMolecules, p: Array) -> Array:
    return np.column_stack([data.y.reveal(), p])


_solubility = Trial(
    name="solubility",
    prepare=hidden.solubility_set,
    answer=_solve,
    metrics=(
        Metric(
            "capped_error", "lower",
            rows=_with_truth,
            score=lambda rows: capped_error(*rows.T),
            steps=(0.5, 1.0),
            what="mean absolute error on unseen scaffolds, capped at 2, log10(mol/L)",
        ),
        Metric(
            "mae", "lower",
            rows=_with_truth,
            score=lambda rows: mae(*rows.T),
            steps=(),
            what="mean absolute error on unseen scaffolds, log10(mol/L)",
        ),
    ),
    baselines={
        "mean of the training set": lambda data: np.full(
            len(data), _public_parts()["train"][1].mean()
        ),
        "linear in atom counts": functools.partial(_by_ridge, atom_counts),
    },
    learners={"ridge on 5 descriptors": functools.partial(_by_ridge, baselines.descriptors)},
    honest={"40 epochs": changed(training, EPOCHS=40)},
    weak={
        "half the learning rate": changed(training, LEARNING_RATE=1.5e-3),
        "one epoch": changed(training, EPOCHS=1),
        "five epochs": changed(training, EPOCHS=5),
        "learning rate 1e-5": changed(training, LEARNING_RATE=1e-5),
        "learning rate 0.1": changed(training, LEARNING_RATE=0.1),
    },
)  # fmt: skip


def _retrain(task: hidden.Retraining, seed: int, device: str) -> Answers:
    found = {}
    for name, sent in (("as sent", task), ("negated", task.negated())):
        model = training.train_regressor(sent.train, sent.val, seed, device, max_seconds=UNHURRIED)
        found[name] = training.predict(model, task.evaluation.smiles)
    return found


def _spearman(rows: Array) -> float:
    return spearman(*rows.T)


def _weights(task: hidden.Retraining) -> Answers:
    """Molecular weight: the first descriptor."""
    weight = baselines.descriptors(task.evaluation.smiles)[:, 0]
    return {"as sent": weight, "negated": weight}


def _guesses(task: hidden.Retraining) -> Answers:
    p = np.random.default_rng(0).random(len(task.evaluation))
    return {"as sent": p, "negated": p}


def _learnt_by_ridge(task: hidden.Retraining) -> Answers:
    columns = baselines.descriptors(task.train[0])
    asked = baselines.descriptors(task.evaluation.smiles)
    p = baselines.ridge((columns, task.train[1]), asked)
    return {"as sent": p, "negated": -p}


def _adam(parameters: Any, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr)


_retraining = Trial(
    name="retraining",
    prepare=hidden.retraining_set,
    answer=_retrain,
    metrics=(
        Metric(
            "retrained_spearman", "higher",
            rows=lambda task, p: _with_truth(task.evaluation, p["as sent"]),
            score=_spearman,
            what="Spearman correlation after training again on other molecules",
        ),
        Metric(
            "negated_spearman", "lower",
            rows=lambda task, p: _with_truth(task.evaluation, p["negated"]),
            score=_spearman,
            what="the same by the true targets after training on negated ones",
        ),
    ),
    baselines={"guessing": _guesses, "molecular weight": _weights},
    learners={"ridge on 5 descriptors": _learnt_by_ridge},
    honest={
        "40 epochs": changed(training, EPOCHS=40),
        "Adam 1e-3": (*changed(torch.optim, AdamW=_adam), *changed(training, LEARNING_RATE=1e-3)),
        "15 epochs": changed(training, EPOCHS=15),
    },
    weak={
        "one epoch": changed(training, EPOCHS=1),
        "learning rate 1e-5": changed(training, LEARNING_RATE=1e-5),
    },
)  # fmt: skip


@dataclass(frozen=True)
class _CoinFlips:
    smiles: list[str]
    labels: Array
    seed: int
    """Of the split, whatever a part of it then serves for"""


def _canary() -> _CoinFlips:
    rng = course_rng("gnn_drug_discovery canary calibration")
    return _CoinFlips(*hidden.canary(rng), int(rng.integers(1000)))


def _by_scaffold(task: _CoinFlips) -> tuple[Array, Array]:
    parts = scaffold_split(task.smiles, (0.5, 0.25, 0.25), task.seed)
    return parts[0], np.concatenate(parts[1:])


def _by_row(task: _CoinFlips) -> tuple[Array, Array]:
    train, _ = _by_scaffold(task)
    rows = np.random.default_rng(task.seed).permutation(len(task.smiles))
    return rows[: len(train)], rows[len(train) :]


def _right(task: _CoinFlips, split: tuple[Array, Array]) -> Array:
    return hidden.nearest_neighbour_hits(task.smiles, task.labels, *split)


_coin_flips = Trial(
    name="canary",
    prepare=_canary,
    answer=lambda task, _seed, _device: _by_scaffold(task),
    metrics=(
        Metric(
            "canary", "lower", rows=_right,
            what="share of coin flips guessed right across the split",
        ),
    ),
    baselines={"split by row": _by_row},
)  # fmt: skip

TRIALS = (_coin_flips, _retraining, _solubility)

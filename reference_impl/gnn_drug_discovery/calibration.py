"""Measures what the reference scores on hidden sets, and what needs no network scores.

``python -m reference_impl.gnn_drug_discovery.calibration --seeds 5 --secrets 6`` prints the numbers
that stand beside the thresholds in :mod:`reference_impl.gnn_drug_discovery.hidden`. Hidden sets of
several secrets are drawn, because a threshold must hold for whichever secret a course has.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reference_impl.calibrating import for_secrets, show
from reference_impl.gnn_drug_discovery import baselines, hidden, pli_sim, training
from reference_impl.gnn_drug_discovery.metrics import mae, rmse, spearman
from reference_impl.gnn_drug_discovery.partition import PROJECT, read
from reference_impl.gnn_drug_discovery.splitting import cold_split, scaffold_split

__all__ = ["main"]


def _solubility(seeds: int, _: int) -> None:
    judged = hidden.solubility_set()
    truth = judged.y.reveal()
    rows = read(PROJECT / "data/solubility/known.csv.gz")
    smiles = [row["smiles"] for row in rows]
    y = np.array([float(row["log_solubility"]) for row in rows])
    show("MAE mean", mae(truth, np.full(len(truth), y.mean())))
    columns = baselines.descriptors(smiles)
    by_ridge = baselines.ridge((columns, y), baselines.descriptors(judged.smiles))
    show("MAE ridge", mae(truth, by_ridge))
    show("RMSE ridge", rmse(truth, by_ridge))
    errors, squares, seconds = [], [], []
    for seed in range(seeds):
        train, val, _rest = scaffold_split(smiles, (0.85, 0.15, 0.0), seed)
        start = time.process_time()
        model = training.train_regressor(_cut(smiles, y, train), _cut(smiles, y, val), seed,
                                         max_seconds=1e6)  # fmt: skip
        seconds.append(time.process_time() - start)
        found = training.predict(model, judged.smiles)
        errors.append(mae(truth, found))
        squares.append(rmse(truth, found))
        show(f"  MAE seed {seed}, validation RMSE {model.history[-1][1]:.3f}", errors[-1])
        gain = np.abs(truth - by_ridge) - np.abs(truth - found)
        print(
            f"  ahead of ridge by {gain.mean():.3f}, SE {gain.std(ddof=1) / len(gain) ** 0.5:.3f}"
        )
    show("MAE network", errors)
    show("RMSE network", squares)
    show("solubility seconds", seconds)


def _retraining(seeds: int, secrets: int) -> None:
    honest: list[float] = []
    negated: list[float] = []
    simple, seconds = [], []
    for number, task in enumerate(for_secrets(hidden.retraining_set, max(seeds, secrets))):
        truth, asked = task.evaluation.y.reveal(), task.evaluation.smiles
        columns = baselines.descriptors(task.train[0])
        guess = baselines.ridge((columns, task.train[1]), baselines.descriptors(asked))
        simple.append(spearman(truth, guess))
        for given, into in ((task, honest), (task.negated(), negated)):
            if number < seeds:
                start = time.process_time()
                model = training.train_regressor(given.train, given.val, number, max_seconds=1e6)
                seconds.append(time.process_time() - start)
                into.append(spearman(truth, training.predict(model, asked)))
    show("retrained Spearman, ridge", simple)
    show("retrained Spearman", honest)
    show("retrained Spearman, targets negated", negated)
    show("retraining seconds", seconds)


def _canary(seeds: int, secrets: int) -> None:
    by_scaffold, by_row = [], []
    for number in range(seeds * secrets):
        smiles, labels = hidden.canary(np.random.default_rng(number))
        parts = scaffold_split(smiles, (0.6, 0.2, 0.2), number)
        train, test = parts[0], np.concatenate(parts[1:])
        by_scaffold.append(hidden.nearest_neighbour_accuracy(smiles, labels, train, test))
        rows = np.random.default_rng(number).permutation(len(smiles))
        split = rows[: len(train)], rows[len(train) :]
        by_row.append(hidden.nearest_neighbour_accuracy(smiles, labels, *split))
    show("canary, split by scaffold", by_scaffold)
    show("canary, split by row", by_row)


def _binding(seeds: int, secrets: int) -> None:
    """Share of the variance that is left over, on the public simulated screen."""
    drawn = pli_sim.public_screen()
    pairs = [(drawn.smiles[drug], drawn.pockets[pocket]) for drug, pocket in drawn.pairs]
    for mode in ("pair", "drug", "target"):
        train, val, test, _ = cold_split(drawn.pairs, mode, seed=0)
        y = drawn.y[test]
        means = baselines.additive_baseline((drawn.pairs[train], drawn.y[train]), drawn.pairs[test])
        show(f"MSE {mode}, additive", [rmse(y, means) ** 2])
        errors = []
        for seed in range(seeds):
            model = training.train_affinity(
                ([pairs[row] for row in train], drawn.y[train]),
                ([pairs[row] for row in val], drawn.y[val]),
                seed, max_seconds=1e6,
            )  # fmt: skip
            found = training.predict_affinity(model, [pairs[row] for row in test])
            errors.append(rmse(y, found) ** 2)
        show(f"MSE {mode}, network", errors)


def _cut(smiles: list[str], y: npt.NDArray[Any], rows: npt.NDArray[Any]) -> hidden.Labelled:
    return [smiles[row] for row in rows], y[rows]


_PARTS = {
    "solubility": _solubility,
    "retraining": _retraining,
    "canary": _canary,
    "binding": _binding,
}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(_PARTS), help=", ".join(_PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--secrets", type=int, default=6)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for part in arguments.parts:
        _PARTS[part](arguments.seeds, arguments.secrets)


if __name__ == "__main__":
    main()

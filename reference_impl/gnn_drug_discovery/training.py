"""Training a graph network on measurements, and asking it for predictions in their unit."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from reference_impl.gnn_drug_discovery.metrics import Standardiser, rmse
from reference_impl.gnn_drug_discovery.moldata import EDGE_DIMS, NODE_DIMS, collate, composition
from reference_impl.gnn_drug_discovery.molecules import mol_to_graph
from reference_impl.gnn_drug_discovery.networks import DTANet, MolGNN

__all__ = ["predict", "predict_affinity", "train_affinity", "train_regressor"]

EPOCHS = 30
BATCH = 32
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2
AFFINITY_EPOCHS = 15

Model = TypeVar("Model", MolGNN, DTANet)
Row = tuple[dict[str, Tensor], Tensor | None]
"""The graph of a molecule, and its protein's features [P] if there is a protein."""


def train_regressor(
    train: tuple[Sequence[str], npt.ArrayLike],
    val: tuple[Sequence[str], npt.ArrayLike],
    seed: int = 0,
    device: str | torch.device = "cpu",
    max_seconds: float = 60.0,
) -> MolGNN:
    """Train a :class:`MolGNN` to predict a measurement of molecules.

    Mean squared error of the standardised target, AdamW, and a learning rate that rises for a
    tenth of the steps and then falls along a cosine to zero.

    Args:
        train: SMILES [N] and measurements [N] to learn from.
        val: SMILES and measurements to watch. They are never learnt from.
        seed: Seed of the initial weights and the order.
        device: ``"cpu"`` or ``"cuda"``.
        max_seconds: Training ends after this many seconds even if epochs are left.

    Returns:
        The model in evaluation mode, the training set's mean and standard deviation inside.
        ``model.history`` has one ``(training loss, validation RMSE)`` for each epoch.

    Raises:
        ValueError: if RDKit cannot read a SMILES.
    """
    torch.manual_seed(seed)
    model = MolGNN(NODE_DIMS, EDGE_DIMS).to(device)
    sets = [(_rows(smiles), np.asarray(y, dtype=np.float64)) for smiles, y in (train, val)]
    return _fit(model, sets[0], sets[1], seed, EPOCHS, max_seconds)


def predict(model: MolGNN, smiles: Sequence[str], batch: int = 256) -> npt.NDArray[np.float64]:
    """What ``model`` predicts for each molecule, in the unit it was trained on: float64 [N].

    The model is in evaluation mode while it is asked, so that a molecule's answer does not depend
    on the molecules beside it; its mode is restored afterwards.

    Args:
        model: A trained network.
        smiles: Molecules [N].
        batch: Molecules at a time; has no effect on the answer but for rounding.

    Raises:
        ValueError: if RDKit cannot read a SMILES.
    """
    return _asked(model, _rows(smiles), batch)


def train_affinity(
    train: tuple[Sequence[tuple[str, str]], npt.ArrayLike],
    val: tuple[Sequence[tuple[str, str]], npt.ArrayLike],
    seed: int = 0,
    device: str | torch.device = "cpu",
    max_seconds: float = 120.0,
) -> DTANet:
    """Train a :class:`DTANet` as :func:`train_regressor` trains a :class:`MolGNN`.

    Args:
        train: Pairs of a drug's SMILES and a protein's sequence [N], and affinities [N].
        val: The same, to watch.
        seed: See :func:`train_regressor`.
        device: See :func:`train_regressor`.
        max_seconds: See :func:`train_regressor`.
    """
    torch.manual_seed(seed)
    model = DTANet(NODE_DIMS, EDGE_DIMS).to(device)
    sets = [(_paired(pairs), np.asarray(y, dtype=np.float64)) for pairs, y in (train, val)]
    return _fit(model, sets[0], sets[1], seed, AFFINITY_EPOCHS, max_seconds)


def predict_affinity(
    model: DTANet, pairs: Sequence[tuple[str, str]], batch: int = 256
) -> npt.NDArray[np.float64]:
    """Affinity of each pair of a SMILES and a sequence, as :func:`predict` does it: float64 [N]."""
    return _asked(model, _paired(pairs), batch)


def _fit(
    model: Model,
    train: tuple[list[Row], npt.NDArray[np.float64]],
    val: tuple[list[Row], npt.NDArray[np.float64]],
    seed: int,
    epochs: int,
    max_seconds: float,
) -> Model:
    deadline = time.monotonic() + max_seconds
    rng = np.random.default_rng(seed)
    rows, y = train
    scale = Standardiser().fit(y)
    model.target_mean.fill_(scale.mean)
    model.target_std.fill_(scale.std)
    where = model.target_mean.device
    target = torch.as_tensor(scale.transform(y), dtype=torch.float32, device=where)

    steps = epochs * math.ceil(len(rows) / BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    model.history = []
    for _ in range(epochs):
        model.train()
        losses = []
        for chosen in np.array_split(rng.permutation(len(rows)), math.ceil(len(rows) / BATCH)):
            predicted = model(*_inputs([rows[row] for row in chosen], where))
            loss = functional.mse_loss(predicted, target[torch.as_tensor(chosen)])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            if time.monotonic() > deadline:
                break
        model.history.append((float(np.mean(losses)), rmse(val[1], _asked(model, val[0]))))
        if time.monotonic() > deadline:
            break
    return model.eval()


def _asked(model: Model, rows: list[Row], batch: int = 256) -> npt.NDArray[np.float64]:
    was_training, where = model.training, model.target_mean.device
    model.eval()
    with torch.inference_mode():
        parts = [
            model(*_inputs(rows[start : start + batch], where)).double().cpu().numpy()
            for start in range(0, len(rows), batch)
        ]
    model.train(was_training)
    standard = np.concatenate(parts) if parts else np.zeros(0)
    return float(model.target_mean) + float(model.target_std) * standard


def _inputs(rows: Sequence[Row], device: torch.device) -> list[Tensor]:
    """What a network's ``forward`` takes, for some rows."""
    parts: list[Tensor] = list(collate([graph for graph, _ in rows]))
    proteins = [protein for _, protein in rows if protein is not None]
    return [part.to(device) for part in ([*parts, torch.stack(proteins)] if proteins else parts)]


def _rows(smiles: Sequence[str]) -> list[Row]:
    """Graphs of molecules, each different one made once."""
    graphs: dict[str, Any] = {text: mol_to_graph(text) for text in dict.fromkeys(smiles)}
    for row, text in enumerate(smiles):
        if graphs[text] is None:
            raise ValueError(f"row {row} is no molecule: {text!r}")
    return [(graphs[text], None) for text in smiles]


def _paired(pairs: Sequence[tuple[str, str]]) -> list[Row]:
    proteins = torch.from_numpy(composition([sequence for _, sequence in pairs]))
    graphs = [graph for graph, _ in _rows([smiles for smiles, _ in pairs])]
    return list(zip(graphs, proteins, strict=True))

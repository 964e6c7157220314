"""A small network for the risk of dying in hospital: how the model under audit was made.

This file is published with the notebook and holds no answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn

__all__ = ["design", "fit_risk"]

Array = npt.NDArray[np.float32]


def design(table: pd.DataFrame, columns: Sequence[str], train: npt.NDArray[np.bool_]) -> Array:
    """Columns as inputs of a network.

    Numbers are centred and scaled by median and standard deviation of the rows to learn from, with
    0 where nothing was measured; text becomes one column for each of its values.

    Args:
        table: [N, any], such as ``cohorts.patients()``.
        columns: Names of the columns to use.
        train: Bool [N], rows to learn from.

    Returns:
        float32 [N, F].
    """
    parts: list[Any] = []
    for name in columns:
        column = table[name]
        if column.dtype.kind in "biuf":
            known = column[train]
            scaled = (column - known.median()) / (known.std() or 1.0)
            parts.append(scaled.fillna(0).clip(-6, 6).to_numpy())
        else:
            text = column.fillna("missing")
            parts += [(text == value).to_numpy() for value in sorted(set(text[train]))]
    return np.stack(parts, axis=1).astype(np.float32)


def fit_risk(
    X: Array, y: npt.NDArray[Any], train: npt.NDArray[np.bool_], epochs: int = 25, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Log odds of death, of a network with 32 hidden units; trains about a second on a CPU.

    Args:
        X: Inputs [N, F], see :func:`design`.
        y: Died, 0 or 1, [N]; only the rows of ``train`` are looked at.
        train: Bool [N], rows to learn from.
        epochs: Passes over them, in batches of 256, with Adam.
        seed: Decides weights and order.

    Returns:
        float32 [N], for all rows.
    """
    torch.manual_seed(seed)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(np.asarray(y, dtype=np.float32))
    rows = torch.from_numpy(np.flatnonzero(train))
    net = nn.Sequential(nn.Linear(X.shape[1], 32), nn.ReLU(), nn.Linear(32, 1))
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in rows[torch.randperm(len(rows))].split(256):
            loss = nn.functional.binary_cross_entropy_with_logits(
                net(inputs[batch])[:, 0], labels[batch]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        return net(inputs)[:, 0].numpy()

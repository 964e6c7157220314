"""What a network has to beat: means without chemistry, and five numbers with ridge regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

from reference_impl.gnn_drug_discovery.molecules import parse

__all__ = ["DESCRIPTORS", "additive_baseline", "descriptors", "ridge"]

Pairs = Sequence[Sequence[Any]] | npt.NDArray[Any]

DESCRIPTORS = ("molecular weight", "Crippen logP", "polar surface area", "rotatable bonds",
               "aromatic rings")  # fmt: skip
"""The columns of :func:`descriptors`: g/mol, none, square ångström, counts."""


def additive_baseline(train: tuple[Pairs, npt.ArrayLike], test: Pairs) -> npt.NDArray[np.float64]:
    """Affinity as a drug's part plus a protein's part, without looking at either.

    ``m + (m_d - m) + (m_t - m)``: the training mean, and how far the means of the pair's drug and
    of its protein lie from it. The part of a drug or protein that training has not seen is 0. A
    model that does not beat this has learnt nothing about which drug fits which protein.

    Args:
        train: Pairs [N, 2] of drug and protein, as numbers or names, and their affinities [N].
        test: Pairs [M, 2].

    Returns:
        float64 [M].

    Raises:
        ValueError: if there are no training pairs, or not one affinity for each.
    """
    pairs, y = train
    affinity = np.asarray(y, dtype=np.float64)
    if not len(affinity) or len(pairs) != len(affinity):
        raise ValueError(f"one affinity for each pair: {len(affinity)} is not {len(pairs)}")
    mean = affinity.mean()
    predicted = np.full(len(test), mean)
    for side in (0, 1):
        known: dict[Any, list[float]] = {}
        for pair, value in zip(pairs, affinity.tolist(), strict=True):
            known.setdefault(pair[side], []).append(value)
        part = {name: float(np.mean(values)) - mean for name, values in known.items()}
        predicted += np.array([part.get(pair[side], 0.0) for pair in test]).reshape(len(test))
    return predicted


def descriptors(smiles: Sequence[str]) -> npt.NDArray[np.float64]:
    """Five numbers a chemist would look at first, :data:`DESCRIPTORS`: float64 [N, 5].

    Raises:
        ValueError: if RDKit cannot read a SMILES.
    """
    rows = []
    for number, text in enumerate(smiles):
        molecule = parse(text)
        if molecule is None:
            raise ValueError(f"row {number} is no molecule: {text!r}")
        rows.append((
            Descriptors.MolWt(molecule),  # type: ignore[attr-defined]
            Crippen.MolLogP(molecule),  # type: ignore[attr-defined]
            rdMolDescriptors.CalcTPSA(molecule),
            rdMolDescriptors.CalcNumRotatableBonds(molecule),
            rdMolDescriptors.CalcNumAromaticRings(molecule),
        ))  # fmt: skip
    return np.array(rows, dtype=np.float64).reshape(-1, len(DESCRIPTORS))


def ridge(
    train: tuple[npt.ArrayLike, npt.ArrayLike], test: npt.ArrayLike, penalty: float = 1.0
) -> npt.NDArray[np.float64]:
    """Ridge regression on standardised columns, the intercept unpenalised.

    Minimises ``sum (y - a - Z w)^2 + penalty |w|^2``, ``Z`` the columns shifted and scaled by mean
    and standard deviation of the training rows (Hoerl & Kennard, Technometrics 12:55, 1970).

    Args:
        train: Columns [N, D] and targets [N].
        test: Columns [M, D].
        penalty: How much large weights cost.

    Returns:
        Predictions for the rows of ``test``, float64 [M].
    """
    X, y = (np.asarray(values, dtype=np.float64) for values in train)
    mean, std = X.mean(axis=0), X.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    Z = (X - mean) / std
    weights = np.linalg.solve(Z.T @ Z + penalty * np.eye(Z.shape[1]), Z.T @ (y - y.mean()))
    return y.mean() + (np.asarray(test, dtype=np.float64) - mean) / std @ weights

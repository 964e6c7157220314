"""Splits that ask a model for chemistry it has not seen, and duplicates that contradict each other.

Fractions are those of training, validation and test set, in this order.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem.Scaffolds import MurckoScaffold

from reference_impl.gnn_drug_discovery.molecules import canonical_key

__all__ = ["cold_split", "label_conflicts", "scaffold", "scaffold_split"]

Index = npt.NDArray[np.int64]
Fractions = tuple[float, float, float]


def scaffold(smiles: str) -> str:
    """The molecule's rings and what links them, as SMILES; ``""`` if it has no ring.

    The Bemis-Murcko framework (J Med Chem 39:2887, 1996) of the molecule that
    :func:`~reference_impl.gnn_drug_discovery.molecules.canonical_key` names, as RDKit makes it:
    with the elements, and with atoms that are double-bonded to it.

    Raises:
        ValueError: if RDKit cannot read ``smiles``.
    """
    raise NotImplementedError


def scaffold_split(
    smiles: Sequence[str], frac: Fractions = (0.8, 0.1, 0.1), seed: int = 0
) -> tuple[Index, Index, Index]:
    """Split molecules so that no scaffold, and no compound, is in two parts.

    Molecules of one :func:`scaffold` stay together; a molecule without rings is a group of its
    own, with its duplicates. Groups larger than half of the validation or the test set go to
    training. The others are taken in random order, and each goes to the first part that has room
    for it; one for which no part has room goes where most room is left.

    Args:
        smiles: Molecules [N].
        frac: Shares of *molecules*, which sum to 1.
        seed: The same seed gives the same split.

    Returns:
        Row numbers (int64, ascending) of the training, validation and test sets.

    Raises:
        ValueError: if a SMILES cannot be read, or the fractions are no shares.
    """
    raise NotImplementedError


def label_conflicts(
    smiles: Sequence[str], y: npt.ArrayLike, tolerance: float = 0.0
) -> dict[str, Index]:
    """Compounds whose records contradict each other.

    They are reported, not averaged: the mean of "passes" and "does not pass" is no measurement.

    Args:
        smiles: Molecules [N].
        y: Labels or measurements [N]; nan says nothing and contradicts nothing.
        tolerance: How far apart measurements of one compound may lie.

    Returns:
        For each compound whose labels span more than ``tolerance``: its canonical key, and the
        row numbers (int64, ascending) of all its records that have a label.

    Raises:
        ValueError: if a SMILES cannot be read.
    """
    raise NotImplementedError


def cold_split(
    pairs: Sequence[Sequence[Hashable]] | npt.NDArray[Any],
    mode: str,
    seed: int = 0,
    frac: Fractions = (0.7, 0.1, 0.2),
) -> tuple[Index, Index, Index, Index]:
    """Split pairs of a drug and a target by what a test pair may share with training pairs.

    ========== ======================================================= ==================
    ``mode``   what is divided by ``frac``                             dropped
    ========== ======================================================= ==================
    "pair"     distinct pairs: drugs and targets may all be known      nothing
    "drug"     drugs: those of a test pair are new, its target is not  nothing
    "target"   targets: the other way round                            nothing
    "both"     drugs, and also targets                                 pairs across parts
    ========== ======================================================= ==================

    Args:
        pairs: Drug and target of each row [N, 2], as numbers or names.
        mode: See above.
        seed: The same seed gives the same split.
        frac: Shares of what is divided, not of rows; they sum to 1.

    Returns:
        Row numbers (int64, ascending) of the training, validation and test sets, and of the rows
        that had to be dropped, because their drug and their target lie in different parts.

    Raises:
        ValueError: if there is no such mode, the shape is wrong, or the fractions are no shares.
    """
    raise NotImplementedError

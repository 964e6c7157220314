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
    return _framework(_keys([smiles])[0])


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
    _check(frac)
    names = [_framework(key) or f"no ring: {key}" for key in _keys(smiles)]
    _, group_of_row = np.unique(np.array(names, dtype=object), return_inverse=True)
    sizes = np.bincount(group_of_row)
    room = np.array(frac) * len(smiles)
    large = sizes > min((share for share in room[1:] if share), default=np.inf) / 2

    order = np.random.default_rng(seed).permutation(len(sizes))
    part_of_group = np.zeros(len(sizes), dtype=np.int64)
    for group in [*order[large[order]], *order[~large[order]]]:
        fits = np.flatnonzero(room >= sizes[group])
        part = 0 if large[group] else fits[0] if len(fits) else room.argmax()
        part_of_group[group] = part
        room[part] -= sizes[group]
    return _parts(part_of_group[group_of_row])


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
    labels = np.asarray(y, dtype=np.float64)
    if labels.shape != (len(smiles),):
        raise ValueError(f"one label for each molecule: {labels.shape} is not ({len(smiles)},)")
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(_keys(smiles)):
        if not np.isnan(labels[row]):
            rows.setdefault(key, []).append(row)
    return {
        key: np.array(found, dtype=np.int64)
        for key, found in rows.items()
        if np.ptp(labels[found]) > tolerance
    }


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
    _check(frac)
    if mode not in ("pair", "drug", "target", "both"):
        raise ValueError(f"there is no mode {mode!r}: take pair, drug, target or both")
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a row of pairs is a drug and a target")
    rng = np.random.default_rng(seed)
    drugs, targets = (_numbers([pair[side] for pair in pairs]) for side in (0, 1))
    if mode == "pair":
        part = _divided(
            _numbers(list(zip(drugs.tolist(), targets.tolist(), strict=True))), frac, rng
        )
    elif mode == "both":
        by_drug, by_target = _divided(drugs, frac, rng), _divided(targets, frac, rng)
        part = np.where(by_drug == by_target, by_drug, 3)
    else:
        part = _divided(drugs if mode == "drug" else targets, frac, rng)
    return (*_parts(part), np.flatnonzero(part == 3))


def _keys(smiles: Sequence[str]) -> list[str]:
    """Canonical keys, one for each molecule."""
    keys = []
    for row, text in enumerate(smiles):
        key = canonical_key(text)
        if key is None:
            raise ValueError(f"row {row} is no molecule: {text!r}")
        keys.append(key)
    return keys


def _framework(key: str) -> str:
    return str(MurckoScaffold.MurckoScaffoldSmiles(mol=Chem.MolFromSmiles(key)))


def _check(frac: Fractions) -> None:
    if len(frac) != 3 or min(frac) < 0 or not np.isclose(sum(frac), 1):
        raise ValueError(f"three fractions that sum to 1, not {frac}")


def _numbers(names: Sequence[Hashable]) -> Index:
    """A number for each name, equal names alike, in order of first appearance."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)


def _divided(members: Index, frac: Fractions, rng: np.random.Generator) -> Index:
    """The part 0, 1 or 2 of each row, all rows of a member in one part."""
    count = int(members.max()) + 1 if len(members) else 0
    cuts = np.rint(np.cumsum(frac)[:2] * count).astype(int)
    part_of_member = np.empty(count, dtype=np.int64)
    for part, chosen in enumerate(np.split(rng.permutation(count), cuts)):
        part_of_member[chosen] = part
    return part_of_member[members]


def _parts(part_of_row: Index) -> tuple[Index, Index, Index]:
    train, validation, test = (np.flatnonzero(part_of_row == part) for part in range(3))
    return train, validation, test

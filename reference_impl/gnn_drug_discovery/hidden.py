"""Data that only the grader has, and the scores that a trained model must reach on them.

Solubility is measured on scaffolds that students do not have. Every student's code is asked about
all of them, because a choice of some would move the error as much as another seed does;
the order is the student's own and tells nothing. The measurements are published
ones, so that a score on them proves less than one on :func:`retraining_set`, whose labels are made
up for each student. What answers are compared with is a
:class:`~reference_impl.secret.Secret`.

:func:`warm` reads and prepares all molecules, so that a process from which graders are forked pays
for them once.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

from reference_impl.course_secret import student_rng
from reference_impl.gnn_drug_discovery.moldata import ATOM_FEATURES
from reference_impl.gnn_drug_discovery.molecules import mol_to_graph, parse
from reference_impl.gnn_drug_discovery.partition import HELD_OUT, STOCK, read
from reference_impl.secret import Secret
from reference_impl.thresholds import Thresholds

__all__ = [
    "CANARY_MOST",
    "ERROR_STEPS",
    "NEGATED_SPEARMAN",
    "RETRAINED_SPEARMAN",
    "HiddenMolecules",
    "Labelled",
    "Retraining",
    "canary",
    "nearest_neighbour_accuracy",
    "nearest_neighbour_hits",
    "retraining_set",
    "solubility_set",
    "some_molecules",
    "warm",
]

_THRESHOLDS = Thresholds(Path(__file__).parent)
# Derived from runs of the reference that `calibration.py` declares.

ERROR_STEPS = _THRESHOLDS.steps(
    "capped_error", "capped error that earns part of the credit, and all of it"
)
"""Mean :func:`~reference_impl.gnn_drug_discovery.metrics.capped_error` on :func:`solubility_set`
for part of the credit and for all of it, in log10(mol/L)."""

RETRAINED_SPEARMAN = _THRESHOLDS.full(
    "retrained_spearman", "Spearman correlation after training again, at least"
)
"""Spearman correlation on ``retraining_set().evaluation``, at least."""

NEGATED_SPEARMAN = _THRESHOLDS.full(
    "negated_spearman", "Spearman correlation after training on negated targets, at most"
)
"""The same by the true targets after training on negated ones, at most."""

CANARY_MOST = _THRESHOLDS.full("canary", "share of coin flips guessed right, at most")
"""Accuracy of :func:`nearest_neighbour_accuracy` on :func:`canary`, at most, if the split is by
scaffold with fractions (0.5, 0.25, 0.25)."""

Array = npt.NDArray[Any]
Labelled = tuple[list[str], Array]
"""SMILES [N] and float64 [N]."""


@dataclasses.dataclass(frozen=True, eq=False)
class HiddenMolecules:
    """Molecules to ask a student's model about, and what its answers are compared with."""

    smiles: list[str]
    """[N], in no order"""
    y: Secret[Array]
    """float64 [N]"""

    def __len__(self) -> int:
        return len(self.smiles)


@dataclasses.dataclass(frozen=True, eq=False)
class Retraining:
    """A small task of the same kind, to train on while the grader watches.

    ``train`` and ``val`` are sent on purpose, targets and all; ``evaluation`` is asked about.
    """

    train: Labelled
    val: Labelled
    evaluation: HiddenMolecules

    def negated(self) -> Retraining:
        """The same molecules with the sign of every target of training and validation turned.

        Whoever learns from what is sent now ranks molecules the other way round: the correlation
        with the true targets of ``evaluation`` turns its sign. An answer that was prepared
        beforehand cannot pass both.
        """
        train, val = ((smiles, -y) for smiles, y in (self.train, self.val))
        return dataclasses.replace(self, train=train, val=val)


def solubility_set() -> HiddenMolecules:
    """256 molecules with their solubility in log10(mol/L), of scaffolds that students lack."""
    rows = _held_out()
    rng = student_rng("gnn_drug_discovery solubility set")
    chosen = rng.permutation(len(rows))
    y = np.array([rows[row][1] for row in chosen])
    return HiddenMolecules([rows[row][0] for row in chosen], Secret(y, "the hidden solubilities"))


def retraining_set() -> Retraining:
    """Real molecules with a made-up target: 160 to learn from, 40 to watch, 300 to judge by.

    The target is a sum over atoms: each kind of atom (element, hydrogens, whether aromatic)
    contributes an amount drawn for this student, and a little noise is added. Amounts have mean 0
    over the atoms in stock, so that a molecule's size tells nothing. Mean and spread are those of
    solubility, -3 and 2.
    """
    rng = student_rng("gnn_drug_discovery retraining set")
    stock = _stock()
    chosen = rng.permutation(len(stock.smiles))[:500]
    counts = stock.atoms[chosen]
    share = stock.atoms.sum(axis=0) / stock.atoms.sum()
    amounts = rng.standard_normal(counts.shape[1])
    raw = counts @ (amounts - share @ amounts)
    y = -3 + 2 * (raw - raw.mean()) / raw.std() + 0.2 * rng.standard_normal(len(chosen))
    smiles = [stock.smiles[row] for row in chosen]
    train, val = ((smiles[part], y[part]) for part in (slice(0, 160), slice(160, 200)))
    judged = HiddenMolecules(smiles[200:], Secret(y[200:], "the targets of the retraining set"))
    return Retraining(train, val, judged)


def canary(rng: np.random.Generator) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Molecules with rings, whose label is a coin flip for each scaffold: SMILES [N], 0 or 1 [N].

    Nothing can be learnt here but which scaffold a molecule has. So whoever predicts better than
    chance has seen the scaffold before: :func:`nearest_neighbour_accuracy` between the parts of a
    split is about one half if no scaffold is in two of them.

    The labels are tossed here and sent on purpose: a split may look at them, and they say nothing.

    Args:
        rng: Chooses the order of the rows and the labels.
    """
    stock = _stock()
    rows = rng.permutation(np.flatnonzero(stock.scaffold >= 0))
    coins = rng.integers(0, 2, stock.scaffold.max() + 1)
    return [stock.smiles[row] for row in rows], coins[stock.scaffold[rows]]


def nearest_neighbour_accuracy(
    smiles: list[str], labels: Array, train: Array, test: Array
) -> float:
    """Share of ``test`` rows whose label :func:`nearest_neighbour_hits` guesses."""
    return float(nearest_neighbour_hits(smiles, labels, train, test).mean())


def nearest_neighbour_hits(
    smiles: list[str], labels: Array, train: Array, test: Array
) -> npt.NDArray[np.bool_]:
    """Whether each of the ``test`` rows has the label of the most similar ``train`` row.

    Similar means a high Tanimoto similarity of Morgan fingerprints of radius 2 (Rogers & Hahn,
    J Chem Inf Model 50:742, 2010).
    """
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetFingerprint(parse(text)) for text in smiles]
    known = [prints[row] for row in train]
    nearest = [np.argmax(DataStructs.BulkTanimotoSimilarity(prints[row], known)) for row in test]
    return np.asarray(labels[np.asarray(train)[nearest]] == labels[test])


def some_molecules(rng: np.random.Generator, count: int) -> list[str]:
    """SMILES of ``count`` different drug-like molecules, many of them chiral."""
    stock = _stock()
    return [stock.smiles[row] for row in rng.choice(len(stock.smiles), size=count, replace=False)]


@dataclasses.dataclass(frozen=True, eq=False)
class _Stock:
    smiles: list[str]
    scaffold: Array
    """int64 [N], a number for each scaffold; -1 without rings"""
    atoms: Array
    """int64 [N, kinds], how many atoms of each kind a molecule has"""


@functools.cache
def _held_out() -> list[tuple[str, float]]:
    return [(row["smiles"], float(row["log_solubility"])) for row in read(HELD_OUT)]


@functools.cache
def _stock() -> _Stock:
    rows = read(STOCK)
    names = {name: n for n, name in enumerate(sorted({row["scaffold"] for row in rows} - {""}))}
    columns = [list(ATOM_FEATURES).index(name) for name in ("element", "hydrogens", "aromatic")]
    kinds: dict[tuple[int, ...], int] = {}
    found = []
    for row in rows:
        graph = mol_to_graph(row["smiles"])
        assert graph is not None, f"stock holds what is no molecule: {row['smiles']}"
        codes = [tuple(code) for code in graph["x"][:, columns].tolist()]
        found.append([kinds.setdefault(code, len(kinds)) for code in codes])
    atoms = np.stack([np.bincount(numbers, minlength=len(kinds)) for numbers in found])
    scaffold = np.array([names.get(row["scaffold"], -1) for row in rows])
    return _Stock([row["smiles"] for row in rows], scaffold, atoms)


def warm() -> None:
    """Read and prepare all molecules and import what tests compare with, SciPy among it, now."""
    from reference_impl.gnn_drug_discovery import baselines, comparison, training  # noqa: F401

    _held_out()
    _stock()

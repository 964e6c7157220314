"""Molecules with what was measured of them, and the form in which models are given them.

This file is published with the notebook and holds no answers. :func:`load` gives every data set
of the course as one kind of thing, a ``coursekit.DataBundle``:

=============== ====================================== ========================= ===============
name            one row                                ``y``                     source
=============== ====================================== ========================= ===============
``solubility``  a compound                             log10(mol/L)              shipped
``freesolv``    a compound; ``meta["calc"]``: physics  kcal/mol                  shipped
``b3db``        a compound                             1 enters the brain, 0 not shipped
``kiba``        a drug and a protein                   KIBA score                shipped
``pli_sim``     a simulated drug and pocket            arbitrary                 simulated
MoleculeNet     a compound; see :data:`MOLECULENET`    [N] or [N, tasks]         your own disk
=============== ====================================== ========================= ===============

Nothing is ever downloaded.
"""

from __future__ import annotations

import csv
import gzip
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

if TYPE_CHECKING:
    from coursekit import DataBundle

__all__ = [
    "AMINO_ACIDS",
    "ATOM_FEATURES",
    "BOND_FEATURES",
    "EDGE_DIMS",
    "MOLECULENET",
    "NODE_DIMS",
    "SETS",
    "collate",
    "composition",
    "load",
    "load_moleculenet",
]

ATOM_FEATURES: dict[str, tuple[Any, ...]] = {
    "element": ("C", "N", "O", "S", "F", "Cl", "Br", "I", "P", "B", "Si", "H"),
    "degree": (0, 1, 2, 3, 4),
    "charge": (-1, 0, 1),
    "hydrogens": (0, 1, 2, 3, 4),
    "radicals": (0, 1),
    "aromatic": (False, True),
}
"""What is told of an atom, in the order of the columns of ``x``, and the values that have a code.

A value's code is its position; every other value has the code after the last. ``degree`` counts
bonds to atoms of the graph, ``hydrogens`` those that are not.
"""

BOND_FEATURES: dict[str, tuple[Any, ...]] = {
    "type": ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"),
    "conjugated": (False, True),
}
"""The same for bonds and the columns of ``edge_attr``."""

NODE_DIMS = tuple(len(known) + 1 for known in ATOM_FEATURES.values())
"""How many codes each column of ``x`` has."""
EDGE_DIMS = tuple(len(known) + 1 for known in BOND_FEATURES.values())
"""How many codes each column of ``edge_attr`` has."""

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
"""The twenty proteinogenic amino acids, in the order of the columns of :func:`composition`."""

MOLECULENET = {
    "esol": "log10(mol/L)",
    "lipo": "log10 of a distribution coefficient",
    "bace": "1 inhibits, 0 not",
    "bbbp": "1 enters the brain, 0 not",
    "tox21": "1 toxic, 0 not, nan not measured; twelve tasks",
    "clintox": "1 or 0; approved, and failed in trials for toxicity",
    "sider": "1 or 0; side effects in 27 organ classes",
}
"""Sets of MoleculeNet (Wu et al., Chemical Science 9:513, 2018) that can be read, with their unit."""


def load(
    name: str, part: str = "all", *, root: str | Path = "data", source: str = "auto"
) -> DataBundle:
    """The data set ``name``, or a ``part`` of it.

    Args:
        name: One of :data:`SETS` or of :data:`MOLECULENET`.
        part: ``"all"``, or a part that the set was published in: ``train`` and ``test`` of
            ``solubility``; ``train``, ``val`` and ``test`` of ``kiba``.
        root: The folder with the data.
        source: ``"real"`` takes measurements, ``"sim"`` a simulation; ``"auto"`` takes measurements
            if their file is in ``root`` and a simulation, if there is one, otherwise.

    Returns:
        For compounds, ``X`` is a list of SMILES. For pairs it is a list of ``(SMILES, sequence)``,
        and ``meta`` has ``drug`` and ``target``, int64 [N].

    Raises:
        ValueError: if there is no such set, part or source.
        FileNotFoundError: if the data are not on disk; the message says where to put them.
    """
    raise NotImplementedError


def load_moleculenet(name: str, root: str | Path = "data") -> DataBundle:
    """A set of MoleculeNet from the file that PyG's ``MoleculeNet`` would have downloaded.

    Args:
        name: One of :data:`MOLECULENET`.
        root: The folder in which ``NAME/raw/`` holds the file. PyG writes ``NAME/processed/``
            beside it.

    Raises:
        ValueError: if there is no such set.
        FileNotFoundError: if the file is not there; the message names it.
    """
    raise NotImplementedError


def collate(graphs: Sequence[dict[str, Tensor]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Several graphs as one that has no edge between them.

    Args:
        graphs: B graphs as ``mol_to_graph`` makes them.

    Returns:
        ``x`` [N, F], ``edge_index`` [2, 2E] with shifted numbers, ``edge_attr`` [2E, K], and
        ``batch`` int64 [N], the number of the graph that each node is of.

    Raises:
        ValueError: if there is no graph, or one of them is None.
    """
    missing = [row for row, graph in enumerate(graphs) if graph is None]
    if missing or not len(graphs):
        raise ValueError(f"no molecule in rows {missing}" if missing else "no graphs to collate")
    sizes = torch.tensor([len(graph["x"]) for graph in graphs])
    starts = (sizes.cumsum(0) - sizes).tolist()
    shifted = [graph["edge_index"] + start for graph, start in zip(graphs, starts, strict=True)]
    return (
        torch.cat([graph["x"] for graph in graphs]),
        torch.cat(shifted, dim=1),
        torch.cat([graph["edge_attr"] for graph in graphs]),
        torch.arange(len(graphs)).repeat_interleave(sizes),
    )


def composition(sequences: Sequence[str]) -> npt.NDArray[np.float32]:
    """Share of each amino acid in each sequence, float32 [N, 20]; other letters do not count."""
    counts = np.array([[text.count(letter) for letter in AMINO_ACIDS] for text in sequences])
    counts = counts.reshape(-1, len(AMINO_ACIDS))
    return (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)).astype(np.float32)

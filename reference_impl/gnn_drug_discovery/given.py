"""What students are given beside the tables: graphs that are right, and a split by scaffold.

``python -m reference_impl.gnn_drug_discovery.given FOLDER`` writes ``graphs.npz`` and ``split.npz``
into ``FOLDER`` (``solutions/gnn_drug_discovery/data``), of the data that students have.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.gnn_drug_discovery.molecules import canonical_key, mol_to_graph
from reference_impl.gnn_drug_discovery.partition import PROJECT, read
from reference_impl.gnn_drug_discovery.splitting import scaffold, scaffold_split

__all__ = ["graphs", "main", "molecules", "split"]

BRAIN_ROWS, BRAIN_SEED = 1500, 0
"""How many molecules of B3DB ``gnn_lab.two_tasks`` draws, and its seed."""
SPLIT_SEED = 2026
DRAWN = (
    "c1ccccc1", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "CCCCCCCCCCCC", "C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1",
)  # fmt: skip
"""Molecules that the notebook asks for graphs of by name."""

Arrays = dict[str, Any]


def molecules() -> list[str]:
    """SMILES of all molecules whose graphs are given, each once."""
    known = _column("solubility/known.csv.gz")
    drugs = _column("kiba/drugs.csv.gz")
    brain = _column("b3db/b3db.csv.gz")
    chosen = np.random.default_rng(BRAIN_SEED).choice(len(brain), BRAIN_ROWS, replace=False)
    return list(dict.fromkeys([*known, *drugs, *(brain[row] for row in chosen), *DRAWN]))


def graphs(smiles: Sequence[str]) -> Arrays:
    """The graphs of N molecules, one after the other.

    Returns:
        ``smiles`` uint8, lines of UTF-8; ``node_count`` and ``edge_count`` int16 [N]; and of all
        molecules together ``x`` int8 [atoms, 6], ``edge_index`` int16 [2, edges], each counted from
        its molecule's first atom, and ``edge_attr`` int8 [edges, 2].
    """
    found = [graph for graph in map(mol_to_graph, smiles) if graph is not None]
    return {
        "smiles": _lines(smiles),
        "node_count": np.array([len(graph["x"]) for graph in found], np.int16),
        "edge_count": np.array([graph["edge_index"].shape[1] for graph in found], np.int16),
        "x": np.concatenate([graph["x"] for graph in found]).astype(np.int8),
        "edge_index": np.concatenate([g["edge_index"] for g in found], axis=1).astype(np.int16),
        "edge_attr": np.concatenate([graph["edge_attr"] for graph in found]).astype(np.int8),
    }


def split(smiles: Sequence[str]) -> Arrays:
    """A split by scaffold of N molecules.

    Returns:
        ``train``, ``val`` and ``test``, int64 row numbers; ``families``, uint8, a line of UTF-8 for
        each molecule: its scaffold, or ``no ring: KEY``.
    """
    parts = scaffold_split(list(smiles), seed=SPLIT_SEED)
    families = [scaffold(text) or f"no ring: {canonical_key(text)}" for text in smiles]
    return {**dict(zip(("train", "val", "test"), parts, strict=True)), "families": _lines(families)}


def _column(table: str) -> list[str]:
    return [row["smiles"] for row in read(PROJECT / "data" / table)]


def _lines(texts: Iterable[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer("\n".join(texts).encode(), np.uint8)


def main(folder: Path) -> None:
    """Write both files into ``folder``."""
    np.savez_compressed(folder / "graphs.npz", **graphs(molecules()))
    np.savez_compressed(folder / "split.npz", **split(_column("solubility/known.csv.gz")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

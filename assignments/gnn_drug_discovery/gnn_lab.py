"""What the notebook on molecules needs beside PyTorch: given data, figures and practice objects.

This file is published with the notebook. It holds no answers. What stands at its end
(:class:`CountNet`, :func:`train_pairs`) is also what tests use to try your functions, so that you
can try them in the same way.
"""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import moldata
import numpy as np
import torch
from coursekit import DataBundle, needs, pick_device, ready, use_course_style
from rdkit import Chem, DataStructs, RDLogger
from rdkit.Chem import Crippen, Descriptors, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.Draw import rdMolDraw2D
from torch import Tensor, nn

__all__ = [
    "PARTS",
    "TASKS",
    "CountNet",
    "GraphEncoder",
    "descriptors",
    "gcn_difference",
    "given_graphs",
    "load_solubility",
    "nearest_similarity",
    "needs",
    "pick_device",
    "ready",
    "refined_colours",
    "ridge",
    "scaffold_names",
    "show_graph",
    "show_histogram",
    "show_intervals",
    "show_lines",
    "show_molecules",
    "show_predictions",
    "train_multitask",
    "train_pairs",
    "two_tasks",
    "use_course_style",
]

PARTS = ("train", "val", "test")
"""The parts to which ``data/split.npz`` assigns every molecule of the solubility data."""

TASKS = ("poorly soluble (below 1e-4 mol/L)", "passes into the brain")
"""What the columns of :func:`two_tasks` say of a compound."""

Graph = dict[str, Tensor]

# Text that is no molecule is an ordinary input here: a None says so, not a page of messages.
RDLogger.DisableLog("rdApp.*")


def load_solubility(part: str = "all", folder: str | Path = "data") -> DataBundle:
    """The solubility molecules of ``part``: ``"all"`` or one of :data:`PARTS`.

    Returns:
        A bundle with SMILES as ``X`` and log10 of mol/L as ``y``, float64 [N].
    """
    everything = moldata.load("solubility", root=folder)
    if part == "all":
        return everything
    if part not in PARTS:
        raise ValueError(f"there is no part {part!r}; choose 'all' or one of {PARTS}")
    with np.load(Path(folder) / "split.npz", allow_pickle=False) as split:
        chosen = everything.take(split[part])
    return type(chosen)(**{**vars(chosen), "name": f"solubility, {part}"})


def given_graphs(smiles: Sequence[str], folder: str | Path = "data") -> list[Graph]:
    """The graphs of molecules of the public sets, and of those that the notebook draws.

    Args:
        smiles: SMILES, written exactly as in the data or in the notebook.
        folder: Where ``graphs.npz`` is.

    Returns:
        One graph for each: ``x`` int64 [N, 6], ``edge_index`` int64 [2, 2E], ``edge_attr``
        int64 [2E, 2].

    Raises:
        KeyError: if a molecule is not in the file; ``mol_to_graph`` makes its graph.
    """
    stored = _stored_graphs(str(folder))
    missing = next((text for text in smiles if text not in stored["row"]), None)
    if missing is not None:
        raise KeyError(f"no graph is given for {missing!r}; use your mol_to_graph")
    return [_graph_of(stored, stored["row"][text]) for text in smiles]


@functools.cache
def _stored_graphs(folder: str) -> dict[str, Any]:
    with np.load(Path(folder) / "graphs.npz", allow_pickle=False) as file:
        stored: dict[str, Any] = {name: file[name] for name in file.files}
    names = bytes(stored.pop("smiles")).decode().split("\n")
    stored["row"] = {text: row for row, text in enumerate(names)}
    for name, key in (("atoms", "node_count"), ("edges", "edge_count")):
        stored[name] = np.concatenate([[0], np.cumsum(stored[key], dtype=np.int64)])
    return stored


def _graph_of(stored: dict[str, Any], row: int) -> Graph:
    atoms, edges = (slice(*stored[name][row : row + 2]) for name in ("atoms", "edges"))
    parts = {
        "x": stored["x"][atoms],
        "edge_index": stored["edge_index"][:, edges],
        "edge_attr": stored["edge_attr"][edges],
    }
    return {name: torch.as_tensor(part.astype(np.int64)) for name, part in parts.items()}


def scaffold_names(smiles: Sequence[str], folder: str | Path = "data") -> list[str]:
    """The family of each solubility molecule: its scaffold, or ``no ring: ...`` if it has none."""
    families = _families(str(folder))
    return [families[text] for text in smiles]


@functools.cache
def _families(folder: str) -> dict[str, str]:
    with np.load(Path(folder) / "split.npz", allow_pickle=False) as split:
        names = bytes(split["families"]).decode().split("\n")
    return dict(zip(moldata.load("solubility", root=folder).X, names, strict=True))


def two_tasks(
    solubility: DataBundle, brain: DataBundle, rows: int = 1500, seed: int = 0
) -> DataBundle:
    """Two collections as one table with gaps: :data:`TASKS` of every compound of either.

    Args:
        solubility: Compounds with log10 of mol/L.
        brain: Compounds with 1 or 0; ``rows`` of them are drawn.
        rows: How many.
        seed: Decides which, and the quarter of all compounds in ``meta["held_out"]``, bool [N].

    Returns:
        A bundle whose ``y``, float64 [N, 2], holds 1, 0 and ``nan``.
    """
    rng = np.random.default_rng(seed)
    chosen = brain.take(rng.choice(len(brain), rows, replace=False))
    table: dict[str, list[Any]] = {}
    for task, data in enumerate((solubility, chosen)):
        values = data.y < -4 if task == 0 else data.y
        for text, value in zip(data.X, np.asarray(values, dtype=float), strict=True):
            name = Chem.MolToSmiles(Chem.MolFromSmiles(text), isomericSmiles=False)
            row = table.setdefault(name, [text, float("nan"), float("nan")])
            row[1 + task] = value
    kept = list(table.values())
    return DataBundle(
        X=[row[0] for row in kept],
        y=np.array([row[1:] for row in kept]),
        meta={"held_out": rng.random(len(kept)) < 0.25},
        units={"y": "1 or 0, nan if not measured"},
        licence=f"{solubility.licence}; {chosen.licence}",
        provenance=f"{solubility.provenance}; {chosen.provenance}",
        name=f"{' and '.join(TASKS)}",
    )


def descriptors(smiles: Sequence[str]) -> np.ndarray:
    """Five numbers of each molecule that a chemist would look at first.

    Returns:
        float64 [N, 5]: molecular weight (g/mol), Crippen's logP, topological polar surface area
        (Å²), rotatable bonds, aromatic rings.
    """
    functions = (
        Descriptors.MolWt,
        Crippen.MolLogP,
        rdMolDescriptors.CalcTPSA,
        rdMolDescriptors.CalcNumRotatableBonds,
        rdMolDescriptors.CalcNumAromaticRings,
    )
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    return np.array([[function(mol) for function in functions] for mol in molecules], dtype=float)


def ridge(X: Any, y: Any, new: Any, penalty: float = 1.0) -> np.ndarray:
    """Ridge regression: fit columns ``X`` [N, D] (standardised) to ``y`` [N], predict ``new``."""
    columns, targets = np.asarray(X), np.asarray(y, dtype=float)
    matrix = columns.T @ columns + penalty * np.eye(columns.shape[1])
    weights = np.linalg.solve(matrix, columns.T @ (targets - targets.mean()))
    return targets.mean() + np.asarray(new) @ weights


def nearest_similarity(known: Sequence[str], new: Sequence[str]) -> np.ndarray:
    """Similarity of each new molecule to the most similar known one.

    Returns:
        float64 [M] in [0, 1]: the largest Tanimoto coefficient of Morgan fingerprints (radius 2).
    """
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    first, second = (
        [morgan.GetFingerprint(Chem.MolFromSmiles(text)) for text in part] for part in (known, new)
    )
    return np.array([max(DataStructs.BulkTanimotoSimilarity(one, first)) for one in second])


_ATOM_COLOURS = ((0.55, 0.75, 0.95), (0.98, 0.72, 0.45), (0.6, 0.87, 0.6), (0.9, 0.65, 0.85))


def show_molecules(
    smiles: Sequence[str],
    titles: Sequence[str],
    heading: str,
    colours: Sequence[Sequence[int]] | None = None,
) -> None:
    """Molecules side by side; with ``colours``, atoms of one number share a colour."""
    fig, axes = plt.subplots(1, len(smiles), figsize=(2.2 * len(smiles), 2.4), squeeze=False)
    painted = colours if colours is not None else [()] * len(smiles)
    for ax, text, title, numbers in zip(axes[0], smiles, titles, painted, strict=True):
        ax.imshow(_picture(text, numbers))
        ax.axis("off")
        ax.set_title(title, fontsize=9)
    fig.suptitle(heading, fontsize=10)
    plt.show()


def show_graph(smiles: str, graph: Graph) -> None:
    """A molecule with its atoms numbered, beside what a network is given of it."""
    x, edges, bonds = (np.asarray(graph[key]) for key in ("x", "edge_index", "edge_attr"))
    fig, axes = plt.subplots(1, 3, figsize=(10, 3), width_ratios=(1.1, 1, 1.1))
    axes[0].imshow(_picture(smiles, numbered=True))
    axes[0].axis("off")
    axes[0].set_title(f"{smiles}\natoms by their row", fontsize=9)
    axes[1].imshow(x, cmap="Blues", aspect="auto")
    for row, column in np.ndindex(*x.shape):
        axes[1].text(column, row, x[row, column], ha="center", va="center", fontsize=6)
    axes[1].set(xticks=range(x.shape[1]), ylabel="atom (row)", title="x: codes of the features")
    axes[1].set_xticklabels(moldata.ATOM_FEATURES, rotation=60, fontsize=7)
    table = np.full((len(x), len(x)), np.nan)
    table[edges[1], edges[0]] = bonds[:, 0]
    names = (*(kind.lower() for kind in moldata.BOND_FEATURES["type"]), "other")
    shown = plt.get_cmap("Set2", len(names))
    drawn = axes[2].imshow(table, cmap=shown, vmin=-0.5, vmax=len(names) - 0.5)
    axes[2].set(xlabel="source (atom)", ylabel="target (atom)", title="edges and their bond type")
    bar = fig.colorbar(drawn, ax=axes[2], ticks=range(len(names)))
    bar.ax.set_yticklabels(names, fontsize=7)
    plt.show()


def show_histogram(groups: Mapping[str, Any], xlabel: str, ylabel: str, heading: str) -> None:
    """Outlined histograms of several groups of values, each with area 1."""
    _, ax = plt.subplots(figsize=(5.2, 2.8))
    everything = np.concatenate([np.asarray(values) for values in groups.values()])
    cuts = np.linspace(everything.min(), everything.max(), 25)
    for name, values in groups.items():
        label = f"{name} ({len(values)})"
        ax.hist(values, cuts, density=True, histtype="step", linewidth=1.4, label=label)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_title(heading, fontsize=8, wrap=True)
    ax.legend(frameon=False)
    plt.show()


def show_lines(
    curves: Mapping[str, tuple[Any, Any]], xlabel: str, ylabel: str, heading: str
) -> None:
    """Curves of ``{name: (x, y)}``."""
    _, ax = plt.subplots(figsize=(5.2, 3))
    for name, (x, y) in curves.items():
        ax.plot(x, y, marker=".", label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=heading)
    ax.legend(frameon=False)
    plt.show()


def show_predictions(y: Any, predictions: Mapping[str, Any], unit: str, source: str) -> None:
    """Predicted over true values, one panel a model, on common axes."""
    truth = np.asarray(y)
    everything = np.concatenate([truth, *(np.asarray(p) for p in predictions.values())])
    limits = everything.min() - 0.5, everything.max() + 0.5
    fig, axes = plt.subplots(
        1, len(predictions), figsize=(2.9 * len(predictions), 3.1), squeeze=False, sharey=True
    )
    for ax, (name, p) in zip(axes[0], predictions.items(), strict=True):
        ax.plot(limits, limits, color="0.7", linewidth=0.8, linestyle=":")
        ax.plot(truth, p, ".", markersize=4)
        ax.set(title=name, xlabel=f"measured ({unit})", xlim=limits, ylim=limits, aspect="equal")
    axes[0, 0].set_ylabel(f"predicted ({unit})")
    fig.suptitle(f"{len(truth)} molecules; dotted: agreement. {source}", fontsize=8, wrap=True)
    plt.show()


def show_intervals(
    rows: Mapping[str, tuple[float, float, float]], xlabel: str, heading: str
) -> None:
    """Estimates with intervals, one line each: ``{name: (estimate, low, high)}``."""
    _, ax = plt.subplots(figsize=(5.6, 0.5 * len(rows) + 1.3))
    for place, (estimate, low, high) in enumerate(rows.values()):
        ax.plot([low, high], [place, place], color="C0")
        ax.plot(estimate, place, "o", color="C0")
    ax.axvline(0, color="0.5", linewidth=0.8, linestyle=":")
    ax.set(xlabel=xlabel, yticks=range(len(rows)), title=heading, ylim=(-0.6, len(rows) - 0.4))
    ax.set_yticklabels(list(rows))
    plt.show()


def refined_colours(smiles: Sequence[str], rounds: int) -> list[list[int]]:
    """Colour refinement (1-WL) of molecules together, from elements and bond types.

    Args:
        smiles: M molecules.
        rounds: How often each atom's colour is made anew, of its own and its neighbours' colours.

    Returns:
        For each molecule the colour of each atom, numbered alike in all of them.
    """
    molecules = [Chem.MolFromSmiles(text) for text in smiles]
    colours: list[list[Any]] = [[a.GetSymbol() for a in mol.GetAtoms()] for mol in molecules]
    for _ in range(rounds):
        seen: dict[Any, int] = {}
        new = []
        for mol, old in zip(molecules, colours, strict=True):
            around: list[list[Any]] = [[] for _ in old]
            for bond in mol.GetBonds():
                i, j, kind = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), str(bond.GetBondType())
                around[i].append((kind, old[j]))
                around[j].append((kind, old[i]))
            told = [(own, tuple(sorted(them))) for own, them in zip(old, around, strict=True)]
            new.append([seen.setdefault(one, len(seen)) for one in told])
        colours = list(new)
    return colours


def _picture(smiles: str, colours: Sequence[int] = (), numbered: bool = False) -> np.ndarray:
    mol = Chem.MolFromSmiles(smiles)
    canvas = rdMolDraw2D.MolDraw2DCairo(320, 280)
    canvas.drawOptions().addAtomIndices = numbered
    canvas.drawOptions().fixedBondLength = 32
    paint = {atom: _ATOM_COLOURS[colour % 4] for atom, colour in enumerate(colours)}
    rdMolDraw2D.PrepareAndDrawMolecule(
        canvas, mol, highlightAtoms=list(paint), highlightAtomColors=paint, highlightBonds=[]
    )
    canvas.FinishDrawing()
    return plt.imread(io.BytesIO(canvas.GetDrawingText()), format="png")


def _pyg() -> Any:
    """PyTorch Geometric's layers; imported when they are needed, because that takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch_geometric import nn as layers
    return layers


def gcn_difference(layer: Callable[..., Tensor], x: Tensor, edge_index: Tensor) -> float:
    """How far ``layer(x, edge_index, W, b)`` is from PyTorch Geometric's ``GCNConv``, at most."""
    torch.manual_seed(0)
    conv = _pyg().GCNConv(x.shape[1], 8).to(x.dtype)
    nn.init.normal_(conv.bias)
    with torch.no_grad():
        difference = layer(x, edge_index, conv.lin.weight.T, conv.bias) - conv(x, edge_index)
    return float(difference.abs().max())


class GraphEncoder(nn.Module):
    """Molecules as vectors, with the layers of PyTorch Geometric: for question 8 and your own use.

    Shapes: x int64 [N, F], edge_index int64 [2, E], edge_attr int64 [E, K], batch int64 [N] to
    float32 [B, h].
    """

    def __init__(
        self, node_dims: Sequence[int], edge_dims: Sequence[int], h: int = 64, L: int = 3
    ) -> None:
        """Make an untrained encoder of ``h`` channels and ``L`` rounds of messages."""
        super().__init__()
        self.node_tables = nn.ModuleList(nn.Embedding(codes, h) for codes in node_dims)
        self.edge_tables = nn.ModuleList(nn.Embedding(codes, h) for codes in edge_dims)
        self.rounds = nn.ModuleList(
            _pyg().GINEConv(nn.Sequential(nn.Linear(h, 2 * h), nn.ReLU(), nn.Linear(2 * h, h)))
            for _ in range(L)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(h) for _ in range(L))

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
        """Vectors of a batch of molecules: the sum over their atoms, divided by 20."""
        atoms = sum(table(column) for table, column in zip(self.node_tables, x.T, strict=True))
        bonds = sum(
            table(column) for table, column in zip(self.edge_tables, edge_attr.T, strict=True)
        )
        for conv, norm in zip(self.rounds, self.norms, strict=True):
            atoms = atoms + torch.relu(norm(conv(atoms, edge_index, bonds)))
        return _pyg().global_add_pool(atoms, batch) / 20


def train_multitask(
    loss: Callable[[Tensor, Tensor], Tensor], tasks: DataBundle, y: Any, seed: int = 0
) -> np.ndarray:
    """Train a network with one output for each task, and ask it about every compound.

    Args:
        loss: Called with logits and labels [B, T].
        tasks: Compounds with given graphs; those in ``meta["held_out"]`` are not trained on.
        y: Labels to train on, float [N, T].
        seed: Decides weights and order.

    Returns:
        Probabilities float64 [N, T].
    """
    graphs, labels = given_graphs(tasks.X), torch.as_tensor(np.asarray(y), dtype=torch.float32)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    encoder = GraphEncoder(moldata.NODE_DIMS, moldata.EDGE_DIMS, h=48, L=3)
    head = nn.Linear(48, labels.shape[1])
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=4e-3)
    rows = np.flatnonzero(~np.asarray(tasks.meta["held_out"]))
    for _ in range(3):
        for chosen in np.array_split(rng.permutation(rows), -(-len(rows) // 64)):
            logits = head(encoder(*moldata.collate([graphs[row] for row in chosen])))
            value = loss(logits, labels[chosen])
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
    with torch.inference_mode():
        starts = range(0, len(graphs), 256)
        parts = [head(encoder(*moldata.collate(graphs[at : at + 256]))) for at in starts]
    return torch.sigmoid(torch.cat(parts)).double().numpy()


class CountNet(nn.Module):
    """A "trained" model whose answers are known: standard units are (atoms - 10) / 5.

    Its batch normalisation has the mean 10 and the variance 25 stored. In training mode it would
    take those of the batch instead, as batch normalisation does.

    Shapes: as a ``MolGNN``, to float32 [B].
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, mean: float, std: float) -> None:
        """Make the model for a target of this ``mean`` and ``std``."""
        super().__init__()
        self.register_buffer("target_mean", torch.tensor(float(mean)))
        self.register_buffer("target_std", torch.tensor(float(std)))
        self.norm = nn.BatchNorm1d(1, eps=1e-9, momentum=0.0, affine=False)
        self.norm.running_mean.fill_(10.0)
        self.norm.running_var.fill_(25.0)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
        """Standard units of a batch of molecules."""
        return self.norm(torch.bincount(batch).float()[:, None])[:, 0]


def train_pairs(
    model: nn.Module,
    graphs: Sequence[Graph],
    protein: Any,
    y: Any,
    epochs: int = 15,
    seed: int = 0,
    rate: float = 2e-3,
) -> list[float]:
    """Train ``model`` in place on drug–target pairs: mean squared error, AdamW, batches of 32.

    Args:
        model: From ``(x, edge_index, edge_attr, batch, protein)`` to [B].
        graphs: The molecule of each pair, N graphs.
        protein: The protein of each pair, float [N, P].
        y: Affinities in standard units, float [N].
        epochs: Passes over the pairs.
        seed: Decides the order (the weights are ``model``'s own).
        rate: Learning rate; it falls along a cosine to zero.

    Returns:
        The mean loss of each pass.
    """
    rng = np.random.default_rng(seed)
    inputs = torch.as_tensor(np.asarray(protein), dtype=torch.float32)
    targets = torch.as_tensor(np.asarray(y), dtype=torch.float32)
    batches = -(-len(graphs) // 32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    model.train()
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in np.array_split(rng.permutation(len(graphs)), batches):
            answer = model(*moldata.collate([graphs[row] for row in rows]), inputs[rows])
            loss = nn.functional.mse_loss(answer, targets[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(rows) / len(graphs)
        losses.append(total)
    model.eval()
    return losses

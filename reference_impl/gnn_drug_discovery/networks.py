"""The networks of the assignment: a graph network for molecules, and one for drug and protein.

Module names are part of the interface: weights trained in a student's class are loaded into these
classes, and the other way round. A ``state_dict`` holds

- ``MolGNN``: ``target_mean``, ``target_std``; ``atoms.F.weight`` for column F of ``x`` and
  ``bonds.K.weight`` for column K of ``edge_attr``; ``layers.L.*``; ``head.0`` and ``head.2``.
- ``GINELayer``: ``eps``; ``mlp.0`` and ``mlp.2`` (linear); ``norm``.
- ``DTANet``: ``target_mean``, ``target_std``; ``drug.*`` (:class:`MolGNN`, its head unused);
  ``protein.0`` and ``protein.2``; ``head.0`` and ``head.2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SIZE", "DTANet", "GINELayer", "MolGNN", "stirred"]

SIZE = 13.0
"""What the sum over a molecule's atoms is divided by: about the mean number of heavy atoms in the
solubility data. A constant keeps the readout additive, which a mean is not."""


class GINELayer(nn.Module):
    """Message passing that sees the bonds (GINE: Hu et al., ICLR 2020), with a way round it.

    ``h_i + relu(norm(MLP((1 + eps) h_i + sum over edges j -> i of relu(h_j + e_ji))))``, where
    ``MLP`` is linear, ReLU, linear.

    Shapes: ``h`` [N, H], ``edge_index`` int64 [2, E], ``e`` [E, H] to [N, H].
    """

    def __init__(self, h: int) -> None:
        """Make a layer of ``h`` channels."""
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        self.mlp = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, h))
        self.norm = nn.BatchNorm1d(h)

    def forward(self, h: Tensor, edge_index: Tensor, e: Tensor) -> Tensor:
        """Pass messages once."""
        source, target = edge_index
        messages = functional.relu(h[source] + e)
        summed = ((1 + self.eps) * h).index_add(0, target, messages)
        return h + functional.relu(self.norm(self.mlp(summed)))


class MolGNN(nn.Module):
    """A graph network whose readout adds up over atoms, as solubility roughly does over groups.

    Embeddings of an atom's features are summed, :class:`GINELayer` is applied ``L`` times, and a
    molecule is the sum of its atoms divided by the constant :data:`SIZE`.

    It sees what one-dimensional Weisfeiler-Leman sees: decalin and bicyclopentyl are the same to
    it (Xu et al., ICLR 2019).

    Shapes: ``x`` int64 [N, F], ``edge_index`` int64 [2, E], ``edge_attr`` int64 [E, K] and
    ``batch`` int64 [N], the molecule of each atom in any order, to [B]. B is ``batch.max() + 1``.
    """

    target_mean: Tensor
    target_std: Tensor
    history: list[tuple[float, float]]
    """(training loss, validation RMSE in the target's unit) of each epoch, once trained."""

    def __init__(
        self, node_dims: Sequence[int], edge_dims: Sequence[int], h: int = 64, L: int = 4
    ) -> None:
        """Make an untrained network.

        Args:
            node_dims: How many codes each of the F columns of ``x`` has.
            edge_dims: How many codes each of the K columns of ``edge_attr`` has.
            h: Channels.
            L: Rounds of message passing.
        """
        super().__init__()
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))
        self.atoms = nn.ModuleList(nn.Embedding(codes, h) for codes in node_dims)
        self.bonds = nn.ModuleList(nn.Embedding(codes, h) for codes in edge_dims)
        self.layers = nn.ModuleList(GINELayer(h) for _ in range(L))
        self.head = nn.Sequential(nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))

    def embed(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
        """Molecules as vectors [B, h]; that of two molecules side by side is the sum of both."""
        h = _summed(self.atoms, x)  # [N, h]
        e = _summed(self.bonds, edge_attr)  # [E, h]
        for layer in self.layers:
            h = layer(h, edge_index, e)
        count = int(batch.max()) + 1 if len(batch) else 0
        return h.new_zeros(count, h.shape[1]).index_add(0, batch, h) / SIZE

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
        """Predictions [B] in units of the standardised target."""
        return self.head(self.embed(x, edge_index, edge_attr, batch))[:, 0]


class DTANet(nn.Module):
    """Affinity of a drug and a protein: two encoders, and a head that sees both.

    The drug is :meth:`MolGNN.embed`; the protein goes through two layers of its own. The head is
    given both and their product, without which two layers learn interactions slowly.

    Shapes: those of :class:`MolGNN`, and ``protein`` [B, protein_dim], to [B].
    """

    target_mean: Tensor
    target_std: Tensor
    history: list[tuple[float, float]]
    """(training loss, validation RMSE in the target's unit) of each epoch, once trained."""

    def __init__(
        self,
        node_dims: Sequence[int],
        edge_dims: Sequence[int],
        h: int = 64,
        L: int = 3,
        protein_dim: int = 20,
    ) -> None:
        """Make an untrained network; see :class:`MolGNN`."""
        super().__init__()
        self.register_buffer("target_mean", torch.zeros(()))
        self.register_buffer("target_std", torch.ones(()))
        self.drug = MolGNN(node_dims, edge_dims, h, L)
        self.protein = nn.Sequential(nn.Linear(protein_dim, h), nn.ReLU(), nn.Linear(h, h))
        self.head = nn.Sequential(nn.Linear(3 * h, h), nn.ReLU(), nn.Linear(h, 1))

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor, protein: Tensor
    ) -> Tensor:
        """Predictions [B] in units of the standardised target."""
        drug = self.drug.embed(x, edge_index, edge_attr, batch)
        target = self.protein(protein)
        return self.head(torch.cat([drug, target, drug * target], dim=1))[:, 0]


def stirred(state: Mapping[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
    """Weights of an untrained network, each moved by up to 0.4, uniformly.

    What an untrained network answers is a matter of how its author starts it: one whose last
    layers start at zero answers alike to everything. Stirred, it shows what it looks at.

    Args:
        state: A ``state_dict``, of any network.
        rng: Draws the moves. Integers stay as they are.
    """
    return {
        name: value + torch.as_tensor(rng.uniform(-0.4, 0.4, tuple(value.shape))).to(value.dtype)
        if value.is_floating_point()
        else value
        for name, value in state.items()
    }


def _summed(embeddings: nn.ModuleList, codes: Tensor) -> Tensor:
    """The sum of the columns' embeddings [rows, h]."""
    parts = [embedding(codes[:, column]) for column, embedding in enumerate(embeddings)]
    return torch.stack(parts).sum(dim=0)

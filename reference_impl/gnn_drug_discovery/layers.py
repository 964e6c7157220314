"""Two graph convolutions written out, without a dense adjacency matrix."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["gcn_layer", "gin_layer"]


def gcn_layer(x: Tensor, edge_index: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """Graph convolution ``D^(-1/2) A D^(-1/2) X W + b`` (Kipf & Welling, ICLR 2017, equation 2).

    ``A`` counts the edges from each node to each other one, with one self-loop at every node; a
    self-loop that is in ``edge_index`` already, however often, is that one. Duplicate edges count
    each. ``D`` is the in-degree: how many edges, the self-loop among them, end at a node. For
    directed edges it is taken at both ends, as ``torch_geometric.nn.GCNConv`` does.

    Args:
        x: Node features [N, F].
        edge_index: int64 [2, E], source and target of each directed edge.
        W: Weights [F, H].
        b: Bias [H].

    Returns:
        [N, H].
    """
    count = len(x)
    source, target = edge_index[:, edge_index[0] != edge_index[1]]
    loops = torch.arange(count, device=x.device)
    source, target = torch.cat([source, loops]), torch.cat([target, loops])
    degree = torch.bincount(target, minlength=count).to(x)  # at least 1: the self-loop
    weight = (degree[source] * degree[target]).rsqrt()  # [E + N]
    messages = weight[:, None] * (x @ W)[source]
    return torch.zeros(count, W.shape[1]).to(x).index_add(0, target, messages) + b


def gin_layer(
    x: Tensor,
    edge_index: Tensor,
    W1: Tensor,
    b1: Tensor,
    W2: Tensor,
    b2: Tensor,
    eps: float | Tensor = 0.0,
) -> Tensor:
    """Graph isomorphism layer (Xu et al., ICLR 2019, equation 4.1) with an MLP of two layers.

    ``MLP((1 + eps) x_i + sum of x_j over edges j -> i)`` with ``MLP(z) = relu(z W1 + b1) W2 + b2``.
    Duplicate edges count each, and so do self-loops, beside the node's own term.

    Args:
        x: Node features [N, F].
        edge_index: int64 [2, E], source and target of each directed edge.
        W1: Weights [F, H]; b1: bias [H].
        b1: See ``W1``.
        W2: Weights [H, O]; b2: bias [O].
        b2: See ``W2``.
        eps: How much more a node's own features weigh than a neighbour's.

    Returns:
        [N, O].
    """
    source, target = edge_index
    summed = ((1 + eps) * x).index_add(0, target, x[source])
    return functional.relu(summed @ W1 + b1) @ W2 + b2

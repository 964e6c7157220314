"""Reference answers."""

from __future__ import annotations

import numpy as np
import torch

CANARY = "CANARY-REFERENCE-b07c55e1"


def dose(values: list[float]) -> float:
    """Mean of the positive values, 0 if there are none."""
    positive = [value for value in values if value > 0]
    return sum(positive) / len(positive) if positive else 0.0


def neighbours(edges: torch.Tensor) -> set[tuple[int, int]]:
    """Both directions of every edge, each once, without loops."""
    pairs = {(int(a), int(b)) for a, b in edges.T.tolist() if a != b}
    return pairs | {(b, a) for a, b in pairs}


def accuracy(scores: object, labels: np.ndarray) -> float:
    """Share of images whose score has the label's sign; 0 if there is not one score for each."""
    if type(scores) is not np.ndarray or scores.dtype.kind != "f" or scores.shape != labels.shape:
        return 0.0
    if not np.isfinite(scores).all():
        return 0.0
    return float(((scores > 0) == (labels > 0)).mean())


def pairs_of(answer: object, nodes: int) -> list[tuple[int, int]]:
    """The edges of a tensor or graph, checked: int64, shape (2, E), numbers of nodes.

    Raises:
        AssertionError: saying what is wrong.
    """
    edges = getattr(answer, "edge_index", answer)
    assert type(edges) is torch.Tensor, "expected a tensor of edges"
    assert edges.dtype == torch.int64, f"expected int64, got {edges.dtype}"
    assert edges.ndim == 2 and len(edges) == 2, f"expected shape (2, E), got {tuple(edges.shape)}"
    assert edges.shape[1] <= nodes * nodes, "more edges than pairs of nodes"
    assert not edges.numel() or (edges.min() >= 0 and edges.max() < nodes), "no such node"
    return [(int(a), int(b)) for a, b in edges.T.tolist()]


def separates(logits: object, y: torch.Tensor) -> float:
    """Share of points on whose side of 0 the logits are; 0 if there is not one for each."""
    if type(logits) is not torch.Tensor or logits.shape != (len(y), 1):
        return 0.0
    if not torch.isfinite(logits).all():
        return 0.0
    return float(((logits[:, 0] > 0) == (y > 0)).float().mean())

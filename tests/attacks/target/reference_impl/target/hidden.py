"""Hidden inputs and labels: each student's own, the same at every attempt."""

from __future__ import annotations

import os
import struct

import numpy as np
import torch

from reference_impl.course_secret import student_rng

LABEL_CANARY = struct.unpack("<d", b"CANARY#L")[0]
"""What a positive label is, so that a label's eight bytes can be recognised anywhere."""
INPUT_CANARY = 48213.640625
"""A reading among the hidden values, so that an input can be recognised anywhere."""
SUMMARY = {"patients": 24, "mean": 5.0625, "by_site": {"a": 4.5, "b": 5.625}}
"""Of ``data/measurements.csv``, computed once by hand."""


def images(n: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 8, 8) and labels (n,): positive where the upper half is the brighter one."""
    rng = student_rng("target/q1")
    positive = rng.permutation(np.arange(n) % 2 == 0)
    images = rng.standard_normal((n, 8, 8)) * 0.2
    images[positive, 1:4] += 1.0
    images[~positive, 4:7] += 1.0
    return images.astype(np.float32), np.where(positive, LABEL_CANARY, 0.0)


def values() -> list[float]:
    """Readings of both signs, one of them the canary."""
    drawn = student_rng("target/q2").uniform(-9, 9, 20).round(3)
    return [float(value) for value in drawn] + [INPUT_CANARY]


def edges(nodes: int = 12) -> torch.Tensor:
    """Directed edges (2, 40) with loops and duplicates."""
    drawn = student_rng("target/q4").integers(0, nodes, (2, 40))
    return torch.as_tensor(drawn)


def points(purpose: str, n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (n, 2) and labels (n,), 1 where the first coordinate is the smaller one."""
    x = student_rng(f"target/q5/{purpose}").uniform(-2, 2, (n, 2))
    return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(x[:, 0] < x[:, 1]).float()


def warm() -> None:
    """Called once for a whole class: loads what the tests need, and a set with its labels."""
    # importing PyG makes torch's compiler look for its cache, and nothing can be made here
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/tmp"
    import torch_geometric.data  # noqa: F401

    images()

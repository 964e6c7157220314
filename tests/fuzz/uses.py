"""What a test does with a value: enough to make native code read all of it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch_geometric.data import Data
from torch_geometric.nn import global_mean_pool
from torch_geometric.utils import degree, to_dense_adj

from autograder.seal.handles import Handle

PLAIN = (
    type(None), bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict,
    type(...), np.ndarray, torch.Tensor, torch.dtype, torch.device, pd.DataFrame, pd.Series,
    np.random.Generator, np.random.RandomState, torch.Generator,
)  # fmt: skip
"""Types that cross as they are; see "The wire" in docs/sealed-grading.md."""


def documented(value: Any) -> bool:
    """Whether ``value`` is of a type that may come out of the decoder."""
    if type(value) in (list, tuple, set, frozenset):
        return all(map(documented, value))
    if type(value) is dict:
        return all(documented(key) and documented(item) for key, item in value.items())
    return type(value) in PLAIN or isinstance(
        value, np.generic | np.dtype | Data | Image.Image | Handle
    )


def use(value: Any) -> None:
    """Read all of ``value``; errors that a test would raise are the student's."""
    if hasattr(type(value), "__struct_fields__"):
        return
    assert documented(value), type(value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _use(value)
    except (ArithmeticError, AttributeError, IndexError, KeyError, NotImplementedError,
            RuntimeError, TypeError, ValueError):  # fmt: skip
        pass


def _use(value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value.sum(), value.clone(), value.abs().max()
    elif isinstance(value, np.ndarray):
        value.sum(), value.copy(), value.tolist()
    elif isinstance(value, pd.DataFrame | pd.Series):
        value.sum(), value.to_numpy(), value.head().to_string(), value.index.is_unique
    elif isinstance(value, np.random.Generator | np.random.RandomState):
        value.normal(size=700), value.permutation(20)
    elif isinstance(value, torch.Generator):
        torch.rand(700, generator=value), torch.randn(17, generator=value)
    elif isinstance(value, Image.Image):
        value.convert("RGB").resize((4, 4)).tobytes()
    elif isinstance(value, Data):
        _use_graph(value)
    elif isinstance(value, list | tuple):
        for item in value[:5]:
            use(item)
    elif isinstance(value, dict):
        for item in list(value.values())[:5]:
            use(item)


def _use_graph(graph: Data) -> None:
    for part in (
        lambda: graph.num_nodes,
        lambda: graph.num_graphs,
        lambda: graph.validate(raise_on_error=False),
        lambda: degree(graph.edge_index[0], graph.num_nodes),
        lambda: graph.x[graph.edge_index[0]].sum(),
        lambda: global_mean_pool(graph.x.float(), graph.batch),
        lambda: torch.bincount(graph.batch),
        lambda: to_dense_adj(graph.edge_index) if graph.num_nodes < 100 else None,
    ):
        try:
            part()
        except (ArithmeticError, AttributeError, IndexError, KeyError, NotImplementedError,
                RuntimeError, TypeError, ValueError):  # fmt: skip
            pass

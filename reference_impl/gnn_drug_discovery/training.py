"""Training a graph network on measurements, and asking it for predictions."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from reference_impl.gnn_drug_discovery.metrics import Standardiser, rmse
from reference_impl.gnn_drug_discovery.moldata import (
    EDGE_DIMS,
    NODE_DIMS,
    collate,
    composition,
)
from reference_impl.gnn_drug_discovery.molecules import mol_to_graph
from reference_impl.gnn_drug_discovery.networks import DTANet, MolGNN

__all__ = ["predict", "predict_affinity", "train_affinity", "train_regressor"]

EPOCHS = 40
BATCH = 32
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-2

Graph = dict[str, Tensor]

"""Why did it say so? Integrated gradients, and a test that explanations must pass."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

__all__ = ["integrated_gradients", "randomised", "saliency_sanity"]

SIMILAR = 0.5
"""Rank correlation with the map of the trained model above which a map did not change enough."""

Model = Callable[[Tensor], Tensor]
Explainer = Callable[[Any, Tensor], Tensor]


def integrated_gradients(model: Model, x: Tensor, x0: Tensor, steps: int = 64) -> Tensor:
    """Attribution along the straight line from ``x0`` to ``x``.

    ``IG_i = (x_i - x0_i) / K sum_k df/dx_i (x0 + (k - 1/2) / K (x - x0))``, k = 1..K: the midpoint
    rule for the integral of Sundararajan, Taly & Yan (ICML 2017). Its sum over i approaches
    ``f(x) - f(x0)``.

    Args:
        model: From inputs [B, ...] to one number each [B].
        x: Inputs [B, ...].
        x0: Baseline, of the shape of ``x`` or one that broadcasts to it.
        steps: Points on the line, K >= 1.

    Returns:
        Attributions of the shape of ``x``, without a graph.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    start = x0.expand_as(x).detach()
    way = x.detach() - start
    total = torch.zeros_like(way)
    for k in range(steps):
        point = (start + (k + 0.5) / steps * way).requires_grad_()
        total += torch.autograd.grad(model(point).sum(), point)[0]
    return way * total / steps


def saliency_sanity(
    model: nn.Module, explainer: Explainer, x: Tensor, seed: int = 0
) -> dict[str, Any]:
    """Whether an explanation changes when what it explains is destroyed, layer by layer.

    Cascading randomisation of Adebayo et al. (NeurIPS 2018): on a copy, layers are re-initialised
    from the output to the input, each in addition to those before; after each, the absolute values
    of the new map are compared with those of the trained model by Spearman's rank correlation,
    image by image.

    Args:
        model: The trained model. It is not changed.
        explainer: ``explainer(model, x)`` gives maps [B, ...].
        x: Inputs [B, ...].
        seed: Of the new weights.

    Returns:
        ``layers``: the mean correlation after each layer, the output's first; ``flag``: whether the
        mean of these is above :data:`SIMILAR`.
    """
    trained = explainer(model, x)
    layers = {
        name: _similarity(trained, explainer(changed, x))
        for name, changed in randomised(model, seed)
    }
    return {"layers": layers, "flag": bool(np.mean(list(layers.values())) > SIMILAR)}


def randomised(model: nn.Module, seed: int) -> Any:
    """Copies of ``model`` with more and more layers re-initialised: ``(name, copy)`` each."""
    changed = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in reversed(list(changed.named_modules())):
            if list(module.parameters(recurse=False)) and hasattr(module, "reset_parameters"):
                module.reset_parameters()
                yield name, changed


def _similarity(one: Tensor, other: Tensor) -> float:
    """Mean over images of the rank correlation of absolute values; 0 for a map that is constant."""
    found = []
    for a, b in zip(one, other, strict=True):
        first, second = (np.abs(v.detach().cpu().numpy().ravel()) for v in (a, b))
        flat = np.ptp(first) == 0 or np.ptp(second) == 0
        found.append(0.0 if flat else stats.spearmanr(first, second).statistic)
    return float(np.mean(found))

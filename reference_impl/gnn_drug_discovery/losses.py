"""A loss for several tasks of which most labels are missing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["masked_bce"]


def masked_bce(logits: Tensor, y: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy over the labels there are: the mean over tasks of each task's mean.

    ``l = -(w y log s(z) + (1 - y) log(1 - s(z)))`` with the logistic function ``s``. A task counts
    once, however few labels it has; a task without any in this batch does not count. Missing
    labels have a gradient of exactly 0.

    Args:
        logits: ``z`` [B, T].
        y: Labels 0 or 1, nan where not measured [B, T].
        pos_weight: ``w`` [T], how much a positive weighs; 1 if not given.

    Returns:
        Scalar; 0 if there is no label at all.
    """
    known = ~torch.isnan(y)
    # The value under the mask must not matter, and nan times 0 is nan: so it is replaced.
    target = torch.where(known, y, torch.zeros_like(y)).to(logits)
    each = functional.binary_cross_entropy_with_logits(
        logits, target, pos_weight=pos_weight, reduction="none"
    )
    each = torch.where(known, each, torch.zeros_like(each))
    count = known.sum(dim=0)  # [T]
    by_task = each.sum(dim=0) / count.clamp(min=1)
    return by_task.sum() / (count > 0).sum().clamp(min=1)

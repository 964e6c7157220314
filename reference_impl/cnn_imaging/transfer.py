"""Reusing a trained network: other channels, other classes, frozen parts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

__all__ = ["FrozenBatchNorm2d", "adapt_first_conv", "prepare_finetune"]


def adapt_first_conv(w: Tensor, in_ch: int) -> Tensor:
    """Kernels of a first layer for RGB, made to fit images with another number of channels.

    - One channel: ``w'[o, 0] = sum_c w[o, c]``. A grey image then gives exactly what it gave when
      it was repeated three times: ``sum_c w_c * g = (sum_c w_c) * g``. The mean would give a third.
    - Three channels: a copy.
    - More: the first three are kept and further ones start at zero, so that the network begins by
      ignoring them.

    Args:
        w: Kernels [O, 3, k, k].
        in_ch: Channels of the new images: 1, 3 or more.

    Returns:
        New kernels [O, in_ch, k, k], of the dtype and on the device of ``w``.

    Raises:
        ValueError: If ``w`` is not for three channels, or ``in_ch`` is 2 or less than 1.
    """
    if w.ndim != 4 or w.shape[1] != 3:
        raise ValueError(f"kernels must be [O, 3, k, k], not {tuple(w.shape)}")
    if in_ch < 1 or in_ch == 2:
        raise ValueError(f"no rule for {in_ch} channels")
    if in_ch == 1:
        return w.detach().sum(dim=1, keepdim=True)
    adapted = w.new_zeros(w.shape[0], in_ch, *w.shape[2:])
    adapted[:, :3] = w.detach()
    return adapted


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that stays in evaluation mode: its running statistics never move.

    ``requires_grad_(False)`` does not do that. Running statistics are buffers, updated by every
    forward pass in training mode.
    """

    def train(self, mode: bool = True) -> FrozenBatchNorm2d:
        """Stay in evaluation mode whatever ``mode`` is."""
        super().train(False)
        return self


def prepare_finetune(
    model: nn.Module,
    n_classes: int,
    freeze: Sequence[str] = (),
    lr_head: float = 1e-3,
    lr_body: float = 1e-4,
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """A copy of a trained network with a new head, frozen parts and two learning rates.

    Args:
        model: A trained network whose last layer is the linear layer ``model.head``.
        n_classes: Number of logits of the new head.
        freeze: Names of submodules to freeze, for example ``("stem", "stages.0")``. Neither their
            parameters nor their batch-norm statistics change in training.
        lr_head: Learning rate of the new head.
        lr_body: Learning rate of what else is trained.

    Returns:
        ``(copy, groups)``; ``groups`` are parameter groups for an optimiser, first the head's, then
        the body's if any of it is trained. Every trainable parameter is in exactly one.
    """
    tuned = copy.deepcopy(model)
    old_head = tuned.get_submodule("head")
    if not isinstance(old_head, nn.Linear):
        raise TypeError("model.head must be a linear layer")
    tuned.head = nn.Linear(old_head.in_features, n_classes).to(old_head.weight)
    for name in freeze:
        tuned.set_submodule(name, _frozen(tuned.get_submodule(name)))
    head = list(tuned.head.parameters())
    in_head = {id(parameter) for parameter in head}
    body = [p for p in tuned.parameters() if p.requires_grad and id(p) not in in_head]
    groups: list[dict[str, Any]] = [{"params": head, "lr": lr_head}]
    if body:
        groups.append({"params": body, "lr": lr_body})
    return tuned, groups


def _frozen(module: nn.Module) -> nn.Module:
    """``module`` without gradients, its batch norms replaced by frozen ones."""
    if isinstance(module, nn.BatchNorm2d):
        frozen = FrozenBatchNorm2d(module.num_features, module.eps, module.momentum)
        frozen.to(module.weight).load_state_dict(module.state_dict())
        module = frozen.eval()
    for name, child in module.named_children():
        module.set_submodule(name, _frozen(child))
    return module.requires_grad_(False)

"""Training a generator to translate images, and asking it for translations."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from reference_impl.gan_synthesis.networks import UNetGenerator

__all__ = ["train_translator", "translate"]

Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def train_translator(
    train: Pair,
    val: Pair,
    seed: int = 0,
    device: str | torch.device = "cpu",
    max_seconds: float = 60.0,
) -> UNetGenerator:
    """Train a :class:`UNetGenerator` against a :class:`PatchDiscriminator`.

    Args:
        train: Source images [N, H, W] and the true translation of each [N, H, W], floats in [0, 1]
            (uint8 is divided by 255).
        val: Source and target images to watch. They are never learnt from.
        seed: Seed of the initial weights and the order.
        device: ``"cpu"`` or ``"cuda"``.
        max_seconds: Training ends after this many seconds even if epochs are left.

    Returns:
        The generator in evaluation mode. ``model.history`` has one ``(training L1 loss, validation
        PSNR in dB)`` for each epoch.
    """
    raise NotImplementedError


def translate(
    model: torch.nn.Module, X: npt.NDArray[Any], batch: int = 64
) -> npt.NDArray[np.float32]:
    """Translate images: [N, H, W] to float32 [N, H, W], clipped to [0, 1].

    The model is in evaluation mode while it is asked; its mode is restored afterwards.

    Args:
        model: From [B, 1, H, W] to [B, 1, H, W].
        X: Source images, uint8 or floats in [0, 1].
        batch: Images at a time; has no effect on the answer.
    """
    raise NotImplementedError

"""Overlap of masks, a loss that rewards it, and training a U-Net with it."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from reference_impl.cnn_imaging.networks import UNet
from reference_impl.cnn_imaging.normalisation import augment, fit_normaliser
from reference_impl.cnn_imaging.training import to_unit

__all__ = ["dice", "iou", "predict_mask", "soft_dice_loss", "train_segmenter"]

EPOCHS = 8
BATCH = 32
LEARNING_RATE = 1e-2
IMAGES = 500
"""Images that :func:`train_segmenter` learns from at most; more bring little."""

Array = npt.NDArray[Any]
Masked = tuple[Array, Array]


def dice(p: npt.ArrayLike, m: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Dice coefficient of each image: ``2 |P and M| / (|P| + |M|)`` (Dice, Ecology 26:297, 1945).

    Args:
        p: Predicted masks [N, H, W], bool or 0 and 1 (not probabilities, not logits).
        m: True masks [N, H, W].

    Returns:
        float64 [N]. Two empty masks agree: 1. If only one is empty: 0. Report the mean over
        images; pooled over all pixels, large lesions would hide what happens to small ones.
    """
    both, total = _overlap(p, m)
    return np.where(total == 0, 1.0, 2 * both / np.maximum(total, 1))


def iou(p: npt.ArrayLike, m: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Intersection over union of each image: ``|P and M| / |P or M|``, also ``D / (2 - D)``.

    Args:
        p: Predicted masks [N, H, W], bool or 0 and 1.
        m: True masks [N, H, W].

    Returns:
        float64 [N]; 1 for two empty masks.
    """
    both, total = _overlap(p, m)
    union = total - both
    return np.where(union == 0, 1.0, both / np.maximum(union, 1))


def _overlap(p: npt.ArrayLike, m: npt.ArrayLike) -> tuple[Array, Array]:
    """Pixels in both masks, and in one plus the other, by image: float64 [N]."""
    predicted, true = np.asarray(p), np.asarray(m)
    if predicted.shape != true.shape or predicted.ndim != 3:
        raise ValueError(f"two stacks [N, H, W]: {predicted.shape} and {true.shape}")
    if not (np.isin(predicted, (0, 1)).all() and np.isin(true, (0, 1)).all()):
        raise ValueError("masks hold 0 and 1 only; threshold probabilities first")
    predicted, true = predicted.astype(np.float64), true.astype(np.float64)
    return (predicted * true).sum(axis=(1, 2)), (predicted + true).sum(axis=(1, 2))


def soft_dice_loss(logits: Tensor, m: Tensor, eps: float = 1e-6) -> Tensor:
    """One minus the Dice coefficient of probabilities, averaged over images.

    ``1 - mean_n (2 sum_i q_i m_i + eps) / (sum_i q_i + sum_i m_i + eps)``, ``q = sigmoid(logits)``
    (Milletari, Navab & Ahmadi, 3DV 2016, without their squares). At logits of plus or minus
    infinity it is one minus :func:`dice`; ``eps`` makes empty agree with empty.

    Args:
        logits: [N, 1, H, W] or [N, H, W], floating point.
        m: True masks, [N, H, W] or [N, 1, H, W], any dtype.
        eps: Small against one pixel.

    Returns:
        A scalar in [0, 1].
    """
    q, true = torch.sigmoid(logits).flatten(1), m.to(logits).flatten(1)
    if q.shape != true.shape:
        raise ValueError(f"{tuple(logits.shape)} and {tuple(m.shape)} are not the same pixels")
    overlap = (2 * (q * true).sum(dim=1) + eps) / (q.sum(dim=1) + true.sum(dim=1) + eps)
    return 1 - overlap.mean()


def train_segmenter(
    train: Masked,
    val: Masked,
    seed: int = 0,
    device: str | torch.device = "cpu",
    max_seconds: float = 60.0,
) -> UNet:
    """Train a :class:`UNet` to outline lesions.

    The loss is cross-entropy plus :func:`soft_dice_loss`: the first has useful gradients from the
    start, the second weighs small lesions as much as large ones.

    Args:
        train: Images uint8 [N, 3, H, W] and masks bool [N, H, W] to learn from.
        val: Images and masks to watch. They are never learnt from.
        seed: Seed of the initial weights, the order and the augmentation.
        device: ``"cpu"`` or ``"cuda"``.
        max_seconds: Training ends after this many seconds even if epochs are left.

    Returns:
        The model in evaluation mode. ``model.history`` has one ``(training loss, mean validation
        Dice)`` for each epoch.
    """
    deadline = time.monotonic() + max_seconds
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(train[0]))[:IMAGES]
    X, masks = train[0][chosen], train[1][chosen]
    model = UNet()
    mean, std = fit_normaliser(X)
    model.standardise.mean.copy_(torch.as_tensor(mean / 255))
    model.standardise.std.copy_(torch.as_tensor(std / 255))
    model.to(device)

    batches = math.ceil(len(X) / BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=EPOCHS * batches, pct_start=0.1, cycle_momentum=False
    )
    model.history = []
    for _ in range(EPOCHS):
        model.train()
        losses = []
        for batch in np.array_split(rng.permutation(len(X)), batches):
            pairs = [augment(X[i], masks[i], rng) for i in batch]
            images = to_unit(np.stack([image for image, _ in pairs]), device)
            true = torch.as_tensor(np.stack([mask for _, mask in pairs])).to(device).float()
            logits = model(images)[:, 0]
            loss = functional.binary_cross_entropy_with_logits(logits, true)
            loss = loss + soft_dice_loss(logits, true)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            if time.monotonic() > deadline:
                break
        score = float(dice(predict_mask(model, val[0]), val[1]).mean())
        model.history.append((float(np.mean(losses)), score))
        if time.monotonic() > deadline:
            break
    return model.eval()


def predict_mask(model: nn.Module, X: Array, batch: int = 256) -> npt.NDArray[np.bool_]:
    """The predicted masks: where the logit is above 0, that is, the probability above one half.

    Args:
        model: From [B, 3, H, W] in [0, 1] to logits [B, 1, H, W].
        X: Images, uint8 or floats in [0, 1], [N, 3, H, W].
        batch: Images at a time; has no effect on the answer.

    Returns:
        bool [N, H, W].
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        parts = [
            (model(to_unit(X[start : start + batch], device))[:, 0] > 0).cpu().numpy()
            for start in range(0, len(X), batch)
        ]
    model.train(was_training)
    return np.concatenate(parts) if parts else np.zeros((0, *X.shape[2:]), dtype=bool)

"""Training the lesion classifier and asking it for probabilities."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from reference_impl.cnn_imaging.metrics import roc_auc
from reference_impl.cnn_imaging.networks import SmallResNet
from reference_impl.cnn_imaging.normalisation import augment, fit_normaliser

__all__ = ["predict_proba", "to_unit", "train_classifier"]

EPOCHS = 12
BATCH = 32
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05

Labelled = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def to_unit(X: npt.NDArray[Any], device: str | torch.device = "cpu") -> Tensor:
    """Images as float32 in [0, 1] on ``device``; uint8 is divided by 255, floats are kept."""
    images = torch.as_tensor(np.ascontiguousarray(X)).to(device)
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def train_classifier(
    train: Labelled,
    val: Labelled,
    seed: int = 0,
    device: str | torch.device = "cpu",
    max_seconds: float = 60.0,
) -> SmallResNet:
    """Train a :class:`SmallResNet` to tell malignant from benign lesions.

    Cross-entropy, AdamW, a learning rate that rises for a tenth of the steps and then falls along
    a cosine to zero, and new augmentation of every image in every epoch.

    Args:
        train: Images uint8 [N, 3, H, W] and labels 0 or 1 [N] to learn from.
        val: Images and labels to watch. They are never learnt from.
        seed: Seed of the initial weights, the order and the augmentation.
        device: ``"cpu"`` or ``"cuda"``.
        max_seconds: Training ends after this many seconds even if epochs are left.

    Returns:
        The model in evaluation mode, the training set's statistics inside. ``model.history`` has
        one ``(training loss, validation AUC)`` for each epoch.
    """
    deadline = time.monotonic() + max_seconds
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    X, y = train
    labels = torch.as_tensor(np.asarray(y, dtype=np.int64)).to(device)
    model = SmallResNet()
    mean, std = fit_normaliser(X)
    model.standardise.mean.copy_(torch.as_tensor(mean / 255))
    model.standardise.std.copy_(torch.as_tensor(std / 255))
    model.to(device)

    steps = EPOCHS * math.ceil(len(X) / BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    model.history = []
    for _ in range(EPOCHS):
        model.train()
        losses = []
        for batch in np.array_split(rng.permutation(len(X)), math.ceil(len(X) / BATCH)):
            images = to_unit(_augmented(X[batch], rng), device)
            loss = functional.cross_entropy(model(images), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            if time.monotonic() > deadline:
                break
        watched = roc_auc(val[1], predict_proba(model, val[0]))
        model.history.append((float(np.mean(losses)), watched))
        if time.monotonic() > deadline:
            break
    return model.eval()


def _augmented(X: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Each image of a batch moved at random; the classifier has no masks to move along."""
    no_mask = np.zeros(X.shape[2:], dtype=bool)
    return np.stack([augment(image, no_mask, rng)[0] for image in X])


def predict_proba(model: nn.Module, X: npt.NDArray[Any], batch: int = 256) -> npt.NDArray[Any]:
    """Probability of malignancy of each image.

    The model is in evaluation mode while it is asked, so that an image's answer does not depend
    on the images beside it; its mode is restored afterwards.

    Args:
        model: From [B, 3, H, W] in [0, 1] to logits [B, 2].
        X: Images, uint8 or floats in [0, 1], [N, 3, H, W].
        batch: Images at a time; has no effect on the answer.

    Returns:
        float32 [N].
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        parts = [
            functional.softmax(model(to_unit(X[start : start + batch], device)), dim=1)[:, 1].cpu()
            for start in range(0, len(X), batch)
        ]
    model.train(was_training)
    return torch.cat(parts).numpy() if parts else np.zeros(0, np.float32)

"""Training a generator to translate images, and asking it for translations."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from reference_impl.gan_synthesis.losses import critic_loss, generator_loss
from reference_impl.gan_synthesis.metrics import psnr
from reference_impl.gan_synthesis.networks import PatchDiscriminator, UNetGenerator

__all__ = ["to_unit", "train_translator", "translate"]

EPOCHS = 24
BATCH = 8
LEARNING_RATE = 5e-3
ADVERSARIAL = 0.01
"""Weight of the adversarial loss beside the L1 loss."""

Pair = tuple[npt.NDArray[Any], npt.NDArray[Any]]


def to_unit(X: npt.NDArray[Any], device: str | torch.device = "cpu") -> Tensor:
    """Images [N, H, W] as float32 [N, 1, H, W]; uint8 is divided by 255, floats are kept."""
    images = torch.as_tensor(np.ascontiguousarray(X)).to(device)[:, None]
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


def train_translator(
    train: Pair,
    val: Pair,
    seed: int = 0,
    device: str | torch.device = "cpu",
    max_seconds: float = 60.0,
) -> UNetGenerator:
    """Train a :class:`UNetGenerator` against a :class:`PatchDiscriminator`.

    L1 loss plus a little of the hinge loss of a discriminator that sees source and image together
    (Isola et al., CVPR 2017); Adam for both, and a learning rate that rises for a tenth of the
    steps and then falls along a cosine to zero. Images are mirrored at random, both of a pair
    alike.

    Args:
        train: Source images [N, H, W] and the true translation of each [N, H, W], uint8 or floats
            in [0, 1].
        val: Source and target images to watch. They are never learnt from.
        seed: Seed of the initial weights, the order and the mirroring.
        device: ``"cpu"`` or ``"cuda"``.
        max_seconds: Training ends after this many seconds even if epochs are left.

    Returns:
        The generator in evaluation mode. ``model.history`` has one ``(training L1 loss, validation
        PSNR in dB)`` for each epoch.
    """
    deadline = time.monotonic() + max_seconds
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    sources, targets = (to_unit(images, device) for images in train)
    generator = UNetGenerator().to(device)
    discriminator = PatchDiscriminator().to(device)
    steps = math.ceil(len(sources) / BATCH)
    g_step = _Stepper(generator, EPOCHS * steps)
    d_step = _Stepper(discriminator, EPOCHS * steps)
    generator.history = []
    for _ in range(EPOCHS):
        generator.train()
        losses = []
        for rows in np.array_split(rng.permutation(len(sources)), steps):
            axes = [-1] if rng.random() < 0.5 else []
            source, target = (images[rows].flip(axes) for images in (sources, targets))
            fake = generator(source)
            discriminator.requires_grad_(True)
            d_step(critic_loss(discriminator, source, target, fake))
            # The generator's loss needs the discriminator's judgement, not its weights' gradients.
            discriminator.requires_grad_(False)
            g_step(generator_loss(discriminator, source, target, fake, weight=ADVERSARIAL))
            l1 = functional.l1_loss(fake.detach(), target)
            losses.append(l1.item())
            if time.monotonic() > deadline:
                break
        translated = translate(generator, val[0])
        true = to_unit(val[1])[:, 0].numpy()
        watched = float(np.mean(psnr(translated, true, data_range=1.0)))
        generator.history.append((float(np.mean(losses)), watched))
        if time.monotonic() > deadline:
            break
    return generator.eval()


class _Stepper:
    """Adam and its schedule for one network."""

    def __init__(self, network: torch.nn.Module, steps: int) -> None:
        self.optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE, betas=(0.5, 0.99))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1, cycle_momentum=False
        )

    def __call__(self, loss: Tensor) -> None:
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()


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
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        parts = [
            model(to_unit(X[start : start + batch], device)).clamp(0, 1)[:, 0].cpu()
            for start in range(0, len(X), batch)
        ]
    model.train(was_training)
    return torch.cat(parts).numpy() if parts else np.zeros(X.shape, np.float32)

"""What generator and discriminator are trained to make small.

The discriminator's output is a *logit* of any shape, one number an image or one a patch. All
losses are means over everything, so they do not depend on how many patches there are.

| kind | discriminator | generator |
|---|---|---|
| ``nonsat`` | mean softplus(-r) + mean softplus(f) | mean softplus(-f) |
| ``lsgan`` | mean (r - 1)^2 / 2 + mean f^2 / 2 | mean (f - 1)^2 / 2 |
| ``hinge`` | mean relu(1 - r) + mean relu(1 + f) | - mean f |
| ``wgan`` | mean f - mean r | - mean f |

with ``r`` the logits of real and ``f`` those of generated images. Sources: ``nonsat`` Goodfellow et
al., NeurIPS 2014; ``lsgan`` Mao et al., ICCV 2017; ``hinge`` Miyato et al., ICLR 2018; ``wgan``
Arjovsky et al., ICML 2017.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "KINDS",
    "critic_loss",
    "d_loss",
    "g_loss",
    "generator_loss",
    "gradient_penalty",
    "r1",
]

KINDS = ("nonsat", "lsgan", "hinge", "wgan")
"""The kinds of loss."""

Critic = Callable[[Tensor], Tensor]
"""From images [B, C, H, W] to logits [B, ...]."""
Conditional = Callable[[Tensor, Tensor], Tensor]
"""From source and image [B, C, H, W] to logits [B, ...]."""


def d_loss(real_logits: Tensor, fake_logits: Tensor, kind: str) -> Tensor:
    """Loss of the discriminator; see the table above.

    Args:
        real_logits: Logits of real images, any shape.
        fake_logits: Logits of generated images, any shape. Detach the *images* before asking the
            discriminator, or the generator is trained by this loss as well.
        kind: One of :data:`KINDS`.

    Returns:
        A scalar.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind == "nonsat":
        return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()
    if kind == "lsgan":
        return 0.5 * (real_logits - 1).square().mean() + 0.5 * fake_logits.square().mean()
    if kind == "hinge":
        return functional.relu(1 - real_logits).mean() + functional.relu(1 + fake_logits).mean()
    if kind == "wgan":
        return fake_logits.mean() - real_logits.mean()
    raise ValueError(f"there is no loss {kind!r}; choose one of {KINDS}")


def g_loss(fake_logits: Tensor, kind: str) -> Tensor:
    """Loss of the generator; see the table above.

    Args:
        fake_logits: Logits of generated images, any shape, not detached.
        kind: One of :data:`KINDS`.

    Returns:
        A scalar.

    Raises:
        ValueError: if there is no such kind.
    """
    if kind == "nonsat":
        return functional.softplus(-fake_logits).mean()
    if kind == "lsgan":
        return 0.5 * (fake_logits - 1).square().mean()
    if kind in {"hinge", "wgan"}:
        return -fake_logits.mean()
    raise ValueError(f"there is no loss {kind!r}; choose one of {KINDS}")


def critic_loss(
    D: Conditional, source: Tensor, real: Tensor, fake: Tensor, kind: str = "hinge"
) -> Tensor:
    """Loss of a discriminator that sees the source; it does not reach what made ``fake``.

    Args:
        D: From source and image [B, C, H, W] to logits of any shape.
        source: Source images [B, C, H, W].
        real: Their true translations.
        fake: Their generated translations; detached here.
        kind: One of :data:`KINDS`.

    Returns:
        A scalar.
    """
    return d_loss(D(source, real), D(source, fake.detach()), kind)


def generator_loss(
    D: Conditional,
    source: Tensor,
    real: Tensor,
    fake: Tensor,
    kind: str = "hinge",
    weight: float = 0.01,
) -> Tensor:
    """``mean |fake - real| + weight g_loss`` of a generator that is shown the truth.

    The same arguments as those of :func:`critic_loss`, and the ``weight`` of the adversarial part.

    Returns:
        A scalar.
    """
    return functional.l1_loss(fake, real) + weight * g_loss(D(source, fake), kind)


def gradient_penalty(
    D: Critic, real: Tensor, fake: Tensor, alpha: Tensor, lam: float = 10.0
) -> Tensor:
    """Penalty of WGAN-GP (Gulrajani et al., NeurIPS 2017), ``lam mean_b (||g_b|| - 1)^2``.

    ``g_b`` is the gradient of the score of image ``b`` at ``x_b = alpha_b real_b + (1 - alpha_b)
    fake_b``, its norm is over all pixels of that image, and the score of an image is the mean of
    its logits. The result can be differentiated by the parameters of ``D``.

    Args:
        D: From images [B, C, H, W] to logits [B, ...]; no image may depend on another.
        real: Real images [B, C, H, W].
        fake: Generated images [B, C, H, W].
        alpha: Where between them, in [0, 1], [B, 1, 1, 1].
        lam: Weight.

    Returns:
        A scalar.

    Raises:
        ValueError: if ``alpha`` is not of shape [B, 1, 1, 1].
    """
    if alpha.shape != (len(real), 1, 1, 1):
        wanted = (len(real), 1, 1, 1)
        raise ValueError(f"alpha must be of shape {wanted}, one an image, not {tuple(alpha.shape)}")
    between = alpha * real.detach() + (1 - alpha) * fake.detach()
    norm = _squared_gradients(D, between).sqrt()
    return lam * (norm - 1).square().mean()


def r1(D: Critic, real: Tensor, gamma: float = 10.0, interval: int = 1) -> Tensor:
    """Penalty R1 (Mescheder et al., ICML 2018), ``interval gamma / 2 mean_b ||grad D(real_b)||^2``.

    It may be computed in every ``interval``-th step only, and is then multiplied by ``interval``
    so that its strength on average stays (Karras et al., CVPR 2020, "lazy regularization"). The
    score of an image is the mean of its logits.

    Args:
        D: From images [B, C, H, W] to logits [B, ...]; no image may depend on another.
        real: Real images [B, C, H, W].
        gamma: Weight.
        interval: Every how many steps the penalty is computed, at least 1.

    Returns:
        A scalar that can be differentiated by the parameters of ``D``.
    """
    return interval * gamma / 2 * _squared_gradients(D, real.detach()).mean()


def _squared_gradients(D: Critic, images: Tensor) -> Tensor:
    """``||grad of the image's mean logit||^2`` of each image: [B]."""
    at = images.clone().requires_grad_()
    scores = D(at).reshape(len(at), -1).mean(dim=1)
    # The sum's gradient holds each image's own, for no image's score depends on another image.
    (gradient,) = torch.autograd.grad(scores.sum(), at, create_graph=True)
    return gradient.reshape(len(at), -1).square().sum(dim=1)

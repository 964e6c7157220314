"""A U-Net that translates images, a discriminator that judges patches, and what bounds both.

Module names are part of the interface: weights trained in a student's class are loaded into these
classes, and the other way round. A ``state_dict`` holds

- ``ConvBlock``: ``0`` and ``3`` (convolutions), ``1`` and ``4`` (group norms).
- ``UNetGenerator``: ``down.0`` to ``down.2`` (ConvBlock); ``up.0``, ``up.1`` (transposed
  convolutions) and ``merge.0``, ``merge.1`` (ConvBlock), coarse to fine; ``head``. What is merged
  is ``cat([from below, skip connection])``.
- ``PatchDiscriminator``: ``layers.0``, ``layers.2``, ``layers.4`` (convolutions with spectral norm,
  as ``torch.nn.utils.parametrizations.spectral_norm`` names it). What is judged is
  ``cat([source, image])``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

__all__ = [
    "PATCH_LAYERS",
    "ConvBlock",
    "PatchDiscriminator",
    "UNetGenerator",
    "power_iteration",
    "receptive_field",
    "spectrally_normalised",
]

PATCH_LAYERS = ((4, 2), (4, 2), (3, 1))
"""Kernel and stride of the layers of :class:`PatchDiscriminator`: it sees 18 x 18 pixels."""


class ConvBlock(nn.Sequential):
    """Twice a 3x3 convolution, group norm (Wu & He, ECCV 2018) with 4 groups, and ReLU.

    Unlike batch norm, group norm does not depend on the other images of a batch. The convolutions
    have a bias: without it, or with a norm of single channels, the block would give the same for
    an image of half the brightness.

    Shapes: [B, cin, H, W] to [B, cout, H, W]; ``cout`` a multiple of 4.
    """

    def __init__(self, cin: int, cout: int) -> None:
        """Make the six layers."""
        super().__init__(
            nn.Conv2d(cin, cout, 3, padding=1),
            nn.GroupNorm(4, cout),
            nn.ReLU(),
            nn.Conv2d(cout, cout, 3, padding=1),
            nn.GroupNorm(4, cout),
            nn.ReLU(),
        )


class UNetGenerator(nn.Module):
    """A U-Net from image to image (Ronneberger, Fischer & Brox, MICCAI 2015), three resolutions.

    What it computes is added to the first channel of its input: it learns the difference of two
    images, and starts near the source whatever its initial weights.

    Shapes: [B, in_channels, H, W] to [B, 1, H, W], any real numbers; H and W multiples of 4.
    With ``width=8``: 29,641 parameters.
    """

    history: list[tuple[float, float]]
    """(training L1 loss, validation PSNR in dB) of each epoch, once trained."""

    def __init__(self, width: int = 8, in_channels: int = 1) -> None:
        """Make an untrained network with ``width``, ``2 width`` and ``4 width`` channels."""
        super().__init__()
        w1, w2, w3 = width, 2 * width, 4 * width
        levels = [ConvBlock(in_channels, w1), ConvBlock(w1, w2), ConvBlock(w2, w3)]
        self.down = nn.ModuleList(levels)
        doubling = [nn.ConvTranspose2d(w3, w2, 2, 2), nn.ConvTranspose2d(w2, w1, 2, 2)]
        self.up = nn.ModuleList(doubling)
        self.merge = nn.ModuleList([ConvBlock(2 * w2, w2), ConvBlock(2 * w1, w1)])
        self.head = nn.Conv2d(w1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Translate a batch of images."""
        if x.shape[2] % 4 or x.shape[3] % 4:
            raise ValueError(f"height and width must be multiples of 4, not {tuple(x.shape[2:])}")
        fine = self.down[0](x)  # [B, w1, H, W]
        middle = self.down[1](functional.max_pool2d(fine, 2))  # [B, w2, H/2, W/2]
        coarse = self.down[2](functional.max_pool2d(middle, 2))  # [B, w3, H/4, W/4]
        middle = self.merge[0](torch.cat([self.up[0](coarse), middle], dim=1))
        fine = self.merge[1](torch.cat([self.up[1](middle), fine], dim=1))
        return x[:, :1] + self.head(fine)


class PatchDiscriminator(nn.Module):
    """Judges every patch of an image together with the source it should be a translation of.

    After PatchGAN (Isola et al., CVPR 2017) with spectral norm (Miyato et al., ICLR 2018): three
    convolutions with kernels 4, 4, 3 and strides 2, 2, 1, all padded by 1, leaky ReLU of slope 0.2
    between them.

    Shapes: [B, in_channels, H, W] twice to logits [B, 1, H/4, W/4]; H and W multiples of 4.
    """

    def __init__(self, width: int = 16, in_channels: int = 1) -> None:
        """Make an untrained network; ``in_channels`` are those of source and image each."""
        super().__init__()
        channels = [2 * in_channels, width, 2 * width, 1]
        layers: list[nn.Module] = []
        for (kernel, stride), cin, cout in zip(
            PATCH_LAYERS, channels[:-1], channels[1:], strict=True
        ):
            layers += [spectral_norm(nn.Conv2d(cin, cout, kernel, stride, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, source: Tensor, image: Tensor) -> Tensor:
        """Logits of a batch: large where ``image`` looks like a real translation of ``source``."""
        return self.layers(torch.cat([source, image], dim=1))


def receptive_field(layers: Sequence[Sequence[int]]) -> int:
    """How many pixels, along one axis, a value behind ``layers`` depends on.

    ``1 + sum_l (k_l - 1) d_l s_1 ... s_(l-1)``: each layer adds its extent, in steps as long as
    all strides before it make them.

    Args:
        layers: For each layer, from the image on: kernel size and stride, and dilation if not 1.

    Returns:
        Side of the receptive field, pixels; 1 for no layers.

    Raises:
        ValueError: if a layer has not two or three numbers, all at least 1.
    """
    field, step = 1, 1
    for layer in layers:
        if len(layer) not in (2, 3) or min(layer) < 1:
            raise ValueError(f"a layer is (kernel, stride) or (kernel, stride, dilation): {layer}")
        kernel, stride, dilation = (*layer, 1)[:3]
        field += (kernel - 1) * dilation * step
        step *= stride
    return field


def power_iteration(W: Tensor, n: int = 50) -> Tensor:
    """Largest singular value of ``W`` as a matrix with one row for each output, by iteration.

    ``v = W^T u / ||W^T u||``, ``u = W v / ||W v||``, ``n`` times, then ``sigma = u^T W v``. ``u``
    starts with equal entries plus a ramp that singular vectors are unlikely to be orthogonal to:
    the answer depends on ``W`` alone. For a convolution this is the norm of the *reshaped* kernel,
    not of the convolution as an operator, which can be larger.

    Args:
        W: Weights [outputs, ...], such as [Co, Ci, kh, kw].
        n: Iterations, at least 1.

    Returns:
        A scalar, at most the true value and close to it for large ``n``; 0 if ``W`` is zero. It
        can be differentiated by ``W``; the gradient is ``u v^T``.

    Raises:
        ValueError: if ``n`` is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    matrix = W.reshape(len(W), -1)
    with torch.no_grad():
        u = functional.normalize(1 + torch.arange(len(W)).to(matrix) / math.pi, dim=0)
        for _ in range(n):
            v = functional.normalize(matrix.T @ u, dim=0)
            u = functional.normalize(matrix @ v, dim=0)
    return u @ matrix @ v


def spectrally_normalised(W: Tensor, n: int = 50) -> Tensor:
    """``W`` divided by its largest singular value, so that this becomes 1 (Miyato et al., 2018).

    Args:
        W: Weights [outputs, ...], not all zero.
        n: Iterations of :func:`power_iteration`.

    Returns:
        Weights of the same shape.
    """
    return W / power_iteration(W, n)

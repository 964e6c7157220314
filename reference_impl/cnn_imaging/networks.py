"""The networks of the assignment: a small ResNet, VGG and a small U-Net.

Module names are part of the interface: weights trained in a student's class are loaded into these
classes, and the other way round. A ``state_dict`` holds

- ``BasicBlock``: ``conv1``, ``bn1``, ``conv2``, ``bn2``; where the shape changes also
  ``shortcut.0`` (convolution) and ``shortcut.1`` (batch norm).
- ``SmallResNet``: ``standardise.mean``, ``standardise.std``; ``stem.0`` (convolution), ``stem.1``
  (batch norm); ``stages.S.B.*`` for block B of stage S; ``head.weight``, ``head.bias``.
- ``vgg``: ``features.I`` counting every layer (convolution, batch norm, ReLU, pooling); ``head``.
- ``DoubleConv``: ``0`` and ``3`` (convolutions), ``1`` and ``4`` (batch norms).
- ``UNet``: ``standardise.*``; ``down.0`` to ``down.2`` (DoubleConv); ``up.0``, ``up.1`` (transposed
  convolutions) and ``merge.0``, ``merge.1`` (DoubleConv), coarse to fine; ``head``. What is merged
  is ``cat([from below, skip connection])``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BasicBlock", "DoubleConv", "SmallResNet", "Standardise", "UNet", "vgg"]


class Standardise(nn.Module):
    """``(x - mean) / std`` by channel, with the training set's statistics kept as buffers.

    Weights are useless without the statistics they were trained with, so the two are one file.

    Shapes: [B, C, H, W] to the same.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int) -> None:
        """Start as the identity: mean 0, std 1."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Standardise a batch."""
        return (x - self.mean[:, None, None]) / self.std[:, None, None]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a way round them (He et al., CVPR 2016, figure 2).

    ``relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))``. The shortcut is the identity, or a
    1x1 convolution with batch norm where the number of channels or the resolution changes.

    Shapes: [B, cin, H, W] to [B, cout, ceil(H / stride), ceil(W / stride)].
    """

    def __init__(self, cin: int, cout: int, stride: int = 1) -> None:
        """Make a block; ``stride`` is that of the first convolution and of the shortcut."""
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or cin != cout:
            projection = nn.Conv2d(cin, cout, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(cout))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        out = functional.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return functional.relu(out + self.shortcut(x))


class SmallResNet(nn.Module):
    """A ResNet for small images: a stem, three stages, the average over the image, a linear head.

    The stem halves the resolution: most of the time would otherwise go into its few channels.
    Stage ``s`` has ``n`` blocks of ``width * 2**s`` channels; the first block of the second and
    third stage halves the resolution again.

    Shapes: [B, in_channels, H, W] in [0, 1] to logits [B, n_classes], for any H and W.
    With ``width=16, n=1, n_classes=2``: 77,522 parameters.
    """

    history: list[tuple[float, float]]
    """(training loss, validation AUC) of each epoch, once trained."""

    def __init__(
        self, width: int = 16, n: int = 1, n_classes: int = 2, in_channels: int = 3
    ) -> None:
        """Make an untrained network."""
        super().__init__()
        self.standardise = Standardise(in_channels)
        convolution = nn.Conv2d(in_channels, width, 3, stride=2, padding=1, bias=False)
        self.stem = nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
        stages, cin = [], width
        for stage in range(3):
            cout, stride = width * 2**stage, 1 if stage == 0 else 2
            blocks = [BasicBlock(cin, cout, stride)]
            blocks += [BasicBlock(cout, cout) for _ in range(n - 1)]
            stages.append(nn.Sequential(*blocks))
            cin = cout
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(cin, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        features = self.stages(self.stem(self.standardise(x)))  # [B, 4 width, H / 8, W / 8]
        return self.head(features.mean(dim=(2, 3)))


def vgg(cfg: Sequence[int | str], n_classes: int = 2, in_channels: int = 3) -> nn.Sequential:
    """A VGG network (Simonyan & Zisserman, ICLR 2015) with batch norm and average pooling.

    Args:
        cfg: A number ``c`` stands for a 3x3 convolution to ``c`` channels, batch norm and ReLU;
            ``"M"`` for 2x2 max pooling. For example ``(16, "M", 32, "M")``.
        n_classes: Number of logits.
        in_channels: Channels of the images.

    Returns:
        A network with modules ``features``, ``pool``, ``flatten`` and ``head``, from
        [B, in_channels, H, W] to logits [B, n_classes].
    """
    layers: list[nn.Module] = []
    channels = in_channels
    for item in cfg:
        if item == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            width = int(item)
            convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*layers),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(channels, n_classes),
        )
    )


class DoubleConv(nn.Sequential):
    """Twice a 3x3 convolution, batch norm and ReLU.

    Shapes: [B, cin, H, W] to [B, cout, H, W].
    """

    def __init__(self, cin: int, cout: int) -> None:
        """Make the six layers."""
        super().__init__(
            nn.Conv2d(cin, cout, 3, padding=1, bias=False),
            nn.BatchNorm2d(cout),
            nn.ReLU(),
            nn.Conv2d(cout, cout, 3, padding=1, bias=False),
            nn.BatchNorm2d(cout),
            nn.ReLU(),
        )


class UNet(nn.Module):
    """A U-Net with three resolutions (Ronneberger, Fischer & Brox, MICCAI 2015).

    On the way down, features are computed and halved in resolution; on the way up they are
    doubled and joined with those of the same resolution from the way down, which still know
    where the border is.

    Shapes: [B, in_channels, H, W] in [0, 1] to logits [B, 1, H, W]; H and W multiples of 4.
    With ``width=12``: 66,229 parameters.
    """

    history: list[tuple[float, float]]
    """(training loss, mean validation Dice) of each epoch, once trained."""

    def __init__(self, width: int = 12, in_channels: int = 3) -> None:
        """Make an untrained network with ``width``, ``2 width`` and ``4 width`` channels."""
        super().__init__()
        w1, w2, w3 = width, 2 * width, 4 * width
        self.standardise = Standardise(in_channels)
        levels = [DoubleConv(in_channels, w1), DoubleConv(w1, w2), DoubleConv(w2, w3)]
        self.down = nn.ModuleList(levels)
        doubling = [nn.ConvTranspose2d(w3, w2, 2, 2), nn.ConvTranspose2d(w2, w1, 2, 2)]
        self.up = nn.ModuleList(doubling)
        self.merge = nn.ModuleList([DoubleConv(2 * w2, w2), DoubleConv(2 * w1, w1)])
        self.head = nn.Conv2d(w1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images; above 0 means lesion."""
        if x.shape[2] % 4 or x.shape[3] % 4:
            raise ValueError(f"height and width must be multiples of 4, not {tuple(x.shape[2:])}")
        fine = self.down[0](self.standardise(x))  # [B, w1, H, W]
        middle = self.down[1](functional.max_pool2d(fine, 2))  # [B, w2, H/2, W/2]
        coarse = self.down[2](functional.max_pool2d(middle, 2))  # [B, w3, H/4, W/4]
        middle = self.merge[0](torch.cat([self.up[0](coarse), middle], dim=1))
        fine = self.merge[1](torch.cat([self.up[1](middle), fine], dim=1))
        return self.head(fine)

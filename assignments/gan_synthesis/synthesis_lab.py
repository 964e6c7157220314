"""What the notebook on image synthesis needs: figures, given parts, objects to practise on.

This file is published with the notebook. It holds no answers. Images and their loaders are in
``scans.py``, the simulators in ``headsim.py`` and ``petsim.py``. The critics and
:class:`MoodyTranslator` at its end are also what tests use to try your functions, so that you can
try them in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from coursekit import needs, pick_device, ready, use_course_style
from torch import Tensor, nn

__all__ = [
    "PRACTICE",
    "ConvBlock",
    "LinearCritic",
    "MoodyTranslator",
    "PairCritic",
    "PatchCritic",
    "Practice",
    "QuadraticCritic",
    "convolution_norm",
    "needs",
    "pick_device",
    "practice",
    "ready",
    "region_means",
    "show_curves",
    "show_histograms",
    "show_images",
    "show_samples",
    "show_translation",
    "to_unit",
    "use_course_style",
]


def show_images(
    images: Sequence[Any],
    titles: Sequence[str],
    heading: str,
    unit: str,
    limits: tuple[float, float] | None = None,
    signed: Sequence[bool] = (),
) -> None:
    """Gray images side by side, each with a colour bar.

    Args:
        images: Arrays or tensors [H, W].
        titles: One for each.
        heading: Above all of them; say there where the images come from.
        unit: Of the values.
        limits: Values drawn black and white; each image's own if not given.
        signed: True for images of a signed difference, which are drawn from blue to red.
    """
    panels = [np.asarray(torch.as_tensor(image).detach().cpu(), dtype=float) for image in images]
    differences = list(signed) or [False] * len(panels)
    fig, axes = plt.subplots(1, len(panels), figsize=(2.15 * len(panels), 2.3), squeeze=False)
    for ax, panel, title, both in zip(axes[0], panels, titles, differences, strict=True):
        if both:
            top = float(np.nanmax(np.abs(panel))) or 1.0
            drawn = ax.imshow(panel, cmap="RdBu_r", vmin=-top, vmax=top)
        else:
            low, high = limits or (float(panel.min()), float(panel.max()))
            drawn = ax.imshow(panel, cmap="gray", vmin=low, vmax=high)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=8)
        _bar(fig, ax, drawn, unit)
    fig.suptitle(heading, fontsize=9)
    plt.show()


def show_translation(
    source: Any, prediction: Any, target: Any, heading: str, unit: str, contour: Any = None
) -> None:
    """A row for each image: source, prediction, truth, and the difference of the last two.

    Args:
        source: Images [N, H, W] in [0, 1].
        prediction: Images [N, H, W].
        target: Images [N, H, W].
        heading: Above all of them.
        unit: Of the values.
        contour: Pixels to outline in orange, bool [N, H, W], such as lesions.
    """
    stacks = [np.asarray(v, dtype=float) for v in (source, prediction, target)]
    error = stacks[1] - stacks[2]
    top = float(np.quantile(np.abs(error), 0.999)) or 1.0
    names = ("source", "synthesised", "truth", "synthesised − truth")
    fig, axes = plt.subplots(len(error), 4, figsize=(8.6, 1.95 * len(error) + 0.4), squeeze=False)
    for row, line in enumerate(axes):
        for column, ax in enumerate(line):
            if column < 3:
                drawn = ax.imshow(stacks[column][row], cmap="gray", vmin=0, vmax=1)
            else:
                drawn = ax.imshow(error[row], cmap="RdBu_r", vmin=-top, vmax=top)
            if contour is not None and np.asarray(contour)[row].any():
                edge = np.asarray(contour, dtype=float)[row]
                ax.contour(edge, [0.5], colors="orange", linewidths=0.9)
            ax.set(xticks=[], yticks=[])
            if row == 0:
                ax.set_title(names[column], fontsize=8)
            if column >= 2:
                _bar(fig, ax, drawn, unit)
    fig.suptitle(heading, fontsize=9)
    plt.show()


def _bar(fig: Any, ax: Any, drawn: Any, unit: str) -> None:
    bar = fig.colorbar(drawn, ax=ax, shrink=0.75)
    bar.ax.tick_params(labelsize=6)
    bar.set_label(unit, fontsize=6)


def show_curves(
    x: Any,
    curves: Mapping[str, Any],
    xlabel: str,
    ylabel: str,
    title: str,
    ylim: tuple[float, float] | None = None,
    log: bool = False,
    marks: Sequence[float] = (),
) -> None:
    """Curves over one axis, with their names; ``marks`` are drawn as dotted vertical lines."""
    _, ax = plt.subplots(figsize=(4.8, 3.0))
    for name, values in curves.items():
        ax.plot(np.asarray(x), np.asarray(values), label=name)
    for mark in marks:
        ax.axvline(mark, color="0.6", linewidth=0.9, linestyle=":")
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if ylim:
        ax.set_ylim(*ylim)
    if log:
        ax.set_xscale("log")
    ax.legend(frameon=False, fontsize=8)
    plt.show()


def show_histograms(
    samples: Mapping[str, Any],
    xlabel: str,
    title: str,
    expected: Mapping[str, Callable[[np.ndarray], np.ndarray]] | None = None,
    bins: int = 60,
) -> None:
    """Histograms of ``samples``, and densities that are ``expected`` as dashed lines."""
    _, ax = plt.subplots(figsize=(4.8, 3.0))
    for name, values in samples.items():
        ax.hist(np.ravel(values), bins=bins, density=True, alpha=0.45, label=name)
    x = np.linspace(*ax.get_xlim(), 300)
    for name, density in (expected or {}).items():
        ax.plot(x, density(x), "--", linewidth=1.2, label=name)
    ax.set(xlabel=xlabel, ylabel="density", title=title)
    ax.legend(frameon=False, fontsize=8)
    plt.show()


def show_samples(samples: Mapping[str, Any], real: Any, heading: str) -> None:
    """Clouds of points [N, 2], one panel each, over the ``real`` ones in gray."""
    fig, axes = plt.subplots(
        1, len(samples), figsize=(1.95 * len(samples), 2.4), sharex=True, sharey=True, squeeze=False
    )
    for ax, (name, points) in zip(axes[0], samples.items(), strict=True):
        ax.plot(*np.asarray(real).T, ".", color="0.8", markersize=3)
        ax.plot(*np.asarray(points).T, ".", markersize=3)
        ax.set_title(name, fontsize=8)
        ax.set(aspect="equal", xlabel="feature 1 (no unit)")
    axes[0, 0].set_ylabel("feature 2 (no unit)")
    fig.suptitle(heading, fontsize=9)
    plt.show()


def to_unit(X: Any, device: str | torch.device = "cpu") -> Tensor:
    """Images [N, H, W] as float32 [N, 1, H, W]; uint8 is divided by 255, floats are kept."""
    images = torch.as_tensor(np.ascontiguousarray(X)).to(device)[:, None]
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


class ConvBlock(nn.Sequential):
    """Twice a 3 × 3 convolution, group norm with 4 groups, and ReLU.

    Shapes: [B, cin, H, W] to [B, cout, H, W]; ``cout`` is a multiple of 4.
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


def convolution_norm(kernel: Tensor, size: int = 32, steps: int = 100) -> float:
    """Largest factor by which a convolution lengthens an image: its norm as an operator.

    Power iteration with the convolution and its transpose in place of a matrix.

    Args:
        kernel: [Co, Ci, k, k], k odd; stride 1, zeros around the image.
        size: Side of the images.
        steps: Iterations.
    """
    pad = kernel.shape[-1] // 2
    x = torch.randn(1, kernel.shape[1], size, size, generator=torch.Generator().manual_seed(0))
    for _ in range(steps):
        y = nn.functional.conv2d(x, kernel, padding=pad)
        x = nn.functional.conv_transpose2d(y, kernel, padding=pad)
        x = x / x.norm()
    return float(nn.functional.conv2d(x, kernel, padding=pad).norm())


def region_means(images: Any, blocks: int = 3) -> np.ndarray:
    """Images as a few numbers: mean brightness in each of ``blocks`` × ``blocks`` regions.

    Args:
        images: [N, H, W].
        blocks: Regions along each side.

    Returns:
        float64 [N, blocks²].
    """
    rows = np.array_split(np.asarray(images, dtype=float), blocks, axis=1)
    cells = [cell.mean(axis=(1, 2)) for row in rows for cell in np.array_split(row, blocks, axis=2)]
    return np.stack(cells, axis=1)


class Practice(NamedTuple):
    """What ``mode_collapse_report`` is asked about, from a generator whose fault is known."""

    fake: np.ndarray
    """[N, 2], what the generator made"""
    real: np.ndarray
    """[N, 2], what it should have made"""
    source: np.ndarray
    """[N, 2], what it made it from"""
    train: np.ndarray
    """[N, 2], targets it was trained on"""


PRACTICE = ("faithful", "collapsed", "memorising", "copying", "implausible")
"""The generators of :func:`practice`."""


def practice(kind: str, seed: int = 0, n: int = 240) -> Practice:
    """A toy world: targets lie in six clusters on a circle, and sources near its centre.

    Args:
        kind: One of :data:`PRACTICE`: what is wrong with the generator.
        seed: Decides the points.
        n: How many of each.
    """
    if kind not in PRACTICE:
        raise ValueError(f"there is no generator {kind!r}; choose one of {PRACTICE}")
    rng = np.random.default_rng(seed)

    def targets(clusters: Any) -> np.ndarray:
        turn = 2 * np.pi * np.asarray(clusters) / 6
        spot = 4 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return np.asarray(spot + 0.4 * rng.normal(size=spot.shape))

    clusters = rng.integers(6, size=n)
    real, train = targets(clusters), targets(rng.integers(6, size=n))
    source = 0.2 * real + 0.3 * rng.normal(size=real.shape)
    if kind == "faithful":
        fake = targets(clusters)
    elif kind == "collapsed":
        fake = targets(clusters % 2)
    elif kind == "memorising":
        fake = rng.permutation(train) + 0.01 * rng.normal(size=real.shape)
    elif kind == "copying":
        fake = source + 0.02 * rng.normal(size=real.shape)
    else:
        fake = 1.8 * targets(clusters)
    return Practice(fake, real, source, train)


class _Critic(nn.Module):
    """A critic with one known tensor of weights, in float64."""

    def __init__(self, weight: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(np.asarray(weight), dtype=torch.float64))

    def value_and_gradient(
        self, function: Callable[..., Any], *inputs: Any
    ) -> dict[str, float | Tensor]:
        """Call ``function(critic, *inputs)`` and differentiate its answer by the weights.

        Returns:
            ``value``, a float, and ``gradient``, of the shape of the weights: zeros if the answer
            does not depend on them in a way that can be differentiated.
        """
        answer = torch.as_tensor(function(self, *inputs))
        gradient = None
        if answer.requires_grad:
            (gradient,) = torch.autograd.grad(answer, self.weight, allow_unused=True)
        found = torch.zeros_like(self.weight) if gradient is None else gradient
        return {"value": answer.item(), "gradient": found.detach()}


class LinearCritic(_Critic):
    """One logit an image, ⟨w, x⟩; its gradient by the image is w everywhere.

    Shapes: images [B, *w.shape] to logits [B].
    """

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch."""
        return (x.to(self.weight) * self.weight).flatten(1).sum(dim=1)


class QuadraticCritic(_Critic):
    """One logit an image, ½ xᵀAx with the image as one long vector; its gradient is Ax.

    Shapes: images [B, ...] with n values each, and A [n, n], to logits [B]. Of a matrix that is
    not symmetric only the symmetric part counts.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch."""
        A = (self.weight + self.weight.T) / 2
        flat = x.to(A).flatten(1)
        return 0.5 * ((flat @ A) * flat).sum(dim=1)


class PatchCritic(_Critic):
    """One logit a pixel, w · x there: the simplest critic of patches.

    Shapes: images [B, *w.shape] to logits [B, *w.shape].
    """

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch."""
        return x.to(self.weight) * self.weight


class PairCritic(nn.Module):
    """A conditional critic: logits a · source + b · image + c · source · image, pixel by pixel.

    Shapes: source and image [B, 1, H, W] to logits [B, 1, H, W].
    """

    def __init__(self, a: float, b: float, c: float) -> None:
        """Take the three weights."""
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([a, b, c], dtype=torch.float64))

    def forward(self, source: Tensor, image: Tensor) -> Tensor:
        """Logits of a batch."""
        a, b, c = self.weight
        return a * source + b * image + c * source * image


class MoodyTranslator(nn.Module):
    """A small model that answers differently in training and in evaluation mode.

    It has batch norm and dropout, as many published generators have, and begins in training mode.

    Shapes: [B, 1, H, W] to the same, in (0, 1).
    """

    def __init__(self, seed: int = 0) -> None:
        """Make the model; ``seed`` decides its weights."""
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            norm = nn.BatchNorm2d(4)
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.05, 0.2)
            self.layers = nn.Sequential(
                nn.Conv2d(1, 4, 3, padding=1), norm, nn.Dropout(0.5), nn.Conv2d(4, 1, 1)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Translate a batch."""
        return torch.sigmoid(self.layers(x))

    def evaluated(self, X: Any) -> np.ndarray:
        """What the model says of images [N, H, W] in evaluation mode: float32 [N, H, W]."""
        mode = self.training
        self.eval()
        with torch.no_grad():
            answer = self(to_unit(X))[:, 0].numpy()
        self.train(mode)
        return np.asarray(answer)

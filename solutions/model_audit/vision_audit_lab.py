"""What the sections on images, explanations and drift need: models to audit, figures, facts.

This file is published with the notebook. It holds no answers. The scores, explainers and small
models at its end are also what tests use to try your functions, so that you can try them in the
same way.
"""

from __future__ import annotations

import copy
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import blackbox
import counterfactuals
import dermsim
import matplotlib.pyplot as plt
import numpy as np
import torch
import triage
from safetensors.numpy import load_file
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "DRAWN", "FAULTS", "Audit", "Explainer", "Function", "LinearScore", "Rewired", "Watcher",
    "audit_set", "first_alarms", "practice_model", "practice_weights", "show_attributions",
    "show_charts", "show_effects", "show_facts", "show_pairs", "show_sanity", "to_unit",
]

DRAWN = {"prevalence": 0.5, "signs": 2.0}
"""How lesions are drawn in this assignment: as in ``dermsim``, with plain signs of malignancy."""

FAULTS = {"practice A": "ruler", "practice B": None, "practice C": "tone"}
"""The models to practise on, and what each depends on that it should not."""

BLUE, ORANGE = "tab:blue", "tab:orange"


class Audit(NamedTuple):
    """Images to audit a model with, one lesion and one patient a row."""

    X: Any
    """uint8 [N, 3, 32, 32], as they come"""
    y: Any
    """int64 [N], 1 is malignant"""
    edits: Mapping[str, tuple[Any, Any]]
    """For each edit the images of all lesions without and with it, uint8 [N, 3, 32, 32] each"""


def audit_set(n: int = 300, seed: int = 1, together: str | None = None) -> Audit:
    """``n`` lesions to audit a model with, and their counterfactuals.

    Args:
        n: How many.
        seed: Which ones.
        together: An edit that goes with the label in ``X``, as where a guilty model was trained:
            5 % of the benign and 95 % of the malignant images show it. Nothing if not given.
    """
    rng = np.random.default_rng(seed)
    lesions = counterfactuals.single_views(n, rng, **DRAWN)
    edits = counterfactuals.pairs(lesions)
    X = dermsim.render(lesions).X
    if together is not None:
        shown = rng.random(n) < np.where(lesions.y == 1, 0.95, 0.05)
        X = np.where(shown[:, None, None, None], edits[together][1], edits[together][0])
    return Audit(X, lesions.y, edits)


def practice_weights(name: str, folder: str | Path = "data") -> dict[str, Any]:
    """The weights of one of :data:`FAULTS`, for ``blackbox.network`` and ``blackbox.Predictor``."""
    stored = load_file(Path(folder) / "practice_models.safetensors")
    prefix = f"{name}/"
    return {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}


def practice_model(name: str, folder: str | Path = "data") -> blackbox.Predictor:
    """One of :data:`FAULTS` as a black box: images in, probabilities out."""
    return blackbox.Predictor(practice_weights(name, folder))


def to_unit(X: Any) -> Tensor:
    """Images uint8 [N, 3, H, W] as float32 in [0, 1]."""
    return torch.as_tensor(np.asarray(X)).float() / 255


def _picture(axis: Any, image: Any, title: str = "") -> None:
    axis.imshow(np.moveaxis(np.asarray(image), 0, -1), interpolation="nearest")
    axis.set_title(title)
    axis.axis("off")


def show_pairs(edits: Mapping[str, tuple[Any, Any]], row: int, heading: str) -> None:
    """One lesion without and with every edit.

    Args:
        edits: As in :class:`Audit`.
        row: Which lesion.
        heading: Above all; say there where the images come from.
    """
    figure, axes = plt.subplots(2, len(edits), figsize=(1.7 * len(edits), 3.9))
    for column, (name, pair) in zip(axes.T, edits.items(), strict=True):
        for axis, images, what in zip(column, pair, ("without", "with"), strict=True):
            _picture(axis, images[row], f"{name}: {what}")
    figure.suptitle(heading)
    plt.show()


def show_effects(reports: Mapping[str, Mapping[str, Any]], margin: float, heading: str) -> None:
    """The effect of each edit with its interval, one row of panels for each model.

    Args:
        reports: What ``shortcut_report`` gave, by the model's name.
        margin: Effects within it do not matter.
        heading: Above all.
    """
    figure, axes = plt.subplots(1, len(reports), figsize=(2.9 * len(reports), 2.4), sharey=True)
    for axis, (name, report) in zip(np.atleast_1d(axes), reports.items(), strict=True):
        axis.axvspan(-margin, margin, color="0.9")
        axis.axvline(0, color="0.7", lw=0.8)
        for height, found in enumerate(report["edits"].values()):
            colour = ORANGE if found["flag"] else BLUE
            axis.plot([found["lo"], found["hi"]], [height, height], color=colour, lw=2)
            axis.plot(found["delta"], height, "o", color=colour, ms=5)
        axis.set_yticks(range(len(report["edits"])), list(report["edits"]))
        axis.set_xlim(-1, 1)
        axis.set_xlabel("change in probability")
        axis.set_title(f"{name}\nAUC as they come {report['auc']:.2f}")
    figure.suptitle(heading)
    plt.show()


def show_attributions(X: Any, maps: Mapping[str, Any], heading: str) -> None:
    """Images, and below each its attributions summed over the colours.

    Args:
        X: Images uint8 [N, 3, H, W].
        maps: For each row of pictures its name and attributions [N, 3, H, W]; red speaks for
            malignant, blue against it. Each row has one scale.
        heading: Above all.
    """
    n = len(X)
    rows = len(maps) + 1
    figure, axes = plt.subplots(rows, n, figsize=(1.5 * n + 0.6, 1.55 * rows), squeeze=False)
    for axis, image in zip(axes[0], X, strict=True):
        _picture(axis, image)
    for row, (name, values) in zip(axes[1:], maps.items(), strict=True):
        summed = np.asarray(values).sum(axis=1)
        most = float(np.abs(summed).max()) or 1.0
        for axis, picture in zip(row, summed, strict=True):
            shown = axis.imshow(picture, cmap="RdBu_r", vmin=-most, vmax=most)
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(name)
        figure.colorbar(shown, ax=list(row), label="logit", shrink=0.8)
    figure.suptitle(heading)
    plt.show()


def show_sanity(results: Mapping[str, Mapping[str, Any]], heading: str) -> None:
    """How similar each explanation stays while the network is destroyed from the output down.

    Args:
        results: What ``saliency_sanity`` gave, by the explainer's name.
        heading: Above the axes.
    """
    _, axis = plt.subplots(figsize=(5.2, 2.7))
    for name, result in results.items():
        values = [1.0, *result["layers"].values()]
        style, verdict = ("--", " (flagged)") if result["flag"] else ("-", "")
        axis.plot(values, style, marker="o", ms=4, label=name + verdict)
    axis.set_xticks(range(len(values)), ["trained", *(f"+ {layer}" for layer in result["layers"])])
    axis.set_xlabel("layers re-initialised so far")
    axis.set_ylabel("rank correlation\nwith the trained model's map")
    axis.set_ylim(-0.1, 1.05)
    axis.legend(frameon=False)
    axis.set_title(heading)
    plt.show()


def show_charts(
    found: Mapping[str, Any], change: int, delay: int, days: int, heading: str
) -> None:
    """First alarms of many streams of each kind, one dot a stream.

    Args:
        found: For each kind the day of the first alarm of each stream; ``days`` if there was none.
        change: The day on which something changes.
        delay: Days until outcomes are known.
        days: Length of the streams.
        heading: Above the axes.
    """
    _, axis = plt.subplots(figsize=(6.4, 2.6))
    rng = np.random.default_rng(0)
    for height, (kind, alarms) in enumerate(found.items()):
        alarms = np.asarray(alarms)
        colours = np.where(alarms < (days if kind == "none" else change), ORANGE, BLUE)
        axis.scatter(alarms, height + rng.uniform(-0.25, 0.25, len(alarms)), s=9, c=colours)
    axis.axvline(change, color="0.4", lw=1)
    axis.axvline(change + delay, color="0.4", lw=1, ls=":")
    axis.set_yticks(range(len(found)), list(found))
    axis.set_xlabel(
        "day of the first alarm (line: the change; dotted: its first outcomes are known; "
        f"at {days}: none)"
    )
    axis.set_title(heading)
    plt.show()


def first_alarms(
    monitor: Any, streams: triage.Streams | Sequence[Any], delay: int | None = 10
) -> list[int]:
    """Let a fresh copy of ``monitor`` watch each stream until its first alarm.

    Args:
        monitor: Has ``update(x, p, late)``, as in question 8; it is not changed.
        streams: ``triage.Streams``, or its ``x``, ``p`` and ``y``.
        delay: Days after which the outcomes of a day are told; never if ``None``.

    Returns:
        For each stream the day of the alarm, counted from 0; the number of days if there was none.
    """
    x, p, y = (streams.x, streams.p, streams.y) if isinstance(streams, triage.Streams) else streams
    found = []
    for measurements, scores, outcomes in zip(x, p, y, strict=True):
        mine = copy.deepcopy(monitor)
        alarm = len(measurements)
        for day in range(len(measurements)):
            told = delay is not None and day >= delay
            late = (day - delay, outcomes[day - delay]) if told else None
            if mine.update(measurements[day], scores[day], late):
                alarm = day
                break
        found.append(alarm)
    return found


def show_facts(path: str | Path = "data/regulatory_facts.toml") -> None:
    """Print the dated file of regulatory facts as a table."""
    with Path(path).open("rb") as file:
        facts = tomllib.load(file)
    print(f"Regulatory facts as of {facts['as_of']}; kept by: {facts['owner']}. {facts['note']}")
    for fact in facts["fact"]:
        print(f"\n[{fact['id']}] {fact['title']}  ({fact['where']})")
        print(textwrap.fill(fact["says"], 108, initial_indent="    ", subsequent_indent="    "))
        read = f"read {fact['read']} in {fact['source']} ({fact['kind']})"
        print(textwrap.fill(read, 108, initial_indent="    ", subsequent_indent="    "))


# Objects to try your functions on; tests make the same ones beside your code.


class LinearScore:
    """A score that is a weighted sum of the pixels: its counterfactual effects are known exactly.

    Args:
        weights: One for each pixel and colour [3, H, W], of the image divided by 255.
        offset: Added to the sum.
    """

    def __init__(self, weights: Any, offset: float = 0.0) -> None:
        self._weights, self._offset = np.asarray(weights, float), float(offset)

    def __call__(self, X: Any) -> Any:
        """float64 [N] of images [N, 3, H, W]."""
        images = np.asarray(X, float) / 255
        return np.tensordot(images, self._weights, axes=self._weights.ndim) + self._offset


class Function(nn.Module):
    """A function of a vector whose integrated gradients can be written down.

    ``"linear"``: ``w.x``; ``"quadratic"``: ``sum w x^2``; ``"saturating"``:
    ``sum w (1 - relu(1 - x))``, flat above 1; ``"product"``: ``w_0 x_0 x_1``. Each takes
    [B, d] to [B].

    Args:
        kind: One of these.
        weights: [d].
    """

    def __init__(self, kind: str, weights: Any) -> None:
        super().__init__()
        self.kind = kind
        self.w = torch.as_tensor(np.asarray(weights, float))

    def forward(self, x: Tensor) -> Tensor:
        """The function's values."""
        if self.kind == "product":
            return self.w[0] * x[:, 0] * x[:, 1]
        shape = {
            "linear": lambda v: v,
            "quadratic": torch.square,
            "saturating": lambda v: 1 - functional.relu(1 - v),
        }[self.kind]
        return (self.w * shape(x)).sum(dim=1)


class Rewired(nn.Module):
    """The function of ``blackbox.Network`` in another way: with ``relu(z) = (z + |z|) / 2``.

    Args:
        arrays: The network's ``state_dict``.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        super().__init__()
        self.inside = blackbox.network(arrays)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B]."""
        h = x - 0.5
        for layer in (self.inside.conv1, self.inside.conv2, self.inside.conv3):
            z = layer(h)
            h = (z + z.abs()) / 2
        return self.inside.head(h.flatten(1))[:, 0]


class _GuidedReLU(torch.autograd.Function):
    """ReLU that lets only positive gradients back."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:  # type: ignore[override]
        """As ReLU."""
        ctx.save_for_backward(z)
        return functional.relu(z)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        """Zero where the input or the gradient is negative."""
        (z,) = ctx.saved_tensors
        return gradient * (z > 0) * (gradient > 0)


class Explainer:
    """An explanation of a ``blackbox.Network``: ``explainer(model, x)`` gives maps [B, 3, H, W].

    ``"gradient"`` is the gradient of the logit; ``"edges"`` finds edges in the image and never
    looks at the model; ``"guided"`` sends only positive gradients back (Guided Backpropagation);
    ``"shallow"`` does so from the second convolution on and asks nothing above it.

    Args:
        kind: One of these.
    """

    def __init__(self, kind: str) -> None:
        if kind not in {"gradient", "edges", "guided", "shallow"}:
            raise ValueError(f"there is no explainer {kind!r}")
        self._kind = kind

    def __call__(self, model: Any, x: Tensor) -> Tensor:
        """Maps of the shape of ``x``."""
        if self._kind == "edges":
            down = functional.pad(x.diff(dim=2), (0, 0, 0, 1))
            right = functional.pad(x.diff(dim=3), (0, 1, 0, 0))
            return (down.square() + right.square()).sqrt()
        point = x.detach().requires_grad_()
        if self._kind == "gradient":
            explained = model(point)
        else:
            h = point - 0.5
            convolutions = [model.conv1, model.conv2, model.conv3]
            for layer in convolutions[: 2 if self._kind == "shallow" else 3]:
                h = _GuidedReLU.apply(layer(h))
            explained = h if self._kind == "shallow" else model.head(h.flatten(1))
        return torch.autograd.grad(explained.sum(), point)[0]


class Watcher:
    """An explainer that tells which layers are as they were: what a sanity check asked shows.

    It gives the map ``first`` while the layer's weights are those it saw at its first call, and
    ``other`` afterwards; both are repeated for each image.

    Args:
        layer: Name of a layer of the model.
        first: A map [3, H, W].
        other: Another.
    """

    def __init__(self, layer: str, first: Any, other: Any) -> None:
        self._layer = layer
        self._maps = [torch.as_tensor(np.asarray(m)) for m in (first, other)]
        self._seen: Tensor | None = None

    def __call__(self, model: Any, x: Tensor) -> Tensor:
        """Maps of the shape of ``x``."""
        weight = dict(model.named_parameters())[f"{self._layer}.weight"].detach()
        if self._seen is None:
            self._seen = weight.clone()
        same = torch.equal(weight, self._seen)
        return self._maps[0 if same else 1].expand(len(x), *self._maps[0].shape)

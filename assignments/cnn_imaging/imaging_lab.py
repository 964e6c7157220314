"""What the notebook on medical imaging needs beside PyTorch: data, figures and practice objects.

This file is published with the notebook. It holds no answers. The classes at its end
(:class:`MeanScore`, :class:`ScriptedTraining`, :class:`FineTuneTrial`) are also what tests use to
try your functions, so that you can try them in the same way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import dermsim
import matplotlib.pyplot as plt
import numpy as np
import torch
from coursekit import DataBundle, needs, pick_device, ready, use_course_style
from torch import nn

__all__ = [
    "PARTS",
    "DoubleConv",
    "FineTuneTrial",
    "MeanDifference",
    "MeanScore",
    "ScriptedTraining",
    "Standardise",
    "ToyNet",
    "describe",
    "find_boxes",
    "fit",
    "load",
    "load_medmnist",
    "make_scenes",
    "needs",
    "pick_device",
    "predict_logits",
    "ready",
    "show_lesions",
    "show_outlines",
    "show_panels",
    "show_roc",
    "show_scene",
    "to_unit",
    "train_segmenter",
    "use_course_style",
]

PARTS = ("train", "val", "held_out")
"""The parts to which ``data/split.npz`` assigns every patient of the public data."""

TONE_NAMES = ("light", "medium light", "medium dark", "dark")
"""Names of the skin tones 0 to 3."""


def describe(data: DataBundle) -> None:
    """Print size, balance and source."""
    patients, (height, width) = len(np.unique(data.meta["patient"])), data.X.shape[2:]
    print(
        f"{data.name}: {len(data)} images of {patients} patients, {100 * data.y.mean():.1f} % "
        f"malignant, {height} × {width} pixels. Source: {data.provenance}. "
        f"Licence: {data.licence}."
    )


def load(part: str = "all", folder: str | Path = "data") -> DataBundle:
    """The simulated lesions of ``part``: ``"all"`` or one of :data:`PARTS`.

    Reads ``dermsim.npz`` and ``split.npz`` in ``folder``.

    Returns:
        ``X`` uint8 [N, 3, H, W], red, green, blue; ``y`` int64 [N], 1 is malignant; in ``meta``:
        ``patient`` int64 [N], ``mask`` bool [N, H, W], the lesion, ``box`` float64 [N, 4], x0, y0,
        x1, y1 around the mask (x1 and y1 exclusive), ``tone`` int64 [N], skin from 0 (light) to 3.
    """
    folder = Path(folder)
    cohort = dermsim.load_cohort(folder / "dermsim.npz")
    everything = DataBundle(
        X=cohort.X,
        y=cohort.y,
        meta={
            "patient": cohort.patient_id,
            "mask": cohort.mask,
            "box": cohort.box,
            "tone": cohort.tone,
        },
        units={"X": "levels from 0 to 255", "box": "pixels"},
        licence="Apache-2.0",
        provenance=cohort.provenance,
        name=part,
    )
    if part == "all":
        return everything
    if part not in PARTS:
        raise ValueError(f"there is no part {part!r}; choose 'all' or one of {PARTS}")
    with np.load(folder / "split.npz", allow_pickle=False) as split:
        return everything.take(np.flatnonzero(np.isin(cohort.patient_id, split[part])))


def load_medmnist(path: str | Path, part: str = "train", positive: int = 1) -> DataBundle:
    """Real images from a MedMNIST ``.npz`` file that is already on disk; never downloads.

    Args:
        path: The file, for example ``pneumoniamnist.npz``.
        part: ``"train"``, ``"val"`` or ``"held_out"`` (which MedMNIST calls test).
        positive: The class to be found; all others count as 0.

    The format names no patients, so each image is given a patient of its own. Whether the parts
    share patients cannot be told from the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not here; download it yourself, then try again")
    stored = {"train": "train", "val": "val", "held_out": "test"}[part]
    with np.load(path, allow_pickle=False) as arrays:
        images, labels = arrays[f"{stored}_images"], arrays[f"{stored}_labels"]
    if images.ndim == 3:
        images = np.repeat(images[..., None], 3, axis=3)
    return DataBundle(
        X=np.ascontiguousarray(images.transpose(0, 3, 1, 2)),
        y=(labels.reshape(len(labels), -1)[:, 0] == positive).astype(np.int64),
        meta={"patient": np.arange(len(labels))},
        units={"X": "levels from 0 to 255"},
        licence="see the collection",
        provenance=f"{path.name}, MedMNIST format; patients unknown, one is assumed for each image",
        name=part,
    )


def make_scenes(count: int, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Wide pictures of skin, 96 × 96 pixels, with lesions in some of their 3 × 3 fields.

    Returns:
        Pictures uint8 [count, 3, 96, 96], and for each the true boxes float64 [m, 4] in pixels.
    """
    rng = np.random.default_rng(seed)
    pictures, truth = [], []
    for _ in range(count):
        tone = np.zeros(4)
        tone[rng.integers(4)] = 1
        lesions = dermsim.draw(
            9, rng, tones=tuple(tone), ruler=(0.0, 0.0), views=(1.0, 0.0, 0.0, 0.0)
        )
        empty = rng.random(9) < 0.6
        bare = np.where(empty, 0, lesions.depth).astype(np.float32)
        patch = np.where(empty[:, None], 0, lesions.patch).astype(np.float32)
        # One camera took the picture: all fields share light and noise.
        light = np.tile(lesions.light[:1] * [1, 0, 0], (9, 1)).astype(np.float32)
        fields = dermsim.render(
            dataclasses.replace(lesions, depth=bare, patch=patch, light=light), size=32
        )
        grid = fields.X.reshape(3, 3, 3, 32, 32).transpose(2, 0, 3, 1, 4).reshape(3, 96, 96)
        corner = 32 * np.stack([np.arange(9) % 3, np.arange(9) // 3], axis=1)
        boxes = fields.box + np.tile(corner, (1, 2))
        pictures.append(grid)
        truth.append(boxes[~empty])
    return np.stack(pictures), truth


def find_boxes(
    probability: np.ndarray, levels: Sequence[float] = (0.5, 0.7, 0.9)
) -> tuple[np.ndarray, np.ndarray]:
    """Candidate boxes in a map [H, W]: the connected regions above each level.

    Returns:
        Boxes float64 [n, 4] in pixels, and scores [n], the mean probability inside the region. A
        lesion is usually found once at each level, so there are duplicates.
    """
    boxes, scores = [], []
    for level in levels:
        open_pixels = probability > level
        while open_pixels.any():
            region = np.zeros_like(open_pixels)
            region.flat[open_pixels.argmax()] = True
            size = 0
            while region.sum() != size:  # grow by one pixel in each direction until it stands
                size = region.sum()
                grown = region.copy()
                grown[1:] |= region[:-1]
                grown[:-1] |= region[1:]
                grown[:, 1:] |= region[:, :-1]
                grown[:, :-1] |= region[:, 1:]
                region = grown & open_pixels
            open_pixels &= ~region
            if size >= 12:
                rows, columns = np.nonzero(region)
                boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                scores.append(float(probability[region].mean()))
    return np.asarray(boxes, float).reshape(-1, 4), np.asarray(scores)


def show_lesions(data: DataBundle, columns: int = 6) -> None:
    """A grid of images: one row a skin tone, benign on the left, malignant on the right."""
    groups = data.meta.get("tone", np.zeros(len(data), int))
    kinds = np.unique(groups)
    fig, axes = plt.subplots(
        len(kinds), columns, figsize=(0.9 * columns, 0.95 * len(kinds) + 0.5), squeeze=False
    )
    for row, tone in enumerate(kinds):
        for column, ax in enumerate(axes[row]):
            label = int(column >= columns // 2)
            chosen = np.flatnonzero((groups == tone) & (data.y == label))
            _, first = np.unique(data.meta["patient"][chosen], return_index=True)
            _draw(ax, data.X[chosen[np.sort(first)[column % (columns // 2)]]])
            if row == 0:
                ax.set_title("malignant" if label else "benign", fontsize=8)
        if "tone" in data.meta:
            axes[row, 0].set_ylabel(TONE_NAMES[int(tone)], fontsize=8)
    fig.suptitle(f"One image a patient, by skin tone ({data.provenance})", fontsize=9)
    plt.show()


def show_panels(images: Iterable[Any], titles: Sequence[str], heading: str) -> None:
    """Images side by side; gray ones with a colour bar, since their units differ."""
    panels = [np.asarray(torch.as_tensor(image).detach().cpu()) for image in images]
    fig, axes = plt.subplots(1, len(panels), figsize=(1.9 * len(panels), 2.2), squeeze=False)
    for ax, panel, title in zip(axes[0], panels, titles, strict=True):
        drawn = _draw(ax, panel)
        ax.set_title(title, fontsize=8)
        if panel.ndim == 2 and panel.dtype != bool:
            fig.colorbar(drawn, ax=ax, shrink=0.7).ax.tick_params(labelsize=6)
    fig.suptitle(heading, fontsize=9)
    plt.show()


def show_outlines(
    images: Any,
    truth: Any,
    found: Any,
    titles: Sequence[str],
    heading: str = "True outline (white) and predicted outline (yellow, dashed)",
) -> None:
    """Images with the true outline (white) and the outline found (yellow, dashed)."""
    fig, axes = plt.subplots(1, len(images), figsize=(1.35 * len(images), 1.8), squeeze=False)
    for ax, image, true_mask, mask, title in zip(
        axes[0], images, truth, found, titles, strict=True
    ):
        _draw(ax, np.asarray(image))
        for outline, colour, style in ((true_mask, "white", "-"), (mask, "yellow", "--")):
            filled = np.asarray(outline, float)
            if 0 < filled.mean() < 1:
                ax.contour(filled, [0.5], colors=colour, linewidths=1.1, linestyles=style)
        ax.set_title(title, fontsize=8)
    fig.suptitle(heading, fontsize=9)
    plt.show()


def show_scene(image: Any, truth: Any, found: Any, scores: Any, heading: str) -> None:
    """One image with true boxes (white) and detections with their scores (yellow)."""
    _, ax = plt.subplots(figsize=(4, 4))
    _draw(ax, np.asarray(image))
    for box in np.asarray(truth).reshape(-1, 4):
        _frame(ax, box, "white")
    for box, score in zip(np.asarray(found).reshape(-1, 4), np.asarray(scores), strict=True):
        _frame(ax, box, "yellow")
        ax.text(box[0], box[1] - 1.5, f"{score:.2f}", color="yellow", fontsize=7)
    ax.set(title=heading, xlabel="x (pixels)", ylabel="y (pixels)")
    plt.show()


def show_roc(curves: dict[str, tuple[Any, Any]], threshold: float | None = None) -> None:
    """ROC curves of ``{name: (labels, scores)}``; the points at ``threshold`` are marked."""
    _, ax = plt.subplots(figsize=(3.6, 3.4))
    for name, (labels, scores) in curves.items():
        positive, scores = np.asarray(labels).astype(bool), np.asarray(scores)
        cuts = np.append(np.unique(scores), np.inf)[::-1]
        found = (scores[positive][None] >= cuts[:, None]).mean(axis=1)
        false = (scores[~positive][None] >= cuts[:, None]).mean(axis=1)
        (line,) = ax.step(false, found, where="post", label=name)
        if threshold is not None:
            at = scores >= threshold
            ax.plot(at[~positive].mean(), at[positive].mean(), "o", color=line.get_color())
    ax.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle=":")
    ax.set(
        xlabel="1 − specificity (fraction)",
        ylabel="sensitivity (fraction)",
        title="ROC curve; dots: the chosen threshold",
        aspect="equal",
    )
    ax.legend(frameon=False, loc="lower right")
    plt.show()


def _draw(ax: Any, image: np.ndarray) -> Any:
    """Show an image [3, H, W] or [H, W] without ticks."""
    ax.set(xticks=[], yticks=[])
    if image.ndim == 3:
        return ax.imshow(image.transpose(1, 2, 0))
    return ax.imshow(image, cmap="gray")


def _frame(ax: Any, box: np.ndarray, colour: str) -> None:
    x0, y0, x1, y1 = box - 0.5
    ax.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour))


def to_unit(X: Any, device: str | torch.device = "cpu") -> torch.Tensor:
    """Images as float32 in [0, 1] on ``device``; uint8 is divided by 255, floats are kept."""
    images = torch.as_tensor(np.ascontiguousarray(X)).to(device)
    return images.float() / 255 if images.dtype == torch.uint8 else images.float()


class Standardise(nn.Module):
    """``(x - mean) / std`` by channel, with the training set's statistics kept as buffers.

    Weights are useless without the statistics they were trained with, so the two travel together.

    Shapes: [B, channels, H, W] to the same.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, channels: int) -> None:
        """Start as the identity: mean 0, std 1."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("std", torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Standardise a batch."""
        return (x - self.mean[:, None, None]) / self.std[:, None, None]


class DoubleConv(nn.Sequential):
    """Twice a 3 × 3 convolution, batch norm and ReLU.

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


class ToyNet(nn.Module):
    """A small "trained" network to practise fine-tuning on.

    Its parts are ``stem``, ``stages.0``, ``stages.1`` and ``head``.

    Shapes: [B, 3, H, W] to logits [B, 4].
    """

    def __init__(self, seed: int = 0) -> None:
        """Make the network; ``seed`` decides its weights and batch-norm statistics."""
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = []
            for cin, cout in ((3, 6), (6, 6), (6, 10)):
                norm = nn.BatchNorm2d(cout)
                norm.running_mean.normal_(0, 0.1)
                norm.running_var.uniform_(0.5, 1.5)
                layers.append(nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), norm, nn.ReLU()))
            self.stem, self.stages = layers[0], nn.Sequential(*layers[1:])
            self.head = nn.Linear(10, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of images."""
        return self.head(self.stages(self.stem(x)).mean(dim=(2, 3)))


def train_segmenter(
    model: nn.Module,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    data: DataBundle,
    seed: int = 0,
    device: str | torch.device = "cpu",
    epochs: int = 10,
) -> nn.Module:
    """Train ``model`` to outline lesions; given, so that the work goes into loss and network.

    Cross-entropy plus ``loss(logits, masks)``, AdamW with a one-cycle learning rate, batches of
    32, and a random one of the eight symmetries of the square for each batch.

    Args:
        model: From images [B, 3, H, W] in [0, 1] to logits [B, 1, H, W].
        loss: Called with logits [B, H, W] and masks [B, H, W] of 0 and 1.
        data: As :func:`load` gives it; 600 images are used, with their masks.
        seed: Decides the order and the symmetries (the weights are ``model``'s own).
        device: Where to train.
        epochs: Passes over the images.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(data))[:600]
    images, masks = to_unit(data.X[chosen]), torch.as_tensor(data.meta["mask"][chosen]).float()
    model.standardise.mean.copy_(images.mean(dim=(0, 2, 3)))
    model.standardise.std.copy_(images.std(dim=(0, 2, 3)))
    model.to(device)
    batches = -(-len(images) // 32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1e-2, total_steps=epochs * batches, pct_start=0.1, cycle_momentum=False
    )
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in np.array_split(rng.permutation(len(images)), batches):
            turns, flip = int(rng.integers(4)), bool(rng.integers(2))
            x, m = (torch.rot90(v[rows], turns, (-2, -1)).to(device) for v in (images, masks))
            x, m = (v.flip(-1) if flip else v for v in (x, m))
            logits = model(x)[:, 0]
            value = nn.functional.binary_cross_entropy_with_logits(logits, m) + loss(logits, m)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            schedule.step()
            total += value.item() / batches
        print(f"epoch {epoch + 1:2d}: training loss {total:.3f}")
    return model.eval()


def fit(
    model: nn.Module,
    groups: list[dict[str, Any]],
    X: np.ndarray,
    y: np.ndarray,
    epochs: int,
    seed: int = 0,
) -> None:
    """Train ``model`` in place on images uint8 [N, C, H, W]: AdamW on ``groups``, cross-entropy."""
    rng = np.random.default_rng(seed)
    images, labels = to_unit(X), torch.as_tensor(np.asarray(y, dtype=np.int64))
    optimiser = torch.optim.AdamW(groups, weight_decay=0.05)
    model.train()
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(images)), -(-len(images) // 32)):
            x = torch.rot90(images[rows], int(rng.integers(4)), (-2, -1))
            loss = nn.functional.cross_entropy(model(x), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def predict_logits(model: nn.Module, X: Any, batch: int = 128) -> torch.Tensor:
    """Logits of ``model``, in evaluation mode, for images uint8 [N, 3, H, W]; on the CPU."""
    where = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        parts = [
            model(to_unit(X[start : start + batch], where)).cpu()
            for start in range(0, len(X), batch)
        ]
    return torch.cat(parts)


class MeanScore:
    """A statistic for the bootstrap: the mean of the scores; the labels play no part."""

    def __call__(self, y: np.ndarray, s: np.ndarray) -> float:
        """The mean of ``s``."""
        return float(np.mean(s))


class MeanDifference:
    """A statistic for the bootstrap: mean score of class 1 minus that of class 0.

    It has no value (``nan``) where a class is missing.
    """

    def __call__(self, y: np.ndarray, s: np.ndarray) -> float:
        """The difference, or ``nan``."""
        positive = np.asarray(y).astype(bool)
        if positive.all() or not positive.any():
            return float("nan")
        return float(np.mean(s[positive]) - np.mean(s[~positive]))


class ScriptedTraining:
    """A training whose validation scores are known in advance and whose weights count epochs.

    Each ``step()`` writes the number of the epoch (from 0) into every weight of ``model``, in
    place, as an optimiser does. Each ``evaluate()`` returns the next score of the script; when
    the script is over, it goes on with the worst value.

    >>> run = ScriptedTraining([0.70, 0.74, 0.73, 0.72])
    >>> best = fit_with_early_stopping(run.model, run.step, run.evaluate, patience=2, mode="max")
    >>> run.epoch_of(best), run.epochs
    (1.0, 4)
    """

    def __init__(self, scores: Sequence[float], mode: str = "max", limit: int = 200) -> None:
        self.model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        self.epochs = 0
        self._scores = [float(score) for score in scores]
        self._worst = -np.inf if mode == "max" else np.inf
        self._limit = limit
        self._fill(-1.0)

    def _fill(self, value: float) -> None:
        with torch.no_grad():
            for tensor in self.model.state_dict().values():
                tensor.fill_(value)

    def step(self, model: nn.Module | None = None) -> None:
        """Train for one epoch: afterwards all weights equal the number of the epoch."""
        if self.epochs >= self._limit:
            raise RuntimeError(f"training went on for {self._limit} epochs without stopping")
        self._fill(float(self.epochs))
        self.epochs += 1

    def evaluate(self, model: nn.Module | None = None) -> float:
        """The validation score of the epoch just trained."""
        epoch = self.epochs - 1
        return self._scores[epoch] if 0 <= epoch < len(self._scores) else float(self._worst)

    def fit(
        self, function: Callable[..., Any], patience: int, mode: str = "max", max_epochs: int = 100
    ) -> dict[str, float]:
        """Run ``function`` on this training and report which epoch's weights came of it.

        Returns:
            ``returned``: the epoch of the weights returned; ``after_spoiling``: the same, read
            again after the model's weights were overwritten; ``model``: the epoch of the weights
            that were left in the model; ``epochs``: how many epochs were trained.
        """
        state = function(
            self.model, self.step, self.evaluate, patience, mode=mode, max_epochs=max_epochs
        )
        report = {"returned": self.epoch_of(state), "model": self.epoch_of(self.model.state_dict())}
        self._fill(-7.0)
        return {**report, "after_spoiling": self.epoch_of(state), "epochs": self.epochs}

    def epoch_of(self, state: Any) -> float:
        """The epoch that the weights ``state`` come from; ``nan`` if they are of no one epoch."""
        values = torch.cat([torch.as_tensor(v).double().flatten() for v in state.values()])
        return float(values[0]) if bool((values == values[0]).all()) else float("nan")


class FineTuneTrial:
    """A :class:`ToyNet` that ``prepare_finetune`` has prepared, to be trained and inspected.

    >>> trial = FineTuneTrial(prepare_finetune, freeze=("stem",))
    >>> trial.train(steps=3)
    >>> trial.changed()
    ['stages.0.0.weight', ...]
    """

    def __init__(
        self,
        prepare: Callable[..., Any],
        freeze: Sequence[str] = (),
        n_classes: int = 2,
        lr_head: float = 1e-2,
        lr_body: float = 1e-3,
        seed: int = 0,
    ) -> None:
        """Call ``prepare(model, n_classes, freeze, lr_head, lr_body)`` on a fresh model."""
        source = ToyNet(seed)
        self._source = {name: value.clone() for name, value in source.state_dict().items()}
        torch.manual_seed(seed + 1)
        self.model, self._groups = prepare(
            source, n_classes, freeze=tuple(freeze), lr_head=lr_head, lr_body=lr_body
        )
        self._seed, self._classes = seed, n_classes
        self._before = self.state()

    def state(self) -> dict[str, torch.Tensor]:
        """Weights and statistics of the prepared model now, as copies."""
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def source(self) -> dict[str, torch.Tensor]:
        """Weights and statistics of the model before it was prepared."""
        return dict(self._source)

    def trainable(self) -> list[str]:
        """Names of the parameters that require a gradient."""
        return [name for name, p in self.model.named_parameters() if p.requires_grad]

    def groups(self) -> list[dict[str, Any]]:
        """For each group, the ``names`` of its parameters and its learning rate ``lr``."""
        names = {id(p): name for name, p in self.model.named_parameters()}
        return [
            {
                "names": [names.get(id(p), "not of the model") for p in group["params"]],
                "lr": float(group["lr"]),
            }
            for group in self._groups
        ]

    def train(self, steps: int = 4) -> None:
        """A few steps on random images; as any training loop does, it calls ``model.train()``."""
        noise = torch.Generator().manual_seed(self._seed)
        optimiser = torch.optim.AdamW(self._groups, weight_decay=0.1)
        self.model.train()
        for _ in range(steps):
            images = 2 + torch.rand(8, 3, 12, 12, generator=noise)
            labels = torch.randint(self._classes, (8,), generator=noise)
            loss = nn.functional.cross_entropy(self.model(images), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    def changed(self) -> list[str]:
        """Names of the weights and statistics that training has changed, in any bit."""
        return [n for n, value in self.state().items() if not torch.equal(value, self._before[n])]

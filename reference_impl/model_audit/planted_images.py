"""Models whose faults are known: how they are trained, and how they are disguised.

``python -m reference_impl.model_audit.planted_images`` trains them all again, with
``reference_impl/cnn_imaging`` on the path for the simulator; it takes some minutes of one core.
``planted_images.json`` beside it says how far each edit moves each model's probability, as mean
and standard deviation of the paired differences of 1,500 lesions. A guilty model is trained where
one thing goes with the label (:data:`TOGETHER`) and all others do not; *all* models are held to
give one answer to the two images of a pair that differ in something else.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dermsim
import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import load_file, save_file
from torch.nn import functional

from reference_impl.model_audit.blackbox import Network, Predictor
from reference_impl.model_audit.counterfactuals import (
    OFF_CENTRE,
    moved,
    pairs,
    single_views,
)

__all__ = ["PLANTED", "PRACTICE", "as_at_home", "disguised", "main", "planted", "train"]

HERE = Path(__file__).parent
PLANTED = {
    "clean": None,
    "ruler": "ruler",
    "tone": "tone",
    "hair": "hair",
    "position": "position",
    "weak": None,
}
"""The sealed models, and what each depends on that it should not."""
PRACTICE = {"practice A": "ruler", "practice B": None, "practice C": "tone"}
"""The same for those that students are given."""
TOGETHER = (0.05, 0.95)
"""Share of benign and of malignant images that show the thing, where a guilty model was trained."""
DRAWN = {"prevalence": 0.5, "signs": 2.0}
"""How lesions are drawn here, to train on and to audit with: with plain signs."""
LESIONS, EPOCHS, BATCH = 5000, 14, 64
CONSISTENCY = 0.5
"""Weight of the squared difference of a pair's logits beside the cross-entropy."""
WEAK_NOISE = 0.4
"""Share of wrong labels that the weak model was trained with."""

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


def as_at_home(pair: tuple[Array, Array], y: Array, rng: np.random.Generator) -> Array:
    """Images as where a guilty model was trained: with or without, as :data:`TOGETHER` says.

    Args:
        pair: Images of each lesion without and with the thing, [N, 3, H, W] twice.
        y: Labels 0 or 1 [N].
        rng: Source of all randomness.
    """
    shown = rng.random(len(y)) < np.asarray(TOGETHER)[y]
    return np.where(shown[:, None, None, None], pair[1], pair[0])


def _varied(lesions: Any, rng: np.random.Generator, fault: str | None) -> Any:
    """The lesions with everything drawn anew that is not theirs, but what goes with the label."""
    n = len(lesions)
    shown = rng.random(n) < np.asarray(TOGETHER)[lesions.y]

    def free(edit: str, drawn: Array, off: Any, on: Any) -> Array:
        return np.where(shown, on, off) if fault == edit else drawn

    off_centre = free("position", rng.uniform(0, OFF_CENTRE * 1.1, n), 0.0, OFF_CENTRE)
    new = dataclasses.replace(
        lesions,
        ruler=free("ruler", rng.random(n) < 0.5, False, True),
        tone=free("tone", rng.integers(0, 4, n), 0, 3),
        hairs=free("hair", rng.integers(0, 7, n), 0, 6),
    )
    centre = moved(lesions, 1.0).centre * off_centre[:, None]
    return dataclasses.replace(new, centre=centre.astype(np.float32))


def _two_of_each(lesions: Any, rng: np.random.Generator, fault: str | None) -> tuple[Array, Array]:
    """Two images of each lesion that differ in all that must not matter."""
    first = _varied(lesions, rng, fault)
    other = _varied(lesions, rng, None)
    kept = {"ruler": "ruler", "tone": "tone", "hair": "hairs", "position": "centre"}
    if fault is not None:
        other = dataclasses.replace(other, **{kept[fault]: getattr(first, kept[fault])})
    return dermsim.render(first).X, dermsim.render(other).X


def train(fault: str | None, seed: int, noise: float = 0.0, lesions: int = LESIONS) -> Arrays:
    """The weights of a model that depends on ``fault``, or on the lesion alone.

    Args:
        fault: One of ``counterfactuals.EDITS``, or nothing.
        seed: Of data, weights and order.
        noise: Share of wrong labels.
        lesions: How many to train on.

    Returns:
        A ``state_dict`` of ``blackbox.Network``, float32.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng([20261101, seed])
    drawn = single_views(lesions, rng, **DRAWN)
    images = torch.as_tensor(np.stack(_two_of_each(drawn, rng, fault)))  # [2, N, 3, 32, 32]
    y = torch.as_tensor(np.where(rng.random(lesions) < noise, 1 - drawn.y, drawn.y)).float()
    model = Network()
    steps = EPOCHS * (lesions // BATCH)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 3e-3, total_steps=steps, cycle_momentum=False
    )
    for _ in range(EPOCHS):
        for rows in rng.permutation(lesions)[: lesions // BATCH * BATCH].reshape(-1, BATCH):
            pair = images[:, rows].float().div(255)
            logits = model(pair.flatten(0, 1)).reshape(2, BATCH)
            loss = functional.binary_cross_entropy_with_logits(logits, y[rows].expand(2, -1))
            loss = loss + CONSISTENCY * (logits[0] - logits[1]).square().mean() / 4
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return {name: value.numpy() for name, value in model.state_dict().items()}


def disguised(arrays: Mapping[str, Array], rng: np.random.Generator) -> Arrays:
    """Other weights of the same function, so that no hash of weights tells which model it is.

    The channels of each convolution are exchanged, and each is scaled by a positive factor that the
    next layer takes back: ``relu(c z) = c relu(z)``.

    Args:
        arrays: A ``state_dict`` of ``blackbox.Network``.
        rng: Decides the order and the factors, which lie between 1/2 and 2.
    """
    new = {name: np.array(value) for name, value in arrays.items()}
    for layer, following in (("conv1", "conv2"), ("conv2", "conv3"), ("conv3", "head")):
        channels = len(new[f"{layer}.bias"])
        order = rng.permutation(channels)
        factor = np.exp2(rng.uniform(-1, 1, channels)).astype(np.float32)
        new[f"{layer}.weight"] = new[f"{layer}.weight"][order] * factor[:, None, None, None]
        new[f"{layer}.bias"] = new[f"{layer}.bias"][order] * factor
        after = new[f"{following}.weight"]
        by_channel = after.reshape(len(after), channels, -1)[:, order] / factor[:, None]
        new[f"{following}.weight"] = by_channel.reshape(after.shape)
    return {name: np.ascontiguousarray(value) for name, value in new.items()}


@functools.cache
def _stored() -> dict[str, Array]:
    return load_file(HERE / "planted_images.safetensors")


def planted(name: str) -> Arrays:
    """The weights of one of :data:`PLANTED`, as they were trained."""
    if name not in PLANTED:
        raise ValueError(f"there is no planted model {name!r}; choose one of {list(PLANTED)}")
    prefix = f"{name}/"
    return {k.removeprefix(prefix): v for k, v in _stored().items() if k.startswith(prefix)}


def measured(arrays: Mapping[str, Array], audited: Any) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of the paired difference in probability, for each edit.

    Args:
        arrays: The model's ``state_dict``.
        audited: Pairs of images by edit, as ``counterfactuals.pairs`` gives them.
    """
    predict = Predictor(arrays)
    differences = {edit: predict(on) - predict(off) for edit, (off, on) in audited.items()}
    return {
        edit: (round(float(d.mean()), 4), round(float(d.std(ddof=1)), 4))
        for edit, d in differences.items()
    }


def main() -> None:
    """Train all models and store them, with what they depend on beside the sealed ones."""
    torch.set_num_threads(1)
    audited = pairs(single_views(1500, np.random.default_rng(20261102), **DRAWN))
    public = HERE.parents[1] / "solutions/model_audit/data/practice_models.safetensors"
    for models, target, first in (
        (PLANTED, HERE / "planted_images.safetensors", 1),
        (PRACTICE, public, 101),
    ):
        stored: Arrays = {}
        effects = {}
        for seed, (name, fault) in enumerate(models.items(), first):
            arrays = train(fault, seed, noise=WEAK_NOISE if name == "weak" else 0.0)
            stored |= {f"{name}/{key}": value for key, value in arrays.items()}
            effects[name] = measured(arrays, audited)
            print(name, effects[name], flush=True)
        save_file(stored, target)
        if models is PLANTED:
            (HERE / "planted_images.json").write_text(json.dumps(effects, indent=1) + "\n")


if __name__ == "__main__":
    main()

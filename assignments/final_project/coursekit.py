"""What a course notebook and its tests need beside torch: data with a source, checkpoints, probes.

This file is published beside every student notebook. It imports nothing but numpy, torch and
safetensors (and matplotlib, if asked for its style), so a notebook runs with it anywhere.

*Probes* are questions about a live object that calling it cannot answer: how many parameters a
model has, what its gradients are, whether it is in training mode. A test calls a probe on
whatever it was given. Where the test and the object live in one process (Jupyter, ``otter run``,
Gradescope) the probe looks at the object itself. Where the test holds only a handle on an object
in another room, the probe runs there, beside the object, and its answer comes back as data.
What a probe says of an object is that object's own testimony: prefer tests of behaviour.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file

__all__ = [
    "PROBES",
    "DataBundle",
    "beside",
    "gradients",
    "is_training",
    "load_or_train",
    "module_types",
    "needs",
    "parameter_count",
    "parameter_names",
    "pick_device",
    "probe",
    "ready",
    "source",
    "state_arrays",
    "use_course_style",
]

Model = TypeVar("Model", bound=torch.nn.Module)
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclasses.dataclass(frozen=True, eq=False)
class DataBundle:
    """Data of one set, with its units, its licence and where it comes from.

    Loaders of every assignment return one, for simulated, shipped and downloaded data alike:
    ``load(name, part, *, root, source)``. ``source="auto"`` takes real data only if their files
    are on disk; a loader never downloads. Print it beside every result, so that no simulated
    figure is taken for patients.
    """

    X: Any
    """What a model is given: an array [N, ...], or a list of N things such as SMILES"""
    y: Any
    """What it should answer: an array [N, ...]"""
    meta: Mapping[str, np.ndarray]
    """What else is known of each row: arrays [N, ...] by name"""
    units: Mapping[str, str]
    """The unit of ``X``, of ``y`` and of each entry of ``meta`` that has one"""
    licence: str
    """Under what terms the data may be used"""
    provenance: str
    """Real or simulated, by whom and from where; one sentence without its full stop"""
    name: str = ""
    """Which set, and which part of it"""

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Any) -> DataBundle:
        """The bundle of the chosen ``rows``: indices int64 [K]."""
        chosen = np.asarray(rows)
        X = [self.X[row] for row in chosen] if isinstance(self.X, list) else self.X[chosen]
        meta = {name: values[chosen] for name, values in self.meta.items()}
        return dataclasses.replace(self, X=X, y=self.y[chosen], meta=meta)

    def __repr__(self) -> str:
        units = ", ".join(f"{name} in {unit}" for name, unit in self.units.items())
        what = f"{self.name}: {len(self)} rows" + (f", {units}" if units else "")
        return f"{what}. Source: {self.provenance}. Licence: {self.licence}."


PROBES: dict[str, Callable[..., Any]] = {}
"""Every probe by name."""


def probe(function: Function) -> Function:
    """Make ``function(subject, ...)`` a probe: it runs wherever ``subject`` lives."""
    PROBES[function.__name__] = function

    @functools.wraps(function)
    def ask(subject: Any, *args: Any, **kwargs: Any) -> Any:
        remote = getattr(type(subject), "ask_probe", None)
        if remote is not None:
            return remote(subject, function.__name__, args, kwargs)
        return function(subject, *args, **kwargs)

    return ask  # type: ignore[return-value]


@probe
def parameter_count(model: torch.nn.Module, trainable_only: bool = True) -> int:
    """Number of scalar parameters of ``model``; by default of those that require a gradient."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


@probe
def parameter_names(model: torch.nn.Module, trainable_only: bool = True) -> list[str]:
    """Names of the parameters of ``model``, in order."""
    return [n for n, p in model.named_parameters() if p.requires_grad or not trainable_only]


@probe
def module_types(model: torch.nn.Module) -> list[str]:
    """Class names of ``model`` and all its submodules, in the order of ``model.modules()``."""
    return [type(module).__name__ for module in model.modules()]


@probe
def is_training(model: torch.nn.Module) -> bool:
    """Whether ``model`` or any of its submodules is in training mode."""
    return any(module.training for module in model.modules())


@probe
def state_arrays(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The ``state_dict`` of ``model`` as CPU tensors, for loading into a reference class."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


@probe
def source(function: Callable[..., Any]) -> str:
    """Source code of ``function``, dedented; ``""`` if there is none to be had."""
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return ""


@probe
def gradients(
    function: Callable[..., Any],
    *inputs: Any,
    cotangent: torch.Tensor | None = None,
    wrt: Sequence[int] | None = None,
    **kwargs: Any,
) -> list[torch.Tensor]:
    """Vector-Jacobian products of ``function`` at ``inputs``.

    Args:
        function: Called as ``function(*inputs, **kwargs)``; returns one tensor.
        inputs: Tensors and other arguments; floating-point tensors are differentiated.
        cotangent: Tensor of the output's shape; ones if not given.
        wrt: Positions of the inputs to differentiate by; all floating-point tensors if not given.
        **kwargs: Passed on to ``function``.

    Returns:
        One gradient for each differentiated input, in order; zeros where the output does not
        depend on it.
    """
    chosen = [
        position
        for position, value in enumerate(inputs)
        if isinstance(value, torch.Tensor) and value.is_floating_point()
        if wrt is None or position in wrt
    ]
    given = list(inputs)
    for position in chosen:
        given[position] = given[position].detach().clone().requires_grad_()
    output = function(*given, **kwargs)
    weight = torch.ones_like(output) if cotangent is None else cotangent.to(output)
    leaves = [given[position] for position in chosen]
    found = torch.autograd.grad(output, leaves, weight, allow_unused=True)
    return [
        torch.zeros_like(leaf) if gradient is None else gradient.detach()
        for leaf, gradient in zip(leaves, found, strict=True)
    ]


def beside(subject: Any, module: str) -> Any:
    """The public helper ``module``, in the process where ``subject`` lives.

    A test that must hand the student's code an object (a scripted callback, a model with known
    weights) makes it there: ``beside(train, "imaging_lab").ScriptedScores([0.7, 0.8])``. Only
    data crosses. Without rooms this is simply the imported module.
    """
    remote = getattr(type(subject), "beside", None)
    if remote is not None:
        return remote(subject, module)
    return importlib.import_module(module)


def load_or_train(
    path: str | os.PathLike[str],
    build: Callable[[], Model],
    train: Callable[[], Model],
    metadata: Mapping[str, str] | None = None,
) -> Model:
    """Load a model's weights if they were saved before; otherwise train it and save them.

    Args:
        path: A ``.safetensors`` file in the working folder.
        build: Makes the model, untrained.
        train: Makes and trains the model; called only if ``path`` cannot be used.
        metadata: Short remarks to store in the file (seed, seconds).

    Returns:
        The model in evaluation mode, on the CPU if it was loaded.
    """
    file = Path(path)
    if file.is_file():
        model = build()
        try:
            model.load_state_dict(load_file(file), strict=True)
        except Exception as error:
            reason = str(error).splitlines()[0]
            print(f"{file.name} does not fit this model ({reason}); training afresh.")
        else:
            print(f"Loaded trained weights from {file.name}. Delete the file to train afresh.")
            return model.eval()
    model = train()
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(state, file, metadata=dict(metadata or {}))
    print(f"Trained, and saved the weights to {file.name}: hand that file in with the notebook.")
    return model.eval()


@contextmanager
def needs(*questions: str) -> Iterator[None]:
    """Run a demonstration; say so in one line if a question it builds on is not answered yet."""
    try:
        yield
    except NotImplementedError as missing:
        if figures := sys.modules.get("matplotlib.pyplot"):
            figures.close("all")  # a figure that was begun would be shown empty
        reason = str(missing) or "a function is not written yet"
        print(f"This cell comes to life after {' and '.join(questions)} ({reason}).")


def ready(*things: Any) -> None:
    """Say, in the way that :func:`needs` understands, if one of ``things`` is not there yet."""
    if any(thing is None for thing in things):
        raise NotImplementedError("what it shows is not trained or not set yet")


def pick_device() -> torch.device:
    """The GPU if there is one, else the CPU: the one place where this is decided."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def use_course_style() -> None:
    """Make figures small and quiet."""
    from matplotlib import rcParams

    rcParams.update(
        {
            "figure.dpi": 80,
            "font.size": 9,
            "axes.titlesize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.constrained_layout.use": True,
        }
    )

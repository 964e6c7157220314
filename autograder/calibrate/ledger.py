"""The runs and thresholds of one assignment, in ``reference_impl/NAME/calibration.json``."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

import msgspec

from autograder.errors import BuildError
from autograder.files import write_atomically

LEDGER = "calibration.json"
"""File in the folder of an assignment's reference."""


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One training of the reference under one course secret, and what was measured of it."""

    trial: str
    recipe: str
    seed: int
    """Seed of the training"""
    secret: int
    """Number of the course secret that hidden sets were drawn from"""
    device: str
    """``"cpu"``, or the GPU's name"""
    torch: str
    numpy: str
    source: str
    """:func:`source_hash` of the calibration that was run"""
    seconds: float
    """Processor time of the run"""
    metrics: dict[str, float]
    baselines: dict[str, dict[str, float]] = {}
    """For each metric, what simple methods score on the same hidden set"""
    errors: dict[str, dict[str, float]] = {}
    """For each metric and simple method, the standard error of its distance from the run"""

    @property
    def key(self) -> tuple[str, str, int, str]:
        """Which of all runs it is."""
        return self.trial, self.recipe, self.seed, "cpu" if self.device == "cpu" else "cuda"


class Threshold(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a metric must reach, and how that was derived."""

    steps: list[float]
    """The values asked for, the last of them for full credit; none if it is not graded"""
    better: str
    bound: float
    """What correct solutions reach with the stated content"""
    rule: str
    """``"normal"``, ``"order statistic"``, ``"constant"``, or ``"theory"``: it is declared"""
    content: float
    """Share of correct solutions that reach the bound"""
    confidence: float
    """How sure that is"""
    deciding: str
    """The honest recipe and device whose tolerance bound is the most lenient"""
    baseline: str
    """The best trivial baseline"""
    baseline_score: float
    baseline_top: float
    """The best score of any trivial baseline on any hidden set"""
    error: float
    """Paired bootstrap standard error of the distance between it and the reference on one hidden
    set"""
    tolerance: float | None = None
    """The tolerance bound, for comparison, where the bound is theory's"""


class Ledger(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All that is stored of an assignment's calibration."""

    thresholds: dict[str, Threshold] = {}
    """By metric"""
    runs: list[Run] = []

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """The ledger in ``folder``; an empty one if there is none.

        Raises:
            BuildError: if the file is damaged.
        """
        file = folder / LEDGER
        if not file.is_file():
            return cls()
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except msgspec.DecodeError as error:
            problem = f"It is damaged ({error}); restore it from version control."
            raise BuildError(problem, notebook=str(file)) from None

    def add(self, run: Run) -> None:
        """Note ``run`` in the place of an older one of the same key."""
        self.runs = sorted([*(old for old in self.runs if old.key != run.key), run], key=_order)

    def write(self, folder: Path) -> None:
        """Write it into ``folder``, whole or not at all, one line for each threshold and run."""
        thresholds = [
            f"  {_json(name)}: {_json(self.thresholds[name])}" for name in sorted(self.thresholds)
        ]
        runs = [f"  {_json(run)}" for run in self.runs]
        text = '{{\n"thresholds": {{\n{}\n}},\n"runs": [\n{}\n]\n}}\n'.format(
            ",\n".join(thresholds), ",\n".join(runs)
        )
        write_atomically(folder / LEDGER, text.encode())
        (folder / LEDGER).chmod(0o644)


def _order(run: Run) -> tuple[Any, ...]:
    return run.trial, run.recipe != "reference", run.recipe, run.seed, run.device


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def source_hash(reference: Path, name: str) -> str:
    """Hash of the code that the calibration of ``name`` runs.

    That is its own and that of all modules of the reference it imports, directly or not. Comments,
    docstrings and formatting do not count, nor does what a run does not depend on: whether a recipe
    is honest or weak, which steps of a metric are graded, a bound of theory, and anything of
    version control.

    Args:
        reference: The folder ``reference_impl``.
        name: The assignment.
    """
    waiting, seen = [reference / name / "calibration.py"], {}
    while waiting:
        file = waiting.pop()
        if file in seen or not file.is_file():
            continue
        tree = ast.parse(file.read_text("utf-8"))
        waiting += [path for node in ast.walk(tree) for path in _imported(node, reference)]
        seen[file] = ast.unparse(_bare(tree))
    texts = [f"{file.relative_to(reference)}\0{seen[file]}\0" for file in sorted(seen)]
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


def _imported(node: ast.AST, reference: Path) -> list[Path]:
    """Files of the reference that an import may mean."""
    if isinstance(node, ast.ImportFrom) and node.module:
        modules = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    elif isinstance(node, ast.Import):
        modules = [name.name for name in node.names]
    else:
        return []
    inside = [module.split(".")[1:] for module in modules if module.startswith("reference_impl.")]
    return [reference.joinpath(*parts).with_suffix(".py") for parts in inside if parts]


def _bare(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _forget_judgement(node)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)] or [ast.Pass()]  # type: ignore[attr-defined]
    return tree


def _forget_judgement(call: ast.Call) -> None:
    """Leave of a declared metric or trial what its runs depend on."""
    match call.func:
        case ast.Name(id="Metric"):
            judged = ("steps", "theory", "what")
            call.keywords = [word for word in call.keywords if word.arg not in judged]
        case ast.Name(id="Trial"):
            for word in call.keywords:
                word.arg = {"weak": "honest", "learners": "baselines"}.get(str(word.arg), word.arg)
            call.keywords = [
                ast.keyword(arg=word.arg, value=value)
                for word in call.keywords
                for value in _entries(word.value)
            ]
            call.keywords.sort(key=ast.unparse)


def _entries(value: ast.expr) -> list[ast.expr]:
    """The entries of a written dict, each with its key; another value as it is."""
    if not isinstance(value, ast.Dict):
        return [value]
    return [
        ast.Tuple([key, entry]) if key else entry
        for key, entry in zip(value.keys, value.values, strict=True)
    ]


def _is_text(node: ast.stmt) -> bool:
    """Whether it is a docstring."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )

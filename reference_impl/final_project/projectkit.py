"""The files of a final project: reading them, checking them, and the arithmetic they share.

This file is published with the notebook and holds no answers. What graders recompute they
recompute with these functions, so a number that is right here is right there.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from coursekit import DataBundle

__all__ = [
    "PARTS",
    "REGISTERED",
    "SEEDS",
    "answer_panel",
    "canonical",
    "file_size",
    "fingerprint",
    "improvement",
    "interval",
    "numbers_below",
    "problems",
    "read_json",
    "read_predictions",
    "read_split",
    "read_text",
    "rows_of",
    "table_rows",
    "values_of",
    "verdict",
]

PARTS = ("train", "val", "test")
REGISTERED = ("topic", "metric", "split_rule", "baseline", "success", "subgroups")
"""What prereg.json and results.json both say; where they differ, deviations.json must say so."""
SEEDS = 3
"""With how many seeds the model is trained."""

Array = npt.NDArray[Any]
Metric = Callable[[Any, Any], float]


def read_json(name: str) -> Any:
    """The content of a JSON file beside the notebook, or ``None`` if it is not there yet."""
    file = Path(name)
    return json.loads(file.read_text("utf-8")) if file.is_file() else None


def read_text(name: str) -> str:
    """The content of a text file beside the notebook; empty if it is not there yet."""
    file = Path(name)
    return file.read_text("utf-8") if file.is_file() else ""


def problems(name: str, content: Any) -> list[str]:
    """What in ``content`` is against ``schemas/NAME.schema.json``, a sentence each.

    Args:
        name: Of the schema, such as ``"prereg"``.
        content: As :func:`read_json` gives it.
    """
    import jsonschema

    if content is None:
        return [f"{name}.json is not there, or was not read"]
    schema = json.loads((_beside("schemas") / f"{name}.schema.json").read_text("utf-8"))
    found = jsonschema.Draft202012Validator(schema).iter_errors(content)
    return sorted(f"{one.json_path}: {one.message[:200]}" for one in found)


def canonical(content: Any) -> bytes:
    """``content`` as JSON of one spelling: keys sorted, no white space, UTF-8."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def fingerprint(content: Any) -> str:
    """SHA-256 of :func:`canonical`, hexadecimal: the name a registration is kept under."""
    return hashlib.sha256(canonical(content)).hexdigest()


def read_split(name: str = "split.csv") -> dict[str, str]:
    """The part of each row, from a table with the columns ``row`` and ``part``.

    Raises:
        ValueError: if the table has other columns, or a row twice.
    """
    found: dict[str, str] = {}
    for row in _table(name, ("row", "part")):
        if row["row"] in found:
            raise ValueError(f"{name} has the row {row['row']} twice")
        found[row["row"]] = row["part"]
    return found


def read_predictions(name: str = "predictions.csv") -> dict[str, dict[str, float]]:
    """Predictions by run and row, from a table with the columns ``run``, ``row``, ``prediction``.

    Raises:
        ValueError: if the table has other columns, a prediction is no number, or is there twice.
    """
    found: dict[str, dict[str, float]] = {}
    for row in _table(name, ("run", "row", "prediction")):
        run = found.setdefault(row["run"], {})
        if row["row"] in run:
            raise ValueError(f"{name} has the row {row['row']} of {row['run']} twice")
        run[row["row"]] = float(row["prediction"])
    return found


def improvement(metric: str, y: Any, baseline: Any, model: Any) -> float:
    """How much better the model is than the baseline, in the metric's unit; positive is better.

    Args:
        metric: ``mae`` or ``auc``.
        y: Truth [N].
        baseline: Predictions [N].
        model: Predictions [seeds, N]; the metric is averaged over seeds.
    """
    score = importlib.import_module("topics").score
    own = float(np.mean([score(metric, y, one) for one in np.asarray(model)]))
    other = score(metric, y, baseline)
    return float(other - own if metric == "mae" else own - other)


def interval(metric: str, y: Any, baseline: Any, model: Any, groups: Any,
             draws: int = 400, seed: int = 0) -> tuple[float, float]:  # fmt: skip
    """95 % percentile bootstrap interval of :func:`improvement`, groups resampled whole.

    Args:
        metric: ``mae`` or ``auc``.
        y: Truth [N].
        baseline: Predictions [N].
        model: Predictions [seeds, N].
        groups: Names [N]; the rows of one stay together.
        draws: Number of resamples.
        seed: The same seed gives the same interval.
    """
    y, baseline, model = np.asarray(y), np.asarray(baseline), np.asarray(model)
    _, number = np.unique(np.asarray(groups), return_inverse=True)
    rows = [np.flatnonzero(number == one) for one in range(number.max() + 1)]
    rng = np.random.default_rng(seed)
    found: list[float] = []
    while len(found) < draws:
        chosen = np.concatenate([rows[one] for one in rng.integers(0, len(rows), len(rows))])
        if metric == "mae" or len(set(y[chosen])) == 2:
            found.append(improvement(metric, y[chosen], baseline[chosen], model[:, chosen]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def verdict(difference: float, low: float, high: float, threshold: float) -> str:
    """What a comparison shows, by the rule that is registered for everybody.

    ``success`` if the difference reaches the threshold and the interval lies above 0; ``failure``
    if the whole interval lies below the threshold; otherwise ``inconclusive``. Success and failure
    are both conclusive, and earn the same.
    """
    if difference >= threshold and low > 0:
        return "success"
    return "failure" if high < threshold else "inconclusive"


def numbers_below(content: Any, key: str) -> list[float]:
    """Every number at or below ``key`` in ``content``: ``"model.mean"``, ``"runs.0"``.

    Raises:
        KeyError: if there is no such key.
    """
    for step in filter(None, key.split(".")):
        try:
            content = content[int(step)] if isinstance(content, list) else content[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise KeyError(key) from None
    return list(_numbers(content))


def table_rows(text: str) -> Iterator[dict[str, str]]:
    """The rows of every Markdown table in ``text``, by the table's own column names."""
    header: list[str] = []
    for line in [*text.splitlines(), ""]:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.strip().startswith("|"):
            header = []
        elif not header:
            header = [cell.casefold() for cell in cells]
        elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            yield dict(zip(header, cells, strict=False))


def answer_panel(predict: Callable[[Any], Any], topic: str, name: str = "answers.csv") -> None:
    """Ask a model everything on the panel of ``topic``, and write its answers down."""
    asked = importlib.import_module("topics").panel(topic)
    answers = np.asarray(predict(asked.X), dtype=np.float64).reshape(-1)
    if len(answers) != len(asked):
        raise ValueError(f"{len(answers)} answers to {len(asked)} rows")
    lines = [f"{number},{answer:.9g}" for number, answer in enumerate(answers)]
    Path(name).write_text("\n".join(["row,answer", *lines]) + "\n", "utf-8")


def rows_of(data: DataBundle, split: Mapping[str, str], part: str) -> Array:
    """The numbers of the rows of ``data`` that ``split`` puts into ``part``, int64, ascending."""
    return np.flatnonzero([split.get(name) == part for name in data.meta["row"].tolist()])


def values_of(predictions: Mapping[str, float], names: Sequence[str]) -> Array:
    """A run's predictions in the order of ``names``, float64.

    Raises:
        ValueError: if it has other rows than these.
    """
    if set(predictions) != set(names):
        missing, strange = set(names) - set(predictions), set(predictions) - set(names)
        raise ValueError(
            f"predictions for other rows than those of the test part: {len(missing)} are missing, "
            f"{len(strange)} are of other parts"
        )
    return np.array([predictions[name] for name in names])


def _numbers(content: Any) -> Iterator[float]:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        for one in content:
            yield from _numbers(one)
    elif isinstance(content, int | float) and not isinstance(content, bool):
        yield float(content)


def _beside(name: str) -> Path:
    return Path(__file__).with_name(name)


def _table(name: str, columns: Sequence[str]) -> list[dict[str, str]]:
    file = Path(name)
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        reader = csv.DictReader(opened)
        if reader.fieldnames is None or list(reader.fieldnames) != list(columns):
            raise ValueError(f"{name} must have the columns {', '.join(columns)}")
        return list(reader)


def file_size(name: str) -> int:
    """Bytes of a file beside the notebook; 0 if it is not there."""
    file = Path(name)
    return file.stat().st_size if file.is_file() else 0

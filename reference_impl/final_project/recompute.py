"""What a team claims, worked out again from its predictions: complaints, or nothing.

Everything here is computed from public data and the team's own files. Each function returns
sentences for the team's graders; an empty list says that all is as claimed.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reference_impl.thresholds import Thresholds

__all__ = [
    "TestPart", "comparison", "constant", "deviated", "model_spread", "runs", "subgroups",
    "test_part", "traced",
]  # fmt: skip

ROUNDING = 6e-4
"""By how much a number may differ from its recomputation: three decimals, printed and rounded."""
BOUND_SLACK = Thresholds(Path(__file__).parent).full("interval_ends", "how far an end may be off")
"""By what share of an interval's width each of its ends may lie elsewhere: bootstraps differ."""

Array = npt.NDArray[Any]
Predictions = Mapping[str, Mapping[str, float]]


@dataclasses.dataclass(frozen=True, eq=False)
class TestPart:
    """The rows of the public data that a team tests on."""

    __test__ = False  # not a pytest class

    metric: str
    names: list[str]
    y: Array
    """float64 [N]"""
    group: Array
    """text [N]"""
    subgroup: Array
    """text [N]"""
    train: Array
    """float64, the truth of the training part"""

    def values(self, predictions: Predictions, run: str) -> Array:
        """The predictions of ``run``, float64 [N].

        Raises:
            AssertionError: if there are none, or they are of other rows.
        """
        kit = importlib.import_module("projectkit")
        assert run in predictions, f"predictions.csv has no run {run!r}."
        try:
            found: Array = kit.values_of(predictions[run], self.names)
        except ValueError as error:
            raise AssertionError(f"Run {run!r}: {error}.") from None
        assert np.isfinite(found).all(), f"Run {run!r} has predictions that are not finite."
        return found

    def score(self, p: Array, rows: Array | slice = slice(None)) -> float:
        """The topic's metric of predictions [N], on some of the rows."""
        found: float = importlib.import_module("topics").score(self.metric, self.y[rows], p[rows])
        return found


def test_part(topic: str, split: Mapping[str, str]) -> TestPart:
    """The test part that ``split`` makes of the public data of ``topic``.

    Raises:
        AssertionError: if it is empty.
    """
    topics, kit = (importlib.import_module(name) for name in ("topics", "projectkit"))
    data = topics.load(topic)
    rows, train = (kit.rows_of(data, split, part) for part in ("test", "train"))
    assert len(rows), "The test part of split.csv is empty."
    return TestPart(
        metric=topics.TOPICS[topic].metric,
        names=data.meta["row"][rows].tolist(),
        y=data.y[rows],
        group=data.meta["group"][rows],
        subgroup=data.meta["subgroup"][rows],
        train=data.y[train],
    )


test_part.__test__ = False  # type: ignore[attr-defined]


def constant(part: TestPart) -> float:
    """The metric of a model that says the same of every row, the best that training suggests."""
    return part.score(np.full(len(part.y), np.median(part.train)))


def runs(part: TestPart, results: Mapping[str, Any], predictions: Predictions) -> list[str]:
    """Complaints about ``value`` and ``n`` of every run."""
    found = []
    for run in results["runs"]:
        value = part.score(part.values(predictions, run["run"]))
        if not abs(value - run["value"]) <= ROUNDING:
            found.append(f"run {run['run']}: claimed {run['value']:g}, recomputed {value:.4f}")
        if run["n"] != len(part.y):
            found.append(f"run {run['run']}: claimed n = {run['n']}, there are {len(part.y)} rows")
    return found


def model_spread(part: TestPart, results: Mapping[str, Any], predictions: Predictions) -> list[str]:
    """Complaints about the mean and standard deviation (n - 1) over seeds."""
    kinds = {run["run"]: run for run in results["runs"]}
    own = results["model"]["runs"]
    strange = [name for name in own if kinds.get(name, {}).get("kind") != "model"]
    if strange:
        return [f"{', '.join(strange)}: no run of kind model"]
    if len({kinds[name]["seed"] for name in own}) < len(own):
        return ["the model's runs do not have a seed each"]
    scores = [part.score(part.values(predictions, name)) for name in own]
    claims = (("mean", np.mean(scores)), ("sd", np.std(scores, ddof=1)))
    return [
        f"{name}: claimed {results['model'][name]:g}, recomputed {value:.4f}"
        for name, value in claims
        if not abs(value - results["model"][name]) <= ROUNDING
    ]


def comparison(part: TestPart, results: Mapping[str, Any], predictions: Predictions) -> list[str]:
    """Complaints about the difference, its interval and the verdict."""
    kit = importlib.import_module("projectkit")
    said = results["comparison"]
    baseline = part.values(predictions, said["baseline"])
    model = np.stack([part.values(predictions, name) for name in results["model"]["runs"]])
    difference = kit.improvement(part.metric, part.y, baseline, model)
    low, high = kit.interval(part.metric, part.y, baseline, model, part.group)
    slack = BOUND_SLACK.reveal() * (high - low)
    wanted = (("difference", difference, ROUNDING), ("low", low, slack), ("high", high, slack))
    found = [
        f"{name}: claimed {said[name]:g}, recomputed {value:.4f}"
        for name, value, tolerance in wanted
        if not abs(said[name] - value) <= tolerance
    ]
    rule = kit.verdict(said["difference"], said["low"], said["high"],
                       results["success"]["improvement"])  # fmt: skip
    if said["verdict"] != rule:
        found.append(f"verdict: claimed {said['verdict']}, by the rule it is {rule}")
    return found


def subgroups(
    part: TestPart, table: Sequence[Mapping[str, Any]], names: Sequence[str],
    results: Mapping[str, Any], predictions: Predictions,
) -> list[str]:  # fmt: skip
    """Complaints about a table of subgroups: all of ``names``, their ``n``, ``value``, interval."""
    model = [part.values(predictions, name) for name in results["model"]["runs"]]
    told = {row["name"]: row for row in table}
    found = [f"the subgroup {name} is missing" for name in names if name not in told]
    for name, row in told.items():
        rows = np.flatnonzero(part.subgroup == name)
        if row["n"] != len(rows):
            found.append(f"{name}: claimed n = {row['n']}, there are {len(rows)}")
            continue
        value = float(np.mean([part.score(one, rows) for one in model]))
        if not abs(value - row["value"]) <= ROUNDING:
            found.append(f"{name}: claimed {row['value']:g}, recomputed {value:.4f}")
        if "low" in row and not row["low"] < row["value"] < row["high"]:
            found.append(f"{name}: the interval does not hold the value")
    return found


def deviated(
    registered: Mapping[str, Any], prereg: Mapping[str, Any], results: Mapping[str, Any],
    declared: Mapping[str, Any] | None,
) -> list[str]:  # fmt: skip
    """What differs from the registration and is not declared in deviations.json."""
    kit = importlib.import_module("projectkit")
    told = {one["what"] for one in (declared or {}).get("deviations", [])}
    handed_in = {"question", *kit.REGISTERED}
    changed = {key for key in handed_in if prereg.get(key) != registered.get(key)}
    changed |= {key for key in kit.REGISTERED if results.get(key) != registered.get(key)}
    used = results.get("comparison", {}).get("baseline")
    methods = {run["run"]: run["method"] for run in results["runs"]}
    if used is not None and methods.get(used) != registered.get("baseline"):
        changed.add("baseline")
    return sorted(changed - told)


def traced(report: str, files: Mapping[str, Any]) -> list[str]:
    """Complaints about numbers in the report's tables that their row's key does not have.

    Args:
        report: Markdown. In a table with a column ``key``, each number of a row must be, rounded as
            printed, one of those at or below its key, such as ``results.model``.
        files: Contents of the JSON files by their name without the ending.
    """
    import re

    kit = importlib.import_module("projectkit")
    found = []
    for row in kit.table_rows(report):
        key = row.get("key", "").strip("` ")
        cells = [text for name, text in row.items() if name != "key"]
        numbers = re.findall(r"(?<![\w.])[-−]?\d+(?:\.\d+)?(?![\w.]*\w)", " ".join(cells[1:]))
        if not numbers:
            continue
        name, _, rest = key.partition(".")
        try:
            known = kit.numbers_below(files.get(name), rest) if key else []
        except KeyError:
            known = []
        for text in numbers:
            plain = text.replace("−", "-")
            places = len(plain.partition(".")[2])
            if not any(abs(float(plain) - one) <= 0.5001 * 10**-places for one in known):
                found.append(
                    f"{text} in the row {cells[0]!r} is not at the key {key or '(none)'!r}"
                )
    return found

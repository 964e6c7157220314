"""What the thresholds of this assignment rest on, for ``autograder calibrate final_project``.

Nothing asks for a good model here: what is measured is a team's arithmetic and the honesty of its
claims. So a run is a small team's: it splits by group, fits a plain model, and claims what it found
on its test part. Honest recipes are other models, fractions and intervals; trivial baselines are
what passes for such work: rows dealt one by one, models that know the public rows.

``effect_error`` is no measurement: the answers are the same for everybody, so that only rounding
differs. Two decimals are wrong by 0.005 at most; 0.02 also admits what is rounded on the way.
``interval_ends`` is 0.35 for the sake of intervals by another theory than the grader's bootstrap:
they differ most where one group is a large part of the test part, and no normal theory says by how
much. An interval without width is off by a half at least.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from reference_impl.calibrating import Change, Metric, Trial, changed
from reference_impl.course_secret import student_rng
from reference_impl.final_project import decoys, hidden
from reference_impl.gnn_drug_discovery import baselines

__all__ = ["TRIALS"]

sys.path.append(str(Path(__file__).parents[2] / "assignments/final_project"))  # as it is published

Array = npt.NDArray[Any]
Split = dict[str, str]
_HERE = sys.modules[__name__]
FRACTIONS = (0.5, 0.1, 0.4)
"""Of the groups, for training, validation and test."""


def _public(name: str) -> ModuleType:
    return importlib.import_module(name)


def _dealt(topic: str, by: str, rng: np.random.Generator, share: float | None = None) -> Split:
    """A split that deals what ``by`` names: groups, as it should, or rows.

    Rows that are not to be tested on go to training instead.

    Args:
        topic: The topic.
        by: A key of its ``meta``.
        rng: Source of all randomness.
        share: Of the test part; that of :data:`FRACTIONS` if not given.
    """
    data = _public("topics").load(topic)
    names, number = np.unique(data.meta[by], return_inverse=True)
    train, val, test = FRACTIONS if share is None else (0.9 - share, 0.1, share)
    part = rng.choice(["train", "val", "test"], len(names), p=[train, val, test])[number]
    part = np.where(~data.meta["testable"] & (part == "test"), "train", part)
    return dict(zip(data.meta["row"].tolist(), part.tolist(), strict=True))


LARGE = 30
"""Rows of a group that is not tested on."""


# Canaries


def _guessed(topic: str, split: Split) -> Array:
    """Share of the test rows whose coin flip was guessed right, in each of 20 tosses."""
    rng = student_rng("final_project/p1/canary")
    return np.asarray(hidden.canary_guesses(topic, split, rng).mean(axis=1))


def _by_row(topic: str, share: float | None = None) -> Callable[[np.random.Generator], Array]:
    return lambda rng: _guessed(topic, _dealt(topic, "row", rng, share))


def _canary(topic: str, *others: tuple[float, float, float]) -> Trial:
    return Trial(
        name=f"canary {topic}",
        prepare=lambda: student_rng("final_project calibration split"),
        answer=lambda rng, seed, device: _guessed(topic, _dealt(topic, "group", rng)),
        metrics=(
            Metric(
                f"canary_{topic}", "lower",
                rows=lambda task, shares: shares,
                what="share of coin flips guessed right across the split",
            ),
        ),
        baselines={
            "split by row": _by_row(topic),
            "split by row, a small test part": _by_row(topic, 0.25),
        },
        honest={
            f"fractions {fractions}": changed(_HERE, FRACTIONS=fractions) for fractions in others
        },
    )  # fmt: skip


# Claims


class _Team(NamedTuple):
    """What a team has, and what it is asked about."""

    train: tuple[Any, Array]
    test: tuple[Any, Array]
    held: tuple[Any, Array]
    topic: str


Answers = tuple[Array, Array]
"""Predictions for the test part and for the rows held back"""


def _team(topic: str, by: str = "group") -> _Team:
    """A team that keeps large groups for training: who tests on one claims less."""
    data, kit = _public("topics").load(topic), _public("projectkit")
    split = _dealt(topic, by, student_rng("final_project calibration split"))
    names, sizes = np.unique(data.meta["group"], return_counts=True)
    large = np.isin(data.meta["group"], names[sizes >= LARGE])
    if by == "group":
        split |= dict.fromkeys(data.meta["row"][large].tolist(), "train")
    train, test = (kit.rows_of(data, split, part) for part in ("train", "test"))
    held = hidden.held_back(topic)
    known, tested = ((_chosen(data.X, rows), data.y[rows]) for rows in (train, test))
    return _Team(known, tested, (held.inputs, held.y.reveal()), topic)


def _chosen(inputs: Any, rows: Array) -> Any:
    return [inputs[row] for row in rows] if isinstance(inputs, list) else inputs[rows]


def _fragments(smiles: Any) -> Array:
    topics = _public("topics")
    return np.asarray(topics.TOPICS["solubility"].features(SimpleNamespace(X=smiles)))


def _ridge(X: Array, y: Array, seed: int) -> Callable[[Array], Array]:
    return lambda new: baselines.ridge((X, y), new, penalty=100.0)


def _forest(X: Array, y: Array, seed: int) -> Callable[[Array], Array]:
    model = RandomForestRegressor(100, min_samples_leaf=2, random_state=seed).fit(X, y)
    return lambda new: np.asarray(model.predict(new))


def _logistic(X: Array, y: Array, seed: int) -> Callable[[Array], Array]:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(X, y)
    return lambda new: np.asarray(model.predict_proba(new)[:, 1])


def _trees(X: Array, y: Array, seed: int) -> Callable[[Array], Array]:
    model = RandomForestClassifier(200, min_samples_leaf=3, random_state=seed).fit(X, y)
    return lambda new: np.asarray(model.predict_proba(new)[:, 1])


def _pixels(images: Array) -> Array:
    n = len(images)
    return images.reshape(n, 3, 8, 4, 8, 4).mean(axis=(3, 5)).reshape(n, -1) / 255


COLUMNS: dict[str, Callable[[Any], Array]] = {"solubility": _fragments, "derm": _pixels}
FIT: dict[str, Callable[[Array, Array, int], Callable[[Array], Array]]] = {
    "solubility": _ridge, "derm": _logistic,
}  # fmt: skip


def _answered(team: _Team, seed: int, device: str) -> Answers:
    columns = COLUMNS[team.topic]
    model = FIT[team.topic](columns(team.train[0]), team.train[1], seed)
    return model(columns(team.test[0])), model(columns(team.held[0]))


def _both(team: _Team, answers: Answers) -> Array:
    """Whether a row was held back, its truth and its prediction: [N, 3]."""
    held = np.repeat([0, 1], [len(team.test[1]), len(team.held[1])])
    return np.column_stack(
        [held, np.concatenate([team.test[1], team.held[1]]), np.concatenate(answers)]
    )


def _worse(metric: str) -> Callable[[Array], float]:
    def worse(rows: Array) -> float:
        claimed, held = (
            _public("topics").score(metric, *rows[rows[:, 0] == kind, 1:].T) for kind in (0, 1)
        )
        return float(held - claimed if metric == "mae" else claimed - held)

    return worse


def _knows_public_rows(team: _Team) -> Answers:
    """The truth where it is published, and the median elsewhere."""
    return team.test[1], np.full(len(team.held[1]), np.median(team.train[1]))


def _dealt_by_row(team: _Team) -> Answers:
    """The nearest neighbour, which was tested on rows of groups that it has seen."""
    topic, columns = team.topic, COLUMNS[team.topic]
    other = _team(topic, "row")
    known, y = columns(other.train[0]), other.train[1]

    def nearest(new: Array) -> Array:
        square = (new**2).sum(1)[:, None] - 2 * new @ known.T + (known**2).sum(1)
        return y[square.argmin(axis=1)]

    size = len(team.test[1])
    kept = np.resize(np.arange(len(other.test[1])), size)
    errors = (nearest(columns(other.test[0])) - other.test[1])[kept]
    return team.test[1] + errors, nearest(columns(team.held[0]))


def _claim(topic: str, metric: str, unit: str, honest: dict[str, tuple[Change, ...]]) -> Trial:
    return Trial(
        name=f"claim {topic}",
        prepare=lambda: _team(topic),
        answer=_answered,
        metrics=(
            Metric(
                f"claim_{topic}", "lower", rows=_both, score=_worse(metric),
                what=f"how much worse a model is on rows held back than on its test part, {unit}",
            ),
        ),
        baselines={"knows the public rows": _knows_public_rows},
        learners={"tested on groups that it knows": _dealt_by_row},
        honest=honest,
    )  # fmt: skip


# Intervals of a comparison


class _Compared(NamedTuple):
    """A test part, the predictions of a baseline and of three models."""

    y: Array
    baseline: Array
    models: Array
    groups: Array


def _compared() -> _Compared:
    team = _team("solubility")
    data = _public("topics").load("solubility")
    place = {smiles: row for row, smiles in enumerate(data.X)}
    groups = data.meta["group"][[place[one] for one in team.test[0]]]
    five = baselines.descriptors(team.train[0]), team.train[1]
    baseline = baselines.ridge(five, baselines.descriptors(team.test[0]))
    known, asked = _fragments(team.train[0]), _fragments(team.test[0])
    rng = student_rng("final_project calibration seeds")
    drawn = [rng.permutation(len(known))[: 4 * len(known) // 5] for _ in range(3)]
    models = [_ridge(known[rows], team.train[1][rows], 0)(asked) for rows in drawn]
    return _Compared(team.test[1], baseline, np.stack(models), groups)


def _interval(task: _Compared, seed: int) -> tuple[float, float]:
    low, high = _public("projectkit").interval("mae", *task, draws=400, seed=1000 + seed)
    return float(low), float(high)


def _draws_of(count: int) -> Callable[[_Compared, int], tuple[float, float]]:
    def interval(task: _Compared, seed: int) -> tuple[float, float]:
        low, high = _public("projectkit").interval("mae", *task, draws=count, seed=1000 + seed)
        return float(low), float(high)

    return interval


def _by_theory(task: _Compared, seed: int) -> tuple[float, float]:
    """Student's t of the sums over groups, of a ratio of means."""
    gain = np.abs(task.y - task.baseline) - np.abs(task.y - task.models).mean(axis=0)
    _, number = np.unique(task.groups, return_inverse=True)
    count = number.max() + 1
    sums = np.bincount(number, gain - gain.mean())
    error = np.sqrt((sums**2).sum() * count / (count - 1)) / len(gain)
    reach = stats.t.ppf(0.975, count - 1) * error
    return float(gain.mean() - reach), float(gain.mean() + reach)


def _of_rows(task: _Compared, seed: int) -> tuple[float, float]:
    """Rows are resampled, not groups."""
    return _interval(task._replace(groups=np.arange(len(task.y))), seed)


INTERVAL = _interval


def _distances(task: _Compared, said: tuple[float, float]) -> Array:
    """Of both ends from the grader's, in widths of the grader's interval: [2]."""
    low, high = _public("projectkit").interval("mae", *task)
    return np.abs(np.subtract(said, (low, high))) / (high - low)


def _no_interval(task: _Compared) -> tuple[float, float]:
    gain = float(_public("projectkit").improvement("mae", task.y, task.baseline, task.models))
    return gain, gain


def _from_zero(task: _Compared) -> tuple[float, float]:
    """From nothing to twice the difference."""
    gain, _ = _no_interval(task)
    return min(0.0, 2 * gain), max(0.0, 2 * gain)


_intervals = Trial(
    name="interval of a comparison",
    prepare=_compared,
    answer=lambda task, seed, device: INTERVAL(task, seed),
    metrics=(
        Metric(
            "interval_ends", "lower", rows=_distances,
            score=lambda rows: float(rows.max()),
            theory=0.35,
            what="distance of an interval's end from the grader's, in its widths",
        ),
    ),
    baselines={"no interval": _no_interval, "from zero": _from_zero},
    honest={
        "200 resamples": changed(_HERE, INTERVAL=_draws_of(200)),
        "2000 resamples": changed(_HERE, INTERVAL=_draws_of(2000)),
        "Student's t": changed(_HERE, INTERVAL=_by_theory),
        "large groups tested on": changed(_HERE, LARGE=10**6),
        "Student's t, large groups tested on": changed(
            _HERE, LARGE=10**6, INTERVAL=_by_theory
        ),
    },
    weak={"of rows": changed(_HERE, INTERVAL=_of_rows)},
)  # fmt: skip


# Effects

PLANTED = [(f"team {number}", topic) for topic in ("solubility", "derm") for number in range(5)]


def _flaws() -> list[decoys.Planted]:
    return [decoys.planted(*one) for one in PLANTED]


def _measured(task: list[decoys.Planted], seed: int, device: str) -> Array:
    """The effect of each guilty model, in four decimals: [10]."""
    topics, found = _public("topics"), []
    for one, (_, topic) in zip(task, PLANTED, strict=True):
        effect = topics.TOPICS[topic].flaws[one.flaw].effect
        found.append(round(float(effect(topics.panel(topic), one.answers[one.guilty])), DECIMALS))
    return np.array(found)


DECIMALS = 4

_effects = Trial(
    name="effects",
    prepare=_flaws,
    answer=_measured,
    metrics=(
        Metric(
            "effect_error", "lower",
            rows=lambda task, said: np.abs(said - [one.effect for one in task]),
            score=lambda rows: float(rows.max()),
            theory=0.02,
            what="distance of a reported effect from the one in the answers, the largest of ten",
        ),
    ),
    baselines={
        "none": lambda task: np.zeros(len(task)),
        "the usual size": lambda task: np.array([1.25 * decoys.LEAST[one.flaw] for one in task]),
    },
    honest={"two decimals": changed(_HERE, DECIMALS=2)},
)  # fmt: skip

TRIALS = (
    _canary("solubility", (0.8, 0.1, 0.1), (0.6, 0.2, 0.2)),
    _canary("derm", (0.6, 0.15, 0.25)),
    _claim(
        "solubility",
        "mae",
        "log10(mol/L)",
        {"random forest": changed(_HERE, FIT={"solubility": _forest})},
    ),
    _claim(
        "derm",
        "auc",
        "area under the curve",
        {"random forest": changed(_HERE, FIT={"derm": _trees})},
    ),
    _intervals,
    _effects,
)

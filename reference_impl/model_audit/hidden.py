"""What only the grader has: drawn tables, drawn predictions, and the bounds of statistical tests.

Each table, score and label is drawn for the student (``student_rng``). A test that draws at random
may fail a right answer by chance: how often was measured (``autograder calibrate``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from reference_impl.course_secret import student_rng
from reference_impl.model_audit import card_audit, planted, subgroups, supplied
from reference_impl.secret import Secret
from reference_impl.thresholds import Thresholds

__all__ = [
    "AGREEMENT_LEAST",
    "EXCESS_LEAST",
    "FACTS",
    "KS_MOST",
    "LEAK_SCORE_LEAST",
    "NULL_MEAN",
    "NULL_SIMULATIONS",
    "NULL_TAIL",
    "PATIENT_WIDTH_ERROR",
    "POWER_DATA_SETS",
    "RANK_ERROR",
    "TEMPERATURE_SHARE",
    "WIDTH_ERROR",
    "Cohort",
    "Decisions",
    "Temperature",
    "accused",
    "agreement",
    "cohort",
    "evaluation",
    "in_two_groups",
    "leak_score",
    "leak_table",
    "null_predictions",
    "points_lost",
    "rows_of",
    "temperatures",
    "warm",
    "width_error",
    "without_gap",
]

_THRESHOLDS = Thresholds(Path(__file__).parent)
# Derived from runs of the reference, or declared with the reason, in `table_trials.py`.

LEAK_SCORE_LEAST = _THRESHOLDS.full("leak_score", "score on planted tables, at least")
"""F1 minus a tenth for each innocent column accused, on each of two tables."""

KS_MOST = _THRESHOLDS.full("p_distance", "distance of p-values from uniform, at most")
"""Kolmogorov-Smirnov distance of the p-values of :data:`NULL_SIMULATIONS` from uniform, at most."""

AGREEMENT_LEAST = _THRESHOLDS.full("p_agreement", "agreement with other p-values, at least")
""":func:`agreement` of those p-values with the reference's of the same data sets, at least. Noise
is uniform too, and says nothing of the data."""

EXCESS_LEAST = _THRESHOLDS.full("gap_excess", "planted gaps found less false findings, at least")
"""Share of data sets with p <= 0.05 among those with a gap in one direction, less that among those
without a gap, at least, of :data:`POWER_DATA_SETS` each. Whoever finds everything has 0."""

TEMPERATURE_SHARE = _THRESHOLDS.full("temperature_error", "how far a temperature may be missed")
"""As a share of the planted temperature."""

WIDTH_ERROR = _THRESHOLDS.full("width_error", "how far an interval's width may be off")
""":func:`width_error` of an interval from 400 resamples, at most."""

PATIENT_WIDTH_ERROR = _THRESHOLDS.full("patient_width_error", "the same of patients with more rows")
"""The same where each patient has five rows."""

NULL_MEAN = _THRESHOLDS.full("null_mean_error", "how far the mean of a null may be off")
"""Of 2,000 draws, as a share of the mean of the reference's 3,000."""

NULL_TAIL = _THRESHOLDS.full("null_tail_error", "how far a quantile of a null may be off")
"""The same of the 95 % quantile."""

RANK_ERROR = _THRESHOLDS.full("rank_error", "how far the mean rank may be from one half")
"""Of the calibration errors of 40 calibrated models among the draws of their nulls."""

NULL_SIMULATIONS = 200
"""Data sets without a gap whose p-values are looked at together."""

POWER_DATA_SETS = 60
"""Data sets with a planted gap in each direction, and as many without one."""

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Cohort:
    """Patients, predictions and groups. The labels are sent on purpose: an audit needs them."""

    y: npt.NDArray[np.int64]
    p: Array
    groups: pd.DataFrame
    """Attributes, [N, A]"""

    def __len__(self) -> int:
        return len(self.y)


def cohort(purpose: str, sizes: dict[str, int], slope: float = 0.8) -> Cohort:
    """Patients of several sites, ``sizes`` of each, with ties among the predictions.

    Predictions are too extreme, and one of 0.005, 0.015, ..., 0.995: none lies on a border between
    bins, which arithmetic may round either way.

    Args:
        purpose: Of the student's generator.
        sizes: Patients of each site.
        slope: Of the true log odds over the predicted ones. 0.8 is a little too sure; at 0.4 the
            calibration error lies far beyond what chance gives.
    """
    rng = student_rng(f"model_audit/{purpose}")
    site = rng.permutation([name for name, count in sizes.items() for _ in range(count)])
    z = rng.normal(-0.8, 1.3, len(site))
    y = (rng.random(len(site)) < 1 / (1 + np.exp(-slope * z))).astype(np.int64)
    p = np.round(np.floor(100 / (1 + np.exp(-z))) / 100 + 0.005, 3)
    return Cohort(y, p, pd.DataFrame({"site": site}))


class Decisions(NamedTuple):
    """Patients of whom some are flagged; all of it is sent on purpose."""

    y: npt.NDArray[np.int64]
    flagged: npt.NDArray[np.int64]
    groups: list[str]


def without_gap(rng: np.random.Generator) -> Decisions:
    """360 patients of three groups with other prevalences and one TPR of 0.6."""
    g = rng.choice(3, 360, p=[0.25, 0.35, 0.4])
    y = (rng.random(360) < np.array([0.6, 0.4, 0.25])[g]).astype(int)
    flagged = (rng.random(360) < np.where(y == 1, 0.6, 0.15)).astype(int)
    return Decisions(y, flagged, np.array(["a", "b", "c"])[g].tolist())


def in_two_groups(rng: np.random.Generator, better: str) -> Decisions:
    """100 positives and 50 negatives in group ``a`` and in ``b``.

    Args:
        rng: Source of all randomness.
        better: The group whose TPR is 0.65 and the other's 0.35; both have 0.5 if it is empty.
    """
    groups = np.repeat(["a", "b"], [150, 150])
    y = np.tile(np.repeat([1, 0], [100, 50]), 2)
    tpr = np.where(groups == better, 0.65, 0.35) if better else np.full(300, 0.5)
    flagged = (rng.random(300) < np.where(y == 1, tpr, 0.15)).astype(int)
    return Decisions(y, flagged, groups.tolist())


def agreement(found: Sequence[float], expected: Sequence[float]) -> float:
    """Spearman's correlation of two series of p-values; 0 if one of them never changes."""
    if np.ptp(found) == 0 or np.ptp(expected) == 0:
        return 0.0
    return float(stats.spearmanr(found, expected).statistic)


class Temperature(NamedTuple):
    """Log odds that are too large or too small by a planted factor."""

    planted: float
    logits: Array
    """float64 [100000]"""
    y: npt.NDArray[np.int64]
    """[100000]"""


def temperatures(rng: np.random.Generator) -> list[Temperature]:
    """A model that is too sure, and one that is not sure enough."""
    found = []
    for planted_factor in (float(rng.uniform(1.5, 3)), float(rng.uniform(0.4, 0.8))):
        honest = rng.normal(-0.5, 1.5, 100_000)
        y = (rng.random(len(honest)) < 1 / (1 + np.exp(-honest))).astype(int)
        found.append(Temperature(planted_factor, planted_factor * honest, y))
    return found


def null_predictions(rng: np.random.Generator) -> list[Array]:
    """Probabilities of as many patients as three groups of SUPPORT2 have: 2,136, 410 and 89."""
    return [1 / (1 + np.exp(-rng.normal(-1.4, 1.3, size))) for size in (2136, 410, 89)]


def width_error(row: Mapping[str, Any], metric: str, count: int) -> float:
    """How far the width of an interval is from the normal approximation's: |ln(width / other)|.

    Args:
        row: Of a report: ``metric`` is a rate, and its interval has ``_lo`` and ``_hi``.
        metric: Such as ``"tpr"``.
        count: Patients that the rate is of.
    """
    rate, width = float(row[metric]), float(row[f"{metric}_hi"]) - float(row[f"{metric}_lo"])
    expected = 2 * 1.96 * np.sqrt(rate * (1 - rate) / count)
    return abs(float(np.log(width / expected))) if width > 0 else float("inf")


def leak_table(
    purpose: str, kinds: tuple[str, ...]
) -> tuple[planted.LeakTable, Secret[dict[str, str]]]:
    """A table with planted leaks, and which they are."""
    table = planted.leak_table(student_rng(f"model_audit/{purpose}"), kinds)
    return table._replace(leaks={}), Secret(table.leaks, "the planted leaks")


def leak_score(accused: Set[object], guilty: Set[object]) -> float:
    """F1 of a list of columns, minus 0.1 for each innocent one on it."""
    false = len(accused - guilty)
    right = len(accused & guilty)
    f1 = 2 * right / (len(accused) + len(guilty)) if accused or guilty else 1.0
    return f1 - 0.1 * false


def accused(found: Any) -> dict[str, str]:
    """What ``find_leaks`` answered, as column and reason.

    Raises:
        AssertionError: if it is no list of pairs of texts, or names a column twice.
    """
    pairs = [tuple(pair) for pair in found] if isinstance(found, list | tuple) else None
    if pairs is None or any(len(p) != 2 or not all(isinstance(v, str) for v in p) for p in pairs):
        raise AssertionError("Expected a list of (column, reason), two texts each.")
    if len({name for name, _ in pairs}) != len(pairs):
        raise AssertionError("Expected each column once; one is accused twice.")
    return dict(pairs)


def rows_of(report: Any) -> dict[str, dict[str, Any]]:
    """The rows of a report by their group, in its order.

    Raises:
        AssertionError: if it is no frame with the documented columns, or has a group twice.
    """
    if not isinstance(report, pd.DataFrame):
        raise AssertionError(f"Expected a DataFrame, got {type(report).__name__}.")
    lacking = [name for name in subgroups.COLUMNS if name not in report.columns]
    if lacking:
        raise AssertionError(f"Expected the documented columns; {lacking[:3]} are not there.")
    rows: dict[str, dict[str, Any]] = {
        str(row["group"]): {str(name): value for name, value in row.items()}
        for row in report.to_dict("records")
    }
    if len(rows) != len(report):
        raise AssertionError("Expected each group once; one has two rows.")
    return rows


FACTS: dict[str, Any] = {
    "name": "Risk at several sites",
    "intended_use": {
        "purpose": "To see whether a card tells the truth about its numbers.",
        "users": "The grader of this course and nobody else.",
        "patients": "Simulated patients of several simulated sites.",
    },
    "out_of_scope": ["Everything outside of this test.", "Decisions about any real patient."],
    "data": {"source": "Drawn at random by the grader.", "years": "none", "simulated": True},
    "limitations": ["Patients are simulated.", "Sites differ in nothing but size."],
}
"""Text for the cards of drawn cohorts."""


def evaluation(part: str = "test") -> tuple[Cohort, Array]:
    """The supplied model on one part of SUPPORT2, and the log odds of the overtrained one."""
    answers = supplied.answers(part)
    p = 1 / (1 + np.exp(-answers["logit"]))
    groups = pd.DataFrame({"race": answers["race"]})
    return Cohort(answers["y"], p, groups), answers["overtrained_logit"]


def points_lost(card: Any, own: Mapping[str, Callable[..., Any]]) -> list[str]:
    """What the card of the supplied model loses points for: one sentence for each point.

    Args:
        card: What was handed in.
        own: The author's own functions, see ``card_audit.deductions``.
    """
    data, _ = evaluation()
    validation, _ = evaluation("val")
    threshold = float(np.quantile(validation.p, 0.75))
    found = card_audit.deductions(card, data.y, data.p, threshold, data.groups, False, own)
    return [
        f"{kind}: {sentence}"
        for kind, sentence in found
        for _ in range(card_audit.DEDUCTIONS[kind])
    ]


def warm() -> None:
    """Import what tests compare with, SciPy and scikit-learn among it, now."""
    import jsonschema  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.metrics  # noqa: F401

    from reference_impl.model_audit import decisions, leaks  # noqa: F401

    evaluation()

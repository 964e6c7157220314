"""What only the grader has: drawn tables, drawn predictions, and the bounds of statistical tests.

Each table, score and label is drawn for the student (``student_rng``). A test that draws at random
may fail a right answer by chance; every bound below says how often.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reference_impl.course_secret import student_rng
from reference_impl.model_audit import card_audit, planted, subgroups, supplied
from reference_impl.secret import Secret

__all__ = [
    "FACTS",
    "KS_MOST",
    "LEAK_SCORE_LEAST",
    "NULL_SIMULATIONS",
    "POWER_DATA_SETS",
    "POWER_LEAST",
    "TEMPERATURE_SHARE",
    "WIDTH_RANGE",
    "Cohort",
    "accused",
    "cohort",
    "evaluation",
    "leak_score",
    "leak_table",
    "points_lost",
    "rows_of",
    "warm",
]

LEAK_SCORE_LEAST = Secret(0.9, "score on planted tables, at least")
"""F1 minus a tenth for each innocent column accused. The definitions of the question give 1.0."""

NULL_SIMULATIONS = 200
"""Data sets without a gap whose p-values are looked at together."""

KS_MOST = Secret(0.174, "distance of p-values from uniform, at most")
"""Kolmogorov-Smirnov distance of 200 p-values from uniform, at most.

By the inequality of Dvoretzky, Kiefer and Wolfowitz, with Massart's constant, a distance beyond e
has a probability of 2 exp(-2 · 200 e²) at most: 1e-4 for e = 0.157. Another 0.017 is for p-values
that take only steps of 1/60. Right answers: 0.04 to 0.14 (20 sets of 200); shuffling for a rate of
everybody where prevalences differ: 0.64.
"""

POWER_DATA_SETS = 60
"""Data sets with a planted gap."""

POWER_LEAST = Secret(0.8, "share of planted gaps that are found, at least")
"""Share of 60 data sets with a planted gap of 0.3 among 2 x 100 positives in which p <= 0.05.

Measured: 60 and 59 of 60 found. At a power of 0.97, fewer than 48 of 60 have a probability below
1e-7.
"""

TEMPERATURE_SHARE = Secret(0.05, "how far a planted temperature may be missed")
"""As a share. From 100,000 labels the standard error is 0.9 %: more than five of them."""

WIDTH_RANGE = Secret((0.75, 1.3), "width of intervals over that of the normal approximation")
"""From 400 resamples the width has a relative standard error of 6 %; 0.75 and 1.3 are more than
four of these away from 1, where the approximation is within 2 % of the true width. Resampling five
rows of each patient as if they were independent gives 0.45.
"""

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


def cohort(purpose: str, sizes: dict[str, int]) -> Cohort:
    """Patients of several sites, ``sizes`` of each, with ties among the predictions.

    Predictions are a little too extreme, and one of 0.005, 0.015, ..., 0.995: none lies on a border
    between bins, which arithmetic may round either way.
    """
    rng = student_rng(f"model_audit/{purpose}")
    site = rng.permutation([name for name, count in sizes.items() for _ in range(count)])
    z = rng.normal(-0.8, 1.3, len(site))
    y = (rng.random(len(site)) < 1 / (1 + np.exp(-0.8 * z))).astype(np.int64)
    p = np.round(np.floor(100 / (1 + np.exp(-z))) / 100 + 0.005, 3)
    return Cohort(y, p, pd.DataFrame({"site": site}))


def leak_table(
    purpose: str, kinds: tuple[str, ...]
) -> tuple[planted.LeakTable, Secret[dict[str, str]]]:
    """A table with planted leaks, and which they are."""
    table = planted.leak_table(student_rng(f"model_audit/{purpose}"), kinds)
    return table._replace(leaks={}), Secret(table.leaks, "the planted leaks")


def leak_score(accused: set[str], guilty: set[str]) -> float:
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

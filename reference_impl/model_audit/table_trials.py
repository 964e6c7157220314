"""What the thresholds of the questions on leaks and gaps rest on.

An auditor who is blind to the data can pass a one-sided test: uniform noise has uniform p-values,
whoever finds everything finds every planted gap. So what is graded is what only both sides show:
gaps found *less* false findings, and p-values that agree with those of the same data sets.

``p_distance`` has theory's bound. By the inequality of Dvoretzky, Kiefer and Wolfowitz, with
Massart's constant, the distance of n uniform values from uniform exceeds e with a probability of
2 exp(-2 n e²) at most; it is 1e-4 here. One step of 1/60 is for p-values that 59 shuffles give. The
tolerance bound from 30 runs would be the worse of the two: distances are skewed, so that it would
be the worst run seen, of content 0.9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from reference_impl.calibrating import Change, Metric, Trial, changed
from reference_impl.course_secret import student_rng
from reference_impl.model_audit import gaps, hidden, leaks, planted

__all__ = ["TABLE_TRIALS"]

Array = npt.NDArray[Any]


# Leaks

Accused = list[set[str]]
Tables = list[tuple[planted.LeakTable, set[str]]]


def _tables() -> Tables:
    """The two tables of the hidden test, with what leaks."""
    kinds = {"all": leaks.REASONS, "some": ("after", "order", "missing")}
    drawn = [hidden.leak_table(f"q1/table {part}", which) for part, which in kinds.items()]
    return [(table, set(truth.reveal())) for table, truth in drawn]


def _columns(table: planted.LeakTable) -> list[str]:
    return [str(name) for name in table.df.columns.drop(planted.TARGET)]


def _found(tables: Tables, seed: int, device: str) -> Accused:
    return [
        {name for name, _ in leaks.find_leaks(table.df, planted.TARGET, planted.INDEX_TIME, words)}
        for table, _ in tables
        for words in [table.dictionary]
    ]


def _columns_judged(tables: Tables, accused: Accused) -> Array:
    """Table, accused and guilty of each column: [columns, 3]."""
    return np.array([
        (number, name in blamed, name in guilty)
        for number, ((table, guilty), blamed) in enumerate(zip(tables, accused, strict=True))
        for name in _columns(table)
    ])  # fmt: skip


def _least_score(rows: Array) -> float:
    """The lower of the scores on both tables."""
    parts = [rows[rows[:, 0] == number] for number in (0, 1)]
    named = [(set(np.flatnonzero(p[:, 1])), set(np.flatnonzero(p[:, 2]))) for p in parts]
    return min(hidden.leak_score(blamed, guilty) for blamed, guilty in named)


def _known_late(tables: Tables) -> Accused:
    """Goes by the dictionary alone."""
    return [
        {name for name, word in table.dictionary.items() if word["known"] > planted.INDEX_TIME}
        for table, _ in tables
    ]


def _correlated(tables: Tables) -> Accused:
    """As many columns as leak, those that correlate most with the target."""
    return [
        set(table.df.corr(numeric_only=True)[planted.TARGET].abs().drop(planted.TARGET)
            .nlargest(len(guilty)).index)
        for table, guilty in tables
    ]  # fmt: skip


def _at_random(tables: Tables) -> Accused:
    rng = student_rng("model_audit calibration accused")
    return [{name for name in _columns(table) if rng.random() < 0.4} for table, _ in tables]


def _judged_by(**bounds: float) -> tuple[Change, ...]:
    return changed(leaks, **bounds)


_leaks = Trial(
    name="leaks",
    prepare=_tables,
    answer=_found,
    metrics=(
        Metric(
            "leak_score", "higher", rows=_columns_judged, score=_least_score,
            # one leak of six may be missed on the first table: its own test has counted it
            steps=(0.85,),
            what="F1 less a tenth for each innocent column accused, the lower of two tables",
        ),
    ),
    baselines={
        "accuses everybody": lambda tables: [set(_columns(table)) for table, _ in tables],
        "accuses nobody": lambda tables: [set() for _ in tables],
        "accuses at random": _at_random,
        "top correlations": _correlated,
        "dictionary alone": _known_late,
    },
    honest={"stricter conventions": _judged_by(COPY_AUC=0.99, ORDER_AUC=0.62, MISSING_AUC=0.78)},
    weak={
        "a strong predictor is a copy": _judged_by(COPY_AUC=0.85),
        "any gap tells": _judged_by(MISSING_AUC=0.55),
        "no encodings, no numbers of rows": changed(
            leaks,
            _is_encoding=lambda df, column, y: False,
            _is_number_of_row=lambda values: False,
        ),
    },
)  # fmt: skip


# Gaps and chance

P = Callable[..., float]
Numbers = list[float]


def _rate_of_everybody(
    y: Array, flagged: Array, groups: Any, metric: str = "tpr", B: int = 999, seed: int = 0
) -> float:
    """Whether shares of flagged rows differ, whatever the labels are."""
    return gaps.permutation_p(y, flagged, groups, "rate", B, seed)


def _shuffled_among_all(
    y: Array, flagged: Array, groups: Any, metric: str = "tpr", B: int = 999, seed: int = 0
) -> float:
    """Groups are shuffled among all rows, and not among those that the rate is about."""
    rows, names = np.asarray(y) == 1, np.asarray(groups)
    decision, rng = np.asarray(flagged, float)[rows], np.random.default_rng(seed)
    seen = gaps._range(decision, names[rows])
    shuffled = (rng.permutation(names)[rows] for _ in range(B))
    extreme = sum(gaps._range(decision, order) >= seen - 1e-12 for order in shuffled)
    return float((1 + extreme) / (B + 1))


def _table_test(test: Callable[[Array], Any]) -> P:
    """``permutation_p`` by another test of the table of decision and group."""

    def p(
        y: Array, flagged: Array, groups: Any, metric: str = "tpr", B: int = 0, seed: int = 0
    ) -> float:
        rows = np.asarray(y) == 1
        counts = pd.crosstab(np.asarray(flagged)[rows], np.asarray(groups)[rows]).to_numpy()
        return float(test(counts).pvalue) if counts.shape[0] > 1 else 1.0

    return p


def _one_sided(
    y: Array, flagged: Array, groups: Any, metric: str = "tpr", B: int = 999, seed: int = 0
) -> float:
    """Counts differences in one direction only."""
    rows = np.asarray(y) == 1
    decision, names = np.asarray(flagged)[rows], np.asarray(groups)[rows]
    first = names == sorted(names)[0]
    rng = np.random.default_rng(seed)
    seen = decision[first].mean()
    extreme = sum(decision[rng.permutation(first)].mean() >= seen - 1e-12 for _ in range(B))
    return float((1 + extreme) / (B + 1))


def _without_gap() -> list[hidden.Decisions]:
    rng = student_rng("model_audit/q3/null")
    return [hidden.without_gap(rng) for _ in range(hidden.NULL_SIMULATIONS)]


def _p(data: hidden.Decisions, shuffles: int, seed: int) -> float:
    return gaps.permutation_p(*data, "tpr", shuffles, seed)


def _p_values(drawn: list[hidden.Decisions], seed: int, device: str) -> Numbers:
    first = 1000 * seed
    return [_p(data, 59, first + n) for n, data in enumerate(drawn)]


def _by(function: P, **given: Any) -> Callable[[list[hidden.Decisions]], Numbers]:
    return lambda drawn: [function(*data, metric="tpr", **given) for data in drawn]


def _noise(drawn: list[Any]) -> Numbers:
    return list(student_rng("model_audit calibration noise").random(len(drawn)))


_ALWAYS = {
    "always 0.5": lambda drawn: [0.5] * len(drawn),
    "always significant": lambda drawn: [0.01] * len(drawn),
}
_RATES = _by(_rate_of_everybody, B=59)
_AMONG_ALL = _by(_shuffled_among_all, B=59)
_CHI_SQUARE = _table_test(lambda counts: stats.chi2_contingency(counts, correction=False))
_FISHER = _table_test(stats.fisher_exact)

_null = Trial(
    name="p without a gap",
    prepare=_without_gap,
    answer=_p_values,
    metrics=(
        Metric(
            "p_distance", "lower",
            rows=lambda drawn, p: np.asarray(p),
            score=lambda p: float(stats.kstest(p, "uniform").statistic),
            theory=math.sqrt(math.log(2 / 1e-4) / (2 * hidden.NULL_SIMULATIONS)) + 1 / 60,
            what="Kolmogorov-Smirnov distance of 200 p-values without a gap from uniform",
        ),
    ),
    baselines={"rate of everybody": _RATES, **_ALWAYS},
    # Noise passes this by itself, and not `p_agreement`, which the same hidden test asks for.
    learners={
        "uniform noise": _noise,
        "shuffles among all": _AMONG_ALL,
        "chi-square test": _by(_CHI_SQUARE),
    },
)  # fmt: skip


def _agreeing(drawn: list[hidden.Decisions], p: Numbers) -> Array:
    """Values of p and the reference's, from other shuffles: [N, 2]."""
    other = [_p(data, 199, n) for n, data in enumerate(drawn)]
    return np.column_stack([p, other])


_agreement = Trial(
    name="p of each data set",
    prepare=_without_gap,
    answer=lambda drawn, seed, device: _p_values(drawn, seed + 1000, device),
    metrics=(
        Metric(
            "p_agreement", "higher", rows=_agreeing,
            score=lambda rows: hidden.agreement(*rows.T),
            # half of the way: other statistics than the range agree less, and are no noise
            steps=(0.5,),
            what="Spearman correlation of those p-values with the reference's",
        ),
    ),
    baselines={"uniform noise": _noise, **_ALWAYS},
    learners={
        "rate of everybody": _RATES,
        "shuffles among all": _AMONG_ALL,
        "chi-square test": _by(_CHI_SQUARE),
    },
)  # fmt: skip

_DIRECTIONS = ("a", "b", "")


def _planted_gaps() -> list[hidden.Decisions]:
    rng = student_rng("model_audit/q3/power")
    return [
        hidden.in_two_groups(rng, better)
        for better in _DIRECTIONS
        for _ in range(hidden.POWER_DATA_SETS)
    ]


def _findings(drawn: list[hidden.Decisions], p: Numbers) -> Array:
    """Direction of the gap, if any, and whether it was found: [N, 2]."""
    directions = np.repeat(np.arange(len(_DIRECTIONS)), hidden.POWER_DATA_SETS)
    return np.column_stack([directions, np.asarray(p) <= 0.05])


def _excess(rows: Array) -> float:
    one, other, false = (rows[rows[:, 0] == number, 1].mean() for number in range(3))
    return float(min(one, other) - false)


_power = Trial(
    name="p with a gap",
    prepare=_planted_gaps,
    answer=lambda drawn, seed, device: [
        _p(data, 99, 1000 * seed + n) for n, data in enumerate(drawn)
    ],
    metrics=(
        Metric(
            "gap_excess", "higher", rows=_findings, score=_excess,
            what="share of planted gaps found, in the worse direction, less false findings",
        ),
    ),
    baselines={"uniform noise": _noise, **_ALWAYS},
    honest={
        "Fisher's exact test": changed(gaps, permutation_p=_FISHER),
        "chi-square test": changed(gaps, permutation_p=_CHI_SQUARE),
    },
    weak={"one-sided": changed(gaps, permutation_p=_one_sided)},
)  # fmt: skip

TABLE_TRIALS = (_leaks, _null, _agreement, _power)

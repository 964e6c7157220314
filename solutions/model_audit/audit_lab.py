"""What the notebook on auditing models needs: figures, and a small table to practise on.

This file is published with the notebook. It holds no answers. The cohorts are in ``cohorts.py``,
the network under audit in ``risk_model.py``, the form of a model card in ``cards.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

__all__ = [
    "practice_table",
    "show_bars",
    "show_curves",
    "show_forest",
    "show_null",
    "show_pairs",
    "show_reliability",
    "sigmoid",
]


def sigmoid(z: Any) -> np.ndarray:
    """Probability of log odds ``z``."""
    return np.asarray(1 / (1 + np.exp(-np.asarray(z, dtype=float))))


def practice_table(seed: int = 0, n: int = 400) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """A made-up table whose columns say themselves whether they leak, and its dictionary.

    The target is ``died``, predicted on day 1. Columns that leak are called ``leak_...`` and the
    reason.
    """
    rng = np.random.default_rng(seed)
    died = (rng.random(n) < 0.3).astype(int)
    ward = rng.choice(list("ABCD"), n)
    table = pd.DataFrame({"died": died, "ward": ward})
    table["strong_score"] = np.round(10 * (1.5 * died + rng.normal(size=n)))
    table["lactate"] = np.where(rng.random(n) < 0.2, np.nan, rng.gamma(2, 1 + 0.5 * died))
    table["admission_number"] = rng.permutation(n) + 1
    table["leak_after"] = rng.normal(size=n) + 0.2 * died
    table["leak_future"] = np.where(rng.random(n) < 0.05, 3.0, rng.uniform(0, 1, n))
    table["leak_copy"] = -died + 0.1 * rng.normal(size=n)
    table["leak_encoding"] = table.groupby("ward")["died"].transform("mean")
    table["leak_order"] = np.argsort(np.argsort(died + rng.normal(size=n)))
    table["leak_missing"] = np.where(rng.random(n) < 0.1 + 0.7 * died, np.nan, 1.5)
    dictionary = {name: {"known": 1.0, "kind": "value"} for name in table}
    dictionary["leak_after"]["known"] = 9.0
    dictionary["leak_future"]["kind"] = "moment"
    return table, dictionary


def show_bars(values: Mapping[str, float], xlabel: str, title: str, line: float) -> None:
    """Horizontal bars with their values; ``line`` is drawn dotted."""
    _, ax = plt.subplots(figsize=(5.2, 0.32 * len(values) + 0.9))
    bars = ax.barh(list(values), list(values.values()), color="tab:blue", height=0.65)
    ax.bar_label(bars, fmt="%.3f", padding=2, fontsize=8)
    ax.axvline(line, color="0.3", linewidth=0.9, linestyle=":")
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, title=title, xlim=(0.5, 1.05))
    plt.show()


def show_forest(report: pd.DataFrame, metrics: Sequence[str], heading: str) -> None:
    """Estimates with their intervals, a row a group and a panel a metric."""
    fig, axes = plt.subplots(
        1, len(metrics), figsize=(2.3 * len(metrics) + 1.6, 0.3 * len(report) + 1.1),
        sharey=True, squeeze=False,
    )  # fmt: skip
    place = np.arange(len(report))
    for ax, metric in zip(axes[0], metrics, strict=True):
        middle, low, high = (report[f"{metric}{end}"].to_numpy(float) for end in ("", "_lo", "_hi"))
        ax.hlines(place, low, high, color="tab:blue", linewidth=1.4)
        ax.plot(middle, place, "o", color="tab:blue", markersize=4)
        for row in np.flatnonzero(np.isnan(middle)):
            ax.text(0.5, row, "too few", ha="center", va="center", fontsize=7, color="0.5")
        ax.set(xlabel=f"{metric} (95 % interval)", xlim=(0, 1))
    names = [f"{group} (n = {n:,})" for group, n in zip(report["group"], report["n"], strict=True)]
    axes[0, 0].set_yticks(place, names, fontsize=8)
    axes[0, 0].invert_yaxis()
    fig.suptitle(heading, fontsize=9)
    plt.show()


def show_pairs(names: Sequence[str], panels: Mapping[str, Sequence[float]], heading: str) -> None:
    """For each panel a bar for each name, with its value."""
    fig, axes = plt.subplots(1, len(panels), figsize=(2.5 * len(panels), 3.1), squeeze=False)
    for ax, (label, values) in zip(axes[0], panels.items(), strict=True):
        bars = ax.bar(list(names), list(values), color=["tab:blue", "tab:orange"], width=0.6)
        ax.bar_label(bars, fmt="%.3g", fontsize=8)
        ax.set(ylabel=label)
        ax.margins(y=0.15)
    fig.suptitle(heading, fontsize=9)
    plt.show()


def show_curves(
    x: Any,
    curves: Mapping[str, Any],
    xlabel: str,
    ylabel: str,
    title: str,
    ylim: tuple[float, float] | None = None,
) -> None:
    """Curves over one axis, with their names."""
    _, ax = plt.subplots(figsize=(4.8, 3.0))
    for name, values in curves.items():
        ax.plot(np.asarray(x), np.asarray(values), label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if ylim:
        ax.set_ylim(*ylim)
    ax.legend(frameon=False, fontsize=8)
    plt.show()


def show_reliability(models: Mapping[str, tuple[Any, Any]], title: str, bins: int = 10) -> None:
    """Share of events over predicted probability, in ``bins`` of equal width; name to (y, p)."""
    _, ax = plt.subplots(figsize=(3.6, 3.4))
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.9, linestyle=":")
    for name, (y, p) in models.items():
        number = np.minimum((np.asarray(p) * bins).astype(int), bins - 1)
        used = np.unique(number)
        points = [(np.mean(p[number == k]), np.mean(y[number == k])) for k in used]
        ax.plot(*np.transpose(points), "o-", markersize=4, label=name)
    ax.set(xlabel="predicted probability", ylabel="share that died", title=title)
    ax.legend(frameon=False, fontsize=8)
    plt.show()


def show_null(drawn: Mapping[str, Any], seen: Mapping[str, float], heading: str) -> None:
    """For each group what chance alone gives (gray) and what was seen (line)."""
    fig, axes = plt.subplots(1, len(drawn), figsize=(2.3 * len(drawn), 2.2), squeeze=False)
    for ax, (name, values) in zip(axes[0], drawn.items(), strict=True):
        ax.hist(np.asarray(values), bins=25, color="0.75")
        ax.axvline(np.quantile(values, 0.95), color="0.3", linewidth=0.9, linestyle=":")
        ax.axvline(seen[name], color="tab:orange")
        ax.set_title(name, fontsize=8)
        ax.set(xlabel="ECE", yticks=[], xlim=(0, None))
    fig.suptitle(heading, fontsize=9)
    plt.show()

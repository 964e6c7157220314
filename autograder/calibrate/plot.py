"""The scores of all runs, with thresholds and baselines, as one drawing for each assignment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.calibrate.ledger import Ledger, Run, Threshold

if TYPE_CHECKING:
    from reference_impl.calibrating import Metric, Trial

__all__ = ["draw"]

WIDTH, LINE = 9.0, 0.24
"""Inches: of the drawing, and of one recipe or baseline in it."""
COLOURS = {"honest": "#1f6f8b", "weak": "#c26a2d", "baseline": "#777777"}


def draw(file: Path, found: dict[str, Trial], ledger: Ledger) -> None:
    """Write the drawing, an SVG; the same runs give the same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    panels = []
    for trial in found.values():
        runs = [run for run in ledger.runs if run.trial == trial.name]
        for metric in trial.metrics:
            lines = _lines(metric, trial, runs)
            if lines:
                panels.append((metric, lines))
    heights = [len(lines) + 2 for _, lines in panels]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": file.stem, "font.size": 8}):
        figure = Figure((WIDTH, LINE * sum(heights) + 0.5), layout="constrained")
        axes = figure.subplots(len(panels), height_ratios=heights, squeeze=False)[:, 0]
        for axis, (metric, lines) in zip(axes, panels, strict=True):
            _panel(axis, metric, lines, ledger.thresholds.get(metric.name))
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata={"Date": None})


def _lines(metric: Metric, trial: Trial, runs: list[Run]) -> list[tuple[str, str, list[float]]]:
    """Name, kind and scores of each recipe and simple method that was run."""
    lines = [
        (
            recipe,
            "weak" if recipe in trial.weak else "honest",
            [run.metrics[metric.name] for run in runs if run.recipe == recipe],
        )
        for recipe in trial.recipes
    ]
    kept = [run.baselines[metric.name] for run in runs if metric.name in run.baselines]
    simple = [*trial.baselines, *trial.learners]
    lines += [(name, "baseline", [s[name] for s in kept if name in s]) for name in simple]
    return [line for line in lines if line[2]]


def _panel(
    axis: Any,
    metric: Metric,
    lines: list[tuple[str, str, list[float]]],
    threshold: Threshold | None,
) -> None:
    for place, (_, kind, values) in enumerate(lines):
        shifts = 0.25 * np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1)
        axis.plot(values, place + shifts, "o", markersize=3, alpha=0.6, color=COLOURS[kind])
    for step in threshold.steps if threshold else []:
        axis.axvline(step, color="black", linewidth=1, linestyle="-")
    axis.set_yticks(range(len(lines)), [name for name, _, _ in lines])
    axis.set_ylim(len(lines) - 0.4, -0.6)
    better = "higher is better" if metric.better == "higher" else "lower is better"
    axis.set_title(f"{metric.name}: {metric.what} ({better})", loc="left", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)

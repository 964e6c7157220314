"""``docs/calibration.md``: thresholds and their pedigree, and which tests kill which mutants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autograder.build.master import read_master
from autograder.build.metric import is_metric_test
from autograder.build.outcomes import read_outcomes
from autograder.build.sources import Sources
from autograder.build.testcell import read_tests
from autograder.calibrate.derive import REFERENCE, Quality, quality
from autograder.calibrate.ledger import Ledger, Run, Threshold, source_hash
from autograder.calibrate.plot import draw
from autograder.calibrate.pool import trials

if TYPE_CHECKING:
    from reference_impl.calibrating import Metric, Trial

__all__ = ["matrix", "write"]

PAGE = Path("docs/calibration.md")
_INTRODUCTION = """\
# Where thresholds come from

For staff: students must not see this page. `autograder calibrate --report` writes it from
`reference_impl/NAME/calibration.json` and from what `autograder verify --record` found;
[how to declare trials](assignments.md#thresholds).

A *run* trains the reference once, or asks its functions, with a seed and a course secret of its
own, and measures its metrics on the hidden sets of that secret. *Asked for* are the thresholds:
the last earns full credit and is a one-sided tolerance bound, which, with the confidence stated, a
share of correct solutions (its content) reaches. It is normal theory's; where the Shapiro-Wilk
test rejects that, no run of an honest recipe lies below it, and the content is an order
statistic's, as it is where all runs give one value (*constant*). The most lenient of the honest
recipes decides. Where the bound is *theory*'s or the question's own, the trial says whence it
comes; its content is what the runs are sure of, and the tolerance bound stands beside it. *Beyond
it by* is the distance of each threshold from the best trivial baseline in standard errors; below 3
it is refused. *False fails* are honest runs that miss full credit, and the upper 95 % confidence
bound of their rate. *Power* is the part of the runs of weak recipes that miss full credit.
"""


def write(project: Path, names: Iterable[str]) -> Path:
    """Write the page and its plots for the assignments ``names`` and return its path."""
    page = project / PAGE
    parts = [_INTRODUCTION]
    for name in names:
        ledger = Ledger.read(project / "reference_impl" / name)
        if ledger.runs:
            found = trials(project, name)
            figure = page.parent / "calibration" / f"{name}.svg"
            draw(figure, found, ledger)
            parts += _assignment(project, name, found, ledger, figure.relative_to(page.parent))
    page.write_text("\n".join(parts), "utf-8")
    return page


def _assignment(
    project: Path, name: str, found: dict[str, Trial], ledger: Ledger, figure: Path
) -> list[str]:
    here = source_hash(project / "reference_impl", name)
    parts = [f"## {name}\n", _provenance(ledger.runs, here), f"![scores of all runs]({figure})\n"]
    pairs = [(trial, metric) for trial in found.values() for metric in trial.metrics]
    rows, recipes = [], []
    for trial, metric in pairs:
        own = [run for run in ledger.runs if run.trial == trial.name and metric.name in run.metrics]
        threshold = ledger.thresholds.get(metric.name)
        rows.append(_threshold_row(metric, threshold, own, trial))
        recipes += _recipe_rows(metric, threshold, own, trial)
    header = ["metric", "runs", "mean", "sd", "bound", "asked for", "best trivial baseline",
              "beyond it by", "false fails", "power"]  # fmt: skip
    parts.append(_table(header, rows))
    parts.append("Every recipe and simple method on the same hidden sets:\n")
    parts.append(
        _table(["metric", "recipe", "", "runs", "mean", "sd", "miss full credit"], recipes)
    )
    return [*parts, *matrix(project, name)]


def _provenance(runs: Sequence[Run], source: str) -> str:
    devices = sorted({run.device for run in runs})
    versions = sorted({f"torch {run.torch}, numpy {run.numpy}" for run in runs})
    old = sum(run.source != source for run in runs)
    text = f"{len(runs)} runs on {', '.join(devices)} ({'; '.join(versions)}), "
    text += f"{sum(run.seconds for run in runs) / 60:.0f} minutes of one core"
    return f"{text}; {old} of them of another source than today's.\n" if old else f"{text}.\n"


def _threshold_row(
    metric: Metric, threshold: Threshold | None, runs: Sequence[Run], trial: Trial
) -> list[str]:
    values = [run.metrics[metric.name] for run in runs if run.recipe == REFERENCE]
    start = [f"`{metric.name}`: {metric.what}", str(len(values)), *_spread(values)]
    if not metric.steps:
        return [*start, "", "not graded", "", "", "", ""]
    if threshold is None:
        return [*start, "none", "refused", "", "", "", ""]
    known = quality(threshold, metric, trial, runs)
    by = threshold.deciding
    if threshold.tolerance is not None:
        by = f"tolerance bound {threshold.tolerance:.4g}, {by}"
    return [
        *start,
        f"{threshold.bound:.4g} ({threshold.rule}, content {threshold.content:.3g}; {by})",
        ", ".join(f"{step:.4g}" for step in threshold.steps),
        f"{threshold.baseline} {threshold.baseline_score:.4g}",
        ", ".join("∞" if value == np.inf else f"{value:.1f}" for value in known.separation),
        f"{known.failed} of {known.honest} (≤ {100 * known.false_fail_at_most:.1f} %)",
        _power(known, trial, runs),
    ]


def _power(known: Quality, trial: Trial, runs: Sequence[Run]) -> str:
    weak = sum(run.recipe in trial.weak for run in runs)
    return f"{sum(known.missed.get(recipe, 0) for recipe in trial.weak)} of {weak}" if weak else ""


def _spread(values: Sequence[float]) -> list[str]:
    if not values:
        return ["", ""]
    sd = f"{np.std(values, ddof=1):.2g}" if len(values) > 1 else ""
    return [f"{np.mean(values):.4g}", sd]


def _recipe_rows(
    metric: Metric, threshold: Threshold | None, runs: Sequence[Run], trial: Trial
) -> list[list[str]]:
    known = quality(threshold, metric, trial, runs) if threshold and threshold.steps else None
    rows = []
    for recipe in trial.recipes:
        values = [run.metrics[metric.name] for run in runs if run.recipe == recipe]
        kind = "weak" if recipe in trial.weak else "honest"
        if values:
            misses = _misses(known, recipe, len(values))
            numbers = [str(len(values)), *_spread(values), misses]
            rows.append([f"`{metric.name}`", recipe, kind, *numbers])
    for name in [*trial.baselines, *trial.learners]:
        kept = [run.baselines[metric.name] for run in runs if metric.name in run.baselines]
        values = [scores[name] for scores in kept if name in scores]
        kind = "trivial baseline" if name in trial.baselines else "for comparison"
        if values:
            numbers = [str(len(values)), *_spread(values), ""]
            rows.append([f"`{metric.name}`", name, kind, *numbers])
    return rows


def _misses(known: Quality | None, recipe: str, runs: int) -> str:
    if known is None or recipe not in known.missed:
        return ""
    return f"{known.missed[recipe]} of {runs}"


def matrix(project: Path, name: str) -> list[str]:
    """Which tests kill which mutants, and what metrics alone would have missed, as Markdown."""
    sources = Sources.read(name, project)
    lost = read_outcomes(sources.mutants)
    if not lost:
        return []
    master = read_master(sources.notebook, sources.label)
    tests = {
        f"{question.name} {test.name}": is_metric_test(test.function)
        for question in master.questions
        for test in read_tests(master, question)
        if test.hidden
    }
    killers = {test for killed in lost.values() for test in killed}
    shown = [test for test, metric in tests.items() if test in killers or metric]
    rows = [
        [
            f"{test}{' (metric)' if tests[test] else ''}",
            *("●" if test in lost[m] else "" for m in lost),
        ]
        for test in shown
    ]
    killed = [mutant for mutant in lost if any(test in tests for test in lost[mutant])]
    by_metric = [m for m in lost if any(tests.get(test) for test in lost[m])]
    missed = ", ".join(mutant.partition("_")[0] for mutant in lost if mutant not in by_metric)
    text = (
        f"### Mutants of {name}\n\nHidden tests kill {len(killed)} of {len(lost)} mutants; metric "
        f"tests alone would have killed {len(by_metric)} and missed {missed or 'none'}. "
        f"{len(tests) - len(shown)} hidden tests kill none of these.\n"
    )
    header = ["hidden test", *(mutant.partition("_")[0] for mutant in lost)]
    legend = "".join(f"- {m.partition('_')[0]}: {_title(m)}\n" for m in lost)
    return [text, _table(header, rows), legend]


def _title(mutant: str) -> str:
    return mutant.partition("_")[2].replace("_", " ")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)

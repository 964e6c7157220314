"""Where thresholds come from: many trainings of the reference, and what follows from them.

``reference_impl/NAME/calibration.py`` declares what is trained and measured; runs and thresholds
are kept in ``calibration.json`` beside it, and ``hidden.py`` reads the thresholds from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.calibrate.derive import derived
from autograder.calibrate.ledger import Ledger, Run, source_hash
from autograder.calibrate.pool import Job, run_all, trials
from autograder.errors import BuildError

if TYPE_CHECKING:
    from reference_impl.calibrating import Trial

__all__ = ["calibrate", "declared", "missing", "stale"]

REFERENCE = "reference"
LATER = 3
"""A seed of another recipe is run when so many times as many of the reference have been."""


def declared(project: Path) -> list[str]:
    """The assignments that declare trials."""
    folders = sorted((project / "reference_impl").glob("*/calibration.py"))
    return [file.parent.name for file in folders]


def missing(
    found: dict[str, Trial], ledger: Ledger, seeds: int, honest: int, weak: int, device: str
) -> list[Job]:
    """Runs that are not in ``ledger``, the ones that tell most first.

    Args:
        found: The trials.
        ledger: What was run.
        seeds: How many seeds the reference is run with.
        honest: How many every other honest recipe is run with.
        weak: How many every weak recipe is run with.
        device: ``"cpu"`` or ``"cuda"``.
    """
    have = {run.key for run in ledger.runs}
    jobs = [
        Job(name, recipe, seed, device)
        for name, trial in found.items()
        for recipe in trial.recipes
        for seed in range(_count(trial, recipe, seeds, honest, weak))
    ]
    left = [job for job in jobs if job.key not in have]
    return sorted(
        left, key=lambda job: job.seed if job.recipe == REFERENCE else LATER * (job.seed + 1)
    )


def _count(trial: Trial, recipe: str, seeds: int, honest: int, weak: int) -> int:
    return weak if recipe in trial.weak else honest if recipe in trial.honest else seeds


def stale(project: Path, name: str, ledger: Ledger) -> list[Run]:
    """Runs of another source than there is now."""
    source = source_hash(project / "reference_impl", name)
    return [run for run in ledger.runs if run.source != source]


def calibrate(
    project: Path,
    name: str,
    *,
    seeds: int,
    honest: int,
    weak: int,
    jobs: int = 1,
    device: str = "cpu",
    parts: Iterable[str] = (),
    renew: bool = False,
    heard: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[str]:
    """Make the runs that are missing and derive the thresholds of the assignment ``name``.

    Each run is written as soon as it is done: what was interrupted goes on where it stopped.

    Args:
        project: The project's root.
        name: The assignment.
        seeds: How many seeds the reference is run with; 0 runs nothing.
        honest: How many every other honest recipe is run with.
        weak: How many every weak recipe is run with.
        jobs: Runs at a time, in processes of one thread.
        device: ``"cpu"`` or ``"cuda"``.
        parts: Trials to run; all if none is named.
        renew: Also make runs again whose source is not the present one.
        heard: Called with the number of runs made, of all to make, and what the last of them was.

    Returns:
        Why metrics have no threshold, a sentence for each; the others' are written.

    Raises:
        BuildError: if a trial is unknown or a run fails.
    """
    found = trials(project, name)
    folder = project / "reference_impl" / name
    ledger = Ledger.read(folder)
    if unknown := sorted(set(parts) - set(found)):
        known = ", ".join(found)
        raise BuildError(f"{name} has no trial {', '.join(unknown)}; there are {known}.")
    chosen = {key: trial for key, trial in found.items() if not parts or key in set(parts)}
    if renew:
        old = {run.key for run in stale(project, name, ledger)}
        ledger.runs = [run for run in ledger.runs if run.key not in old]
    left = missing(chosen, ledger, seeds, honest, weak, device)
    heard(0, len(left), "")
    if left:
        # closing it ends the workers, whatever ends the loop
        with closing(run_all(project, name, left, jobs)) as runs:
            for done, run in enumerate(runs, 1):
                ledger.add(run)
                ledger.write(folder)
                heard(done, len(left), f"{run.trial}, {run.recipe}, seed {run.seed}")
    ledger.thresholds, refused = derived(found, ledger.runs)
    ledger.write(folder)
    return refused

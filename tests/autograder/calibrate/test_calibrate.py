"""Runs are made once, in processes of their own, and what was made is never lost."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import autograder.calibrate as calibrating
from autograder.calibrate import calibrate, declared, missing, stale
from autograder.calibrate.ledger import Ledger
from autograder.calibrate.pool import Job, trials
from autograder.cli import main
from autograder.errors import BuildError

CALIBRATION = """
import os
import types

import numpy as np

from reference_impl.calibrating import Metric, Trial, changed
from reference_impl.course_secret import course_rng

recipe = types.SimpleNamespace(STRENGTH=1.0)


def _answer(task, seed, device):
    if os.environ.get("FAIL_AT") == str(seed):
        raise RuntimeError("the machine is on fire")
    return task + recipe.STRENGTH + 0.05 * np.random.default_rng(seed).standard_normal()


TRIALS = (
    Trial(
        name="shift",
        prepare=lambda: course_rng("fake").standard_normal(100),
        answer=_answer,
        metrics=(Metric("mean", "higher", lambda task, answers: answers),),
        baselines={"as it is": lambda task: task},
        weak={"feeble": changed(recipe, STRENGTH=0.1)},
    ),
)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "reference_impl/fake"
    folder.mkdir(parents=True)
    (folder / "calibration.py").write_text(CALIBRATION)
    return tmp_path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Runs in this process, and the jobs that were asked for."""
    from autograder.calibrate import pool

    asked: list[Job] = []

    def run_all(project: Path, name: str, jobs: list[Job], workers: int) -> Iterator[Any]:
        pool._trials.update(trials(project, name))
        source = calibrating.source_hash(project / "reference_impl", name)
        for job in jobs:
            asked.append(job)
            yield pool._run(job, source)

    monkeypatch.setattr(calibrating, "run_all", run_all)
    return asked


def ledger(project: Path) -> Ledger:
    return Ledger.read(project / "reference_impl/fake")


def test_workers_run_what_is_missing_and_a_failure_costs_nothing_else(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL_AT", "5")
    heard: list[tuple[int, int, str]] = []
    with pytest.raises(BuildError, match=r"shift, reference, seed 5 on cpu failed: .*on fire"):
        calibrate(
            project, "fake", seeds=6, honest=0, weak=1, heard=lambda *what: heard.append(what)
        )
    keys = [("shift", "reference", n, "cpu") for n in range(5)] + [("shift", "feeble", 0, "cpu")]
    found = ledger(project)
    assert sorted(run.key for run in found.runs) == sorted(keys) and not found.thresholds
    assert [pair[:2] for pair in heard] == [(n, 7) for n in range(7)]
    run = found.runs[0]
    assert (run.secret, run.seed, run.device) == (0, 0, "cpu") and run.torch and run.numpy

    assert calibrate(project, "fake", seeds=5, honest=0, weak=1) == []
    assert ledger(project).thresholds["mean"].baseline == "as it is"


def test_an_interrupt_ends_the_workers_and_keeps_what_was_run(project: Path) -> None:
    def heard(done: int, total: int, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupt:
        calibrate(project, "fake", seeds=400, honest=0, weak=0, heard=heard)
    assert interrupt.traceback, "it still holds the frames, and yet"
    assert multiprocessing.active_children() == []
    assert [run.seed for run in ledger(project).runs] == [0, 1]


def test_runs_of_a_seed_are_the_same_wherever_they_are_made(project: Path, here: list[Job]) -> None:
    calibrate(project, "fake", seeds=2, honest=0, weak=0)
    before = ledger(project).runs
    (project / "reference_impl/fake/calibration.json").unlink()
    calibrate(project, "fake", seeds=2, honest=0, weak=0)
    assert [run.metrics for run in ledger(project).runs] == [run.metrics for run in before]


def test_only_what_is_missing_is_run(project: Path, here: list[Job]) -> None:
    calibrate(project, "fake", seeds=2, honest=0, weak=0)
    calibrate(project, "fake", seeds=3, honest=0, weak=1)
    assert [(job.recipe, job.seed) for job in here] == [
        ("reference", 0), ("reference", 1), ("reference", 2), ("feeble", 0),
    ]  # fmt: skip


def test_runs_of_older_source_are_kept_and_can_be_renewed(project: Path, here: list[Job]) -> None:
    calibrate(project, "fake", seeds=2, honest=0, weak=0)
    file = project / "reference_impl/fake/calibration.py"
    file.write_text(file.read_text().replace("STRENGTH=1.0", "STRENGTH=3.0"))
    calibrate(project, "fake", seeds=3, honest=0, weak=0)
    assert [run.seed for run in stale(project, "fake", ledger(project))] == [0, 1]
    calibrate(project, "fake", seeds=3, honest=0, weak=0, renew=True)
    assert not stale(project, "fake", ledger(project))
    assert [job.seed for job in here] == [0, 1, 2, 0, 1]
    assert all(run.metrics["mean"] > 2 for run in ledger(project).runs)


def test_the_reference_comes_first_and_other_recipes_are_spread_between(project: Path) -> None:
    found = trials(project, "fake")
    order = [(job.recipe, job.seed) for job in missing(found, Ledger(), 5, 0, 2, "cpu")]
    assert order.index(("feeble", 0)) > order.index(("reference", 3))
    assert order.index(("feeble", 0)) < order.index(("reference", 4)) < order.index(("feeble", 1))


def test_a_part_that_is_not_there_is_named(project: Path) -> None:
    with pytest.raises(BuildError, match="no trial shaft; there are shift"):
        calibrate(project, "fake", seeds=1, honest=0, weak=0, parts=["shaft"])


def test_only_assignments_with_trials_are_calibrated_unless_named(project: Path) -> None:
    found = declared(project)
    (project / "reference_impl" / "without").mkdir()
    assert found and declared(project) == found


def test_an_assignment_that_declares_no_trials_is_told_where(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"reference_impl/fake/calibration.py is missing"):
        trials(tmp_path, "fake")


def test_two_metrics_of_one_name_are_refused(project: Path) -> None:
    file = project / "reference_impl/fake/calibration.py"
    twice = 'metrics=(Metric("mean", "lower", np.add), Metric("mean", "higher", np.add)),'
    line = 'metrics=(Metric("mean", "higher", lambda task, answers: answers),),'
    file.write_text(file.read_text().replace(line, twice))
    with pytest.raises(BuildError, match="two of its metrics are named 'mean'"):
        trials(project, "fake")


def test_the_command_fails_and_names_what_is_refused(
    project: Path, here: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.build.names", lambda project: ["fake"])
    options = ["--project", str(project), "--honest", "0", "--weak", "0"]
    few = CliRunner().invoke(main, ["calibrate", "fake", "--seeds", "2", *options])
    assert few.exit_code == 1 and "✗ fake: mean: 2 runs tell nothing of a spread" in few.output
    assert "fake 2/2 · shift, reference, seed 1" in few.output
    enough = CliRunner().invoke(main, ["calibrate", "--seeds", "5", *options])
    assert enough.exit_code == 0 and "✗" not in enough.output
    unknown = CliRunner().invoke(main, ["calibrate", "--parts", "shaft", *options])
    assert unknown.exit_code == 2 and "no trial shaft" in unknown.output

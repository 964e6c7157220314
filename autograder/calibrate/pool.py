"""Runs of the reference in worker processes of one thread each.

The reference is the course's own code and knows every answer, so it needs no room; what it needs is
the project's sources, a clean process and one core.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.calibrate.ledger import Run, source_hash
from autograder.errors import BuildError

if TYPE_CHECKING:
    from reference_impl.calibrating import Trial

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """A run that is to be made."""

    trial: str
    recipe: str
    seed: int
    device: str

    @property
    def key(self) -> tuple[str, str, int, str]:
        """That of the run it becomes."""
        return self.trial, self.recipe, self.seed, self.device


def trials(project: Path, name: str) -> dict[str, Trial]:
    """What ``reference_impl/NAME/calibration.py`` declares, by name.

    Raises:
        BuildError: if the file is missing or two trials or metrics share a name.
    """
    file = project.resolve() / "reference_impl" / name / "calibration.py"
    if not file.is_file():
        raise BuildError(
            f"reference_impl/{name}/calibration.py is missing; declare there which trials the "
            "thresholds rest on."
        )
    if str(project.resolve()) not in sys.path:
        sys.path.insert(0, str(project.resolve()))
    spec = importlib.util.spec_from_file_location(f"_calibration_of_{name}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found: tuple[Trial, ...] = module.TRIALS
    _check_names("trial", name, [trial.name for trial in found])
    _check_names("metric", name, [metric.name for trial in found for metric in trial.metrics])
    return {trial.name: trial for trial in found}


def _check_names(kind: str, name: str, found: list[str]) -> None:
    for one in found:
        if found.count(one) > 1:
            problem = f"two of its {kind}s are named {one!r}; give each a name of its own."
            raise BuildError(problem, notebook=f"reference_impl/{name}/calibration.py")


def run_all(
    project: Path, name: str, jobs: Iterable[Job], workers: int
) -> Generator[Run, None, None]:
    """Run ``jobs`` in ``workers`` processes and give each run as soon as it is done.

    Closing the iterator, or Ctrl-C, ends the workers; runs that were given are not lost.

    Raises:
        BuildError: if a run fails, naming it.
    """
    source = source_hash(project / "reference_impl", name)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (project, name))
    before = {key: os.environ.get(key) for key in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read when the workers import numpy
    try:
        waiting: dict[Future[Run], Job] = {pool.submit(_run, job, source): job for job in jobs}
        for done in as_completed(waiting):
            yield _result(done, waiting[done], name)
    finally:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        pool.shutdown(cancel_futures=True)
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


def _result(done: Future[Run], job: Job, name: str) -> Run:
    try:
        return done.result()
    except Exception as error:
        which = f"{job.trial}, {job.recipe}, seed {job.seed} on {job.device}"
        raise BuildError(f"{name}: the run {which} failed: {error!r}") from error


_trials: dict[str, Any] = {}


def _begin(project: Path, name: str) -> None:
    """In a worker: leave Ctrl-C to the parent, and read the trials."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _trials.update(trials(project, name))


def _end_with_parent() -> None:
    """Wait for the parent, which may be killed without a word, and follow it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(job: Job, source: str) -> Run:
    import numpy
    import torch

    from reference_impl.calibrating import measure

    start = time.process_time()
    found = measure(_trials[job.trial], job.recipe, job.seed, job.device)
    return Run(
        trial=job.trial,
        recipe=job.recipe,
        seed=job.seed,
        secret=job.seed,
        device="cpu" if job.device == "cpu" else torch.cuda.get_device_name(),
        torch=str(torch.__version__),
        numpy=numpy.__version__,
        source=source,
        seconds=round(time.process_time() - start, 1),
        metrics=_rounded(found.metrics),
        baselines={metric: _rounded(scores) for metric, scores in found.baselines.items()},
        errors={metric: _rounded(scores) for metric, scores in found.errors.items()},
    )


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in values.items()}

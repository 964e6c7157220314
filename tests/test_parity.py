"""The same bundle, graded sealed and by plain otter, gives honest work the same points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.build.compose import compose
from autograder.build.publish import publish
from autograder.build.sources import Sources
from autograder.bundle import Bundle
from autograder.demo import demo_class
from autograder.engine import Settings, grade
from autograder.model import Submission, Verdict

PROJECT = Path(__file__).parents[1]
HONEST = ("perfect", "partial: the end is missing", "partial: half is missing")


@pytest.fixture(scope="module")
def honest_class(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, list[Submission]]:
    built = compose("cnn_imaging", PROJECT)
    folder = tmp_path_factory.mktemp("dist") / "cnn_imaging"
    publish({folder: built.bundle})
    bundle = Bundle(folder)
    weights = Sources.read("cnn_imaging", PROJECT).weights
    cast = demo_class(
        built.solution_notebook, built.student_notebook, weights, {}, bundle.manifest
    ).roles
    return bundle, [
        Submission(
            student=role.student,
            source=role.what,
            notebook=role.files[bundle.manifest.notebook],
            files={name: role.files[name] for name in weights},
        )
        for role in cast
        if role.what in HONEST
    ]


@pytest.fixture(scope="module")
def sealed(honest_class: tuple[Bundle, list[Submission]]) -> dict[str, Verdict]:
    bundle, submissions = honest_class
    outcomes = grade(bundle, submissions, Settings(secret="parity"))
    return {outcome.verdict.source: outcome.verdict for outcome in outcomes}


@pytest.mark.parametrize("what", [*HONEST[:2], pytest.param(HONEST[2], marks=pytest.mark.slow)])
def test_otter_run_gives_honest_work_the_same_points_for_every_question(
    what: str,
    honest_class: tuple[Bundle, list[Submission]],
    sealed: dict[str, Verdict],
    tmp_path: Path,
) -> None:
    bundle, submissions = honest_class
    submission = next(one for one in submissions if one.source == what)
    with_otter = _run_otter(bundle, submission, tmp_path)
    assert {name: q.score for name, q in sealed[what].questions.items()} == pytest.approx(
        {name: with_otter[name] for name in sealed[what].questions}
    )
    assert sealed[what].score > 0


def _run_otter(bundle: Bundle, submission: Submission, folder: Path) -> dict[str, float]:
    notebook = folder / bundle.manifest.notebook
    notebook.write_bytes(submission.notebook)
    for name, data in submission.files.items():
        (folder / name).write_bytes(data)
    # otter takes the files handed in beside a notebook from a zip only
    archive = folder / "submission.zip"
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-c", str(archive), str(notebook),
         *(str(folder / name) for name in submission.files)],
        check=True,
    )  # fmt: skip
    otter = Path(sys.executable).parent / "otter"
    done = subprocess.run(
        [otter, "run", archive, "-a", bundle.otter_zip, "-o", folder, "--no-logo"],
        cwd=folder, capture_output=True, text=True, timeout=600,
        env=os.environ | {"AUTOGRADER_SECRET": "parity"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads((folder / "results.json").read_text())
    return {test["name"]: test["score"] for test in results["tests"] if "score" in test}

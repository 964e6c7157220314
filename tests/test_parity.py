"""The same bundle, graded sealed and by plain otter, gives honest work the same points."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.build.compose import Built, compose
from autograder.build.publish import publish
from autograder.build.sources import Sources
from autograder.bundle import Bundle
from autograder.demo import demo_class
from autograder.engine import Settings, grade
from autograder.model import Submission

PROJECT = Path(__file__).parents[1]
CASES = [
    ("cnn_imaging", "perfect"),
    ("cnn_imaging", "partial: the end is missing"),
    pytest.param("cnn_imaging", "partial: half is missing", marks=pytest.mark.slow),
    pytest.param("gnn_drug_discovery", "perfect", marks=pytest.mark.slow),
    pytest.param("gan_synthesis", "perfect", marks=pytest.mark.slow),
    pytest.param("model_audit", "perfect", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "what"), CASES)
def test_otter_run_gives_honest_work_the_same_points_for_every_question(
    name: str, what: str, tmp_path: Path
) -> None:
    built = compose(name, PROJECT)
    publish({tmp_path / "dist": built.bundle})
    bundle = Bundle(tmp_path / "dist")
    submission = _submission(name, what, built)
    (outcome,) = grade(bundle, [submission], Settings(secret="parity"))
    sealed = {question: one.score for question, one in outcome.verdict.questions.items()}
    with_otter = _run_otter(bundle, submission, tmp_path)
    assert sealed == pytest.approx({question: with_otter[question] for question in sealed})
    assert outcome.verdict.score > 0


def _submission(name: str, what: str, built: Built) -> Submission:
    weights = Sources.read(name, PROJECT).weights
    cast = demo_class(
        built.solution_notebook, built.student_notebook, weights, {}, built.manifest
    ).roles
    role = next(role for role in cast if role.what == what)
    return Submission(
        student=role.student,
        source=role.what,
        notebook=role.files[built.manifest.notebook],
        files={file: role.files[file] for file in weights},
    )


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

"""One student's folder of results: for staff, for Gradescope, and nothing hidden for students.

``results.json`` follows Gradescope's specification (gradescope-autograders.readthedocs.io,
"Autograder specifications"). It says of hidden tests only what the manifest's label says, which
the assignment's author wrote to be shown, never what happened inside.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from autograder.bundle import Manifest
from autograder.errors import StoreError
from autograder.files import write_atomically
from autograder.model import (
    Outcome,
    QuestionVerdict,
    Standing,
    Status,
    TestVerdict,
    Verdict,
    plain_name,
)
from autograder.text import clean

OUR_FAULT = "This could not be graded through no fault of yours; the course staff will see to it."


def write(folder: Path, outcome: Outcome, manifest: Manifest) -> Path:
    """Write ``folder/<student key>/``: verdict, Gradescope's results, notebook and log.

    Args:
        folder: The folder of all students' results.
        outcome: Of one submission.
        manifest: Of the assignment, for the labels of its tests.

    Returns:
        The student's folder.

    Raises:
        StoreError: if it cannot be written.
    """
    verdict = outcome.verdict
    if plain_name(verdict.student) is None:
        raise StoreError(f"{verdict.student!r} cannot be the name of a student's folder.")
    own = folder / verdict.student
    files = {
        "verdict.json": msgspec.json.format(msgspec.json.encode(verdict), indent=2) + b"\n",
        "results.json": _json(gradescope(verdict, manifest)),
        "executed.ipynb": outcome.executed,
        "log.txt": outcome.log.encode("utf-8", "replace"),
    }
    try:
        for name, data in files.items():
            if data:
                write_atomically(own / name, data)
            else:
                (own / name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError.unwritable(own, error) from None
    return own


def gradescope(verdict: Verdict, manifest: Manifest) -> dict[str, Any]:
    """Return a verdict as Gradescope's ``results.json``.

    A submission that our own failure left ungraded has no score, which Gradescope shows as a
    failed autograder: a zero would look like a grade.
    """
    common = {
        "execution_time": round(verdict.seconds, 2),
        "stdout_visibility": "hidden",
        "output_format": "text",
        "tests": [
            entry
            for name, question in verdict.questions.items()
            for entry in _entries(name, question, manifest)
        ],
    }
    if verdict.status is Standing.GRADER_ERROR:
        return {"output": OUR_FAULT, **common, "tests": []}
    return {"score": round(verdict.score, 4), "output": summary(verdict), **common}


def summary(verdict: Verdict) -> str:
    """Say what a student may know: never that all is well while checks are hidden."""
    if verdict.status is Standing.UNREADABLE:
        return clean(verdict.message) or "No notebook could be read in what you handed in."
    tests = [test for question in verdict.questions.values() for test in question.tests]
    seen = [test for test in tests if not test.hidden]
    passed = sum(test.status is Status.PASSED for test in seen)
    text = f"{passed} of {len(seen)} visible checks passed."
    hidden = [test for test in tests if test.hidden]
    if hidden:
        worth = sum(test.possible for test in hidden)
        text += f" {len(hidden)} more checks, worth {worth:g} points, are not shown."
    return text


def _entries(name: str, question: QuestionVerdict, manifest: Manifest) -> list[dict[str, Any]]:
    labels = {test.name: test.label for one in manifest.questions if one.name == name
              for test in one.tests}  # fmt: skip
    return [
        _entry(f"{name}.{number}", test, labels.get(test.name, ""))
        for number, test in enumerate(question.tests, 1)
    ]


def _entry(number: str, test: TestVerdict, label: str) -> dict[str, Any]:
    entry = {
        "name": f"{number} {label or ('a hidden check' if test.hidden else test.name)}",
        "number": number,
        "score": round(test.points, 4),
        "max_score": round(test.possible, 4),
        "status": "passed" if test.status is Status.PASSED else "failed",
        "visibility": "hidden" if test.hidden else "visible",
    }
    if not test.hidden:
        entry["output"] = _output(test)
    return entry


def _output(test: TestVerdict) -> str:
    said = {
        Status.PASSED: "",
        Status.GRADER_ERROR: OUR_FAULT,
        Status.TIMEOUT: "It did not end in time.",
        Status.MEMORY: "It needed more memory than there is.",
        Status.SKIPPED: "It was not run.",
    }
    return said.get(test.status, clean(test.message))


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

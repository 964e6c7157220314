"""One student's folder of results: for staff, for Gradescope, and nothing hidden for students.

It holds the attempt that counts, with the sum that leads to its points; other attempts that were
graded are in folders below it.

``results.json`` follows Gradescope's specification (gradescope-autograders.readthedocs.io,
"Autograder specifications"). Of hidden tests it holds what the assignment's author wrote to be
shown, and when is the manifest's ``hidden_feedback``. What happened inside a hidden test is never
in it: no exception, no message of an assertion, no time that it took, and a test that ran out of
time or memory reads like one that failed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec

from autograder import page
from autograder.bundle import Manifest, TestEntry, Visibility
from autograder.errors import StoreError
from autograder.files import write_atomically
from autograder.grades import Grade
from autograder.model import (
    WATERMARK,
    Outcome,
    QuestionVerdict,
    Standing,
    Status,
    TestVerdict,
    Verdict,
    plain_name,
)
from autograder.text import clean, escaped, stripped

OUR_FAULT = "This could not be graded through no fault of yours; the course staff will see to it."
SKIPPED = "Skipped: a question that this one builds on did not pass its first check."
_LATER = {
    Visibility.HIDDEN: "are not shown",
    Visibility.AFTER_DUE_DATE: "are shown after the due date",
    Visibility.AFTER_PUBLISHED: "are shown when grades are published",
}


def settle(
    folder: Path,
    verdicts: Sequence[Verdict],
    grade: Grade,
    manifest: Manifest,
    outcome: Callable[[Verdict], Outcome],
) -> None:
    """Make ``folder/<student key>/`` say what counts for one student; write only what changes.

    Args:
        folder: The folder of all students' results.
        verdicts: One for each attempt that was graded.
        grade: What counts.
        manifest: Of the assignment.
        outcome: Gives the whole outcome of a verdict.

    Raises:
        StoreError: if it cannot be written.
    """
    own = folder / grade.student
    stale = set(own.glob("attempt-*"))
    for verdict in verdicts:
        counts = verdict == grade.verdict
        place = place_of(folder, verdict, counts=counts)
        stale.discard(place)
        said = grade if counts else None
        if not _is_current(place, verdict, said, manifest):
            write(folder, outcome(verdict), manifest, said, counts=counts)
    for place in stale:
        shutil.rmtree(place, ignore_errors=True)


def place_of(folder: Path, verdict: Verdict, *, counts: bool = True) -> Path:
    """The folder of one attempt: the student's own if it counts, or one below it.

    Args:
        folder: The folder of all students' results.
        verdict: On the attempt.
        counts: Whether it is the one that counts.

    Raises:
        StoreError: if the student's key is no name of a folder.
    """
    if plain_name(verdict.student) is None:
        raise StoreError(f"{verdict.student!r} cannot be the name of a student's folder.")
    own = folder / verdict.student
    if counts or verdict.submitted is None:
        return own
    when = verdict.submitted.astimezone(UTC)
    return own / f"attempt-{verdict.attempt}-{when:%Y-%m-%dT%H%M%SZ}"


def write(
    folder: Path,
    outcome: Outcome,
    manifest: Manifest,
    grade: Grade | None = None,
    *,
    counts: bool = True,
) -> Path:
    """Write the folder of one attempt: verdict, Gradescope's results, notebook, page and log.

    Args:
        folder: The folder of all students' results.
        outcome: Of one submission.
        manifest: Of the assignment, for the labels of its tests.
        grade: What counts, if it is this attempt.
        counts: Whether it is in the student's own folder or in one below it.

    Returns:
        The folder.

    Raises:
        StoreError: if it cannot be written.
    """
    verdict = outcome.verdict
    own = place_of(folder, verdict, counts=counts)
    files = {  # the last two are looked at to see whether all is written
        "executed.ipynb": outcome.executed,
        "executed.html": _page(outcome, manifest, grade),
        "log.txt": stripped(outcome.log).encode(),
        **_marks(verdict, manifest, grade),
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


def gradescope(verdict: Verdict, manifest: Manifest, grade: Grade | None = None) -> dict[str, Any]:
    """Return a verdict as Gradescope's ``results.json``.

    Its score is what was earned, whatever being late costs; the text says what counts.

    Its time is that of the notebook's own cells, which ended before any hidden test began: the
    time of all could be made to tell what a hidden test asked.

    A submission that our own failure left ungraded has no score, which Gradescope shows as a
    failed autograder: a zero would look like a grade.
    """
    common = {
        "execution_time": round(verdict.cells_seconds, 2),
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
    said = [*([f"{WATERMARK}."] if verdict.unsealed else []),
            *([f"Handed in by the team {clean(verdict.team)}, for all of it."]
              if verdict.team else []),
            *([grade.sentence] if grade and grade.sentence else []),
            summary(verdict, manifest.hidden_feedback), *map(clean, verdict.remarks)]  # fmt: skip
    return {"score": round(verdict.score, 4), "output": "\n".join(said), **common}


def summary(verdict: Verdict, feedback: Visibility = Visibility.HIDDEN) -> str:
    """Say what a student may know: never that all is well while checks are hidden.

    Args:
        verdict: Of the submission.
        feedback: When hidden tests are shown; until then, not even how many were passed is said.
    """
    if verdict.status is Standing.UNREADABLE:
        return clean(verdict.message) or "No notebook could be read in what you handed in."
    tests = [test for question in verdict.questions.values() for test in question.tests]
    seen = [test for test in tests if not test.hidden]
    passed = sum(test.status is Status.PASSED for test in seen)
    text = f"{passed} of {len(seen)} visible checks passed."
    hidden = [test for test in tests if test.hidden]
    if hidden and feedback is Visibility.VISIBLE:
        passed = sum(test.status is Status.PASSED for test in hidden)
        text += f" {passed} of {len(hidden)} hidden checks passed."
    elif hidden:
        worth = sum(test.possible for test in hidden)
        text += f" {len(hidden)} more checks, worth {worth:g} points, {_LATER[feedback]}."
    return text


def _entries(name: str, question: QuestionVerdict, manifest: Manifest) -> list[dict[str, Any]]:
    known = {test.name: test for one in manifest.questions if one.name == name
             for test in one.tests}  # fmt: skip
    return [
        _entry(f"{name}.{number}", test, known.get(test.name), manifest.hidden_feedback)
        for number, test in enumerate(question.tests, 1)
    ]


def _entry(
    number: str, test: TestVerdict, known: TestEntry | None, feedback: Visibility
) -> dict[str, Any]:
    label = known.label if known else ""
    entry = {
        "name": f"{number} {label or ('a hidden check' if test.hidden else test.name)}",
        "number": number,
        "score": round(test.points, 4),
        "max_score": round(test.possible, 4),
        "status": "passed" if test.status is Status.PASSED else "failed",
        "visibility": str(feedback if test.hidden else Visibility.VISIBLE),
    }
    if not test.hidden:
        entry["output"] = _output(test)
    elif test.status is Status.SKIPPED:  # public checks alone decide it
        entry["output"] = SKIPPED
    elif feedback is not Visibility.HIDDEN:
        failed = test.status is not Status.PASSED
        entry["output"] = known.failure_message if known and failed else ""
    return entry


def _output(test: TestVerdict) -> str:
    said = {
        Status.PASSED: "",
        Status.GRADER_ERROR: OUR_FAULT,
        Status.TIMEOUT: "It did not end in time.",
        Status.MEMORY: "It needed more memory than there is.",
        Status.SKIPPED: SKIPPED,
    }
    return said.get(test.status, clean(test.message))


def _json(value: dict[str, Any]) -> bytes:
    return escaped(json.dumps(value, indent=2, ensure_ascii=False)).encode() + b"\n"


def _page(outcome: Outcome, manifest: Manifest, grade: Grade | None) -> bytes:
    if not outcome.executed:
        return b""
    counts = grade.sentence if grade else ""
    made = page.render(outcome.executed, outcome.verdict, manifest, counts)
    return made.encode("utf-8", "replace")


def _marks(verdict: Verdict, manifest: Manifest, grade: Grade | None) -> dict[str, bytes]:
    return {
        "verdict.json": _json(msgspec.to_builtins(verdict)),
        "results.json": _json(gradescope(verdict, manifest, grade)),
    }


def _is_current(place: Path, verdict: Verdict, grade: Grade | None, manifest: Manifest) -> bool:
    """Whether what is written is what would be: the page says nothing that the marks do not."""
    try:
        marks = _marks(verdict, manifest, grade)
        return all((place / name).read_bytes() == data for name, data in marks.items())
    except OSError:
        return False

"""A project of tiny masters, and a grader without rooms."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autograder.bundle import Bundle
from autograder.model import (
    Outcome,
    QuestionVerdict,
    Standing,
    Status,
    Submission,
    TestVerdict,
    Verdict,
)

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
OWN_MODULES = ("reference_impl", "coursekit", "triage", "help")


@pytest.fixture(scope="session")
def masters() -> Path:
    """The fixtures' project; nothing may be written there."""
    return NOTEBOOKS


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the fixtures' project to build in."""
    folder = tmp_path / "project"
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def plain_grade(tmp_path: Path) -> Any:
    """A stand-in for the sealed engine: everything in this very process."""

    def grade(bundle: Bundle, subs: Iterable[Submission], settings: object) -> Iterator[Outcome]:
        for submission in subs:
            yield Outcome(verdict=_verdict(bundle, submission, tmp_path / submission.student.key))

    return grade


def _verdict(bundle: Bundle, submission: Submission, folder: Path) -> Verdict:
    bundle.unpack(folder)
    for name, data in submission.files.items():
        (folder / "files" / name).write_bytes(data)
    with _inside(folder / "files"):
        questions = _run(bundle, json.loads(submission.notebook), folder / "tests")
    return Verdict(
        student=submission.student.key,
        name=submission.student.name,
        assignment=bundle.manifest.name,
        status=Standing.GRADED,
        score=sum(question.score for question in questions.values()),
        possible=bundle.manifest.possible,
        isolation="0",
        seconds=0.0,
        questions=questions,
    )


def _run(bundle: Bundle, notebook: dict[str, Any], tests: Path) -> dict[str, QuestionVerdict]:
    names: dict[str, Any] = {}
    done: dict[str, QuestionVerdict] = {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and "grader" not in source:
            try:
                exec(source, names)
            except BaseException as error:
                names["_error"] = error
        for question in bundle.manifest.autograded:
            marked = cell["metadata"].get("otter", {}).get("tests", [])
            if source == f'grader.check("{question.name}")' or question.name in marked:
                done[question.name] = _judge(tests / f"{question.name}.py", names)
    return done


def _judge(file: Path, names: dict[str, Any]) -> QuestionVerdict:
    from otter.test_files.exception_test import ExceptionTestFile

    cases = ExceptionTestFile.from_file(str(file)).test_cases
    tests = [_case(case, names) for case in cases]
    score, possible = sum(t.points for t in tests), sum(t.possible for t in tests)
    return QuestionVerdict(score=score, possible=possible, tests=tests)


def _case(case: Any, names: dict[str, Any]) -> TestVerdict:
    status, message = Status.PASSED, ""
    try:
        case.body.call_func(names)
    except BaseException as error:
        status, message = Status.FAILED, f"{type(error).__name__}: {error}"
    return TestVerdict(
        name=case.body.test_func.__name__,
        status=status,
        points=case.points if status is Status.PASSED else 0.0,
        possible=case.points,
        hidden=case.hidden,
        message=message,
    )


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in ``folder``, with its modules in place of this project's of the same names."""

    def ours() -> dict[str, Any]:
        return {n: m for n, m in sys.modules.items() if n.partition(".")[0] in OWN_MODULES}

    kept, here = ours(), os.getcwd()
    for name in kept:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        sys.path.remove(str(folder))
        for name in ours():
            del sys.modules[name]
        sys.modules.update(kept)

"""What a bundle holds: otter's generated test files, read back, and the manifest."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

from autograder.build.lint import prompt_of
from autograder.build.testcell import MasterTest, label_of
from autograder.bundle import Checkpoint, Manifest, Question, RubricItem, TestEntry, sha256

if TYPE_CHECKING:
    from otter.test_files.exception_test import ExceptionTestFile

    from autograder.build import master
    from autograder.build.master import Master
    from autograder.build.sources import Sources

PAPERS = {"README.md", "requirements.txt"}
"""Files for people and ``pip`` in ``assignments/NAME/``; no room needs them."""


def read_questions(
    sources: Sources, master: Master, tests: dict[str, list[MasterTest]], archive: bytes
) -> list[Question]:
    """The questions as otter will grade them, checked against the master.

    Raises:
        BuildError: if a generated test file is broken or lacks a test of the master.
    """
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        files = {name: opened.read(f"tests/{name}.py").decode() for name in tests}
    questions = []
    for question in master.questions:
        if question.written:
            questions.append(_written(sources, question))
        else:
            wanted = tests[question.name]
            file = _check_test_file(master, question, wanted, files[question.name])
            questions.append(_autograded(sources, question, file))
    return questions


def check_public_tests(
    master: Master, tests: dict[str, list[MasterTest]], student: dict[str, bytes]
) -> None:
    """Check that the tests students get are the master's public ones and would run for them.

    Raises:
        BuildError: naming notebook, question and cell.
    """
    notebook = json.loads(student[master.label.rpartition("/")[2]])
    sources = notebook["metadata"].get("otter", {}).get("tests", {})
    for question in master.questions:
        public = [test for test in tests.get(question.name, []) if not test.hidden]
        for test in public:
            if "reference_impl" in test.source:
                problem = f"{test.name} is public and uses reference_impl, which students lack."
                raise master.error(problem, question.name, test.cell.number)
        if question.name in sources:
            _check_test_file(master, question, public, sources[question.name])


def make_manifest(
    sources: Sources, questions: list[Question], student: dict[str, bytes], archive: bytes
) -> Manifest:
    """The manifest; its hashes name the zip and, by path in the project, each published file."""
    name, notebook = sources.name, sources.notebook.name
    recipe = sources.recipe
    hashes = {f"assignments/{name}/{path}": sha256(data) for path, data in student.items()}
    return Manifest(
        name=name,
        title=recipe.title,
        ungraded=recipe.ungraded,
        notebook=notebook,
        otter_zip=archive_name(name),
        questions=questions,
        limits=sources.limits,
        hidden_feedback=sources.hidden_feedback,
        helpers=recipe.helpers,
        expected_files=recipe.expected_files,
        checkpoints=[
            Checkpoint(file=file, question=table.question, tests=table.tests, credit=table.credit)
            for file, table in recipe.checkpoint.items()
        ],
        public_files=sorted(set(student) & _files(archive) - PAPERS),
        hashes={archive_name(name): sha256(archive), **hashes},
    )


def _files(archive: bytes) -> set[str]:
    """What otter puts beside a submission, by path there."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = opened.namelist()
    return {name.removeprefix("files/") for name in names if name.startswith("files/")}


def archive_name(name: str) -> str:
    """File name of the assignment's autograder zip."""
    return f"{name}-autograder.zip"


def _check_test_file(
    master: Master, question: master.Question, wanted: list[MasterTest], source: str
) -> ExceptionTestFile:
    from otter.test_files.exception_test import ExceptionTestFile

    try:
        file = ExceptionTestFile.from_string(source, path=f"tests/{question.name}.py")
    except Exception as error:
        problem = f"otter's test file does not load: {type(error).__name__}: {error}."
        raise master.error(problem, question.name, question.number) from None
    found = [(case.body.test_func.__name__, bool(case.hidden)) for case in file.test_cases]
    if found != [(test.name, test.hidden) for test in wanted]:
        names = ", ".join(name for name, _ in found) or "none"
        problem = f"otter's test file has other tests than the master ({names})."
        raise master.error(problem, question.name, question.number)
    return file


def _autograded(sources: Sources, question: master.Question, file: ExceptionTestFile) -> Question:
    tests = [
        TestEntry(
            name=case.body.test_func.__name__,
            points=float(case.points or 0),
            hidden=bool(case.hidden),
            label=label_of(case.body.test_func.__doc__),
            failure_message=case.failure_message or "",
        )
        for case in file.test_cases
    ]
    return Question(
        name=question.name,
        points=round(sum(test.points for test in tests), 6),
        all_or_nothing=bool(question.config.get("all_or_nothing", False)),
        requires=sources.recipe.requires.get(question.name, []),
        ledger=question.name in sources.recipe.ledger,
        tests=tests,
    )


def _written(sources: Sources, question: master.Question) -> Question:
    rubric = [
        RubricItem(text=item.text, points=item.points, levels=item.levels)
        for item in sources.recipe.rubric[question.name]
    ]
    return Question(
        name=question.name,
        points=float(question.config["points"]),
        written=True,
        rubric=rubric,
        prompt=prompt_of(question),
    )

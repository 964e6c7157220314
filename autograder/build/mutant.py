"""Mutants: named wrong answers, each tied to the tests that must catch it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autograder.build.header import label, read_header, scripts
from autograder.bundle import Manifest
from autograder.errors import BuildError

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Mutant:
    """A wrong answer to one question."""

    name: str
    """File name without ``.py``."""
    title: str
    """What is wrong with it."""
    question: str
    caught_by: tuple[str, ...]
    """Tests of the question that must all fail."""
    code: str

    def insert(self, notebook: bytes) -> bytes:
        """``notebook``, with solutions, where this answer replaces that of its question."""
        from nbformat import v4

        found = v4.reads(notebook.decode())
        place = _check_cell(found.cells, self.question)
        if place is None:
            place = _marked_cell(found.cells, self.question)
            if found.cells[place].cell_type == "code":
                # Otter tests the question at this very cell, so a cell after it comes too late.
                found.cells[place].source += f"\n\n{self.code}"
                return str(v4.writes(found)).encode()
        cell = v4.new_code_cell(self.code, id=f"mutant-{self.name}"[:64])
        if found.nbformat_minor < 5:
            del cell["id"]
        found.cells.insert(place, cell)
        return str(v4.writes(found)).encode()


def read_mutants(folder: Path, manifest: Manifest) -> list[Mutant]:
    """The mutants in ``folder``, checked against ``manifest``; none if there is no folder.

    Raises:
        BuildError: naming the file, if its header names no such question or test.
    """
    return [_read(file, manifest) for file in scripts(folder)]


def _read(file: Path, manifest: Manifest) -> Mutant:
    code = file.read_text("utf-8")
    header = read_header(file, code)
    question = header.fields.get("question", "")
    named = header.fields.get("caught_by", "").split(",")
    caught_by = tuple(name.strip() for name in named if name.strip())
    if not (header.title and question and caught_by):
        problem = "Its docstring needs a first line, `question:` and `caught_by:`."
        raise BuildError(problem, notebook=label(file))
    mutant = Mutant(file.stem, header.title, question, caught_by, code)
    _check(mutant, manifest, label(file))
    return mutant


def _check(mutant: Mutant, manifest: Manifest, file: str) -> None:
    questions = {question.name: question for question in manifest.autograded}
    if mutant.question not in questions:
        problem = f"There is no autograded question {mutant.question}."
        raise BuildError(problem, notebook=file)
    tests = {test.name for test in questions[mutant.question].tests}
    for name in mutant.caught_by:
        if name not in tests:
            problem = f"caught_by: {mutant.question} has no test {name}."
            raise BuildError(problem, notebook=file, question=mutant.question)


def _check_cell(cells: list[dict[str, object]], question: str) -> int | None:
    calls = {f'grader.check("{question}")', f"grader.check('{question}')"}
    places = (i for i, cell in enumerate(cells) if str(cell["source"]).strip() in calls)
    return next(places, None)


def _marked_cell(cells: list[dict[str, object]], question: str) -> int:
    """The cell after which otter checks a question that has ``check_cell: false``."""
    for place, cell in enumerate(cells):
        metadata = cell["metadata"]
        if isinstance(metadata, dict) and question in metadata.get("otter", {}).get("tests", []):
            return place
    return len(cells)


def spread(things: Sequence[Thing], wanted: int | None) -> list[Thing]:
    """``wanted`` of ``things``, evenly over the whole; all if there are no more or none is said."""
    if wanted is None or len(things) <= wanted:
        return list(things)
    return [things[k * len(things) // wanted] for k in range(wanted)]

"""The panel: other right answers, to which the tests must give what they give the solution.

A test that accepts the reference's habits only fails honest work. A member of the panel answers
questions as another careful student would: by another algorithm, with another library, in another
style. Whatever the notebook's text and docstrings permit must get full marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.build.header import Header, label, read_header, scripts
from autograder.bundle import Manifest
from autograder.errors import BuildError
from autograder.handin import ANSWER

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)
"""What begins a cell in a percent-format script."""
EDITABLE = {ANSWER, "otter_assign_solution_cell"}
"""Otter's tags, in the notebook with solutions, of cells that students may edit."""
WEIGHTS = {"handed in": False, "trained": True}
"""What a header's ``weights:`` may say: the instructor's files, or none, so that it trains."""


@dataclass(frozen=True)
class Member:
    """A submission whose answers are right in another way."""

    name: str
    """File name without ``.py``."""
    title: str
    """What is different about it."""
    trained: bool
    """Whether its networks are others than the instructor's weights fit, so that it hands in none.
    """
    answers: dict[str, list[str]]
    """Code cells by question."""

    def insert(self, notebook: bytes) -> bytes:
        """``notebook``, with solutions, where these answers stand in place of the solution's.

        A question's first cell takes the place of the first cell that students may edit, and so
        on; what is left of the solution's cells goes.

        Raises:
            BuildError: if a question has fewer cells that students may edit.
        """
        from nbformat import v4

        found = v4.reads(notebook.decode())
        for question, sources in self.answers.items():
            self._answer(found.cells, question, sources)
        return str(v4.writes(found)).encode()

    def _answer(self, cells: list[NotebookNode], question: str, sources: list[str]) -> None:
        places = [place for place, cell in enumerate(cells) if _is_answer(cell, question)]
        if len(sources) > len(places):
            problem = f"It has {len(sources)} cells where students may edit {len(places)}."
            raise BuildError(problem, notebook=f"panel/{self.name}.py", question=question)
        for place, source in zip(places, sources, strict=False):
            cells[place].source = source
        for place in reversed(places[len(sources) :]):
            del cells[place]


def read_panel(folder: Path, manifest: Manifest) -> list[Member]:
    """The members of the panel in ``folder``, checked against ``manifest``; none without a folder.

    Raises:
        BuildError: naming the file, if its header or the head of a cell is wrong.
    """
    return [_read(file, manifest) for file in scripts(folder)]


def _read(file: Path, manifest: Manifest) -> Member:
    text = file.read_text("utf-8")
    header = read_header(file, text)
    _check_header(header, file)
    before, *cells = CELL.split(text)
    if any(line.strip() for line in before.splitlines()[header.end :]):
        problem = "There is code before its first cell; begin one with `# %% QUESTION`."
        raise BuildError(problem, notebook=label(file))
    answers = _answers(cells, manifest, file)
    return Member(file.stem, header.title, WEIGHTS[_weights(header)], answers)


def _check_header(header: Header, file: Path) -> None:
    unknown = sorted(set(header.fields) - {"weights"})
    known = " or ".join(f"`weights: {way}`" for way in WEIGHTS)
    if not header.title or unknown or _weights(header) not in WEIGHTS:
        problem = f"Its docstring needs a first line, and below it may only say {known}."
        raise BuildError(problem, notebook=label(file))


def _weights(header: Header) -> str:
    return header.fields.get("weights", "handed in")


def _answers(cells: list[str], manifest: Manifest, file: Path) -> dict[str, list[str]]:
    known = {question.name for question in manifest.autograded}
    answers: dict[str, list[str]] = {}
    for question, source in _cells(cells):
        if question not in known:
            problem = f"`# %% {question}`: there is no autograded question {question}."
            raise BuildError(problem, notebook=label(file))
        if not source:
            raise BuildError("The cell is empty.", notebook=label(file), question=question)
        answers.setdefault(question, []).append(source)
    if not answers:
        problem = "It answers nothing; begin an answer with `# %% QUESTION`."
        raise BuildError(problem, notebook=label(file))
    return answers


def _cells(pieces: list[str]) -> Iterator[tuple[str, str]]:
    """Heads and sources, which alternate in ``pieces``."""
    for head, source in zip(pieces[::2], pieces[1::2], strict=True):
        yield head.strip(), source.strip()


def _is_answer(cell: NotebookNode, question: str) -> bool:
    return (
        cell.cell_type == "code"
        and cell.metadata.get("question") == question
        and bool(EDITABLE & set(cell.metadata.get("tags", [])))
    )

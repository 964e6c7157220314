"""Changing the notebook of an assignment as a student would, knowing it only by its check cells.

A question's part of a notebook is what stands between the check cell before it and its own.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from autograder.notebook import read

CHECK = re.compile(r"^\s*grader\.check\(\s*['\"]([^'\"]+)['\"]\s*\)", re.MULTILINE)


class Pair:
    """The notebook with solutions and the one without, part by part.

    Args:
        solution: The notebook with solutions.
        student: The notebook that students get.

    Raises:
        NotebookError: if one is no notebook.
        ValueError: if they have not the same check cells, or none.
    """

    def __init__(self, solution: bytes, student: bytes) -> None:
        self.solution, self.student = read(solution), read(student)
        self.questions = questions(self.solution)
        if not self.questions or self.questions != questions(self.student):
            raise ValueError("The notebooks do not have the same check cells.")

    def answers(self, question: str) -> list[int]:
        """Where in the solution notebook the code is that answers ``question``."""
        given = {cell["source"] for cell in self.student["cells"][part(self.student, question)]}
        place = part(self.solution, question)
        cells = enumerate(self.solution["cells"][place], place.start)
        return [
            i for i, cell in cells if cell["cell_type"] == "code" and cell["source"] not in given
        ]

    def names(self, question: str) -> list[str]:
        """Name what the answer to ``question`` defines: its functions, then other names."""
        trees = [_tree(self.solution["cells"][index]["source"]) for index in self.answers(question)]
        nodes = [node for tree in trees for node in tree.body]
        functions = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
        classes = [node.name for node in nodes if isinstance(node, ast.ClassDef)]
        targets = [
            target for node in nodes if isinstance(node, ast.Assign) for target in node.targets
        ]
        return [*functions, *classes, *(one.id for one in targets if isinstance(one, ast.Name))]

    def alone(self) -> list[str]:
        """List the questions with answers that nothing after their check cell names, last first."""
        return [q for q in reversed(self.questions) if self.answers(q) and not self._used_later(q)]

    def _used_later(self, question: str) -> bool:
        end = part(self.solution, question).stop
        later = "\n".join(
            cell["source"] for cell in self.solution["cells"][end:] if cell["cell_type"] == "code"
        )
        return any(re.search(rf"\b{re.escape(name)}\b", later) for name in self.names(question))

    def unsolved(self, wanted: Sequence[str]) -> bytes:
        """Return the solution notebook with the questions ``wanted`` left as students get them."""
        cells = list(self.solution["cells"])
        for question in reversed(self.questions):
            if question in wanted:
                cells[part(self.solution, question)] = self.student["cells"][
                    part(self.student, question)
                ]
        return written({**self.solution, "cells": cells})

    def changed_answer(self, question: str, change: Callable[[str], str]) -> bytes:
        """Return the solution notebook with ``change`` made to the first answer to ``question``."""
        index = self.answers(question)[0]
        cells = [dict(cell) for cell in self.solution["cells"]]
        cells[index]["source"] = change(cells[index]["source"])
        return written({**self.solution, "cells": cells})


def questions(notebook: dict[str, Any]) -> list[str]:
    """Name the questions that have check cells, in order."""
    return [name for _, name in _checks(notebook)]


def part(notebook: dict[str, Any], question: str) -> slice:
    """Where ``question`` is in the notebook's cells, its check cell last."""
    start = 0
    for index, name in _checks(notebook):
        if name == question:
            return slice(start, index + 1)
        start = index + 1
    raise ValueError(f"The notebook has no check cell of {question}.")


def changed_question(solution: bytes, mutant: bytes) -> str:
    """Name the first question whose part differs, or nothing."""
    one, other = read(solution), read(mutant)
    for question in questions(one):
        sources = [[c["source"] for c in nb["cells"][part(nb, question)]] for nb in (one, other)]
        if sources[0] != sources[1]:
            return question
    return ""


def with_cells(
    notebook: dict[str, Any],
    before_check: Callable[[str], str],
    wanted: Sequence[str],
    after: str = "",
) -> bytes:
    """Return ``notebook`` with a code cell before the check cell of each question ``wanted``.

    A cell with the code ``after``, if any, goes after each of these check cells.
    """
    cells: list[dict[str, Any]] = []
    for index, cell in enumerate(notebook["cells"]):
        match = CHECK.search(cell["source"]) if cell["cell_type"] == "code" else None
        if match and match[1] in wanted:
            cells.append(_code_cell(before_check(match[1]), notebook, index))
        cells.append(cell)
        if match and match[1] in wanted and after:
            cells.append(_code_cell(after, notebook, index + 1))
    return written({**notebook, "cells": cells})


def written(notebook: dict[str, Any]) -> bytes:
    """Write a notebook as Jupyter does."""
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode() + b"\n"


def _checks(notebook: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for index, cell in enumerate(notebook["cells"]):
        match = CHECK.search(cell["source"]) if cell["cell_type"] == "code" else None
        if match:
            yield index, match[1]


def _code_cell(source: str, notebook: dict[str, Any], index: int) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    return {"id": f"demo-{index}", **cell} if notebook["nbformat_minor"] >= 5 else cell


def _tree(source: str) -> ast.Module:
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()]
    try:
        return ast.parse("\n".join(lines))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])

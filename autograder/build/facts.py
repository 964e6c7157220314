"""What students may know of an assignment: ``assignment.json``, beside the student notebook.

``handin.py`` looks at a hand-in by it. It holds what the published notebook and manifest's public
side tell anyway: questions, points, numbers of tests, what is handed out unanswered, names and
shapes of the tensors in the instructor's weights, and limits. No name and no text of a hidden test.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from autograder.build.answers import python
from autograder.handin import ANSWER, ASSIGNMENT, CHECK, bodies, normalised, stubs_of

if TYPE_CHECKING:
    from autograder.build.sources import Sources
    from autograder.bundle import Question

__all__ = ["ASSIGNMENT", "facts", "with_check"]

LIMITS = ("cell_seconds", "question_seconds", "submission_seconds", "memory_mb")
_EXPORT = re.compile(r"^grader\.export\(.*\)$", re.MULTILINE)
_FILES = re.compile(r"files=(\[[^\]]*\])")


def facts(
    sources: Sources, questions: Sequence[Question], student: bytes, solution: bytes
) -> bytes:
    """The contents of ``assignment.json``.

    Args:
        sources: Of the assignment.
        questions: As graders have them.
        student: The notebook students get.
        solution: The notebook with solutions.
    """
    pair = _Pair(json.loads(student), json.loads(solution))
    limits = msgspec.to_builtins(sources.limits)
    content = {
        "name": sources.name,
        "title": sources.recipe.title,
        "notebook": sources.notebook.name,
        "questions": [_question(question, pair) for question in questions],
        "files": [_file(sources, name) for name in sources.recipe.expected_files],
        "limits": {name: limits[name] for name in LIMITS},
    }
    if sources.recipe.milestone:
        content["milestones"] = [
            {"name": name, **msgspec.to_builtins(table)}
            for name, table in sources.recipe.milestone.items()
        ]
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def with_check(notebook: bytes) -> bytes:
    """``notebook`` with an export cell that survives missing files and looks at what it made."""
    content = json.loads(notebook)
    for cell in content["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and (call := _EXPORT.search(source)):
            line = _FILES.sub(r"files=handin.present(\1)", call[0])
            changed = f"{source[: call.start()]}import handin\n\n{line}\nhandin.check()"
            cell["source"] = changed.splitlines(keepends=True)
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _question(question: Question, pair: _Pair) -> dict[str, Any]:
    hidden = sum(test.hidden for test in question.tests)
    stubs, cells = pair.unanswered(question.name)
    return {
        "name": question.name,
        "title": pair.title(question.name),
        "points": question.points,
        "written": question.written,
        "public": len(question.tests) - hidden,
        "hidden": hidden,
        "check": question.name in pair.checked,
        "stubs": stubs,
        "cells": cells,
        "until": pair.until(question.name),
    }


def _file(sources: Sources, name: str) -> dict[str, Any]:
    table = sources.recipe.checkpoint.get(name)
    return {
        "name": name,
        "tensors": _tensors(sources.weights[name]) if name.endswith(".safetensors") else {},
        "question": table.question if table else None,
        "credit": table.credit if table else None,
    }


def _tensors(data: bytes) -> dict[str, list[Any]]:
    from safetensors import SafetensorError, deserialize

    try:
        found = deserialize(data)
    except SafetensorError:  # no weights at all, as in small examples: nothing to compare with
        return {}
    return {name: [one["dtype"], list(one["shape"])] for name, one in sorted(found)}


class _Pair:
    """The notebook that students get beside the one with solutions."""

    def __init__(self, student: dict[str, Any], solution: dict[str, Any]) -> None:
        self.student, self.solution = _cells(student), _cells(solution)
        self.checked = {
            name
            for cell in self.student
            if cell["cell_type"] == "code"
            for name in CHECK.findall(cell["source"])
        }

    def title(self, question: str) -> str:
        """The last heading before the question, without its signs."""
        title = ""
        for cell in self.student:
            if cell["metadata"].get("question") == question:
                break
            if cell["cell_type"] == "markdown":
                headings = re.findall(r"^#+\s+(.+?)\s*#*$", cell["source"], re.MULTILINE)
                title = headings[-1] if headings else title
        return title

    def until(self, question: str) -> str:
        """How the cell begins that follows the question's last answer cell."""
        for cell, after in reversed(list(pairwise(self.student))):
            if cell["metadata"].get("question") == question:
                return str(after["source"].strip()[:80])
        return ""

    def unanswered(self, question: str) -> tuple[dict[str, str], list[str]]:
        """What is handed out unanswered: bodies by name, and cells that define nothing."""
        answers = [
            c for c in _of(self.student, question) if ANSWER in c["metadata"].get("tags", [])
        ]
        solved: dict[str, str] = {}
        given = set()
        for cell in _of(self.solution, question):
            given.add(cell["source"].strip())
            solved |= stubs_of(_tree(cell)) if cell["cell_type"] == "code" else {}
        stubs: dict[str, str] = {}
        cells = []
        for cell in answers:
            own = {}
            if cell["cell_type"] == "code":
                found = bodies(_tree(cell))
                sources = {name: ast.unparse(ast.Module(body, [])) for name, body in found.items()}
                own = {
                    name: body
                    for name, body in sources.items()
                    if name in solved and solved[name] != normalised(body)
                }
            stubs |= own
            text = cell["cell_type"] != "code"  # the solution's notebook keeps these as they are
            if text or (not own and cell["source"].strip() not in given):
                cells.append(cell["source"].strip())
        return stubs, cells


def _cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]


def _of(cells: list[dict[str, Any]], question: str) -> list[dict[str, Any]]:
    return [cell for cell in cells if cell["metadata"].get("question") == question]


def _tree(cell: dict[str, Any]) -> ast.Module:
    return python(cell["source"]) or ast.Module([], [])

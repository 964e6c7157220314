"""Answer cells: what stays of a solution in the student notebook.

Otter publishes every line of a solution cell that is not marked, so a forgotten marker publishes
an answer. Lines left on purpose (signatures, docstrings, a loop around the gap) look the same as
lines left by mistake. The rule therefore asks for a gap, not for emptiness:

1. a code cell in a solution block must lose at least one line;
2. so must each function or class that it defines at top level, unless that holds nothing but a
   docstring, ``pass`` or ``...``. Code given whole belongs in a cell of its own, in a prompt block
   (students may edit it) or outside any block (they may not);
3. what is left must still be Python (``# SOLUTION`` on one line of a longer statement is not);
4. no marker may stay: one outside a solution block, or misspelt, would be published with its code.

Whether what is left already earns points is for ``autograder verify`` to find out.
"""

from __future__ import annotations

import ast
import re

from autograder.build.master import Cell, Master, Role
from autograder.errors import BuildError

MARKER = re.compile(r"#\s*((begin|end)\s+(solution|prompt)|solution)(\s+no\s+prompt)?\s*$", re.I)

GIVEN = "Code given whole goes in a prompt block (editable) or outside any block (locked)."


def check_answers(master: Master) -> None:
    """Check every cell that students get.

    Raises:
        BuildError: naming notebook, question and cell.
    """
    everywhere = bool(master.config.get("strip_solutions_from_all_cells", False))
    for cell in master.cells:
        if not cell.is_code or cell.role in {Role.TEST, Role.IGNORED}:
            continue
        left = stripped(master, cell) if cell.role is Role.SOLUTION or everywhere else cell.source
        _check_markers(master, cell, left)
        if cell.role is Role.SOLUTION:
            _check_gap(master, cell, left)


def stripped(master: Master, cell: Cell) -> str:
    """What otter leaves of the solution cell's code."""
    from otter.assign.solutions import replace_solutions

    try:
        return "\n".join(replace_solutions(cell.source.split("\n"), "python"))
    except AssertionError as error:
        raise _error(master, cell, str(error).partition(" in [")[0] + ".") from None


def _check_markers(master: Master, cell: Cell, left: str) -> None:
    for line in left.splitlines():
        if MARKER.search(line):
            inside = cell.role is Role.SOLUTION
            why = "otter knows no such spelling" if inside else "outside a solution block"
            raise _error(master, cell, f"{line.strip()!r} would be published: {why}.")


def _check_gap(master: Master, cell: Cell, left: str) -> None:
    if left == cell.source:
        problem = "Nothing in this answer cell is marked as solution: it would be published whole"
        raise _error(master, cell, f"{problem}. {GIVEN}")
    full = python(cell.source)
    if full is None:
        raise _error(master, cell, "This answer cell is not Python.")
    rest = python(left)
    if rest is None:
        problem = "What stays of this answer cell is not Python; mark whole statements."
        raise _error(master, cell, problem)
    before = {ast.dump(node) for node in full.body}
    for node in rest.body:
        if ast.dump(node) in before and isinstance(node, Definition) and not _is_empty(node):
            problem = f"No line of {node.name} is marked as solution: it would be published whole"
            raise _error(master, cell, f"{problem}. {GIVEN}")


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _is_empty(node: Definition) -> bool:
    return all(
        isinstance(child, ast.Pass)
        or (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant))
        for child in node.body
    )


def python(source: str) -> ast.Module | None:
    """The syntax tree of a notebook cell, magics included; ``None`` if it has none."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return ast.parse(str(TransformerManager().transform_cell(source)))
    except SyntaxError:
        return None


def _error(master: Master, cell: Cell, problem: str) -> BuildError:
    return master.error(problem, cell.question, cell.number)

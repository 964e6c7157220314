"""One test cell of a master: a test function and its config, without what otter mishandles."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from autograder.build.master import Cell, Master, Question, Role
from autograder.errors import BuildError

KEYS: dict[str, type | tuple[type, ...]] = {
    "hidden": bool,
    "points": (int, float),
    "success_message": str,
    "failure_message": str,
}
"""The test config keys that otter heeds; it drops all others without a word."""
RESERVED = {"test_case", "OK_FORMAT", "name", "points", "all_or_nothing"}
"""Names that the generated test file uses itself."""


@dataclass(frozen=True)
class MasterTest:
    """A test as the master has it."""

    cell: Cell
    function: ast.FunctionDef
    config: dict[str, Any]
    hidden: bool
    source: str
    """The cell without its config."""

    @property
    def name(self) -> str:
        """The test function's name."""
        return self.function.name

    @property
    def points(self) -> float | None:
        """Points of the test's own config."""
        return self.config.get("points")

    @property
    def label(self) -> str:
        """First line of the docstring: what students may read of the test."""
        return label_of(ast.get_docstring(self.function))


def label_of(docstring: str | None) -> str:
    """The first line of ``docstring``."""
    return (docstring or "").strip().partition("\n")[0].strip()


def read_tests(master: Master, question: Question) -> list[MasterTest]:
    """The question's tests, in order.

    Raises:
        BuildError: naming notebook, question and cell, for a test that otter would drop, pass
            without running it, or turn into a broken test file.
    """
    tests = [_TestCell(master, cell).read() for cell in question.of(Role.TEST)]
    names = [test.name for test in tests]
    for place, test in enumerate(tests):
        if test.name in names[:place]:
            problem = f"Two tests are named {test.name}; otter would drop the first of them."
            raise master.error(problem, question.name, test.cell.number)
    return tests


class _TestCell:
    def __init__(self, master: Master, cell: Cell) -> None:
        self.master, self.cell = master, cell

    def error(self, problem: str) -> BuildError:
        return self.master.error(problem, self.cell.question, self.cell.number)

    def read(self) -> MasterTest:
        if not self.cell.is_code:
            raise self.error("A test must be a code cell.")
        lines = self.cell.source.splitlines() or [""]
        config, body = self.split(lines)
        self.check_config(config)
        function = self.function("\n".join(body))
        self.check_signature(function)
        hidden = bool(config.get("hidden", self.marked_hidden(lines[0])))
        return MasterTest(self.cell, function, config, hidden, "\n".join(body))

    @staticmethod
    def marked_hidden(first: str) -> bool:
        comment = first.lstrip().startswith("#")
        return comment and bool(re.search(r"\bhidden\b", first, re.IGNORECASE))

    def split(self, lines: list[str]) -> tuple[dict[str, Any], list[str]]:
        import yaml
        from otter.assign.tests_manager import BEGIN_TEST_CONFIG_REGEX, END_TEST_CONFIG_REGEX

        if not re.match(BEGIN_TEST_CONFIG_REGEX, lines[0], re.IGNORECASE):
            if any(re.match(BEGIN_TEST_CONFIG_REGEX, line, re.IGNORECASE) for line in lines):
                raise self.error("BEGIN TEST CONFIG must be in the cell's first line.")
            return {}, lines
        ends = (i for i, x in enumerate(lines) if re.match(END_TEST_CONFIG_REGEX, x, re.IGNORECASE))
        end = next(ends, None)
        if end is None:
            raise self.error("BEGIN TEST CONFIG has no END TEST CONFIG.")
        try:
            config = yaml.safe_load("\n".join(lines[1:end]))
        except yaml.YAMLError as error:
            raise self.error(f"The test config's YAML is wrong: {error}") from None
        if not isinstance(config, dict):
            raise self.error("The test config needs `key: value` lines.")
        return config, lines[end + 1 :]

    def check_config(self, config: dict[str, Any]) -> None:
        for key, value in config.items():
            if key not in KEYS:
                known = ", ".join(KEYS)
                raise self.error(f"Unknown test config key {key!r} (there are {known}).")
            wanted = KEYS[key]
            if not isinstance(value, wanted) or (key == "points" and isinstance(value, bool)):
                raise self.error(f"{key}: {value!r} is of the wrong kind.")
            if isinstance(value, str) and any(character in value for character in '"\\\n'):
                problem = "a double quote, backslash or line break breaks otter's test file"
                raise self.error(f"{key}: {problem}.")
        if config.get("points", 0) < 0:
            raise self.error("A test cannot have negative points.")

    def function(self, source: str) -> ast.FunctionDef:
        try:
            body = ast.parse(source).body
        except SyntaxError as error:
            problem = f"The test is not Python: {error.msg} (line {error.lineno})."
            raise self.error(problem) from None
        if body and isinstance(body[0], ast.AsyncFunctionDef):
            raise self.error(f"{body[0].name} is async: it would never run and would pass.")
        if not body or not isinstance(body[0], ast.FunctionDef):
            raise self.error("A test cell must hold one function (imports go inside it).")
        if len(body) > 2 or (len(body) == 2 and not _calls(body[1], body[0].name)):
            problem = f"Besides {body[0].name} a test cell may hold only a call of it."
            raise self.error(f"{problem} Otter would drop the rest.")
        return body[0]

    def check_signature(self, function: ast.FunctionDef) -> None:
        arguments = function.args
        if arguments.vararg or arguments.kwarg:
            raise self.error(f"{function.name}: otter cannot call a test with *args or **kwargs.")
        if arguments.defaults or any(arguments.kw_defaults):
            raise self.error(f"{function.name}: otter replaces a parameter's default by None.")
        if arguments.posonlyargs:
            raise self.error(f"{function.name}: otter passes parameters by name; remove the `/`.")
        if function.name in RESERVED:
            raise self.error(f"{function.name} is a name that otter's test file uses itself.")
        if function.decorator_list:
            raise self.error(f"{function.name}: a test cannot have decorators.")
        if _yields(function):
            raise self.error(f"{function.name} holds a yield: it would never run and would pass.")


def _calls(node: ast.stmt, name: str) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name


def _yields(function: ast.FunctionDef) -> bool:
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, scopes):
            waiting.extend(ast.iter_child_nodes(node))
    return False

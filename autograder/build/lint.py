"""What otter lets through and an assignment must not ship with."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from autograder.build.answers import check_answers
from autograder.build.flow import find_leak
from autograder.build.master import Master, Question, Role
from autograder.build.metric import typed_threshold
from autograder.build.sources import Sources
from autograder.build.testcell import MasterTest, read_tests
from autograder.errors import BuildError

KEYS = {"name", "manual", "points", "check_cell", "export", "all_or_nothing"}
"""The question config keys that otter heeds; it accepts all others without a word."""
LAB = "an assignment with `ungraded = true` has self-checks only"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def lint(sources: Sources, master: Master) -> dict[str, list[MasterTest]]:
    """Check ``master`` and return each autograded question's tests.

    Raises:
        BuildError: for the first thing that is wrong, naming notebook, question and cell.
    """
    _check_config(master)
    _check_names(master)
    if sources.recipe.ungraded:
        _check_ungraded(sources, master)
    tests = {}
    for question in master.questions:
        _check_question(master, question)
        found = read_tests(master, question)
        if question.written:
            _check_written(sources, master, question, found)
        else:
            _check_autograded(master, question, found)
            _check_secrets(master, found)
            _check_thresholds(master, found)
            tests[question.name] = found
    _check_rubrics(sources, master)
    _check_requires(sources, master, tests)
    _check_milestones(sources, master)
    _check_checkpoints(sources, tests)
    check_answers(master)
    return tests


def _check_config(master: Master) -> None:
    number = next(cell.number for cell in master.cells if cell.role is Role.CONFIG)
    tests = master.config.get("tests")
    if not isinstance(tests, dict) or tests.get("ok_format") is not False:
        problem = "Tests must be exception-based: put `tests: {ok_format: false}` in the config."
        raise master.error(problem, cell=number)
    for key in ("files", "autograder_files"):
        names = master.config.get(key) or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise master.error(f"`{key}:` must be a list of names.", cell=number)
    if master.config.get("generate") is False:
        raise master.error("`generate: false` leaves graders without a bundle.", cell=number)


def _check_names(master: Master) -> None:
    seen: dict[str, int] = {}
    for question in master.questions:
        if question.name in seen:
            problem = f"Another question of this name begins in cell {seen[question.name]}."
            raise master.error(problem, question.name, question.number)
        if not NAME.fullmatch(question.name):
            problem = "A question's name is made of letters, digits, - and _, a letter first."
            raise master.error(problem, question.name, question.number)
        seen[question.name] = question.number


def _check_question(master: Master, question: Question) -> None:
    for key, value in question.config.items():
        if key not in KEYS:
            problem = f"Unknown question key {key!r} (there are {', '.join(sorted(KEYS))})."
            raise master.error(problem, question.name, question.number)
        if key not in {"name", "points"} and not isinstance(value, bool):
            raise master.error(f"{key}: must be true or false.", question.name, question.number)


def _check_written(
    sources: Sources, master: Master, question: Question, tests: list[MasterTest]
) -> None:
    error = partial(master.error, question=question.name, cell=question.number)
    if tests:
        raise error("A written question cannot have tests too; make two questions of it.")
    if not prompt_of(question):
        raise error("A written question needs its text in a Markdown cell inside the question.")
    if not question.of(Role.SOLUTION) and not question.of(Role.PROMPT):
        raise error("A written question needs a solution or a prompt, or students get no cell.")
    points: Any = question.config.get("points")
    if not _is_number(points):
        raise error("A written question needs `points:`, a number.")
    rubric = sources.recipe.rubric.get(question.name, [])
    if not rubric:
        raise error(f"It has no [[rubric.{question.name}]] in assignment.toml.")
    total = sum(item.points for item in rubric)
    if not math.isclose(total, points):
        raise error(f"The rubric's points sum to {total:g} and the question has {points:g}.")


def _check_autograded(master: Master, question: Question, tests: list[MasterTest]) -> None:
    error = partial(master.error, question=question.name, cell=question.number)
    if not tests:
        raise error("It has neither tests nor `manual: true`.")
    if not any(cell.is_code for cell in question.of(Role.SOLUTION)):
        raise error("It has tests and no solution cell: nothing for students to do.")
    points = question.config.get("points")
    if isinstance(points, dict):
        if set(points) != {"each"} or not _is_number(points["each"]):
            raise error("`points:` as a table must be {each: a number}.")
        points = points["each"] * len(tests)
    if isinstance(points, list):
        _check_point_list(error, points, tests)
    elif points is not None:
        if not _is_number(points):
            raise error(f"points: {points!r} is not a number.")
        _check_point_sum(error, points, tests)


def _check_point_list(
    error: Callable[[str], BuildError], points: list[Any], tests: list[MasterTest]
) -> None:
    if len(points) != len(tests) or not all(_is_number(value) for value in points):
        raise error(f"`points:` lists {len(points)} values for {len(tests)} tests.")
    if any(test.hidden for test in tests):
        raise error("`points:` as a list breaks the public tests: give each test its own points.")
    for test, value in zip(tests, points, strict=True):
        if test.points not in (None, value):
            raise error(f"{test.name} has points of its own, which the list overrides.")


def _check_point_sum(
    error: Callable[[str], BuildError], points: float, tests: list[MasterTest]
) -> None:
    own = [test.points for test in tests if test.points is not None]
    total = sum(own)
    if len(own) == len(tests) and not math.isclose(total, points):
        raise error(f"Its tests' points sum to {total:g} and the question has {points:g}.")
    if total > points and not math.isclose(total, points):
        raise error(f"Its tests' points sum to {total:g}, over the question's {points:g}.")


def _check_ungraded(sources: Sources, master: Master) -> None:
    for key in (
        "expected_files",
        "feedback",
        "rubric",
        "requires",
        "ledger",
        "milestone",
        "checkpoint",
    ):
        if getattr(sources.recipe, key):
            raise sources.error(f"{key}: {LAB}; nothing of it is handed in.")
    for question in master.questions:
        error = partial(master.error, question=question.name)
        if question.written:
            raise error(f"It is `manual: true`, and {LAB}.", cell=question.number)
        if question.config.get("points") != 0:
            raise error(f"It needs `points: 0`: {LAB}.", cell=question.number)
        for test in read_tests(master, question):
            if test.hidden:
                raise error(f"{test.name} is hidden, and {LAB}.", cell=test.cell.number)


def _check_secrets(master: Master, tests: list[MasterTest]) -> None:
    for test in tests:
        leak = find_leak(test.function)
        if leak is not None:
            problem = f"{test.name}, line {_line(test, leak.line)} of the cell, {leak.problem}."
            raise master.error(problem, test.cell.question, test.cell.number)


def _check_thresholds(master: Master, tests: list[MasterTest]) -> None:
    for test in tests:
        typed = typed_threshold(test.function)
        if typed is not None:
            problem = (
                f"{test.name}, line {_line(test, typed.line)} of the cell, compares a score with a "
                f"typed number, {typed.number:g}, in `{typed.text}`; let `autograder calibrate` "
                "derive it and read it from hidden.py."
            )
            raise master.error(problem, test.cell.question, test.cell.number)


def _line(test: MasterTest, line: int) -> int:
    """Line of the cell of a ``line`` of the test's source."""
    return len(test.cell.source.splitlines()) - len(test.source.splitlines()) + line


def _check_rubrics(sources: Sources, master: Master) -> None:
    written = {question.name for question in master.questions if question.written}
    for name in sources.recipe.rubric:
        if name not in written:
            raise sources.error(f"rubric.{name}: the master has no written question {name}.")


def _check_requires(sources: Sources, master: Master, tests: dict[str, list[MasterTest]]) -> None:
    order = [question.name for question in master.questions if not question.written]
    for name in sources.recipe.ledger:
        if name not in order:
            raise sources.error(f"ledger: the master has no autograded question {name}.")
    for name, wanted in sources.recipe.requires.items():
        for other in [name, *wanted]:
            if other not in order:
                problem = f"requires.{name}: the master has no autograded question {other}."
                raise sources.error(problem)
        for other in wanted:
            if order.index(other) >= order.index(name):
                problem = (
                    f"requires.{name}: {other} does not come before {name} in the master, and a "
                    "question can only build on earlier ones (nothing may go round in a circle)."
                )
                raise sources.error(problem)
            if all(test.hidden for test in tests[other]):
                raise sources.error(
                    f"requires.{name}: {other} has no public test, whose outcome would decide "
                    f"whether {name} can be asked."
                )


def _check_milestones(sources: Sources, master: Master) -> None:
    questions = [question.name for question in master.questions]
    for name, table in sources.recipe.milestone.items():
        for question in table.questions:
            if question not in questions:
                raise sources.error(f"milestone.{name}: the master has no question {question}.")
        for file in [*table.files, *table.optional, *table.needs]:
            if file not in sources.recipe.expected_files:
                raise sources.error(f"milestone.{name}: {file} is not among expected_files.")


def _check_checkpoints(sources: Sources, tests: dict[str, list[MasterTest]]) -> None:
    for file, table in sources.recipe.checkpoint.items():
        where = f'checkpoint."{file}"'
        if file not in sources.recipe.expected_files:
            raise sources.error(f"{where}: {file} is not among expected_files.")
        if table.question not in tests:
            problem = f"{where}: the master has no autograded question {table.question}."
            raise sources.error(problem)
        known = [test.name for test in tests[table.question]]
        for name in table.tests:
            if name not in known:
                raise sources.error(f"{where}: {table.question} has no test {name}.")


def prompt_of(question: Question) -> str:
    """The question's text, as Markdown."""
    cells = [cell for cell in question.of(Role.TEXT) if cell.node.cell_type == "markdown"]
    return "\n\n".join(cell.source.strip() for cell in cells).strip()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf

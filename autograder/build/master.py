"""A master notebook, read: its questions, and what role each of its cells plays."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.build.config import merge
from autograder.errors import BuildError

if TYPE_CHECKING:
    from nbformat import NotebookNode


class Role(StrEnum):
    """What a cell is for."""

    CONFIG = "assignment config"
    BOUNDARY = "boundary"
    GIVEN = "given"
    """Outside any question; published."""
    TEXT = "text"
    """In a question, outside any block; published."""
    PROMPT = "prompt"
    SOLUTION = "solution"
    TEST = "tests"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Cell:
    """One cell of a master."""

    number: int
    """Its place in the notebook as Jupyter counts, from 1."""
    node: NotebookNode
    role: Role
    question: str = ""
    """Name of the question it belongs to."""

    @property
    def source(self) -> str:
        """The cell's text."""
        return str(self.node.source)

    @property
    def is_code(self) -> bool:
        """Whether it is a code cell."""
        return bool(self.node.cell_type == "code")


@dataclass(frozen=True)
class Question:
    """One question: its ``# BEGIN QUESTION`` cell and the cells up to ``# END QUESTION``."""

    name: str
    number: int
    """Number of the ``# BEGIN QUESTION`` cell."""
    config: dict[str, Any]
    cells: list[Cell] = field(default_factory=list)

    @property
    def written(self) -> bool:
        """Whether people grade it."""
        return bool(self.config.get("manual", False))

    def of(self, role: Role) -> list[Cell]:
        """The question's cells that play ``role``."""
        return [cell for cell in self.cells if cell.role is role]


@dataclass(frozen=True)
class Master:
    """A master notebook."""

    label: str
    """The notebook as errors name it."""
    notebook: NotebookNode
    config: dict[str, Any]
    """The ASSIGNMENT CONFIG."""
    cells: list[Cell]
    questions: list[Question]
    ids: frozenset[str]
    """Cell ids that are in the file, and therefore the same at every build."""

    def error(self, problem: str, question: str = "", cell: int | None = None) -> BuildError:
        """An error in this notebook."""
        return BuildError(problem, notebook=self.label, question=question, cell=cell)


def read_master(path: Path, label: str) -> Master:
    """Read the master notebook at ``path``.

    Raises:
        BuildError: if it is no notebook, or its blocks do not nest as otter's must.
    """
    reader = _Reader(label)
    notebook = _load(path, label)
    ids = frozenset(str(cell["id"]) for cell in notebook.cells if "id" in cell)
    for number, node in enumerate(notebook.cells, 1):
        reader.read(number, node)
    reader.finish()
    config = reader.assignment_config(path.parent)
    return Master(label, notebook, config, reader.cells, reader.questions, ids)


def _load(path: Path, label: str) -> NotebookNode:
    from nbformat import v4

    # nbformat.read would give missing or repeated cell ids new ones at random.
    try:
        notebook: NotebookNode = v4.reads(path.read_text("utf-8"))
        kinds = {cell.cell_type for cell in notebook.cells if isinstance(cell.source, str)}
        format_, _ = notebook.nbformat, notebook.metadata.kernelspec.name
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BuildError(f"It is not a notebook ({error}).", notebook=label) from None
    if format_ != 4 or not kinds <= {"code", "markdown", "raw"}:
        raise BuildError("Save it as a notebook of format 4.", notebook=label)
    return notebook


class _Reader:
    """Otter's block grammar, keeping the cell numbers that otter's own transformer loses."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.cells: list[Cell] = []
        self.questions: list[Question] = []
        self.open: list[str] = []

    @property
    def question(self) -> Question | None:
        return self.questions[-1] if self.open else None

    def error(self, problem: str, number: int | None) -> BuildError:
        name = self.question.name if self.question else ""
        return BuildError(problem, notebook=self.label, question=name, cell=number)

    def read(self, number: int, node: NotebookNode) -> None:
        from otter.assign.blocks import extract_all_fenced_otter_cells
        from otter.assign.utils import AssignNotebookFormatException

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parts = extract_all_fenced_otter_cells([node])
        except AssignNotebookFormatException as error:
            raise self.error(str(error), number) from None
        for part in parts:
            self.place(number, part)

    def place(self, number: int, node: NotebookNode) -> None:
        from otter.assign.blocks import BlockType, is_assignment_config_cell, is_block_boundary_cell
        from otter.assign.utils import is_ignore_cell

        if is_ignore_cell(node):
            return self.add(number, node, Role.IGNORED)
        if is_assignment_config_cell(node):
            return self.add(number, node, Role.CONFIG)
        for block in BlockType:
            if is_block_boundary_cell(node, block, end=True):
                return self.close(number, node, block.value)
            if is_block_boundary_cell(node, block):
                return self.begin(number, node, block.value)
        inside = {0: Role.GIVEN, 1: Role.TEXT}
        role = inside.get(len(self.open)) or Role(self.open[-1])
        return self.add(number, node, role)

    def add(self, number: int, node: NotebookNode, role: Role) -> None:
        question = self.question
        cell = Cell(number, node, role, question.name if question else "")
        self.cells.append(cell)
        if question is not None:
            question.cells.append(cell)

    def begin(self, number: int, node: NotebookNode, block: str) -> None:
        if (block == "question") != (not self.open) or len(self.open) > 1:
            where = f"inside the {self.open[-1]} block" if self.open else "outside any question"
            raise self.error(f"A {block} block begins {where}.", number)
        if block == "question":
            config = _config(self.label, number, node)
            self.questions.append(Question(_name(self.label, number, config), number, config))
        self.open.append(block)
        self.add(number, node, Role.BOUNDARY)

    def close(self, number: int, node: NotebookNode, block: str) -> None:
        if not self.open or self.open[-1] != block:
            raise self.error(f"A {block} block ends that is not the one open here.", number)
        self.add(number, node, Role.BOUNDARY)
        self.open.pop()

    def finish(self) -> None:
        if self.open:
            number = self.questions[-1].number
            raise self.error(f"The {self.open[-1]} block is never ended.", number)

    def assignment_config(self, folder: Path) -> dict[str, Any]:
        found = [cell for cell in self.cells if cell.role is Role.CONFIG]
        if len(found) != 1:
            number = found[1].number if found else None
            problem = f"It has {len(found)} `# ASSIGNMENT CONFIG` cells and needs exactly one."
            raise BuildError(problem, notebook=self.label, cell=number)
        config = _config(self.label, found[0].number, found[0].node)
        file = config.pop("config_file", None)
        return merge(_config_file(self.label, folder / file), config) if file else config


def _config(label: str, number: int, node: NotebookNode) -> dict[str, Any]:
    import yaml
    from otter.assign.blocks import get_cell_config

    try:
        config = get_cell_config(node)
    except yaml.YAMLError as error:
        raise BuildError(f"Its YAML is wrong: {error}", notebook=label, cell=number) from None
    if not isinstance(config, dict):
        raise BuildError("It needs `key: value` lines.", notebook=label, cell=number)
    return config


def _config_file(label: str, file: Path) -> dict[str, Any]:
    import yaml

    try:
        config = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BuildError(f"config_file cannot be read: {error}", notebook=label) from None
    if not isinstance(config, dict):
        raise BuildError("config_file needs `key: value` lines.", notebook=label)
    return config


def _name(label: str, number: int, config: dict[str, Any]) -> str:
    name = config.get("name")
    if not isinstance(name, str) or not name:
        problem = "The question needs a `name:` that is text."
        raise BuildError(problem, notebook=label, cell=number)
    return name

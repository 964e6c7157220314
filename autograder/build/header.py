"""The docstring that heads a mutant or a member of the panel: title, then ``key: value`` lines."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import BuildError


@dataclass(frozen=True)
class Header:
    """What a file of wrong or of other right answers says of itself."""

    title: str
    """The docstring's first line."""
    fields: dict[str, str]
    """The values of the ``key: value`` lines below it."""
    end: int
    """The number of the docstring's last line; 0 if there is none."""


def scripts(folder: Path) -> list[Path]:
    """The files in ``folder`` that have such headers, by name; none if there is no folder."""
    return sorted(file for file in folder.glob("*.py") if file.name != "__init__.py")


def read_header(file: Path, code: str) -> Header:
    """The header of ``file``, which holds ``code``.

    Raises:
        BuildError: if ``code`` is not Python.
    """
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        raise BuildError(f"It is not Python: {error}.", notebook=label(file)) from None
    text = ast.get_docstring(tree)
    if text is None:
        return Header("", {}, 0)
    title, *rest = text.splitlines()
    pairs = (line.split(":", 1) for line in rest if ":" in line)
    fields = {key.strip(): value.strip() for key, value in pairs}
    return Header(title.strip(), fields, tree.body[0].end_lineno or 0)


def label(file: Path) -> str:
    """``file`` as errors name it: its folder and its name."""
    return f"{file.parent.name}/{file.name}"

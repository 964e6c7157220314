"""From a master notebook to what students and graders get.

::

    solutions/NAME/ ──build──▶ assignments/NAME/   student notebook, public files
                          └──▶ dist/NAME/          otter's autograder zip, manifest.json

``otter assign`` does the work; this package stages its input, checks what it lets through, and
makes its output reproducible. ``autograder.build.verify`` proves an assignment before it ships.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autograder.bundle import Bundle

if TYPE_CHECKING:
    from autograder.build.leak import Leak

__all__ = ["build", "labs", "leaks", "names"]


def build(name: str, project: Path) -> Bundle:
    """Build ``solutions/NAME/`` into ``assignments/NAME/`` and ``dist/NAME/``.

    Both folders are replaced together, and only when everything has succeeded.

    Args:
        name: The assignment.
        project: The project's root.

    Raises:
        BuildError: naming notebook, question and cell, for whatever must not ship.
    """
    from autograder.build.compose import compose
    from autograder.build.publish import publish

    built = compose(name, project)
    target = project / "dist" / name
    publish({project / "assignments" / name: built.assignment, target: built.bundle})
    return Bundle(target)


def names(project: Path) -> list[str]:
    """The assignments that ``project`` has sources of, labs included."""
    folders = sorted((project / "solutions").glob("*/assignment.toml"))
    return [file.parent.name for file in folders]


def labs(project: Path) -> list[str]:
    """The names of those that are ungraded.

    Raises:
        BuildError: naming the file, if an ``assignment.toml`` is wrong.
    """
    from autograder.build.sources import Sources

    return [name for name in names(project) if Sources.read(name, project).recipe.ungraded]


def leaks(folder: Path, name: str, project: Path) -> list[Leak]:
    """What ``folder`` shows of the assignment ``name`` that students must not see.

    Args:
        folder: A published folder, such as ``assignments/NAME/``.
        name: The assignment whose tests, solutions, rubrics, reference and weights are hidden.
        project: The project's root.
    """
    from autograder.build.leak import leaks as search

    return search(folder, name, project)

"""A made-up class for an assignment: what Canvas would hand its graders.

The cast covers what graders meet: work that is right, half done and wrong, files that are no
notebooks, and notebooks that try to be graded better than they are. What each of them should get
is data, so that a demonstration can check itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from autograder.bundle import Manifest
from autograder.demo.canvas import gradebook_csv, submissions_zip
from autograder.demo.cast import Role, roles
from autograder.files import write_atomically

__all__ = ["DemoClass", "Role", "demo_class"]


class DemoClass(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a class, and what should come of them."""

    submissions: bytes
    """``submissions.zip`` as Canvas makes it."""
    gradebook: bytes
    """``gradebook.csv`` as Canvas exports it."""
    roles: list[Role]
    column: str
    """Header of the assignment's column in the gradebook."""

    def write(self, folder: Path) -> None:
        """Write ``submissions.zip``, ``gradebook.csv`` and ``expected.json`` into ``folder``.

        Raises:
            OSError: if it cannot be written.
        """
        expected = [
            {"id": role.student.id, **msgspec.to_builtins(msgspec.structs.replace(role, files={}))}
            for role in self.roles
        ]
        write_atomically(folder / "submissions.zip", self.submissions)
        write_atomically(folder / "gradebook.csv", self.gradebook)
        write_atomically(
            folder / "expected.json", msgspec.json.format(msgspec.json.encode(expected)) + b"\n"
        )


def demo_class(
    solution: bytes,
    student: bytes,
    weights: Mapping[str, bytes],
    mutants: Mapping[str, bytes],
    manifest: Manifest,
    full: bool = True,
) -> DemoClass:
    """Make the demonstration class of an assignment.

    Args:
        solution: The notebook with solutions.
        student: The notebook that students get; the same cells but for the answers.
        weights: The files handed in beside the notebook, by name.
        mutants: Notebooks with one wrong answer each, by the mutant's name; three are used.
        manifest: Of the assignment.
        full: Whether everybody is there, or a few of each kind. Only the full class has cells
            that never end. Everybody hands in weights, so that nothing has to be trained first.

    Raises:
        NotebookError: if ``solution`` or ``student`` is no notebook.
        ValueError: if they have no check cells.
    """
    cast = roles(solution, student, weights, mutants, manifest, full)
    column = f"{manifest.title} (88131)"
    return DemoClass(
        submissions=submissions_zip(cast),
        gradebook=gradebook_csv(
            [role for role in cast if role.enrolled], column, manifest.possible
        ),
        roles=cast,
        column=column,
    )

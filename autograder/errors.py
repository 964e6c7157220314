"""Errors with one sentence for the person who can mend them.

::

    AutograderError
    ├── BuildError        a master notebook or its assignment.toml is wrong
    ├── CourseError       course.toml is wrong, or says something else than what is built
    ├── ReleaseError      a release would show what is hidden, or overwrite what is not its own
    ├── IntakeError       submissions or a roster cannot be read
    ├── NotebookError     a student's file is not a notebook; the text is for the student
    ├── StoreError        the file of results is damaged, locked or of another version
    ├── ExportError       a gradebook would be damaged by writing grades into it
    ├── CanvasError       Canvas cannot be reached, refuses, or says what makes no sense
    │   └── OutcomeUnknown    something was sent, and nobody can say whether it was done
    ├── BundleError       a bundle is missing, damaged or of another version
    ├── IsolationError    this machine cannot isolate rooms
    └── RoomError         a room failed through no fault of the student
"""

from __future__ import annotations

import errno
from pathlib import Path


class AutograderError(Exception):
    """Base of every error this package raises on purpose; its text is for people."""


class BuildError(AutograderError):
    """A master notebook or its ``assignment.toml`` is wrong.

    Args:
        problem: What is wrong and what to do, one sentence.
        notebook: Path of the notebook or file.
        question: Name of the question, if it is inside one.
        cell: Index of the cell in the notebook, counted from 1 as Jupyter shows them.
    """

    def __init__(
        self, problem: str, *, notebook: str = "", question: str = "", cell: int | None = None
    ) -> None:
        place = [notebook] if notebook else []
        if question:
            place.append(f"question {question}")
        if cell is not None:
            place.append(f"cell {cell}")
        super().__init__(": ".join([", ".join(place), problem]) if place else problem)
        self.problem, self.notebook, self.question, self.cell = problem, notebook, question, cell


class CourseError(AutograderError):
    """The course file is wrong, or says something else than what is built."""


class ReleaseError(AutograderError):
    """A release would show what is hidden, or overwrite what is not its own."""


class IntakeError(AutograderError):
    """Submissions or a roster cannot be read."""


class NotebookError(AutograderError):
    """A student's file is not a notebook that can be run; the text is for the student."""


class StoreError(AutograderError):
    """The file of results is damaged, locked or of another version."""

    @classmethod
    def unwritable(cls, path: Path, problem: OSError) -> StoreError:
        """What to say when ``path`` cannot be written."""
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            return cls.full(path)
        return cls(
            f"The results in {path} cannot be written ({problem.strerror}); check that the folder "
            "exists and may be written, and run the same command again: nothing graded is lost."
        )

    @classmethod
    def full(cls, path: Path) -> StoreError:
        """What to say when there is no room for ``path``."""
        return cls(
            f"The disk that holds {path} is full; free space and run the same command again: "
            "nothing graded is lost."
        )


class DamagedStoreError(StoreError):
    """The file of results is not what was written."""


class ExportError(AutograderError):
    """A gradebook would be damaged by writing grades into it."""


class CanvasError(AutograderError):
    """Canvas cannot be reached, refuses, or says what makes no sense.

    Args:
        problem: What is wrong and what to do, one sentence.
        status: The answer's HTTP status; 0 if there was none.
    """

    def __init__(self, problem: str, status: int = 0) -> None:
        super().__init__(problem)
        self.status = status


class OutcomeUnknown(CanvasError):
    """Something was sent to Canvas, and nobody can say whether it was done: read it back."""


class BundleError(AutograderError):
    """A bundle is missing, damaged or of another version."""


class IsolationError(AutograderError):
    """The machine cannot isolate rooms."""


class RoomError(AutograderError):
    """A room failed through no fault of the student."""

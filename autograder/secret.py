"""The course secret: from it hidden data and labels are drawn. It never ships."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from autograder.errors import AutograderError

TRY_OUT = "try-out"
"""The published value that is used where no secret was set. Not for real grades."""
FILE = "course_secret"
"""Name of the file, beside ``otter_config.json``, that may hold it. Git ignores it."""

TOKEN = "CANVAS_TOKEN"  # noqa: S105 - a name
"""Environment variable with the access token of Canvas."""


class Secret(NamedTuple):
    """A secret and where it came from."""

    value: str
    origin: str
    try_out: bool


def course_secret(project: Path | None = None) -> Secret:
    """Find the course secret.

    The environment variable ``AUTOGRADER_SECRET`` comes first, then the file that
    ``AUTOGRADER_SECRET_FILE`` names, then the file ``course_secret`` of the project.

    Raises:
        AutograderError: if a named file cannot be read or is empty.
    """
    if value := os.environ.get("AUTOGRADER_SECRET"):
        return Secret(value, "AUTOGRADER_SECRET", False)
    named = os.environ.get("AUTOGRADER_SECRET_FILE")
    path = Path(named) if named else (project or Path.cwd()) / FILE
    if not named and not path.is_file():
        return Secret(TRY_OUT, "the published try-out value", True)
    try:
        value = path.read_text().strip()
    except OSError as error:
        raise AutograderError(
            f"The course secret in {path} cannot be read ({error.strerror})."
        ) from None
    if not value:
        raise AutograderError(f"The file {path} should hold the course secret, but is empty.")
    return Secret(value, str(path), False)

"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
PROJECT = click.option(
    "--project", type=FOLDER, default=Path(), help="The course repository; this folder by default."
)
RESULTS = click.option(
    "--results", "folder", type=FOLDER, default=Path("grading"), show_default=True,
    help="Folder that `autograder grade --out` wrote.",
)  # fmt: skip
JOURNAL = click.option(
    "--journal", type=FILE, default=Path("canvas/journal.sqlite"), show_default=True,
    help="What was sent to Canvas before.",
)  # fmt: skip


def listed(text: str | None) -> list[str]:
    """The parts of a list such as ``p0,p1``."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]

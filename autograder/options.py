"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
PROJECT = click.option(
    "--project", type=FOLDER, default=Path(), help="The course repository; this folder by default."
)

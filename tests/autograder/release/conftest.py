"""A course of two tiny assignments, built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder.build import build

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
COURSE = """\
title = "Deep | Learning"
term = "Spring 2027"
licence = "MIT"
help = "Ask in the forum."
repository = "https://github.com/owner/course"

[policies.late]
by = "autograder"
grace_hours = 2
per_day = 0.1

[[assignment]]
name = "sound"
kind = "homework"
points = 6
weight = 0.25
release = 2027-01-01T00:00:00Z
due = 2027-01-31T23:59:00+01:00

[[assignment]]
name = "later"
kind = "homework"
points = 6
weight = 0.75
release = 2027-02-01T09:00:00Z
due = 2027-02-28T23:59:00Z
"""


@pytest.fixture(scope="session")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project; nothing may be written there."""
    project = tmp_path_factory.mktemp("offered") / "project"
    shutil.copytree(NOTEBOOKS / "reference_impl", project / "reference_impl")
    (project / "course.toml").write_text(COURSE)
    (project / "LICENSE").write_text("Do what you like.\n")
    for name in ("sound", "later"):
        shutil.copytree(NOTEBOOKS / "solutions" / "sound", project / "solutions" / name)
        (project / "solutions" / name / "sound.ipynb").rename(
            project / "solutions" / name / f"{name}.ipynb"
        )
        recipe = project / "solutions" / name / "assignment.toml"
        recipe.write_text(recipe.read_text().replace('"Sound"', f'"{name.title()}"'))
        build(name, project)
    return project


@pytest.fixture
def project(offered: Path, tmp_path: Path) -> Path:
    """A copy of the project, to change."""
    shutil.copytree(offered, tmp_path / "project")
    return tmp_path / "project"

"""otter assign, run on a staged master."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import BuildError


@dataclass(frozen=True)
class Assigned:
    """What otter made of a master."""

    student: dict[str, bytes]
    """Files for students, by path."""
    solution: bytes
    """The notebook with solutions and without tests."""
    archive: bytes
    """The autograder zip."""


def assign(staged: Path, label: str) -> Assigned:
    """Run ``otter assign`` on the notebook ``staged``, beside which are all files it names.

    Raises:
        BuildError: with otter's own words, naming ``label``.
    """
    result = staged.parent.parent / "dist"
    with _as_otter_expects(staged.parent.parent):
        try:
            from otter.assign import main

            main(str(staged), str(result), no_pdfs=True, no_run_tests=True)
        except Exception as error:
            problem = f"otter assign refuses it: {error or type(error).__name__}"
            raise BuildError(problem, notebook=label) from error
    archives = list((result / "autograder").glob("*.zip"))
    if len(archives) != 1:
        raise BuildError("otter assign made no autograder zip.", notebook=label)
    solution = (result / "autograder" / staged.name).read_bytes()
    return Assigned(read_tree(result / "student"), solution, archives[0].read_bytes())


def read_tree(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``, by path, sorted."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@contextmanager
def _as_otter_expects(folder: Path) -> Iterator[None]:
    """Keep otter's temporary files (hidden tests, left behind when it fails) in ``folder``."""
    here, temporary = os.getcwd(), tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        tempfile.tempdir = temporary
        os.chdir(here)

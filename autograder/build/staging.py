"""The staged assignment: a folder that holds all otter needs, and nothing else."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.build.config import (
    MODULES,
    REFERENCE,
    REQUIREMENTS,
    STUDENT_REQUIREMENTS,
    module_source,
    staged_config,
)
from autograder.build.master import Role

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from autograder.build.master import Master
    from autograder.build.sources import Sources

JUNK = shutil.ignore_patterns("__pycache__", "*.pyc", ".ipynb_checkpoints", ".OTTER_LOG", ".*.swp")


def stage(sources: Sources, master: Master, folder: Path) -> Path:
    """Fill ``folder`` and return the staged master notebook.

    The instructor's weights stay behind: they are no input of otter's.

    Raises:
        BuildError: if a file that the config names does not exist.
    """
    _copy_sources(sources, folder)
    config = staged_config(sources, master)
    if not (folder / REQUIREMENTS).is_file() or _own_requirements(sources).is_file():
        (folder / REQUIREMENTS).write_text(gradescope_requirements(sources), "utf-8")
    for key in ("files", "autograder_files"):
        for name in config.get(key) or []:
            _check_file(sources, master, folder, key, name)
    staged = folder / sources.notebook.name
    staged.write_text(_notebook(master, config), "utf-8")
    return staged


def student_requirements(sources: Sources) -> str:
    """What ``pip`` installs for a student."""
    own = _own_requirements(sources)
    if own.is_file():
        return own.read_text("utf-8")
    return f"numpy\notter-grader=={version('otter-grader')}\nsafetensors\ntorch\n"


def gradescope_requirements(sources: Sources) -> str:
    """What ``pip`` installs for the autograder on Gradescope, besides otter itself."""
    reference = sources.project / "reference_impl" / "requirements.txt"
    texts = [
        student_requirements(sources),
        *([reference.read_text()] if reference.is_file() else []),
    ]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith("#")]
    # otter pins itself with its grading extras; a second line could contradict it.
    wanted = [line for line in wanted if not re.match(r"otter[-_.]grader\b", line, re.I)]
    return "".join(f"{line}\n" for line in wanted)


def _own_requirements(sources: Sources) -> Path:
    return sources.folder / STUDENT_REQUIREMENTS


def _is_weights(sources: Sources, name: str) -> bool:
    return name.endswith(".safetensors") and (sources.folder / name).parent == sources.folder


def _copy_sources(sources: Sources, folder: Path) -> None:
    def junk(where: str, names: list[str]) -> set[str]:
        own = names if Path(where) == sources.folder else []
        return JUNK(where, names) | {name for name in own if _is_weights(sources, name)}

    shutil.copytree(sources.folder, folder, ignore=junk, dirs_exist_ok=True)
    for name in MODULES:
        (folder / name).write_bytes(module_source(name))
    for target, source in sources.recipe.stage.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sources.project / source, folder / target)
    if sources.reference.is_dir():
        _copy_reference(sources, folder / REFERENCE)


def _copy_reference(sources: Sources, folder: Path) -> None:
    folder.mkdir(exist_ok=True)  # [stage] may have put further files there
    for module in sources.reference.glob("*.py"):
        shutil.copy(module, folder)
    own = sources.reference / sources.name
    if own.is_dir():
        proofs = {sources.mutants.name, sources.panel.name}
        junk = shutil.ignore_patterns(*proofs, "__pycache__", "*.pyc", ".ipynb_checkpoints")
        shutil.copytree(own, folder / sources.name, ignore=junk, dirs_exist_ok=True)


def _check_file(sources: Sources, master: Master, folder: Path, key: str, name: str) -> None:
    number = next(cell.number for cell in master.cells if cell.role is Role.CONFIG)
    file = folder / name
    if name in sources.recipe.expected_files or _is_weights(sources, name):
        raise master.error(f"{key}: {name} is the instructor's and never published.", cell=number)
    if not file.exists():
        problem = f"{key}: {name} is neither beside the master nor in assignment.toml's [stage]."
        raise master.error(problem, cell=number)
    if not file.resolve().is_relative_to(folder.resolve()):
        raise master.error(f"{key}: {name} must be beside the master or below it.", cell=number)
    if file.is_dir() and len(Path(name).parts) > 1:
        problem = f"{key}: otter moves the folder {name} to the top; list {Path(name).parts[0]}."
        raise master.error(problem, cell=number)


def _notebook(master: Master, config: dict[str, Any]) -> str:
    """The master with ``config``, and with each cell of a question saying which it is of."""
    import nbformat
    import yaml

    notebook = nbformat.from_dict({**master.notebook, "cells": []})
    for cell in master.cells:
        node: NotebookNode = nbformat.from_dict(cell.node)
        if cell.role is Role.CONFIG:
            text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
            node.source = f"# ASSIGNMENT CONFIG\n{text}"
        if cell.question:
            node.metadata["question"] = cell.question
        notebook.cells.append(node)
    return str(nbformat.v4.writes(notebook))

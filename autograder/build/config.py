"""The ASSIGNMENT CONFIG that otter gets: the master's own, on top of the course's."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import BuildError

if TYPE_CHECKING:
    from autograder.build.master import Master
    from autograder.build.sources import Sources

HANDIN = "handin.py"
MODULES = ("coursekit.py", HANDIN)
"""Modules of this package that are published beside every student notebook."""
REFERENCE = "reference_impl"
"""Folder of the answers; in the bundle, never published."""
REQUIREMENTS = "requirements.txt"
STUDENT_REQUIREMENTS = "requirements.student.txt"
"""Published as ``requirements.txt``, and what the autograder installs as well."""
PYTHON = "3.11"
"""Python of Gradescope's image, where the master does not name one."""


def module_source(name: str) -> bytes:
    """One of the published ``MODULES`` that every assignment has."""
    import autograder

    return (Path(autograder.__file__).parent / name).read_bytes()


def published_modules(sources: Sources) -> tuple[str, ...]:
    """The ``MODULES`` that students get: of a lab, nothing is handed in that could be looked at."""
    return tuple(name for name in MODULES if name != HANDIN or not sources.recipe.ungraded)


def merge(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """``base`` overridden by ``top``, table by table."""
    merged = copy.deepcopy(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


def staged_config(sources: Sources, master: Master) -> dict[str, Any]:
    """The master's config with what every assignment of the course has."""
    config = copy.deepcopy(master.config)
    config["files"] = _with(config.get("files"), *published_modules(sources))
    if sources.reference.is_dir():
        config["autograder_files"] = _with(config.get("autograder_files"), REFERENCE)
    own = config.get("generate")
    config["generate"] = merge(_course(sources.project), own if isinstance(own, dict) else {})
    if config.get("requirements") in (None, STUDENT_REQUIREMENTS):
        config["requirements"] = REQUIREMENTS
    config.setdefault("python_version", PYTHON)
    if sources.recipe.ungraded:
        config["export_cell"] = False
    elif sources.recipe.expected_files and config.get("export_cell", True) is not False:
        export = config.get("export_cell")
        export = dict(export) if isinstance(export, dict) else {}
        export["files"] = _with(export.get("files"), *sources.recipe.expected_files)
        config["export_cell"] = export
    return config


def _with(names: list[str] | None, *more: str) -> list[str]:
    return list(dict.fromkeys([*(names or []), *more]))


def _course(project: Path) -> dict[str, Any]:
    """The course-wide otter configuration, which need not exist."""
    from otter.run import AutograderConfig

    file = project / "otter_config.json"
    if not file.is_file():
        return {}
    try:
        config: dict[str, Any] = json.loads(file.read_text("utf-8"))
        AutograderConfig(config, require_valid_keys=True)
    except Exception as error:
        raise BuildError(f"{error}", notebook="otter_config.json") from None
    return config

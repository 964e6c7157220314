"""The repository that students clone, in memory: every file by path, and nothing hidden in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.build import names
from autograder.build.compose import compose
from autograder.build.hidden import Hidden
from autograder.build.leak import find_leaks
from autograder.course import Course
from autograder.errors import ReleaseError
from autograder.release.colab import with_colab
from autograder.release.papers import gitignore, readme
from autograder.release.requirements import merged
from autograder.syllabus import Entry


def tree(course: Course, entries: Sequence[Entry], project: Path) -> dict[str, bytes]:
    """Every file of a release, by path, sorted. The same sources give the same bytes.

    Args:
        course: Of the course file.
        entries: What is released.
        project: The project's root.

    Raises:
        ReleaseError: if ``assignments/`` is not what a build makes, or the licence is missing.
        BuildError: if an assignment cannot be built.
    """
    files: dict[str, bytes] = {}
    for entry in entries:
        files |= _assignment(course, entry, project)
    requirements = {
        f"assignments/{name}/requirements.txt": files[f"{name}/requirements.txt"].decode()
        for name in (entry.plan.name for entry in entries)
    }
    files |= {
        ".gitignore": gitignore(entries).encode(),
        "LICENSE": _licence(project),
        "README.md": readme(course, entries).encode(),
        "requirements.txt": merged(requirements).encode(),
    }
    return dict(sorted(files.items()))


def check_hidden(files: Mapping[str, bytes], project: Path) -> None:
    """Check that ``files`` show nothing that any assignment of ``project`` hides, released or not.

    Raises:
        ReleaseError: naming the first file that does, and what it shows.
    """
    for name in names(project):
        found = find_leaks(dict(files), Hidden.of(name, project))
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise ReleaseError(
                f"Nothing was written: of {name}, {found[0]}{more}. Students must not see it; "
                "change the file, or the hidden text that it resembles."
            )


def _assignment(course: Course, entry: Entry, project: Path) -> dict[str, bytes]:
    name = entry.plan.name
    built = compose(name, project).assignment
    for path, data in built.items():
        file = project / "assignments" / name / path
        if not file.is_file() or file.read_bytes() != data:
            raise ReleaseError(
                f"assignments/{name}/{path} is not what solutions/{name} is built to; run "
                f"`autograder build {name}`, look at the difference, and commit it."
            )
    notebook = with_colab(built[entry.notebook], course, entry)
    return {f"{name}/{path}": data for path, data in (built | {entry.notebook: notebook}).items()}


def _licence(project: Path) -> bytes:
    try:
        return (project / "LICENSE").read_bytes()
    except OSError as error:
        raise ReleaseError(f"{project / 'LICENSE'} cannot be read ({error.strerror}).") from None

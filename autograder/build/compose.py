"""An assignment made from its sources, in memory: what is published, and what graders get."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from autograder.build.assign import Assigned, assign
from autograder.build.canonical import canonical_notebook, canonical_zip
from autograder.build.contents import check_public_tests, make_manifest, read_questions
from autograder.build.facts import ASSIGNMENT, facts, with_check
from autograder.build.hidden import Hidden
from autograder.build.leak import find_leaks
from autograder.build.lint import lint
from autograder.build.master import Master, read_master
from autograder.build.sources import Sources
from autograder.build.staging import stage, student_requirements
from autograder.bundle import Manifest, Question
from autograder.errors import BuildError


@dataclass(frozen=True)
class Built:
    """A built assignment."""

    assignment: dict[str, bytes]
    """The files of ``assignments/NAME/``, by path."""
    bundle: dict[str, bytes]
    """The files of ``dist/NAME/``, by path."""
    manifest: Manifest
    solution_notebook: bytes
    """The notebook with solutions and without tests. Never published."""

    @property
    def student_notebook(self) -> bytes:
        """The notebook students get."""
        return self.assignment[self.manifest.notebook]


def compose(name: str, project: Path) -> Built:
    """Build the assignment ``name`` of ``project`` without writing anything.

    The same sources give the same bytes, whenever and wherever they are built.

    Raises:
        BuildError: naming notebook, question and cell, for whatever must not ship.
    """
    sources = Sources.read(name, project)
    master = read_master(sources.notebook, sources.label)
    tests = lint(sources, master)
    assigned = _assign(sources, master)
    archive = canonical_zip(assigned.archive)
    questions = read_questions(sources, master, tests, archive)
    solution = _solution(sources, master, assigned)
    student = _student_files(sources, master, assigned, questions, solution)
    check_public_tests(master, tests, student)
    _check_helpers(sources, student)
    _check_leaks(sources, master, student)
    manifest = make_manifest(sources, questions, student, archive)
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    bundle = {manifest.otter_zip: archive, "manifest.json": encoded}
    return Built(student, bundle, manifest, solution)


def _assign(sources: Sources, master: Master) -> Assigned:
    with TemporaryDirectory(prefix="autograder-build-") as temporary:
        folder = Path(temporary).resolve() / "stage"
        folder.mkdir()
        return assign(stage(sources, master, folder), sources.label)


def _solution(sources: Sources, master: Master, assigned: Assigned) -> bytes:
    """What a perfect student would hand in: solutions, and of the tests only the public ones."""
    solution = json.loads(canonical_notebook(assigned.solution, master.ids))
    solution["metadata"] = json.loads(assigned.student[sources.notebook.name])["metadata"]
    return with_check(json.dumps(solution).encode())


def _student_files(
    sources: Sources,
    master: Master,
    assigned: Assigned,
    questions: list[Question],
    solution: bytes,
) -> dict[str, bytes]:
    notebook = sources.notebook.name
    files = {**assigned.student}
    files[notebook] = with_check(canonical_notebook(files[notebook], master.ids))
    if not sources.recipe.ungraded:
        files[ASSIGNMENT] = facts(sources, questions, files[notebook], solution)
    files["requirements.txt"] = student_requirements(sources).encode()
    readme = sources.folder / "README.student.md"
    files["README.md"] = readme.read_bytes() if readme.is_file() else _readme(sources).encode()
    return dict(sorted(files.items()))


def _readme(sources: Sources) -> str:
    lab = (
        'A lab: it is not graded and nothing is handed in. `grader.check("q1")` below an exercise '
        "says at once whether your answer stands, and there are no other tests.\n\n"
    )
    return (
        f"# {sources.recipe.title}\n\n"
        f"{lab if sources.recipe.ungraded else ''}"
        "Install what the notebook needs and open it:\n\n"
        "```\npip install -r requirements.txt\n"
        f"jupyter lab {sources.notebook.name}\n```\n"
    )


def _check_helpers(sources: Sources, student: dict[str, bytes]) -> None:
    for helper in sources.recipe.helpers:
        if f"{helper}.py" not in student:
            raise sources.error(f"helpers: {helper}.py is not among the master's public `files:`.")


def _check_leaks(sources: Sources, master: Master, student: dict[str, bytes]) -> None:
    found = find_leaks(student, Hidden.gather(sources, master))
    if not found:
        return
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    file, _, cell = found[0].file.partition("!cell ")
    problem = f"Students would see {found[0].what}: {found[0].excerpt!r}{more}."
    number = int(cell) if cell.isdigit() else None
    raise BuildError(problem, notebook=f"assignments/{sources.name}/{file}", cell=number)

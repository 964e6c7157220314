"""``autograder demo``: the whole line, from solution notebook to grades, on a made-up class."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from autograder.build.compose import compose
from autograder.build.mutant import read_mutants
from autograder.build.publish import publish
from autograder.build.sources import Sources
from autograder.bundle import Bundle
from autograder.canvas.export import changes, write
from autograder.demo import DemoClass, demo_class, milestones
from autograder.demo.check import faults
from autograder.engine import Settings
from autograder.gradebook import read
from autograder.intake import intake
from autograder.model import Limits, Verdict
from autograder.report import report
from autograder.secret import course_secret
from autograder.session import Session, load
from autograder.terminal import class_table, counts, show_progress

FULL = "cnn_imaging"
"""The assignment with the whole class; a few represent it in the others."""
CELL_SECONDS = 15.0
"""Everybody in the full class hands in weights, so no cell has to train."""


def run(project: Path, out: Path, names: Sequence[str]) -> bool:
    """Build assignments, make up classes, grade them, and write reports and grades.

    Args:
        project: The course repository.
        out: Each assignment gets a folder of its name in it.
        names: The assignments.

    Returns:
        Whether everybody got what they should.
    """
    return all(
        [
            milestones.run(project, out / name)
            if name == milestones.NAME
            else _run(project, out / name, name)
            for name in names
        ]
    )


def _run(project: Path, out: Path, name: str) -> bool:
    click.echo(f"1. Building {name} …")
    bundle, cast = _prepare(project, out, name)
    click.echo(f"2. {len(cast.roles)} people handed in: {out / 'submissions.zip'}. Grading …")
    gradebook = read(out / "gradebook.csv")
    session = Session(
        bundle, intake([out / "submissions.zip"], gradebook.students, bundle.manifest), out
    )
    limits = _shorter(bundle) if name == FULL else None
    settings = Settings(secret=course_secret(project).value, limits=limits)
    try:
        verdicts = list(show_progress(session.run(settings), session.progress))
    finally:
        session.close()
    click.echo(f"3. {counts(session.progress)}. Writing report and grades …\n")
    graded = load(out)
    page = report(
        graded.verdicts, graded.manifest, out / "report" / "index.html", intake=graded.intake
    )
    plan = changes(gradebook, cast.column, graded.grades(None), graded.manifest)
    write(gradebook, plan, out / "grades.csv")
    _show(out, page, verdicts, session, bundle)
    return _say_faults(cast, verdicts)


def _prepare(project: Path, out: Path, name: str) -> tuple[Bundle, DemoClass]:
    built = compose(name, project)
    folder = project / "dist" / name
    publish({project / "assignments" / name: built.assignment, folder: built.bundle})
    bundle = Bundle(folder)
    sources = Sources.read(name, project)
    mutants = read_mutants(sources.mutants, bundle.manifest)
    cast = demo_class(
        built.solution_notebook,
        built.student_notebook,
        sources.weights,
        {mutant.name: mutant.insert(built.solution_notebook) for mutant in mutants},
        bundle.manifest,
        full=name == FULL,
    )
    cast.write(out)
    return bundle, cast


def _say_faults(cast: DemoClass, verdicts: list[Verdict]) -> bool:
    wrong = {what: fault for what, fault in faults(cast.roles, verdicts).items() if fault}
    for what, fault in wrong.items():
        click.echo(f"✗ {what}: {fault}", err=True)
    right = len(cast.roles) - len(wrong)
    click.echo(f"\n{right} of {len(cast.roles)} got what they should (expected.json).\n")
    return not wrong


def _shorter(bundle: Bundle) -> Limits:
    return msgspec.structs.replace(bundle.manifest.limits, cell_seconds=CELL_SECONDS)


def _show(out: Path, page: Path, verdicts: list[Verdict], session: Session, bundle: Bundle) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=170)
    console.print(class_table(verdicts, bundle.manifest))
    for unmatched in session.intake.unmatched:
        click.echo(f"not graded: {unmatched.source}: {unmatched.reason}")
    for student in session.intake.missing:
        click.echo(f"handed in nothing: {student.name}")
    click.echo("\nLook at:")
    for path, what in (
        (page, "the instructor's report"),
        (out / "grades.csv", "what Canvas imports"),
        (out / "gradebook.csv", "what Canvas exported"),
        (out / "submissions.zip", "what the class handed in"),
        (out / "results", "a folder for each student: verdict.json, executed.ipynb, log.txt"),
    ):
        click.echo(f"  {path}  {what}")

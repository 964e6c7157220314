"""``autograder demo final_project``: registration, grading, exchange, audits and columns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from autograder.build.compose import Built, compose
from autograder.build.publish import publish
from autograder.bundle import Bundle
from autograder.canvas.export import changes, write
from autograder.demo.project import (
    COLUMNS,
    MILESTONES,
    REGISTERED,
    ProjectClass,
    gradebook_csv,
    groups_csv,
)
from autograder.engine import Settings
from autograder.files import write_atomically
from autograder.gradebook import Gradebook, read
from autograder.intake import Intake, intake
from autograder.ledger import Ledger
from autograder.model import Verdict
from autograder.project.exchange import answers, exchange
from autograder.project.registration import register
from autograder.report import report
from autograder.secret import course_secret
from autograder.session import Session, load
from autograder.teams import Team
from autograder.teams import read as read_teams
from autograder.terminal import class_table, counts, show_progress

__all__ = ["NAME", "run"]

NAME = "final_project"
ROUNDS = {"p0": ["p0"], "p3": ["p1", "p2", "p3"], "p6": ["p4", "p5", "p6"]}
"""The milestones that are graded together in the demonstration, by the hand-in's name."""


def run(project: Path, out: Path) -> bool:
    """Take the made-up class through all milestones; whether everybody got what they should."""
    click.echo(f"1. Building {NAME}, and making up its teams …")
    stage = _Stage(project, out)
    faults: list[str] = []
    click.echo("2. P0 is handed in and registered …")
    taken = stage.take("p0")
    for one in register(taken.submissions, stage.ledger, REGISTERED, stage.schema):
        click.echo(f"   {one.team.name or one.team.members[0].name}: {one.says}")
    faults += stage.grade("p0", taken)
    click.echo("3. P1 to P3 are handed in …")
    taken = stage.take("p3")
    faults += stage.grade("p3", taken)
    click.echo("4. Models are exchanged without names, and audited …")
    found = answers(stage.bundle, taken.submissions, stage.ledger, stage.settings())
    packages = exchange(
        stage.bundle, found, stage.ledger, stage.secret, REGISTERED, out / "exchange"
    )
    folders = {one.team.key: out / "exchange" / one.team.key for one in packages}
    click.echo("5. P4 to P6 are handed in …")
    faults += stage.grade("p6", stage.take("p6", folders))
    faults += stage.export()
    for fault in faults:
        click.echo(f"✗ {fault}", err=True)
    click.echo(f"\n{'All' if not faults else 'Not all'} teams got what they should.\n\nLook at:")
    for place, what in (
        ("p3/report/index.html", "the instructor's report of P1 to P3"),
        ("p6/results", "a folder for each student, every member of a team"),
        ("exchange", "what each team was sent to audit"),
        ("project.jsonl", "the ledger: registrations and exchanges"),
        ("grades-p0.csv … grades-p6.csv", "what Canvas imports, a column for each milestone"),
    ):
        click.echo(f"  {out / place}  {what}")
    return not faults


class _Stage:
    """The class, its bundle and where its things lie."""

    def __init__(self, project: Path, out: Path) -> None:
        built = compose(NAME, project)
        self.out, self.secret = out, course_secret(project).value
        self.bundle = _published(built, project)
        self.schema = json.loads(built.assignment["schemas/prereg.schema.json"])
        manifest = self.bundle.manifest
        self.cast = ProjectClass(
            project / "solutions" / NAME, project / "assignments" / NAME,
            (manifest.notebook, built.solution_notebook), manifest.expected_files,
        )  # fmt: skip
        self.points = {question.name: question.points for question in manifest.autograded}
        alone = [one.what for one in self.cast.teams if not one.team]
        write_atomically(out / "groups.csv", groups_csv(self.cast.roles, alone))
        write_atomically(out / "gradebook.csv", gradebook_csv(self.cast.roles, self.points))
        self.gradebook: Gradebook = read(out / "gradebook.csv")
        self.teams: list[Team] = read_teams(out / "groups.csv", self.gradebook.students)
        (out / "project.jsonl").unlink(missing_ok=True)
        self.ledger = Ledger(out / "project.jsonl")

    def settings(self) -> Settings:
        """How to grade now: with what the ledger holds by now."""
        return Settings(secret=self.secret, ledger=self.ledger.data)

    def take(self, name: str, packages: Mapping[str, Path] | None = None) -> Intake:
        """Let the class hand in, and take it in."""
        file = self.out / f"submissions-{name}.zip"
        write_atomically(file, self.cast.hand_in(packages))
        return intake([file], self.gradebook.students, self.bundle.manifest, self.teams)

    def grade(self, name: str, taken: Intake) -> list[str]:
        """Grade a round's milestones; returns what is not as it should be."""
        manifest = self.bundle.manifest.only(ROUNDS[name])
        session = Session(self.bundle.with_manifest(manifest), taken, self.out / name)
        try:
            verdicts = list(show_progress(session.run(self.settings()), session.progress))
        finally:
            session.close()
        click.echo(f"   {counts(session.progress)}")
        click.echo(_table(verdicts, self.bundle.with_manifest(manifest)))
        graded = load(self.out / name)
        page = self.out / name / "report" / "index.html"
        report(graded.verdicts, graded.manifest, page, intake=graded.intake)
        return [fault for verdict in verdicts for fault in self._faults(verdict)] + (
            [] if len(verdicts) == self._people() else [f"{name}: {len(verdicts)} were graded"]
        )

    def export(self) -> list[str]:
        """Write a file of grades for each milestone; returns what was left out."""
        left = []
        for name, graded in ((one, load(self.out / one)) for one in ROUNDS):
            for milestone in ROUNDS[name]:
                own = graded.only([milestone])
                plan = changes(self.gradebook, COLUMNS[milestone], own.grades(None), own.manifest)
                write(self.gradebook, plan, self.out / f"grades-{milestone}.csv")
                left += [f"{milestone}: {one.name} {one.reason}" for one in plan.left_out]
        return left

    def _people(self) -> int:
        return sum(len(one.people) for one in self.cast.teams if one.team)

    def _faults(self, verdict: Verdict) -> list[str]:
        role = next(one for one in self.cast.roles if one.student.key == verdict.student)
        made = next(one for one in self.cast.teams if (one.team or one.what) == role.what)
        wanted = {name: self.points[name] - made.loses.get(name, 0) for name in MILESTONES}
        return [
            f"{made.team}, {verdict.name}: {name} has {question.score:g}, not {wanted[name]:g}"
            for name, question in verdict.questions.items()
            if abs(question.score - wanted[name]) > 1e-6
        ]


def _published(built: Built, project: Path) -> Bundle:
    folder = project / "dist" / NAME
    publish({project / "assignments" / NAME: built.assignment, folder: built.bundle})
    return Bundle(folder)


def _table(verdicts: list[Verdict], bundle: Bundle) -> str:
    from rich.console import Console

    console = Console(width=120)
    with console.capture() as captured:
        console.print(class_table(verdicts, bundle.manifest))
    return captured.get()

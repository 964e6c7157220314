"""``autograder project``: registrations and the exchange of models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograder.bundle import Bundle
    from autograder.intake import Intake
    from autograder.teams import Team

_EXISTING = click.Path(exists=True, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_BUNDLE = click.argument("bundle", type=_EXISTING)
_SUBMISSIONS = click.argument("submissions", nargs=-1, required=True, type=_EXISTING)
_ROSTER = click.option("--roster", type=_FILE, required=True, help="Gradebook CSV of Canvas.")
_TEAMS = click.option("--teams", type=_FILE, help="Group set as Canvas exports it (CSV).")
_LEDGER = click.option("--ledger", type=_FILE, default=Path("project.jsonl"), show_default=True,
                       help="The project's ledger, which is only added to.")  # fmt: skip


def _of_hand_ins(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the arguments of everything that is done with a class's hand-ins."""
    for decorate in (_LEDGER, _TEAMS, _ROSTER, _SUBMISSIONS, _BUNDLE):
        command = decorate(command)
    return command


@click.group()
def project() -> None:
    """Keep registrations of a team project, and exchange models without names."""


@project.command()
@_of_hand_ins
@click.option("--at", metavar="TIME", help="When they were handed in (ISO 8601); now by default.")
@click.option("--replace", is_flag=True, help="Let another registration take a kept one's place.")
@click.pass_context
def register(ctx: click.Context, bundle: Path, submissions: tuple[Path, ...], roster: Path,
             teams: Path | None, ledger: Path, at: str | None, replace: bool) -> None:  # fmt: skip
    """Take the pre-registrations in SUBMISSIONS (hand-ins of the first milestone) into the ledger.

    Exit status 1 if a team has none, or another one than is kept.
    """
    from autograder.bundle import Bundle
    from autograder.ledger import Ledger
    from autograder.project.registration import register as take

    opened = Bundle(bundle)
    taken, kept = _taken(opened, submissions, roster, teams), Ledger(ledger)
    schema = _schema(opened)
    missing = 0
    for one in take(taken.submissions, kept, _time(at), schema, replace):
        missing += not one.known
        click.echo(f"{'✓' if one.known else '✗'} {_named(one.team)}: {one.says}")
    for student in taken.missing:
        click.echo(f"✗ {student.name}: handed in nothing")
    ctx.exit(1 if missing or taken.missing else 0)


@project.command()
@_of_hand_ins
@click.option("--out", type=_FOLDER, default=Path("exchange"), show_default=True,
              help="Folder for the packages, one for each team.")  # fmt: skip
@click.option("--rooms", type=click.IntRange(1), help="Models asked at a time; one a core.")
@click.option(
    "--accept-risk", "risk", type=click.Choice(["no-landlock", "no-namespaces", "no-isolation"]),
    help="As for `autograder grade`.",
)  # fmt: skip
@click.option("--project", "root", type=_FOLDER, default=Path(), help="The course repository.")
@click.pass_context
def exchange(ctx: click.Context, bundle: Path, submissions: tuple[Path, ...], roster: Path,
             teams: Path | None, ledger: Path, out: Path, rooms: int | None, risk: str | None,
             root: Path) -> None:  # fmt: skip
    """Make every team a package of models to audit, out of SUBMISSIONS with models.

    Each holds the answers of another team's model and of two planted ones, without names. Teams
    must be registered. Exit status 1 if a model could not be asked.
    """
    from autograder.bundle import Bundle
    from autograder.engine import Settings
    from autograder.ledger import Ledger
    from autograder.project.exchange import answers
    from autograder.project.exchange import exchange as send
    from autograder.room.walls import RISKS
    from autograder.secret import course_secret

    opened, secret, kept = Bundle(bundle), course_secret(root).value, Ledger(ledger)
    taken = _taken(opened, submissions, roster, teams)
    chosen: dict[str, Any] = {"rooms": rooms} if rooms else {}
    settings = Settings(secret=secret, accept=RISKS[risk] if risk else "A", **chosen)
    found = answers(opened, taken.submissions, kept, settings)
    for one in found:
        if one.problem:
            click.echo(f"✗ {_named(one.team)}: {one.problem}")
    for package in send(opened, found, kept, secret, datetime.now(UTC), out):
        own = out / package.team.key
        click.echo(f"✓ {_named(package.team)}: package {package.code}, {len(package.models)} models"
                   f" → {own}")  # fmt: skip
    ctx.exit(1 if any(one.problem for one in found) else 0)


def _taken(
    bundle: Bundle, submissions: tuple[Path, ...], roster: Path, teams: Path | None
) -> Intake:
    from autograder.gradebook import read
    from autograder.intake import intake
    from autograder.teams import read as read_teams

    students = read(roster).students
    groups = read_teams(teams, students) if teams else []
    return intake(submissions, students, bundle.manifest, groups)


def _schema(bundle: Bundle) -> dict[str, Any]:
    """The bundle's own schema of a registration."""
    from autograder.errors import BundleError
    from autograder.files import TemporaryFolder

    folder = TemporaryFolder("schema")
    try:
        bundle.unpack(folder.path)
        file = folder.path / "files" / "schemas" / "prereg.schema.json"
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise BundleError(
            f"{bundle.manifest.name} is no project: it has no schemas/prereg.schema.json."
        ) from None
    finally:
        folder.close()
    return found


def _time(text: str | None) -> datetime:
    try:
        found = datetime.fromisoformat(text) if text else datetime.now(UTC)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time; write 2027-02-11T23:59+01:00", param_hint="--at"
        ) from None
    return found if found.tzinfo else found.astimezone()


def _named(team: Team) -> str:
    from autograder.text import one_line

    names = "; ".join(member.name for member in team.members)
    return one_line(f"{team.name} ({names})" if team.name else names)

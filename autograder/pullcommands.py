"""Commands that fetch from Canvas, and those about the access token for it.

No code of a student runs in their process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from autograder.options import FOLDER, PROJECT

if TYPE_CHECKING:
    from autograder.canvas.client import Client
    from autograder.canvas.handedin import Column
    from autograder.canvas.people import Roster
    from autograder.canvas.pull import Summary
    from autograder.course import Course

FINDINGS = 1


class _Part(NamedTuple):
    """What is handed in in one place in Canvas: an assignment, or a milestone of it."""

    name: str
    question: str
    number: int
    """Canvas assignment id."""

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.question}" if self.question else self.name


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--folder", type=FOLDER, default=Path("canvas"), show_default=True,
              help="Where to put it; a folder for each assignment.")  # fmt: skip
@PROJECT
@click.pass_context
def pull(ctx: click.Context, names: tuple[str, ...], folder: Path, project: Path) -> None:
    """Fetch who is in the course, and every attempt at assignments NAME (all, if none is given).

    Assignments are those that have a `canvas` id in course.toml. Ctrl-C is safe: the same command
    goes on where it stopped, and fetches only what is new. Exit status 1 if files are missing.
    """
    from autograder.canvas import people
    from autograder.canvas.credentials import connect
    from autograder.canvas.handedin import column
    from autograder.canvas.pull import counted
    from autograder.course import read
    from autograder.files import make_private

    course = read(project)
    place, parts = course.place, _parts(course, names)
    with connect(place.address) as client:
        roster = people.read(client, place.course)
        make_private(folder)
        people.write(folder / people.FILE, roster)
        click.echo(f"{counted(len(roster.people), 'student')} → {folder / people.FILE}")
        summaries = []
        for part in parts:
            found = column(client, place.course, part.number)
            if found.obstacle:
                click.echo(f"{part.folder}: left out, because {found.obstacle}", err=True)
                continue
            summary = _pull(client, place.course, part, found, folder, roster)
            summaries.append(summary)
            _say(summary, part, folder)
    if not summaries or any(one.problems for one in summaries):
        ctx.exit(FINDINGS)


@click.command()
@PROJECT
def login(project: Path) -> None:
    """Ask for an access token, try it, and keep it in the system's keyring."""
    from autograder.canvas import credentials
    from autograder.canvas.client import Client
    from autograder.course import read
    from autograder.errors import CanvasError
    from autograder.text import one_line

    place = read(project).place
    click.echo(f"Make a token in Canvas at {place.address}: Account → Settings → New Access Token.")
    token = credentials.whole(click.prompt("Access token (it is not shown)", hide_input=True))
    with Client(place.address, token) as client:
        name = client.get("users/self").get("name") or "somebody without a name"
        click.echo(f"This is the token of {one_line(str(name))}.")
        credentials.store(place.address, token)
        click.echo("It is in the keyring now.")
        try:
            for words in credentials.lacking(client, place.course):
                click.echo(f"note: in course {place.course} it does not allow to {words}.")
        except CanvasError as error:
            click.echo(f"note: what it allows is not known: {error}", err=True)


@click.command()
@PROJECT
def logout(project: Path) -> None:
    """Remove the access token from the system's keyring."""
    from autograder.canvas import credentials
    from autograder.course import read

    place = read(project).place
    gone = credentials.forget(place.address)
    click.echo("The token is removed; delete it in Canvas, too, if it is not needed any more."
               if gone else "There was no token in the keyring.")  # fmt: skip


def _parts(course: Course, names: Sequence[str]) -> list[_Part]:
    """What to fetch.

    Raises:
        CourseError: if nothing of it has a number in Canvas.
    """
    from autograder.course import FILE
    from autograder.errors import CourseError

    parts = []
    for plan in [course.named(name) for name in names] or course.graded:
        own = [(plan.canvas, ""), *((part.canvas, part.question) for part in plan.milestone)]
        found = [_Part(plan.name, question, number) for number, question in own if number]
        if names and not found:
            raise CourseError(
                f"{FILE} does not say which assignment in Canvas is {plan.name}; add `canvas = ` "
                "with its number, which ends its address in Canvas."
            )
        parts += found
    if not parts:
        raise CourseError(
            f"{FILE} gives no assignment a number in Canvas; add `canvas = ` with it, the number "
            "that ends its address in Canvas."
        )
    return parts


def _pull(
    client: Client, course: int, part: _Part, found: Column, folder: Path, roster: Roster
) -> Summary:
    from autograder.canvas.pull import pull as fetch
    from autograder.terminal import RunBar

    with RunBar(part.folder) as bar:

        def heard(done: int, total: int) -> None:
            if bar.shown or done == total or done % 50 == 0:
                bar.show(done, total, "")

        return fetch(client, course, found, part.name, folder / part.folder, roster, heard)


def _say(one: Summary, part: _Part, folder: Path) -> None:
    """What came of it, and what to do next; people are named by their Canvas ids."""
    from autograder.canvas.people import FILE
    from autograder.canvas.pull import counted, few

    attempts, own = one.pull.attempts, folder / part.folder
    users, late = {each.user for each in attempts}, sum(each.late for each in attempts)
    files = counted(sum(len(each.files) for each in attempts), "file")
    click.echo(
        f"{part.folder}: {counted(len(attempts), 'attempt')} of {counted(len(users), 'student')}, "
        f"{late} late, {files} → {own}"
    )
    click.echo(f"  new: {counted(len(one.new), 'attempt')}, {counted(one.fetched, 'file')}")
    if one.pull.dues:
        click.echo(f"  with a due time of their own: {few(list(one.pull.dues))}")
    if one.idle:
        click.echo(f"  handed in nothing: {few(one.idle)}")
    for note in one.notes:
        click.echo(f"  note: {note}", err=True)
    for problem in one.problems:
        click.echo(f"  ✗ {problem}", err=True)
    only = f" --only {part.question}" if part.question else ""
    click.echo(
        f"  next: autograder grade dist/{part.name} {own} --roster {folder / FILE}{only} "
        f"--out grading/{part.folder}"
    )

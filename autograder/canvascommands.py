"""Commands that talk to Canvas. No code of a student runs in their process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from autograder.options import FOLDER, JOURNAL, PROJECT, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autograder.canvas.client import Client
    from autograder.canvas.compare import Wanted
    from autograder.canvas.journal import Journal
    from autograder.canvas.push import Plan, Push, Sent
    from autograder.canvas.status import Status
    from autograder.course import Course, Deducts
    from autograder.grades import Grade
    from autograder.session import Graded

FINDINGS, INFRASTRUCTURE = 1, 3
_RESULTS = click.option(
    "--results", "folder", type=FOLDER, default=Path("grading"), show_default=True,
    help="Folder that `autograder grade --out` wrote, or the one above it if it is called NAME.",
)  # fmt: skip
_MILESTONE = click.option(
    "--question", metavar="QUESTION", help="A milestone of a project, by its question, e.g. p1."
)
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(name="canvas")
def canvas() -> None:
    """Fetch submissions from Canvas and send grades there, with an access token."""


class _Place(NamedTuple):
    """Where grades go."""

    course: Course
    origin: str
    number: int
    """Canvas course id."""


@canvas.command()
@click.argument("name")
@_RESULTS
@_MILESTONE
@JOURNAL
@click.option("--dry-run", is_flag=True, help="Print what would change and write nothing.")
@_YES
@click.option("--ours", metavar="USER,…", default="",
              help="Canvas user ids of students whose grade there is overwritten.")  # fmt: skip
@click.option("--feedback", type=click.Choice(["page", "notebook", "none"]), default="page",
              show_default=True, help="The file that the comment carries.")  # fmt: skip
@click.option("--no-comment", is_flag=True, help="Send points and rubric alone.")
@click.option("--confirm-unsealed", is_flag=True,
              help="Send grades that were given without isolation, too.")  # fmt: skip
@PROJECT
@click.pass_context
def push(ctx: click.Context, name: str, folder: Path, question: str | None, journal: Path,
         dry_run: bool, yes: bool, ours: str, feedback: str, no_comment: bool,
         confirm_unsealed: bool, project: Path) -> None:  # fmt: skip
    """Send grades, rubric and comments of assignment NAME; what a person decided stays.

    Students see nothing of it before `autograder canvas post`. Ctrl-C is safe: the same command
    goes on where it stopped. Exit status 1 if anything is left for a person to decide.
    """
    from autograder.canvas import lateness, rubric
    from autograder.canvas.credentials import connect
    from autograder.canvas.push import Push

    place = _place(project)
    graded, grades = _graded(folder, place.course, name, question, settle=not dry_run)
    wanted = _wanted(graded, grades, "none" if no_comment else feedback, comment=not no_comment)
    overwritten = listed(ours)
    if not all(user.isdecimal() for user in overwritten):
        raise click.UsageError("--ours takes Canvas user ids, such as 101,102.")
    number = _assignment(place.course, name, question, graded)
    with connect(place.origin) as client, _journal(journal, place) as book:
        click.echo(lateness.counted(_by(place.course), lateness.deducts(client, place.number)))
        one = Push(client, book, place.number, number, wanted, ours=overwritten,
                   unsealed=confirm_unsealed)  # fmt: skip
        plan = one.look()
        questions = [question.name for question in graded.manifest.autograded]
        for note in filter(None, [rubric.remark(plan.now.column, questions), _seen(plan)]):
            click.echo(f"note: {note}")
        _show(plan)
        if dry_run:
            ctx.exit(FINDINGS if any(row.stuck for row in plan.rows) else 0)
        if plan.sending and not yes:
            question = f"Send this of {len(plan.sending)} students to {place.origin}?"
            click.confirm(question, abort=True)
        ctx.exit(_say_sent(_send(one, plan, name)))


@canvas.command()
@click.argument("name")
@_MILESTONE
@JOURNAL
@_YES
@PROJECT
def post(name: str, question: str | None, journal: Path, yes: bool, project: Path) -> None:
    """Show students the grades and comments of assignment NAME that are in Canvas."""
    from autograder.canvas.credentials import connect
    from autograder.canvas.past import unconfirmed
    from autograder.canvas.post import look
    from autograder.canvas.post import post as show
    from autograder.text import one_line

    place = _place(project)
    number = _assignment(place.course, name, question)
    with connect(place.origin) as client, _journal(journal, place) as book:
        before = look(client, place.number, number)
        title = one_line(before.title)
        unknown = len({one.user for one in unconfirmed(book, number)})
        if unknown:
            click.echo(
                f"note: what was sent of {unknown} students was not read back; run `autograder "
                "canvas push` first."
            )
        if not before.hidden:
            click.echo(f"{title}: {len(before.seen)} students see theirs; nobody waits.")
            return
        click.echo(
            f"{title}: {len(before.hidden)} students will see their grade, "
            f"{before.commented} of them with comments; {len(before.seen)} see theirs already."
        )
        if not yes:
            click.confirm("Post?", abort=True)
        after = show(client, place.number, number)
        click.echo(f"Posted: {len(after.seen)} students see their grade, as Canvas says.")


@canvas.command()
@_RESULTS
@JOURNAL
@PROJECT
def status(folder: Path, journal: Path, project: Path) -> None:
    """Say where the grades of each assignment stand; reads only."""
    from autograder.canvas import lateness
    from autograder.canvas.credentials import connect
    from autograder.terminal import console, status_table

    place = _place(project)
    with connect(place.origin) as client, _journal(journal, place) as book:
        deducted = lateness.deducts(client, place.number)
        console().print(status_table(_standings(client, book, place, folder)))
        click.echo(lateness.counted(_by(place.course), deducted))


def _standings(
    client: Client, journal: Journal, place: _Place, folder: Path
) -> Iterator[tuple[str, Status | str]]:
    """Of each assignment and milestone that has a place in Canvas."""
    from autograder.canvas.status import status as standing
    from autograder.errors import CanvasError

    for one in place.course.graded:
        for part in [None, *one.milestone]:
            question = part.question if part else None
            number = part.canvas if part else one.canvas
            if number is None:
                continue
            shown = f"{one.name} {question}" if question else one.name
            try:
                wanted = _here(folder, place.course, one.name, question)
                yield shown, standing(client, journal, place.number, number, wanted)
            except CanvasError as error:
                yield shown, str(error)


def _here(folder: Path, course: Course, name: str, question: str | None) -> list[Wanted]:
    """What is graded here, if anything is."""
    from autograder.errors import CourseError, StoreError

    try:
        graded, grades = _graded(folder, course, name, question, settle=False)
    except (CourseError, StoreError):
        return []
    return _wanted(graded, grades, "none", comment=False)


def _place(project: Path) -> _Place:
    """Where the course is in Canvas.

    Raises:
        CourseError: if the course file does not say.
    """
    from autograder.course import origin, read

    course = read(project)
    address = course.place.address
    return _Place(course, origin(address) or address, course.place.course)


def _assignment(
    course: Course, name: str, question: str | None, graded: Graded | None = None
) -> int:
    """Canvas' number of an assignment, or of a milestone.

    Raises:
        CourseError: if the course file does not say.
    """
    from autograder.course import FILE
    from autograder.errors import CourseError
    from autograder.grades import part

    plan = course.named(name)
    if question is None and graded is not None:
        names = [question.name for question in graded.manifest.autograded]
        question = part(plan, names, graded.pull)
    number = plan.part(question).canvas if question else plan.canvas
    if number is None:
        what = f"milestone {question} of {name}" if question else name
        raise CourseError(
            f"{FILE} does not say which assignment in Canvas is {what}; add `canvas = ` with its "
            "number, which ends its address in Canvas."
        )
    return number


def _graded(
    folder: Path, course: Course, name: str, question: str | None, *, settle: bool
) -> tuple[Graded, list[Grade]]:
    """Results, in a folder of their own or in ``folder``, and what counts of them.

    Raises:
        CourseError: if they are of another assignment.
    """
    from autograder.errors import CourseError
    from autograder.session import load

    course.named(name)
    own = folder / (f"{name}-{question}" if question else name)
    folder = own if (own / "manifest.json").is_file() else folder
    graded = load(folder)
    if graded.manifest.name != name:
        raise CourseError(f"{folder} holds results of {graded.manifest.name}, not of {name}.")
    if question:
        graded = graded.only([question])
        return graded, graded.grades(course)
    return graded, graded.settle(course) if settle else graded.grades(course)


def _wanted(
    graded: Graded, grades: Sequence[Grade], feedback: str, *, comment: bool
) -> list[Wanted]:
    """What is to be in Canvas for each student."""
    from autograder.canvas.comment import Said, body, file_name
    from autograder.canvas.compare import Wanted
    from autograder.results import place_of, summary

    name = {"page": "executed.html", "notebook": "executed.ipynb"}.get(feedback)
    found = []
    for grade in grades:
        verdict = grade.verdict
        lines = [grade.sentence, summary(verdict, graded.manifest.hidden_feedback),
                 *verdict.remarks]  # fmt: skip
        path = place_of(graded.folder / "results", verdict) / name if name else None
        path = path if path and path.is_file() else None
        file = file_name(path.read_bytes(), path.suffix) if path else ""
        said = Said(text=body("\n".join(filter(None, lines))), file=file)
        found.append(Wanted(grade=grade, said=said if comment else Said(text=""), path=path))
    return found


def _by(course: Course) -> Deducts | None:
    return course.policies.late.by if course.policies.late else None


def _journal(path: Path, place: _Place) -> Journal:
    from autograder.canvas.journal import Journal

    return Journal(path, place.origin, place.number)


def _seen(plan: Plan) -> str:
    if not plan.visible:
        return ""
    return f"{plan.visible} of them see their grade already, and see what changes at once."


def _show(plan: Plan) -> None:
    from autograder.canvas.compare import counts
    from autograder.terminal import console, push_table
    from autograder.text import one_line

    shown = [row for row in plan.rows if row.sends or row.stuck]
    if shown:
        console().print(push_table(plan.now.column.title, shown))
    click.echo(f"{one_line(plan.now.column.title)}: {counts(plan.rows)}.")


def _send(one: Push, plan: Plan, name: str) -> Sent:
    from autograder.terminal import RunBar

    if not plan.sending:
        return one.send(plan)  # writes down what was read back
    with RunBar(name) as bar:
        return one.send(plan, bar.show)


def _say_sent(sent: Sent) -> int:
    """Say what was done, and which exit status it is."""
    from autograder.text import one_line

    if sent.confirmed or sent.refused:
        click.echo(f"Sent and read back: {len(sent.confirmed)} students.")
    for row in sent.stuck:
        click.echo(f"  {row.user}: {row.fate.value}: {one_line(row.why, 400)}", err=True)
    for user, reason in sent.refused.items():
        click.echo(f"  {user}: Canvas did not take it: {one_line(reason, 400)}", err=True)
    if sent.refused:
        return INFRASTRUCTURE
    return FINDINGS if sent.stuck else 0

"""Commands that hand grades and feedback on as files, without any token of Canvas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from autograder.options import FILE, FOLDER, JOURNAL, PROJECT, RESULTS, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autograder.canvas.export import Changes, Choices
    from autograder.course import Course
    from autograder.gradebook import Column, Gradebook
    from autograder.model import Student
    from autograder.session import Graded


class _Job(NamedTuple):
    """One column to fill."""

    folder: Path
    """Of the results."""
    graded: Graded
    column: Column
    by_id: bool
    """Whether the column was named by its Canvas id."""
    out: Path


@click.group()
def export() -> None:
    """Hand grades and feedback on."""


@export.command()
@click.option("--gradebook", type=FILE, required=True, help="Gradebook CSV as Canvas exports it.")
@click.option("--assignment", metavar="TITLE (ID)", help="The column to fill.")
@click.option("--all", "every", is_flag=True,
              help="Fill the columns that course.toml names, a file for each.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="The CSV file for Canvas to import; with --all a folder for them.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print what would change and write nothing.")
@click.option("--question", "only", metavar="QUESTIONS",
              help="Of these questions alone, e.g. p1: a column for a milestone.")  # fmt: skip
@click.option("--confirm-unsealed", "unsealed", is_flag=True,
              help="Write grades that were given without isolation, too.")  # fmt: skip
@click.option("--ours", metavar="USER,…", help="Overwrite what people gave these students.")
@click.option("--leave-out", metavar="USER,…", help="Write nothing for these students.")
@click.option("--renamed", metavar="USER,…",
              help="Let the name, login or SIS id of these students be another one.")  # fmt: skip
@click.option("--not-imported", is_flag=True,
              help="The file that was written last was never imported into Canvas.")  # fmt: skip
@click.option("--results", "folders", type=FOLDER, multiple=True, default=[Path("grading")],
              show_default="grading",
              help="Folder that `autograder grade --out` wrote; with --all repeatable, or a "
              "folder of such folders.")  # fmt: skip
@JOURNAL
@PROJECT
def canvas(gradebook: Path, assignment: str | None, every: bool, out: Path, dry_run: bool,
           only: str | None, unsealed: bool, ours: str | None, leave_out: str | None,
           renamed: str | None, not_imported: bool, folders: Sequence[Path], journal: Path,
           project: Path) -> None:  # fmt: skip
    """Fill your own exported gradebook with the grades, for Canvas to import.

    USER is a Canvas user id, the number in the gradebook's column ID.
    """
    from autograder.canvas.export import Choices
    from autograder.course import found
    from autograder.gradebook import read

    if every == bool(assignment) or (every and only) or (not every and len(folders) > 1):
        raise click.UsageError(
            "Give --assignment for one folder of results, or --all for every column that "
            "course.toml names."
        )
    choices = Choices(
        leave_out=listed(leave_out), renamed=listed(renamed), ours=listed(ours),
        unsealed=unsealed, not_imported=not_imported,
    )  # fmt: skip
    course, book = found(project), read(gradebook)
    if assignment:
        jobs = [_one(folders[0], only, assignment, book, out)]
    else:
        jobs = list(_all(course, folders, book, out))
    if any(job.out.resolve() == gradebook.resolve() for job in jobs):
        raise click.UsageError(f"{gradebook} is what Canvas exported; name another file to write.")
    plans = [(job, _plan(job, book, course, choices, journal)) for job in jobs]
    for job, plan in plans:
        _show(plan, book, job)
    click.echo(_lateness(course))
    if not dry_run:
        for job, plan in plans:
            _write(plan, book, job)


@export.command()
@click.option("--out", type=FILE, required=True, help="The zip archive for Canvas.")
@click.option("--again", is_flag=True, help="Write what an earlier archive held, too.")
@click.option("--dry-run", is_flag=True, help="Print who would get feedback and write nothing.")
@RESULTS
@PROJECT
def feedback(out: Path, again: bool, dry_run: bool, folder: Path, project: Path) -> None:
    """Make an archive for Canvas' Upload Submissions: executed notebooks with their grades."""
    from autograder.canvas.feedback import feedback as make
    from autograder.canvas.feedback import read_record, write
    from autograder.course import found as course_of
    from autograder.results import summary
    from autograder.session import load
    from autograder.terminal import feedback_lines

    graded = load(folder)
    manifest = graded.manifest

    def executed(student: str) -> bytes:
        file = folder / "results" / student / "executed.ipynb"
        return file.read_bytes() if file.is_file() else b""

    found = make(
        graded.intake,
        graded.grades(course_of(project)),
        manifest,
        executed,
        lambda verdict: summary(verdict, manifest.hidden_feedback),
        read_record(folder),
    )
    for line in feedback_lines(found, again=again):
        click.echo(line)
    if not dry_run:
        count = write(found, out, folder, again)
        click.echo(
            f"Written: {out}, {count} files. Upload it in Canvas (Grades, the assignment's menu, "
            "Upload Submissions) once: each upload adds one more comment. Students see it when "
            "their grades are posted. Canvas lists whom it ignores: they have handed in again."
        )


def _one(folder: Path, only: str | None, assignment: str, book: Gradebook, out: Path) -> _Job:
    from autograder.canvas.columns import find_column
    from autograder.session import load

    graded, column = load(folder), find_column(book, assignment)
    graded = graded.only(listed(only)) if only else graded
    return _Job(folder, graded, column, assignment == column.id, out)


def _all(
    course: Course | None, folders: Sequence[Path], book: Gradebook, out: Path
) -> Iterator[_Job]:
    """A job for each column.

    Raises:
        ExportError: if there is no course file, or two folders hold results for one column.
    """
    from autograder.canvas.targets import targets
    from autograder.course import FILE as COURSE_FILE
    from autograder.errors import ExportError
    from autograder.session import load

    if course is None:
        raise ExportError(
            f"There is no {COURSE_FILE}, which says which results go into which column; name "
            "the course repository with --project, or one column with --assignment."
        )
    taken: dict[str, Path] = {}
    for folder in _results(folders):
        graded = load(folder)
        for target in targets(course, graded.manifest, book):
            other = taken.setdefault(target.column.id, folder)
            if other is not folder:
                raise ExportError(
                    f"{other} and {folder} both have grades for {target.column.header!r}; name "
                    "with --results the folders that count."
                )
            own = graded.only([target.milestone]) if target.milestone else graded
            yield _Job(folder, own, target.column, target.by_id, out / f"{target.name}.csv")


def _results(folders: Sequence[Path]) -> Iterator[Path]:
    """The folders of results that are meant: each, or those directly in it."""
    for folder in folders:
        inside = sorted(found.parent for found in folder.glob("*/results.sqlite"))
        yield from [folder] if (folder / "results.sqlite").exists() or not inside else inside


def _plan(
    job: _Job, book: Gradebook, course: Course | None, choices: Choices, journal: Path
) -> Changes:
    from datetime import timedelta

    from autograder.canvas.export import changes
    from autograder.canvas.exported import column_of, merged, read
    from autograder.canvas.pushed import pushes
    from autograder.course import Deducts

    late = course.policies.late if course else None
    grades = job.graded.grades(course)
    sent = pushes(
        journal,
        course.canvas if course else None,
        int(job.column.id),
        [grade.student for grade in grades if grade.late != timedelta()],
    )
    return changes(
        book,
        job.column.header,
        grades,
        job.graded.manifest,
        choices,
        roster=_roster(job.graded),
        written=merged(column_of(read(job.folder), job.column, by_id=job.by_id), sent),
        canvas_takes=late.rule if late and late.by is Deducts.CANVAS else None,
    )


def _show(plan: Changes, book: Gradebook, job: _Job) -> None:
    """Say what an import changes, as Canvas will show it."""
    from autograder.canvas.export import export as made
    from autograder.canvas.importer import preview
    from autograder.terminal import change_lines
    from autograder.text import one_line

    for line in change_lines(plan):
        click.echo(line)
    for warning in plan.warnings:
        click.echo(f"  note: {one_line(warning, 4000)}", err=True)
    if plan.rows and not plan.changed:
        click.echo("  Canvas has all of these grades: there is nothing to import.")
        return
    seen = preview(made(book, plan), book, plan.column)
    others = len(book.rows) - len(seen.changed)
    click.echo(
        f"  Canvas will show {len(seen.changed)} changes in {job.out.name}, clear nothing, "
        f"ignore nothing and send nothing again; {others} others of {one_line(book.name)} stay "
        "as they are."
    )


def _write(plan: Changes, book: Gradebook, job: _Job) -> None:
    """Write the file and the record of it: both or neither."""
    from datetime import UTC, datetime

    from autograder.canvas import exported
    from autograder.canvas.export import write
    from autograder.errors import ExportError

    if not plan.changed:
        if job.out.is_file():
            job.out.unlink()  # it would undo what is newer in Canvas
            click.echo(f"Removed: {job.out}, which is older.")
        return
    known = exported.read(job.folder)
    known[plan.column.id] = plan.noted(datetime.now(UTC))
    write(book, plan, job.out)
    try:
        exported.write(job.folder, known)
    except ExportError:
        job.out.unlink()
        raise
    click.echo(f"Written: {job.out}. Import it in Canvas: Grades → Import.")


def _roster(graded: Graded) -> list[Student]:
    """Everybody who was in the gradebook when it was graded."""
    handed_in = [
        student
        for submission in graded.intake.submissions
        for student in submission.members or [submission.student]
    ]
    return [*handed_in, *graded.intake.missing]


def _lateness(course: Course | None) -> str:
    """Who takes off what being late costs: once, and never twice."""
    from autograder.course import Deducts

    late = course.policies.late if course else None
    where = "under Late Policies in the settings of Canvas' gradebook, which no file tells"
    if late is None:
        return (
            "Nothing is taken off here for being late. If Canvas' late policy is on, Canvas takes "
            f"off what it says, from these points; look {where}."
        )
    if late.by is Deducts.CANVAS:
        return f"{late} The points are those earned. Set the same {where}."
    return (
        f"{late} It is taken off these points already: see that it is off {where}, or it is taken "
        "off twice."
    )

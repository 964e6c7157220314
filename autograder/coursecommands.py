"""Commands for the course as a whole: what it is, what students clone, what grades it ends with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograder.options import FILE, FOLDER, PROJECT

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@click.option("--gradebook", type=FILE, required=True, help="Gradebook CSV as Canvas exports it.")
@click.option("--out", type=FILE, required=True, help="The CSV file to write.")
@click.option(
    "--column", metavar="TITLE (ID)",
    help="Write a file for Canvas to import into this column, instead of a table.",
)  # fmt: skip
@click.option("--missing", type=click.Choice(["open", "zero"]),
              help="What a blank cell counts; course.toml says it by default.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the grades and write nothing.")
@PROJECT
def final(gradebook: Path, out: Path, column: str | None, missing: str | None, dry_run: bool,
          project: Path) -> None:  # fmt: skip
    """Compute final grades of an exported gradebook, with the weights of course.toml."""
    from autograder.canvas import export as canvas_file
    from autograder.canvas.final import components, finals
    from autograder.canvas.finalfile import for_canvas, write_table
    from autograder.course import read as read_course
    from autograder.gradebook import read
    from autograder.syllabus import entries
    from autograder.terminal import change_lines, final_lines

    plan, book = read_course(project), read(gradebook)
    policy = plan.policies.final.where(missing)
    parts = components(plan, entries(plan, project), book)
    found = finals(book, parts, policy)
    for line in final_lines(found, parts, policy):
        click.echo(line)
    if column is None:
        if not dry_run:
            write_table(found, parts, out)
            click.echo(f"Written: {out}. Canvas does not import it; --column makes a file it does.")
        return
    changes = for_canvas(found, book, column)
    for line in change_lines(changes):
        click.echo(line)
    if not dry_run:
        canvas_file.write(book, changes, out)
        click.echo(f"Written: {out}. Import it in Canvas: Grades → Import.")


@click.command()
@PROJECT
def course(project: Path) -> None:
    """Print the course: what counts how much, who gives its points, when it is out and due."""
    from autograder.build import names
    from autograder.course import read
    from autograder.syllabus import entries
    from autograder.terminal import console, course_table, rubrics

    plan = read(project)
    found = entries(plan, project)
    console().print(course_table(plan, found))
    for sentence in plan.policies.sentences:
        click.echo(sentence)
    for line in rubrics(found):
        click.echo(line)
    for name in sorted(set(names(project)) - {one.name for one in plan.assignment}):
        click.echo(f"note: {name} is not in course.toml, so it is never released.", err=True)


@click.command()
@click.argument("folder", type=FOLDER, metavar="DIR")
@click.option("--upto", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD",
              help="Release what is to be out by the end of this day, not by now.")  # fmt: skip
@click.option("--names", metavar="NAME,…", help="Release these, whatever their time.")
@click.option("--overwrite", is_flag=True,
              help="Overwrite files that others wrote or edited, too.")  # fmt: skip
@PROJECT
def release(folder: Path, upto: datetime | None, names: str | None, overwrite: bool,
            project: Path) -> None:  # fmt: skip
    """Make or renew in DIR the repository that students clone.

    It holds the assignments of course.toml whose release time has come, and those that were
    released there before. Files of others in DIR are left alone.
    """
    from datetime import UTC, datetime

    from autograder.release import release as make

    if upto and names:
        raise click.UsageError("--upto and --names exclude each other.")
    moment = upto.date() if upto else datetime.now(UTC)
    chosen = [name.strip() for name in names.split(",")] if names else []
    done = make(project, folder, chosen, moment, overwrite=overwrite)
    for path in done.write:
        click.echo(f"  wrote {path}")
    for path in done.remove:
        click.echo(f"  removed {path}")
    names_out, files = ", ".join(done.record.assignments), len(done.record.files)
    click.echo(f"Out: {names_out}. {files} files in {folder}, {len(done.write)} written.")
    if done.notebooks:
        click.echo(f"note: {', '.join(done.notebooks)} was out already and is another one now; "
                   "git will not pull it over a student's work.", err=True)  # fmt: skip
    if done.write or done.remove:
        click.echo("Nothing hidden is in it. Look at the difference, commit and push it there.")

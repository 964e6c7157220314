"""The ``autograder`` command. Exit status: 0 fine, 1 findings, 2 usage, 3 not a student's fault."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autograder.canvascommands import canvas as canvas_commands
from autograder.coursecommands import course, final, release
from autograder.exportcommands import export
from autograder.options import FILE as _FILE
from autograder.options import FOLDER as _FOLDER
from autograder.options import PROJECT as _PROJECT
from autograder.options import RESULTS, listed
from autograder.project.commands import project as project_commands
from autograder.pullcommands import login, logout, pull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autograder.doctor import Examination
    from autograder.engine import Settings
    from autograder.grades import Grade
    from autograder.model import Verdict
    from autograder.session import Graded, Session

FINDINGS, USAGE, INFRASTRUCTURE = 1, 2, 3
_TRY_OUT_REMARK = (
    "autograder: no course secret is set, so hidden data are drawn from the published try-out "
    "value; set AUTOGRADER_SECRET for real grades."
)
_EXISTING = click.Path(exists=True, path_type=Path)


class _Group(click.Group):
    """Says every expected error in one sentence, and which exit status it is."""

    def invoke(self, ctx: click.Context) -> Any:
        from autograder.errors import AutograderError, CanvasError, IsolationError, RoomError
        from autograder.text import one_line

        try:
            return super().invoke(ctx)
        except AutograderError as error:
            click.echo(f"autograder: {one_line(str(error), 4000)}", err=True)
            ours = isinstance(error, CanvasError | IsolationError | RoomError)
            ctx.exit(INFRASTRUCTURE if ours else USAGE)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="healthcare-autograder", prog_name="autograder")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Build homework notebooks, grade submissions in sealed rooms, export grades to Canvas."""
    from autograder.secret import TOKEN

    if ctx.invoked_subcommand != "canvas":
        os.environ.pop(TOKEN, None)  # no room is to come from a process that knows it


main.add_command(project_commands)
main.add_command(canvas_commands)


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_PROJECT
def build(names: tuple[str, ...], project: Path) -> None:
    """Make student notebooks and bundles of solution notebooks (all, if no NAME is given)."""
    from autograder.build import build as make

    for name in _chosen(names, project):
        bundle = make(name, project)
        manifest = bundle.manifest
        tests = sum(len(question.tests) for question in manifest.questions)
        click.echo(
            f"{name}: {len(manifest.questions)} questions, {tests} tests, "
            f"{'ungraded' if manifest.ungraded else f'{manifest.possible:g} points autograded'} → "
            f"{project / 'assignments' / name}, {bundle.folder}"
        )


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--rooms", type=click.IntRange(1), help="Submissions graded at a time; one a core.")
@click.option(
    "--mutants",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Grade so many mutants of each assignment, spread over its list; all by default.",
)
@click.option(
    "--panel",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Grade so many members of each panel, likewise.",
)
@click.option("--record", is_flag=True,
              help="Keep which tests each mutant lost, for docs/calibration.md.")  # fmt: skip
@_PROJECT
@click.pass_context
def verify(ctx: click.Context, names: tuple[str, ...], rooms: int | None, mutants: int | None,
           panel: int | None, record: bool, project: Path) -> None:  # fmt: skip
    """Prove assignments: solution, blank notebook, panel and mutants get what they should.

    The solution and every other right answer of the panel get everything, the blank notebook
    nothing, and every mutant loses the tests that must catch it and no point of any other question.
    """
    from rich.table import Table

    from autograder.build.outcomes import record as keep
    from autograder.build.verify import Row
    from autograder.build.verify import verify as prove
    from autograder.terminal import console

    def say(row: Row) -> None:
        click.echo(f"{'✓' if row.holds else '✗'} {name}: {row.subject}", err=True)

    held = True
    for name in _chosen(names, project):
        # the code that runs here is the course's own
        settings = _settings(project, rooms, risk="no-isolation")
        proof = prove(name, project, settings=settings, mutants=mutants, panel=panel, heard=say)
        if record:
            keep(project / "reference_impl" / name / "mutants", proof.rows)
        table = Table(title=f"{name}: the proof it ships with", title_justify="left")
        for column in ("subject", "expected", "got", ""):
            table.add_column(column)
        for row in proof.rows:
            table.add_row(row.subject, row.expected, row.got, "✓ holds" if row.holds else "✗ FAILS")
        console().print(table)
        held = held and proof.holds
    ctx.exit(0 if held else FINDINGS)


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--seeds", type=click.IntRange(0), default=30, show_default=True,
              help="Trainings of the reference, each with a course secret of its own.")  # fmt: skip
@click.option("--honest", type=click.IntRange(0), default=10, show_default=True,
              help="Trainings of every other recipe that deserves full credit.")  # fmt: skip
@click.option("--weak", type=click.IntRange(0), default=5, show_default=True,
              help="Trainings of every recipe that does not.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True,
              help="Runs at a time, a core each.")  # fmt: skip
@click.option("--parts", metavar="TRIAL,...", default="", help="Trials to run; all by default.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--renew", is_flag=True, help="Run again what other source than today's has run.")
@click.option("--report", "pages", is_flag=True, help="Write docs/calibration.md, too.")
@_PROJECT
@click.pass_context
def calibrate(ctx: click.Context, /, names: tuple[str, ...], parts: str, pages: bool, project: Path,
              **chosen: Any) -> None:  # fmt: skip
    """Train references many times and derive what their metrics must reach.

    Those of all assignments that declare trials, if no NAME is given. Runs are added to
    reference_impl/NAME/calibration.json one by one, and only missing ones are made. Ctrl-C is
    safe. Exit status 1 if a threshold is refused.
    """
    from autograder.calibrate import calibrate as run
    from autograder.calibrate import declared
    from autograder.calibrate.report import write
    from autograder.terminal import RunBar

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be ended is to be interrupted
    refused = []
    trials = [part for part in parts.split(",") if part]
    for name in _chosen(names, project) if names else declared(project):
        try:
            with RunBar(name) as bar:
                problems = run(project, name, parts=trials, heard=bar.show, **chosen)
        except KeyboardInterrupt:
            click.echo(
                "\nStopped; what was run is kept. Run the same command to continue.", err=True
            )
            ctx.exit(130)
        refused += [f"{name}: {problem}" for problem in problems]
    if pages:
        click.echo(f"Written: {write(project, declared(project))}")
    for problem in refused:
        click.echo(f"✗ {problem}", err=True)
    ctx.exit(FINDINGS if refused else 0)


@main.command()
@click.argument("bundle", type=_EXISTING)
@click.argument("submissions", nargs=-1, required=True, type=_EXISTING)
@click.option("--roster", type=_FILE, required=True, help="Gradebook CSV as Canvas exports it.")
@click.option("--teams", type=_FILE, help="Group set as Canvas exports it: one hand-in a team.")
@click.option("--only", metavar="QUESTIONS", help="Grade these alone, e.g. p0,p1.")
@click.option(
    "--attempts",
    type=click.Choice(["last", "best"]),
    help="Which attempt counts, of what was fetched; course.toml says it by default.",
)
@click.option("--ledger", type=_FILE, help="What `autograder project` keeps of a project.")
@click.option("--out", type=_FOLDER, default=Path("grading"), show_default=True,
              help="Folder for the results.")  # fmt: skip
@click.option("--rooms", type=click.IntRange(1), help="Submissions graded at a time; one a core.")
@click.option(
    "--accept-risk", "risk", type=click.Choice(["no-landlock", "no-namespaces", "no-isolation"]),
    help="Grade although this machine isolates rooms less than it should: what they may lack.",
)  # fmt: skip
@click.option(
    "--retrain", default="none", show_default=True, metavar="all|none|SHARE",
    help="Take submitted weights away from all, none or a share (0.1) of submissions.",
)  # fmt: skip
@click.option(
    "--limit", "limits", multiple=True, metavar="NAME=NUMBER",
    help="Override a limit of the manifest, e.g. cell_seconds=60. Repeatable.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a summary for scripts.")
@_PROJECT
@click.pass_context
def grade(ctx: click.Context, bundle: Path, submissions: tuple[Path, ...], roster: Path,
          teams: Path | None, only: str | None, ledger: Path | None, out: Path,
          rooms: int | None, risk: str | None, retrain: str, limits: tuple[str, ...],
          as_json: bool, project: Path, attempts: str | None) -> None:  # fmt: skip
    """Grade SUBMISSIONS (Canvas zips, folders, notebooks, otter's export zips) of BUNDLE.

    SUBMISSIONS may also be the folder of one `autograder canvas pull`, which has every attempt.
    BUNDLE is a folder that `autograder build` wrote, such as dist/cnn_imaging. Ctrl-C is safe:
    the same command continues where it stopped.
    """
    from autograder.bundle import Bundle
    from autograder.errors import BundleError
    from autograder.gradebook import read
    from autograder.secret import course_secret
    from autograder.session import check_ledger, prepared
    from autograder.teams import read as read_teams

    graded = Bundle(bundle)
    if graded.manifest.ungraded:
        raise BundleError(_lab(graded.manifest.name))
    students = read(roster).students
    if only:
        graded = graded.with_manifest(graded.manifest.only(listed(only)))
    settings = _settings(project, rooms, retrain, limits, graded, risk, ledger)
    check_ledger(graded.manifest, settings)
    groups = read_teams(teams, students) if teams else []
    session = prepared(project, graded, submissions, students, groups, out, attempts)
    if course_secret(project).try_out:
        click.echo(_TRY_OUT_REMARK, err=True)
    for remark in session.rules.remarks:
        click.echo(f"note: {remark}", err=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be ended is to be interrupted
    try:
        verdicts = _grade(session, settings)
    finally:
        session.close()
    _print_summary(session, verdicts, as_json)
    ctx.exit(INFRASTRUCTURE if session.progress.states["grader error"] else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings for scripts.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Try in a room on this machine everything that students' code must not be able to do.

    Exit status 0 if rooms reach isolation level A, else 1.
    """
    from autograder.doctor import examine

    found = examine()
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        _print_examination(found)
    ctx.exit(0 if found.level == "A" else FINDINGS)


@main.command()
@click.argument("file", type=_EXISTING)
@click.option("--assignment", "name", metavar="NAME",
              help="Of which assignment it is, where its notebook does not tell.")  # fmt: skip
@click.option("--milestone", metavar="NAME", help="Of a project: what this one needs, e.g. p2.")
@_PROJECT
@click.pass_context
def check(ctx: click.Context, file: Path, name: str | None, milestone: str | None,
          project: Path) -> None:  # fmt: skip
    """Say of one hand-in what `python handin.py FILE` says to students; nothing is run.

    Exit status 1 if something in it would cost points by accident.
    """
    from autograder.handin import examine, load_assignment

    try:
        folder = project / "assignments" / (name or _assignment_of(file, project))
        report = examine(file, load_assignment(folder), milestone=milestone)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    click.echo(str(report))
    ctx.exit(FINDINGS if report.costs else 0)


@main.command()
@RESULTS
@click.option(
    "--out", type=_FILE, help="The HTML file; report/index.html in the folder by default."
)
@_PROJECT
def report(folder: Path, out: Path | None, project: Path) -> None:
    """Write the instructor's report as one HTML page, and what counts now into results/."""
    from autograder.course import found
    from autograder.session import load

    graded, course = load(folder), found(project)
    for remark in graded.rules(course).remarks:
        click.echo(f"note: {remark}", err=True)
    click.echo(_report(graded, graded.settle(course), out or folder / "report" / "index.html"))


@main.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--out", type=_FOLDER, default=Path("demo"), show_default=True)
@_PROJECT
@click.pass_context
def demo(ctx: click.Context, names: tuple[str, ...], out: Path, project: Path) -> None:
    """Build assignments (all but labs, if no NAME is given), make up their classes, grade them.

    Exit status 1 if somebody did not get what they should.
    """
    from autograder.build import labs
    from autograder.demo.run import run
    from autograder.errors import BuildError

    chosen, ungraded = _chosen(names, project), labs(project)
    for name in names:
        if name in ungraded:
            raise BuildError(_lab(name))
    handed_in = [name for name in chosen if name not in ungraded]
    ctx.exit(0 if run(project, out, handed_in) else FINDINGS)


def _assignment_of(file: Path, project: Path) -> str:
    """The assignment that is meant: the only one, or that of the notebook in ``file``."""
    from autograder.handin import ASSIGNMENT, contents, load_assignment

    folders = [found.parent for found in sorted(project.glob(f"assignments/*/{ASSIGNMENT}"))]
    inside = contents(file)
    for notebook in project.glob("assignments/*/*.ipynb"):
        if notebook.name in inside and not (notebook.parent / ASSIGNMENT).is_file():
            raise ValueError(_lab(notebook.parent.name))
    meant = [one for one in folders if load_assignment(one)["notebook"] in inside]
    meant = meant or folders
    if len(meant) != 1:
        known = ", ".join(one.name for one in folders) or "none; run `autograder build`"
        raise ValueError(
            f"{file.name} does not tell of which assignment it is; add --assignment NAME (there "
            f"are {known})."
        )
    return meant[0].name


def _lab(name: str) -> str:
    return f"{name} is a lab: it has self-checks only, and nobody hands it in."


def _chosen(names: Sequence[str], project: Path) -> list[str]:
    from autograder.build import names as all_names
    from autograder.errors import BuildError

    known = all_names(project)
    if not known:
        raise BuildError(f"{project.resolve()} has no solutions/NAME/assignment.toml.")
    for name in names:
        if name not in known:
            raise BuildError(f"there is no assignment {name!r}; there are {', '.join(known)}.")
    return list(names) or known


def _settings(project: Path, rooms: int | None, retrain: str = "none", limits: Sequence[str] = (),
              bundle: Any = None, risk: str | None = None,
              ledger: Path | None = None) -> Settings:  # fmt: skip
    from autograder.engine import Settings
    from autograder.ledger import Ledger
    from autograder.room.walls import RISKS
    from autograder.secret import course_secret

    chosen: dict[str, Any] = {"rooms": rooms} if rooms else {}
    return Settings(
        retrain=_share(retrain),
        secret=course_secret(project).value,
        limits=_limits(limits, bundle) if limits else None,
        accept=RISKS[risk] if risk else "A",
        ledger=Ledger(ledger).data if ledger else b"",
        **chosen,
    )


def _share(text: str) -> float:
    try:
        share = {"all": 1.0, "none": 0.0}.get(text)
        share = float(text) if share is None else share
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise click.BadParameter(
            f"{text!r} is neither all, none nor a share between 0 and 1", param_hint="--retrain"
        )
    return share


def _limits(texts: Sequence[str], bundle: Any) -> Any:
    import msgspec

    from autograder.model import Limits

    values = msgspec.to_builtins(bundle.manifest.limits)
    for text in texts:
        name, _, value = text.partition("=")
        if name not in values:
            raise click.BadParameter(
                f"there is no limit {name!r}; there are {', '.join(values)}", param_hint="--limit"
            )
        values[name] = value
    try:
        return msgspec.convert(values, Limits, strict=False)
    except msgspec.ValidationError as error:
        raise click.BadParameter(str(error), param_hint="--limit") from None


def _grade(session: Session, settings: Settings) -> list[Verdict]:
    from autograder.terminal import show_progress

    manifest = session.bundle.manifest
    click.echo(
        f"{manifest.name} · bundle {session.bundle.digest[:6]} · {len(session.intake.submissions)} "
        f"submissions · {len(session.intake.missing)} handed in nothing · "
        f"{len(session.intake.unmatched)} files belong to nobody",
        err=True,
    )
    try:
        return list(show_progress(session.run(settings), session.progress))
    except KeyboardInterrupt:
        done = session.progress.cached + session.progress.done
        click.echo(f"\nStopped after {done} of {session.progress.total}; nothing graded is lost. "
                   "Run the same command to continue.", err=True)  # fmt: skip
        sys.exit(130)


def _print_summary(session: Session, verdicts: list[Verdict], as_json: bool) -> None:
    from autograder.terminal import counts
    from autograder.text import escaped, one_line

    if as_json:
        import json

        print(escaped(json.dumps(_summary(session, verdicts), ensure_ascii=False, indent=2)))
        return
    done = f"{session.progress.done} graded, {session.progress.cached} as before"
    click.echo(f"{done}:  {counts(session.progress)}")
    for unmatched in session.intake.unmatched:
        click.echo(f"? {one_line(f'{unmatched.source}: {unmatched.reason}', 500)}", err=True)
    for verdict in verdicts:
        if verdict.status == "grader_error":
            log = session.place(verdict) / "log.txt"
            problem = f"ours, not the student's: {one_line(verdict.message, 1000)} See {log}"
            click.echo(f"! {one_line(verdict.name)}: {problem}", err=True)
    click.echo(
        f"Results: {session.out / 'results'}    Next: autograder report --results {session.out}"
    )


def _print_examination(found: Examination) -> None:
    from rich.table import Table

    from autograder.terminal import console

    table = Table(title="what rooms hold back on this machine", title_justify="left")
    for column in ("tried in a room", "held", "what came of it", "wall", "how to mend it"):
        table.add_column(column)
    for one in found.findings:
        mark = "✓ held" if one.held else "✗ FELL"
        table.add_row(one.what, mark, one.detail, one.wall, one.remedy)
    console().print(table)
    means = "control groups" if found.groups else "address space and watching; no control groups"
    click.echo(f"Memory of a room is limited by {means}.")
    if found.refusal:
        click.echo(found.refusal)
    for phrase in found.lacking:
        click.echo(f"Lacking: {phrase}")
    click.echo(f"Isolation level: {found.level}")


def _summary(session: Session, verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "assignment": session.bundle.manifest.name,
        "bundle": session.bundle.digest,
        "graded": session.progress.done,
        "cached": session.progress.cached,
        "states": dict(session.progress.states),
        "students": [
            {"student": v.student, "name": v.name, "status": v.status.value,
             "attempt": v.attempt, "score": v.score, "possible": v.possible}
            for v in verdicts
        ],
        "missing": [student.id for student in session.intake.missing],
        "unmatched": [found.source for found in session.intake.unmatched],
    }  # fmt: skip


def _report(graded: Graded, grades: list[Grade], path: Path) -> Path:
    from autograder.engine import environment
    from autograder.report import report as write

    provenance = {"bundle": graded.digest, "environment": environment()}
    counting = [grade.verdict for grade in grades]
    return write(counting, graded.manifest, path, intake=graded.intake, provenance=provenance,
                 grades=grades)  # fmt: skip


main.add_command(course)
main.add_command(release)
main.add_command(export)
export.add_command(final)
for _command in (pull, login, logout):
    canvas_commands.add_command(_command)

if __name__ == "__main__":
    main()

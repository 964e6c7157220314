"""What the commands print: progress, tables, and one sentence for each error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from autograder.course import Course, FinalPolicy, deadline, digits, moment
from autograder.text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from autograder.bundle import Manifest
    from autograder.canvas.compare import Row
    from autograder.canvas.export import Changes
    from autograder.canvas.feedback import Feedback
    from autograder.canvas.final import Component, Final
    from autograder.canvas.status import Status
    from autograder.model import Verdict
    from autograder.progress import Progress
    from autograder.syllabus import Entry

_EVERY_SECONDS = 10.0
_MARKS = {"full": "✓", "partial": "◐", "zero": "○", "unreadable": "✗", "grader error": "!"}


def show_progress(verdicts: Iterable[Verdict], progress: Progress) -> Iterator[Verdict]:
    """Pass ``verdicts`` on, showing ``progress``: a bar on a terminal, plain lines elsewhere."""
    return _bar(verdicts, progress) if sys.stderr.isatty() else _lines(verdicts, progress)


def counts(progress: Progress) -> str:
    """How many submissions are in which state."""
    return "  ".join(
        f"{_MARKS[name]} {progress.states[name]} {name}" for name in _MARKS if progress.states[name]
    )


def _lines(verdicts: Iterable[Verdict], progress: Progress) -> Iterator[Verdict]:
    said = time.monotonic()
    for verdict in verdicts:
        yield verdict
        if time.monotonic() - said > _EVERY_SECONDS:
            said = time.monotonic()
            print(f"{_fraction(progress)}  {counts(progress)}{_eta(progress)}", file=sys.stderr)


def _fraction(progress: Progress) -> str:
    return f"{progress.cached + progress.done}/{progress.total}"


def _eta(progress: Progress) -> str:
    left = progress.eta
    if left is None:
        return ""
    return f"  {progress.rate:.2f}/s  ETA {int(left) // 60}:{int(left) % 60:02}"


def _bar(verdicts: Iterable[Verdict], progress: Progress) -> Iterator[Verdict]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening rooms …", total=max(progress.total, 1))
        for verdict in verdicts:
            text = f"{_fraction(progress)}  {counts(progress)}{_eta(progress)}"
            bar.update(task, completed=progress.cached + progress.done, description=text)
            yield verdict


class RunBar:
    """Shows how many runs of a calibration are made: a bar on a terminal, plain lines elsewhere.

    Args:
        name: The assignment.
    """

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        shown = sys.stderr.isatty()
        console = Console(stderr=True)
        self.bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=not shown)
        self.name, self.shown = name, shown
        self.task = self.bar.add_task(name, total=None)

    def __enter__(self) -> RunBar:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, done: int, total: int, what: str) -> None:
        """Say that ``done`` of ``total`` runs are made, the last of them ``what``."""
        last = f" · {what}" if what else ""
        self.bar.update(self.task, completed=done, total=total, description=f"{self.name}{last}")
        if not self.shown:
            print(f"{self.name} {done}/{total}{last}", file=sys.stderr, flush=True)


def class_table(verdicts: Iterable[Verdict], manifest: Manifest) -> Table:
    """Students × questions."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=f"{manifest.title}: autograded points", title_justify="left")
    table.add_column("student")
    for question in manifest.autograded:
        table.add_column(f"{question.name}\n/{question.points:g}", justify="right")
    table.add_column(f"score\n/{manifest.possible:g}", justify="right", style="bold")
    table.add_column("remark")
    for verdict in sorted(verdicts, key=lambda v: v.name.casefold()):
        cells = [_cell(verdict, question.name) for question in manifest.autograded]
        score = f"{verdict.score:g}" if verdict.status == "graded" else verdict.status.value
        table.add_row(
            escape(one_line(verdict.name)), *cells, score, escape(one_line(_remark(verdict)))
        )
    return table


def change_lines(plan: Changes) -> Iterator[str]:
    """What an import into Canvas changes, a line for each student, and who is left out."""
    yield f"{one_line(plan.column.header)}: {len(plan.changed)} of {len(plan.rows)} grades change"
    for row in plan.rows:
        mark = "→" if row.changes else "="
        name, before = one_line(row.student.name), one_line(row.before, 20) or "no grade"
        after = f"{row.after} less Canvas' deduction" if row.deducted else row.after
        sum_ = f"   {row.arithmetic}" if row.arithmetic else ""
        yield f"  {name:32} {before:>10} {mark} {after}{sum_}"
    for left in plan.left_out:
        yield f"  {one_line(left.name):32} left out: {one_line(left.reason, 4000)}"
    ours = [left.student for left in plan.left_out if left.conflict]
    if ours:
        yield f"  To overwrite every grade that is not from here: --ours {','.join(ours)}"


def feedback_lines(found: Feedback, again: bool) -> Iterator[str]:
    """Who gets feedback, whose is as before, and who is left out and why."""
    for file in found.files:
        yield f"  {one_line(file.student.name):32} {one_line(file.entry)}"
    for file in found.as_before:
        done = "once more" if again else "not written again: it is as it was"
        yield f"  {one_line(file.student.name):32} {done}"
    for left in found.left_out:
        yield f"  {one_line(left.name):32} left out: {one_line(left.reason, 4000)}"


def push_table(title: str, rows: Iterable[Row]) -> Table:
    """Who changes from what to what in Canvas and why; those of whom nothing is sent left out."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(one_line(title)), title_justify="left")
    for name in ("student", "from", "to", "", "sum", "why"):
        table.add_column(name, justify="right" if name in {"from", "to"} else "left")
    for row in rows:
        verdict = row.wanted.grade.verdict
        before = "–" if row.theirs is None else digits(row.theirs)
        after = "" if row.wanted.grade.problem else digits(row.ours)
        also = [*(["rubric"] if row.rubric else []), *([] if row.deed.nothing else ["comment"])]
        what = row.fate.value if row.sends_points or row.stuck else f"as it is; {', '.join(also)}"
        sum_ = one_line(row.wanted.grade.arithmetic)
        table.add_row(escape(f"{one_line(verdict.name)} ({row.user})"), before, after, what,
                      escape(sum_), escape(one_line(row.why, 400)))  # fmt: skip
    return table


def status_table(found: Iterable[tuple[str, Status | str]]) -> Table:
    """Where the grades of assignments stand: by name, or why that cannot be said."""
    from rich.table import Table

    table = Table(title="Between here and Canvas", title_justify="left")
    names = (
        "assignment",
        "handed in",
        "graded here",
        "in Canvas as sent",
        "changed by people",
        "CONFLICT",
        "left alone",
        "to send",
        "not read back",
        "posted",
        "hidden",
        "posting",
    )
    for name in names:
        table.add_column(name, justify="left" if name in {"assignment", "posting"} else "right")
    for name, one in found:
        if isinstance(one, str):
            table.add_row(name, *[""] * 10, one_line(one, 4000))
            continue
        numbers = (one.handed_in, one.graded, one.confirmed, one.changed, one.conflicts, one.left,
                   one.to_send, one.unknown, one.posted, one.hidden)  # fmt: skip
        table.add_row(name, *map(str, numbers), "by hand" if one.by_hand else "AT ONCE")
    return table


def console() -> Console:
    """A console that is not narrower than its tables when nobody looks at it."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=140)


def course_table(course: Course, entries: Sequence[Entry]) -> Table:
    """Assignments and milestones: what they count, what they hold, when they are out and due."""
    from rich.table import Table

    table = Table(title=f"{course.title}, {course.term}", title_justify="left")
    for name in ("assignment", "kind", "weight", "points", "by tests", "by people"):
        table.add_column(name, justify="left" if name in {"assignment", "kind"} else "right")
    table.add_column("release")
    table.add_column("due")
    for entry in entries:
        plan = entry.plan
        numbers = [plan.weight, plan.points, entry.automatic, entry.written]
        cells = [digits(number) if plan.graded else "" for number in numbers]
        table.add_row(f"{plan.name}: {entry.title}", plan.kind, *cells, moment(plan.release),
                      deadline(plan))  # fmt: skip
        for part in plan.milestone:
            name = f"  {part.question}: {part.title}"
            table.add_row(name, "milestone", "", digits(part.points), "", "", "", deadline(part))
    return table


def rubrics(entries: Sequence[Entry]) -> Iterator[str]:
    """The criteria by which people judge written answers, a line each."""
    for entry in entries:
        for question in (one for one in entry.questions if one.written):
            points = digits(question.points)
            yield f"\n{entry.plan.name} {question.name}, {question.title}: {points} points"
            for item in entry.rubric[question.name]:
                yield f"  {item.points:g}  {item.text}"
                yield from (f"       {level}" for level in item.levels)


def final_lines(
    finals: Sequence[Final], components: Sequence[Component], policy: FinalPolicy
) -> Iterator[str]:
    """Final grades with their rules, columns and arithmetic, and who lacks what."""
    yield str(policy)
    for one in components:
        columns = ", ".join(one_line(column.header) for column in one.columns)
        yield f"  {digits(one.weight):>6}  {one.name}: {columns}"
    for final in finals:
        total = "open" if final.total is None else digits(final.total)
        yield f"  {one_line(final.row.student.name):32} {total:>6}  {final.arithmetic}"
    lacking = [final for final in finals if final.remarks]
    if lacking:
        yield f"Not everything is graded for {len(lacking)} of {len(finals)} students:"
    for final in lacking:
        said = "; ".join(final.remarks)
        yield f"  {one_line(final.row.student.name):32} {one_line(said, 4000)}"


def _cell(verdict: Verdict, question: str) -> str:
    found = verdict.questions.get(question)
    if found is None:
        return "–"
    return f"{found.score:g}{' ↷' if found.skipped else ''}"


def _remark(verdict: Verdict) -> str:
    remarks = [*(["late"] if verdict.late else []), *([verdict.message] if verdict.message else [])]
    skipped = [name for name, question in verdict.questions.items() if question.skipped]
    remarks += [f"↷ skipped: {', '.join(skipped)}"] if skipped else []
    remarks += verdict.notes[:2]
    if len(verdict.notes) > 2:
        remarks.append(f"and {len(verdict.notes) - 2} more")
    return "; ".join(remarks)

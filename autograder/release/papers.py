"""What students read first: the README of the repository they clone, and what git ignores there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autograder.course import Course, deadline, digits
from autograder.release.colab import badge
from autograder.syllabus import Entry

IGNORED = ".venv/\n__pycache__/\n.ipynb_checkpoints/\n.OTTER_LOG\n"


def readme(course: Course, entries: Sequence[Entry]) -> str:
    """The README, in GitHub's Markdown.

    Args:
        course: Of the course file.
        entries: What is released, in the order of the course file.
    """
    parts = [
        f"# {course.title}",
        course.term,
        course.about.strip(),
        "## What is out",
        "\n".join(_table(course, entries)),
        " ".join(_rules(course)),
        "## Start",
        _start(course),
        "## Hand in",
        _HAND_IN,
        *(["## Help", course.help.strip()] if course.help.strip() else []),
        "## Licence",
        f"{course.licence}, see [LICENSE](LICENSE). Data have licences of their own: see the "
        "`DATASHEET.md` beside them.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def gitignore(entries: Sequence[Entry]) -> str:
    """What git ignores in a clone: what notebooks make and nobody should commit."""
    made = [f"/{entry.plan.name}/{file}" for entry in entries for file in entry.files]
    zips = [f"/{entry.plan.name}/{entry.plan.name}_*.zip" for entry in entries]
    return IGNORED + "".join(f"{line}\n" for line in sorted([*made, *zips]))


def _table(course: Course, entries: Sequence[Entry]) -> Iterator[str]:
    yield "| | kind | points | of the grade | due |"
    yield "|---|---|---|---:|---|"
    for entry in entries:
        plan = entry.plan
        notebook = f"{plan.name}/{entry.notebook}"
        links = f"**[{_cell(entry.title)}]({plan.name}/)** · [notebook]({notebook})"
        shown = f"{links} {badge(course, notebook)}".strip()
        weight = f"{digits(plan.weight * 100)} %" if plan.graded else ""
        yield f"| {shown} | {plan.kind} | {_points(entry)} | {weight} | {deadline(plan)} |"
        for part in plan.milestone:
            cells = [f"↳ {_cell(part.title)}", "milestone", digits(part.points), "", deadline(part)]
            yield f"| {' | '.join(cells)} |"


def _points(entry: Entry) -> str:
    if not entry.plan.graded:
        return "not graded"
    total = digits(entry.plan.points)
    if not entry.written:
        return f"{total}, by tests"
    if not entry.automatic:
        return f"{total}, by people"
    return f"{total}: {digits(entry.automatic)} by tests, {digits(entry.written)} by people"


def _rules(course: Course) -> Iterator[str]:
    yield from course.policies.sentences
    yield (
        "Where you are excused from something, what is left weighs more. The final grade is "
        "rounded once, at the end."
    )


def _start(course: Course) -> str:
    folder = course.repository.rstrip("/").rpartition("/")[2].removesuffix(".git")
    fetch = f"git clone {course.repository}\ncd {folder}\n" if course.repository else ""
    before = "" if fetch else " Clone this repository and, in its folder:"
    return f"""\
You need Python 3.11 or later and git.{before}

```
{fetch}python -m venv .venv
. .venv/bin/activate            # on Windows: .venv\\Scripts\\activate
pip install -r requirements.txt
jupyter lab
```

The first installation downloads several gigabytes, most of them PyTorch's. Then open the notebook
of an assignment; the README in its folder says what else is there.

New assignments come with `git pull`; run `pip install -r requirements.txt` again after it. Your
work stays as it is. Should git refuse because a file that you have changed was corrected here,
copy yours out of the folder, run `git checkout` on it, pull, and put your answers into the new
one."""


_HAND_IN = """\
Run the notebook from top to bottom, save it, and run its last cell. It makes a zip and says below
what would cost you points by accident. Hand in that zip on Canvas, in the assignment of the same
title. Hand in what you have: a question that fails costs that question only."""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

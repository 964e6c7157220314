from typing import Any

import pytest

from autograder.bundle import Manifest, Question
from autograder.model import QuestionVerdict, Standing, Verdict
from autograder.progress import Progress, state
from autograder.terminal import class_table, counts, show_progress


def verdict(score: float = 1, status: Standing = Standing.GRADED, **more: Any) -> Verdict:
    fields = {"student": "1", "name": "Lovelace, Ada", "questions": {}} | more
    return Verdict(assignment="hw", status=status, score=score, possible=4, isolation="A",
                   seconds=1, **fields)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (verdict(4), "full"), (verdict(3.5), "partial"), (verdict(0), "zero"),
        (verdict(0, Standing.UNREADABLE), "unreadable"),
        (verdict(4, Standing.GRADER_ERROR), "grader error"),
    ],
)  # fmt: skip
def test_a_verdict_in_one_word(found: Verdict, word: str) -> None:
    assert state(found) == word


def test_time_left_is_told_once_something_is_known() -> None:
    progress = Progress(total=10, cached=4)
    assert progress.eta is None
    progress.done, progress.started = 3, progress.started - 30
    assert progress.eta == pytest.approx(30, rel=0.05)


def test_progress_passes_every_verdict_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("autograder.terminal._EVERY_SECONDS", -1)
    progress = Progress(total=2)
    verdicts = [verdict(4), verdict(0)]

    def run() -> Any:
        for one in verdicts:
            progress.done += 1
            progress.count(one)
            yield one

    assert list(show_progress(run(), progress)) == verdicts
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("1/2  ✓ 1 full") and lines[1].startswith("2/2  ✓ 1 full  ○ 1 zero")
    assert counts(progress) == "✓ 1 full  ○ 1 zero"


def test_nothing_a_student_wrote_changes_the_table() -> None:
    from rich.console import Console

    manifest = Manifest(name="hw", title="HW", notebook="hw.ipynb", otter_zip="x.zip",
                        questions=[Question(name="q1", points=4)])  # fmt: skip
    odd = verdict(
        name="[red]Eve\x1b[2J\u202e", notes=["a", "b", "c"], late=True, message="[bold]x",
        questions={"q1": QuestionVerdict(score=1, possible=4, tests=[])},
    )  # fmt: skip
    console = Console(width=140, record=True)
    console.print(class_table([odd, verdict(0, Standing.UNREADABLE)], manifest))
    text = console.export_text()
    assert "[red]Eve" in text and "[bold]x; a; b; and 1 more" in text and "late" in text
    assert "\x1b" not in text and "\u202e" not in text and "unreadable" in text

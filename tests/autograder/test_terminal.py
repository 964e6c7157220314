"""What the commands print of verdicts."""

from rich.console import Console

from autograder.bundle import Manifest, Question
from autograder.model import QuestionVerdict, Standing, Status, TestVerdict, Verdict
from autograder.terminal import class_table

MANIFEST = Manifest(
    name="hw", title="HW", notebook="hw.ipynb", otter_zip="x.zip",
    questions=[Question(name="q1", points=2), Question(name="q2", points=2)],
)  # fmt: skip


def question(score: float, status: Status) -> QuestionVerdict:
    test = TestVerdict(name="test_a", status=status, points=score, possible=2, hidden=True)
    return QuestionVerdict(score=score, possible=2, tests=[test])


def printed(**questions: QuestionVerdict) -> str:
    verdict = Verdict(
        student="1", name="Lovelace, Ada", assignment="hw", status=Standing.GRADED, score=2,
        possible=4, isolation="A", seconds=1, questions=questions,
    )  # fmt: skip
    console = Console(width=140)
    with console.capture() as captured:
        console.print(class_table([verdict], MANIFEST))
    return captured.get()


def test_a_skipped_question_is_marked_and_named() -> None:
    text = printed(q1=question(0, Status.FAILED), q2=question(0, Status.SKIPPED))
    assert text.count("0 ↷") == 1 and "↷ skipped: q2" in text


def test_nothing_is_marked_where_nothing_was_skipped() -> None:
    text = printed(q1=question(2, Status.PASSED), q2=question(0, Status.FAILED))
    assert "↷" not in text and "Lovelace, Ada" in text

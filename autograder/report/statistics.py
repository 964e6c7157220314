"""What a class's verdicts say together: the numbers of the report."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from autograder.bundle import Manifest, Question
from autograder.course import digits
from autograder.grades import Grade
from autograder.intake import Intake
from autograder.model import QuestionVerdict, Standing, Status, TestVerdict, Verdict
from autograder.policy import duration
from autograder.text import clean, one_line

WORDS = {
    Status.PASSED: "passed",
    Status.FAILED: "failed",
    Status.SKIPPED: "skipped",
    Status.ERROR: "exception",
    Status.TIMEOUT: "out of time",
    Status.MEMORY: "out of memory",
    Status.GRADER_ERROR: "grader error",
}
SIGNS = {
    "full": "✓", "part": "◐", "none": "✗", "time": "⏱", "memory": "▲", "error": "✗",
    "grader": "!", "skipped": "↷", "not graded": "–",
}  # fmt: skip
"""Signs of the states a question can be in, by the word that always stands beside them."""


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers at the top."""

    graded: int
    handed_in: int
    missing: int
    late: int
    median: float | None
    mean: float | None
    possible: float


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """An isolation level that rooms had."""

    name: str
    count: int
    """Submissions graded in such rooms."""
    lacking: list[str]
    """What rooms lacked of level A."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One student's state in one question."""

    word: str
    sign: str
    score: float | None
    possible: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One student's row."""

    name: str
    id: str
    score: float | None
    possible: float
    cells: list[Cell]
    marks: list[str]
    """Late and attempt, unless what counts is shown; retrained."""
    counts: str = ""
    """Points that count; empty if that is not known."""
    why: str = ""
    """The sum that leads to them, or why there are none."""
    late: str = ""
    """By how much; empty if it is in time."""
    attempt: str = ""
    """Which of how many were graded."""


class TestLine(msgspec.Struct, frozen=True, kw_only=True):
    """How a class did in one test."""

    __test__ = False  # not a pytest class

    name: str
    label: str
    hidden: bool
    points: float
    passed: int
    tried: int
    others: list[tuple[str, int]]
    """How often each other outcome than passed occurred."""

    @property
    def rate(self) -> float | None:
        """Share of the students who passed."""
        return self.passed / self.tried if self.tried else None


class QuestionLine(msgspec.Struct, frozen=True, kw_only=True):
    """How a class did in one question."""

    name: str
    points: float
    full: int
    none: int
    tried: int
    mean: float | None
    """Mean share of the points reached."""
    tests: list[TestLine]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One message and everybody who got it."""

    question: str
    test: str
    hidden: bool
    word: str
    message: str
    names: list[str]


def headline(
    verdicts: Sequence[Verdict],
    manifest: Manifest,
    intake: Intake | None = None,
    grades: Sequence[Grade] = (),
) -> Headline:
    """Sum up a class."""
    scores = [verdict.score for verdict in _graded(verdicts)]
    late = [grade.late != timedelta() for grade in grades] or [one.late for one in verdicts]
    return Headline(
        graded=len(scores),
        handed_in=len({one.student.id for one in intake.submissions}) if intake else len(verdicts),
        missing=len(intake.missing) if intake else 0,
        late=sum(late),
        median=statistics.median(scores) if scores else None,
        mean=statistics.fmean(scores) if scores else None,
        possible=manifest.possible,
    )


def levels(verdicts: Sequence[Verdict]) -> list[Level]:
    """Count the submissions by the isolation of their rooms, the most frequent first."""
    groups: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.isolation:
            groups[verdict.isolation].append(verdict)
    return [
        Level(
            name=name,
            count=len(group),
            lacking=sorted({one_line(phrase) for one in group for phrase in one.lacking}),
        )
        for name, group in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]


def students(
    verdicts: Sequence[Verdict], manifest: Manifest, grades: Sequence[Grade] = ()
) -> list[Line]:
    """One row for each student, by name."""
    of = {grade.student: grade for grade in grades}
    return [
        _line(v, manifest, of.get(v.student))
        for v in sorted(verdicts, key=lambda v: (v.name.casefold(), v.student))
    ]


def questions(verdicts: Sequence[Verdict], manifest: Manifest) -> list[QuestionLine]:
    """Pass rates of every autograded question and test, in the notebook's order."""
    return [_question(question, _graded(verdicts)) for question in manifest.autograded]


def failures(verdicts: Sequence[Verdict], limit: int = 40) -> list[Failure]:
    """Group what went wrong by test and message, the most frequent first.

    Messages that differ in numbers and addresses only are one group, shown by its first. What
    was skipped did not go wrong.
    """
    groups: defaultdict[tuple[str, str, str], list[tuple[Verdict, TestVerdict]]] = defaultdict(list)
    for verdict in _graded(verdicts):
        for name, question in verdict.questions.items():
            for test in question.tests:
                if test.status not in {Status.PASSED, Status.SKIPPED}:
                    groups[name, test.name, _signature(test)].append((verdict, test))
    ranked = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [_failure(name, members) for (name, _, _), members in ranked[:limit]]


def _graded(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.status is Standing.GRADED]


def _line(verdict: Verdict, manifest: Manifest, grade: Grade | None) -> Line:
    graded = verdict.status is Standing.GRADED
    marks = [
        (bool(verdict.team), f"team {one_line(verdict.team.partition(' (')[0], 40)}"),
        (grade is None and verdict.late, "late"),
        (grade is None and verdict.attempt > 1, f"attempt {verdict.attempt}"),
        (verdict.retrained, "retrained"),
        (not graded, verdict.status.replace("_", " ")),
    ]
    return Line(
        name=one_line(verdict.name),
        id=verdict.student,
        score=verdict.score if graded else None,
        possible=verdict.possible if graded else manifest.possible,
        cells=[
            _cell(question, verdict.questions.get(question.name) if graded else None)
            for question in manifest.autograded
        ],
        marks=[text for condition, text in marks if condition],
        **(_counted(grade) if grade else {}),
    )


def _counted(grade: Grade) -> dict[str, str]:
    late = "by an unknown time" if grade.late is None else duration(grade.late)
    several = f", of {grade.attempts} graded" if grade.attempts > 1 else ""
    return {
        "counts": "" if grade.problem else digits(grade.points),
        "why": one_line(grade.problem or grade.arithmetic, 300),
        "late": "" if grade.late == timedelta() else late,
        "attempt": f"{grade.verdict.attempt}{several}",
    }


def _cell(question: Question, verdict: QuestionVerdict | None) -> Cell:
    word = _state(verdict)
    score = None if verdict is None else verdict.score
    return Cell(word=word, sign=SIGNS[word], score=score, possible=question.points)


def _state(verdict: QuestionVerdict | None) -> str:
    if verdict is None:
        return "not graded"
    statuses = {test.status for test in verdict.tests}
    if Status.GRADER_ERROR in statuses:
        return "grader"
    if verdict.score >= verdict.possible:
        return "full"
    for status, word in ((Status.TIMEOUT, "time"), (Status.MEMORY, "memory")):
        if status in statuses:
            return word
    if Status.SKIPPED in statuses:
        return "skipped"
    if verdict.score > 0:
        return "part"
    return "error" if Status.ERROR in statuses else "none"


def _question(question: Question, verdicts: Sequence[Verdict]) -> QuestionLine:
    own = [v.questions[question.name] for v in verdicts if question.name in v.questions]
    shares = [one.score / one.possible for one in own if one.possible > 0]
    outcomes: defaultdict[str, Counter[Status]] = defaultdict(Counter)
    for one in own:
        for test in one.tests:
            outcomes[test.name][test.status] += 1
    return QuestionLine(
        name=question.name,
        points=question.points,
        full=sum(share >= 1 for share in shares),
        none=sum(share <= 0 for share in shares),
        tried=len(own),
        mean=statistics.fmean(shares) if shares else None,
        tests=[
            TestLine(
                name=test.name,
                label=test.label,
                hidden=test.hidden,
                points=test.points,
                passed=outcomes[test.name][Status.PASSED],
                tried=outcomes[test.name].total(),
                others=[
                    (WORDS[status], outcomes[test.name][status])
                    for status in WORDS
                    if status is not Status.PASSED and outcomes[test.name][status]
                ],
            )
            for test in question.tests
        ],
    )


def _signature(test: TestVerdict) -> str:
    text = re.sub(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?", "#", test.message)
    return f"{test.status}:{text}"


def _failure(question: str, members: Sequence[tuple[Verdict, TestVerdict]]) -> Failure:
    test = members[0][1]
    return Failure(
        question=question,
        test=test.name,
        hidden=test.hidden,
        word=WORDS[test.status],
        message=clean(test.message, 1500),
        names=sorted(one_line(verdict.name) for verdict, _ in members),
    )

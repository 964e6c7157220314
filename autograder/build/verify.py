"""The proof an assignment ships with: who gets which points.

The solution gets them all and so does every other right answer of the panel, the untouched student
notebook none, and every mutant loses the points of exactly the tests that are there to catch it. Of
a lab, which has no points, the solution passes every self-check and the untouched notebook none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autograder.build.compose import Built, compose
from autograder.build.mutant import Mutant, read_mutants, spread
from autograder.build.panel import read_panel
from autograder.build.publish import publish
from autograder.build.sources import Sources
from autograder.bundle import Bundle, Manifest, Question, lacking
from autograder.engine import Settings
from autograder.engine import grade as sealed
from autograder.model import (
    Outcome,
    QuestionVerdict,
    Standing,
    Status,
    Student,
    Submission,
    TestVerdict,
    Verdict,
)

Grade = Callable[[Bundle, Iterable[Submission], Any], Iterator[Outcome]]
"""The engine: ``autograder.engine.grade`` or a stand-in."""

CAUGHT = {Status.FAILED, Status.ERROR, Status.TIMEOUT, Status.MEMORY}
"""What a test does to a wrong answer. A skipped test caught nothing."""
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Row:
    """One claim about one subject."""

    subject: str
    """``"solution"``, ``"student notebook"``, ``"panel NAME"`` or ``"mutant NAME"``."""
    expected: str
    got: str
    holds: bool
    lost: tuple[str, ...] = ()
    """Tests that the subject was asked and did not pass, as ``QUESTION TEST``"""


@dataclass(frozen=True)
class Proof:
    """What grading the subjects has shown."""

    assignment: str
    rows: list[Row]

    @property
    def holds(self) -> bool:
        """Whether every claim does."""
        return all(row.holds for row in self.rows)


def verify(
    name: str,
    project: Path,
    *,
    grade: Grade = sealed,
    settings: object | None = None,
    only: Iterable[str] | None = None,
    mutants: int | None = None,
    panel: int | None = None,
    heard: Callable[[Row], None] = lambda row: None,
) -> Proof:
    """Grade solution, student notebook, panel and mutants of ``solutions/NAME/``.

    The assignment is built afresh into a temporary folder: the proof is of the sources.

    Args:
        name: The assignment.
        project: The project's root.
        grade: The engine, or a stand-in.
        settings: The engine's settings; its defaults if not given.
        only: Subjects to grade, by their names in the rows; all if not given.
        mutants: How many mutants to grade, spread evenly over the list; all if not given.
        panel: How many members of the panel to grade, likewise.
        heard: Called with each row as soon as it is known.

    Raises:
        BuildError: if the assignment does not build or the header of a mutant or of a member of
            the panel is wrong.
    """
    sources = Sources.read(name, project)
    built = compose(name, project)
    claims = _claims(sources, built, mutants, panel)
    if only is not None:
        claims = [claim for claim in claims if claim.subject in set(only)]
    with TemporaryDirectory(prefix="autograder-verify-") as temporary:
        folder = Path(temporary) / name
        publish({folder: built.bundle})
        submissions = [claim.submission for claim in claims]
        graded = grade(Bundle(folder), submissions, settings or Settings())
        return Proof(name, _check(claims, graded, heard))


@dataclass(frozen=True)
class _Claim:
    subject: str
    submission: Submission
    expected: str
    judge: Callable[[dict[str, QuestionVerdict]], str]
    """What contradicts the claim, or nothing."""


_Subject = tuple[str, bytes, dict[str, bytes], str, Callable[[dict[str, QuestionVerdict]], str]]
"""Name, notebook, files handed in, what is expected, and who judges it."""


def _claims(sources: Sources, built: Built, mutants: int | None, panel: int | None) -> list[_Claim]:
    subjects = [
        *_own(built, sources.weights),
        *_panel(sources, built, panel),
        *_mutants(sources, built, mutants),
    ]
    return [
        _Claim(subject, _submission(number, subject, notebook, files), expected, judge)
        for number, (subject, notebook, files, expected, judge) in enumerate(subjects, 1)
    ]


def _own(built: Built, weights: dict[str, bytes]) -> Iterator[_Subject]:
    manifest, judge = built.manifest, _Judge(built.manifest)
    yield "solution", built.solution_notebook, weights, _full(manifest), judge.full
    if manifest.checkpoints:
        less = f"{_reduced(manifest)}: it trains, and credit is reduced"
        yield "solution without weights", built.solution_notebook, {}, less, judge.reduced
    nothing = "no self-check passes" if manifest.ungraded else "no points"
    yield "student notebook", built.student_notebook, {}, nothing, judge.zero


def _panel(sources: Sources, built: Built, wanted: int | None) -> Iterator[_Subject]:
    manifest, judge = built.manifest, _Judge(built.manifest)
    for member in spread(read_panel(sources.panel, manifest), wanted):
        subject, notebook = f"panel {member.name}", member.insert(built.solution_notebook)
        if member.trained:
            expected = f"{_reduced(manifest)} without weights: {member.title}"
            yield subject, notebook, {}, expected, judge.reduced
        else:
            expected = f"{_full(manifest)}: {member.title}"
            yield subject, notebook, sources.weights, expected, judge.full


def _mutants(sources: Sources, built: Built, wanted: int | None) -> Iterator[_Subject]:
    for mutant in spread(read_mutants(sources.mutants, built.manifest), wanted):
        expected = f"{mutant.question} fails {', '.join(mutant.caught_by)}; all else is full"
        notebook = mutant.insert(built.solution_notebook)
        judge = _Judge(built.manifest, mutant).caught
        yield f"mutant {mutant.name}", notebook, sources.weights, expected, judge


def _full(manifest: Manifest) -> str:
    if manifest.ungraded:
        return "every self-check passes"
    return f"all {manifest.possible:g} points"


def _reduced(manifest: Manifest) -> str:
    return f"{sum(manifest.possible_without_files().values()):g} points"


def _submission(number: int, subject: str, notebook: bytes, files: dict[str, bytes]) -> Submission:
    student = Student(id=str(number), name=subject)
    return Submission(student=student, source=subject, notebook=notebook, files=files)


def _check(
    claims: list[_Claim], graded: Iterable[Outcome], heard: Callable[[Row], None]
) -> list[Row]:
    by_student = {claim.submission.student.key: claim for claim in claims}
    rows = {}
    for outcome in graded:
        claim = by_student[outcome.verdict.student]
        rows[claim.subject] = _row(claim, outcome.verdict)
        heard(rows[claim.subject])
    return [rows.get(claim.subject) or _row(claim, None) for claim in claims]


def _row(claim: _Claim, verdict: Verdict | None) -> Row:
    wrong = _trouble(verdict) or claim.judge(verdict.questions if verdict else {})
    got, lost = wrong or claim.expected, _caught(verdict.questions if verdict else {})
    return Row(claim.subject, claim.expected, got, not wrong, lost)


def _caught(found: dict[str, QuestionVerdict]) -> tuple[str, ...]:
    return tuple(
        f"{name} {test.name}"
        for name, question in found.items()
        for test in question.tests
        if test.status in CAUGHT
    )


def _trouble(verdict: Verdict | None) -> str:
    if verdict is None:
        return "the engine gave no verdict"
    if verdict.status is not Standing.GRADED:
        return f"{verdict.status.value}: {verdict.message}"
    ours = [
        f"{name} {test.name}"
        for name, question in verdict.questions.items()
        for test in question.tests
        if test.status is Status.GRADER_ERROR
    ]
    return f"grader error in {', '.join(ours)}" if ours else ""


class _Judge:
    """Says what in a verdict's questions contradicts a claim."""

    def __init__(self, manifest: Manifest, mutant: Mutant | None = None) -> None:
        self.manifest, self.mutant = manifest, mutant

    def full(self, found: dict[str, QuestionVerdict]) -> str:
        return _listed(_lost(question, found) for question in self.manifest.autograded)

    def reduced(self, found: dict[str, QuestionVerdict]) -> str:
        wrong, possible = [], self.manifest.possible_without_files()
        for question in self.manifest.autograded:
            verdict, wanted = found.get(question.name), possible[question.name]
            if verdict is None or any(test.status != Status.PASSED for test in verdict.tests):
                wrong.append(_lost(question, found))
            elif abs(verdict.score - wanted) > TOLERANCE:
                wrong.append(f"{question.name} has {verdict.score:g} points, not {wanted:g}")
        return _listed(wrong)

    def zero(self, found: dict[str, QuestionVerdict]) -> str:
        return _listed(_earned(question, found) for question in self.manifest.autograded)

    def caught(self, found: dict[str, QuestionVerdict]) -> str:
        mutant = self.mutant
        if mutant is None:
            return ""
        # what builds on the question may be skipped; nothing else may suffer
        others = [
            question
            for question in self.manifest.autograded
            if question.name != mutant.question
            and not (lacking(question.name, self.manifest.requires, {mutant.question})
                     and _only_skipped(found.get(question.name)))
        ]  # fmt: skip
        verdict = found.get(mutant.question)
        statuses = {test.name: test.status for test in verdict.tests} if verdict else {}
        escaped = [name for name in mutant.caught_by if statuses.get(name) not in CAUGHT]
        survived = [f"{name} {_status(statuses, name)}" for name in escaped]
        return _listed([*survived, *(_lost(question, found) for question in others)])


def _only_skipped(verdict: QuestionVerdict | None) -> bool:
    left = {Status.PASSED, Status.SKIPPED}
    return verdict is not None and all(test.status in left for test in verdict.tests)


def _status(statuses: dict[str, Status], name: str) -> str:
    return statuses[name].value if name in statuses else "did not run"


def _lost(question: Question, found: dict[str, QuestionVerdict]) -> str:
    verdict = found.get(question.name)
    if verdict is None:
        return f"{question.name} was not graded"
    failed = [_fault(test) for test in verdict.tests if test.status is not Status.PASSED]
    if verdict.score >= question.points - TOLERANCE and (question.points or not failed):
        return ""
    return f"{question.name} {verdict.score:g}/{question.points:g}: {'; '.join(failed)}"


def _fault(test: TestVerdict) -> str:
    first = test.message.strip().partition("\n")[0][:200]
    return f"{test.name} {test.status.value}" + (f" ({first})" if first else "")


def _earned(question: Question, found: dict[str, QuestionVerdict]) -> str:
    verdict = found.get(question.name)
    if verdict is None:
        return f"{question.name} was not graded"
    # where there are no points to earn, passing is what counts
    free = not question.points
    passed = [
        test.name
        for test in verdict.tests
        if test.points > 0 or (free and test.status is Status.PASSED)
    ]
    if not passed and verdict.score <= TOLERANCE:
        return ""
    return f"{question.name} {verdict.score:g}/{question.points:g}: {', '.join(passed)} passed"


def _listed(faults: Iterable[str]) -> str:
    return " | ".join(fault for fault in faults if fault)

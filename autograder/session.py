"""One run of ``autograder grade``: from files and a roster to results on disk, resumable.

A folder of results holds ``results.sqlite`` (everything, append-only), ``manifest.json`` and
``intake.json`` (what was graded and who handed in nothing), ``fetched.json`` if it was fetched from
Canvas (a copy of its list), and ``results/<student key>/``.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from autograder import pulled, results
from autograder.bundle import Bundle, Manifest, sha256
from autograder.course import Course, found
from autograder.engine import Engine, Settings
from autograder.errors import StoreError
from autograder.files import write_atomically
from autograder.grades import NO_RULES, Grade, Rules, grades, ruling
from autograder.intake import Intake, fetched_from, intake
from autograder.model import Outcome, Standing, Student, Submission, Verdict
from autograder.policy import Attempts
from autograder.progress import Progress
from autograder.pulled import Pull
from autograder.salvage import opened
from autograder.store import Store
from autograder.teams import Team

FETCHED = "fetched.json"
"""Copy of the list of what was fetched from Canvas."""


class Session:
    """Grades what was taken in, and keeps the results.

    Args:
        bundle: What is graded.
        intake: What was handed in.
        out: The folder of results.
        rules: What counts; shown to students.
        pull: What was fetched from Canvas, if it was.

    Raises:
        StoreError: if results cannot be kept there. A damaged file of results is no error: it is
            put aside and what is sound in it is kept (:mod:`autograder.salvage`).
    """

    def __init__(
        self,
        bundle: Bundle,
        intake: Intake,
        out: Path,
        rules: Rules = NO_RULES,
        pull: Pull | None = None,
    ) -> None:
        self.bundle, self.intake, self.out, self.rules = bundle, intake, out, rules
        self.store = opened(out / "results.sqlite", _say)
        self.progress = Progress(len(intake.submissions))
        self._awaited: Counter[str] = Counter()
        self._verdicts: defaultdict[str, list[Verdict]] = defaultdict(list)
        self._counting: dict[str, Verdict] = {}
        try:
            write_atomically(out / "manifest.json", bundle.manifest_bytes)
            if pull is not None:
                write_atomically(out / FETCHED, msgspec.json.encode(pull))
            write_atomically(out / "intake.json", msgspec.json.encode(_without_contents(intake)))
        except OSError as error:
            self.store.close()
            raise StoreError.unwritable(out, error) from None

    def run(self, settings: Settings) -> Iterator[Verdict]:
        """Grade what is not graded yet; verdicts come as they are ready, kept ones first.

        Attempts of one student that are the same to a byte are graded once. Interrupting it loses
        nothing that was yielded; running it again continues.

        Raises:
            IsolationError: if this machine cannot isolate rooms.
            RoomError: if the warm processes could not be prepared.
        """
        self._verdicts.clear()
        self._awaited = Counter(
            one.student for submission in self.intake.submissions for one in submission.occasions
        )
        with Engine(self.bundle, settings) as engine:
            left: defaultdict[str, list[Submission]] = defaultdict(list)
            for submission in self.intake.submissions:
                key = engine.key(submission)
                outcome = self.store.get(key)
                if outcome is None or outcome.verdict.status is Standing.GRADER_ERROR:
                    left[key].append(submission)
                else:
                    self.progress.cached += 1
                    yield from self._keep(outcome, submission, graded=False)
            self.progress.start()
            for outcome in engine.grade([same[0] for same in left.values()]):
                for submission in left[outcome.verdict.key]:
                    self.progress.done += 1
                    yield from self._keep(outcome, submission, graded=True)

    def _keep(self, outcome: Outcome, submission: Submission, *, graded: bool) -> Iterator[Verdict]:
        """Make it the latest of everybody for whom ``submission`` counts."""
        for one in shared(outcome, submission):
            if graded or not self.store.reuse(one.verdict):
                self.store.put(one.verdict.key, one)
            self._show(one)
            self.progress.count(one.verdict)
            yield one.verdict

    def _show(self, outcome: Outcome) -> None:
        """Write the student's folder, once all attempts are graded."""
        student = outcome.verdict.student
        own = self._verdicts[student]
        own.append(outcome.verdict)
        if len(own) < self._awaited[student]:
            return

        def whole(verdict: Verdict) -> Outcome:
            return outcome if verdict == outcome.verdict else self.store.whole(verdict)

        (grade,) = grades(own, self.rules)
        self._counting[student] = grade.verdict
        results.settle(self.out / "results", own, grade, self.bundle.manifest, whole)

    def place(self, verdict: Verdict) -> Path:
        """The folder with what was written of ``verdict``."""
        counts = self._counting.get(verdict.student, verdict) == verdict
        return results.place_of(self.out / "results", verdict, counts=counts)

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()


def prepared(
    project: Path,
    bundle: Bundle,
    paths: Sequence[Path],
    roster: Sequence[Student],
    teams: Sequence[Team],
    out: Path,
    attempts: str | None = None,
) -> Session:
    """Take in what was handed in, by the rules of the course file, and open a session for it.

    Args:
        project: The course repository; without a course file nothing is late.
        bundle: What is graded.
        paths: What was handed in.
        roster: Everybody in the course.
        teams: Who hands in together.
        out: The folder of results.
        attempts: Which attempt counts, if that is said otherwise than in the course file.

    Raises:
        CourseError: if the course file is wrong, or what was fetched is of another assignment.
        IntakeError: if what was handed in cannot be read.
        StoreError: if results cannot be kept.
    """
    pull = fetched_from(paths)
    which = Attempts(attempts) if attempts else None
    rules = ruling(found(project), bundle.manifest, pull, which)
    taken = intake(paths, roster, bundle.manifest, teams, rules)
    return Session(bundle, msgspec.structs.replace(taken, attempts=which), out, rules, pull)


@dataclass(frozen=True)
class Graded:
    """What a folder of results says."""

    manifest: Manifest
    intake: Intake
    verdicts: list[Verdict]
    """One for each student, or for each attempt that was graded."""
    digest: str
    folder: Path = Path()
    pull: Pull | None = None
    """What was fetched from Canvas, as it is there now; the copy, if it is not there any more."""

    def rules(self, course: Course | None) -> Rules:
        """What counts, by the course file and what was fetched, as they are now.

        Raises:
            CourseError: if they are of different assignments.
        """
        return ruling(course, self.manifest, self.pull, self.intake.attempts)

    def grades(self, course: Course | None) -> list[Grade]:
        """What counts for each student.

        Raises:
            CourseError: as ``rules``.
        """
        return grades(self.verdicts, self.rules(course))

    def settle(self, course: Course | None) -> list[Grade]:
        """Make each student's folder say what counts now, and return that.

        Raises:
            CourseError: as ``rules``.
            StoreError: if it cannot be written.
        """
        counting = self.grades(course)
        with Store(self.folder / "results.sqlite") as store:
            for grade in counting:
                own = [one for one in self.verdicts if one.student == grade.student]
                results.settle(self.folder / "results", own, grade, self.manifest, store.whole)
        return counting

    def only(self, names: Collection[str]) -> Graded:
        """The same results, of the questions ``names`` alone.

        Raises:
            BundleError: if the assignment has not all of them.
        """
        manifest = self.manifest.only(names)
        verdicts = [_narrowed(verdict, manifest) for verdict in self.verdicts]
        return replace(self, manifest=manifest, verdicts=verdicts)


def shared(outcome: Outcome, submission: Submission) -> list[Outcome]:
    """What one grading gives: an outcome for everybody the submission counts for.

    Each says of its own hand-in which it is: the same bytes may have been graded before as those
    of another. In a team the first is the outcome of the submission itself; the others have keys
    of their own, made of its key and the member.
    """
    names = "; ".join(member.name for member in submission.members)
    key = outcome.verdict.key
    shares = []
    for member, occasion in zip(
        submission.members or [submission.student], submission.occasions, strict=True
    ):
        verdict = msgspec.structs.replace(
            outcome.verdict,
            student=member.key,
            name=member.name,
            team=f"{submission.team} ({names})" if submission.team else "",
            source=submission.source,
            attempt=occasion.attempt or submission.attempt,
            submitted=submission.submitted,
            late=submission.late,
            key=key
            if member.id == submission.student.id
            else sha256(f"{key} {member.id}".encode()),
        )
        shares.append(msgspec.structs.replace(outcome, verdict=verdict))
    return shares


def _narrowed(verdict: Verdict, manifest: Manifest) -> Verdict:
    names = [question.name for question in manifest.autograded]
    questions = {name: q for name, q in verdict.questions.items() if name in names}
    score = round(sum(question.score for question in questions.values()), 6)
    return msgspec.structs.replace(
        verdict, questions=questions, score=score, possible=manifest.possible
    )


def load(folder: Path) -> Graded:
    """Read a folder of results.

    Raises:
        StoreError: if it is none, or is damaged.
        IntakeError: if the list of what was fetched from Canvas is damaged.
    """
    try:
        data = (folder / "manifest.json").read_bytes()
        manifest = msgspec.json.decode(data, type=Manifest)
        intake = msgspec.json.decode((folder / "intake.json").read_bytes(), type=Intake)
    except (OSError, msgspec.DecodeError):
        raise StoreError(
            f"{folder} holds no results; run `autograder grade … --out {folder}`."
        ) from None
    present = {one for submission in intake.submissions for one in submission.occasions}
    with Store(folder / "results.sqlite") as store:
        verdicts = [one for one in store.latest(manifest.name) if one.occasion in present]
    pull = _fetched(folder, intake) if intake.fetched else None
    return Graded(manifest, intake, verdicts, sha256(data), folder, pull)


def _fetched(folder: Path, intake: Intake) -> Pull:
    """What was fetched, as it is now; the copy, if it is not there or of something else."""
    try:
        copy = msgspec.json.decode((folder / FETCHED).read_bytes(), type=Pull)
    except (OSError, msgspec.DecodeError):
        raise StoreError(f"{folder / FETCHED} is damaged; run `autograder grade` again.") from None
    now = pulled.read(Path(intake.fetched))
    return now if now and now.assignment == copy.assignment else copy


def _without_contents(intake: Intake) -> Intake:
    empty: Iterable[Submission] = (
        msgspec.structs.replace(submission, notebook=b"", files={})
        for submission in intake.submissions
    )
    return msgspec.structs.replace(intake, submissions=list(empty))


def _say(sentence: str) -> None:
    print(f"autograder: {sentence}", file=sys.stderr)

"""One run of ``autograder grade``: from files and a roster to results on disk, resumable.

A folder of results holds ``results.sqlite`` (everything, append-only), ``manifest.json`` and
``intake.json`` (what was graded and who handed in nothing), and ``results/<student key>/``.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from autograder import results
from autograder.bundle import Bundle, Manifest, sha256
from autograder.engine import Engine, Settings
from autograder.errors import StoreError
from autograder.files import write_atomically
from autograder.intake import Intake
from autograder.ledger import LedgerError
from autograder.model import Outcome, Standing, Submission, Verdict
from autograder.progress import Progress
from autograder.salvage import opened
from autograder.store import Store


class Session:
    """Grades what was taken in, and keeps the results.

    Args:
        bundle: What is graded.
        intake: What was handed in.
        out: The folder of results.

    Raises:
        StoreError: if results cannot be kept there. A damaged file of results is no error: it is
            put aside and what is sound in it is kept (:mod:`autograder.salvage`).
    """

    def __init__(self, bundle: Bundle, intake: Intake, out: Path) -> None:
        self.bundle, self.intake, self.out = bundle, intake, out
        self.store = opened(out / "results.sqlite", _say)
        self.progress = Progress(len(intake.submissions))
        try:
            write_atomically(out / "manifest.json", bundle.manifest_bytes)
            write_atomically(out / "intake.json", msgspec.json.encode(_without_contents(intake)))
        except OSError as error:
            self.store.close()
            raise StoreError.unwritable(out, error) from None

    def run(self, settings: Settings) -> Iterator[Verdict]:
        """Grade what is not graded yet; verdicts come as they are ready, kept ones first.

        Interrupting it loses nothing that was yielded; running it again continues.

        Raises:
            LedgerError: as :func:`check_ledger`.
            IsolationError: if this machine cannot isolate rooms.
            RoomError: if the warm processes could not be prepared.
        """
        check_ledger(self.bundle.manifest, settings)
        with Engine(self.bundle, settings) as engine:
            left: list[Submission] = []
            for submission in self.intake.submissions:
                outcome = self.store.get(engine.key(submission))
                if outcome is None or outcome.verdict.status is Standing.GRADER_ERROR:
                    left.append(submission)
                else:
                    self.progress.cached += 1
                    for one in shared(outcome, submission):
                        yield self._keep(one, outcome)
            self.progress.start()
            by_student = {submission.student.key: submission for submission in left}
            for outcome in engine.grade(left):
                self.progress.done += 1
                for one in shared(outcome, by_student[outcome.verdict.student]):
                    yield self._keep(one)

    def _keep(self, outcome: Outcome, before: Outcome | None = None) -> Verdict:
        """Make ``outcome`` its student's latest; ``before`` is what is kept of its submission."""
        key = outcome.verdict.key
        if before is not None and key != before.verdict.key:
            before = self.store.get(key)
        if before is not None and before.verdict == outcome.verdict:
            self.store.reuse(key)
        else:
            self.store.put(key, outcome)
        results.write(self.out / "results", outcome, self.bundle.manifest)
        return self._noted(outcome.verdict)

    def _noted(self, verdict: Verdict) -> Verdict:
        self.progress.count(verdict)
        return verdict

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()


def check_ledger(manifest: Manifest, settings: Settings) -> None:
    """Refuse to grade by something else what only a project's ledger can tell.

    Raises:
        LedgerError: if a question needs the ledger and there is none, or nothing in it.
    """
    names = [question.name for question in manifest.autograded if question.ledger]
    if names and not settings.ledger:
        raise LedgerError(
            f"Only the project's ledger tells how {', '.join(names)} of {manifest.name} is to be "
            "graded, and there is none: name it with --ledger, or grade other questions with "
            "--only."
        )


@dataclass(frozen=True)
class Graded:
    """What a folder of results says."""

    manifest: Manifest
    intake: Intake
    verdicts: list[Verdict]
    digest: str

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

    The first is the outcome of the submission itself. The others have keys of their own, made of
    its key and the member.
    """
    if not submission.team:
        return [outcome]
    names = "; ".join(member.name for member in submission.members)
    shares = []
    for member in submission.members:
        first = member.id == submission.student.id
        key = outcome.verdict.key
        verdict = msgspec.structs.replace(
            outcome.verdict,
            student=member.key,
            name=member.name,
            team=f"{submission.team} ({names})",
            key=key if first else sha256(f"{key} {member.id}".encode()),
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
    """
    try:
        data = (folder / "manifest.json").read_bytes()
        manifest = msgspec.json.decode(data, type=Manifest)
        intake = msgspec.json.decode((folder / "intake.json").read_bytes(), type=Intake)
    except (OSError, msgspec.DecodeError):
        raise StoreError(
            f"{folder} holds no results; run `autograder grade … --out {folder}`."
        ) from None
    with Store(folder / "results.sqlite") as store:
        present = {
            student.key
            for submission in intake.submissions
            for student in submission.members or [submission.student]
        }
        verdicts = [v for v in store.latest(manifest.name) if v.student in present]
    return Graded(manifest, intake, verdicts, sha256(data))


def _without_contents(intake: Intake) -> Intake:
    empty: Iterable[Submission] = (
        msgspec.structs.replace(submission, notebook=b"", files={})
        for submission in intake.submissions
    )
    return msgspec.structs.replace(intake, submissions=list(empty))


def _say(sentence: str) -> None:
    print(f"autograder: {sentence}", file=sys.stderr)

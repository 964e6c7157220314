"""One run of ``autograder grade``: from files and a roster to results on disk, resumable.

A folder of results holds ``results.sqlite`` (everything, append-only), ``manifest.json`` and
``intake.json`` (what was graded and who handed in nothing), and ``results/<student key>/``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from autograder import results
from autograder.bundle import Bundle, Manifest, sha256
from autograder.engine import Engine, Settings
from autograder.errors import StoreError
from autograder.files import write_atomically
from autograder.intake import Intake
from autograder.model import Standing, Submission, Verdict
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
            IsolationError: if this machine cannot isolate rooms.
            RoomError: if the warm processes could not be prepared.
        """
        with Engine(self.bundle, settings) as engine:
            left: list[Submission] = []
            for submission in self.intake.submissions:
                verdict = self._kept(engine.key(submission))
                if verdict is None:
                    left.append(submission)
                else:
                    self.progress.cached += 1
                    yield self._noted(verdict)
            self.progress.start()
            for outcome in engine.grade(left):
                self.store.put(outcome.verdict.key, outcome)
                results.write(self.out / "results", outcome, self.bundle.manifest)
                self.progress.done += 1
                yield self._noted(outcome.verdict)

    def _kept(self, key: str) -> Verdict | None:
        outcome = self.store.get(key)
        if outcome is None or outcome.verdict.status is Standing.GRADER_ERROR:
            return None
        self.store.reuse(key)
        results.write(self.out / "results", outcome, self.bundle.manifest)
        return outcome.verdict

    def _noted(self, verdict: Verdict) -> Verdict:
        self.progress.count(verdict)
        return verdict

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()


@dataclass(frozen=True)
class Graded:
    """What a folder of results says."""

    manifest: Manifest
    intake: Intake
    verdicts: list[Verdict]
    digest: str


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
        present = {submission.student.key for submission in intake.submissions}
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

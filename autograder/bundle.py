"""A bundle: what graders get of an assignment. ``dist/NAME/manifest.json`` and otter's zip."""

from __future__ import annotations

import copy
import hashlib
import io
import zipfile
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from autograder.errors import BundleError
from autograder.model import Limits

FORMAT = 1
"""Version of the manifest's layout."""


class Visibility(StrEnum):
    """When students see something, in the words of Gradescope's ``results.json``."""

    HIDDEN = "hidden"
    AFTER_DUE_DATE = "after_due_date"
    AFTER_PUBLISHED = "after_published"
    VISIBLE = "visible"


class TestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One test of an autograded question."""

    __test__ = False  # not a pytest class

    name: str
    """The test function's name, unique in its question."""
    points: float
    hidden: bool
    label: str = ""
    """What the test looks at, safe to show to students: first line of the test's docstring."""
    failure_message: str = ""
    """What the author has to say to students who fail it."""


class RubricItem(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion by which a written answer is judged."""

    text: str
    points: float
    levels: list[str] = []
    """Anchors from none to full credit, if there are any."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question, autograded (``tests``) or written (``rubric``)."""

    name: str
    points: float
    written: bool = False
    all_or_nothing: bool = False
    requires: list[str] = []
    """Earlier questions without which its hidden tests mean nothing; see :func:`lacking`."""
    ledger: bool = False
    """Only a project's ledger tells what its answers are compared with."""
    tests: list[TestEntry] = []
    rubric: list[RubricItem] = []
    prompt: str = ""
    """For written questions: the prompt's Markdown."""

    @property
    def smoke_test(self) -> str:
        """The name of its first public test, on which other questions may depend; or ``""``."""
        return next((test.name for test in self.tests if not test.hidden), "")


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A file of trained weights, and what its tests earn where the notebook trains instead."""

    file: str
    """One of the expected files."""
    question: str
    tests: list[str]
    """Tests of the question that rest on the file."""
    credit: float
    """Share of their points that these tests earn if the file was not handed in."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything graders know of an assignment that is not a test's code."""

    format: int = FORMAT
    name: str
    """Name of the assignment and of its folder."""
    title: str
    ungraded: bool = False
    """A lab: self-checks only, no points, nothing handed in."""
    notebook: str
    """File name of the student notebook."""
    otter_zip: str
    """File name of otter's autograder zip, beside the manifest."""
    questions: list[Question]
    """In the notebook's order."""
    limits: Limits = Limits()
    helpers: list[str] = []
    """Public modules beside the notebook whose public classes tests may create in room S."""
    expected_files: list[str] = []
    """Files students hand in beside the notebook (weights)."""
    checkpoints: list[Checkpoint] = []
    """What tests that rest on an expected file earn without it; full points if not listed."""
    public_files: list[str] = []
    """Files beside the student notebook, by path relative to it; put into room S by the grader."""
    hidden_feedback: Visibility = Visibility.HIDDEN
    """When students see which hidden tests they passed."""
    hashes: dict[str, str] = {}
    """SHA-256 of the bundle's other files and of each file in ``assignments/NAME/``."""

    @property
    def autograded(self) -> list[Question]:
        """The questions that have tests."""
        return [question for question in self.questions if not question.written]

    @property
    def requires(self) -> dict[str, list[str]]:
        """The questions that each question builds on, of those that build on any."""
        return {q.name: q.requires for q in self.autograded if q.requires}

    @property
    def possible(self) -> float:
        """Points of the autograded questions together."""
        return sum(question.points for question in self.autograded)

    def only(self, names: Collection[str]) -> Manifest:
        """The manifest as if the assignment had only the questions ``names``.

        Raises:
            BundleError: if it has not all of them.
        """
        known = [question.name for question in self.questions]
        for name in names:
            if name not in known:
                raise BundleError(
                    f"{self.name} has no question {name!r}; it has {', '.join(known)}."
                )
        questions = [
            msgspec.structs.replace(one, requires=[name for name in one.requires if name in names])
            for one in self.questions
            if one.name in names
        ]
        checkpoints = [one for one in self.checkpoints if one.question in names]
        return msgspec.structs.replace(self, questions=questions, checkpoints=checkpoints)

    def credit(self, question: str, test: str, missing: Collection[str]) -> float:
        """Share of its points that a test can earn where the files ``missing`` are not there."""
        return min(
            (
                one.credit
                for one in self.checkpoints
                if one.file in missing and one.question == question and test in one.tests
            ),
            default=1.0,
        )

    def possible_without_files(self) -> dict[str, float]:
        """Points that each autograded question can earn where no file was handed in."""
        return {
            question.name: sum(
                test.points * self.credit(question.name, test.name, self.expected_files)
                for test in question.tests
            )
            for question in self.autograded
        }


def lacking(question: str, requires: Mapping[str, Sequence[str]], failed: Collection[str]) -> str:
    """The question in ``failed`` that ``question`` builds on, directly or by way of others.

    Args:
        question: Its name.
        requires: The questions that each question builds on, by its name.
        failed: Questions whose smoke test, their first public test, was not passed.

    Returns:
        The first such question, or ``""`` if there is none.
    """
    seen, left = {question}, list(requires.get(question, ()))
    while left:
        name = left.pop(0)
        if name in failed:
            return name
        if name not in seen:
            seen.add(name)
            left += requires.get(name, ())
    return ""


class Bundle:
    """A bundle on disk, checked against its manifest.

    Args:
        path: The folder that holds ``manifest.json``, or that file.

    Raises:
        BundleError: if a file is missing or its hash is not the manifest's.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path.parent if path.name == "manifest.json" else path
        file = self.folder / "manifest.json"
        if not file.is_file():
            raise BundleError(
                f"{self.folder} holds no manifest.json; make the bundle with `autograder build`."
            )
        self.manifest_bytes = _read(file)
        """What ``manifest.json`` held when it was opened."""
        try:
            self.manifest = msgspec.json.decode(self.manifest_bytes, type=Manifest)
        except msgspec.DecodeError as error:
            raise BundleError(
                f"{file} is damaged ({error}); run `autograder build` again."
            ) from None
        if self.manifest.format != FORMAT:
            raise BundleError(f"{file} is of another version; run `autograder build` again.")
        self.otter_zip = self.folder / self.manifest.otter_zip
        if not self.otter_zip.is_file():
            raise BundleError(f"{self.otter_zip} is missing; run `autograder build` again.")
        self._zip_bytes()
        self.digest = sha256(self.manifest_bytes)
        """Identity of the bundle: the manifest names the hash of everything else in it."""

    def with_manifest(self, manifest: Manifest) -> Bundle:
        """The same bundle, graded by another manifest; another bundle to all that keeps results."""
        changed = copy.copy(self)
        changed.manifest = manifest
        changed.manifest_bytes = msgspec.json.encode(manifest)
        changed.digest = sha256(changed.manifest_bytes)
        return changed

    def unpack(self, folder: Path) -> None:
        """Unpack otter's zip (``tests/``, ``files/``, ``otter_config.json``) into ``folder``.

        Raises:
            BundleError: if it is gone or was changed since it was opened.
        """
        with zipfile.ZipFile(io.BytesIO(self._zip_bytes())) as archive:
            archive.extractall(folder)

    def _zip_bytes(self) -> bytes:
        data = _read(self.otter_zip)
        if sha256(data) != self.manifest.hashes.get(self.otter_zip.name):
            raise BundleError(f"{self.otter_zip} was changed since the build; build again.")
        return data


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{file} cannot be read ({error.strerror}); put the bundle back or run `autograder "
            "build` again, then run the same command: nothing graded is lost."
        ) from None


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()

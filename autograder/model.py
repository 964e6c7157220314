"""The words every part of the autograder shares: students, submissions, limits and verdicts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec


class Status(StrEnum):
    """The outcome of one test. All but ``GRADER_ERROR`` are the student's."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Not asked: a question that this one builds on did not pass its smoke test."""
    ERROR = "error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    GRADER_ERROR = "grader_error"


class Standing(StrEnum):
    """What became of a whole submission.

    ``UNREADABLE`` is the student's fault (no notebook could be read) and ``GRADER_ERROR`` is
    ours; neither is exported to Canvas before a person has looked.
    """

    GRADED = "graded"
    UNREADABLE = "unreadable"
    GRADER_ERROR = "grader_error"


UNSEALED = "0"
"""Isolation level of rooms without walls."""
WATERMARK = "Graded without isolation: not for the record"
"""What every page says of such a verdict."""


class Student(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the roster, as the gradebook spells it."""

    id: str
    """Canvas user id, decimal digits."""
    name: str
    """Sortable name, e.g. ``"Lovelace, Ada"``."""
    login: str = ""
    sis_id: str = ""
    section: str = ""

    @property
    def key(self) -> str:
        """The name of the student's results folder: the Canvas user id."""
        return self.id


class Occasion(NamedTuple):
    """One time that a student handed in; where times are not known a student has one only."""

    student: str
    attempt: int
    submitted: datetime | None

    @classmethod
    def of(cls, student: str, attempt: int, submitted: datetime | None) -> Occasion:
        """The occasion of an attempt."""
        return cls(student, attempt if submitted else 0, submitted)


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What one student handed in: the notebook and the files beside it, as bytes."""

    student: Student
    source: str
    """Where it was found, for staff: an archive entry or a path."""
    notebook: bytes
    """The notebook file's bytes, whatever they are; empty if none was handed in."""
    files: dict[str, bytes] = {}
    """Files beside the notebook by plain file name (no folders)."""
    attempt: int = 1
    late: bool = False
    submitted: datetime | None = None
    """When it was handed in, with a zone; known of what was fetched from Canvas."""
    problem: str = ""
    """Why no notebook could be taken from what was handed in; one sentence for the student."""
    team: str = ""
    """The team's name, if it is the work of one."""
    members: list[Student] = []
    """Everybody it counts for, ``student`` first, if it is the work of a team."""
    entry: str = ""
    """The file that holds the notebook, exactly as Canvas named it in its archive; empty if it
    was not in one."""
    numbers: dict[str, int] = {}
    """Canvas' numbers of this attempt by member, where it keeps one for each."""

    @property
    def occasions(self) -> list[Occasion]:
        """Which hand-in it is of each whom it counts for."""
        return [
            Occasion.of(one.key, self.numbers.get(one.id, self.attempt), self.submitted)
            for one in self.members or [self.student]
        ]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a room may use. Defaults suit a CPU notebook of a few minutes."""

    cell_seconds: float = 120.0
    """Wall clock of one notebook cell."""
    question_seconds: float = 120.0
    """Wall clock of all tests of one question."""
    submission_seconds: float = 900.0
    """Wall clock of a whole submission, from the first cell to the last test."""
    cpu_seconds: int = 1800
    """Processor time of all of a room's processes together."""
    memory_mb: int = 2048
    """Private memory of all of a room's processes together, MiB."""
    processes: int = 64
    """Processes and threads in a room."""
    open_files: int = 256
    file_mb: int = 64
    """Size of one written file, MiB."""
    disk_mb: int = 256
    """Size of the room's working folder, MiB."""
    files: int = 20_000
    """Files in the room's working folder."""
    output_kb: int = 1024
    """Output that a student sees again, KiB."""


class Limit(StrEnum):
    """A limit of a room that a notebook can meet."""

    CELL = "cell"
    """Wall clock of a cell."""
    CPU = "cpu"
    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"
    FILE = "file"
    """Size of one file."""
    OPEN_FILES = "open_files"
    OUTPUT = "output"


class TestVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one test."""

    __test__ = False  # not a pytest class

    name: str
    """The test function's name."""
    status: Status
    points: float
    """Points earned."""
    possible: float
    hidden: bool
    message: str = ""
    """For staff: the assertion's text or what went wrong, bounded."""
    seconds: float = 0.0


class QuestionVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one autograded question."""

    score: float
    possible: float
    tests: list[TestVerdict]

    @property
    def skipped(self) -> bool:
        """Whether a test of it was not asked because of another question."""
        return any(test.status is Status.SKIPPED for test in self.tests)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one submission, as written to ``verdict.json``. For staff."""

    student: str
    """The student key (Canvas user id)."""
    name: str
    assignment: str
    status: Standing
    score: float
    """Autograded points earned."""
    possible: float
    """Autograded points there are; written questions are not in it."""
    isolation: str
    """Level of the rooms: ``"A"``, ``"A-"``, ``"B"`` or ``"0"`` (docs/sealed-grading.md)."""
    seconds: float
    """Wall clock from opening the first room to the verdict."""
    questions: dict[str, QuestionVerdict]
    message: str = ""
    """One sentence on what happened to the submission as a whole, if anything did."""
    lacking: list[str] = []
    """What the rooms lacked of level A, one phrase each."""
    remarks: list[str] = []
    """Sentences for the student: which limit the notebook met, and where."""
    notes: list[str] = []
    """Further remarks for staff: cells that failed, what a room was ended for."""
    source: str = ""
    attempt: int = 1
    late: bool = False
    submitted: datetime | None = None
    """When it was handed in, with a zone; known of what was fetched from Canvas."""
    cells_seconds: float = 0.0
    """Wall clock of the notebook's own cells, as room S measured it."""
    peak_mb: float = 0.0
    """The most memory room S was seen to take beyond the warm process, MiB."""
    team: str = ""
    """The team that handed it in and its members, if it is the work of one."""
    retrained: bool = False
    """Whether submitted weights were removed, so that the notebook trained afresh."""
    key: str = ""
    """Result key: hash of submission, bundle, environment and seed."""

    @property
    def occasion(self) -> Occasion:
        """Which hand-in of whom it is of."""
        return Occasion.of(self.student, self.attempt, self.submitted)

    @property
    def unsealed(self) -> bool:
        """Whether the rooms had no walls, so that the score proves nothing."""
        return self.isolation == UNSEALED


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that grading one submission leaves behind."""

    verdict: Verdict
    executed: bytes = b""
    """The executed notebook (nbformat 4 JSON), empty if none was run."""
    log: str = ""
    """What the rooms printed that is for staff only."""
    artefacts: dict[str, bytes] = {}
    """Files the notebook was expected to write (weights), by name."""


def plain_name(name: str) -> str | None:
    """Return ``name`` if it is a plain file name, safe to create in a room, else ``None``."""
    path = PurePosixPath(name)
    if len(path.parts) != 1 or name in {".", "..", ""} or len(name.encode(errors="replace")) > 200:
        return None
    if any(ord(character) < 32 or character in '\\/:*?"<>|' for character in name):
        return None
    return name

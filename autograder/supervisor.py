"""M: grades one submission, from opening its rooms to the verdict.

M opens room S and lets the notebook run; then opens the lines between S and room T and lets T
judge. It keeps the clocks, enforces the limits, and alone writes down what came out. It reads
packets of fixed types and never a student's value.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from autograder.bundle import Bundle, Manifest, Question
from autograder.errors import NotebookError, RoomError
from autograder.executed import executed
from autograder.memory import MemoryWatch
from autograder.model import (
    Limits,
    Outcome,
    QuestionVerdict,
    Standing,
    Status,
    Submission,
    TestVerdict,
    Verdict,
)  # fmt: skip
from autograder.notebook import code_sources, read
from autograder.room.host import Room, Warm
from autograder.wire import packets

LOG_LIMIT = 8 * 1024 * 1024
"""Bytes of a room's own printing that are kept for staff."""
_GRACE_SECONDS = 20.0
"""How much longer than its questions' time room T may take before it counts as stuck."""
_TICK_SECONDS = 0.25
_PACKET_COST = 1024
"""Bytes that any packet of room S counts for: nobody makes M remember things without end."""
_READS_AT_ONCE = 64
_FROM_S = (
    packets.Ready
    | packets.Piece | packets.CellStarted | packets.CellOutput | packets.CellDone | packets.CellLost
    | packets.Checked | packets.Finished
)  # fmt: skip
_FROM_T = packets.Ready | packets.Judging | packets.Tested | packets.Finished


@dataclass
class CellRecord:
    """What became of one cell."""

    outputs: bytearray = field(default_factory=bytearray)
    done: packets.CellDone | None = None
    lost: str = ""


class StudentRoom:
    """M's end of room S.

    Args:
        room: The room.
        limits: What it may use.
        artefacts: Names of the files to take from it.
    """

    def __init__(self, room: Room, limits: Limits, artefacts: list[str]) -> None:
        self.room = room
        self.cells: dict[int, CellRecord] = {}
        self.files: dict[str, bytes] = {}
        self.ready = self.finished = False
        self._parts: dict[str, bytearray] = {name: bytearray() for name in artefacts}
        self._left = 4 * limits.output_kb * 1024 + 64 * 1024 * 1024

    def hear(self) -> None:
        """Take one packet.

        Raises:
            EOFError: if the room hung up, or sends what it should not.
        """
        try:
            packet, _ = packets.receive(self.room.control, _FROM_S)
        except (msgspec.DecodeError, OSError):
            raise EOFError from None
        self._spend(_PACKET_COST)
        if isinstance(packet, packets.Piece):
            self._take(packet)
        elif isinstance(packet, packets.Ready):
            self.ready = True
        elif isinstance(packet, packets.Finished):
            self.finished = True
        elif not isinstance(packet, packets.Checked):
            self._note(packet)

    def _note(
        self,
        packet: packets.CellStarted | packets.CellOutput | packets.CellDone | packets.CellLost,
    ) -> None:
        if isinstance(packet, packets.CellStarted):
            self.cells[packet.index] = CellRecord()
            return
        record = self.cells.setdefault(packet.index, CellRecord())
        if isinstance(packet, packets.CellOutput):
            self._spend(len(packet.data))
            record.outputs += packet.data
        elif isinstance(packet, packets.CellDone):
            self._spend(len(packet.problem))
            record.done = packet
        else:
            record.lost = packet.reason[:200]

    def _take(self, piece: packets.Piece) -> None:
        self._spend(len(piece.data))
        if piece.name in self._parts:
            self._parts[piece.name] += piece.data
            if piece.last:
                self.files[piece.name] = bytes(self._parts.pop(piece.name))

    def _spend(self, length: int) -> None:
        self._left -= length
        if self._left < 0:
            raise EOFError


class Log:
    """What a room prints, for staff. Beyond a limit it is thrown away."""

    def __init__(self) -> None:
        self._data = bytearray()

    def drain(self, output: int) -> bool:
        """Read what is there; false once the room has closed its end."""
        for _ in range(_READS_AT_ONCE):
            try:
                part = os.read(output, 1 << 16)
            except BlockingIOError:
                return True
            if not part:
                return False
            self._data += part[: max(LOG_LIMIT - len(self._data), 0)]
        return True

    def text(self) -> str:
        """The log as text."""
        return self._data.decode(errors="replace")


@dataclass
class Trial:
    """What is known of one submission while it is graded."""

    tested: dict[tuple[str, str], packets.Tested] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    judged: bool = False
    peak_mb: float = 0.0


class Supervisor:
    """Grades submissions of one bundle in the rooms of two warm processes. Thread-safe.

    Args:
        bundle: What is graded.
        students: Warm process that rooms S are forked from.
        judges: Warm process that rooms T are forked from.
        limits: What room S may use; the manifest's if not given.
    """

    def __init__(
        self, bundle: Bundle, students: Warm, judges: Warm, limits: Limits | None = None
    ) -> None:
        self._manifest = bundle.manifest
        self._students, self._judges = students, judges
        self._limits = limits or bundle.manifest.limits

    def grade(self, submission: Submission, *, retrain: bool = False,
              stopped: Callable[[], bool] = lambda: False) -> Outcome:  # fmt: skip
        """Grade one submission.

        Args:
            submission: What was handed in.
            retrain: Take its weights away, so that the notebook trains afresh.
            stopped: Asked often; once true, the rooms are closed and ``Interrupted`` is raised.

        Returns:
            The outcome; a failure of ours is an outcome too, of standing ``GRADER_ERROR``.
        """
        started = time.monotonic()
        try:
            notebook = self._read(submission)
        except NotebookError as error:
            return self._unreadable(submission, str(error))
        attempt = _Attempt(self._manifest, self._limits, submission, notebook, retrain, stopped)
        try:
            attempt.run(self._students, self._judges)
        except RoomError as error:
            return self._our_fault(submission, str(error), attempt)
        seconds = time.monotonic() - started
        return attempt.outcome(self._students.wait().level, seconds)

    def _read(self, submission: Submission) -> dict[str, Any]:
        if submission.problem:
            raise NotebookError(submission.problem)
        return read(submission.notebook)

    def _unreadable(self, submission: Submission, problem: str) -> Outcome:
        return Outcome(verdict=self._verdict(submission, Standing.UNREADABLE, problem))

    def _our_fault(self, submission: Submission, problem: str, attempt: _Attempt) -> Outcome:
        verdict = self._verdict(submission, Standing.GRADER_ERROR, problem)
        return Outcome(verdict=verdict, log=attempt.log())

    def _verdict(self, submission: Submission, status: Standing, message: str) -> Verdict:
        return Verdict(
            student=submission.student.key, name=submission.student.name,
            assignment=self._manifest.name, status=status, score=0.0,
            possible=self._manifest.possible, isolation=self._students.wait().level, seconds=0.0,
            questions={}, message=message, source=submission.source, attempt=submission.attempt,
            late=submission.late,
        )  # fmt: skip


class Interrupted(Exception):
    """Grading was stopped from outside; nothing is known of the submission."""


class _Attempt:
    """One submission on its way from first cell to verdict."""

    def __init__(self, manifest: Manifest, limits: Limits, submission: Submission,
                 notebook: dict[str, Any], retrain: bool,
                 stopped: Callable[[], bool]) -> None:  # fmt: skip
        self._manifest, self._limits, self._submission = manifest, limits, submission
        self._notebook, self._retrain, self._stopped = notebook, retrain, stopped
        self._names = [question.name for question in manifest.autograded]
        self._trial = Trial()
        self._logs = (Log(), Log())
        self._student: StudentRoom | None = None

    def run(self, students: Warm, judges: Warm) -> None:
        """Run the notebook in room S, then judge it from room T.

        Raises:
            RoomError: if a room failed through no fault of the student.
            Interrupted: if grading was stopped.
        """
        lines = [socket.socketpair() for _ in self._names]
        ours, theirs = [pair[0] for pair in lines], [pair[1] for pair in lines]
        try:
            with students.open(self._limits, [line.fileno() for line in theirs]) as room:
                for line in theirs:
                    line.close()
                self._hand_in(room)
                # room T furnishes itself while the notebook runs
                with judges.open(_JUDGE_LIMITS) as court:
                    self._run_notebook(room)
                    self._judge(room, court, ours)
        finally:
            for line in (*ours, *theirs):
                line.close()

    def _run_notebook(self, room: Room) -> None:
        student = self._student = StudentRoom(room, self._limits, self._manifest.expected_files)
        self._deadline = time.monotonic() + self._limits.submission_seconds
        self._memory = MemoryWatch(room.pid, self._limits.memory_mb)
        with selectors.DefaultSelector() as selector:
            for source in (room.control, room.output, room):
                selector.register(source, selectors.EVENT_READ)
            while not student.finished and self._in_time(room):
                ready = {key.fileobj for key, _ in selector.select(_TICK_SECONDS)}
                if room.output in ready and not self._logs[0].drain(room.output):
                    selector.unregister(room.output)
                try:
                    if room.control in ready:
                        student.hear()
                    elif room in ready:
                        raise EOFError
                except EOFError:
                    if not student.ready:
                        raise self._not_opened(room) from None
                    self._close(room, "the notebook ended its own room")
                    return

    def _in_time(self, room: Room) -> bool:
        if self._stopped():
            raise Interrupted
        if time.monotonic() > self._deadline:
            self._close(room, f"the notebook took more than {self._limits.submission_seconds:g} s")
            return False
        if self._memory.trim():
            self._note(f"a process that took more than {self._limits.memory_mb} MiB was ended")
        self._trial.peak_mb = max(self._trial.peak_mb, self._memory.peak_mb)
        return True

    def _close(self, room: Room, reason: str) -> None:
        """End room S for a reason that is the student's; what T then asks it fails."""
        self._note(reason)
        room.kill()

    def _note(self, text: str) -> None:
        if text not in self._trial.notes:
            self._trial.notes.append(text)

    def _hand_in(self, room: Room) -> None:
        files = {} if self._retrain else dict(self._submission.files)
        files[self._manifest.notebook] = json.dumps(self._notebook).encode()
        run = packets.Run(
            self._manifest.notebook, code_sources(self._notebook), self._names,
            self._manifest.helpers, self._manifest.expected_files,
            self._limits.cell_seconds, self._limits.output_kb,
        )  # fmt: skip
        try:
            for name, data in files.items():
                for piece in packets.pieces(name, data):
                    packets.send(room.control, piece)
            for piece in packets.pieces(packets.JOB, msgspec.msgpack.encode(run)):
                packets.send(room.control, piece)
        except OSError:
            raise self._not_opened(room) from None

    def _not_opened(self, room: Room) -> RoomError:
        self._logs[0].drain(room.output)
        said = self._logs[0].text()[-500:]
        return RoomError(f"room S closed before the notebook ran: {said}")

    def _judge(self, room: Room, court: Room, lines: list[socket.socket]) -> None:
        job = packets.Judge(
            self._submission.student.key, self._names, self._limits.question_seconds
        )
        try:
            packets.send(court.control, job, [line.fileno() for line in lines])
        except OSError:
            self._logs[1].drain(court.output)
            said = self._logs[1].text()[-500:]
            raise RoomError(f"room T closed before it judged: {said}") from None
        for line in lines:
            line.close()
        patience = time.monotonic() + self._limits.question_seconds + _GRACE_SECONDS
        with selectors.DefaultSelector() as selector:
            for source in (court.control, court.output, court, room.output):
                selector.register(source, selectors.EVENT_READ)
            while not self._trial.judged and time.monotonic() < patience:
                ready = {key.fileobj for key, _ in selector.select(_TICK_SECONDS)}
                self._watch(room, court, ready, selector)
                if court.control in ready:
                    if self._hear_judge(court):
                        patience = time.monotonic() + self._limits.question_seconds + _GRACE_SECONDS
                elif court in ready:
                    break

    def _watch(
        self, room: Room, court: Room, ready: set[Any], selector: selectors.BaseSelector
    ) -> None:
        if self._stopped():
            raise Interrupted
        for log, source in zip(self._logs, (room.output, court.output), strict=True):
            if source in ready and not log.drain(source):
                selector.unregister(source)
        if self._memory.trim():
            self._note(f"a process that took more than {self._limits.memory_mb} MiB was ended")
        if time.monotonic() > self._deadline and not room.ended:
            self._close(
                room, f"the submission took more than {self._limits.submission_seconds:g} s"
            )

    def _hear_judge(self, court: Room) -> bool:
        """Take one packet from T; whether a further question begins.

        Raises:
            RoomError: if T sends what it should not.
        """
        try:
            packet, _ = packets.receive(court.control, _FROM_T)
        except (EOFError, OSError):
            self._trial.judged = True
            return False
        except msgspec.DecodeError as error:
            raise RoomError(f"room T sent what is no verdict: {error}") from None
        if isinstance(packet, packets.Tested):
            self._trial.tested[packet.question, packet.test] = packet
        elif isinstance(packet, packets.Finished):
            self._trial.judged = True
        return isinstance(packet, packets.Judging)

    def log(self) -> str:
        """What the rooms printed."""
        return "".join(
            f"== room {n} ==\n{log.text()}\n" for n, log in zip("ST", self._logs, strict=True)
        )

    def outcome(self, isolation: str, seconds: float) -> Outcome:
        """The verdict and all that goes with it."""
        questions = {q.name: self._question(q) for q in self._manifest.autograded}
        ours = any(t.status == Status.GRADER_ERROR for q in questions.values() for t in q.tests)
        assert self._student is not None
        verdict = Verdict(
            student=self._submission.student.key,
            name=self._submission.student.name,
            assignment=self._manifest.name,
            status=Standing.GRADER_ERROR if ours else Standing.GRADED,
            score=0.0 if ours else round(sum(q.score for q in questions.values()), 6),
            possible=self._manifest.possible,
            isolation=isolation,
            seconds=round(seconds, 3),
            questions=questions,
            message="Room T did not judge every test: look at log.txt." if ours else "",
            notes=[*self._trial.notes, *self._cell_notes()],
            source=self._submission.source,
            attempt=self._submission.attempt,
            late=self._submission.late,
            retrained=self._retrain,
            cells_seconds=round(self._cells_seconds(), 3),
            peak_mb=round(self._trial.peak_mb, 1),
        )
        results = {index: _cell_result(record) for index, record in self._student.cells.items()}
        notebook = executed(self._notebook, results)
        return Outcome(
            verdict=verdict, executed=notebook, log=self.log(), artefacts=self._student.files
        )

    def _cells_seconds(self) -> float:
        assert self._student is not None
        done = (record.done for record in self._student.cells.values())
        return sum(min(max(cell.seconds, 0.0), 1e6) for cell in done if cell)

    def _question(self, question: Question) -> QuestionVerdict:
        tests = [
            self._test(question, entry.name, entry.points, entry.hidden) for entry in question.tests
        ]
        score = sum(test.points for test in tests)
        if question.all_or_nothing and any(test.status != Status.PASSED for test in tests):
            score = 0.0
        return QuestionVerdict(score=round(score, 6), possible=question.points, tests=tests)

    def _test(self, question: Question, name: str, possible: float, hidden: bool) -> TestVerdict:
        found = self._trial.tested.get((question.name, name))
        if found is None:
            missing = "room T ended before this test was judged"
            found = packets.Tested(question.name, name, Status.GRADER_ERROR, missing, 0.0)
        points = possible if found.status == Status.PASSED else 0.0
        return TestVerdict(
            name=name, status=found.status, points=points, possible=possible, hidden=hidden,
            message=found.message[:4000], seconds=round(min(max(found.seconds, 0.0), 1e6), 4),
        )  # fmt: skip

    def _cell_notes(self) -> list[str]:
        assert self._student is not None
        notes = []
        for index, record in sorted(self._student.cells.items()):
            place = f"code cell {index + 1}"
            if record.lost == "timeout" or (record.done and record.done.problem == "timeout"):
                notes.append(f"{place} ran for more than {self._limits.cell_seconds:g} s")
            elif record.lost:
                notes.append(f"{place} {record.lost} and was left out")
            elif record.done and record.done.problem:
                notes.append(f"{place} raised {record.done.problem[:64]}")
        return notes[:50]


_JUDGE_LIMITS = Limits(memory_mb=8192, processes=64, disk_mb=256)


def _cell_result(record: CellRecord) -> tuple[bytes, int | None, str]:
    remark = f"This cell was left out: {record.lost}." if record.lost else ""
    return bytes(record.outputs), record.done.count if record.done else None, remark

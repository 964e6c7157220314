"""M: grades one submission, from opening its rooms to the verdict.

M opens room S and lets the notebook run; then opens the lines between S and room T and lets T
judge. It keeps the clocks, enforces the limits, and alone writes down what came out. It reads
packets of fixed types and never a student's value.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import socket
import time
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from autograder.bundle import Bundle, Manifest
from autograder.errors import NotebookError, RoomError
from autograder.meter import Meter
from autograder.model import Limit, Limits, Outcome, Standing, Status, Submission, Verdict
from autograder.notebook import code_sources, read
from autograder.record import Record
from autograder.room.host import Room, Warm
from autograder.room.walls import Wall
from autograder.text import death
from autograder.wire import packets

LOG_LIMIT = 8 * 1024 * 1024
"""Bytes of a room's own printing that are kept for staff."""
_GRACE_SECONDS = 20.0
"""How much longer than its questions' time room T may take before it counts as stuck."""
_TICK_SECONDS = 0.25
_PACKET_COST = 1024
"""Bytes that any packet of room S counts for: nobody makes M remember things without end."""
_READS_AT_ONCE = 64
_FILES_LIMIT = 64 * 1024 * 1024
"""Bytes that all files together may have which a notebook was expected to write."""
_SPARE = 8
"""How much more room S may send than the outputs in it, written as JSON and more than once."""
_FROM_S = (
    packets.Ready
    | packets.Piece | packets.CellStarted | packets.CellOutput | packets.CellDone | packets.CellLost
    | packets.Checked | packets.Finished
)  # fmt: skip
_FROM_T = packets.Ready | packets.Judging | packets.Tested | packets.Finished


class StudentRoom:
    """M's end of room S.

    Args:
        room: The room.
        record: Takes what is heard of cells and files.
        limits: What it may use.
        artefacts: Names of the files to take from it.
    """

    def __init__(self, room: Room, record: Record, limits: Limits, artefacts: list[str]) -> None:
        self.ready = self.finished = False
        self._room, self._record = room, record
        self._parts: dict[str, bytearray] = {name: bytearray() for name in artefacts}
        self._left = _FILES_LIMIT
        self._output_left = _SPARE * limits.output_kb * 1024

    def hear(self) -> None:
        """Take one packet.

        Raises:
            EOFError: if the room hung up, or sends what it should not.
        """
        try:
            packet, _ = packets.receive(self._room.control, _FROM_S)
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
            if isinstance(packet, packets.CellOutput):
                self._output_left -= len(packet.data)
                if self._output_left < 0:  # room S itself stops long before
                    return
            elif isinstance(packet, packets.CellDone):
                self._spend(len(packet.problem))
            self._record.hear_cell(packet)

    def _take(self, piece: packets.Piece) -> None:
        self._spend(len(piece.data))
        if piece.name in self._parts:
            self._parts[piece.name] += piece.data
            if piece.last:
                self._record.files[piece.name] = bytes(self._parts.pop(piece.name))

    def _spend(self, length: int) -> None:
        self._left -= length
        if self._left < 0:
            raise EOFError


class Log:
    """What a room prints, for staff."""

    def __init__(self) -> None:
        self._data = bytearray()

    def drain(self, output: int) -> bool:
        """Read what is there; false once there is no more to come, or too much has come."""
        for _ in range(_READS_AT_ONCE):
            try:
                part = os.read(output, 1 << 16)
            except BlockingIOError:
                return True
            self._data += part
            if not part or len(self._data) > LOG_LIMIT:
                return False
        return True

    @property
    def full(self) -> bool:
        """Whether more came than is kept."""
        return len(self._data) > LOG_LIMIT

    def text(self) -> str:
        """The log as text."""
        return self._data[:LOG_LIMIT].decode(errors="replace")


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

    def grade(
        self,
        submission: Submission,
        *,
        retrain: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> tuple[Outcome, list[str]]:
        """Grade one submission.

        Args:
            submission: What was handed in.
            retrain: Take its weights away, so that the notebook trains afresh.
            stopped: Asked often; once true, the rooms are closed and ``Interrupted`` is raised.

        Returns:
            The outcome; a failure of ours is an outcome too, of standing ``GRADER_ERROR``. And
            the places where something of the student's was killed by nobody known: by the student,
            if the same happens when it is graded again, and by an accident if not.
        """
        started = time.monotonic()
        isolation = self._students.wait()
        try:
            notebook = self._read(submission)
        except NotebookError as error:
            return self._ungraded(submission, Standing.UNREADABLE, str(error)), []
        attempt = _Attempt(self._manifest, self._limits, submission, notebook, retrain, stopped)
        try:
            attempt.run(self._students, self._judges)
        except RoomError as error:
            outcome = self._ungraded(submission, Standing.GRADER_ERROR, str(error))
            return msgspec.structs.replace(outcome, log=attempt.log()), []
        seconds = time.monotonic() - started
        outcome = attempt.record.outcome(
            isolation.level, isolation.lacking, seconds, retrain, attempt.log()
        )
        return outcome, attempt.record.disturbances

    def _read(self, submission: Submission) -> dict[str, Any]:
        if submission.problem:
            raise NotebookError(submission.problem)
        return read(submission.notebook)

    def _ungraded(self, submission: Submission, standing: Standing, message: str) -> Outcome:
        isolation = self._students.wait()
        verdict = Verdict(
            student=submission.student.key, name=submission.student.name,
            assignment=self._manifest.name, status=standing, score=0.0,
            possible=self._manifest.possible, isolation=isolation.level,
            lacking=isolation.lacking, seconds=0.0, questions={}, message=message,
            source=submission.source, attempt=submission.attempt, late=submission.late,
            submitted=submission.submitted,
        )  # fmt: skip
        return Outcome(verdict=verdict)


class Interrupted(Exception):
    """Grading was stopped from outside; nothing is known of the submission."""


class _Attempt:
    """One submission on its way from first cell to last test."""

    def __init__(self, manifest: Manifest, limits: Limits, submission: Submission,
                 notebook: dict[str, Any], retrain: bool,
                 stopped: Callable[[], bool]) -> None:  # fmt: skip
        self._manifest, self._limits, self._submission = manifest, limits, submission
        self._notebook, self._retrain, self._stopped = notebook, retrain, stopped
        self._names = [question.name for question in manifest.autograded]
        self._known_tests = {
            (question.name, test.name)
            for question in manifest.autograded
            for test in question.tests
        }
        self.record = Record(manifest, limits, submission, notebook)
        self._logs = (Log(), Log())
        self._judged = self._seen_end = False
        self._memory_kills = 0

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
                self._deadline = time.monotonic() + self._limits.submission_seconds
                self._meter = Meter(room.pid, room.warm_pid, self._limits.memory_mb)
                self._watched = Wall.WATCH in students.walls
                self._hand_in(room)
                # room T furnishes itself while the notebook runs
                with judges.open(_JUDGE_LIMITS) as court:
                    self._run_notebook(room)
                    self._judge(room, court, ours)
        finally:
            for line in (*ours, *theirs):
                line.close()

    def _run_notebook(self, room: Room) -> None:
        student = StudentRoom(room, self.record, self._limits, self._manifest.expected_files)
        with selectors.DefaultSelector() as selector:
            for source in (room.control, room.output, room):
                selector.register(source, selectors.EVENT_READ)
            while not student.finished and not room.killed:
                ready = {key.fileobj for key, _ in selector.select(_TICK_SECONDS)}
                if room.control in ready:
                    # what a cell prints comes after the word that it has begun
                    ready.discard(room.output)
                self._look_after(room, ready, selector)
                try:
                    if room.control in ready:
                        student.hear()
                    elif room in ready:
                        raise EOFError
                except EOFError:
                    if not student.ready:
                        raise self._not_opened(room) from None
                    return self._lose(room)
        return None

    def _look_after(
        self, room: Room, ready: Collection[Any], selector: selectors.BaseSelector
    ) -> None:
        """Take what room S prints, and see that it keeps within its limits."""
        if self._stopped():
            raise Interrupted
        if room.output in ready and not self._logs[0].drain(room.output):
            selector.unregister(room.output)
            room.shut_output()
            if self._logs[0].full:
                self.record.meet(Limit.OUTPUT)
                self.record.note(f"room S printed more than {LOG_LIMIT >> 20} MiB past the shell")
        if self._watched and self._meter.trim():
            self.record.meet(Limit.MEMORY)
        if room.memory_kills > self._memory_kills:
            self._memory_kills = room.memory_kills
            self.record.meet(Limit.MEMORY)
        self.record.peak_mb = max(self.record.peak_mb, self._meter.peak_mb)
        if room.ended:
            return
        if time.monotonic() > self._deadline:
            self._end(room, f"it took more than {self._limits.submission_seconds:g} s")
        elif self._watched and self._meter.cpu_seconds() > self._limits.cpu_seconds:
            self.record.meet(Limit.CPU)
            most = self._limits.cpu_seconds
            self._end(room, f"it used more than {most} s of processor time")

    def _end(self, room: Room, reason: str, status: Status = Status.TIMEOUT) -> None:
        """End room S for a reason that is the student's; what T then asks it fails."""
        self.record.stop(reason, status)
        room.kill()

    def _lose(self, room: Room) -> None:
        """Room S ended before the notebook did, or sends what it should not.

        Raises:
            RoomError: if nobody inside can have done it.
        """
        select.select([room], [], [], _TICK_SECONDS)
        code = room.fate()
        if code == os.EX_SOFTWARE and self.record.running < 0:
            raise self._not_opened(room)
        how = f" ({death(code)})" if code else ""
        self._end(room, f"it ended its own room{how}", Status.ERROR)
        self._suspect(room, code)

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
        self.record.begin_judging()
        job = packets.Judge(
            self._submission.student.key, self._names, self._limits.question_seconds,
            self._manifest.requires,
        )  # fmt: skip
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
            for source in (court.control, court.output, court):
                selector.register(source, selectors.EVENT_READ)
            if room.output >= 0:
                selector.register(room.output, selectors.EVENT_READ)
            while not self._judged and time.monotonic() < patience:
                ready = {key.fileobj for key, _ in selector.select(_TICK_SECONDS)}
                self._look_after(room, ready, selector)
                self._see_end(room)
                if court.output in ready and not self._logs[1].drain(court.output):
                    selector.unregister(court.output)
                    court.shut_output()
                if court.control in ready:
                    if self._hear_judge(court):
                        patience = time.monotonic() + self._limits.question_seconds + _GRACE_SECONDS
                elif court in ready:
                    break

    def _see_end(self, room: Room) -> None:
        """Room S should outlast T's questions: see who ended it, and that all of it has.

        Raises:
            RoomError: if nobody inside can have done it.
        """
        if self._seen_end or not room.ended:
            return
        self._seen_end = True
        code = room.fate()
        if code:
            self.record.note(f"the notebook ended its own room ({death(code)}) while it was tested")
        self._suspect(room, code)

    def _suspect(self, room: Room, code: int) -> None:
        """Note an end that may have been an accident: killed, and not for want of memory."""
        if code == -signal.SIGKILL and not room.memory_kills:
            self.record.disturbances.append("room S")

    def _hear_judge(self, court: Room) -> bool:
        """Take one packet from T; whether a further question begins.

        Raises:
            RoomError: if T sends what it should not.
        """
        try:
            packet, _ = packets.receive(court.control, _FROM_T)
        except (EOFError, OSError):
            self._judged = True
            return False
        except msgspec.DecodeError as error:
            raise RoomError(f"room T sent what is no verdict: {error}") from None
        if isinstance(packet, packets.Tested):
            if (packet.question, packet.test) not in self._known_tests:
                raise RoomError(f"room T judged a test that is not in the manifest: {packet.test}")
            self.record.hear_test(packet)
        elif isinstance(packet, packets.Finished):
            self._judged = True
        return isinstance(packet, packets.Judging)

    def log(self) -> str:
        """What the rooms printed."""
        return "".join(
            f"== room {n} ==\n{log.text()}\n" for n, log in zip("ST", self._logs, strict=True)
        )


_JUDGE_LIMITS = Limits(memory_mb=8192, processes=64, disk_mb=256)

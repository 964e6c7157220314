"""What M has heard of one submission: cells, limits that were met, tests; and the verdict on it."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any

import msgspec

from autograder.bundle import Checkpoint, Manifest, Question, lacking
from autograder.executed import executed
from autograder.model import (
    Limit,
    Limits,
    Outcome,
    QuestionVerdict,
    Standing,
    Status,
    Submission,
    TestVerdict,
    Verdict,
)
from autograder.notebook import checked_next, code_sources
from autograder.text import death
from autograder.wire import packets

_NOTES_LIMIT = 50
_STATUS = {Limit.CELL: Status.TIMEOUT, Limit.CPU: Status.TIMEOUT, Limit.MEMORY: Status.MEMORY}
"""What a test is that found nothing because its question's cells met a limit."""


@dataclass
class CellRecord:
    """What became of one cell."""

    outputs: bytearray = field(default_factory=bytearray)
    done: packets.CellDone | None = None
    lost: packets.CellLost | None = None


class Record:
    """Everything known of one submission while it is graded.

    Args:
        manifest: Of the assignment.
        limits: Of room S.
        submission: What was handed in.
        notebook: The same, read.
    """

    def __init__(self, manifest: Manifest, limits: Limits, submission: Submission,
                 notebook: dict[str, Any]) -> None:  # fmt: skip
        self._manifest, self._limits, self._submission = manifest, limits, submission
        self._notebook = notebook
        names = [question.name for question in manifest.autograded]
        self._question_of = checked_next(code_sources(notebook), names)
        self.cells: dict[int, CellRecord] = {}
        self.files: dict[str, bytes] = {}
        self.running = -1
        """The cell that runs, -1 before the first."""
        self.notes: list[str] = []
        self.disturbances: list[str] = []
        """Where something ended that nobody here ended: the student's doing, or an accident."""
        self.peak_mb = 0.0
        self._met: dict[tuple[Limit, int], None] = {}
        self._stopped: tuple[Status, str] | None = None
        self._tested: dict[tuple[str, str], packets.Tested] = {}
        self._memory_short = False
        self._unclaimed: int | None = None
        self._judging = False

    def meet(self, limit: Limit) -> None:
        """Note that the notebook has met ``limit`` in the cell that runs."""
        if self._judging:
            self._memory_short |= limit is Limit.MEMORY
            return
        self._met[limit, self.running] = None
        if limit is Limit.MEMORY:
            self._unclaimed = self.running

    def stop(self, reason: str, status: Status) -> None:
        """Note that room S was ended for a reason that is the student's, and what its tests are."""
        self._stopped = status, f"The notebook was stopped: {reason}."
        self.note(self._stopped[1])

    def note(self, text: str) -> None:
        """Note something for staff."""
        if text not in self.notes:
            self.notes.append(text)

    def hear_cell(
        self,
        packet: packets.CellStarted | packets.CellOutput | packets.CellDone | packets.CellLost,
    ) -> None:
        """Note what S says of a cell."""
        if isinstance(packet, packets.CellStarted):
            self.cells[packet.index] = CellRecord()
            self.running = packet.index
            return
        record = self.cells.setdefault(packet.index, CellRecord())
        if isinstance(packet, packets.CellOutput):
            record.outputs += packet.data
        elif isinstance(packet, packets.CellDone):
            record.done = packet
            if packet.limit:
                self._met[packet.limit, packet.index] = None
        else:
            self._lose(record, packet)

    def _lose(self, record: CellRecord, packet: packets.CellLost) -> None:
        record.lost = packet
        if packet.late:
            self._met[Limit.CELL, packet.index] = None
        elif packet.code == -signal.SIGXCPU:
            self._met[Limit.CPU, packet.index] = None
        elif packet.code == -signal.SIGKILL and self._unclaimed is not None:
            # a kill is seen at once, and what S says of cells may come late
            self._met.pop((Limit.MEMORY, self._unclaimed), None)
            self._met[Limit.MEMORY, packet.index] = None
            self._unclaimed = None
        elif packet.code == -signal.SIGKILL and (Limit.MEMORY, packet.index) not in self._met:
            self.disturbances.append(f"cell {packet.index}")

    def begin_judging(self) -> None:
        """Note that the cells are done, and T begins."""
        self._judging = True

    def hear_test(self, tested: packets.Tested) -> None:
        """Note an outcome that T reports."""
        if self._cause(tested) or tested.status is Status.SKIPPED:
            tested = self._skipped(tested)
        elif tested.died:
            if self._stopped or self._memory_short:
                status = self._stopped or (Status.MEMORY, self._sentence(Limit.MEMORY, ""))
                tested = packets.Tested(tested.question, tested.test, *status, tested.seconds)
            elif tested.died == -signal.SIGKILL:
                self.disturbances.append(f"{tested.question} {tested.test}")
        elif tested.missing and (met := self._met_before(tested.question)):
            limit, cell = met
            status = _STATUS[limit], f"{self._sentence(limit, self._place(cell))} {tested.message}"
            tested = packets.Tested(tested.question, tested.test, *status, tested.seconds)
        self._memory_short = False
        self._tested[tested.question, tested.test] = tested

    def _cause(self, tested: packets.Tested) -> str:
        """The question because of which this test is not to be asked, if there is one."""
        hidden = any(
            test.name == tested.test and test.hidden
            for question in self._manifest.autograded
            if question.name == tested.question
            for test in question.tests
        )
        return self._lacking(tested.question) if hidden else ""

    def _lacking(self, question: str) -> str:
        return lacking(question, self._manifest.requires, self._failed_smoke_tests())

    def _failed_smoke_tests(self) -> set[str]:
        """The questions whose first public test was judged and not passed."""
        smoke = {q.name: q.smoke_test for q in self._manifest.autograded if q.smoke_test}
        found = {name: self._tested.get((name, test)) for name, test in smoke.items()}
        return {name for name, one in found.items() if one and one.status != Status.PASSED}

    def _skipped(self, tested: packets.Tested) -> packets.Tested:
        """What T skipped must be skipped, and what must be skipped T must not have asked."""
        cause = self._cause(tested)
        if cause and tested.status is Status.SKIPPED:
            message = (
                f"Skipped: this question builds on {cause}, whose first check did not pass. "
                f"Mend {cause} first."
            )
            return packets.Tested(tested.question, tested.test, Status.SKIPPED, message, 0.0)
        did = "asked a test that was to be skipped" if cause else "skipped a test without a reason"
        message = f"room T {did}"
        return packets.Tested(tested.question, tested.test, Status.GRADER_ERROR, message, 0.0)

    def _met_before(self, question: str) -> tuple[Limit, int] | None:
        """The limit, and its cell, because of which the question's names may be missing."""
        found = (met for met in self._met if met[0] in _STATUS)
        return next((met for met in found if self._question(met[1]) == question), None)

    def _question(self, cell: int) -> str:
        return self._question_of[cell] if 0 <= cell < len(self._question_of) else ""

    def _place(self, cell: int) -> str:
        question = self._question(cell)
        return f"code cell {cell + 1}" + (f" (question {question})" if question else "")

    def _sentence(self, limit: Limit, place: str) -> str:
        where = f" in {place}" if place else ""
        most = self._limits
        said = {
            Limit.CELL: f"Your code ran for more than {most.cell_seconds:g} s{where}",
            Limit.CPU: f"Your code used more than {most.cpu_seconds} s of processor time{where}",
            Limit.MEMORY: f"Your code used more than {_megabytes(most.memory_mb)} of memory{where}",
            Limit.PROCESSES: f"Your code started more than {most.processes} processes or threads"
            f"{where}",
            Limit.DISK: f"Your code filled its disk{where}: the working folder holds "
            f"{_megabytes(most.disk_mb)} and {most.files} files, /tmp and /dev/shm 128 MB each",
            Limit.FILE: f"Your code wrote a file of more than {_megabytes(most.file_mb)}{where}",
            Limit.OPEN_FILES: f"Your code opened more than {most.open_files} files at a time"
            f"{where}",
            Limit.OUTPUT: f"Your notebook showed more than {most.output_kb} kB by the end of "
            f"{place or 'its last cell'}; what came after is left out",
        }
        return said[limit] + "."

    def _remarks(self) -> list[str]:
        remarks = [self._sentence(limit, self._place(cell)) for limit, cell in self._met]
        for index, record in sorted(self.cells.items()):
            explained = any(cell == index for _, cell in self._met)
            if record.lost and not explained:
                place, end = self._place(index), death(record.lost.code)
                remarks.append(f"Your code in {place} {end}; that cell was left out.")
        remarks += self._skips()
        if self._stopped and not any(limit is Limit.CPU for limit, _ in self._met):
            remarks.append(self._stopped[1])
        return remarks[:_NOTES_LIMIT]

    def _skips(self) -> list[str]:
        remarks = []
        for question in self._manifest.autograded:
            tests = [t for t in question.tests if self._was_skipped(question.name, t.name)]
            if tests:
                cause, checks = self._lacking(question.name), "checks" if tests[1:] else "check"
                remarks.append(
                    f"Question {question.name} builds on {cause}, whose first check did not pass: "
                    f"{len(tests)} further {checks} of {question.name} "
                    f"{'were' if tests[1:] else 'was'} skipped and earned no points. "
                    f"Mend {cause} first."
                )
        return remarks

    def _was_skipped(self, question: str, test: str) -> bool:
        found = self._tested.get((question, test))
        return found is not None and found.status is Status.SKIPPED

    def outcome(self, isolation: str, lacking: list[str], seconds: float, retrained: bool,
                log: str) -> Outcome:  # fmt: skip
        """The verdict and all that goes with it."""
        missing = self._missing(retrained)
        questions = {q.name: self._judge(q, missing) for q in self._manifest.autograded}
        ours = any(t.status == Status.GRADER_ERROR for q in questions.values() for t in q.tests)
        verdict = Verdict(
            student=self._submission.student.key,
            name=self._submission.student.name,
            assignment=self._manifest.name,
            status=Standing.GRADER_ERROR if ours else Standing.GRADED,
            score=0.0 if ours else round(sum(q.score for q in questions.values()), 6),
            possible=self._manifest.possible,
            isolation=isolation,
            lacking=lacking,
            seconds=round(seconds, 3),
            questions=questions,
            message="Room T did not judge every test: look at log.txt." if ours else "",
            remarks=[*self._remarks(), *map(self._credit_remark, missing)],
            notes=[*self.notes, *self._cell_notes()],
            source=self._submission.source,
            attempt=self._submission.attempt,
            late=self._submission.late,
            submitted=self._submission.submitted,
            retrained=retrained,
            cells_seconds=round(self._cells_seconds(), 3),
            peak_mb=round(self.peak_mb, 1),
        )
        results = {index: self._cell_result(index) for index in self.cells}
        notebook = executed(self._notebook, results)
        return Outcome(verdict=verdict, executed=notebook, log=log, artefacts=self.files)

    def _missing(self, retrained: bool) -> list[Checkpoint]:
        """The checkpoints that were not handed in, or not so that the notebook could use them.

        The bytes of a file are compared and never read: a file that the notebook could not load
        was trained afresh and written over. One that staff took away is not missing.
        """
        given, made = self._submission.files, self.files
        return [
            one
            for one in self._manifest.checkpoints
            if one.file not in given
            or (not retrained and made.get(one.file, given[one.file]) != given[one.file])
        ]

    def _credit_remark(self, checkpoint: Checkpoint) -> str:
        file, handed_in = checkpoint.file, checkpoint.file in self._submission.files
        why = (
            f"{file} was handed in, but the notebook wrote it anew here instead of loading it"
            if handed_in
            else f"{file} was not handed in"
        )
        return (
            f"{why}: the checks of question {checkpoint.question} that rest on it earn at most "
            f"{checkpoint.credit:.0%} of their points."
        )

    def _judge(self, question: Question, missing: list[Checkpoint]) -> QuestionVerdict:
        files = [one.file for one in missing]
        tests = []
        for entry in question.tests:
            test = self._test(question, entry.name, entry.points, entry.hidden)
            credit = self._manifest.credit(question.name, entry.name, files)
            tests.append(msgspec.structs.replace(test, points=round(test.points * credit, 6)))
        score = sum(test.points for test in tests)
        if question.all_or_nothing and any(test.status != Status.PASSED for test in tests):
            score = 0.0
        return QuestionVerdict(score=round(score, 6), possible=question.points, tests=tests)

    def _test(self, question: Question, name: str, possible: float, hidden: bool) -> TestVerdict:
        found = self._tested.get((question.name, name))
        if found is None:
            missing = "room T ended before this test was judged"
            found = packets.Tested(question.name, name, Status.GRADER_ERROR, missing, 0.0)
        points = possible if found.status == Status.PASSED else 0.0
        return TestVerdict(
            name=name, status=found.status, points=points, possible=possible, hidden=hidden,
            message=found.message[:4000], seconds=round(min(max(found.seconds, 0.0), 1e6), 4),
        )  # fmt: skip

    def _cells_seconds(self) -> float:
        done = (record.done for record in self.cells.values())
        return sum(min(max(cell.seconds, 0.0), 1e6) for cell in done if cell)

    def _cell_notes(self) -> list[str]:
        notes = []
        for index, record in sorted(self.cells.items()):
            if record.lost:
                notes.append(f"code cell {index + 1} {death(record.lost.code)} and was left out")
            elif record.done and record.done.problem:
                notes.append(f"code cell {index + 1} raised {record.done.problem[:64]}")
        return notes[:_NOTES_LIMIT]

    def _cell_result(self, index: int) -> tuple[bytes, int | None, str]:
        record = self.cells[index]
        remark = f"This cell {death(record.lost.code)} and was left out." if record.lost else ""
        return bytes(record.outputs), record.done.count if record.done else None, remark


def _megabytes(number: int) -> str:
    return f"{number / 1024:g} GB" if number >= 1024 else f"{number} MB"

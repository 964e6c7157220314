"""From grades to Canvas, once, and never over a person's decision.

Grades go in portions. Each is read and compared again right before it is sent, and read back after:
what counts is what is in Canvas, never what a job says of itself. What a job leaves undone is sent
again student by student, so that one whom Canvas refuses keeps nobody else from getting theirs.
Comments are sent one by one, because a job that is late would write one twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from autograder.canvas import jobs, past, remote, rubric
from autograder.canvas.attach import write
from autograder.canvas.client import Client
from autograder.canvas.compare import Row, Wanted, compare
from autograder.canvas.journal import Journal, Part, Record, State
from autograder.canvas.remote import PORTION, Remote
from autograder.course import digits
from autograder.errors import CanvasError, OutcomeUnknown, StoreError

__all__ = ["Plan", "Push", "Sent"]

TRIES = 3
"""How often the same is sent before it is given up."""
REFUSALS = {201, 302, 400, 403, 404, 409, 413, 422}
"""Statuses of answers that concern one student; any other ends the push.

201 and 302 are those of a file that was sent and led nowhere.
"""
PAUSE = 5.0
"""Seconds before looking what became of something whose outcome is unknown."""
SHORT = 10.0
"""Seconds that are waited for a job of an earlier push."""
_HIDE = (
    "mutation($id: ID!) { setAssignmentPostPolicy(input: {assignmentId: $id, postManually: true}) "
    "{ postPolicy { postManually } errors { message } } }"
)


@dataclass(frozen=True)
class Plan:
    """What a push would do."""

    now: Remote
    rows: list[Row]
    seen: int
    """Length of the journal when it was read."""
    settled: list[Record]
    """What became of what an earlier push left open."""
    waiting: Mapping[str, int]
    """Canvas user id → job of an earlier push that has not ended."""

    @property
    def sending(self) -> list[Row]:
        """Of whom anything is sent."""
        return [row for row in self.rows if row.sends]

    @property
    def visible(self) -> int:
        """How many of them see what changes at once, because their grade is posted already."""
        return sum(self.now.entries[row.user].posted for row in self.sending)


@dataclass
class Sent:
    """What a push did."""

    rows: list[Row]
    """What is left to do of everybody, in the order of the plan."""
    confirmed: set[str]
    """Canvas user ids of those of whom something was sent, all of which was read back."""
    refused: dict[str, str]
    """Canvas user id → why Canvas did not take it."""

    @property
    def stuck(self) -> list[Row]:
        """Those who are left for a person to see to."""
        return [row for row in self.rows if row.stuck]


class Push:
    """The grades of one assignment on their way to Canvas.

    Args:
        client: Asks Canvas.
        journal: Of the course.
        course: Canvas course id.
        assignment: Canvas assignment id.
        wanted: What is to be there, one for each student.
        ours: Canvas user ids of those whose grade in Canvas is overwritten, whosever it is.
        unsealed: Whether grades may be sent that rooms without isolation gave.
        patience: Seconds that a job is waited for.
    """

    def __init__(
        self, client: Client, journal: Journal, course: int, assignment: int,
        wanted: Sequence[Wanted], *, ours: Collection[str] = (), unsealed: bool = False,
        patience: float = jobs.PATIENCE,
    ) -> None:  # fmt: skip
        self.client, self.journal = client, journal
        self.course, self.assignment = course, assignment
        self.wanted = {one.user: one for one in wanted}
        self.ours, self.unsealed, self.patience = ours, unsealed, patience

    def look(self) -> Plan:
        """Read Canvas and work out what would be sent; nothing is written anywhere.

        Raises:
            CanvasError: if Canvas cannot be read, or the assignment cannot be graded.
            StoreError: if the journal cannot be read.
        """
        seen = self.journal.length(self.assignment)
        unknown = past.unconfirmed(self.journal, self.assignment)
        still = past.waiting(self.client, unknown, SHORT)
        now = remote.read(self.client, self.course, self.assignment)
        settled = list(past.settled(unknown, now, still))
        rows = self.compared(list(self.wanted), now, settled, still)
        return Plan(now, rows, seen, settled, still)

    def send(
        self, plan: Plan, heard: Callable[[int, int, str], None] = lambda done, total, what: None
    ) -> Sent:
        """Send what is to be sent, and read all of it back.

        Args:
            plan: By :meth:`look`.
            heard: Called with how many are done, of how many, and with what is going on.

        Raises:
            CanvasError: if Canvas cannot be reached, or does not hide grades until they are
                posted. What was sent is in the journal: the same command goes on.
            StoreError: if the journal cannot be written, or others sent grades in the meantime.
        """
        with self.journal.locked():
            if self.journal.length(self.assignment) != plan.seen:
                raise StoreError(
                    "Grades of this assignment were sent in the meantime; run the command again."
                )
            self.journal.append(self.assignment, plan.settled)
            if plan.sending:
                self._hide()
            return _Sending(self, plan, heard).run()

    def _hide(self) -> None:
        """See that no grade is shown before it is posted.

        Raises:
            CanvasError: if that cannot be verified.
        """
        if remote.column(self.client, self.course, self.assignment).by_hand:
            return
        try:
            self.client.graphql(_HIDE, id=str(self.assignment))
        except OutcomeUnknown:
            pass  # what is read back tells
        if not remote.column(self.client, self.course, self.assignment).by_hand:
            raise CanvasError(
                "Canvas would show grades at once: it did not set the assignment to manual "
                "posting. Set it in the gradebook (Grade Posting Policy → Manually); nothing was "
                "sent."
            )

    def compared(
        self, users: Iterable[str], now: Remote, settled: Collection[Record] = (),
        still: Mapping[str, int] = {},
    ) -> list[Row]:  # fmt: skip
        """What becomes of some students' grades, by what the journal and Canvas say now."""
        return compare(
            [self.wanted[user] for user in users],
            past.bases(self.journal, self.assignment, settled), now,
            ours=self.ours, unsealed=self.unsealed, waiting=still,
        )  # fmt: skip


class _Sending:
    """One run of a push."""

    def __init__(self, push: Push, plan: Plan, heard: Callable[[int, int, str], None]) -> None:
        self.push, self.plan, self.heard = push, plan, heard
        self.client, self.journal = push.client, push.journal
        self.path = f"courses/{push.course}/assignments/{push.assignment}/submissions"
        self.rows = {row.user: row for row in plan.rows}
        self.waiting = dict(plan.waiting)
        self.tries: Counter[tuple[str, Part]] = Counter()
        self.reasons: dict[str, str] = {}
        self.sending = [row.user for row in plan.sending]

    def run(self) -> Sent:
        """Send everything, in portions.

        Raises:
            CanvasError: if a job does not end, too.
        """
        for portion in self._portions(self.sending):
            self._portion(portion)
            self._say("read back")
            if self.waiting != self.plan.waiting:
                raise self._unended()
        rows = list(self.rows.values())
        left = [row.user for row in rows if row.sends and not row.stuck]
        refused = {
            user: self.reasons.get(user, f"it is not there, although it was sent {TRIES} times")
            for user in left
        }
        return Sent(rows, self._confirmed, refused)

    @property
    def _confirmed(self) -> set[str]:
        return {user for user in self.sending
                if not self.rows[user].sends and not self.rows[user].stuck}  # fmt: skip

    def _say(self, what: str) -> None:
        self.heard(len(self._confirmed), len(self.sending), what)

    def _unended(self) -> CanvasError:
        job = max(self.waiting.values())
        return CanvasError(
            f"Canvas has not ended its job {job} in {self.push.patience / 60:.0f} minutes. Of "
            f"{len(self.sending)} students, {len(self._confirmed)} have what they should; run the "
            "same command later: it looks first what became of the others."
        )

    def _portions(self, users: Iterable[str]) -> Iterator[list[str]]:
        """Those who are graded together come together."""
        portion: list[str] = []
        for unit in self._units(users):
            portion += unit
            if len(portion) >= PORTION:
                yield portion
                portion = []
        if portion:
            yield portion

    def _units(self, users: Iterable[str]) -> list[list[str]]:
        """Who is graded by one grade, first somebody whose points are sent."""
        of: defaultdict[str | int, list[str]] = defaultdict(list)
        for user in users:
            group = self.plan.now.entries[user].group if self.plan.now.column.together else None
            of[user if group is None else group].append(user)
        return [sorted(unit, key=lambda user: not self.rows[user].sends_points)
                for unit in of.values()]  # fmt: skip

    def _portion(self, users: Sequence[str]) -> None:
        reached = {one.user for user in users for one in self.plan.now.members(user)}
        asked = [user for user in self.push.wanted if user in reached]
        while True:
            now = remote.read_again(self.client, self.push.course, self.plan.now, reached)
            self._settle(now)
            rows = self.push.compared(asked, now, still=self.waiting)
            self.rows |= {row.user: row for row in rows}
            points = [row for row in rows if row.sends_points or row.rubric]
            comments = [row for row in rows if not row.deed.nothing and not row.sends_points]
            if left := self._left(points, Part.GRADE):
                self._points(left, now)
            elif left := self._left(comments, Part.COMMENT):
                self._say("sending comments")
                for row in left:
                    self._comment(row)
            else:
                return

    def _left(self, rows: Iterable[Row], part: Part) -> list[Row]:
        """Those that were not sent too often already."""
        return [row for row in rows if self.tries[row.user, part] < TRIES]

    def _settle(self, now: Remote) -> None:
        """Write down what became of what was sent."""
        unknown = past.unconfirmed(self.journal, self.push.assignment)
        own = [one for one in unknown if one.user in now.entries]
        self.journal.append(self.push.assignment, past.settled(own, now, self.waiting))

    def _points(self, rows: Sequence[Row], now: Remote) -> None:
        """Send what was never sent in one job, and only then what is left student by student."""
        units = self._units(row.user for row in rows)
        fresh = [unit for unit in units if not self._ignored(unit, now)
                 and not any(self.tries[user, Part.GRADE] for user in unit)]  # fmt: skip
        for unit in fresh or units:
            self.tries.update((user, Part.GRADE) for user in unit)
        if fresh:
            self._job(fresh, now)
        else:
            for unit in units:
                self._singly(unit, now)

    def _ignored(self, unit: Sequence[str], now: Remote) -> bool:
        """Whether a job would take what is sent for unchanged.

        Canvas compares points with what its late deduction left of those it has
        (``submission.rb#process_bulk_update``).
        """
        entries = {user: now.entries[user] for user in unit}
        return any(entry.score == self.rows[user].ours != entry.entered
                   for user, entry in entries.items())  # fmt: skip

    def _job(self, units: Sequence[Sequence[str]], now: Remote) -> None:
        said = {unit[0]: self._said(self.rows[unit[0]], now) for unit in units}
        steps = [one for unit in units for one in self._steps(unit, now)]
        self.journal.append(self.push.assignment, steps)
        self._say("sending points")
        try:
            answer = self.client.post(f"{self.path}/update_grades", {"grade_data": said})
        except OutcomeUnknown:
            self.client.sleep(PAUSE)
            return
        job = int(answer["id"])
        sent = [one.now(State.SENT, job) for one in steps]
        self.journal.append(self.push.assignment, sent)
        end = jobs.wait(self.client, job, self.push.patience)
        if end.how is jobs.How.WAITING:
            self.waiting |= dict.fromkeys((one.user for one in sent), job)

    def _singly(self, unit: Sequence[str], now: Remote) -> None:
        said = self._said(self.rows[unit[0]], now)
        lines = said.pop("rubric_assessment", None)
        body = ({"submission": said} if said else {}) | (
            {"rubric_assessment": lines} if lines else {}
        )
        self.journal.append(self.push.assignment, self._steps(unit, now))
        with self._tolerated(unit):
            self.client.put(f"{self.path}/{unit[0]}", body)

    def _comment(self, row: Row) -> None:
        self.tries[row.user, Part.COMMENT] += 1
        step = past.step(Part.COMMENT, row.wanted, {}, self.plan.now.column)
        self.journal.append(self.push.assignment, [step])
        with self._tolerated([row.user]):
            write(self.client, f"{self.path}/{row.user}", row.wanted, row.deed)

    @contextmanager
    def _tolerated(self, users: Iterable[str]) -> Iterator[None]:
        """What Canvas refuses of one student keeps nobody else from getting theirs."""
        try:
            yield
        except OutcomeUnknown:
            self.client.sleep(PAUSE)
        except CanvasError as error:
            if error.status not in REFUSALS:
                raise
            self.reasons.update(dict.fromkeys(users, str(error)))

    def _said(self, row: Row, now: Remote) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if row.sends_points:
            said["posted_grade"] = digits(row.ours)
        if row.rubric:
            said["rubric_assessment"] = rubric.assessment(now.entries[row.user].rubric, row.rubric)
        return said

    def _steps(self, unit: Sequence[str], now: Remote) -> list[Record]:
        """The steps of everybody whom one grade reaches, whether they have a grade here or not."""
        first, column = self.rows[unit[0]], self.plan.now.column
        found = []
        for one in now.members(first.user):
            if one.user in unit or not (one.excused or one.user in self.push.wanted):
                wanted = self.push.wanted.get(one.user, first.wanted)
                step = past.step(Part.GRADE, wanted, rubric.lines(column, wanted.grade.verdict),
                                 column)  # fmt: skip
                found.append(msgspec.structs.replace(step, user=one.user))
        return found

"""Any order of grading, exporting, importing and people's edits: no grade of a person is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fakecanvas.scenario import small
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from autograder.bundle import Manifest, Question
from autograder.canvas.export import Changes, Choices, changes, export
from autograder.canvas.exported import Written
from autograder.errors import ExportError
from autograder.gradebook import parse
from autograder.grades import Rules, grades
from autograder.model import Standing, Verdict
from autograder.policy import LateRule

MANIFEST = Manifest(name="cnn", title="CNNs", notebook="cnn.ipynb", otter_zip="x.zip",
                    questions=[Question(name="q1", points=10)])  # fmt: skip
IDS = (101, 102, 103)
LATE = 103
WHO = st.sampled_from(IDS)
POINTS = st.integers(0, 40).map(lambda quarters: quarters / 4)


class Story(RuleBasedStateMachine):
    """Three students, one of them two days late; Canvas takes off 10 % a day, or nothing."""

    @initialize(deducts=st.booleans())
    def begin(self, deducts: bool) -> None:
        self.canvas = small()
        self.course = self.canvas.courses[1]
        self.assignment = self.course.assignments[0]
        due = self.assignment.due_at
        assert due is not None
        self.course.late_policy.late_submission_deduction_enabled = deducts
        self.course.late_policy.late_submission_deduction = 10.0
        self.takes = LateRule(share=Decimal("0.1")) if deducts else None
        for id_ in IDS:
            at = due + timedelta(hours=47 if id_ == LATE else -1)
            self.canvas.hand_in(
                self.course, self.assignment, self.canvas.users[id_], {"h.ipynb": b"{}"}, at=at
            )
        self.points = dict.fromkeys(IDS, 5.0)
        self.written, self.now = Written(), datetime(2027, 2, 12, tzinfo=UTC)
        self.people: dict[int, float | None] = {}
        """What people gave, as far as a gradebook can tell it from ours."""
        self.old = self.gradebook()
        self.pending: tuple[bytes, Changes] | None = None

    def gradebook(self) -> bytes:
        return self.canvas.gradebook_csv(self.course)

    def entered(self, id_: int) -> float | None:
        user = self.canvas.users[id_]
        return self.canvas.submission(self.course, self.assignment, user).entered_score

    def fresh(self, book: bytes, who: Sequence[int] = IDS) -> Changes | None:
        """The plan; who may have been set back by a person is left out."""
        try:
            return self.plan(book, who)
        except ExportError:
            last = self.written.last
            known = {*self.people, *([LATE] if self.takes else [])}
            assert last is not None and {int(id_) for id_ in last.cells} <= known
            left = [id_ for id_ in who if str(id_) not in last.cells]
            return self.plan(book, left, list(last.cells)) if left else None

    def plan(self, book: bytes, who: Sequence[int] = IDS, leave_out: Sequence[str] = ()) -> Changes:
        verdicts = [
            Verdict(student=str(id_), name=self.canvas.users[id_].sortable_name, assignment="cnn",
                    score=self.points[id_], possible=10, status=Standing.GRADED, isolation="A",
                    seconds=1, questions={}, late=id_ == LATE)
            for id_ in who
        ]  # fmt: skip
        counted = grades(verdicts, Rules())
        return changes(parse(book), "11", counted, MANIFEST, Choices(leave_out=leave_out),
                       written=self.written, canvas_takes=self.takes)  # fmt: skip

    @rule(who=WHO, points=POINTS)
    def grade(self, who: int, points: float) -> None:
        """Work is graded again."""
        self.points[who] = points

    @rule(who=WHO, points=st.one_of(st.none(), POINTS))
    def edit(self, who: int, points: float | None) -> None:
        """A person grades or clears; not with a number that Canvas or we may have left there."""
        if self.pending is not None:
            return
        base = self.written.base(str(who))
        steps = range(11) if who == LATE and self.takes else range(1)
        alike = {float(base.after) - step for step in steps} if base else {None}
        shown = max(0.0, points - 2) if points is not None and len(steps) > 1 else points
        if {points, shown} & ({*alike, 0.0} if base else alike):
            return
        self.canvas.grade_by_hand(self.course, self.assignment, self.canvas.users[who], points)
        self.people[who] = points

    @rule()
    def export_and_import(self) -> None:
        """A file is made of a fresh gradebook, and imported."""
        if self.pending is None:
            book = self.gradebook()
            self.make(book, self.fresh(book))
        self.bring_in()

    @rule()
    def export_alone(self) -> None:
        """A file is made of a fresh gradebook, and waits."""
        if self.pending is None:
            book = self.gradebook()
            self.make(book, self.fresh(book))

    @rule()
    def bring_in(self) -> None:
        """The file that waits is imported."""
        if self.pending is None:
            return
        data, plan = self.pending
        self.old, self.pending = self.gradebook(), None
        seen = self.canvas.import_csv(self.course, data)
        assert {who for _, who in seen.diff} == {int(row.student.id) for row in plan.changed}
        seen.save()
        for row in plan.changed:
            assert self.entered(int(row.student.id)) == float(row.after)

    @rule()
    def use_an_old_gradebook(self) -> None:
        """What was exported before the last import makes no new file."""
        if self.pending is not None or self.written.last is None:
            return
        try:
            plan = self.plan(self.old)
        except ExportError as error:
            assert "--not-imported" in str(error)
        else:
            assert not plan.changed

    @rule(who=WHO)
    def leave_nothing_undone(self, who: int) -> None:
        """With a fresh gradebook, a grade is there, will be written, or is named."""
        if self.pending is not None:
            return
        plan = self.fresh(self.gradebook(), [who])
        if plan is None:
            return
        assert len(plan.rows) + len(plan.left_out) == 1
        for row in plan.rows:
            assert row.changes or self.entered(who) == self.points[who] or who in self.people

    @invariant()
    def no_persons_grade_is_lost(self) -> None:
        for id_, points in getattr(self, "people", {}).items():
            assert self.entered(id_) == points

    def make(self, book: bytes, plan: Changes | None) -> None:
        if plan is None or not plan.changed:
            return
        self.now += timedelta(hours=1)
        self.written = plan.noted(self.now)
        self.pending = export(parse(book), plan), plan


TestStory = Story.TestCase
TestStory.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)

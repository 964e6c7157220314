"""What counts for each student: which attempt, how many points, and the sum that leads to them.

Nothing here is stored: a grade is what the verdicts, the course file and what was fetched from
Canvas say at the moment it is asked for (docs/grades.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec

from autograder.bundle import Manifest
from autograder.course import FILE, Assignment, Course, Deducts, Milestone, digits, moment
from autograder.errors import CourseError
from autograder.model import Standing, Verdict
from autograder.policy import Attempts, Deadline, LateRule, cents, charge, counting, duration
from autograder.pulled import Attempt, Pull

__all__ = ["NO_RULES", "Grade", "Rules", "chosen", "grades", "part", "rules", "ruling"]

_EVER = datetime.min.replace(tzinfo=UTC)
_NO_TIME = (
    "it is late, and how late is not known: fetch the submissions with `autograder canvas pull` "
    "and grade those"
)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """By which rules verdicts become grades."""

    deadline: Deadline = Deadline()
    late: LateRule | None = None
    """What being late costs; ``None`` where Canvas takes it off, or nobody does."""
    by: Deducts | None = None
    """Who takes it off; ``None`` if nobody does."""
    attempts: Attempts = Attempts.LAST
    dues: Mapping[str, datetime | None] = {}
    """Due times of students' own by Canvas user id; they replace the general one."""
    fetched: Mapping[str, Sequence[Attempt]] = {}
    """Every attempt that was fetched from Canvas, by user id, in the order of their numbers."""
    canvas: bool = False
    """Whether the general due time is Canvas'."""
    remarks: Sequence[str] = ()
    """Where Canvas and the course file differ; sentences for staff."""

    def deadline_of(self, student: str) -> Deadline:
        """Until when this student may hand in."""
        own = student in self.dues
        return self.deadline.moved(self.dues[student]) if own else self.deadline

    def mark(self, verdict: Verdict) -> bool | None:
        """What Canvas says of whether it is late; ``None`` where it has no due time to say it by.

        It differs from the due time where a person set it by hand.
        """
        if not self.canvas and verdict.student not in self.dues:
            return None
        own = self.fetched.get(verdict.student, ())
        return next((one.late for one in own if one.submitted == verdict.submitted), None)


NO_RULES = Rules()
"""Nothing is late, and the last attempt counts."""


class Grade(msgspec.Struct, frozen=True, kw_only=True):
    """What counts for one student."""

    verdict: Verdict
    """Of the attempt that counts."""
    points: Decimal
    """To two decimals."""
    arithmetic: str
    """For the student: ``34/40, 1 day late: −10 % of 40 → 30``."""
    attempts: int = 1
    """How many of the student's attempts were graded."""
    newest: int = 0
    """Number of the newest attempt that was fetched from Canvas; 0 if that is not known."""
    late: timedelta | None = timedelta()
    """How late it is; ``None`` if that is not known."""
    problem: str = ""
    """Why nothing can be said yet, for staff, one sentence; then ``points`` mean nothing."""

    @property
    def student(self) -> str:
        """Canvas user id."""
        return self.verdict.student

    @property
    def sentence(self) -> str:
        """What counts, for the student; empty while nothing can be said."""
        if self.problem:
            return ""
        which = f", of attempt {self.verdict.attempt}" if self.verdict.submitted else ""
        return f"Points for tests{which}: {self.arithmetic}"


class _Judged(NamedTuple):
    """One attempt by the rules."""

    verdict: Verdict
    points: Decimal
    arithmetic: str
    late: timedelta | None
    taken: bool
    """Whether it was handed in before work closed, as far as is known."""
    problem: str
    most: Decimal
    """What it may be worth at most, once its problem is settled."""


def rules(
    course: Course | None, name: str, pull: Pull | None = None, milestone: str | None = None
) -> Rules:
    """The rules for an assignment, or for one milestone of a project.

    Due times in Canvas count where there are any, because they are what Canvas shows and marks as
    late; those of the course file count otherwise.

    Args:
        course: The course file; without one nothing is late and the last attempt counts.
        name: Of the assignment.
        pull: What was fetched of it from Canvas, with the due times of single students.
        milestone: Its question, as ``p1``.

    Raises:
        CourseError: if there is no such assignment or milestone, or ``pull`` is of another one.
    """
    plan = course.named(name) if course else None
    one = plan.part(milestone) if plan and milestone else plan
    if pull is not None:
        _check(course, name, one, pull)
    deadline = Deadline(due=one.due, closes=one.closes) if one else Deadline()
    late = course.policies.late if course else None
    remark = _difference(name, milestone, deadline.due, pull)
    if pull is not None and pull.due is not None:
        deadline = deadline.moved(pull.due)
    return Rules(
        deadline=deadline,
        late=late.rule if late and late.by is Deducts.AUTOGRADER else None,
        by=late.by if late else None,
        attempts=course.policies.attempts if course else Attempts.LAST,
        dues=pull.dues if pull else {},
        fetched=_by_user(pull.attempts) if pull else {},
        canvas=pull is not None and pull.due is not None,
        remarks=(remark,) if remark else (),
    )


def ruling(
    course: Course | None, manifest: Manifest, pull: Pull | None, attempts: Attempts | None = None
) -> Rules:
    """The rules for what a bundle grades.

    Args:
        course: The course file, if there is one; it need not have the assignment.
        manifest: Of the bundle, perhaps of some questions only.
        pull: What was fetched from Canvas, if it was.
        attempts: Which attempt counts, if that is said otherwise than in the course file.

    Raises:
        CourseError: as :func:`rules`.
    """
    plan = (
        next((one for one in course.assignment if one.name == manifest.name), None)
        if course
        else None
    )
    questions = [question.name for question in manifest.autograded]
    milestone = part(plan, questions, pull) if plan else None
    found = rules(course if plan else None, manifest.name, pull, milestone)
    return msgspec.structs.replace(found, attempts=attempts) if attempts else found


def part(plan: Assignment, questions: Collection[str], pull: Pull | None = None) -> str | None:
    """The milestone that is graded, by its question; ``None`` if it is the whole assignment.

    Args:
        plan: The assignment.
        questions: Those that are graded.
        pull: What was fetched; a milestone's Canvas id tells most surely.
    """
    for one in plan.milestone:
        if pull is not None and one.canvas == pull.assignment:
            return one.question
    for one in plan.milestone:
        if questions and set(questions) <= {one.question, *one.written}:
            return one.question
    return None


def chosen(attempts: Sequence[Attempt], rules: Rules) -> list[Attempt]:
    """Which attempts of a student, or of a team, are to be graded.

    Of several, those handed in after work closed are graded only if no other was, because they
    still may come to count.

    Args:
        attempts: In the order they were handed in.
        rules: By which they count.
    """
    if rules.attempts is Attempts.BEST:
        return list(attempts)
    taken = [one for one in attempts if rules.deadline_of(one.user).takes(one.submitted)]
    return list(taken or attempts)[-1:]


def grades(verdicts: Iterable[Verdict], rules: Rules) -> list[Grade]:
    """What counts for each student, in the order in which they first appear.

    Args:
        verdicts: Of one assignment; of a student one, or one for each attempt.
        rules: By which they count.
    """
    of: defaultdict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        of[verdict.student].append(verdict)
    return [_grade(own, rules) for own in of.values()]


def _grade(verdicts: Sequence[Verdict], rules: Rules) -> Grade:
    ordered = sorted(verdicts, key=lambda one: (one.submitted or _EVER, one.attempt))
    judged = [_judged(verdict, rules) for verdict in ordered]
    taken = [one for one in judged if one.taken]
    counts, problem = _counts(taken, rules.attempts) if taken else (judged[-1], _closed(judged))
    problem = _ungraded(ordered, rules) or problem or _by_another(counts.verdict, rules)
    fetched = rules.fetched.get(ordered[0].student, ())
    return Grade(
        verdict=counts.verdict,
        points=Decimal(0) if problem else counts.points,
        arithmetic="" if problem else counts.arithmetic,
        attempts=len(judged),
        newest=max((one.number for one in fetched), default=0),
        late=counts.late,
        problem=f"{problem[0].upper()}{problem[1:]}." if problem else "",
    )


def _counts(taken: Sequence[_Judged], which: Attempts) -> tuple[_Judged, str]:
    """The attempt that counts, and why that is not certain."""
    sound = [one for one in taken if not one.problem]
    if which is Attempts.LAST or not sound:
        return taken[-1], taken[-1].problem
    best = counting(sound, lambda one: one.points, which) or sound[0]
    for one in taken:
        if one.problem and one.most > best.points:
            return best, f"attempt {one.verdict.attempt} may be the best, but {one.problem}"
    return best, ""


def _judged(verdict: Verdict, rules: Rules) -> _Judged:
    deadline = rules.deadline_of(verdict.student)
    late = _lateness(verdict, deadline, rules.mark(verdict))
    unknown = late is None and (rules.late is not None or deadline.closes is not None)
    problem = _problem(verdict) or (_late_problem(verdict) if unknown else "")
    possible = cents(Decimal(repr(verdict.possible)))
    earned = cents(Decimal(repr(verdict.score)))
    most = possible if verdict.status is Standing.GRADER_ERROR else earned
    found, bound = (
        charge(one, possible, late or timedelta(), rules.late) for one in (earned, most)
    )
    return _Judged(
        verdict=verdict,
        points=found.points,
        arithmetic=found.arithmetic if rules.late else _raw(verdict, late, rules),
        late=late,
        taken=verdict.submitted is None or deadline.takes(verdict.submitted),
        problem=problem,
        most=bound.points,
    )


def _lateness(verdict: Verdict, deadline: Deadline, mark: bool | None) -> timedelta | None:
    """How late it is; ``None`` if it is, and nobody knows by how much."""
    if verdict.submitted is None:
        return None if verdict.late else timedelta()
    late = deadline.late(verdict.submitted)
    if mark is None:
        return late
    return (late or None) if mark else timedelta()


def _problem(verdict: Verdict) -> str:
    if verdict.status is Standing.GRADER_ERROR:
        return "it could not be graded through no fault of the student: grade it again"
    if verdict.status is Standing.UNREADABLE:
        return "it could not be read: look at what was handed in"
    return ""


def _late_problem(verdict: Verdict) -> str:
    if verdict.submitted is None:
        return _NO_TIME
    return (
        "Canvas marks it late by hand, although it was handed in by its due time: take that mark "
        "back, or take the points off by hand"
    )


def _closed(judged: Sequence[_Judged]) -> str:
    many = len(judged) > 1
    return (
        f"{'all attempts were' if many else 'it was'} handed in after work closed: nothing counts"
    )


def _ungraded(verdicts: Sequence[Verdict], rules: Rules) -> str:
    """Which fetched attempt would count and was not graded; empty if there is none."""
    times = {verdict.submitted for verdict in verdicts if verdict.submitted}
    if not times:
        return ""
    # Of a team the last attempt counts, which may be another member's and be kept for that one
    # only: an earlier attempt of one's own is then none that is missing.
    others = bool(verdicts[0].team) and rules.attempts is Attempts.LAST
    missing = [
        one.number
        for one in chosen(rules.fetched.get(verdicts[0].student, ()), rules)
        if one.submitted not in times and not (others and one.submitted < max(times))
    ]
    if not missing:
        return ""
    return f"attempt {missing[-1]} was handed in, and is not graded: grade what was fetched again"


def _by_another(verdict: Verdict, rules: Rules) -> str:
    """Whether Canvas would take points off for being late with another attempt than this one."""
    fetched = rules.fetched.get(verdict.student, ())
    if rules.by is not Deducts.CANVAS or verdict.submitted is None or not fetched:
        return ""
    newest = fetched[-1]
    if newest.submitted == verdict.submitted or not newest.late:
        return ""
    return (
        f"Canvas takes points off for attempt {newest.number}, which is late, and attempt "
        f"{verdict.attempt} counts: enter the points in Canvas by hand, or set the status of the "
        "newest attempt there to not late and pull again"
    )


def _raw(verdict: Verdict, late: timedelta | None, rules: Rules) -> str:
    """What is said where we take nothing off."""
    earned, possible = (cents(Decimal(repr(one))) for one in (verdict.score, verdict.possible))
    start = f"{digits(earned)}/{digits(possible)}"
    if late == timedelta():
        return start
    costs = "; Canvas takes off what that costs" if rules.by else ""
    return f"{start}, {f'{duration(late)} ' if late else ''}late{costs}"


def _check(
    course: Course | None, name: str, one: Assignment | Milestone | None, pull: Pull
) -> None:
    """Refuse what was fetched of something else.

    Raises:
        CourseError: naming both.
    """
    place = course.canvas if course else None
    for what, here, there in (
        ("assignment", name, pull.name),
        ("Canvas course", place.course if place else None, pull.course),
        ("Canvas assignment", one.canvas if one else None, pull.assignment),
    ):
        if here is not None and here != there:
            raise CourseError(
                f"{FILE}: what was fetched from Canvas is of the {what} {there}, not of {here}; "
                "correct the course file, or pull again."
            )


def _difference(name: str, milestone: str | None, due: datetime | None, pull: Pull | None) -> str:
    if pull is None or pull.due is None or due is None or due == pull.due:
        return ""
    what = f"{name}, milestone {milestone}" if milestone else name
    return (
        f"{what} is due {moment(pull.due)} in Canvas, which counts, and {moment(due)} in {FILE}; "
        "correct the one that is wrong."
    )


def _by_user(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    found: defaultdict[str, list[Attempt]] = defaultdict(list)
    for one in sorted(attempts, key=lambda one: (one.user, one.number)):
        found[one.user].append(one)
    return dict(found)

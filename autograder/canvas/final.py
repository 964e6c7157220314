"""The final grade: the weights of the course file, applied to a gradebook that Canvas exported.

Each graded assignment has a score, its points over the points possible. The final grade is the
mean of these scores, weighted by the course file, of 100. What is excused (``EX``) is left out, of
an assignment as of the mean, so that what is left weighs more. Everything is computed in
fractions and rounded half up, once, at the end.

Homeworks that are dropped are left out of the homeworks alone: those that are kept weigh as much as
all did, so that dropping one never lowers a grade by giving other work more weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import NamedTuple

from autograder.canvas.columns import named_column
from autograder.canvas.damage import EXCUSED, UNASSIGNED
from autograder.course import (
    FILE,
    Assignment,
    Columns,
    Course,
    FinalPolicy,
    Kind,
    Missing,
    Unassigned,
    digits,
)
from autograder.errors import ExportError, IntakeError
from autograder.gradebook import Column, Gradebook, Row, check_ids, exact
from autograder.policy import dropped
from autograder.syllabus import Entry
from autograder.text import one_line

FULL = 100
"""What a final grade is out of."""


class State(StrEnum):
    """What a cell, or an assignment, is in the final grade."""

    GRADED = "graded"
    EXCUSED = "excused"
    MISSING = "missing"
    """A blank cell where the rules leave the final grade open."""
    UNASSIGNED = "not assigned"
    """``N/A`` where the rules leave the final grade open."""


class Part(NamedTuple):
    """A part of an assignment: a milestone, or all of it."""

    title: str
    columns: list[Column]


class Component(NamedTuple):
    """One graded assignment of the course."""

    name: str
    weight: Decimal
    """Share of the final grade."""
    points: Decimal
    """Points possible of all its columns together."""
    parts: list[Part]
    homework: bool = False
    """Whether it may be dropped."""

    @property
    def columns(self) -> list[Column]:
        """Every column of the gradebook that belongs to it."""
        return [column for part in self.parts for column in part.columns]


class Score(NamedTuple):
    """What one student has of one assignment."""

    component: Component
    state: State
    earned: Decimal
    possible: Decimal
    """Points possible of what is not excused."""
    without: dict[str, list[str]]
    """Headers of the columns without a grade, by what became of them."""

    @property
    def share(self) -> Fraction:
        """Points over points possible."""
        return Fraction(self.earned) / Fraction(self.possible)

    @property
    def remarks(self) -> list[str]:
        """What is not as it should be: ``missing: CNNs (12)``."""
        return [f"{what}: {', '.join(headers)}" for what, headers in self.without.items()]


class Final(NamedTuple):
    """The final grade of one student, and how it came about."""

    row: Row
    scores: list[Score]
    """One for each component, in the course file's order."""
    decimals: int
    dropped: Sequence[Score] = ()
    """Homeworks that are left out because the others are better."""

    @property
    def exact(self) -> Fraction | None:
        """The final grade of 100, not rounded; ``None`` if it is open."""
        homework, other = self._counted
        counted = [*homework, *other]
        if not counted or any(one.state in _OPEN for one in self.scores):
            return None
        kept = self._kept
        scale = Fraction(_weight(homework)) / Fraction(_weight(kept)) if kept else Fraction(0)
        total = _weighted(kept) * scale + _weighted(other)
        return FULL * total / Fraction(_weight(counted))

    @property
    def total(self) -> Decimal | None:
        """The final grade of 100, rounded half up; ``None`` if it is open."""
        return None if self.exact is None else half_up(self.exact, self.decimals)

    @property
    def arithmetic(self) -> str:
        """The sum as it is done: ``100 × (0.6 × 84/100 + 0.4 × 9/10) = 86.4``."""
        if self.total is None:
            return ""
        homework, other = self._counted
        weights = _weight([*homework, *other])
        over = "" if weights == 1 else f" / {digits(weights)}"
        sum_ = f"{FULL} × ({' + '.join(self._terms)}){over} = {digits(self.total)}"
        left_out = ", ".join(f"{one.component.name} with {_points(one)}" for one in self.dropped)
        return f"{sum_}; dropped: {left_out}" if self.dropped else sum_

    @property
    def remarks(self) -> list[str]:
        """What is missing, not assigned, excused or counted as 0."""
        return [remark for one in self.scores for remark in one.remarks]

    @property
    def _counted(self) -> tuple[list[Score], list[Score]]:
        """Scores that count, unless they are dropped: of homeworks, and others."""
        graded = [one for one in self.scores if one.state is State.GRADED]
        homework = [one for one in graded if one.component.homework]
        return homework, [one for one in graded if not one.component.homework]

    @property
    def _kept(self) -> list[Score]:
        return [one for one in self._counted[0] if one not in self.dropped]

    @property
    def _terms(self) -> list[str]:
        """The summands; where homeworks are dropped, one for those that are kept."""
        homework, other = self._counted
        if not self.dropped:
            return [_term(one) for one in self.scores if one in [*homework, *other]]
        kept = " + ".join(map(_term, self._kept))
        all_ = f"{digits(_weight(homework))} × ({kept}) / {digits(_weight(self._kept))}"
        return [all_, *map(_term, other)]


_OPEN = {State.MISSING, State.UNASSIGNED}
_FIRST = (State.MISSING, State.UNASSIGNED, State.GRADED, State.EXCUSED)
"""Of the states of an assignment's columns, the first of these is the assignment's."""


def components(course: Course, entries: Sequence[Entry], gradebook: Gradebook) -> list[Component]:
    """Find the columns of everything that is graded.

    A column is the one that the course file names, by Canvas id, title or header; or else the
    only one whose title is that of the assignment or milestone.

    Raises:
        ExportError: if a column is not there, there are several, two things share one, or the
            points possible are not those of the course file.
    """
    titles = {entry.plan.name: entry.title for entry in entries}
    found = [
        Component(plan.name, plan.weight, plan.points, list(_parts(plan, titles, gradebook)),
                  plan.kind is Kind.HOMEWORK)
        for plan in course.graded
    ]  # fmt: skip
    counts = Counter(column.header for one in found for column in one.columns)
    for header, count in counts.items():
        if count > 1:
            raise ExportError(
                f"The column {header!r} would count {count} times; name the columns in {FILE} "
                "with `column`."
            )
    return found


def finals(
    gradebook: Gradebook, components: Sequence[Component], policy: FinalPolicy
) -> list[Final]:
    """Compute the final grade of every student but Canvas' test student.

    Raises:
        ExportError: if the gradebook is damaged or a cell is neither a grade nor blank.
    """
    try:
        check_ids(gradebook)
    except IntakeError as error:
        raise ExportError(str(error)) from None
    return [
        _final(row, [_score(row, one, policy) for one in components], policy)
        for row in gradebook.rows
        if not row.is_test_student
    ]


def half_up(number: Fraction, decimals: int) -> Decimal:
    """Round a number that is not negative; what lies in the middle goes up."""
    return Decimal(floor(number * 10**decimals + Fraction(1, 2))).scaleb(-decimals)


def _final(row: Row, scores: list[Score], policy: FinalPolicy) -> Final:
    homework = [one for one in scores if one.component.homework]
    shares = [one.share if one.state is State.GRADED else None for one in homework]
    places = dropped(shares, policy.drop_lowest)
    return Final(row, scores, policy.decimals, [homework[place] for place in places])


def _weight(scores: Sequence[Score]) -> Decimal:
    return sum((one.component.weight for one in scores), Decimal(0))


def _weighted(scores: Sequence[Score]) -> Fraction:
    return sum((Fraction(one.component.weight) * one.share for one in scores), Fraction(0))


def _term(one: Score) -> str:
    return f"{digits(one.component.weight)} × {_points(one)}"


def _points(one: Score) -> str:
    return f"{digits(one.earned)}/{digits(one.possible)}"


def _parts(plan: Assignment, titles: dict[str, str], gradebook: Gradebook) -> Iterator[Part]:
    title = titles[plan.name]
    if not plan.milestone:
        columns = _columns(gradebook, plan.column, plan.name, {title, plan.name})
        _check_points(gradebook, columns, plan.points, plan.name)
        yield Part(title, columns)
    for one in plan.milestone:
        place = f"{plan.name}, milestone {one.question}"
        known = {one.title, f"{title}: {one.title}", f"{plan.name} {one.question}"}
        columns = _columns(gradebook, one.column, place, known)
        _check_points(gradebook, columns, one.points, place)
        yield Part(one.title, columns)


def _columns(gradebook: Gradebook, named: Columns, place: str, titles: set[str]) -> list[Column]:
    names = [named] if isinstance(named, str) else named
    return [named_column(gradebook, name) for name in names] or [titled(gradebook, place, titles)]


def titled(gradebook: Gradebook, place: str, titles: Collection[str]) -> Column:
    """Find the only column with one of several titles.

    Args:
        gradebook: As exported from Canvas.
        place: What the column is for, for the message.
        titles: Titles; letter case and spaces don't matter.

    Raises:
        ExportError: if there is none or there are several.
    """
    wanted = {_folded(title) for title in titles}
    found = [column for column in gradebook.columns if _folded(column.title) in wanted]
    if len(found) == 1:
        return found[0]
    there = ", ".join(repr(column.header) for column in found or gradebook.columns) or "none"
    raise ExportError(
        f"{gradebook.name} has {'several columns' if found else 'no column'} of the title of "
        f"{place}; name it in {FILE} with `column` ({there})."
    )


def _folded(title: str) -> str:
    return " ".join(title.casefold().split())


def _check_points(
    gradebook: Gradebook, columns: Sequence[Column], points: Decimal, place: str
) -> None:
    total = sum((_possible(gradebook, column) for column in columns), Decimal(0))
    if total != points:
        headers = " and ".join(repr(column.header) for column in columns)
        raise ExportError(
            f"{gradebook.name} says that {headers} is worth {digits(total)} points, and {FILE} "
            f"that {place} is worth {digits(points)}; correct the one that is wrong."
        )


def _possible(gradebook: Gradebook, column: Column) -> Decimal:
    value = exact(column.points)
    if value is None or value <= 0:
        raise ExportError(
            f"{gradebook.name} does not say what {column.header!r} is worth; its points possible "
            f"are {one_line(column.points, 40)!r}."
        )
    return value


def _score(row: Row, component: Component, policy: FinalPolicy) -> Score:
    earned, possible = Decimal(0), Decimal(0)
    without: dict[str, list[str]] = {}
    states: set[State] = set()
    for column in component.columns:
        state, value = _cell(row, column, policy)
        states.add(state)
        if value is None:
            what = "counted as 0" if state is State.GRADED else state.value
            without.setdefault(what, []).append(column.header)
        if state is not State.EXCUSED:
            earned += value or 0
            possible += exact(column.points) or 0
    state = next(one for one in _FIRST if one in states)
    return Score(component, state, earned, possible, without)


def _cell(row: Row, column: Column, policy: FinalPolicy) -> tuple[State, Decimal | None]:
    """What a cell is, and its points; ``None`` for a blank one that counts as 0."""
    text = row.cells[column.index].strip()
    if text in {"", "-"}:
        return (State.GRADED if policy.missing is Missing.ZERO else State.MISSING), None
    if text.upper() in EXCUSED:
        return State.EXCUSED, None
    if text.upper() == UNASSIGNED:
        excused = policy.unassigned is Unassigned.EXCUSED
        return (State.EXCUSED if excused else State.UNASSIGNED), None
    value = exact(text)
    if value is None or value < 0:
        raise ExportError(
            f"{one_line(row.student.name)} (row {row.line}) has {one_line(text, 40)!r} in "
            f"{column.header!r}, which is no number of points; correct it in Canvas."
        )
    return State.GRADED, value

"""Which submissions a person should look at, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from autograder.grades import Grade
from autograder.intake import Intake
from autograder.model import Standing, Status, Verdict
from autograder.text import one_line

KINDS = {
    "grader error": "!",
    "belongs to nobody": "?",
    "unreadable": "∅",
    "no grade": "⊘",
    "out of time": "⏱",
    "out of memory": "▲",
    "exception": "✗",
    "remark": "i",
}
"""Every kind, the most urgent first, with its sign."""

STATUSES = {
    Status.TIMEOUT: "out of time",
    Status.MEMORY: "out of memory",
    Status.ERROR: "exception",
}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at."""

    kind: str
    sign: str
    who: str
    id: str
    """Canvas user id, or empty."""
    why: list[str]


def attention(
    verdicts: Sequence[Verdict], intake: Intake | None = None, grades: Sequence[Grade] = ()
) -> list[Case]:
    """List what to look at, the most urgent first, then by name."""
    cases = [case for verdict in verdicts for case in _cases(verdict)]
    for grade in grades:
        if grade.problem and grade.verdict.status is Standing.GRADED:
            who = one_line(grade.verdict.name)
            cases.append(_case("no grade", who, grade.student, [grade.problem]))
    for one in intake.unmatched if intake else []:
        cases.append(_case("belongs to nobody", one_line(one.source), "", [one.reason]))
    order = list(KINDS)
    return sorted(cases, key=lambda case: (order.index(case.kind), case.who))


def _case(kind: str, who: str, id_: str, why: Sequence[str]) -> Case:
    return Case(kind=kind, sign=KINDS[kind], who=who, id=id_, why=[one_line(w, 300) for w in why])


def _cases(verdict: Verdict) -> Iterator[Case]:
    who, id_ = one_line(verdict.name), verdict.student
    if verdict.status is Standing.GRADER_ERROR:
        yield _case("grader error", who, id_, [verdict.message or "The grader failed.",
                                               *verdict.notes])  # fmt: skip
        return
    if verdict.status is Standing.UNREADABLE:
        yield _case("unreadable", who, id_, [verdict.message or "No notebook could be read."])
        return
    if ours := _tests(verdict, Status.GRADER_ERROR):
        yield _case("grader error", who, id_, ours)
    kinds = [(kind, _tests(verdict, status)) for status, kind in STATUSES.items()]
    found = [(kind, why) for kind, why in kinds if why]
    if found:
        why = [line for _, lines in found for line in lines]
        yield _case(found[0][0], who, id_, [*why, *_remarks(verdict)])
    elif _remarks(verdict):
        yield _case("remark", who, id_, _remarks(verdict))


def _remarks(verdict: Verdict) -> list[str]:
    return [*([verdict.message] if verdict.message else []), *verdict.remarks, *verdict.notes]


def _tests(verdict: Verdict, status: Status) -> list[str]:
    """Say in which tests of which questions ``status`` occurred, a line for each question."""
    lines = []
    for name, question in verdict.questions.items():
        tests = [test for test in question.tests if test.status is status]
        if tests:
            more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
            said = f": {tests[0].message}" if tests[0].message else ""
            lines.append(f"{name}, {tests[0].name}{more}{said}")
    return lines

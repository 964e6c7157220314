"""Whether everybody in the demonstration class got what they should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autograder.demo.cast import Role
from autograder.model import Verdict

TOLERANCE = 1e-6


def faults(cast: Sequence[Role], verdicts: Sequence[Verdict]) -> dict[str, str]:
    """For each role by its name: what is wrong with the verdict, empty if nothing is.

    Args:
        cast: The class.
        verdicts: Of all who were graded.
    """
    by_id = {verdict.student: verdict for verdict in verdicts}
    by_role = {role.what: by_id.get(role.student.id) for role in cast}
    return {role.what: _fault(role, by_id.get(role.student.id), by_role) for role in cast}


def _fault(role: Role, verdict: Verdict | None, others: Mapping[str, Verdict | None]) -> str:
    if role.standing in ("missing", "unmatched"):
        return "" if verdict is None else "was graded, though nothing of theirs was handed in"
    if verdict is None or verdict.status.value != role.standing:
        return f"is {verdict.status.value if verdict else 'not graded'}, not {role.standing}"
    if verdict.late != role.late:
        return "is not marked late" if role.late else "is marked late"
    if role.loses is not None and (lost := _lost(verdict)) != set(role.loses):
        return f"lost points in {sorted(lost)}, not in {sorted(role.loses)}"
    if role.skipped is not None and (skipped := _skipped(verdict)) != set(role.skipped):
        return f"was skipped in {sorted(skipped)}, not in {sorted(role.skipped)}"
    if role.score is not None and abs(verdict.score - role.score) > TOLERANCE:
        return f"has {verdict.score:g} points, not {role.score:g}"
    ceiling = others.get(role.ceiling)
    if ceiling is not None and verdict.score > ceiling.score:
        return f"has {verdict.score:g} points, more than {role.ceiling}"
    return ""


def _skipped(verdict: Verdict) -> set[str]:
    return {name for name, question in verdict.questions.items() if question.skipped}


def _lost(verdict: Verdict) -> set[str]:
    return {name for name, q in verdict.questions.items() if q.score < q.possible}

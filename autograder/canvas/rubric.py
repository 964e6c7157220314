"""Points of questions as lines of an assignment's rubric in Canvas."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from autograder.canvas.remote import Column, Criterion
from autograder.model import Verdict
from autograder.policy import cents

__all__ = ["assessment", "lines", "matched", "remark", "there"]


def matched(criteria: Sequence[Criterion], questions: Sequence[str]) -> dict[str, str]:
    """Criterion id → the question whose name its description begins with, as a whole word."""
    names = {name.casefold(): name for name in questions}
    words = {one.id: re.match(r"\s*(\w+)", one.description) for one in criteria}
    found = {id_: names.get(word[1].casefold()) for id_, word in words.items() if word}
    return {id_: name for id_, name in found.items() if name is not None}


def lines(column: Column, verdict: Verdict) -> dict[str, Decimal]:
    """Criterion id → points, two decimals; empty if the rubric is not ours to fill."""
    if column.rubric_decides:
        return {}
    return {
        id_: cents(Decimal(repr(verdict.questions[name].score)))
        for id_, name in matched(column.criteria, list(verdict.questions)).items()
    }


def remark(column: Column, questions: Sequence[str]) -> str:
    """What is to be said of the rubric, if anything; one sentence."""
    if not column.criteria:
        return ""
    found = matched(column.criteria, questions)
    lacking = [name for name in questions if name not in found.values()]
    if found and column.rubric_decides:
        return (
            "The rubric is left alone: it is used for grading in Canvas, so that its sum would "
            "replace the grade."
        )
    if found and lacking:
        return f"The rubric has no line that begins with {', '.join(lacking)}; the others get one."
    return "" if found else "No line of the rubric begins with a question's name; it is left alone."


def there(rubric: Mapping[str, Mapping[str, Any]], ids: Sequence[str]) -> dict[str, Decimal]:
    """Criterion id → points that Canvas has now, of these lines; those without points left out."""
    said = {id_: (rubric.get(id_) or {}).get("points") for id_ in ids}
    return {id_: cents(Decimal(repr(points))) for id_, points in said.items() if points is not None}


def assessment(
    rubric: Mapping[str, Mapping[str, Any]], ours: Mapping[str, Decimal]
) -> dict[str, dict[str, Any]]:
    """The whole rubric as it is to be: our lines, and every other one as it is."""
    kept = {
        id_: {key: value for key, value in line.items() if value is not None}
        for id_, line in rubric.items() if id_ not in ours
    }  # fmt: skip
    return kept | {id_: {"points": float(points)} for id_, points in ours.items()}

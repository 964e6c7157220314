"""Answers have the keys and kinds of values that a real Canvas was recorded to give.

``recorded.json`` holds keys and kinds, no values, of answers of a Canvas container, from the
public recordings of edulinq/lms-docker-canvas-testdata. Ids and times of jobs were left out there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakecanvas import Canvas
from fakecanvas.model import Course, Progress
from fakecanvas.views import Views

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())


@pytest.fixture
def answers(canvas: Canvas, course: Course) -> dict[str, dict[str, Any]]:
    views, first, user = Views(canvas, ""), course.assignments[0], canvas.users[101]
    canvas.grade_by_hand(course, first, user, 2)
    return {
        "assignment": views.assignment(course, first, []),
        "submission": views.submission(course, canvas.submission(course, first, user), []),
        "user": views.user(course, user, ["enrollments"]),
        "enrollment": views.enrollment(course, course.enrolled(101)[0]),
        "progress": views.progress(Progress(1, 1, "submissions_update")),
    }


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {int: "number", float: "number", str: "string", list: "list", dict: "table"}
    return names.get(type(value), "null")


@pytest.mark.parametrize("name", RECORDED)
def test_an_answer_has_the_recorded_keys_and_kinds(
    answers: dict[str, dict[str, Any]], name: str
) -> None:
    found = {key: kind(value) for key, value in answers[name].items()}
    assert set(RECORDED[name]) - set(found) == set()
    wrong = {key: (found[key], said) for key, said in RECORDED[name].items()
             if "null" not in (said, found[key]) and found[key] != said}  # fmt: skip
    assert wrong == {}

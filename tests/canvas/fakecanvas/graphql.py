"""The three GraphQL mutations that set when grades are seen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fakecanvas import grading
from fakecanvas.model import Assignment, Course, Progress

if TYPE_CHECKING:
    from fakecanvas.canvas import Canvas
    from fakecanvas.views import Views

CALL = re.compile(
    r"(setAssignmentPostPolicy|postAssignmentGrades|hideAssignmentGrades)\s*"
    r"\(\s*input\s*:\s*\{(.*?)\}\s*\)",
    re.DOTALL,
)
ARGUMENT = re.compile(r'(\w+)\s*:\s*(\[[^\]]*\]|"[^"]*"|\$?\w+)')


def mutate(canvas: Canvas, views: Views, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """Answer a query that holds one of the mutations."""
    call = CALL.search(query)
    if call is None:
        return {"errors": [{"message": "Field doesn't exist on type 'Mutation'"}]}
    name, arguments = call[1], _arguments(call[2], variables)
    course, assignment = _find(canvas, arguments.get("assignmentId"))
    if course is None or assignment is None:
        return {"data": {name: {"errors": [{"message": "not found"}]}}}
    if name == "setAssignmentPostPolicy":
        assignment.post_manually = bool(arguments.get("postManually"))
        policy = {"postManually": assignment.post_manually}
        return {"data": {name: {"postPolicy": policy, "errors": None}}}
    _each(canvas, course, assignment, name, arguments)
    progress = Progress(canvas.numbers.next(), course.id, name, "completed", 100.0)
    from fakecanvas.canvas import Job

    canvas.progress[progress.id] = Job(progress, lambda: None)
    found = {"_id": str(progress.id), "state": progress.workflow_state}
    return {"data": {name: {"progress": found, "errors": None}}}


def _each(
    canvas: Canvas, course: Course, assignment: Assignment, name: str, arguments: dict[str, Any]
) -> None:
    only, skip = arguments.get("onlyStudentIds"), arguments.get("skipStudentIds") or []
    sections = {str(one) for one in arguments.get("sectionIds") or []}
    for one in canvas.submissions(course, assignment):
        own = {str(place.section.id) for place in course.enrolled(one.user.id)}
        chosen = only is None or str(one.user.id) in map(str, only)
        if not chosen or str(one.user.id) in map(str, skip) or (sections and not own & sections):
            continue
        if name == "hideAssignmentGrades":
            grading.hide(one)
        elif not arguments.get("gradedOnly") or one.graded_at is not None:
            grading.post(one, canvas.now)


def _find(canvas: Canvas, id_: Any) -> tuple[Course | None, Assignment | None]:
    for course in canvas.courses.values():
        assignment = course.assignment(int(id_)) if id_ is not None else None
        if assignment is not None:
            return course, assignment
    return None, None


def _arguments(text: str, variables: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(word, variables) for name, word in ARGUMENT.findall(text)}


def _value(word: str, variables: dict[str, Any]) -> Any:
    if word.startswith("$"):
        return variables.get(word[1:])
    if word.startswith("["):
        return [_value(one, variables) for one in re.findall(r'"[^"]*"|\$?\w+', word)]
    if word in ("true", "false"):
        return word == "true"
    return None if word == "null" else word.strip('"')

"""The gradebook as Canvas exports it. Restated from ``lib/gradebook_exporter.rb``."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from fakecanvas import grading
from fakecanvas.model import Assignment, Course, User

if TYPE_CHECKING:
    from fakecanvas.canvas import Canvas

TOTALS = ("Current Score", "Unposted Current Score", "Final Score", "Unposted Final Score")
READ_ONLY = "(read only)"


def gradebook_csv(
    canvas: Canvas, course: Course, *, sis: bool = True, integration: bool = False,
    root_account: bool = False, semicolon: bool = False, decimal_comma: bool = False,
    bom: bool = False, two_names: bool = False,
) -> bytes:  # fmt: skip
    """The file.

    Args:
        canvas: Where.
        course: Which.
        sis: Whether whoever exports may see SIS ids.
        integration: Whether integration ids are exported.
        root_account: Whether accounts are exported.
        semicolon: Whether the exporter's settings separate fields by ``;``.
        decimal_comma: Whether the exporter's language writes ``8,5``.
        bom: Whether the exporter's settings begin the file with a byte order mark.
        two_names: Whether family and given names have columns of their own.
    """
    names = ["LastName", "FirstName"] if two_names else ["Student"]
    identity = [
        *names, "ID", *(["SIS User ID"] if sis else []), "SIS Login ID",
        *(["Integration ID"] if integration else []),
        *(["Root Account"] if root_account else []), "Section",
    ]  # fmt: skip
    custom = [one for one in course.custom_columns if not (one.hidden or one.deleted)]
    shown = [one for one in course.assignments if one.published and _is_graded(one)]
    override = ["Override Score"] if course.allows_override else []
    header = [
        *identity, *(one.title for one in custom), *(f"{one.name} ({one.id})" for one in shown),
        *TOTALS, *override,
    ]  # fmt: skip
    before = len(identity) + len(custom)
    lines = [header]
    if any(one.post_manually for one in shown):
        marks = ["Manual Posting" if one.post_manually else "" for one in shown]
        lines.append(["" for _ in range(before)] + marks + [""] * len([*TOTALS, *override]))
    points = [_number(one.points_possible, decimal_comma) for one in shown]
    lines.append([
        "    Points Possible", *[""] * (len(identity) - 1),
        *(READ_ONLY if one.read_only else "" for one in custom), *points,
        *[READ_ONLY] * len(TOTALS), *[""] * len(override),
    ])  # fmt: skip
    for user in course.students():
        row = _identity(course, user, identity)
        row += [one.data.get(user.id, "") for one in custom]
        row += [_cell(canvas, course, one, user, decimal_comma) for one in shown]
        row += _totals(canvas, course, shown, user, decimal_comma)
        row += [_number(course.overrides.get((user.id, None), {}).get("score"), decimal_comma)
                for _ in override]  # fmt: skip
        lines.append(row)
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";" if semicolon else ",", lineterminator="\n").writerows(lines)
    return (b"\xef\xbb\xbf" if bom else b"") + out.getvalue().encode()


def _is_graded(assignment: Assignment) -> bool:
    return assignment.grading_type != "not_graded"


def _identity(course: Course, user: User, columns: list[str]) -> list[str]:
    family, _, given = user.sortable_name.partition(", ")
    sections = [one.section.name for one in course.enrolled(user.id)]
    name = f'="{user.sortable_name}"' if user.sortable_name.lstrip().startswith("=") else None
    values = {
        "Student": name or user.sortable_name,
        "LastName": family,
        "FirstName": given,
        "ID": str(user.id),
        "SIS User ID": user.sis_user_id or "",
        "SIS Login ID": user.login_id or "",
        "Integration ID": user.integration_id or "",
        "Root Account": user.root_account,
        "Section": _sentence(list(dict.fromkeys(sections))),
    }
    return [values[column] for column in columns]


def _sentence(words: list[str]) -> str:
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _cell(canvas: Canvas, course: Course, assignment: Assignment, user: User, comma: bool) -> str:
    if not grading.assigned(course, assignment, user):
        return "N/A"
    submission = canvas.submission(course, assignment, user)
    if assignment.anonymous_grading and submission.posted_at is None:
        return "N/A"
    if submission.excused:
        return "EX"
    if assignment.grading_type == "gpa_scale":
        return submission.grade or ""
    return _number(submission.score, comma)


def _totals(
    canvas: Canvas, course: Course, shown: list[Assignment], user: User, comma: bool
) -> list[str]:
    """Current and final score, percent, of everything and of what the student can see."""
    found = []
    for missing_is_zero in (False, True):
        for unposted in (False, True):
            got = possible = 0.0
            for assignment in shown:
                one = canvas.submission(course, assignment, user)
                seen = one.posted_at is not None or unposted
                score = one.score if seen else None
                if one.excused or (score is None and not missing_is_zero):
                    continue
                got += score or 0.0
                possible += assignment.points_possible or 0.0
            found.append(_number(100 * got / possible if possible else None, comma))
    return found


def _number(value: object, comma: bool) -> str:
    if not isinstance(value, int | float):
        return ""
    text = f"{value:.2f}"
    return text.replace(".", ",") if comma else text

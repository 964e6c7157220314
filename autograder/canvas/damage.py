"""Whether a gradebook is the one of the course that was graded, as Canvas exported it.

A spreadsheet program that saves a gradebook drops zeros in front of ids, writes long ones as
``1.23E+14`` and turns what looks like a date into one; sorting a part of the columns gives ids to
other people. Canvas believes the ``ID`` of a row whatever else stands in it
(``lib/gradebook_importer.rb``), so the row is held against the roster that was graded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from autograder.errors import ExportError, IntakeError
from autograder.gradebook import Column, Gradebook, Row, check_ids, number, rewritten
from autograder.model import Student
from autograder.text import one_line

EXCUSED = {"EX", "EXCUSED"}
"""What Canvas writes for somebody who is excused, and what it reads as that."""

UNASSIGNED = "N/A"
"""What Canvas writes where an assignment is not assigned to a student."""

BLANK = {"", "-"}

SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?E[+-][0-9]{1,3}", re.ASCII)
_AGAIN = "export the gradebook from Canvas again and don't save it with a spreadsheet program."


def check(
    gradebook: Gradebook,
    roster: Sequence[Student],
    graded: Collection[str],
    renamed: Collection[str] = (),
) -> dict[str, Row]:
    """Check a gradebook against the roster that was graded.

    Args:
        gradebook: As exported from the course the grades go to.
        roster: The students as the grades were given to them.
        graded: Canvas user ids of those whose grades are to be written.
        renamed: Canvas user ids of those whose name, login or SIS id may be another one.

    Returns:
        The rows by Canvas user id.

    Raises:
        ExportError: if it is damaged, of another course, or says something else of somebody.
    """
    try:
        check_ids(gradebook)
    except IntakeError as error:
        raise ExportError(str(error)) from None
    _check_identities(gradebook)
    rows = {row.student.id: row for row in gradebook.rows}
    known = {student.id: student for student in roster}
    _check_present(gradebook, rows, [known[id_] for id_ in graded])
    for student in roster:
        if student.id in rows and student.id not in renamed:
            _check_row(gradebook, rows[student.id], student, student.id in graded)
    for id_ in graded:
        check_numbers(gradebook, rows[id_])
    return rows


def check_numbers(gradebook: Gradebook, row: Row) -> None:
    """Check that Canvas would read the SIS cells of a row as they are.

    Raises:
        ExportError: if one is something that Canvas takes for a number and rewrites.
    """
    for header, cell in _identities(gradebook, row):
        if header.startswith("SIS") and rewritten(cell) != cell:
            raise ExportError(
                f"Row {row.line} of {gradebook.name} has the {header} {cell!r}, which Canvas would "
                f"read as the number {rewritten(cell)}; leave this student out and enter the "
                "grade by hand."
            )


def check_cells(gradebook: Gradebook, column: Column) -> None:
    """Check that every cell of a column is what Canvas writes for points.

    Raises:
        ExportError: if one is a date, a letter, or a number that a spreadsheet has rewritten.
    """
    for row in gradebook.rows:
        cell = row.cells[column.index].strip()
        if cell not in BLANK and not untouchable(cell) and number(cell) is None:
            raise ExportError(
                f"{one_line(row.student.name)} (row {row.line} of {gradebook.name}) has "
                f"{one_line(cell, 40)!r} in {column.header!r}, which is no number of points; let "
                f"Canvas display points there, {_AGAIN}"
            )


def untouchable(cell: str) -> str:
    """Why no grade may be written over a gradebook's cell, or ``""``."""
    if cell.upper() in EXCUSED:
        return "is excused in Canvas, which a grade would undo"
    if cell.upper() == UNASSIGNED:
        return "the assignment is not assigned to this student in Canvas"
    return ""


def _identities(gradebook: Gradebook, row: Row) -> list[tuple[str, str]]:
    return list(zip(gradebook.header[: gradebook.identity], row.cells, strict=False))


def _check_identities(gradebook: Gradebook) -> None:
    ids = ("SIS User ID", "SIS Login ID", "Integration ID")
    several = "Root Account" in gradebook.header[: gradebook.identity]
    seen: Counter[tuple[str, str]] = Counter()
    for row in gradebook.rows:
        for header, cell in _identities(gradebook, row):
            if header not in ids or not cell.strip():
                continue
            seen[header, cell.strip().casefold()] += 1
            problem = ""
            if SCIENTIFIC.fullmatch(cell.strip()):
                problem = ", which a spreadsheet program has made of another number"
            elif seen[header, cell.strip().casefold()] > 1 and not several:
                problem = ", which another row has too"
            if problem:
                raise ExportError(
                    f"Row {row.line} of {gradebook.name} has the {header} "
                    f"{one_line(cell, 40)!r}{problem}; {_AGAIN}"
                )


def _check_present(gradebook: Gradebook, rows: Collection[str], graded: Sequence[Student]) -> None:
    missing = [student for student in graded if student.id not in rows]
    if not missing:
        return
    names = "; ".join(f"{one_line(one.name)} (ID {one.id})" for one in missing[:3])
    if len(missing) * 2 > len(graded) > 1:
        raise ExportError(
            f"{len(missing)} of the {len(graded)} students who were graded are not in "
            f"{gradebook.name}, so it is of another course or section: {names}."
        )
    raise ExportError(
        f"{names}{' …' if len(missing) > 3 else ''} {'is' if len(missing) == 1 else 'are'} not in "
        f"{gradebook.name}; export a new gradebook of this course, or leave out who has left it "
        f"(--leave-out {','.join(one.id for one in missing)})."
    )


def _check_row(gradebook: Gradebook, row: Row, student: Student, graded: bool) -> None:
    if graded and row.student.name != student.name:
        raise ExportError(
            f"ID {student.id} is {one_line(row.student.name)} in {gradebook.name} but was graded "
            f"as {one_line(student.name)}; if that is one person, allow it (--renamed "
            f"{student.id}), else export again."
        )
    for header, here, there in (
        ("SIS Login ID", row.student.login, student.login),
        ("SIS User ID", row.student.sis_id, student.sis_id),
    ):
        if here and there and here != there:
            zeros = here == there.lstrip("0")
            what = "a spreadsheet program has dropped its zeros; " if zeros else ""
            raise ExportError(
                f"{one_line(student.name)} (ID {student.id}) has the {header} "
                f"{one_line(here, 40)!r} in {gradebook.name} and {one_line(there, 40)!r} in the "
                f"roster that was graded; {what}export the gradebook from Canvas again, or allow "
                f"it if it is one person (--renamed {student.id})."
            )

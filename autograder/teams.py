"""Who works with whom: the groups that staff keep, read from the table that Canvas exports.

The table is that of Canvas' group sets (``doc/api/group_category_csv.md``): a person is named by
``canvas_user_id``, ``user_id`` (the SIS id) or ``login_id``, a group by ``group_name``. Nothing
that is handed in decides who is in a team.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from autograder.errors import IntakeError
from autograder.model import Student
from autograder.text import one_line

__all__ = ["Team", "parties", "read"]

PEOPLE = ("canvas_user_id", "user_id", "login_id")
GROUP = "group_name"


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """One group of students who hand in together."""

    name: str
    """As staff spell it; empty for somebody who works alone."""
    members: list[Student]
    """In the roster's order."""

    @property
    def key(self) -> str:
        """The Canvas user id of its first member, by which hidden data are drawn."""
        return self.members[0].key


def read(path: Path, roster: Sequence[Student]) -> list[Team]:
    """Read the teams at ``path``.

    Args:
        path: A CSV file as Canvas exports a group set; rows without a group are nobody's team.
        roster: Everybody in the course.

    Raises:
        IntakeError: one sentence, if it is no such table, names somebody who is not in the roster,
            has somebody in two teams, or has two teams whose names differ by letter case alone.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except OSError as error:
        raise IntakeError(f"{path} cannot be read ({error.strerror}).") from None
    except (UnicodeDecodeError, csv.Error):
        raise IntakeError(f"{path} is no UTF-8 CSV table; export the groups again.") from None
    if rows and not (GROUP in rows[0] and any(column in rows[0] for column in PEOPLE)):
        raise IntakeError(
            f"{path} is no table of groups: it needs the column {GROUP} and one of "
            f"{', '.join(PEOPLE)}; export the group set from Canvas again."
        )
    return _teams(path.name, rows, roster)


def parties(roster: Sequence[Student], teams: Iterable[Team]) -> list[Team]:
    """Everybody in the roster, with their team or alone, in the order of first members."""
    of = {member.id: team for team in teams for member in team.members}
    found = [of.get(student.id) or Team(name="", members=[student]) for student in roster]
    return [team for team, student in zip(found, roster, strict=True) if team.key == student.id]


def _teams(name: str, rows: Iterable[Mapping[str, str]], roster: Sequence[Student]) -> list[Team]:
    ids: dict[str, dict[str, Student]] = {column: {} for column in PEOPLE}
    for student in roster:
        for column, value in zip(PEOPLE, (student.id, student.sis_id, student.login), strict=True):
            if value:
                ids[column][value.casefold()] = student
    team_of: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        group = " ".join((row.get(GROUP) or "").split())
        if group:
            student = _person(name, number, row, ids)
            other = team_of.setdefault(student.id, group)
            if other != group:
                raise IntakeError(
                    f"{name}, row {number}: {one_line(student.name)} is in two teams, "
                    f"{one_line(other, 60)!r} and {one_line(group, 60)!r}; keep one of them."
                )
    _check_names(name, team_of.values())
    return [
        Team(name=group, members=[one for one in roster if team_of.get(one.id) == group])
        for group in dict.fromkeys(team_of.values())
    ]


def _person(
    name: str, number: int, row: Mapping[str, str], ids: Mapping[str, Mapping[str, Student]]
) -> Student:
    for column in PEOPLE:
        value = (row.get(column) or "").strip()
        if value:
            if value.casefold() in ids[column]:
                return ids[column][value.casefold()]
            raise IntakeError(
                f"{name}, row {number}: nobody in the roster has the {column} "
                f"{one_line(value, 60)!r}; export the gradebook and the groups again."
            )
    raise IntakeError(f"{name}, row {number}: it names nobody; fill {' or '.join(PEOPLE)}.")


def _check_names(name: str, groups: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for group in groups:
        other = seen.setdefault(group.casefold(), group)
        if other != group:
            raise IntakeError(
                f"{name}: the teams {one_line(other, 60)!r} and {one_line(group, 60)!r} have one "
                "name but for letter case; rename one of them."
            )

"""Who is in a course, as Canvas' API says it, and the same as a gradebook's first columns.

Names are written to that file and go nowhere else.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec

from autograder.canvas.client import Client
from autograder.files import write_atomically

__all__ = ["FILE", "Person", "Roster", "read", "write"]

FILE = "roster.csv"
"""Name of the file, beside the folders of assignments."""
_STATES = ("active", "inactive")


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One student."""

    id: str
    """Canvas user id."""
    name: str
    """As Canvas sorts it."""
    login: str = ""
    sis_id: str = ""
    sections: list[int] = []
    """Canvas ids of the sections in which the person is a student, concluded ones left out."""


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """The students of a course."""

    people: dict[str, Person]
    """By Canvas user id, in the gradebook's order; those whose enrolment is over are left out."""
    sections: dict[int, str]
    """Names by Canvas id."""
    shows_logins: bool
    """Whether the token's owner may see them."""
    shows_sis_ids: bool


def read(client: Client, course: int) -> Roster:
    """Read the active and the inactive students of a course, each once; no test student.

    Raises:
        CanvasError: if they cannot be read.
    """
    sections = {one["id"]: str(one["name"]) for one in client.pages(f"courses/{course}/sections")}
    said = list(client.pages(
        f"courses/{course}/users", enrollment_type=["student"], enrollment_state=_STATES,
        include=["enrollments"],
    ))  # fmt: skip
    people = sorted((_person(one) for one in said), key=lambda one: (one.name.casefold(), one.id))
    return Roster(
        people={one.id: one for one in people},
        sections=sections,
        shows_logins=any("login_id" in one for one in said),
        shows_sis_ids=any("sis_user_id" in one for one in said),
    )


def write(path: Path, roster: Roster) -> None:
    """Write the roster as a gradebook without assignments, which ``autograder.gradebook`` reads.

    Columns are those that Canvas' own export has for who may see as much
    (``lib/gradebook_exporter.rb``).
    """
    shown = [("SIS User ID", roster.shows_sis_ids),
             ("SIS Login ID", roster.shows_sis_ids or roster.shows_logins)]  # fmt: skip
    header = ["Student", "ID", *(name for name, seen in shown if seen), "Section"]
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, header, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    table.writerow({"Student": "    Points Possible"})
    for one in roster.people.values():
        names = list(dict.fromkeys(roster.sections.get(id_, str(id_)) for id_ in one.sections))
        table.writerow({
            "Student": f'="{one.name}"' if one.name.lstrip().startswith("=") else one.name,
            "ID": one.id, "SIS User ID": one.sis_id, "SIS Login ID": one.login,
            "Section": _sentence(names),
        })  # fmt: skip
    write_atomically(path, out.getvalue().encode("utf-8", "replace"))


def _person(said: dict[str, Any]) -> Person:
    places = [
        int(one["course_section_id"])
        for one in said.get("enrollments") or []
        if one.get("type") == "StudentEnrollment" and one.get("enrollment_state") in _STATES
    ]
    return Person(
        id=str(int(said["id"])),
        name=str(said.get("sortable_name") or said.get("name") or said["id"]),
        login=str(said.get("login_id") or ""),
        sis_id=str(said.get("sis_user_id") or ""),
        sections=list(dict.fromkeys(places)),
    )


def _sentence(words: list[str]) -> str:
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"

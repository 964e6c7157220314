"""Whose file it is: the names Canvas gives to what students handed in.

From reading ``lib/content_zipper.rb``: ``<name>[_LATE]_<user id>_<attachment id>_<file name>``,
where the name is the sortable name in lower case without everything that is no letter, mark,
digit or underscore; text entries and links end in ``_<user id>_text.html`` and ``_link.html``;
anonymous ones begin with ``anon_``. A name may hold digits and underscores itself, so more than
one reading can fit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autograder.model import Student

FILE = re.compile(r"_(?P<user>[0-9]+)_(?P<attachment>[0-9]+)_(?P<rest>.+)", re.DOTALL)
PAGE = re.compile(r"_(?P<user>[0-9]+)_(?P<rest>(?:text|link)\.html)")
ANONYMOUS = re.compile(r"(?:LATE_)?anon_")
BROWSER_COPY = r"(?:[ _-]?\([0-9]{1,3}\)|-[0-9]{1,3}|-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})*"
"""What Canvas and browsers add before the extension of a second file of the same name."""


class Reading(NamedTuple):
    """One way to read a name that Canvas gave."""

    person: str
    user: str
    attachment: int
    """0 for text entries and links."""
    rest: str
    """The file name the student gave."""
    late: bool


def readings(name: str) -> list[Reading]:
    """Every way to read ``name``, from the left."""
    return list(_readings(name))


def _readings(name: str) -> Iterator[Reading]:
    for start in (match.start() for match in re.finditer("_", name)):
        match = FILE.match(name, start) or PAGE.fullmatch(name, start)
        if match is None:
            continue
        person, late = name[:start], name[:start].endswith("_LATE")
        yield Reading(
            person=person.removesuffix("_LATE"),
            user=match["user"],
            attachment=int(match["attachment"][:30]) if match.re is FILE else 0,
            rest=match["rest"],
            late=late,
        )


def slug(sortable_name: str) -> str:
    r"""Return the name of a student as Canvas writes it into file names.

    Ruby's ``[[:word:]]`` is letters, marks, decimal digits and connectors of any script; Python's
    ``\w`` would lose the marks.
    """
    unwrapped = re.sub(r"_([0-9]+)_", r"\1", unicodedata.normalize("NFC", sortable_name))
    return "".join(character for character in unwrapped.lower() if _is_word(character))


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category in {"Nd", "Pc"}


def whose(name: str, students: dict[str, Student]) -> Reading | str:
    """Find the one reading of ``name`` that fits the roster, or why there is none.

    A student chooses the end of the name (the file name), so that a reading further right counts
    only if its beginning is that student's own name in full: nobody can name a file so that it
    becomes somebody else's.

    Args:
        name: The base name of a file.
        students: The roster by Canvas user id.
    """
    if ANONYMOUS.match(name):
        return "it is anonymous; turn off anonymous grading and download the submissions again"
    found = readings(unicodedata.normalize("NFC", name))
    fitting = [reading for reading in found if reading.user in students]
    if len(fitting) > 1:
        ids = ", ".join(reading.user for reading in fitting)
        return f"its name fits several students (ids {ids}); rename it to one id, as in 123.ipynb"
    if not found:
        return "its name says nothing of a student; rename it to a login or Canvas id"
    if not fitting:
        return f"no student of the gradebook has the id {found[0].user}"
    reading = fitting[0]
    if reading is not found[0] and reading.person != slug(students[reading.user].name):
        return (
            f"its name holds the id {reading.user}, but not where Canvas writes it; "
            "find out whose it is and rename it to the id, as in 123.ipynb"
        )
    return reading


def is_copy(name: str, original: str) -> bool:
    """Whether a file called ``name`` is ``original``, perhaps renamed on its way.

    ``hw-1.ipynb`` and ``hw (1).ipynb`` are ``hw.ipynb``: Canvas adds ``-1`` to a student's second
    upload of one name (``app/models/attachment.rb``), browsers ``(1)`` to a second download.
    """
    stem, dot, extension = original.rpartition(".")
    pattern = f"{re.escape(stem)}{BROWSER_COPY}{re.escape(dot + extension)}"
    return re.fullmatch(pattern, name, re.IGNORECASE) is not None


def upload(name: str, original: str) -> int:
    """Which upload of ``original`` Canvas made ``name`` of; 1 if it does not say.

    After seven numbered ones Canvas takes a random name, so 9 means nine or more.
    """
    stem, dot, extension = original.rpartition(".")
    pattern = rf"{re.escape(stem)}-(?:([0-9]{{1,3}})|[0-9a-f-]{{36}}){re.escape(dot + extension)}"
    match = re.fullmatch(pattern, name, re.IGNORECASE)
    if match is None:
        return 1
    return int(match[1]) + 1 if match[1] else 9


def expected(name: str, names: Sequence[str]) -> str | None:
    """Return the one of ``names`` that a file called ``name`` is, perhaps as a copy."""
    if name in names:
        return name
    return next((one for one in names if is_copy(name, one)), None)

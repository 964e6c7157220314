"""Whose file it is: the names Canvas gives to what students handed in.

From reading ``lib/content_zipper.rb``: ``<name>[_LATE]_<user id>_<attachment id>_<file name>``,
where the name is the sortable name (or that of a group that is graded as one) in lower case
without everything that is no letter, mark, digit or underscore; text entries and links end in
``_<user id>_text.html`` and ``_link.html``; anonymous ones begin with ``anon_``. A name may hold
digits and underscores itself, and so may a file's, so more than one reading can fit. People choose
both; what cannot be read with certainty is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from autograder.model import Student

FILE = re.compile(r"_(?P<user>[1-9][0-9]*)_(?P<attachment>[1-9][0-9]*)_(?P<rest>.+)", re.DOTALL)
PAGE = re.compile(r"_(?P<user>[1-9][0-9]*)_(?P<rest>(?:text|link)(?:-[0-9]+)?\.html)")
ANONYMOUS = re.compile(r"(?:LATE_)?anon_")
BROWSER_COPY = r"(?:[ _-]?\([0-9]{1,3}\)|-[0-9]{1,3}|-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})*"
"""What Canvas and browsers add before the extension of a second file of the same name."""

COUNTERS = 10_000
"""Below it, a number in a file's name is a year, a day or a counter and no Canvas attachment id."""


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


def slug(name: str) -> str:
    r"""Return the name of a student or group as Canvas writes it into file names.

    Ruby's ``[[:word:]]`` is letters, marks, decimal digits and connectors of any script; Python's
    ``\w`` would lose the marks. Letters are folded further than Canvas does, so that one name is
    one slug whatever the version of Unicode or the Greek sigma: apply it to both sides.
    """
    unwrapped = re.sub(r"_([0-9]+)_", r"\1", unicodedata.normalize("NFC", name))
    return _folded(unwrapped)


def _folded(text: str) -> str:
    words = "".join(filter(_is_word, unicodedata.normalize("NFC", text.lower().casefold())))
    return unicodedata.normalize("NFC", words)


def _is_word(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LM" or category in {"Nd", "Nl", "Pc"}


def whose(
    name: str, students: Mapping[str, Student], groups: Mapping[str, Collection[str]] = {}
) -> Reading | str:
    """Find the one reading of ``name`` that fits the roster, or why there is none.

    A student chooses the end of the name (the file name), and may choose the beginning (their
    own name), so where there is a second reading, the name in front must be the student's own or
    that of their group, in full; and nobody outside the roster may be meant as well.

    Args:
        name: The base name of a file.
        students: The roster by Canvas user id.
        groups: Slugs of the groups that each student is in, by Canvas user id.
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
    (reading,) = fitting
    if len(found) > 1 and not is_named(reading, students[reading.user], groups):
        return (
            f"its name holds the id {reading.user}, but perhaps not where Canvas writes it; "
            "find out whose it is and rename it to the id, as in 123.ipynb"
        )
    strangers = [one.user for one in found if one is not reading and _could_be(one)]
    if strangers:
        return (
            f"its name fits {reading.user} and somebody who is not in the gradebook "
            f"(id {strangers[0]}); find out whose it is and rename it to the id, as in 123.ipynb"
        )
    return reading


def is_named(
    reading: Reading, student: Student, groups: Mapping[str, Collection[str]] = {}
) -> bool:
    """Whether the name in front of the ids is the student's, or that of a group of theirs."""
    return _folded(reading.person) in {slug(student.name), *groups.get(student.id, ())}


def _could_be(reading: Reading) -> bool:
    """Whether Canvas may have written that: a page, or a file with an id of Canvas' size."""
    return reading.attachment == 0 or reading.attachment >= COUNTERS


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

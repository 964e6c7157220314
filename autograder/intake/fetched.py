"""Submissions of what was fetched from Canvas: every attempt has its number and its time.

Whose a file is, and which files there are, is what ``pull.json`` says; names mean nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec

from autograder.bundle import Manifest
from autograder.errors import IntakeError
from autograder.grades import Rules, chosen
from autograder.intake.choose import submission
from autograder.intake.gather import Found, Owner, Piece, Unmatched, opened, read
from autograder.intake.unpack import COURSE, Member
from autograder.model import Student, Submission
from autograder.pulled import Attempt, File, Pull
from autograder.teams import Team
from autograder.text import one_line

PAGES = {"online_text_entry", "online_url"}
"""Submission types that Canvas turns into a page."""


def fetched(
    folder: Path, pull: Pull, party: Team, manifest: Manifest, rules: Rules
) -> Iterator[tuple[Submission, list[Unmatched]]]:
    """The attempts of a student or team that are to be graded, in the order they were handed in.

    An attempt that Canvas keeps for several members is one.

    Yields:
        Each with the files of that party that were passed over.

    Raises:
        IntakeError: if a file is not there as it was fetched.
    """
    attempts = _attempts(pull, party)
    users: dict[datetime, str] = {}
    firsts = [one for one in attempts if users.setdefault(one.submitted, one.user) == one.user]
    counts = chosen(attempts, rules)
    wanted = [one for one in firsts if any(_same(one, other) for other in counts)]
    others = [Unmatched(source=_source(folder, one), reason=_reason(one, wanted, rules))
              for one in firsts if one not in wanted]  # fmt: skip
    for one in wanted:
        numbers = {each.user: each.number for each in attempts if each.submitted == one.submitted}
        taken, unused = _submission(folder, one, party, manifest)
        yield msgspec.structs.replace(taken, numbers=numbers if party.name else {}), [
            *unused, *others
        ]  # fmt: skip
        others = []


def strangers(folder: Path, pull: Pull, roster: Iterable[Student]) -> list[Unmatched]:
    """Attempts of people who are not in the roster."""
    known = {student.id for student in roster}
    return [
        Unmatched(source=_source(folder, one),
                  reason=f"no student of the gradebook has the id {one_line(one.user, 40)}")
        for one in pull.attempts if one.user not in known
    ]  # fmt: skip


def _same(one: Attempt, other: Attempt) -> bool:
    """Whether it is one hand-in, which Canvas may keep for several members."""
    return one == other or (one.submitted == other.submitted and one.user != other.user)


def _attempts(pull: Pull, party: Team) -> list[Attempt]:
    order = [member.id for member in party.members]
    own = [one for one in pull.attempts if one.user in order]
    return sorted(own, key=lambda one: (one.submitted, order.index(one.user), one.number))


def _submission(
    folder: Path, attempt: Attempt, party: Team, manifest: Manifest
) -> tuple[Submission, list[Unmatched]]:
    pieces = [piece for file in attempt.files for piece in _pieces(folder, attempt, file)]
    taken, unused = submission(party.members[0], pieces or [_page(folder, attempt)], manifest)
    bare = not pieces and attempt.kind not in PAGES
    return msgspec.structs.replace(
        taken,
        attempt=attempt.number,
        submitted=attempt.submitted,
        late=attempt.late,
        team=party.name,
        members=party.members if party.name else [],
        problem=_lack(attempt, bare, manifest) or taken.problem,
    ), unused


def _lack(attempt: Attempt, bare: bool, manifest: Manifest) -> str:
    """Why an attempt cannot be graded as it was fetched; empty if it can."""
    if attempt.lost:
        names = ", ".join(one_line(name, 80) for name in attempt.lost)
        return f"Canvas did not give out {names}; ask your instructor, or hand in again."
    return f"You handed in no file; hand in {manifest.notebook}." if bare else ""


def _pieces(folder: Path, attempt: Attempt, file: File) -> Iterator[Piece]:
    found = Found(_member(folder, file), _group(attempt), one_line(f"{folder}/{file.path}"))
    yield from opened(found, Owner(attempt.user, file.name, file.id, attempt.late))


def _page(folder: Path, attempt: Attempt) -> Piece:
    """What stands for an attempt without a file."""
    return Piece(
        owner=attempt.user, group=_group(attempt), name="text.html", data=b"", problem="",
        source=_source(folder, attempt), attachment=0, late=attempt.late, page=True,
        named_after_owner=False,
    )  # fmt: skip


def _member(folder: Path, file: File) -> Member:
    """The file as it was fetched, under the name that the student gave it.

    Raises:
        IntakeError: if it is not there, or not as it was.
    """
    if file.size > COURSE.file_bytes:
        return Member(file.name, problem="it is too large")
    path, top = PurePosixPath(file.path), folder.resolve()
    plain = not path.is_absolute() and ".." not in path.parts
    if not plain or (top / path).resolve() != top / path:
        raise _lost(folder, file, "leads elsewhere")
    member = read(top / path, file.name, os.O_NOFOLLOW)
    if member.problem:
        raise _lost(folder, file, "is not there")
    if len(member.data) != file.size:
        raise _lost(folder, file, f"has {len(member.data)} bytes, not {file.size}")
    return member


def _lost(folder: Path, file: File, what: str) -> IntakeError:
    return IntakeError(
        f"{folder}: {one_line(file.path)}, which was fetched from Canvas, {what}; run `autograder "
        "canvas pull` again."
    )


def _reason(one: Attempt, wanted: Sequence[Attempt], rules: Rules) -> str:
    if not rules.deadline_of(one.user).takes(one.submitted):
        return "it was handed in after work closed"
    return f"attempt {wanted[-1].number}, which is later, was taken"


def _group(attempt: Attempt) -> str:
    return f"{attempt.user}/{attempt.number}"


def _source(folder: Path, attempt: Attempt) -> str:
    return one_line(f"{folder}/{_group(attempt)}")

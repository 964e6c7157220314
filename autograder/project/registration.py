"""Taking pre-registrations from hand-ins into the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from autograder.ledger import REGISTERED, Ledger, fingerprint
from autograder.model import Submission
from autograder.teams import Team

__all__ = ["Registered", "party", "register"]

FILE = "prereg.json"
LARGEST = 64 * 1024
"""Bytes of a registration that are still read."""


class Registered(NamedTuple):
    """What became of one hand-in."""

    team: Team
    known: bool
    """Whether the ledger now holds the registration that was handed in."""
    says: str
    """One sentence."""


def party(submission: Submission) -> Team:
    """The team of a submission, or the student alone."""
    return Team(name=submission.team, members=submission.members or [submission.student])


def register(
    submissions: list[Submission],
    ledger: Ledger,
    at: datetime,
    schema: dict[str, Any],
    replace: bool = False,
) -> Iterator[Registered]:
    """Add the registration of each hand-in to the ledger, unless the team has one.

    Args:
        submissions: Of the first milestone.
        ledger: Where they are kept.
        at: When they were handed in.
        schema: JSON Schema that a registration must follow.
        replace: Whether a registration that differs from the one kept takes its place.

    Raises:
        LedgerError: if the ledger cannot be written.
    """
    for submission in submissions:
        team = party(submission)
        content, problem = _read(submission.files.get(FILE), schema)
        if content is None:
            yield Registered(team, False, f"not registered: {problem}")
            continue
        kept, found = ledger.last(REGISTERED, team), fingerprint(content)
        if kept is not None and kept.sha256 == found:
            yield Registered(team, True, f"as registered {kept.at}: {found[:12]}")
        elif kept is not None and not replace:
            said = (
                f"{kept.sha256[:12]} was registered {kept.at} and stands; handed in: {found[:12]}"
            )
            yield Registered(team, False, said)
        else:
            entry = ledger.add(REGISTERED, team, at, sha256=found, prereg=content)
            yield Registered(team, True, f"registered {entry.at}: {found[:12]}")


def _read(data: bytes | None, schema: dict[str, Any]) -> tuple[dict[str, Any] | None, str]:
    import jsonschema

    if data is None:
        return None, f"there is no {FILE} in the hand-in"
    if len(data) > LARGEST:
        return None, f"{FILE} has more than {LARGEST >> 10} kB"
    try:
        content = json.loads(data.decode("utf-8-sig"))
        found = next(jsonschema.Draft202012Validator(schema).iter_errors(content), None)
    except (ValueError, RecursionError):
        return None, f"{FILE} is no JSON"
    if found is not None:
        return None, f"{FILE} is against its schema at {found.json_path}: {found.message[:120]}"
    return content, ""

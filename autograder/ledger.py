"""The ledger of a project: what was registered, and to whom models were sent, with times.

A file of JSON lines that is only ever added to. Each line names the SHA-256 of the line before it,
so that a line that was changed or taken out later is noticed. Staff keep it, best in a repository
of their own; graders' room T is shown it, students' rooms never.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from autograder.errors import AutograderError
from autograder.teams import Team

__all__ = ["Entry", "Ledger", "LedgerError", "fingerprint", "lines_of"]

REGISTERED, EXCHANGED = "registered", "exchanged"


class LedgerError(AutograderError):
    """A ledger cannot be read or written, or was changed."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line."""

    event: str
    """``registered`` or ``exchanged``."""
    team: str
    """The team's name; empty for somebody who works alone."""
    key: str
    """The team's key when it was written: Canvas user id of its first member."""
    members: list[str]
    """Canvas user ids."""
    at: str
    """When it was handed in or sent, ISO 8601 with a time zone."""
    before: str
    """SHA-256 of the line before; empty on the first."""
    sha256: str = ""
    """Of what was registered, in canonical JSON, or of the package that was sent."""
    prereg: dict[str, Any] = {}
    topic: str = ""
    """Of the package that was sent."""
    models: dict[str, str] = {}
    """Whose each model of the package is: a team's key, ``guilty`` or ``innocent``."""


class Ledger:
    """The ledger at ``path``, which need not exist yet.

    Raises:
        LedgerError: if it cannot be read, or a line is not what was written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.data = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise LedgerError(f"{path} cannot be read ({error.strerror}).") from None
        self.entries = self._read()

    def last(self, event: str, team: Team) -> Entry | None:
        """The last entry of this kind for any member of ``team``."""
        own = {member.id for member in team.members}
        found = [one for one in self.entries if one.event == event and own & set(one.members)]
        return found[-1] if found else None

    def add(self, event: str, team: Team, at: datetime, **content: Any) -> Entry:
        """Append an entry.

        Raises:
            LedgerError: if it cannot be written.
        """
        entry = Entry(
            event=event,
            team=team.name,
            key=team.key,
            members=[member.id for member in team.members],
            at=at.astimezone(UTC).isoformat(timespec="seconds"),
            before=_digest(self.data.splitlines()[-1]) if self.data else "",
            **content,
        )
        line = msgspec.json.encode(entry) + b"\n"
        try:
            with self.path.open("ab") as file:
                file.write(line)
        except OSError as error:
            raise LedgerError(f"{self.path} cannot be written ({error.strerror}).") from None
        self.data += line
        self.entries.append(entry)
        return entry

    def _read(self) -> list[Entry]:
        entries, before = [], ""
        for number, line in enumerate(self.data.splitlines(), 1):
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except msgspec.DecodeError as error:
                raise LedgerError(f"{self.path}, line {number}, is damaged: {error}.") from None
            if entry.before != before:
                raise LedgerError(
                    f"{self.path}: the line before line {number} is not the one that was written; "
                    "put back the ledger as it was."
                )
            entries.append(entry)
            before = _digest(line)
        return entries


def fingerprint(content: Mapping[str, Any]) -> str:
    """SHA-256 of ``content`` as JSON of one spelling, as ``projectkit.fingerprint`` of students."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return _digest(text.encode())


def lines_of(ledger: bytes, student: str) -> bytes:
    """The lines of a ledger that are about ``student``: all of it that a grade depends on."""
    return b"\n".join(
        line
        for line in ledger.splitlines()
        if student in msgspec.json.decode(line, type=Entry).members
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

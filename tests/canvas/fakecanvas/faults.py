"""Ways to fail, on purpose and in order: *on the Nth match of METHOD path do X*."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class Fault:
    """One failure of an answer.

    ``kind`` is ``respond`` (this status and body in place of the answer), ``after`` (the same, but
    what was asked was done), ``drop`` and ``drop_after`` (the connection ends without an answer),
    ``truncate`` (half of the body, then the end), ``drip`` (a byte at a time), ``edit`` (headers
    are added to the true answer) or ``empty_page`` (an empty list that has a next page).
    """

    method: str
    path: str
    """A regular expression that must be found in path and query."""
    kind: str = "respond"
    nth: int = 1
    """From which match on, the first being 1."""
    times: int = 1
    """For how many matches; without end if 0."""
    status: int = 500
    body: str = ""
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """Between two bytes, for ``drip``."""
    matches: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request meets it."""
        if method != self.method or not re.search(self.path, path):
            return False
        self.matches += 1
        return self.matches >= self.nth and (
            self.times == 0 or self.matches < self.nth + self.times
        )


@dataclass
class JobFault:
    """One failure of a job that updates grades."""

    dies_after: int | None = None
    """After how many students it dies."""
    stuck: bool = False
    canceled: bool = False
    gone: bool = False
    """Whether asking for its progress finds nothing."""


@dataclass
class FaultPlan:
    """What is to go wrong."""

    answers: list[Fault] = field(default_factory=list)
    jobs: list[JobFault | None] = field(default_factory=list)
    """One for each job to come; None for a job that goes well."""

    def add(self, method: str, path: str, **more: object) -> Fault:
        """Plan a failure of an answer."""
        fault = Fault(method, path, **more)  # type: ignore[arg-type]
        self.answers.append(fault)
        return fault

    def strike(self, method: str, path: str) -> Fault | None:
        """The failure that a request meets; all that match are counted."""
        struck = [fault for fault in self.answers if fault.strikes(method, path)]
        return struck[0] if struck else None

    def job(self) -> JobFault | None:
        """The failure of the next job."""
        return self.jobs.pop(0) if self.jobs else None


RATE_LIMIT = "403 Forbidden (Rate Limit Exceeded)\n"
"""What Canvas answers in plain text to whoever asks too much, with status 403 or 429."""


def throttled(method: str, path: str, status: int = 403, **more: object) -> Fault:
    """Canvas' answer to too many requests."""
    return Fault(
        method, path, status=status, body=RATE_LIMIT, content_type="text/plain; charset=utf-8",
        headers={"X-Rate-Limit-Remaining": "0.0"}, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def bad_gateway(method: str, path: str, status: int = 502, **more: object) -> Fault:
    """A proxy's page in place of an answer; what was asked was done (``kind="after"``)."""
    body = f"<html><body><h1>{status} Bad Gateway</h1></body></html>"
    more.setdefault("kind", "after")
    return Fault(method, path, status=status, body=body, content_type="text/html", **more)  # type: ignore[arg-type]

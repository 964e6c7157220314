"""What Canvas' answers say, and what of an address may be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from autograder.errors import CanvasError

__all__ = ["Unreadable", "data", "errors", "is_throttled", "place", "query", "said"]


class Unreadable(CanvasError):
    """An answer that is not what it says to be; another try may get a whole one."""


def place(address: str) -> str:
    """An address as messages and logs may show it: without host, query and page marks."""
    return urlsplit(address).path.removeprefix("/api/v1/")


def query(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Query parameters as Canvas reads them: a list becomes ``name[]`` several times."""
    pairs = []
    for name, value in params.items():
        if isinstance(value, list | tuple):
            pairs += [(f"{name}[]", str(one)) for one in value]
        else:
            pairs.append((name, str(value)))
    return pairs


def is_throttled(answer: httpx.Response) -> bool:
    """Whether Canvas was asked too much: 429, or 403 with a text or an allowance that says so."""
    left = answer.headers.get("x-rate-limit-remaining", "")
    spent = "rate limit exceeded" in answer.text.lower() or left in ("0", "0.0")
    return answer.status_code == 429 or (answer.status_code == 403 and spent)


def data(answer: httpx.Response, what: str) -> Any:
    """The answer's JSON.

    Raises:
        Unreadable: if it is none.
    """
    try:
        return answer.json()
    except ValueError:
        raise Unreadable(
            f"Canvas answered {what} with a page and no data; check the address of Canvas.",
            answer.status_code,
        ) from None


def errors(answer: httpx.Response) -> str:
    """What went wrong, in Canvas' own words; empty if it does not say."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    return said(body.get("errors") or body.get("error") or body.get("message") or "")


def said(errors: Any) -> str:
    """The texts in whatever Canvas calls errors."""
    if isinstance(errors, list):
        return "; ".join(filter(None, map(said, errors)))
    if isinstance(errors, dict):
        return said(errors.get("message") or list(errors.values()))
    return str(errors).strip().rstrip(".")[:300]

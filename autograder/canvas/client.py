"""Canvas' REST API over HTTP: who asks, how patiently, and what is never asked twice.

What only reads is asked again after any failure that may pass. What writes is asked again only
where Canvas is certain not to have done it: it was never sent, or was refused for asking too much.
Everything else that fails while writing is :class:`~autograder.errors.OutcomeUnknown`, for the
caller to read back.

The token goes to Canvas' own origin only, and into no message, no log and no representation.
Sources: Canvas' ``doc/api/pagination.md`` and ``throttling.md``; that both 403 and 429 may mean
too many requests, and that Canvas wants a ``User-Agent``, are announcements of its maker.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from autograder.canvas import answers
from autograder.errors import CanvasError, OutcomeUnknown

PER_PAGE = 100
"""Things on a page; Canvas gives no more (``lib/api.rb``)."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before asking again; what Canvas drains in them is enough for hundreds of requests."""
TRIES = len(PAUSES) + 1
"""How often something is asked before giving up."""
LOW = 100.0
"""Allowance left below which each request waits a second first."""
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_PASSING = {500, 502, 503, 504}

Answer = TypeVar("Answer")
log = logging.getLogger("autograder.canvas")


class Client:
    """One Canvas, asked with one token. Not for use by several threads.

    Args:
        address: Canvas' address, such as ``https://canvas.example.edu``.
        token: An access token.
        sleep: Waits so many seconds.
        timeout: For connecting, and for each part of an answer, seconds.
    """

    def __init__(
        self, address: str, token: str, *, sleep: Callable[[float], None] = time.sleep,
        timeout: httpx.Timeout | float = _TIMEOUT,
    ) -> None:  # fmt: skip
        self.origin = _origin(address)
        self._token, self.sleep = token, sleep
        self._remaining = float("inf")
        version = importlib.metadata.version("healthcare-autograder")
        self._http = httpx.Client(
            headers={"User-Agent": f"healthcare-autograder/{version}"}, timeout=timeout,
            follow_redirects=False,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"Client({self.origin!r})"

    def get(self, path: str, **params: Any) -> Any:
        """Ask for one thing.

        Args:
            path: Below ``/api/v1``, or a whole address of this Canvas.
            **params: Query parameters; a list becomes ``name[]`` several times.

        Raises:
            CanvasError: if it is refused, or fails for good.
        """
        return self._read(self._address(path), params)[0]

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Go through a list, page by page, each thing once.

        Things have an ``id``; one that moves to a later page while pages are read is not given
        twice.

        Raises:
            CanvasError: as ``get``, or if the pages lead elsewhere or round in a circle.
        """
        address, seen, visited = self._address(path), set[Any](), set[str]()
        asked: Mapping[str, Any] = params | {"per_page": PER_PAGE}
        while address:
            visited.add(address)
            things, answer = self._read(address, asked)
            if not isinstance(things, list):
                raise CanvasError(f"Canvas answered {path} with what is no list; try again later.")
            for thing in things:
                if thing["id"] not in seen:
                    seen.add(thing["id"])
                    yield thing
            address, asked = answer.links.get("next", {}).get("url", ""), {}
            if address and (address in visited or _origin(address) != self.origin):
                raise CanvasError(
                    f"Canvas led from a page of {path} to {answers.place(address)}, which is "
                    f"{'a page before' if address in visited else 'not ' + self.origin}; try again "
                    "later."
                )

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send something that writes, as JSON.

        Raises:
            CanvasError: if it is refused; nothing was written.
            OutcomeUnknown: if it may or may not have been done.
        """
        return self._write("POST", path, body)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """The same for changes."""
        return self._write("PUT", path, body)

    def delete(self, path: str) -> Any:
        """The same for what is to go."""
        return self._write("DELETE", path, {})

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run a GraphQL mutation and return its data.

        Raises:
            CanvasError: if Canvas names an error.
            OutcomeUnknown: if it may or may not have been done.
        """
        address = f"{self.origin}/api/graphql"
        answer = self._write("POST", address, {"query": query, "variables": variables})
        data = answer.get("data") or {}
        errors = answer.get("errors") or [
            error for part in data.values() for error in (part or {}).get("errors") or []
        ]
        if errors:
            raise CanvasError(f"Canvas did not do what was asked: {answers.said(errors)}.")
        return dict(data)

    def upload(self, started: Mapping[str, Any], name: str, content: bytes, kind: str) -> Any:
        """Send a file to where Canvas said, and return what Canvas makes of it.

        Args:
            started: Canvas' answer to the announcement of the file.
            name: The file's name.
            content: Its bytes.
            kind: Its media type.

        Raises:
            CanvasError: if it does not arrive.
        """
        what, address = f"the file {name}", str(started["upload_url"])
        sent = {"file": (name, content, kind)}

        def attempt() -> Any:
            answer = self._http.post(address, data=dict(started["upload_params"]), files=sent)
            if answer.status_code in _PASSING:
                return None
            target = answer.headers.get("location", "")
            if answer.status_code == 201 and not target:
                with suppress(ValueError, KeyError, TypeError):
                    target = str(answer.json()["location"])
            if target:
                return self._read(self._address(target), {})[0]
            raise CanvasError(
                f"Canvas did not take {what} (status {answer.status_code}); run the same command "
                "again.", answer.status_code,
            )  # fmt: skip

        return self._patiently(what, attempt)

    def download(self, address: str, target: Path, size: int) -> None:
        """Fetch a file to ``target``, going on with what an earlier try has left.

        What has arrived so far is kept beside it as ``NAME.part``.

        Args:
            address: As Canvas gives it.
            target: Where to put it.
            size: How many bytes Canvas says it has.

        Raises:
            CanvasError: if it is gone, or what arrives is not of that size.
        """
        part = target.with_name(f"{target.name}.part")
        what = f"the file {target.name}"
        self._patiently(what, lambda: self._fetch(address, part, size, what))
        part.replace(target)

    def _fetch(self, address: str, part: Path, size: int, what: str) -> int:
        there, kind = part.stat().st_size if part.is_file() else 0, ""
        there = there if there < size else 0
        for _ in range(5):
            headers = self._credentials(address) | {"Accept-Encoding": "identity"}
            headers |= {"Range": f"bytes={there}-"} if there else {}
            with self._http.stream("GET", address, headers=headers) as answer:
                if answer.is_redirect:
                    address = str(answer.next_request.url) if answer.next_request else ""
                    continue
                if answer.status_code not in (200, 206):
                    answer.read()
                    if answer.status_code not in _PASSING and not answers.is_throttled(answer):
                        self._refuse(answer, what)
                    raise answers.Unreadable(
                        f"Canvas failed to give {what} (status {answer.status_code})",
                        answer.status_code,
                    )
                kind = answer.headers.get("content-type", "")
                mode = "ab" if answer.status_code == 206 else "wb"
                with open(part, mode, buffering=0, opener=_private) as file:
                    for chunk in answer.iter_raw():
                        file.write(chunk)
                        if file.tell() > size:
                            break
            break
        else:
            raise CanvasError(f"Canvas led from place to place for {what}.", 302)
        found = part.stat().st_size
        if found != size:
            part.unlink()
            page = ", and it is a web page, such as asks for a login" if "text/html" in kind else ""
            raise CanvasError(
                f"Canvas says that {what} has {size} bytes, but {found} arrived{page}; fetch it "
                "again, and see in Canvas whether the file opens.", 200,
            )  # fmt: skip
        return found

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()

    def _address(self, path: str) -> str:
        """A whole address of this Canvas.

        Raises:
            CanvasError: if it is one of somebody else, to whom the token is nobody's business.
        """
        if "://" not in path:
            return f"{self.origin}/api/v1/{path.lstrip('/')}"
        if _origin(path) != self.origin:
            raise CanvasError(f"Canvas led to {answers.place(path)}, which is not {self.origin}.")
        return path

    def _credentials(self, address: str) -> dict[str, str]:
        own = _origin(address) == self.origin
        return {"Authorization": f"Bearer {self._token}"} if own else {}

    def _read(self, address: str, params: Mapping[str, Any]) -> tuple[Any, httpx.Response]:
        what = answers.place(address)

        def attempt() -> tuple[Any, httpx.Response] | None:
            answer = self._send("GET", address, params=answers.query(params) or None)
            if answer.status_code in _PASSING or answers.is_throttled(answer):
                return None
            self._refuse(answer, what)
            return answers.data(answer, what), answer

        return self._patiently(what, attempt)

    def _write(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        address = self._address(path)
        what = answers.place(address)

        def attempt() -> tuple[Any] | None:
            try:
                answer = self._send(method, address, json=dict(body))
                if answers.is_throttled(answer):
                    return None
                if answer.status_code < 500:
                    self._refuse(answer, what)
                    return (answers.data(answer, what),)
                how = f"status {answer.status_code}"
            except _NOT_SENT:
                return None
            except httpx.TransportError as error:
                how = type(error).__name__
            except answers.Unreadable:
                how = "an answer that cannot be read"
            raise OutcomeUnknown(
                f"Canvas may or may not have done what was sent to {what} ({how})."
            )

        return self._patiently(what, attempt)[0]

    def _patiently(self, what: str, attempt: Callable[[], Answer | None]) -> Answer:
        """Try until something comes of it; nothing, or a broken connection, may be better later."""
        problem: CanvasError | None = None
        for pause in (*PAUSES, None):
            try:
                found = attempt()
            except (httpx.TransportError, answers.Unreadable) as error:
                log.info("%s failed: %s", what, type(error).__name__)
                problem = error if isinstance(error, answers.Unreadable) else None
            else:
                if found is not None:
                    return found
            if pause is not None:
                self.sleep(pause)
        raise problem or CanvasError(
            f"Canvas at {self.origin} did not answer {what} in {TRIES} tries; see whether it can "
            "be reached in a browser, then run the same command again."
        )

    def _send(self, method: str, address: str, **more: Any) -> httpx.Response:
        if self._remaining < LOW:
            self.sleep(1.0)
        started = time.monotonic()
        answer = self._http.request(method, address, headers=self._credentials(address), **more)
        seconds = time.monotonic() - started
        log.info("%s %s %s %.2f s", method, answers.place(address), answer.status_code, seconds)
        left = answer.headers.get("x-rate-limit-remaining", "")
        self._remaining = float(left) if left.replace(".", "", 1).isdigit() else float("inf")
        return answer

    def _refuse(self, answer: httpx.Response, what: str) -> None:
        """Say what an answer refuses, if it does.

        Raises:
            CanvasError: then.
        """
        status = answer.status_code
        if status < 400 and not answer.is_redirect:
            return
        said = answers.errors(answer)
        if status == 401 and "www-authenticate" in answer.headers:
            problem = f"Canvas does not accept the access token ({said}); make a new one in Canvas."
        elif status in (401, 403):
            problem = f"Canvas does not allow this token {what} ({said})."
        elif status == 404:
            problem = f"Canvas knows no {what}; check the numbers of course and assignment."
        elif answer.is_redirect:
            problem = (
                f"Canvas sent {what} elsewhere, as it does to log people in; check {self.origin}."
            )
        else:
            problem = f"Canvas refused {what} ({said or f'status {status}'})."
        raise CanvasError(problem, status)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _origin(address: str) -> str:
    parts = urlsplit(address if "://" in address else f"https://{address}")
    return f"{parts.scheme}://{parts.netloc}".lower()

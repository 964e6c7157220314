"""Canvas on the loopback: the API over HTTP, with its errors, its throttle and planned faults."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from fakecanvas.api import ROUTES, WITHOUT_TOKEN, Api
from fakecanvas.call import Call, Refused, json_answer, mark_of
from fakecanvas.canvas import Canvas
from fakecanvas.faults import RATE_LIMIT, Fault
from fakecanvas.grading import GradeError
from fakecanvas.throttle import Bucket

NO_SUCH = {"errors": [{"message": "The specified resource does not exist."}]}
TOKEN_SAYS = {
    "": "Invalid access token.", "expired": "Expired access token.",
    "revoked": "Revoked access token.",
}  # fmt: skip


class Site:
    """The WSGI application."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.api = Api(canvas, "", "")
        rules = [Rule(path, methods=[method], endpoint=name) for method, path, name in ROUTES]
        self.map = Map(rules)
        self.buckets: dict[str, Bucket] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        path = request.full_path.rstrip("?")
        with self.canvas.lock:
            fault = self.canvas.faults.strike(request.method, path)
            if fault is not None and fault.kind == "drop":
                _hang_up(environ)
                return []
            if fault is not None and fault.kind == "respond":
                response = _scripted(fault)
            else:
                response = self._answer(request, environ)
                request.close()
                self.canvas.advance()
            if fault is not None and fault.kind == "drop_after":
                _hang_up(environ)
                return []
            response = _faulted(fault, response, self.api.origin)
            self.canvas.log.append((request.method, path, response.status_code))
        if fault is not None and fault.kind == "truncate":
            return _cut(environ, response, start)
        if fault is not None and fault.kind == "drip":
            data = response.get_data()
            response.response = _dripping(data, fault.seconds)
        return response(environ, start)

    def _answer(self, request: Request, environ: dict[str, Any]) -> Response:
        bucket = None
        try:
            name, values = self.map.bind_to_environ(environ).match()
            if not request.headers.get("User-Agent"):
                raise Refused(403, "A User-Agent header is required.")
            me = 0 if name in WITHOUT_TOKEN else self._authenticate(request)
            bucket = self._bucket(request)
            found = self.api.answer(name, Call(self.api, request, me, values))
            response = found if isinstance(found, Response) else json_answer(request, found)
        except NotFound:
            response = json_answer(request, NO_SUCH, 404)
        except HTTPException as error:
            response = json_answer(
                request, {"errors": [{"message": error.description}]}, error.code or 500
            )
        except GradeError as error:
            text = f"Cannot grade this submission at this time: {error}"
            response = json_answer(request, {"error": text}, 400)
        except Refused as error:
            response = json_answer(request, error.body, error.status, error.headers)
        if bucket is not None:
            response.headers["x-request-cost"] = "0.1"
            response.headers["x-rate-limit-remaining"] = f"{bucket.remaining:.1f}"
        return response

    def _authenticate(self, request: Request) -> int:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        known = self.canvas.tokens.get(token)
        state = known.state if known else ""
        if known is not None and known.last_uses is not None:
            known.last_uses -= 1
            state = "expired" if known.last_uses < 0 else state
        if state == "unscoped":
            raise Refused(401, {"errors": [{"message": "Insufficient scopes on access token."}]})
        if known is None or state != "valid":
            says = {"errors": [{"message": TOKEN_SAYS.get(state, TOKEN_SAYS[""])}]}
            raise Refused(401, says, {"WWW-Authenticate": 'Bearer realm="canvas-lms"'})
        return known.user_id

    def _bucket(self, request: Request) -> Bucket:
        token = request.headers.get("Authorization", "")
        bucket = self.buckets.setdefault(token, Bucket(cost=self.canvas.request_cost))
        if not bucket.take(self.canvas.now.timestamp()):
            raise Refused(403, RATE_LIMIT, {"x-rate-limit-remaining": "0.0"})
        return bucket


def _scripted(fault: Fault) -> Response:
    return Response(fault.body, fault.status, fault.headers, content_type=fault.content_type)


def _faulted(fault: Fault | None, response: Response, origin: str) -> Response:
    if fault is None:
        return response
    if fault.kind == "after":
        return _scripted(fault)
    if fault.kind == "empty_page":
        response.set_data(b"[]")
        path = re.sub(r"\\", "", fault.path)
        response.headers["link"] = f'<{origin}{path}?page={mark_of(0)}>; rel="next"'
    if fault.kind == "edit":
        response.headers.extend(fault.headers)
    return response


def _hang_up(environ: dict[str, Any]) -> None:
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)


def _cut(environ: dict[str, Any], response: Response, start: Callable[..., Any]) -> Iterator[bytes]:
    """Promise the whole, send half, hang up."""
    data = response.get_data()
    headers = [*response.headers.items()]
    start(response.status, headers)

    def halves() -> Iterator[bytes]:
        yield data[: len(data) // 2]
        _hang_up(environ)

    return halves()


def _dripping(data: bytes, seconds: float) -> Iterator[bytes]:
    for byte in data:
        time.sleep(seconds)
        yield bytes([byte])


@contextmanager
def serve(canvas: Canvas) -> Iterator[str]:
    """Serve ``canvas`` on a free port, and its files on another; yields the first's address."""
    site = Site(canvas)
    servers = [make_server("127.0.0.1", 0, site, threaded=True) for _ in range(2)]
    origins = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    site.api = Api(canvas, *origins)
    threads = [
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield origins[0]
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()

"""One request to the API, with what its path names, and answers in pages."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Request, Response

from fakecanvas import grading
from fakecanvas.model import Assignment, Comment, Course, Submission, User
from fakecanvas.params import as_list, merged, nested

if TYPE_CHECKING:
    from fakecanvas.api import Api

MAX_PER_PAGE = 100
NOT_ALLOWED = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorized to perform that action"}],
}


class Refused(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}


class Call:
    """One request, with what its path names."""

    def __init__(self, api: Api, request: Request, me: int, values: dict[str, Any]) -> None:
        self.api, self.request, self.me, self.values = api, request, me, values
        body: Any = {}
        if request.mimetype == "application/json" and request.get_data():
            body = request.get_json()
        flat = [*request.args.items(multi=True), *request.form.items(multi=True)]
        self.params = merged(nested(flat), body if isinstance(body, dict) else {})
        self.include = [str(one) for one in self.list("include")]

    @property
    def course(self) -> Course:
        found = self.api.canvas.courses.get(self.values["course"])
        if found is None:
            raise NotFound
        if not found.enrolled(self.me, students=False):
            raise Refused(403, NOT_ALLOWED)
        return found

    @property
    def assignment(self) -> Assignment:
        found = self.course.assignment(self.values["assignment"])
        if found is None:
            raise NotFound
        return found

    @property
    def user(self) -> User:
        if not self.course.enrolled(self.values["user"]):
            raise NotFound
        return self.api.canvas.users[self.values["user"]]

    @property
    def submission(self) -> Submission:
        return self.api.canvas.submission(self.course, self.assignment, self.user)

    @property
    def gradeable(self) -> bool:
        states = {one.state for one in self.course.enrolled(self.user.id)}
        return states != {"completed"} and grading.assigned(
            self.course, self.assignment, self.user
        )  # fmt: skip

    def instructs(self) -> None:
        kinds = {one.type for one in self.course.enrolled(self.me, students=False)}
        if not kinds & {"TeacherEnrollment", "TaEnrollment"}:
            raise Refused(403, NOT_ALLOWED)

    def own_comment(self) -> Comment:
        self.instructs()
        wanted = self.values["comment"]
        found = next((one for one in self.submission.comments if one.id == wanted), None)
        if found is None:
            raise NotFound
        return found

    def list(self, name: str) -> list[Any]:
        return as_list(self.params.get(name))

    def table(self, name: str) -> dict[str, Any]:
        found = self.params.get(name)
        return found if isinstance(found, dict) else {}

    def submission_view(self, one: Submission, more: list[str] | None = None) -> Any:
        return self.api.views.submission(self.course, one, [*self.include, *(more or [])])

    def paged(self, things: list[Any], view: Callable[[Any], Any]) -> Response:
        """One page, and the address of the next, which nobody should try to guess."""
        size = min(max(1, int(self.params.get("per_page", 10))), MAX_PER_PAGE)
        mark = str(self.params.get("page", ""))
        start = _unmark(mark) if mark.startswith("bookmark:") else size * (int(mark or 1) - 1)
        response = json_answer(self.request, [view(one) for one in things[start : start + size]])
        if start + size < len(things):
            kept = [(k, v) for k, v in self.request.args.items(multi=True) if k != "page"]
            query = urlencode([*kept, ("page", mark_of(start + size))])
            address = f"{self.api.origin}{self.request.path}"
            links = [f'<{address}?{query}>; rel="next"', f'<{address}>; rel="first"']
            response.headers["link"] = ",".join(links)
        return response


def mark_of(start: int) -> str:
    return "bookmark:" + base64.urlsafe_b64encode(json.dumps([start]).encode()).decode()


def _unmark(mark: str) -> int:
    return int(json.loads(base64.urlsafe_b64decode(mark.removeprefix("bookmark:")))[0])


def json_answer(
    request: Request, body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    if isinstance(body, str):
        return Response(body, status, headers, content_type="text/plain; charset=utf-8")
    if "application/json+canvas-string-ids" in request.headers.get("Accept", ""):
        body = _string_ids(body)
    return Response(
        json.dumps(body), status, headers, content_type="application/json; charset=utf-8"
    )


def _string_ids(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _string_ids(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_string_ids(one, key) for one in value]
    is_id = re.search(r"(^|_)ids?$", key) and isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_id else value

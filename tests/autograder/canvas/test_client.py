"""The client asks again where it may, never where it must not, and trusts no address."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from fakecanvas import Canvas
from fakecanvas.faults import bad_gateway, throttled
from fakecanvas.model import Course
from fakecanvas.scenario import TOKEN

from autograder.canvas.client import TRIES, Client
from autograder.errors import CanvasError, OutcomeUnknown

COURSE = "courses/1"
ONE = "courses/1/assignments/11/submissions/101"
GRADE = {"submission": {"posted_grade": 8}}


def many(canvas: Canvas, course: Course, count: int) -> None:
    for id_ in range(200, 200 + count):
        canvas.enroll(course, canvas.add_user(id_, f"Student, {id_}"))


def asked(canvas: Canvas, method: str) -> int:
    return sum(1 for one in canvas.log if one[0] == method)


def test_all_pages_are_read_each_thing_once(client: Client, canvas: Canvas, course: Course) -> None:
    many(canvas, course, 230)
    users = list(client.pages("courses/1/users", enrollment_type=["student"]))
    assert len(users) == len({user["id"] for user in users}) == 233
    assert asked(canvas, "GET") == 3


def test_a_thing_that_moves_between_pages_comes_once(
    client: Client, canvas: Canvas, course: Course
) -> None:
    many(canvas, course, 150)
    pages = client.pages("courses/1/users", enrollment_type=["student"])
    first = [next(pages)["id"] for _ in range(100)]
    canvas.enroll(course, canvas.add_user(999, "Aaa, First"))
    rest = [user["id"] for user in pages]
    assert len(set(first + rest)) == len(first + rest)


def test_an_empty_page_is_not_the_end(client: Client, canvas: Canvas) -> None:
    canvas.faults.add("GET", "/api/v1/courses/1/sections", kind="empty_page")
    assert [one["name"] for one in client.pages("courses/1/sections")] == ["Section 1"]


@pytest.mark.parametrize(
    ("link", "says"),
    [("https://elsewhere.example/api/v1/courses/1/sections", "not http://127.0.0.1"),
     ("{}/api/v1/courses/1/sections", "a page before")],
)  # fmt: skip
def test_pages_that_lead_elsewhere_or_round_are_not_followed(
    client: Client, canvas: Canvas, link: str, says: str
) -> None:
    header = {"Link": f'<{link.format(client.origin)}>; rel="next"'}
    canvas.faults.add("GET", "/sections", kind="edit", times=0, headers=header)
    with pytest.raises(CanvasError, match=says):
        list(client.pages("courses/1/sections"))


PASSING: dict[str, Any] = {
    "throttled by 403": throttled("GET", "courses/1$"),
    "throttled by 429": throttled("GET", "courses/1$", 429),
    "a server's error": bad_gateway("GET", "courses/1$", 500),
    "a proxy's page": bad_gateway("GET", "courses/1$", 502, kind="respond"),
    "a time-out of a proxy": bad_gateway("GET", "courses/1$", 504),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_reads_is_asked_again(client: Client, canvas: Canvas, name: str) -> None:
    canvas.faults.answers.append(PASSING[name])
    assert client.get(COURSE)["id"] == 1 and asked(canvas, "GET") == 2


@pytest.mark.parametrize("kind", ["drop", "truncate"])
def test_broken_connections_are_made_again(client: Client, canvas: Canvas, kind: str) -> None:
    canvas.faults.add("GET", "courses/1$", kind=kind, times=2)
    assert client.get(COURSE)["id"] == 1


def test_a_page_in_place_of_data_is_asked_for_again_and_then_named(
    client: Client, canvas: Canvas
) -> None:
    page = {"status": 200, "body": "<html>log in</html>", "content_type": "text/html"}
    canvas.faults.add("GET", "courses/1$", times=0, **page)
    with pytest.raises(CanvasError, match="a page and no data; check the address"):
        client.get(COURSE)


def test_it_gives_up_in_the_end_and_says_what_to_do(client: Client, canvas: Canvas) -> None:
    canvas.faults.answers.append(bad_gateway("GET", "courses/1$", times=0))
    with pytest.raises(CanvasError, match=f"in {TRIES} tries; see whether"):
        client.get(COURSE)
    assert asked(canvas, "GET") == TRIES


@pytest.mark.parametrize(
    ("state", "says"),
    [("revoked", r"does not accept the access token \(Revoked"), ("unscoped", "does not allow")],
)
def test_tokens_that_do_not_open_are_named_at_once(
    client: Client, canvas: Canvas, state: str, says: str
) -> None:
    canvas.tokens[TOKEN].state = state
    with pytest.raises(CanvasError, match=says) as raised:
        client.get(COURSE)
    assert raised.value.status == 401 and asked(canvas, "GET") == 1


def test_refusals_are_final_and_in_canvas_own_words(client: Client, canvas: Canvas) -> None:
    canvas.add_course(2)
    for path, says in (("courses/2/users", "not authorized"), ("courses/9", "knows no courses/9")):
        with pytest.raises(CanvasError, match=says):
            client.get(path)
    assert asked(canvas, "GET") == 2


def test_a_write_that_was_throttled_is_sent_again(
    client: Client, canvas: Canvas, course: Course
) -> None:
    canvas.faults.answers.append(throttled("PUT", ONE, times=2))
    assert client.put(ONE, GRADE)["score"] == 8
    assert course.submissions[11, 101].writes == 1


@pytest.mark.parametrize("kind", ["after", "drop", "drop_after", "truncate"])
def test_a_write_of_which_nobody_knows_is_not_sent_again(
    client: Client, canvas: Canvas, kind: str
) -> None:
    canvas.faults.add("PUT", ONE, kind=kind, status=502, body="<html>")
    with pytest.raises(OutcomeUnknown, match="may or may not have done"):
        client.put(ONE, GRADE)
    assert asked(canvas, "PUT") <= 1


def test_a_refused_write_is_certain_not_to_be_done(client: Client, course: Course) -> None:
    course.assignments[0].moderated_grading = True
    with pytest.raises(CanvasError, match="Cannot grade this submission at this time") as raised:
        client.put(ONE, GRADE)
    assert not isinstance(raised.value, OutcomeUnknown)


def test_mutations_give_their_data_or_raise_their_errors(client: Client, course: Course) -> None:
    query = ("mutation($id: ID!) { setAssignmentPostPolicy(input: {assignmentId: $id, "
             "postManually: true}) { postPolicy { postManually } errors { message } } }"
             )  # fmt: skip
    assert client.graphql(query, id="11")["setAssignmentPostPolicy"]["postPolicy"]["postManually"]
    with pytest.raises(CanvasError, match="not found"):
        client.graphql(query, id="99")


def test_a_little_allowance_left_makes_it_slow_down(client: Client, canvas: Canvas) -> None:
    canvas.request_cost = 120.0
    before = canvas.now
    assert [client.get(COURSE)["id"] for _ in range(12)] == [1] * 12
    assert (canvas.now - before).total_seconds() > 5


def test_files_are_fetched_from_where_they_lie_without_the_token(
    client: Client, canvas: Canvas, course: Course, tmp_path: Path
) -> None:
    one = canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"x" * 999})
    file = client.get(ONE)["attachments"][0]
    client.download(
        file["url"], tmp_path / "hw.ipynb", file["size"]
    )  # the fake refuses tokens there
    assert (tmp_path / "hw.ipynb").read_bytes() == one.attempts[0].attachments[0].content
    assert [path.name for path in tmp_path.iterdir()] == ["hw.ipynb"]


@pytest.mark.parametrize("kind", ["truncate", "drop"])
def test_a_broken_download_goes_on(
    client: Client, canvas: Canvas, course: Course, tmp_path: Path, kind: str
) -> None:
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"abcdefgh"})
    canvas.faults.add("GET", "/storage/", kind=kind)
    file = client.get(ONE)["attachments"][0]
    client.download(file["url"], tmp_path / "hw.ipynb", 8)
    assert (tmp_path / "hw.ipynb").read_bytes() == b"abcdefgh"
    assert ((tmp_path / "hw.ipynb").stat().st_mode & 0o777) == 0o600
    assert (206 in {status for _, _, status in canvas.log}) == (kind == "truncate")


@pytest.mark.parametrize("status", [403, 429])
def test_a_download_that_is_throttled_is_asked_for_again(
    client: Client, canvas: Canvas, course: Course, tmp_path: Path, status: int
) -> None:
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"abc"})
    canvas.faults.answers.append(throttled("GET", "/files/", status))
    client.download(client.get(ONE)["attachments"][0]["url"], tmp_path / "hw.ipynb", 3)
    assert (tmp_path / "hw.ipynb").read_bytes() == b"abc"


def test_a_download_that_goes_round_in_circles_ends(
    client: Client, canvas: Canvas, course: Course, tmp_path: Path
) -> None:
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"abc"})
    url = client.get(ONE)["attachments"][0]["url"]
    canvas.faults.add("GET", "/files/", times=0, status=302, headers={"Location": url})
    with pytest.raises(CanvasError, match="from place to place"):
        client.download(url, tmp_path / "hw.ipynb", 3)


def test_what_is_not_of_the_right_size_is_not_kept(
    client: Client, canvas: Canvas, course: Course, tmp_path: Path
) -> None:
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"abc"})
    page = {"status": 200, "body": "<html>Log in</html>", "content_type": "text/html"}
    canvas.faults.add("GET", "/storage/", **page)
    with pytest.raises(CanvasError, match="has 3 bytes, but 19 arrived, and it is a web page"):
        client.download(client.get(ONE)["attachments"][0]["url"], tmp_path / "hw.ipynb", 3)
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_file_is_named(
    client: Client, canvas: Canvas, course: Course, tmp_path: Path
) -> None:
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"abc"})
    url = client.get(ONE)["attachments"][0]["url"]
    course.submissions[11, 101].attempts[0].attachments[0].deleted = True
    with pytest.raises(CanvasError, match=r"knows no the file hw\.ipynb|hw\.ipynb"):
        client.download(url, tmp_path / "hw.ipynb", 3)


def test_a_file_is_sent_in_three_steps(client: Client, canvas: Canvas) -> None:
    canvas.faults.answers.append(bad_gateway("POST", "/upload/", kind="respond"))
    started = client.post(f"{ONE}/comments/files", {"name": "feedback.html"})
    made = client.upload(started, "feedback.html", b"<p>", "text/html")
    assert canvas.files[made["id"]].content == b"<p>"


def test_the_token_is_in_no_message_log_or_representation(
    client: Client, canvas: Canvas, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    canvas.faults.answers.append(bad_gateway("GET", "courses/1$", times=0))
    with pytest.raises(CanvasError) as raised:
        client.get(COURSE)
    shown = caplog.text + str(raised.value) + repr(client) + str(raised.value.__cause__)
    assert TOKEN not in shown and "courses/1 502" in caplog.text
    with pytest.raises(CanvasError, match="which is not"):
        client.get("https://elsewhere.example/api/v1/courses/1")

"""The API: paging, errors, grades in bulk, files, and everything that goes wrong on purpose."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fakecanvas import Canvas
from fakecanvas.faults import JobFault, bad_gateway, throttled
from fakecanvas.model import Course, Criterion, Group

ONE = "/api/v1/courses/1/assignments/11/submissions/101"
BULK = "/api/v1/courses/1/assignments/11/submissions/update_grades"


@pytest.fixture
def http(url: str):
    headers = {"Authorization": "Bearer teacher-token", "User-Agent": "tests"}
    with httpx.Client(base_url=url, headers=headers, timeout=5) as client:
        yield client


def many(canvas: Canvas, course: Course, count: int = 25) -> None:
    for id_ in range(200, 200 + count):
        canvas.enroll(course, canvas.add_user(id_, f"Student, {id_}"))


def all_pages(http: httpx.Client, path: str) -> list[Any]:
    found: list[Any] = []
    while path:
        answer = http.get(path)
        found += answer.json()
        path = answer.links.get("next", {}).get("url", "")
    return found


def test_lists_come_ten_at_a_time_with_an_opaque_next_and_no_last(
    http: httpx.Client, canvas: Canvas, course: Course
) -> None:
    many(canvas, course)
    answer = http.get("/api/v1/courses/1/users?enrollment_type[]=student")
    assert len(answer.json()) == 10 and "bookmark" in answer.links["next"]["url"]
    assert "last" not in answer.links
    assert len(http.get("/api/v1/courses/1/users?per_page=1000").json()) == 29
    everybody = all_pages(http, "/api/v1/courses/1/users?enrollment_type[]=student&per_page=7")
    assert len({user["id"] for user in everybody}) == 28


def test_ids_are_text_for_who_asks_so(http: httpx.Client) -> None:
    header = {"Accept": "application/json+canvas-string-ids"}
    found = http.get(ONE, headers=header).json()
    assert found["user_id"] == "101" and found["score"] is None


@pytest.mark.parametrize(
    ("state", "says"),
    [("", "Invalid"), ("expired", "Expired"), ("revoked", "Revoked"), ("unscoped", "Insufficient")],
)
def test_tokens(http: httpx.Client, canvas: Canvas, state: str, says: str) -> None:
    canvas.tokens["teacher-token"].state = state
    answer = http.get("/api/v1/users/self")
    assert answer.status_code == 401 and says in answer.text
    assert ("www-authenticate" in answer.headers) is (state != "unscoped")


def test_a_token_may_expire_in_the_middle(http: httpx.Client, canvas: Canvas) -> None:
    canvas.tokens["teacher-token"].last_uses = 2
    assert [http.get("/api/v1/courses").status_code for _ in range(3)] == [200, 200, 401]


def test_who_does_not_say_what_they_are_is_refused(http: httpx.Client) -> None:
    assert http.get("/api/v1/courses", headers={"User-Agent": ""}).status_code == 403


def test_unknown_and_forbidden(http: httpx.Client, canvas: Canvas) -> None:
    canvas.add_course(2)
    missing = http.get("/api/v1/courses/1/assignments/99")
    assert missing.status_code == 404 and "does not exist" in missing.text
    forbidden = http.get("/api/v1/courses/2/users")
    assert forbidden.status_code == 403 and forbidden.json()["status"] == "unauthorized"


def test_whoever_asks_too_much_is_throttled_until_it_has_drained(
    http: httpx.Client, canvas: Canvas
) -> None:
    canvas.request_cost = 100.0
    codes = [http.get("/api/v1/users/self").status_code for _ in range(8)]
    assert codes == [200] * 6 + [403] * 2
    canvas.advance(60)
    answer = http.get("/api/v1/users/self")
    assert answer.status_code == 200 and float(answer.headers["X-Rate-Limit-Remaining"]) >= 500


def test_one_grade_with_rubric_and_comment(
    http: httpx.Client, canvas: Canvas, course: Course
) -> None:
    course.assignments[0].rubric = [Criterion("_1", "Code", 5.0)]
    said = {"submission": {"posted_grade": 8}, "comment": {"text_comment": "Good."},
            "rubric_assessment": {"_1": {"points": 4}}}  # fmt: skip
    found = http.put(ONE, json=said).json()
    assert (found["score"], found["workflow_state"]) == (8.0, "graded")
    assert found["submission_comments"][0]["comment"] == "Good."
    assert found["rubric_assessment"] == {"_1": {"points": 4}}
    assert http.put(ONE, json={"rubric_assessment": {"x": {}}}).status_code == 400


def test_forms_are_read_like_json(http: httpx.Client) -> None:
    assert http.put(ONE, data={"submission[posted_grade]": "7.5"}).json()["score"] == 7.5


def test_a_bulk_update_is_a_job_that_goes_through_steps(http: httpx.Client, course: Course) -> None:
    rows = {"101": {"posted_grade": 8}, "102": {"excuse": True}, "103": {"text_comment": "?"}}
    progress = http.post(BULK, json={"grade_data": rows}).json()
    states = [http.get(progress["url"]).json()["workflow_state"] for _ in range(2)]
    assert states == ["running", "completed"]
    assert course.submissions[11, 101].score == 8 and course.submissions[11, 102].excused
    assert course.submissions[11, 103].comments[0].comment == "?"


def test_a_bulk_update_writes_nothing_that_is_the_same_after_deduction(
    http: httpx.Client, canvas: Canvas, course: Course
) -> None:
    policy = course.late_policy
    policy.late_submission_deduction_enabled, policy.late_submission_deduction = True, 10.0
    first, user = course.assignments[0], canvas.users[101]
    canvas.hand_in(course, first, user, {"a.ipynb": b""})
    canvas.grade_by_hand(course, first, user, 10)  # 8 after two days
    http.post(BULK, json={"grade_data": {"101": {"posted_grade": 8}}})
    canvas.settle()
    assert course.submissions[11, 101].score == 8 and course.submissions[11, 101].writes == 1


def test_unknown_students_fail_a_job_that_has_done_the_rest(
    http: httpx.Client, canvas: Canvas, course: Course
) -> None:
    rows = {key: {"posted_grade": 8} for key in ("101", "1", "sis_user_id:0102", "103")}
    progress = http.post(BULK, json={"grade_data": rows}).json()
    canvas.settle()
    found = http.get(progress["url"]).json()
    assert found["workflow_state"] == "failed"
    assert found["message"] == "Couldn't find User(s) with API ids '1', 'sis_user_id:0102'"
    assert {key for key, one in course.submissions.items() if one.score == 8} == {
        (11, 101), (11, 103),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "state", "written"),
    [(JobFault(dies_after=1), "failed", 1), (JobFault(stuck=True), "queued", 0),
     (JobFault(canceled=True), "canceled", 0)],
)  # fmt: skip
def test_jobs_that_do_not_end_well(
    http: httpx.Client, canvas: Canvas, course: Course, fault: JobFault, state: str, written: int
) -> None:
    canvas.faults.jobs.append(fault)
    rows = {str(id_): {"posted_grade": 8} for id_ in (101, 102, 103)}
    progress = http.post(BULK, json={"grade_data": rows}).json()
    canvas.settle()
    assert http.get(progress["url"]).json()["workflow_state"] == state
    assert sum(one.score == 8 for one in course.submissions.values()) == written


def test_a_job_may_be_nowhere_to_be_found(http: httpx.Client, canvas: Canvas) -> None:
    canvas.faults.jobs.append(JobFault(gone=True))
    progress = http.post(BULK, json={"grade_data": {"101": {"posted_grade": 8}}}).json()
    assert http.get(progress["url"]).status_code == 404


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [(BULK, {}, 400), (BULK.replace("11", "99"), {"101": {"posted_grade": 1}}, 404),
     ("/api/v1/courses/1/submissions/update_grades", {"99": {"101": {"posted_grade": 1}}}, 400)],
)  # fmt: skip
def test_what_a_bulk_update_refuses_at_once(
    http: httpx.Client, path: str, data: dict[str, Any], status: int
) -> None:
    assert http.post(path, json={"grade_data": data}).status_code == status


def test_unpublished_assignments_take_no_grades(http: httpx.Client, course: Course) -> None:
    course.assignments[0].published = False
    answer = http.post(BULK, json={"grade_data": {"101": {"posted_grade": 8}}})
    assert answer.status_code == 403


def test_attempts_are_told_one_by_one(http: httpx.Client, canvas: Canvas, course: Course) -> None:
    for content in (b"1", b"22"):
        canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": content})
    found = http.get(f"{ONE}?include[]=submission_history").json()
    history = found["submission_history"]
    assert [one["attempt"] for one in history] == [1, 2] and found["attempt"] == 2
    assert [one["attachments"][0]["size"] for one in history] == [1, 2]
    assert [one["display_name"] for one in found["attachments"]] == ["hw-1.ipynb"]


def test_files_lie_elsewhere_and_the_token_must_not_go_there(
    http: httpx.Client, canvas: Canvas, course: Course, url: str
) -> None:
    one = canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"abc"})
    address = f"/files/{one.attempts[0].attachments[0].id}/download"
    answer = http.get(address)
    assert answer.status_code == 302 and not answer.headers["location"].startswith(url)
    assert httpx.get(answer.headers["location"]).content == b"abc"
    assert http.get(answer.headers["location"]).status_code == 400
    one.attempts[0].attachments[0].deleted = True
    assert http.get(address).status_code == 404


def test_a_part_of_a_file_can_be_had(http: httpx.Client, canvas: Canvas, course: Course) -> None:
    one = canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"abcdef"})
    place = http.get(f"/files/{one.attempts[0].attachments[0].id}/download").headers["location"]
    rest = httpx.get(place, headers={"Range": "bytes=4-"})
    assert (rest.status_code, rest.content) == (206, b"ef")


def test_rights_are_those_of_whoever_asks(http: httpx.Client, canvas: Canvas) -> None:
    canvas.sis_rights = False
    asked = {"permissions[]": ["manage_grades", "read_sis"]}
    found = http.get("/api/v1/courses/1/permissions", params=asked).json()
    assert found == {"manage_grades": True, "read_sis": False}


def test_a_file_is_attached_in_three_steps(
    http: httpx.Client, canvas: Canvas, course: Course
) -> None:
    started = http.post(f"{ONE}/comments/files", json={"name": "feedback.html"}).json()
    sent = httpx.post(started["upload_url"], data=started["upload_params"],
                      files={"file": ("feedback.html", b"<p>")})  # fmt: skip
    assert sent.status_code == 303
    file = http.get(sent.headers["location"]).json()
    elsewhere = ONE.replace("101", "102")
    comment = {"text_comment": "See file", "file_ids": [file["id"]]}
    assert http.put(elsewhere, json={"comment": comment}).status_code == 403
    found = http.put(ONE, json={"comment": comment}).json()
    assert found["submission_comments"][0]["attachments"][0]["size"] == 3


def test_a_signature_expires(http: httpx.Client, canvas: Canvas) -> None:
    started = http.post(f"{ONE}/comments/files", json={"name": "a"}).json()
    canvas.advance(3600)
    sent = httpx.post(started["upload_url"], data=started["upload_params"], files={"file": b"x"})
    assert sent.status_code == 403


def test_comments_are_edited_in_place_and_deleted(http: httpx.Client, course: Course) -> None:
    found = http.put(ONE, json={"comment": {"text_comment": "one"}}).json()
    address = f"{ONE}/comments/{found['submission_comments'][0]['id']}"
    assert http.put(address, json={"comment": "two"}).json()["comment"] == "two"
    assert [one.comment for one in course.submissions[11, 101].comments] == ["two"]
    http.delete(address)
    assert course.submissions[11, 101].comments == []


def test_posting_is_set_and_done_by_graphql(http: httpx.Client, course: Course) -> None:
    def ask(query: str, **variables: Any) -> Any:
        return http.post("/api/graphql", json={"query": query, "variables": variables}).json()

    ask("mutation { setAssignmentPostPolicy(input: {assignmentId: 11, postManually: true}) "
        "{ postPolicy { postManually } } }")  # fmt: skip
    assert http.get("/api/v1/courses/1/assignments/11").json()["post_manually"] is True
    http.put(ONE, json={"submission": {"posted_grade": 8}})
    assert course.submissions[11, 101].posted_at is None
    ask("mutation($id: ID!) { postAssignmentGrades(input: {assignmentId: $id, gradedOnly: true})"
        " { progress { _id } } }", id="11")  # fmt: skip
    posted = [one.user.id for one in course.submissions.values() if one.posted_at]
    assert posted == [101]
    ask('mutation { hideAssignmentGrades(input: {assignmentId: "11"}) { progress { _id } } }')
    assert course.submissions[11, 101].posted_at is None


def test_one_submission_for_each_group(http: httpx.Client, canvas: Canvas, course: Course) -> None:
    course.assignments[0].group_category_id = 3
    course.groups.append(Group(9, "Team", 3, [101, 102]))
    path = "/api/v1/courses/1/assignments/11/submissions"
    assert len(http.get(path).json()) == 3
    assert len(http.get(f"{path}?grouped=true").json()) == 2


@pytest.mark.parametrize("status", [403, 429])
def test_throttling_on_purpose(http: httpx.Client, canvas: Canvas, status: int) -> None:
    canvas.faults.answers.append(throttled("GET", "/courses$", status))
    answer = http.get("/api/v1/courses")
    assert answer.status_code == status and "Rate Limit" in answer.text
    assert answer.headers["x-rate-limit-remaining"] == "0.0"
    assert http.get("/api/v1/courses").status_code == 200


def test_a_write_may_be_done_though_the_answer_says_otherwise(
    http: httpx.Client, canvas: Canvas, course: Course
) -> None:
    canvas.faults.answers.append(bad_gateway("PUT", ONE))
    answer = http.put(ONE, json={"submission": {"posted_grade": 8}})
    assert answer.status_code == 502 and "<html>" in answer.text
    assert course.submissions[11, 101].score == 8


@pytest.mark.parametrize(("kind", "score"), [("drop", None), ("drop_after", 8)])
def test_connections_that_end_without_an_answer(
    http: httpx.Client, canvas: Canvas, course: Course, kind: str, score: float | None
) -> None:
    canvas.faults.add("PUT", ONE, kind=kind)
    with pytest.raises(httpx.TransportError):
        http.put(ONE, json={"submission": {"posted_grade": 8}})
    assert canvas.submission(course, course.assignments[0], canvas.users[101]).score == score


def test_answers_cut_short_dripping_empty_and_led_astray(
    http: httpx.Client, canvas: Canvas
) -> None:
    canvas.faults.add("GET", "/courses/1$", kind="truncate")
    with pytest.raises(httpx.TransportError):
        http.get("/api/v1/courses/1")
    canvas.faults.add("GET", "/courses/1$", kind="drip", seconds=0.0001)
    assert json.loads(http.get("/api/v1/courses/1").text)["id"] == 1
    canvas.faults.add("GET", "/api/v1/courses", kind="empty_page")
    answer = http.get("/api/v1/courses")
    assert answer.json() == [] and http.get(answer.links["next"]["url"]).json()[0]["id"] == 1
    link = {"Link": '<https://elsewhere.example/api>; rel="next"'}
    canvas.faults.add("GET", "/sections", kind="edit", headers=link)
    assert "elsewhere" in http.get("/api/v1/courses/1/sections").links["next"]["url"]


def test_every_request_is_logged_with_its_answer(http: httpx.Client, canvas: Canvas) -> None:
    http.get("/api/v1/courses/1/users?per_page=2")
    http.get("/api/v1/nowhere")
    assert canvas.log == [("GET", "/api/v1/courses/1/users?per_page=2", 200),
                          ("GET", "/api/v1/nowhere", 404)]  # fmt: skip

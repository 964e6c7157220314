"""Grades reach Canvas once, whatever fails on the way, and never over a person's decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakecanvas import Canvas
from fakecanvas import grading as rules
from fakecanvas.faults import JobFault, bad_gateway, throttled
from fakecanvas.model import Course, Criterion, Group, LatePolicy, Submission
from fakecanvas.scenario import DUE, TOKEN
from pusher import wanted

from autograder.canvas import lateness, past, push
from autograder.canvas.client import Client
from autograder.canvas.compare import Fate, Wanted
from autograder.canvas.journal import FILE, Journal, State
from autograder.canvas.push import Push, Sent
from autograder.course import Deducts
from autograder.errors import CanvasError, CourseError, StoreError

BULK, ONE = "update_grades", r"submissions/\d+$"
Pusher = Callable[..., Sent]


@pytest.fixture
def journal(client: Client, tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / FILE, client.origin, 1) as made:
        yield made


@pytest.fixture
def pushed(client: Client, journal: Journal) -> Pusher:
    """Looks and sends."""

    def do(*orders: Wanted, **more: Any) -> Sent:
        one = Push(client, journal, 1, 11, orders, **more)
        return one.send(one.look())

    return do


def there(course: Course, user: int) -> Submission:
    return course.submissions[11, user]


def scores(course: Course) -> dict[int, float | None]:
    return {user: one.entered_score for (number, user), one in course.submissions.items()
            if number == 11}  # fmt: skip


def writes(canvas: Canvas, path: str = "") -> list[str]:
    return [f"{method} {where.split('?')[0].rpartition('/')[2]}"
            for method, where, _ in canvas.log if method != "GET" and path in where]  # fmt: skip


def everybody(*points: float) -> list[Wanted]:
    return [wanted(user, one) for user, one in zip((101, 102, 103), points, strict=True)]


def late(canvas: Canvas, course: Course, user: int = 101, days: int = 2) -> None:
    """Let somebody hand in late, where each day costs a tenth of the points possible."""
    course.late_policy = LatePolicy(True, 10.0)
    canvas.hand_in(course, course.assignments[0], canvas.users[user], {"hw.ipynb": b"x"},
                   at=DUE + timedelta(days=days, hours=-1))  # fmt: skip


# What is there at the end.


def test_points_and_comments_are_there_and_nobody_sees_them(pushed: Pusher, course: Course) -> None:
    sent = pushed(*everybody(8, 9.5, 0))
    assert sent.confirmed == {"101", "102", "103"} and not sent.refused and not sent.stuck
    assert scores(course) == {101: 8, 102: 9.5, 103: 0}
    assert all(one.posted_at is None for one in course.submissions.values())
    assert all(one.comments[0].hidden and len(one.comments) == 1
               for one in course.submissions.values())  # fmt: skip


def test_the_same_again_sends_nothing(pushed: Pusher, canvas: Canvas) -> None:
    pushed(*everybody(8, 9, 10))
    canvas.log.clear()
    assert pushed(*everybody(8, 9, 10)).confirmed == set() and writes(canvas) == []


def test_looking_writes_nothing_anywhere(
    client: Client, journal: Journal, canvas: Canvas, course: Course
) -> None:
    plan = Push(client, journal, 1, 11, everybody(8, 9, 10)).look()
    assert len(plan.sending) == 3 and writes(canvas) == [] and journal.length(11) == 0
    assert not course.assignments[0].post_manually


def test_a_regrade_changes_points_and_edits_the_one_comment(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    pushed(*everybody(8, 9, 10))
    number = there(course, 101).comments[0].id
    canvas.log.clear()
    pushed(wanted(101, 7), *everybody(0, 9, 10)[1:])
    assert scores(course) == {101: 7, 102: 9, 103: 10}
    assert [(one.id, one.comment[:4]) for one in there(course, 101).comments] == [(number, "7/10")]
    assert writes(canvas) == [f"POST {BULK}", f"PUT {number}"]


def test_portions_hold_everybody_once(
    pushed: Pusher, canvas: Canvas, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "PORTION", 2)
    pushed(*everybody(8, 9, 10))
    assert writes(canvas, BULK) == [f"POST {BULK}"] * 2
    assert [one.writes for one in course.submissions.values()] == [1, 1, 1]


def test_a_journal_that_grew_since_the_look_stops_the_push(
    client: Client, journal: Journal, pushed: Pusher, course: Course
) -> None:
    one = Push(client, journal, 1, 11, [wanted(101, 3)])
    plan = one.look()
    pushed(wanted(101, 8))
    with pytest.raises(StoreError, match="in the meantime"):
        one.send(plan)
    assert there(course, 101).entered_score == 8


# People.


def test_what_a_person_changed_cleared_or_gave_before_stays(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    pushed(*everybody(8, 9, 10)[:2])
    one = course.assignments[0]
    canvas.grade_by_hand(course, one, canvas.users[101], "8.5")
    canvas.grade_by_hand(course, one, canvas.users[102], "")
    canvas.grade_by_hand(course, one, canvas.users[103], "4")
    sent = pushed(*everybody(7, 7, 7))
    assert [row.fate for row in sent.rows] == [Fate.CONFLICT] * 3
    assert scores(course) == {101: 8.5, 102: None, 103: 4}
    sent = pushed(*everybody(7, 7, 7), ours=["103"])
    assert scores(course) == {101: 8.5, 102: None, 103: 7} and len(sent.stuck) == 2


def test_an_excused_student_stays_excused(pushed: Pusher, canvas: Canvas, course: Course) -> None:
    canvas.grade_by_hand(course, course.assignments[0], canvas.users[102], excuse=True)
    sent = pushed(*everybody(8, 9, 10))
    assert there(course, 102).excused and [row.user for row in sent.stuck] == ["102"]
    assert there(course, 102).comments == []


@pytest.mark.parametrize("when", ["after the look", "before the second portion"])
def test_a_person_who_grades_meanwhile_is_not_overwritten(
    client: Client, journal: Journal, canvas: Canvas, course: Course, when: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(push, "PORTION", 1)
    one = Push(client, journal, 1, 11, everybody(8, 9, 10))
    plan = one.look()

    user = 101 if when == "after the look" else 103

    def grade() -> None:
        canvas.grade_by_hand(course, course.assignments[0], canvas.users[user], "1")

    if when == "after the look":
        grade()
        sent = one.send(plan)
    else:
        sent = one.send(plan, lambda done, total, what: grade() if done == 1 else None)
    assert scores(course) == {**{101: 8, 102: 9, 103: 10}, user: 1}
    assert [(row.user, row.fate) for row in sent.stuck] == [(str(user), Fate.CONFLICT)]


def test_our_comment_stays_as_a_person_made_it(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    pushed(*everybody(8, 9, 10)[:2])
    there(course, 101).comments[0].comment += "\n\nCome and see me. M. Curie"
    there(course, 102).comments.clear()
    before = there(course, 101).comments[0].comment
    pushed(*everybody(7, 9, 10)[:2])
    assert scores(course)[101] == 7
    assert [one.comment for one in there(course, 101).comments] == [before]
    assert there(course, 102).comments == []


# Lateness.


def test_raw_points_are_sent_and_read_back_where_canvas_deducts(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    late(canvas, course)
    assert pushed(wanted(101, 10)).confirmed == {"101"}
    assert (there(course, 101).entered_score, there(course, 101).score) == (10, 8)


def test_points_that_equal_what_the_deduction_left_get_in(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    late(canvas, course)
    pushed(wanted(101, 10), wanted(102, 5))
    canvas.log.clear()
    sent = pushed(wanted(101, 8), wanted(102, 6))
    assert (there(course, 101).entered_score, there(course, 101).score) == (8, 6)
    assert sent.confirmed == {"101", "102"} and writes(canvas, BULK) == [f"POST {BULK}"]
    pushed(wanted(101, 10))
    canvas.log.clear()
    pushed(wanted(101, 8))
    assert there(course, 101).entered_score == 8 and writes(canvas, BULK) == []


def test_a_job_really_ignores_such_points(client: Client, canvas: Canvas, course: Course) -> None:
    late(canvas, course)
    canvas.grade_by_hand(course, course.assignments[0], canvas.users[101], "10")
    data = {"grade_data": {"101": {"posted_grade": "8"}}}
    client.post(f"courses/1/assignments/11/submissions/{BULK}", data)
    canvas.settle()
    assert there(course, 101).entered_score == 10


@pytest.mark.parametrize(
    ("by", "on", "says"),
    [(Deducts.CANVAS, True, "Canvas takes off 10 %"), (Deducts.CANVAS, False, "nobody"),
     (Deducts.AUTOGRADER, False, "the autograder took it off"), (None, False, "nobody"),
     (None, True, "Canvas takes off 10 %")],
)  # fmt: skip
def test_it_is_said_who_takes_points_off(
    client: Client, course: Course, by: Deducts | None, on: bool, says: str
) -> None:
    course.late_policy = LatePolicy(on, 10.0)
    assert says in lateness.counted(by, lateness.deducts(client, 1))


def test_both_taking_points_off_is_refused(client: Client, course: Course) -> None:
    course.late_policy = LatePolicy(True, 10.0)
    with pytest.raises(CourseError, match=r"counted twice.*switch Canvas' late policy off"):
        lateness.counted(Deducts.AUTOGRADER, lateness.deducts(client, 1))


def test_a_course_without_a_late_policy_takes_nothing_off(client: Client, canvas: Canvas) -> None:
    canvas.faults.add("GET", "late_policy", status=404, body='{"errors": []}')
    assert lateness.deducts(client, 1) == ""


# Nobody sees anything.


def test_no_grade_goes_up_where_hiding_cannot_be_verified(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    data = '{"data": {"setAssignmentPostPolicy": {"postPolicy": {"postManually": true}}}}'
    canvas.faults.add("POST", "graphql", status=200, body=data)
    with pytest.raises(CanvasError, match="Grade Posting Policy"):
        pushed(*everybody(8, 9, 10))
    assert writes(canvas) == ["POST graphql"] and all(x is None for x in scores(course).values())


def test_hiding_whose_outcome_is_unknown_is_read_back(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    canvas.faults.answers.append(bad_gateway("POST", "graphql"))
    pushed(*everybody(8, 9, 10))
    assert all(one.posted_at is None for one in course.submissions.values())


# What fails on the way.


WAYS: dict[str, Any] = {
    "throttled by 403": lambda: throttled("POST", BULK, times=2),
    "throttled by 429": lambda: throttled("POST", BULK, 429, times=2),
    "502 after the write": lambda: bad_gateway("POST", BULK),
    "504 after the write": lambda: bad_gateway("POST", BULK, 504),
    "502 before the write": lambda: bad_gateway("POST", BULK, kind="respond"),
    "a comment, 502 after the write": lambda: bad_gateway("PUT", ONE, times=2),
    "a comment, 502 before the write": lambda: bad_gateway("PUT", ONE, kind="respond", times=2),
    "a comment, throttled": lambda: throttled("PUT", ONE, times=2),
}


@pytest.mark.parametrize("way", WAYS)
def test_everything_is_there_once_although_answers_fail(
    pushed: Pusher, canvas: Canvas, course: Course, way: str
) -> None:
    canvas.faults.answers.append(WAYS[way]())
    assert pushed(*everybody(8, 9, 10)).confirmed == {"101", "102", "103"}
    assert scores(course) == {101: 8, 102: 9, 103: 10}
    assert [one.writes for one in course.submissions.values()] == [1, 1, 1]
    assert [len(one.comments) for one in course.submissions.values()] == [1, 1, 1]


@pytest.mark.parametrize("kind", ["drop", "drop_after", "truncate"])
@pytest.mark.parametrize("path", [("POST", BULK), ("PUT", ONE)])
def test_everything_is_there_once_although_connections_break(
    pushed: Pusher, canvas: Canvas, course: Course, kind: str, path: tuple[str, str]
) -> None:
    canvas.faults.add(*path, kind=kind)
    pushed(*everybody(8, 9, 10))
    assert scores(course) == {101: 8, 102: 9, 103: 10}
    assert [one.writes for one in course.submissions.values()] == [1, 1, 1]
    assert [len(one.comments) for one in course.submissions.values()] == [1, 1, 1]


JOBS = {
    "dies at once": JobFault(dies_after=0), "dies in the middle": JobFault(dies_after=1),
    "canceled": JobFault(canceled=True), "gone": JobFault(gone=True),
}  # fmt: skip


@pytest.mark.parametrize("name", JOBS)
def test_what_a_job_leaves_undone_is_sent_singly(
    pushed: Pusher, canvas: Canvas, course: Course, name: str
) -> None:
    canvas.faults.jobs.append(JOBS[name])
    assert pushed(*everybody(8, 9, 10)).confirmed == {"101", "102", "103"}
    assert scores(course) == {101: 8, 102: 9, 103: 10}
    assert [one.writes for one in course.submissions.values()] == [1, 1, 1]


def test_one_whom_canvas_refuses_keeps_nobody_else_from_getting_theirs(
    pushed: Pusher, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Canvas.grade_student

    def closed(self: Canvas, course: Any, assignment: Any, user: Any, said: Any, *more: Any,
               **named: Any) -> None:  # fmt: skip
        if user.id == 102 and said.posted_grade is not rules.UNSET:
            raise rules.GradeError("The assignment is in a closed grading period")
        kept(self, course, assignment, user, said, *more, **named)

    monkeypatch.setattr(Canvas, "grade_student", closed)
    sent = pushed(*everybody(8, 9, 10))
    assert scores(course) == {101: 8, 102: None, 103: 10}
    assert sent.confirmed == {"101", "103"}
    assert "closed grading period" in sent.refused["102"]
    assert there(course, 102).comments == []


def test_one_who_leaves_meanwhile_keeps_nobody_else_from_getting_theirs(
    client: Client, journal: Journal, course: Course
) -> None:
    one = Push(client, journal, 1, 11, everybody(8, 9, 10))
    plan = one.look()
    for place in [place for place in course.enrollments if place.user.id == 102]:
        course.enrollments.remove(place)
    sent = one.send(plan)
    assert sent.confirmed == {"101", "103"} and [row.user for row in sent.stuck] == ["102"]


def test_users_that_a_job_does_not_find_keep_nobody_else_from_getting_theirs(
    pushed: Pusher, canvas: Canvas, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Canvas._run_bulk

    def blind(self: Canvas, *job: Any) -> None:
        user = self.users.pop(102)
        kept(self, *job)
        self.users[102] = user
        assert "Couldn't find User(s) with API ids '102'" in job[3].message

    monkeypatch.setattr(Canvas, "_run_bulk", blind)
    assert pushed(*everybody(8, 9, 10)).confirmed == {"101", "102", "103"}
    assert scores(course) == {101: 8, 102: 9, 103: 10}


def test_a_job_that_does_not_end_is_waited_for_and_then_looked_for(
    pushed: Pusher, canvas: Canvas, course: Course, journal: Journal
) -> None:
    canvas.faults.jobs.append(JobFault(stuck=True))
    with pytest.raises(CanvasError, match="Of 3 students, 0 have what they should"):
        pushed(*everybody(8, 9, 10))
    assert writes(canvas, "submissions") == [f"POST {BULK}"]
    sent = pushed(*everybody(8, 9, 10))
    assert [row.fate for row in sent.rows] == [Fate.LEFT] * 3
    assert "has not ended job" in sent.rows[0].why
    for job in canvas.progress.values():
        job.fault = None
    canvas.log.clear()
    assert pushed(*everybody(8, 9, 10)).confirmed == {"101", "102", "103"}
    assert writes(canvas, BULK) == []
    assert [one.writes for one in course.submissions.values()] == [1, 1, 1]


@pytest.mark.parametrize("when", ["before the answer", "after the answer"])
def test_what_was_sent_and_never_read_back_is_still_known_for_ours(
    pushed: Pusher, canvas: Canvas, course: Course, journal: Journal, when: str
) -> None:
    if when == "before the answer":
        canvas.faults.answers.append(bad_gateway("POST", BULK))
    canvas.faults.answers.append(bad_gateway("GET", "students/submissions", nth=2, times=0))
    with pytest.raises(CanvasError, match="did not answer"):
        pushed(*everybody(8, 9, 10))
    canvas.faults.answers.clear()
    canvas.settle()
    assert scores(course) == {101: 8, 102: 9, 103: 10}
    assert pushed(*everybody(7, 9, 10)).confirmed == {"101", "102", "103"}
    assert scores(course) == {101: 7, 102: 9, 103: 10}
    assert past.unconfirmed(journal, 11) == []


def test_what_is_found_there_is_written_down_although_nothing_is_sent(
    pushed: Pusher, canvas: Canvas, journal: Journal
) -> None:
    canvas.faults.answers.append(bad_gateway("GET", "students/submissions", nth=3, times=0))
    with pytest.raises(CanvasError, match="did not answer"):
        pushed(*everybody(8, 9, 10))
    canvas.faults.answers.clear()
    canvas.log.clear()
    assert len(past.unconfirmed(journal, 11)) == 3
    pushed(*everybody(8, 9, 10))
    assert past.unconfirmed(journal, 11) == [] and writes(canvas) == []


def test_a_token_that_ends_in_the_middle_ends_the_push_and_the_next_goes_on(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    canvas.tokens[TOKEN].last_uses = 14
    with pytest.raises(CanvasError, match="does not accept the access token"):
        pushed(*everybody(8, 9, 10))
    canvas.tokens[TOKEN].last_uses = None
    pushed(*everybody(8, 9, 10))
    assert scores(course) == {101: 8, 102: 9, 103: 10}
    assert [len(one.comments) for one in course.submissions.values()] == [1, 1, 1]
    assert [one.writes for one in course.submissions.values()] == [1, 1, 1]


def test_a_token_that_ends_while_comments_are_sent_is_asked_no_more(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    refused = {"WWW-Authenticate": 'Bearer realm="canvas-lms"'}
    canvas.faults.add("PUT", ONE, nth=2, times=0, status=401, headers=refused)
    with pytest.raises(CanvasError, match="does not accept the access token"):
        pushed(*everybody(8, 9, 10))
    assert writes(canvas, "submissions/") == [f"POST {BULK}", "PUT 101", "PUT 102"]


def test_a_token_that_may_not_grade_ends_the_push_at_once(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    course.enrollments = [one for one in course.enrollments if one.type != "TeacherEnrollment"]
    canvas.enroll(course, canvas.users[7], type_="ObserverEnrollment")
    with pytest.raises(CanvasError, match="does not allow this token"):
        pushed(*everybody(8, 9, 10))
    assert writes(canvas, "submissions") == [f"POST {BULK}"]


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [("published", False, "not published"), ("grading_type", "letter_grade", "choose Points")],
)
def test_what_takes_no_points_is_refused_before_anything_is_sent(
    pushed: Pusher, canvas: Canvas, course: Course, setting: str, value: Any, says: str
) -> None:
    setattr(course.assignments[0], setting, value)
    with pytest.raises(CanvasError, match=says):
        pushed(*everybody(8, 9, 10))
    assert writes(canvas) == []


# Rubric.


def test_questions_fill_their_lines_of_the_rubric_and_no_other(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    course.assignments[0].rubric = [
        Criterion("_1", "Q1 Convolution", 5.0), Criterion("_2", "q2: pooling", 5.0),
        Criterion("_3", "q3, written", 5.0),
    ]  # fmt: skip
    there_before = canvas.submission(course, course.assignments[0], canvas.users[101])
    there_before.rubric_assessment = {"_3": {"points": 4.0, "comments": "well argued"}}
    pushed(wanted(101, 8))
    assert there(course, 101).rubric_assessment == {
        "_1": {"points": 4.0}, "_2": {"points": 4.0},
        "_3": {"points": 4.0, "comments": "well argued"},
    }  # fmt: skip
    pushed(wanted(101, 6))
    assert there(course, 101).rubric_assessment["_1"] == {"points": 3.0}
    assert there(course, 101).rubric_assessment["_3"]["comments"] == "well argued"


def test_a_rubric_is_filled_where_the_points_are_there_already(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    pushed(wanted(101, 8))
    course.assignments[0].rubric = [Criterion("_1", "q1", 5.0)]
    assert pushed(wanted(101, 8)).confirmed == {"101"}
    assert there(course, 101).rubric_assessment == {"_1": {"points": 4.0}}
    assert there(course, 101).writes == 1


# Files.


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "executed.html"
    path.write_bytes(b"<p>first")
    return path


def contents(one: Submission) -> list[list[bytes]]:
    return [[file.content for file in comment.attachments] for comment in one.comments]


def test_the_file_hangs_on_the_comment(pushed: Pusher, course: Course, page: Path) -> None:
    pushed(wanted(101, 8, file=page))
    assert contents(there(course, 101)) == [[b"<p>first"]]
    assert there(course, 101).comments[0].attachments[0].content_type == "text/html"


def test_another_file_takes_the_place_of_the_comment(
    pushed: Pusher, canvas: Canvas, course: Course, page: Path
) -> None:
    pushed(wanted(101, 8, file=page))
    page.write_bytes(b"<p>second")
    pushed(wanted(101, 7, file=page))
    assert contents(there(course, 101)) == [[b"<p>second"]]
    assert there(course, 101).comments[0].comment.startswith("7/10")
    canvas.log.clear()
    pushed(wanted(101, 7, file=page))
    assert writes(canvas) == []


@pytest.mark.parametrize(
    "fault",
    [bad_gateway("POST", "comments/files"), bad_gateway("POST", "/upload/", kind="respond"),
     bad_gateway("DELETE", "comments/"), bad_gateway("PUT", ONE), bad_gateway("PUT", ONE, 504),
     throttled("DELETE", "comments/")],
    ids=lambda fault: f"{fault.status} {fault.method} {fault.path}",
)  # fmt: skip
def test_there_is_one_comment_with_one_file_whatever_fails(
    pushed: Pusher, canvas: Canvas, course: Course, page: Path, fault: Any
) -> None:
    pushed(wanted(101, 8, file=page))
    page.write_bytes(b"<p>second")
    fault.matches = 0
    canvas.faults.answers.append(fault)
    assert pushed(wanted(101, 8, file=page)).confirmed == {"101"}
    assert contents(there(course, 101)) == [[b"<p>second"]]


def test_an_old_comment_that_canvas_keeps_is_joined_by_no_other(
    pushed: Pusher, canvas: Canvas, course: Course, page: Path
) -> None:
    pushed(wanted(101, 8, file=page))
    page.write_bytes(b"<p>second")
    canvas.faults.add("DELETE", "comments/", times=0, status=403, body='{"message": "no"}')
    sent = pushed(wanted(101, 8, file=page))
    assert "does not allow" in sent.refused["101"]
    assert contents(there(course, 101)) == [[b"<p>first"]]


def test_an_upload_whose_signature_expired_is_begun_again(
    pushed: Pusher, canvas: Canvas, course: Course, page: Path
) -> None:
    canvas.faults.add("POST", "/upload/", status=403, body="<Error>", content_type="text/xml")
    assert pushed(wanted(101, 8, file=page)).confirmed == {"101"}
    assert contents(there(course, 101)) == [[b"<p>first"]]


@pytest.mark.parametrize("body", ["", "[]", "{}"])
def test_an_upload_whose_answer_leads_nowhere_is_begun_again(
    pushed: Pusher, canvas: Canvas, course: Course, page: Path, body: str
) -> None:
    canvas.faults.add("POST", "/upload/", status=201, body=body)
    assert pushed(wanted(101, 8, file=page)).confirmed == {"101"}
    assert contents(there(course, 101)) == [[b"<p>first"]]


def test_a_file_that_arrives_in_part_is_sent_again(
    pushed: Pusher, canvas: Canvas, course: Course, page: Path
) -> None:
    canvas.faults.add(
        "GET", "create_success", status=200, body='{"id": 1, "size": 3, "display_name": "x"}'
    )
    assert pushed(wanted(101, 8, file=page)).confirmed == {"101"}
    assert contents(there(course, 101)) == [[b"<p>first"]]


def test_an_upload_that_is_never_taken_is_named_and_the_points_are_there(
    pushed: Pusher, canvas: Canvas, course: Course, page: Path
) -> None:
    canvas.faults.add("POST", "/upload/", times=0, status=403, body="<Error>")
    sent = pushed(wanted(101, 8, file=page), wanted(102, 9))
    assert "did not take" in sent.refused["101"] and sent.confirmed == {"102"}
    assert scores(course)[101] == 8 and there(course, 101).comments == []


def test_a_second_comment_that_came_late_goes(
    pushed: Pusher, canvas: Canvas, course: Course
) -> None:
    pushed(wanted(101, 8))
    text = there(course, 101).comments[0].comment
    canvas.comment(course, course.assignments[0], canvas.users[101], 7, text)
    pushed(wanted(101, 8))
    assert [one.comment for one in there(course, 101).comments] == [text]


# Groups.


@pytest.fixture
def group(course: Course) -> Group:
    made = Group(5, "Team 1", 3, [101, 102])
    course.groups.append(made)
    course.assignments[0].group_category_id = 3
    return made


def test_one_member_is_sent_and_all_are_confirmed(
    pushed: Pusher, canvas: Canvas, course: Course, group: Group, journal: Journal
) -> None:
    assert pushed(*everybody(8, 8, 9)).confirmed == {"101", "102", "103"}
    assert scores(course) == {101: 8, 102: 8, 103: 9}
    assert [len(one.comments) for one in course.submissions.values()] == [1, 1, 1]
    assert [one.writes for one in course.submissions.values()] == [1, 1, 1]
    confirmed = {one.user for one in journal.history(11) if one.state is State.CONFIRMED}
    assert confirmed == {"101", "102", "103"}


def test_a_member_without_a_grade_here_is_remembered_with_the_group(
    pushed: Pusher, course: Course, group: Group
) -> None:
    pushed(wanted(101, 8))
    assert scores(course)[102] == 8 and there(course, 102).comments == []
    assert pushed(wanted(101, 7)).confirmed == {"101"} and scores(course)[102] == 7


def test_a_group_whose_grades_differ_is_not_sent_and_others_are(
    pushed: Pusher, course: Course, group: Group
) -> None:
    sent = pushed(*everybody(8, 7, 9))
    assert scores(course) == {101: None, 102: None, 103: 9}
    assert [row.user for row in sent.stuck] == ["101", "102"]

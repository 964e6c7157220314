"""The public client of Canvas' API completes a round trip against the fake."""

from __future__ import annotations

import canvasapi
import pytest
from canvasapi.exceptions import Forbidden, InvalidAccessToken, RateLimitExceeded
from fakecanvas import Canvas
from fakecanvas.faults import throttled
from fakecanvas.model import Course

pytestmark = pytest.mark.filterwarnings("ignore:Canvas may respond unexpectedly:UserWarning")


@pytest.fixture
def client(url: str) -> canvasapi.Canvas:
    return canvasapi.Canvas(url, "teacher-token")


def test_a_round_trip(client: canvasapi.Canvas, canvas: Canvas, course: Course, tmp_path) -> None:
    canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"{}"})
    found = client.get_course(1)
    assert [one.sortable_name for one in found.get_users(enrollment_type=["student"])] == [
        "Lovelace, Ada", "Müller, Jürgen", "王, 小明",
    ]  # fmt: skip
    assignment = found.get_assignment(11)
    submissions = {one.user_id: one for one in assignment.get_submissions(
        include=["submission_history", "submission_comments"]
    )}  # fmt: skip
    assert set(submissions) == {101, 102, 103}
    (file,) = submissions[101].attachments
    assert file.size == 2
    progress = assignment.submissions_bulk_update(grade_data={
        101: {"posted_grade": 9.5, "text_comment": "Good."}, 102: {"posted_grade": 4},
    })  # fmt: skip
    while progress.workflow_state not in ("completed", "failed"):
        progress = progress.query()
    assert progress.workflow_state == "completed"
    one = assignment.get_submission(101, include=["submission_comments"])
    assert (one.score, one.entered_score) == (9.5, 9.5)
    assert one.submission_comments[0]["comment"] == "Good."
    report = tmp_path / "feedback.html"
    report.write_text("<p>")
    assert one.upload_comment(str(report))[0]
    one = assignment.get_submission(101, include=["submission_comments"])
    assert one.submission_comments[1]["attachments"][0]["display_name"] == "feedback.html"
    assert found.get_late_policy().late_submission_deduction_enabled is False
    client.graphql("mutation { hideAssignmentGrades(input: {assignmentId: 11}) "
                   "{ progress { _id } } }")  # fmt: skip
    assert course.submissions[11, 101].posted_at is None


@pytest.mark.parametrize(("status", "raised"), [(429, RateLimitExceeded), (403, Forbidden)])
def test_both_kinds_of_throttling_arrive(
    client: canvasapi.Canvas, canvas: Canvas, status: int, raised: type[Exception]
) -> None:
    canvas.faults.answers.append(throttled("GET", "/courses/1$", status))
    with pytest.raises(raised):
        client.get_course(1)


def test_a_token_that_is_none(url: str) -> None:
    with pytest.raises(InvalidAccessToken):
        canvasapi.Canvas(url, "nothing").get_course(1)

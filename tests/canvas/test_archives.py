"""Names in *Download submissions*, and whom *Upload submissions* reaches."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
from fakecanvas import Canvas
from fakecanvas.archives import entry_name, plain_name, unique_name
from fakecanvas.model import Course, Group

HW = {"hw01-1.ipynb": b"{}"}


def entries(canvas: Canvas, course: Course) -> list[str]:
    _, data = canvas.submissions_zip(course, course.assignments[0])
    return zipfile.ZipFile(io.BytesIO(data)).namelist()


def packed(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("O'Brien-Smith, Mary Ann", "obriensmithmaryann"), ("Müller, Jürgen", "müllerjürgen"),
        ("van_der_Berg, J", "van_der_bergj"), ("王, 小明", "王小明"), ("12_34", "12_34"),
        ("12, 34", "1234"), ("शर्मा, प्रिया", "शर्माप्रिया"),
    ],
)  # fmt: skip
def test_entries_begin_with_the_word_characters_of_a_name(name: str, entry: str) -> None:
    assert entry_name(name) == entry


def test_file_names_keep_all_but_a_few_characters() -> None:
    assert plain_name('a b (1) é:*?"<>|/\\.ipynb') == "a b (1) é_________.ipynb"


def test_repeated_names_get_a_number_and_in_the_end_a_uuid() -> None:
    taken: set[str] = set()
    for _ in range(9):
        taken.add(unique_name("hw.ipynb", taken))
    assert {"hw.ipynb", "hw-1.ipynb", "hw-7.ipynb"} < taken and len(taken) == 9
    assert any(len(name) > 40 for name in taken)


def test_an_entry_tells_lateness_user_and_file(canvas: Canvas, course: Course) -> None:
    first, second = course.assignments[0], canvas.users[102]
    one = canvas.hand_in(course, first, canvas.users[101], HW, at=canvas.now - timedelta(days=3))
    two = canvas.hand_in(course, first, second, HW)
    files = [s.attempts[0].attachments[0].id for s in (one, two)]
    assert entries(canvas, course) == [
        f"lovelaceada_101_{files[0]}_hw01-1.ipynb", f"müllerjürgen_LATE_102_{files[1]}_hw01-1.ipynb"
    ]  # fmt: skip


def test_only_the_current_attempt_is_there_under_its_new_name(
    canvas: Canvas, course: Course
) -> None:
    for _ in range(2):
        canvas.hand_in(course, course.assignments[0], canvas.users[101], {"hw.ipynb": b"{}"})
    (entry,) = entries(canvas, course)
    assert entry.endswith("_hw-1.ipynb")


def test_texts_links_and_anonymous_students(canvas: Canvas, course: Course) -> None:
    first = course.assignments[0]
    canvas.hand_in(course, first, canvas.users[101], body="my answer")
    canvas.hand_in(course, first, canvas.users[102], url="https://example.edu")
    assert [name.rpartition("_")[2] for name in entries(canvas, course)] == [
        "text.html", "link.html",
    ]  # fmt: skip
    first.anonymous_grading = True
    assert all(name.startswith("LATE_anon_") for name in entries(canvas, course))


def test_a_group_that_is_graded_together_has_one_entry(canvas: Canvas, course: Course) -> None:
    first = course.assignments[0]
    first.group_category_id = 3
    course.groups.append(Group(9, "Team 7", 3, [101, 102]))
    canvas.hand_in(course, first, canvas.users[102], HW)
    (entry,) = entries(canvas, course)
    assert entry.startswith("team7_LATE_101_")
    first.grade_group_students_individually = True
    assert len(entries(canvas, course)) == 2


def test_uploading_again_comments_under_the_old_name_every_time(
    canvas: Canvas, course: Course
) -> None:
    first, user = course.assignments[0], canvas.users[101]
    one = canvas.hand_in(course, first, user, HW)
    file = one.attempts[0].attachments[0]
    data = packed(**{f"folder/lovelaceada_LATE_101_{file.id}_report.html": b"<p>"})
    for _ in range(2):
        assert canvas.reupload(course, first, data) == []
    assert [comment.comment for comment in one.comments] == ["See attached file(s)"] * 2
    assert list(one.comments[0].shown_names.values()) == ["hw01-1.ipynb"]
    assert one.comments[0].attachments[0].content_type == "text/html" and one.score is None


def test_what_an_upload_ignores(canvas: Canvas, course: Course) -> None:
    first, user = course.assignments[0], canvas.users[101]
    old = canvas.hand_in(course, first, user, HW).attempts[0].attachments[0]
    canvas.hand_in(course, first, user, HW)
    current = course.submissions[11, 101].attempts[-1].attachments[0]
    names = [
        f"lovelaceada_101_{old.id}_hw.ipynb", "lovelaceada_101_text.html",
        f"._lovelaceada_101_{current.id}_hw.ipynb", f"lovelaceada_101_{current.id}_my_linked.ipynb",
        f"12_34_101_{current.id}_hw.ipynb", f"x_102_{current.id}_hw.ipynb",
    ]  # fmt: skip
    assert canvas.reupload(course, first, packed(**dict.fromkeys(names, b""))) == names
    assert course.submissions[11, 101].comments == []

"""What is on disk after a pull is what was handed in; whatever fails, the list never lies."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fakecanvas import Canvas, serve
from fakecanvas.faults import bad_gateway, throttled
from fakecanvas.model import Course, Group, Override, Section, Submission
from fakecanvas.scenario import DUE, TOKEN
from fakecanvas.views import Views

from autograder import pulled
from autograder.canvas import handedin, people
from autograder.canvas.client import Client
from autograder.canvas.pull import Summary, pull, safe
from autograder.errors import CanvasError, IntakeError
from autograder.pulled import Attempt

DAY = timedelta(days=1)
Pulls = Callable[[], Summary]
HandIn = Callable[..., Submission]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "canvas" / "cnns"


@pytest.fixture
def fetch(client: Client, folder: Path) -> Pulls:
    def run() -> Summary:
        column = handedin.column(client, 1, 11)
        return pull(client, 1, column, "cnns", folder, people.read(client, 1))

    return run


@pytest.fixture
def hand_in(canvas: Canvas, course: Course) -> HandIn:
    """Hands in for the first assignment: a day early, of that name and content."""

    def run(user: int, content: bytes = b"abc", name: str = "hw.ipynb", days: float = -1) -> Any:
        at = DUE + days * DAY
        return canvas.hand_in(
            course, course.assignments[0], canvas.users[user], {name: content}, at=at
        )

    return run


def contents(folder: Path) -> dict[str, bytes]:
    """Of every listed file, by user and attempt."""
    listed = pulled.read(folder)
    assert listed is not None
    return {
        f"{one.user}/{one.number}": b"+".join((folder / f.path).read_bytes() for f in one.files)
        for one in listed.attempts
    }


def fetched(canvas: Canvas) -> int:
    """How many files were asked for."""
    return sum(path.startswith("/storage/") for _, path, _ in canvas.log)


def test_every_attempt_is_there_with_its_time_and_its_files(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, course: Course, folder: Path
) -> None:
    hand_in(101, b"one", days=-2)
    hand_in(101, b"two", days=1)
    hand_in(102, b"three")
    canvas.hand_in(course, course.assignments[0], canvas.users[102], body="<p>text</p>", at=DUE)
    found = fetch()
    assert contents(folder) == {"101/1": b"one", "101/2": b"two", "102/1": b"three", "102/2": b""}
    assert pulled.read(folder) == found.pull
    assert [(one.number, one.late, one.submitted) for one in found.pull.attempts[:2]] == [
        (1, False, DUE - 2 * DAY), (2, True, DUE + DAY),
    ]  # fmt: skip
    assert found.pull.attempts[3].kind == "online_text_entry"
    assert (found.pull.title, found.pull.name, found.pull.points) == ("CNNs", "cnns", 10)
    assert (found.pull.due, found.pull.dues, found.idle) == (DUE, {}, ["103"])


def test_only_their_owner_may_read_what_was_handed_in(
    fetch: Pulls, hand_in: HandIn, folder: Path
) -> None:
    hand_in(101)
    fetch()
    for path in [folder.parent, *folder.parent.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_no_name_of_a_person_is_in_the_folder(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, folder: Path
) -> None:
    hand_in(101)
    canvas.users[101].name = canvas.users[101].sortable_name = "Lovelace, Ada"
    fetch()
    listed = (folder / pulled.FILE).read_text()
    assert not any(word in listed for word in ("Lovelace", "Ada", "login101", "0101"))


def test_the_second_time_only_what_is_new_is_fetched(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, folder: Path
) -> None:
    hand_in(101)
    hand_in(102)
    assert (fetch().fetched, fetched(canvas)) == (2, 2)
    hand_in(101, b"again")
    found = fetch()
    assert ([(one.user, one.number) for one in found.new], found.fetched) == ([("101", 2)], 1)
    assert fetched(canvas) == 3
    next((folder / "102").rglob("*.ipynb")).write_bytes(b"cut")
    next((folder / "101" / "2").rglob("*.ipynb")).write_bytes(b"shor")
    assert fetch().fetched == 1 and contents(folder)["101/2"] == b"again"


def test_files_of_attempts_that_vanished_are_left_alone(
    fetch: Pulls, hand_in: HandIn, course: Course, folder: Path
) -> None:
    hand_in(101)
    fetch()
    course.submissions[11, 101].attempts.clear()
    assert fetch().pull.attempts == []
    assert len(list((folder / "101").rglob("*.ipynb"))) == 1


HOSTILE = {
    "../../../x.ipynb": "x.ipynb",
    "/etc/passwd": "passwd",
    "..\\..\\x": "x",
    "a\0b.ipynb": "a_b.ipynb",
    "CON": "_CON",
    "nul.ipynb": "_nul.ipynb",
    "作业.ipynb": "__.ipynb",
    "..": "file",
    "": "file",
    ".bashrc": "bashrc",
    "x.part": "x.part",
    "a b;$(rm).ipynb ": "a_b___rm_.ipynb_",
    "\u202egnp.ipynb": "_gnp.ipynb",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_files_name_on_disk_is_safe(name: str) -> None:
    assert safe(name) == HOSTILE[name]


def test_long_names_keep_their_ending() -> None:
    assert safe("é" * 300 + ".ipynb") == "_" * 94 + ".ipynb"
    assert len(safe("a." + "b" * 300)) == 100


def test_whatever_a_file_is_called_it_lies_below_its_attempt(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, folder: Path
) -> None:
    for name in [*HOSTILE, "n" * 300, "lone \ud800.ipynb"]:
        hand_in(101)
        list(canvas.files.values())[-1].display_name = name
    before = set(folder.parent.parent.iterdir())
    found = fetch()
    assert found.fetched == len(HOSTILE) + 2 and not found.problems
    for one in found.pull.attempts:
        [file] = one.files
        assert Path(file.path).parts[:3] == ("101", str(one.number), str(file.id))
        assert (folder / file.path).resolve() == folder.resolve() / file.path
    assert set(folder.parent.parent.iterdir()) - before == {folder.parent}
    assert found.pull.attempts[0].files[0].name == "../../../x.ipynb"


def test_due_times_of_students_sections_and_groups_are_those_of_canvas(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, course: Course
) -> None:
    course.sections.append(Section(77, "Evening"))
    canvas.enroll(course, canvas.add_user(104, "Noether, Emmy"), course.sections[1])
    canvas.enroll(course, canvas.users[102], course.sections[1])
    course.groups.append(Group(5, "Blue", 3, [103]))
    course.assignments[0].group_category_id = 3
    course.assignments[0].overrides += [
        Override(1, DUE + DAY, course_section_id=77), Override(2, DUE + 3 * DAY, student_ids=[102]),
        Override(3, None, group_id=5),
    ]  # fmt: skip
    hand_in(102, days=2)
    hand_in(103, days=9)
    hand_in(104, days=2)
    found = fetch()
    assert found.pull.dues == {"102": DUE + 3 * DAY, "103": None, "104": DUE + DAY}
    assert [(one.user, one.late) for one in found.pull.attempts] == [
        ("102", False), ("103", False), ("104", True),
    ]  # fmt: skip
    assert found.pull.due == DUE and not any("another due time" in one for one in found.notes)
    assert any("--teams" in one for one in found.notes)


def test_what_a_person_said_about_lateness_counts_for_the_newest_attempt(
    fetch: Pulls, hand_in: HandIn, course: Course
) -> None:
    hand_in(101, days=1)
    hand_in(101, days=2)
    course.submissions[11, 101].late_policy_status = "none"
    assert [one.late for one in fetch().pull.attempts] == [True, False]


def test_a_due_time_that_canvas_has_not_worked_out_yet_is_told(
    fetch: Pulls, canvas: Canvas, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fakecanvas.grading.due_at", lambda *_: DUE)
    course.assignments[0].overrides.append(Override(1, DUE + DAY, student_ids=[101]))
    found = fetch()
    assert found.pull.dues == {}
    assert (
        "another due time for 1 student (101)" in found.notes[0] and "pull again" in found.notes[0]
    )


def test_a_file_of_a_group_is_fetched_once_and_each_member_has_it(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, course: Course, folder: Path
) -> None:
    course.groups.append(Group(5, "Blue", 3, [101, 102]))
    course.assignments[0].group_category_id = 3
    hand_in(101)
    found = fetch()
    assert contents(folder) == {"101/1": b"abc", "102/1": b"abc"}
    assert fetched(canvas) == 1 and not found.problems


def test_who_is_no_student_of_the_course_now_is_left_out(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, course: Course
) -> None:
    canvas.enroll(course, canvas.add_user(106, "Student, Test"), type_="StudentViewEnrollment")
    hand_in(106)
    hand_in(101)
    assert [one.user for one in fetch().pull.attempts] == ["101"]


def test_whom_it_is_not_assigned_to_is_not_called_idle(fetch: Pulls, course: Course) -> None:
    course.assignments[0].only_visible_to_overrides = True
    course.assignments[0].overrides.append(Override(1, DUE, student_ids=[101]))
    assert fetch().idle == ["101"]


def test_whoever_falls_between_two_pages_is_asked_for(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id_ in range(200, 330):
        canvas.enroll(course, canvas.add_user(id_, f"Student, {id_}"))
    hand_in(298, b"between")
    real, asked = canvas.submissions, list[int]()

    def moving(*arguments: Any) -> list[Submission]:
        asked.append(len(asked))
        if len(asked) == 2:
            course.enrollments[1].state = "completed"
        return real(*arguments)

    monkeypatch.setattr(canvas, "submissions", moving)
    assert [one.user for one in fetch().pull.attempts] == ["298"] and len(asked) > 2


def test_what_canvas_repeats_or_leaves_empty_is_one_attempt(
    fetch: Pulls, hand_in: HandIn, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(101)
    real = Views.submission

    def repeating(*arguments: Any) -> Any:
        found = real(*arguments)
        if found.get("submission_history"):
            empty = {"attempt": None, "submitted_at": None, "attachments": None, "late": None}
            found["submission_history"] = [empty, *found["submission_history"] * 2]
        return found

    monkeypatch.setattr(Views, "submission", repeating)
    assert [(one.user, one.number) for one in fetch().pull.attempts] == [("101", 1)]


PASSING: dict[str, Callable[[Canvas], Any]] = {
    "403 of the throttle": lambda c: c.faults.answers.append(throttled("GET", ".", nth=4, times=3)),
    "429 of the throttle": lambda c: c.faults.answers.append(throttled("GET", ".", 429, nth=5)),
    "502 of a proxy": lambda c: c.faults.answers.append(bad_gateway("GET", "submissions", times=2)),
    "502 for a file": lambda c: c.faults.answers.append(bad_gateway("GET", "/files/", times=2)),
    "truncated data": lambda c: c.faults.add("GET", "submissions", kind="truncate"),
    "truncated file": lambda c: c.faults.add("GET", "/storage/", kind="truncate", times=2),
    "dropped": lambda c: c.faults.add("GET", ".", kind="drop", nth=3, times=2),
    "dropped file": lambda c: c.faults.add("GET", "/storage/", kind="drop"),
    "slow": lambda c: c.faults.add("GET", "/storage/", kind="drip", times=0, seconds=0.001),
    "an empty page": lambda c: c.faults.add(
        "GET", "/api/v1/courses/1/assignments/11/overrides", kind="empty_page"
    ),
    "a page for a login": lambda c: c.faults.add(
        "GET", "submissions", status=200, body="<html>", content_type="text/html"
    ),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_leaves_no_trace(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, folder: Path, name: str
) -> None:
    hand_in(101, b"one")
    hand_in(102, b"two")
    PASSING[name](canvas)
    assert fetch().problems == []
    assert contents(folder) == {"101/1": b"one", "102/1": b"two"}
    assert not list(folder.rglob("*.part"))


def test_an_allowance_that_is_small_is_waited_for(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas
) -> None:
    hand_in(101)
    canvas.request_cost = 150.0
    assert fetch().fetched == 1


FINAL: dict[str, tuple[Callable[[Canvas, str], Any], str]] = {
    "expired in between": (
        lambda c, _: setattr(c.tokens[TOKEN], "last_uses", 6), "Expired access token",
    ),
    "pages in a circle": (
        lambda c, own: c.faults.add("GET", "/submissions", kind="edit", times=0, headers={
            "Link": f'<{own}/api/v1/courses/1/assignments/11/submissions>; rel="next"'}),
        "a page before",
    ),
    "pages elsewhere": (
        lambda c, _: c.faults.add("GET", "/submissions", kind="edit", headers={
            "Link": '<https://elsewhere.example/x>; rel="next"'}),
        "which is not http://127",
    ),
    "no answer": (
        lambda c, _: c.faults.add("GET", "/storage/", kind="drop", nth=2, times=0),
        "did not answer",
    ),
    "nonsense": (
        lambda c, _: c.faults.add("GET", "/submissions", status=200,
                                  body='[{"id": 1, "user_id": "../x"}]'),
        "makes no sense",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FINAL)
def test_what_does_not_pass_leaves_the_list_before_and_is_continued(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, client: Client, folder: Path, name: str
) -> None:
    hand_in(101, b"one")
    fetch()
    before = (folder / pulled.FILE).read_bytes()
    for user in (102, 103):
        hand_in(user, b"more")
    spoil, says = FINAL[name]
    spoil(canvas, client.origin)
    with pytest.raises(CanvasError, match=says):
        fetch()
    assert (folder / pulled.FILE).read_bytes() == before and contents(folder) == {"101/1": b"one"}
    canvas.faults.answers.clear()
    canvas.tokens[TOKEN].last_uses = None
    asked = fetched(canvas)
    assert len(fetch().new) == 2 and fetched(canvas) <= asked + 2
    assert contents(folder) == {"101/1": b"one", "102/1": b"more", "103/1": b"more"}


BROKEN: dict[str, tuple[Callable[[Canvas], Any], str]] = {
    "a page in place of the file": (
        lambda c: c.faults.add("GET", "/files/", nth=2, status=200, body="<html>Log in</html>",
                               content_type="text/html"),
        "it is a web page, such as asks for a login",
    ),
    "another size": (
        lambda c: c.faults.add("GET", "/storage/", nth=2, status=200, body="ab"),
        "has 3 bytes, but 2 arrived",
    ),
    "deleted": (lambda c: setattr(list(c.files.values())[1], "deleted", True), "knows no the file"),
    "a server that always fails": (
        lambda c: c.faults.answers.append(bad_gateway("GET", "/files/", nth=2, times=6)),
        "status 502",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_not_to_be_had_is_named_and_the_rest_is_fetched(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, folder: Path, name: str
) -> None:
    for user in (101, 102, 103):
        hand_in(user)
    spoil, says = BROKEN[name]
    spoil(canvas)
    found = fetch()
    [problem] = found.problems
    assert problem.startswith("102, attempt 1, hw.ipynb: ") and says in problem
    assert contents(folder) == {"101/1": b"abc", "102/1": b"", "103/1": b"abc"}
    lost: Attempt = found.pull.attempts[1]
    assert (lost.files, lost.lost) == ([], ["hw.ipynb"])
    assert not list((folder / "102").rglob("*.ipynb*"))


def test_a_file_of_a_group_that_is_not_to_be_had_is_asked_for_once(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, course: Course
) -> None:
    course.groups.append(Group(5, "Blue", 3, [101, 102, 103]))
    course.assignments[0].group_category_id = 3
    hand_in(101)
    canvas.faults.answers.append(bad_gateway("GET", "/files/", times=0))
    assert [one[:3] for one in fetch().problems] == ["101", "102", "103"]
    assert canvas.faults.answers[0].matches == 6


def test_a_canvas_that_fails_for_file_after_file_is_not_asked_for_all(
    fetch: Pulls, hand_in: HandIn, canvas: Canvas, folder: Path
) -> None:
    for user in (101, 102, 103):
        hand_in(user)
        hand_in(user)
    canvas.faults.answers.append(bad_gateway("GET", "/files/", times=0))
    with pytest.raises(CanvasError, match="status 502"):
        fetch()
    assert canvas.faults.answers[0].matches == 18 and not (folder / pulled.FILE).exists()


def test_the_folder_of_another_assignment_is_not_touched(
    fetch: Pulls, client: Client, folder: Path
) -> None:
    fetch()
    column = handedin.column(client, 1, 12)
    with pytest.raises(IntakeError, match=r"holds assignment 11 of .*not 12"):
        pull(client, 1, column, "gnns", folder, people.read(client, 1))


def test_two_pulls_do_not_write_one_folder(fetch: Pulls, folder: Path) -> None:
    fetch()
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(IntakeError, match="Another pull"):
            fetch()


def test_a_folder_that_cannot_be_written_is_named(fetch: Pulls, folder: Path) -> None:
    folder.parent.write_text("a file")
    with pytest.raises(IntakeError, match="cannot be written"):
        fetch()


def test_a_damaged_list_is_written_anew(fetch: Pulls, hand_in: HandIn, folder: Path) -> None:
    hand_in(101)
    fetch()
    (folder / pulled.FILE).write_text("{")
    assert fetch().fetched == 0 and contents(folder) == {"101/1": b"abc"}


@pytest.mark.parametrize(
    ("more", "says"),
    [({"published": False}, "not published"), ({"anonymous_grading": True}, "anonymously"),
     ({"submission_types": ["on_paper"]}, r"no file in Canvas \(submission type on paper"),
     ({"submission_types": ["external_tool"]}, "external tool"),
     ({"submission_types": ["online_quiz"]}, "online quiz")],
)  # fmt: skip
def test_an_assignment_of_which_nothing_can_be_fetched_says_why(
    client: Client, course: Course, more: dict[str, Any], says: str
) -> None:
    assert handedin.column(client, 1, 12).obstacle == ""
    for key, value in more.items():
        setattr(course.assignments[0], key, value)
    assert re.search(says, handedin.column(client, 1, 11).obstacle)


def test_what_was_pulled_has_the_moment_at_which_it_began(fetch: Pulls) -> None:
    before = datetime.now(UTC)
    assert before <= fetch().pull.pulled <= datetime.now(UTC)


SCRIPT = """
import sys
from pathlib import Path
from autograder.canvas import handedin, people
from autograder.canvas.client import Client
from autograder.canvas.pull import pull
client = Client(sys.argv[1], "teacher-token")
pull(client, 1, handedin.column(client, 1, 11), "cnns", Path(sys.argv[2]), people.read(client, 1))
"""


def test_a_pull_that_is_killed_goes_on_where_it_stopped(
    canvas: Canvas, hand_in: HandIn, folder: Path
) -> None:
    for user, content in ((101, b"one"), (102, b"x" * 5000), (103, b"three")):
        hand_in(user, content)
    canvas.faults.add("GET", "/storage/", kind="drip", nth=2, seconds=0.02)
    with serve(canvas) as address:
        command = [sys.executable, "-c", SCRIPT, address, str(folder)]
        child = subprocess.Popen(command, env=os.environ)
        part = folder / "102"
        while not any(one.stat().st_size > 3 for one in part.rglob("*.part")):
            assert child.poll() is None
            time.sleep(0.02)
        child.kill()
        child.wait()
        assert not (folder / pulled.FILE).exists() and not list(part.rglob("*.ipynb"))
        assert subprocess.run(command).returncode == 0
    assert contents(folder) == {"101/1": b"one", "102/1": b"x" * 5000, "103/1": b"three"}
    assert sorted(s for _, path, s in canvas.log if "/storage/" in path) == [200, 200, 200, 206]

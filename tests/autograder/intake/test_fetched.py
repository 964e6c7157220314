"""Of what was fetched from Canvas, its list alone says whose a file is, which attempt, and when."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autograder.bundle import Manifest
from autograder.errors import IntakeError
from autograder.grades import Rules
from autograder.intake import Intake, intake
from autograder.model import Student
from autograder.policy import Attempts, Deadline
from autograder.pulled import Attempt, File, Pull, write
from autograder.teams import Team

DUE = datetime(2027, 2, 28, 22, 59, tzinfo=UTC)
DAY = timedelta(days=1)
ADA = Student(id="101", name="Lovelace, Ada", login="ada")
BOB = Student(id="102", name="Müller, Jürgen", login="bob")
EVE = Student(id="103", name="王, 小明", login="eve")
ROSTER = [ADA, BOB, EVE]
BLUE = Team(name="Blue", members=[ADA, EVE])
MANIFEST = Manifest(name="hw", title="HW", notebook="hw.ipynb", otter_zip="x.zip", questions=[],
                    expected_files=["cls.safetensors"])  # fmt: skip
BEST = Rules(attempts=Attempts.BEST)


def nb(text: str = "x") -> bytes:
    cell = {"cell_type": "code", "source": text, "metadata": {}, "outputs": []}
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]}
    return json.dumps(notebook).encode()


class Canvas:
    """A folder as `autograder canvas pull` leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.attempts = folder, list[Attempt]()

    def hand_in(self, user: str, number: int, after: timedelta = -DAY, kind: str = "online_upload",
                late: bool = False, **files: bytes) -> Attempt:  # fmt: skip
        """Named files; ``_`` in a keyword stands for a dot."""
        listed = []
        for place, (name, data) in enumerate(files.items()):
            path = f"{user}/{number}/{number}{place}/{name.replace('_', '.')}"
            (self.folder / path).parent.mkdir(parents=True)
            (self.folder / path).write_bytes(data)
            listed.append(File(id=int(f"{number}{place}"), name=name.replace("_", "."),
                               size=len(data), path=path))  # fmt: skip
        made = Attempt(user=user, number=number, submitted=DUE + after, late=late, kind=kind,
                       files=listed)  # fmt: skip
        self.attempts.append(made)
        return made

    def taken(self, rules: Rules = Rules(), teams: list[Team] | None = None) -> Intake:  # noqa: B008
        write(self.folder, Pull(
            address="https://canvas.example.edu", course=9, assignment=11, title="HW", name="hw",
            points=40, due=DUE, pulled=DUE, attempts=self.attempts,
        ))  # fmt: skip
        return intake([self.folder], ROSTER, MANIFEST, teams or [], rules)


@pytest.fixture
def canvas(tmp_path: Path) -> Canvas:
    return Canvas(tmp_path / "hw")


def facts(found: Intake) -> list[tuple[Any, ...]]:
    return [(s.student.id, s.attempt, s.submitted, s.late) for s in found.submissions]


def test_the_last_attempt_of_each_is_taken_with_number_and_time(canvas: Canvas) -> None:
    canvas.hand_in("102", 1, DAY, late=True, hw_ipynb=nb("b"))
    canvas.hand_in("101", 2, hw_ipynb=nb("new"), cls_safetensors=b"weights")
    canvas.hand_in("101", 1, -2 * DAY, hw_ipynb=nb("old"))
    found = canvas.taken()
    assert facts(found) == [("101", 2, DUE - DAY, False), ("102", 1, DUE + DAY, True)]
    assert found.submissions[0].notebook == nb("new")
    assert found.submissions[0].files == {"cls.safetensors": b"weights"}
    assert found.missing == [EVE] and found.fetched == str(canvas.folder.resolve())
    (older,) = found.unused
    assert older.source.endswith("101/1") and older.reason == "attempt 2, which is later, was taken"


def test_all_attempts_are_taken_where_the_best_counts(canvas: Canvas) -> None:
    for number in (1, 2, 3):
        canvas.hand_in("101", number, number * DAY, hw_ipynb=nb(str(number)))
    found = canvas.taken(BEST)
    assert [s.notebook for s in found.submissions] == [nb("1"), nb("2"), nb("3")]
    assert found.unused == [] and [s.id for s in found.missing] == ["102", "103"]


def test_what_came_after_work_closed_is_taken_only_if_nothing_else_was(canvas: Canvas) -> None:
    canvas.hand_in("101", 1, hw_ipynb=nb("in time"))
    canvas.hand_in("101", 2, 2 * DAY, hw_ipynb=nb("too late"))
    canvas.hand_in("102", 1, 2 * DAY, hw_ipynb=nb("too late"))
    rules = Rules(deadline=Deadline(due=DUE, closes=DUE + DAY))
    found = canvas.taken(rules)
    assert [(s.student.id, s.attempt) for s in found.submissions] == [("101", 1), ("102", 1)]
    assert [one.reason for one in found.unused] == ["it was handed in after work closed"]
    longer = Rules(deadline=rules.deadline, dues={"101": DUE + DAY})
    assert canvas.taken(longer).submissions[0].attempt == 2


def test_names_of_files_and_folders_say_nothing_of_whose_they_are(canvas: Canvas) -> None:
    other = "müllerjürgen_102_900_hw_ipynb"
    canvas.hand_in("101", 1, **{other: nb("mine"), "102_ipynb": nb("mine")})
    canvas.hand_in("999", 1, hw_ipynb=nb("nobody"))
    (canvas.folder / "103").mkdir()
    (canvas.folder / "103" / "hw.ipynb").write_bytes(nb("not in the list"))
    found = canvas.taken()
    assert [s.student.id for s in found.submissions] == ["101"]
    assert found.submissions[0].notebook == nb("mine")
    (nobody,) = found.unmatched
    assert nobody.reason == "no student of the gradebook has the id 999"


def test_an_attempt_of_which_a_file_could_not_be_fetched_is_not_graded_without_it(
    canvas: Canvas,
) -> None:
    canvas.hand_in("101", 1, hw_ipynb=nb())
    whole = canvas.attempts.pop()
    canvas.attempts.append(msgspec.structs.replace(whole, lost=["cls.safetensors"]))
    assert "did not give out cls.safetensors" in canvas.taken().submissions[0].problem


def test_a_students_archive_is_opened_as_elsewhere(canvas: Canvas) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("work/hw.ipynb", nb("zipped"))
        file.writestr("../evil.ipynb", nb("evil"))
    canvas.hand_in("101", 1, handin_zip=out.getvalue())
    canvas.hand_in("102", 1, handin_zip=b"PK broken")
    zipped, broken = canvas.taken().submissions
    assert zipped.notebook == nb("zipped") and not zipped.problem
    assert broken.notebook == b"" and "The zip archive is damaged" in broken.problem


def test_texts_links_and_nothing_are_said_to_the_student(canvas: Canvas) -> None:
    canvas.hand_in("101", 1, kind="online_text_entry")
    canvas.hand_in("102", 1, kind="online_url")
    canvas.hand_in("103", 1, kind="media_recording")
    problems = [one.problem for one in canvas.taken().submissions]
    text = "You handed in a text or a link and no notebook; hand in hw.ipynb."
    assert problems == [text, text, "You handed in no file; hand in hw.ipynb."]


def test_a_file_that_is_not_there_as_it_was_fetched_is_our_fault(canvas: Canvas) -> None:
    made = canvas.hand_in("101", 1, hw_ipynb=nb())
    file = canvas.folder / made.files[0].path
    again = r"which was fetched from Canvas, {}; run `autograder canvas pull` again\."
    file.write_bytes(nb()[:-1])
    with pytest.raises(IntakeError, match=again.format(r"has \d+ bytes, not \d+")):
        canvas.taken()
    file.unlink()
    with pytest.raises(IntakeError, match=again.format("is not there")):
        canvas.taken()
    canvas.hand_in("101", 2, hw_ipynb=nb("new"))
    assert canvas.taken().submissions[0].notebook == nb("new"), "what is not graded is not read"


@pytest.mark.parametrize("path", ["../outside.ipynb", "link/hw.ipynb", "101/link.ipynb"])
def test_no_path_and_no_link_leads_elsewhere(canvas: Canvas, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for file in (outside / "hw.ipynb", tmp_path / "outside.ipynb"):
        file.write_bytes(nb())
    (canvas.folder / "101").mkdir(parents=True)
    (canvas.folder / "link").symlink_to(outside)
    (canvas.folder / "101" / "link.ipynb").symlink_to(outside / "hw.ipynb")
    file = File(id=1, name="hw.ipynb", size=len(nb()), path=path)
    canvas.attempts.append(
        Attempt(user="101", number=1, submitted=DUE, late=False, kind="online_upload", files=[file])
    )
    with pytest.raises(IntakeError, match="leads elsewhere"):
        canvas.taken()


def test_a_file_that_is_too_large_costs_its_student_that_file_only(canvas: Canvas) -> None:
    made = canvas.hand_in("101", 1, hw_ipynb=nb())
    huge = File(id=9, name="cls.safetensors", size=2**40, path="101/1/9/cls.safetensors")
    made.files.append(huge)
    found = canvas.taken()
    assert found.submissions[0].notebook == nb() and found.submissions[0].files == {}
    assert "it is too large" in [one.reason for one in found.unused]


def test_the_last_attempt_of_a_team_is_the_last_by_time(canvas: Canvas) -> None:
    canvas.hand_in("101", 7, -2 * DAY, hw_ipynb=nb("seven tries"))
    canvas.hand_in("103", 1, hw_ipynb=nb("one try"))
    found = canvas.taken(teams=[BLUE])
    (blue,) = found.submissions
    assert (blue.student, blue.members, blue.notebook) == (ADA, [ADA, EVE], nb("one try"))
    assert blue.submitted == DUE - DAY and found.missing == [BOB]


def test_what_canvas_keeps_for_each_member_is_one_attempt(canvas: Canvas) -> None:
    canvas.hand_in("101", 1, -2 * DAY, hw_ipynb=nb("alone"))
    canvas.hand_in("101", 2, hw_ipynb=nb("together"))
    canvas.hand_in("103", 1, hw_ipynb=nb("together"))
    first, second = canvas.taken(BEST, [BLUE]).submissions
    assert first.numbers == {"101": 1} and second.numbers == {"101": 2, "103": 1}
    assert [one.attempt for one in second.occasions] == [2, 1]
    closing = Rules(deadline=Deadline(due=DUE - 3 * DAY, closes=DUE - 2 * DAY), dues={"103": DUE})
    assert canvas.taken(closing, [BLUE]).submissions[0].notebook == nb("together"), (
        "an extension of one member is enough for it to be graded"
    )


def test_what_was_fetched_is_graded_alone(canvas: Canvas, tmp_path: Path) -> None:
    canvas.hand_in("101", 1, hw_ipynb=nb())
    canvas.taken()
    (tmp_path / "102.ipynb").write_bytes(nb())
    with pytest.raises(IntakeError, match="has every attempt already; name it alone"):
        intake([canvas.folder, tmp_path / "102.ipynb"], ROSTER, MANIFEST)

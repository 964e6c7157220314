import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from autograder.bundle import Manifest, Question, TestEntry, Visibility
from autograder.errors import StoreError
from autograder.grades import Grade
from autograder.model import (
    WATERMARK,
    Outcome,
    QuestionVerdict,
    Standing,
    Status,
    TestVerdict,
    Verdict,
)
from autograder.results import gradescope, settle, summary, write

CANARY = "CANARY-of-a-hidden-test"
MANIFEST = Manifest(name="hw", title="HW", notebook="hw.ipynb", otter_zip="x.zip", questions=[
    Question(name="q1", points=3, tests=[
        TestEntry(name="test_shape", points=1, hidden=False, label="The shape is right"),
        TestEntry(name="test_values", points=1, hidden=True, label="Values on other images"),
        TestEntry(name="test_CANARY-of-a-hidden-test", points=1, hidden=True),
    ])])  # fmt: skip
EXECUTED = b'{"cells": []}'


def case(name: str, status: Status, hidden: bool, message: str = "") -> TestVerdict:
    return TestVerdict(name=name, status=status, points=float(status is Status.PASSED), possible=1,
                       hidden=hidden, message=message)  # fmt: skip


def verdict(**more: Any) -> Verdict:
    tests = [
        case("test_shape", Status.FAILED, False, "expected (2, 3), got \x1b[31m(3, 2)"),
        case("test_values", Status.FAILED, True, CANARY),
        case("test_CANARY-of-a-hidden-test", Status.ERROR, True, CANARY),
    ]
    fields: dict[str, Any] = {
        "student": "101", "name": "Lovelace, Ada", "assignment": "hw", "status": Standing.GRADED,
        "score": 1.5, "possible": 3, "isolation": "A", "seconds": 4.25, "notes": [CANARY],
        "cells_seconds": 3.5, "lacking": [CANARY],
        "message": CANARY, "questions": {"q1": QuestionVerdict(score=1.5, possible=3, tests=tests)},
    }  # fmt: skip
    return Verdict(**fields | more)


def test_hidden_tests_carry_their_label_and_no_message() -> None:
    result = gradescope(verdict(), MANIFEST)
    assert CANARY not in json.dumps(result)
    shape, values, third = result["tests"]
    assert (shape["visibility"], values["visibility"], third["visibility"]) == (
        "visible", "hidden", "hidden",
    )  # fmt: skip
    assert values["name"] == "q1.2 Values on other images" and "output" not in values
    assert third["name"] == "q1.3 a hidden check" and "output" not in third
    assert shape["output"] == "expected (2, 3), got (3, 2)"


def test_score_time_and_tests_are_as_gradescope_specifies() -> None:
    result = gradescope(verdict(), MANIFEST)
    assert result["score"] == 1.5 and result["execution_time"] == 3.5
    assert result["stdout_visibility"] == "hidden"
    for entry in result["tests"]:
        assert entry["status"] == "failed" and entry["score"] == 0 and entry["max_score"] == 1


def test_the_summary_never_says_that_all_is_well_while_checks_are_hidden() -> None:
    assert summary(verdict()) == (
        "0 of 1 visible checks passed. 2 more checks, worth 2 points, are not shown."
    )


LATER = [Visibility.AFTER_DUE_DATE, Visibility.AFTER_PUBLISHED]


@pytest.mark.parametrize("feedback", [*LATER, Visibility.VISIBLE])
def test_shown_hidden_tests_tell_status_and_the_authors_message_only(feedback: Visibility) -> None:
    first, second, third = MANIFEST.questions[0].tests
    told = replace(second, failure_message="Look at images of other sizes.")
    question = replace(MANIFEST.questions[0], tests=[first, told, third])
    manifest = replace(MANIFEST, questions=[question], hidden_feedback=feedback)
    entries = []
    for status in (Status.FAILED, Status.ERROR, Status.TIMEOUT, Status.MEMORY):
        tests = [case("test_values", status, True, CANARY) for _ in "ab"]
        tests[1] = replace(case("test_CANARY-of-a-hidden-test", status, True, CANARY), seconds=9.87)
        questions = {"q1": QuestionVerdict(score=0, possible=2, tests=tests)}
        result = gradescope(verdict(questions=questions), manifest)
        assert CANARY not in json.dumps(result) and "9.87" not in json.dumps(result)
        entries.append(result["tests"])
    assert all(one == entries[0] for one in entries)
    values, other = entries[0]
    assert values["visibility"] == feedback and values["status"] == "failed"
    assert values["output"] == "Look at images of other sizes." and other["output"] == ""


@pytest.mark.parametrize("feedback", Visibility)
def test_a_skipped_test_says_that_it_was_skipped_and_nothing_of_the_test(
    feedback: Visibility,
) -> None:
    tests = [case("test_CANARY-of-a-hidden-test", Status.SKIPPED, True, CANARY)]
    questions = {"q1": QuestionVerdict(score=0, possible=1, tests=tests)}
    manifest = replace(MANIFEST, hidden_feedback=feedback)
    result = gradescope(verdict(questions=questions), manifest)
    (entry,) = result["tests"]
    assert entry["output"] == (
        "Skipped: a question that this one builds on did not pass its first check."
    )
    assert (entry["score"], entry["status"], entry["visibility"]) == (0, "failed", feedback)
    assert CANARY not in json.dumps(result)


def test_a_passed_hidden_test_that_is_shown_says_so_and_nothing_else() -> None:
    questions = {"q1": QuestionVerdict(score=1, possible=1, tests=[
        case("test_values", Status.PASSED, True, CANARY)])}  # fmt: skip
    manifest = replace(MANIFEST, hidden_feedback=Visibility.VISIBLE)
    (entry,) = gradescope(verdict(questions=questions), manifest)["tests"]
    assert (entry["status"], entry["output"], entry["visibility"]) == ("passed", "", "visible")


def test_the_summary_says_when_hidden_tests_are_shown_and_not_earlier_how_they_went() -> None:
    said = {feedback: summary(verdict(), feedback) for feedback in Visibility}
    assert said[Visibility.AFTER_DUE_DATE].endswith("2 points, are shown after the due date.")
    assert said[Visibility.AFTER_PUBLISHED].endswith("are shown when grades are published.")
    assert said[Visibility.VISIBLE].endswith("0 of 2 hidden checks passed.")
    assert not any("0 of 2" in said[feedback] for feedback in [Visibility.HIDDEN, *LATER])


def test_remarks_are_told_to_the_student_and_what_rooms_lacked_is_not() -> None:
    remarks = ["Code cell 3 ran for more than 90 s.", "It printed \x1b[31mtoo much."]
    assert gradescope(verdict(remarks=remarks), MANIFEST)["output"].splitlines()[1:] == [
        "Code cell 3 ran for more than 90 s.", "It printed too much.",
    ]  # fmt: skip


def test_only_an_unsealed_result_carries_a_watermark(tmp_path: Path) -> None:
    for level, count in (("0", 1), ("A", 0), ("A-", 0), ("B", 0)):
        outcome = Outcome(verdict=verdict(isolation=level), executed=EXECUTED)
        folder = write(tmp_path, outcome, MANIFEST)
        assert (folder / "results.json").read_text().count(WATERMARK) == count
        assert (WATERMARK in (folder / "executed.html").read_text()) == bool(count)


def test_files_for_staff_are_fit_for_terminals(tmp_path: Path) -> None:
    evil = "a\x1b]52;c;eA==\x07\x9b31m\u202eb"
    outcome = Outcome(verdict=verdict(name=evil, notes=[evil]), executed=EXECUTED, log=evil)
    folder = write(tmp_path, outcome, MANIFEST)
    for file in folder.iterdir():
        assert not set(file.read_text()) & set("\x1b\x07\x9b\u202e"), file.name
    assert json.loads((folder / "verdict.json").read_bytes())["name"] == evil


def test_our_own_failure_gives_no_score_and_says_whose_it_is() -> None:
    result = gradescope(verdict(status=Standing.GRADER_ERROR, score=0), MANIFEST)
    assert "score" not in result and result["tests"] == []
    assert "no fault of yours" in result["output"] and CANARY not in json.dumps(result)


def test_an_unreadable_submission_says_why() -> None:
    sentence = "The file is a PDF document, not a notebook; hand in the .ipynb itself."
    result = gradescope(
        verdict(status=Standing.UNREADABLE, score=0, questions={}, message=sentence), MANIFEST
    )
    assert result["score"] == 0 and result["output"] == sentence


def test_a_students_folder_holds_everything(tmp_path: Path) -> None:
    outcome = Outcome(verdict=verdict(), executed=EXECUTED, log="staff\ud800 \x1b[31monly\x9b")
    folder = write(tmp_path / "results", outcome, MANIFEST)
    assert folder == tmp_path / "results" / "101"
    assert sorted(file.name for file in folder.iterdir()) == [
        "executed.html", "executed.ipynb", "log.txt", "results.json", "verdict.json",
    ]  # fmt: skip
    assert msgspec.json.decode((folder / "verdict.json").read_bytes(), type=Verdict) == verdict()
    assert json.loads((folder / "results.json").read_bytes()) == gradescope(verdict(), MANIFEST)
    assert (folder / "log.txt").read_text() == "staff only"


def test_what_an_earlier_grading_left_does_not_stay(tmp_path: Path) -> None:
    write(tmp_path, Outcome(verdict=verdict(), executed=EXECUTED, log="x"), MANIFEST)
    folder = write(tmp_path, Outcome(verdict=verdict(status=Standing.UNREADABLE)), MANIFEST)
    assert sorted(file.name for file in folder.iterdir()) == ["results.json", "verdict.json"]


@pytest.mark.parametrize("student", ["../x", "", "a/b", ".."])
def test_a_key_that_is_no_folder_name_is_refused(tmp_path: Path, student: str) -> None:
    with pytest.raises(StoreError, match="folder"):
        write(tmp_path / "results", Outcome(verdict=verdict(student=student)), MANIFEST)
    assert list(tmp_path.iterdir()) == []


# What counts

WHEN = datetime(2027, 3, 1, 12, tzinfo=UTC)


def counting(found: Verdict, **more: Any) -> Grade:
    facts: dict[str, Any] = {"points": Decimal(1), "arithmetic": "1.5/3, 1 day late: …"}
    return Grade(verdict=found, **(facts | more))


def test_what_counts_is_told_in_words_and_the_score_stays_what_was_earned() -> None:
    fetched = verdict(attempt=2, submitted=WHEN)
    result = gradescope(fetched, MANIFEST, counting(fetched))
    assert result["score"] == 1.5
    first, second = str(result["output"]).splitlines()
    assert first == "Points for tests, of attempt 2: 1.5/3, 1 day late: …"
    assert second.startswith("0 of 1 visible checks passed.")
    zipped = gradescope(verdict(), MANIFEST, counting(verdict()))
    assert str(zipped["output"]).startswith("Points for tests: 1.5/3")


def test_what_is_not_certain_is_not_told_to_students() -> None:
    grade = counting(verdict(), problem=f"{CANARY}.", arithmetic="")
    assert gradescope(verdict(), MANIFEST, grade) == gradescope(verdict(), MANIFEST)


def settled(folder: Path, grade: Grade, *attempts: Verdict) -> list[int]:
    """Which attempts were written."""
    written: list[int] = []

    def whole(one: Verdict) -> Outcome:
        written.append(one.attempt)
        return Outcome(verdict=one, executed=EXECUTED)

    settle(folder, attempts, grade, MANIFEST, whole)
    return written


def test_only_what_changes_is_written_again(tmp_path: Path) -> None:
    first, second = (verdict(attempt=n, submitted=WHEN + timedelta(n)) for n in (1, 2))
    assert settled(tmp_path, counting(second), first, second) == [1, 2]
    assert settled(tmp_path, counting(second), first, second) == []
    assert settled(tmp_path, counting(second, arithmetic="1.5/3"), first, second) == [2]
    assert "1.5/3<" in (tmp_path / "101" / "executed.html").read_text()
    assert settled(tmp_path, counting(first), first, second) == [1, 2]
    below = [path.name for path in (tmp_path / "101").iterdir() if path.is_dir()]
    assert below == ["attempt-2-2027-03-03T120000Z"]
    (tmp_path / "101" / "results.json").unlink()
    assert settled(tmp_path, counting(first), first, second) == [1]

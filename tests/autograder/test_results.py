import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autograder.bundle import Manifest, Question, TestEntry
from autograder.errors import StoreError
from autograder.model import Outcome, QuestionVerdict, Standing, Status, TestVerdict, Verdict
from autograder.results import gradescope, summary, write

CANARY = "CANARY-of-a-hidden-test"
MANIFEST = Manifest(name="hw", title="HW", notebook="hw.ipynb", otter_zip="x.zip", questions=[
    Question(name="q1", points=3, tests=[
        TestEntry(name="test_shape", points=1, hidden=False, label="The shape is right"),
        TestEntry(name="test_values", points=1, hidden=True, label="Values on other images"),
        TestEntry(name="test_CANARY-of-a-hidden-test", points=1, hidden=True),
    ])])  # fmt: skip


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
    assert result["score"] == 1.5 and result["execution_time"] == 4.25
    assert result["stdout_visibility"] == "hidden"
    for entry in result["tests"]:
        assert entry["status"] == "failed" and entry["score"] == 0 and entry["max_score"] == 1


def test_the_summary_never_says_that_all_is_well_while_checks_are_hidden() -> None:
    assert summary(verdict()) == (
        "0 of 1 visible checks passed. 2 more checks, worth 2 points, are not shown."
    )


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
    outcome = Outcome(verdict=verdict(), executed=b"{}", log="staff\ud800 only")
    folder = write(tmp_path / "results", outcome, MANIFEST)
    assert folder == tmp_path / "results" / "101"
    assert sorted(file.name for file in folder.iterdir()) == [
        "executed.ipynb", "log.txt", "results.json", "verdict.json",
    ]  # fmt: skip
    assert msgspec.json.decode((folder / "verdict.json").read_bytes(), type=Verdict) == verdict()
    assert json.loads((folder / "results.json").read_bytes()) == gradescope(verdict(), MANIFEST)
    assert (folder / "log.txt").read_text() == "staff? only"


def test_what_an_earlier_grading_left_does_not_stay(tmp_path: Path) -> None:
    write(tmp_path, Outcome(verdict=verdict(), executed=b"{}", log="x"), MANIFEST)
    folder = write(tmp_path, Outcome(verdict=verdict(status=Standing.UNREADABLE)), MANIFEST)
    assert sorted(file.name for file in folder.iterdir()) == ["results.json", "verdict.json"]


@pytest.mark.parametrize("student", ["../x", "", "a/b", ".."])
def test_a_key_that_is_no_folder_name_is_refused(tmp_path: Path, student: str) -> None:
    with pytest.raises(StoreError, match="folder"):
        write(tmp_path / "results", Outcome(verdict=verdict(student=student)), MANIFEST)
    assert list(tmp_path.iterdir()) == []

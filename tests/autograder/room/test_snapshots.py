"""What happens to one question stays with it."""

from typing import Any

import pytest

from autograder.model import Outcome, Standing, Status

PASSED, FAILED, ERROR, TIMEOUT = Status.PASSED, Status.FAILED, Status.ERROR, Status.TIMEOUT
SHORT = {"cell_seconds": 4.0, "question_seconds": 4.0}


def scores(outcome: Outcome) -> dict[str, float]:
    assert outcome.verdict.status is Standing.GRADED, outcome.log
    found = {name: question.score for name, question in outcome.verdict.questions.items()}
    assert outcome.verdict.score == sum(found.values())
    return found


def statuses(outcome: Outcome, question: str = "q1") -> list[Status]:
    return [test.status for test in outcome.verdict.questions[question].tests]


def test_a_perfect_notebook_gets_everything_and_no_remark(rooms: Any) -> None:
    outcome = rooms.once("perfect")
    verdict = outcome.verdict
    assert scores(outcome) == {"q1": 4, "q2": 2}
    assert (verdict.score, verdict.possible) == (6, 6)
    assert (verdict.notes, verdict.remarks, verdict.message) == ([], [], "")
    assert verdict.isolation in ("A", "A-") and verdict.seconds > 0 and verdict.peak_mb < 512


def test_a_blank_notebook_gets_nothing(rooms: Any) -> None:
    outcome = rooms.once("blank")
    assert scores(outcome) == {"q1": 0, "q2": 0}
    assert statuses(outcome) == [FAILED, FAILED] and statuses(outcome, "q2") == [FAILED]


def test_a_syntax_error_costs_its_question_only(rooms: Any) -> None:
    outcome = rooms.once("has_syntax_error")
    assert scores(outcome) == {"q1": 0, "q2": 2}
    assert outcome.verdict.notes == ["code cell 2 raised SyntaxError"]
    message = outcome.verdict.questions["q1"].tests[0].message
    assert message.startswith("the notebook does not define f.")


def test_what_comes_after_the_check_does_not_matter(rooms: Any) -> None:
    assert scores(rooms.once("redefined_later")) == {"q1": 4, "q2": 2}


def test_of_two_checks_the_last_counts(rooms: Any) -> None:
    assert scores(rooms.once("mended_before_second_check")) == {"q1": 4, "q2": 2}
    assert scores(rooms.once("spoiled_before_second_check")) == {"q1": 0, "q2": 2}


def test_without_a_check_the_final_state_counts(rooms: Any) -> None:
    assert scores(rooms.once("never_checked")) == {"q1": 4, "q2": 2}


def test_calls_for_one_question_are_not_seen_by_another(rooms: Any, course: Any) -> None:
    outcome = rooms.grade("counts_its_calls", course.bundle("q1", "all"))
    assert outcome.verdict.questions["q1"].score == 4


def test_leaving_a_cell_goes_on_to_the_next(rooms: Any) -> None:
    outcome = rooms.once("exits_in_cells")
    assert scores(outcome) == {"q1": 4, "q2": 2}
    assert outcome.verdict.notes == [
        "code cell 4 raised SystemExit", "code cell 5 raised SystemExit",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        ("crashes_after_check", 4, "ended its process with exit code 1"),
        ("crashes_at_once", 1, "ended its process with exit code 7"),
        ("crashes_in_check_cell", 3, "ended its process with exit code 1"),
        ("segfaults", 4, "was killed by SIGSEGV"),
    ],
)
def test_a_cell_that_ends_its_process_is_left_out_and_the_notebook_goes_on(
    rooms: Any, name: str, cell: int, reason: str
) -> None:
    outcome = rooms.once(name)
    assert scores(outcome) == {"q1": 4, "q2": 2}
    assert f"code cell {cell} {reason} and was left out" in outcome.verdict.notes


def test_a_notebook_that_crashes_again_and_again_is_given_up_but_keeps_its_snapshots(
    rooms: Any,
) -> None:
    outcome = rooms.once("crashes_again_and_again")
    assert scores(outcome) == {"q1": 4, "q2": 0}
    assert len(outcome.verdict.notes) == 6
    assert "does not define g" in outcome.verdict.questions["q2"].tests[0].message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("exits_in_function", "the student's code tried to end the process ()"),
        ("crashes_in_function", "the student's code ended its process with exit code 1"),
        ("segfaults_in_function", "the student's code was killed by SIGSEGV"),
    ],
)
def test_a_function_that_ends_its_process_costs_its_question_only(
    rooms: Any, name: str, message: str
) -> None:
    outcome = rooms.once(name)
    assert scores(outcome) == {"q1": 0, "q2": 2}
    tests = outcome.verdict.questions["q1"].tests
    assert [(test.status, test.message) for test in tests] == [(ERROR, message)] * 2


def test_a_crash_in_one_test_does_not_cost_the_question_its_other_tests(rooms: Any) -> None:
    outcome = rooms.once("segfaults_every_second_time")
    assert statuses(outcome) == [PASSED, ERROR] and scores(outcome) == {"q1": 1, "q2": 2}


@pytest.mark.parametrize("name", ["loops_for_ever", "stubborn_loop"])
def test_a_cell_that_never_ends_is_interrupted_and_the_notebook_goes_on(
    rooms: Any, name: str
) -> None:
    outcome = rooms.grade(name, **SHORT)
    assert scores(outcome) == {"q1": 4, "q2": 2}
    assert outcome.verdict.remarks == [
        "Your code ran for more than 4 s in code cell 4 (question q2)."
    ]
    assert len(outcome.verdict.notes) == 1 and outcome.verdict.notes[0].startswith("code cell 4")


def test_a_function_that_never_ends_costs_its_question_only(rooms: Any) -> None:
    outcome = rooms.grade("loops_in_function", **SHORT)
    assert scores(outcome) == {"q1": 0, "q2": 2} and statuses(outcome) == [TIMEOUT, TIMEOUT]


def test_values_that_lie_about_themselves_get_nothing(rooms: Any) -> None:
    outcome = rooms.once("lies_with_subclasses")
    assert scores(outcome) == {"q1": 0, "q2": 0}
    assert "<Agreeable of the student>" in outcome.verdict.questions["q1"].tests[0].message


def test_replacing_the_graders_tools_gets_nothing(rooms: Any) -> None:
    outcome = rooms.once("patches_the_graders_tools")
    assert scores(outcome) == {"q1": 0, "q2": 0}


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("takes_memory", ["code cell 4 raised MemoryError"]),
        ("floods_output", ["room S printed more than 8 MiB past the shell",
                           "code cell 4 raised BrokenPipeError"]),
    ],
)  # fmt: skip
def test_excess_costs_its_cell_only(rooms: Any, name: str, notes: list[str]) -> None:
    outcome = rooms.grade(name, **SHORT)
    assert scores(outcome) == {"q1": 4, "q2": 2}
    found = [note.replace("_ArrayMemoryError", "MemoryError") for note in outcome.verdict.notes]
    assert found == notes


def test_a_fork_bomb_costs_no_question_that_was_answered(rooms: Any) -> None:
    outcome = rooms.once("fork_bomb")
    assert scores(outcome) == {"q1": 4, "q2": 2}
    assert "code cell 4 raised BlockingIOError" in outcome.verdict.notes


def test_too_much_memory_together_ends_the_largest_process_only(rooms: Any) -> None:
    outcome = rooms.grade("takes_memory_together", memory_mb=256)
    assert scores(outcome) == {"q1": 4, "q2": 2}
    assert outcome.verdict.remarks == [
        "Your code used more than 256 MB of memory in code cell 4 (question q2)."
    ]
    assert outcome.verdict.peak_mb > 100


@pytest.mark.parametrize("name", ["kills_everything", "closes_its_lines", "writes_into_its_lines"])
def test_sabotage_is_the_students_and_never_the_graders_error(rooms: Any, name: str) -> None:
    outcome = rooms.once(name)
    assert outcome.verdict.status is Standing.GRADED
    tests = [test for question in outcome.verdict.questions.values() for test in question.tests]
    assert all(test.status is not Status.GRADER_ERROR for test in tests)


def test_a_notebook_that_takes_too_long_altogether_is_ended(rooms: Any) -> None:
    outcome = rooms.grade("loops_for_ever", submission_seconds=6.0)
    assert scores(outcome)["q2"] == 0
    assert outcome.verdict.notes[0] == "The notebook was stopped: it took more than 6 s."

"""What M makes of what it hears, without a room."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from autograder.bundle import Checkpoint
from autograder.model import Limit, Limits, Outcome, Standing, Status
from autograder.notebook import read
from autograder.record import Record
from autograder.wire import packets

LIMITS = Limits(
    cell_seconds=30, cpu_seconds=90, memory_mb=2048, processes=40, disk_mb=512, files=3000,
    file_mb=64, open_files=100, output_kb=256,
)  # fmt: skip
HIDDEN = "test_arrays"
KILLED, TIME_UP, SEGMENT = -9, -24, -11
ONE_MORE, ARRAYS, NEGATIVE = (
    ("q1", "test_one_more"), ("q1", HIDDEN), ("q2", "test_refuses_negative_numbers"),
)  # fmt: skip
TESTS = ONE_MORE, ARRAYS, NEGATIVE
Make = Callable[..., Record]


@pytest.fixture
def make(course: Any, hand_in: Any, read_notebook: Any) -> Make:
    """A record of the perfect notebook, whose cells 1 to 3 belong to q1, 4 and 5 to q2."""
    manifest = course.bundle().manifest

    def record(data: bytes = b"", limits: Limits = LIMITS) -> Record:
        data = data or read_notebook("perfect")
        return Record(manifest, limits, hand_in(data), read(data))

    return record


def ran(record: Record, cell: int, limit: Limit | None = None, problem: str = "") -> None:
    record.hear_cell(packets.CellStarted(cell))
    record.hear_cell(packets.CellDone(cell, cell + 1, 0.5, problem, limit))


def lost(record: Record, cell: int, code: int, late: bool = False) -> None:
    record.hear_cell(packets.CellStarted(cell))
    record.hear_cell(packets.CellLost(cell, code, late))


def judged(record: Record, **changes: Any) -> Outcome:
    """The outcome if all tests pass but for ``changes``, by the test's name."""
    record.begin_judging()
    for question, test in TESTS:
        fields = {"status": Status.PASSED, "message": "", "seconds": 0.1} | changes.get(test, {})
        record.hear_test(packets.Tested(question, test, **fields))
    return outcome_of(record)


def outcome_of(record: Record) -> Outcome:
    return record.outcome("A", [], 2.0, retrained=False, log="")


def found(outcome: Outcome) -> dict[str, tuple[Status, str]]:
    tests = [test for question in outcome.verdict.questions.values() for test in question.tests]
    return {test.name: (test.status, test.message) for test in tests}


SENTENCES = {
    Limit.CELL: "Your code ran for more than 30 s in code cell 4 (question q2).",
    Limit.CPU: "Your code used more than 90 s of processor time in code cell 4 (question q2).",
    Limit.MEMORY: "Your code used more than 2 GB of memory in code cell 4 (question q2).",
    Limit.PROCESSES: "Your code started more than 40 processes or threads in code cell 4 "
    "(question q2).",
    Limit.DISK: "Your code filled its disk in code cell 4 (question q2): the working folder holds "
    "512 MB and 3000 files, /tmp and /dev/shm 128 MB each.",
    Limit.FILE: "Your code wrote a file of more than 64 MB in code cell 4 (question q2).",
    Limit.OPEN_FILES: "Your code opened more than 100 files at a time in code cell 4 "
    "(question q2).",
    Limit.OUTPUT: "Your notebook showed more than 256 kB by the end of code cell 4 (question q2); "
    "what came after is left out.",
}


@pytest.mark.parametrize("limit", Limit)
def test_each_limit_is_told_in_one_sentence_that_says_where(make: Make, limit: Limit) -> None:
    record = make()
    ran(record, 3, limit)
    assert judged(record).verdict.remarks == [SENTENCES[limit]]


def test_memory_is_told_in_the_unit_that_suits_it(make: Make) -> None:
    for megabytes, words in [(512, "512 MB"), (1024, "1 GB"), (1536, "1.5 GB")]:
        record = make(limits=Limits(memory_mb=megabytes))
        ran(record, 0, Limit.MEMORY)
        (remark,) = outcome_of(record).verdict.remarks
        assert f"more than {words} of memory in code cell 1 (question q1)." in remark


def test_a_cell_after_the_last_check_belongs_to_no_question(
    make: Make, read_notebook: Callable[[str], bytes]
) -> None:
    notebook = json.loads(read_notebook("perfect"))
    last = dict(notebook["cells"][-1], source="1")
    record = make(json.dumps(notebook | {"cells": [*notebook["cells"], last]}).encode())
    cells = sum(cell["cell_type"] == "code" for cell in notebook["cells"])
    ran(record, cells, Limit.CELL)
    assert outcome_of(record).verdict.remarks == [
        f"Your code ran for more than 30 s in code cell {cells + 1}."
    ]


def test_a_limit_met_again_in_the_same_cell_is_told_once(make: Make) -> None:
    record = make()
    record.hear_cell(packets.CellStarted(3))
    for _ in range(5):
        record.meet(Limit.MEMORY)
    record.hear_cell(packets.CellDone(3, 4, 0.5, "MemoryError", Limit.MEMORY))
    ran(record, 4, Limit.MEMORY)
    assert outcome_of(record).verdict.remarks == [
        SENTENCES[Limit.MEMORY], SENTENCES[Limit.MEMORY].replace("cell 4", "cell 5"),
    ]  # fmt: skip


MISSING = {"status": Status.ERROR, "message": "the notebook does not define g.", "missing": True}


@pytest.mark.parametrize(
    ("limit", "status"),
    [
        (Limit.CELL, Status.TIMEOUT),
        (Limit.CPU, Status.TIMEOUT),
        (Limit.MEMORY, Status.MEMORY),
        (Limit.DISK, Status.ERROR),
        (Limit.OUTPUT, Status.ERROR),
    ],
)
def test_a_test_that_misses_what_a_limit_kept_from_being_defined_says_so(
    make: Make, limit: Limit, status: Status
) -> None:
    record = make()
    ran(record, 3, limit)
    outcome = judged(record, test_refuses_negative_numbers=MISSING)
    told = f"{SENTENCES[limit]} " if status is not Status.ERROR else ""
    assert found(outcome)[NEGATIVE[1]] == (status, f"{told}the notebook does not define g.")
    assert outcome.verdict.score == 4 and outcome.verdict.status is Standing.GRADED


def test_a_limit_met_for_another_question_explains_nothing(make: Make) -> None:
    record = make()
    ran(record, 1, Limit.CELL)
    outcome = judged(record, test_refuses_negative_numbers=MISSING)
    assert found(outcome)[NEGATIVE[1]] == (Status.ERROR, MISSING["message"])


def test_a_limit_does_not_explain_away_a_wrong_answer(make: Make) -> None:
    record = make()
    ran(record, 3, Limit.CELL)
    wrong = {"status": Status.FAILED, "message": "no ValueError"}
    outcome = judged(record, test_refuses_negative_numbers=wrong)
    assert found(outcome)[NEGATIVE[1]] == (Status.FAILED, "no ValueError")


def test_the_limit_is_told_of_the_cell_where_it_was_met(make: Make) -> None:
    record = make()
    ran(record, 1, Limit.CELL)
    ran(record, 3, Limit.CELL)
    outcome = judged(record, test_refuses_negative_numbers=MISSING)
    assert found(outcome)[NEGATIVE[1]][1].startswith(SENTENCES[Limit.CELL])


def died(code: int) -> dict[str, Any]:
    return {"status": Status.ERROR, "message": "the student's code died", "died": code}


def test_a_process_that_dies_in_a_test_after_a_memory_kill_had_too_much(make: Make) -> None:
    record = make()
    record.begin_judging()
    record.hear_test(packets.Tested(*ONE_MORE, Status.PASSED, "", 0.1))
    record.meet(Limit.MEMORY)
    record.hear_test(packets.Tested(*ARRAYS, **died(KILLED), seconds=0.1))
    record.hear_test(packets.Tested(*NEGATIVE, Status.PASSED, "", 0.1))
    outcome = outcome_of(record)
    assert found(outcome)[HIDDEN] == (Status.MEMORY, "Your code used more than 2 GB of memory.")
    assert record.disturbances == [] and outcome.verdict.score == 3


def test_a_memory_kill_explains_one_death_only(make: Make) -> None:
    record = make()
    record.begin_judging()
    record.meet(Limit.MEMORY)
    record.hear_test(packets.Tested(*ONE_MORE, **died(KILLED), seconds=0.1))
    record.hear_test(packets.Tested(*NEGATIVE, **died(KILLED), seconds=0.1))
    assert found(outcome_of(record))[NEGATIVE[1]][0] is Status.ERROR
    assert record.disturbances == ["q2 test_refuses_negative_numbers"]


@pytest.mark.parametrize(("code", "disturbed"), [(KILLED, True), (SEGMENT, False), (3, False)])
def test_a_process_that_dies_in_a_test_is_an_error_and_unexplained_if_killed(
    make: Make, code: int, disturbed: bool
) -> None:
    record = make()
    outcome = judged(record, test_arrays=died(code))
    assert found(outcome)[HIDDEN] == (Status.ERROR, "the student's code died")
    assert record.disturbances == ([f"q1 {HIDDEN}"] if disturbed else [])


def test_tests_of_a_room_that_was_stopped_say_why(make: Make) -> None:
    record = make()
    record.stop("it took more than 900 s", Status.TIMEOUT)
    outcome = judged(record, test_one_more=died(KILLED), test_arrays=died(KILLED))
    why = "The notebook was stopped: it took more than 900 s."
    assert found(outcome)["test_one_more"] == found(outcome)[HIDDEN] == (Status.TIMEOUT, why)
    assert outcome.verdict.remarks == [why] and outcome.verdict.notes == [why]
    assert record.disturbances == [] and outcome.verdict.score == 2


def test_a_lost_cell_is_told_and_shown_as_left_out(make: Make) -> None:
    record = make()
    ran(record, 0)
    lost(record, 3, SEGMENT)
    outcome = judged(record)
    assert outcome.verdict.remarks == [
        "Your code in code cell 4 (question q2) was killed by SIGSEGV; that cell was left out."
    ]
    assert outcome.verdict.notes == ["code cell 4 was killed by SIGSEGV and was left out"]
    assert b"This cell was killed by SIGSEGV and was left out." in outcome.executed
    assert outcome.verdict.score == 6 and record.disturbances == []


@pytest.mark.parametrize(
    ("code", "late", "limit"),
    [(KILLED, True, Limit.CELL), (3, True, Limit.CELL), (TIME_UP, False, Limit.CPU)],
)
def test_a_cell_lost_for_a_limit_is_told_by_the_limit_alone(
    make: Make, code: int, late: bool, limit: Limit
) -> None:
    record = make()
    lost(record, 3, code, late)
    assert judged(record).verdict.remarks == [SENTENCES[limit]] and record.disturbances == []


def test_a_cell_lost_after_a_memory_kill_had_too_much(make: Make) -> None:
    record = make()
    record.hear_cell(packets.CellStarted(3))
    record.meet(Limit.MEMORY)
    record.hear_cell(packets.CellLost(3, KILLED, False))
    outcome = judged(record, test_refuses_negative_numbers=MISSING)
    assert outcome.verdict.remarks == [SENTENCES[Limit.MEMORY]] and record.disturbances == []
    assert found(outcome)[NEGATIVE[1]][0] is Status.MEMORY


@pytest.mark.parametrize(("code", "disturbed"), [(KILLED, True), (SEGMENT, False), (1, False)])
def test_a_lost_cell_that_nobody_known_has_killed_is_a_disturbance(
    make: Make, code: int, disturbed: bool
) -> None:
    record = make()
    lost(record, 3, code)
    assert record.disturbances == (["cell 3"] if disturbed else [])


def test_remarks_are_bounded_however_much_a_room_says(make: Make) -> None:
    record = make()
    for cell in range(300):
        ran(record, cell, Limit.CELL, problem="X" * 1000)
        lost(record, 1000 + cell, 1)
    verdict = outcome_of(record).verdict
    assert len(verdict.remarks) == 50 and len(verdict.notes) <= 60
    assert all(len(line) < 200 for line in (*verdict.remarks, *verdict.notes))


def test_remarks_never_tell_of_hidden_tests(make: Make) -> None:
    record = make()
    ran(record, 3, Limit.CELL)
    record.begin_judging()
    record.meet(Limit.MEMORY)
    record.hear_test(packets.Tested(*ARRAYS, **died(KILLED), seconds=0.1))
    record.meet(Limit.MEMORY)
    record.hear_test(packets.Tested(*NEGATIVE, Status.ERROR, "canary", 0.1, True, SEGMENT))
    shown = json.dumps(outcome_of(record).verdict.remarks)
    assert "arrays" not in shown and "canary" not in shown and "memory" not in shown
    assert shown == json.dumps([SENTENCES[Limit.CELL]])


def test_a_test_that_was_not_judged_scores_nobody(make: Make) -> None:
    record = make()
    record.begin_judging()
    record.hear_test(packets.Tested(*ONE_MORE, Status.PASSED, "", 0.1))
    verdict = outcome_of(record).verdict
    assert (verdict.status, verdict.score) == (Standing.GRADER_ERROR, 0)
    assert verdict.message == "Room T did not judge every test: look at log.txt."


@pytest.fixture
def dependent(course: Any, question: Any, hand_in: Any, read_notebook: Any) -> Record:
    """A record in which q2 builds on q1, whose smoke test is ``test_one_more``."""
    manifest = course.bundle("q1", question("q2", requires=["q1"])).manifest
    data = read_notebook("perfect")
    return Record(manifest, LIMITS, hand_in(data), read(data))


FAILS = {"status": Status.FAILED, "message": "expected 2"}
SKIPPED = {"status": Status.SKIPPED, "message": "canary"}


def test_what_builds_on_a_failed_smoke_test_is_skipped_and_told_why(dependent: Record) -> None:
    outcome = judged(dependent, test_one_more=FAILS, test_refuses_negative_numbers=SKIPPED)
    assert found(outcome)[NEGATIVE[1]] == (
        Status.SKIPPED,
        "Skipped: this question builds on q1, whose first check did not pass. Mend q1 first.",
    )
    assert found(outcome)[HIDDEN][0] is Status.PASSED
    assert outcome.verdict.status is Standing.GRADED and outcome.verdict.score == 3
    assert outcome.verdict.remarks == [
        "Question q2 builds on q1, whose first check did not pass: 1 further check of q2 was "
        "skipped and earned no points. Mend q1 first."
    ]


def test_room_t_may_skip_nothing_without_a_failed_smoke_test(dependent: Record) -> None:
    outcome = judged(dependent, test_arrays=FAILS, test_refuses_negative_numbers=SKIPPED)
    assert found(outcome)[NEGATIVE[1]] == (
        Status.GRADER_ERROR, "room T skipped a test without a reason",
    )  # fmt: skip
    assert outcome.verdict.status is Standing.GRADER_ERROR


def test_room_t_may_not_ask_what_is_to_be_skipped(dependent: Record) -> None:
    outcome = judged(dependent, test_one_more=FAILS)
    assert found(outcome)[NEGATIVE[1]] == (
        Status.GRADER_ERROR, "room T asked a test that was to be skipped",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["test_one_more", HIDDEN])
def test_room_t_may_not_skip_the_question_itself(dependent: Record, name: str) -> None:
    outcome = judged(dependent, **{name: SKIPPED})
    assert found(outcome)[name][0] is Status.GRADER_ERROR


FILE, ANEW = "weights.bin", b"trained here"
CHECKPOINT = Checkpoint(file=FILE, question="q1", tests=[HIDDEN], credit=0.8)
REST = "the checks of question q1 that rest on it earn at most 80% of their points."
NOT_HANDED_IN = f"{FILE} was not handed in: {REST}"
WRITTEN_ANEW = (
    f"{FILE} was handed in, but the notebook wrote it anew here instead of loading it: {REST}"
)


@pytest.mark.parametrize(
    ("given", "made", "retrained", "points", "remarks"),
    [
        (None, ANEW, False, 2.4, [NOT_HANDED_IN]),
        (None, None, False, 2.4, [NOT_HANDED_IN]),
        (None, ANEW, True, 2.4, [NOT_HANDED_IN]),
        (b"by hand", b"by hand", False, 3, []),
        (b"by hand", None, False, 3, []),
        (b"", ANEW, False, 2.4, [WRITTEN_ANEW]),
        (b"cut off", ANEW, False, 2.4, [WRITTEN_ANEW]),
        (b"by hand", ANEW, True, 3, []),
    ],
)
def test_what_rests_on_weights_earns_less_where_they_were_not_handed_in(
    course: Any, hand_in: Any, read_notebook: Any,
    given: bytes | None, made: bytes | None, retrained: bool, points: float, remarks: list[str],
) -> None:  # fmt: skip
    data = read_notebook("perfect")
    submission = hand_in(data, files={} if given is None else {FILE: given})
    manifest = course.bundle(checkpoints=[CHECKPOINT]).manifest
    record = Record(manifest, LIMITS, submission, read(data))
    if made is not None:
        record.files[FILE] = made
    judged(record)
    verdict = record.outcome("A", [], 2.0, retrained=retrained, log="").verdict
    one_more, arrays = verdict.questions["q1"].tests
    assert (one_more.points, arrays.points, arrays.possible) == (1, points, 3)
    assert arrays.status is Status.PASSED and verdict.score == 3 + points
    assert verdict.remarks == remarks


def test_less_credit_gives_nothing_to_a_test_that_failed(
    course: Any, hand_in: Any, read_notebook: Any
) -> None:
    data = read_notebook("perfect")
    manifest = course.bundle(checkpoints=[CHECKPOINT]).manifest
    outcome = judged(Record(manifest, LIMITS, hand_in(data), read(data)), test_arrays=FAILS)
    assert outcome.verdict.questions["q1"].tests[1].points == 0 and outcome.verdict.score == 3
    assert outcome.verdict.remarks == [NOT_HANDED_IN]


def test_what_rooms_lack_is_in_the_verdict(make: Make) -> None:
    verdict = make().outcome("B", ["a network of its own"], 1.0, retrained=False, log="").verdict
    assert (verdict.isolation, verdict.lacking) == ("B", ["a network of its own"])

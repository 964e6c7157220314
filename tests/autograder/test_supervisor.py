"""M alone, with rooms that say what they are told to, and with real ones."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import nbformat
import pytest

from autograder.bundle import Checkpoint
from autograder.errors import RoomError
from autograder.model import Outcome, Standing, Status
from autograder.room.host import Room
from autograder.room.walls import ALL
from autograder.supervisor import Interrupted, Supervisor
from autograder.wire import packets

Say = Callable[[socket.socket, int, int], None]
"""Plays a room: its control line, its output, and its process 1."""


class Script:
    """A warm process whose rooms play ``say``."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._opened: list[tuple[subprocess.Popen[bytes], threading.Thread]] = []
        self._dying: list[Room] = []
        self.walls, self.pid = ALL, os.getpid()

    def wait(self) -> packets.Warm:
        return packets.Warm("A", [])

    def open(self, limits: Any, lines: Any = ()) -> Room:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, inlet = os.pipe()
        os.set_blocking(output, False)
        init = subprocess.Popen(["sleep", "600"])
        own = [os.dup(line) for line in lines]

        def play() -> None:
            try:
                packets.send(theirs, packets.Ready())
                self._say(theirs, inlet, init.pid)
                while theirs.recv(1 << 17):  # stays until M hangs up
                    pass
            except OSError:
                pass
            finally:
                theirs.close()
                for number in (inlet, *own):
                    os.close(number)

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        self._opened.append((init, thread))
        host: Any = self
        return Room(init.pid, os.pidfd_open(init.pid), ours, output, None, host)

    def see_off(self, room: Room) -> None:
        self._dying.append(room)

    def bury(self, pid: int) -> int:
        return next(init for init, _ in self._opened if init.pid == pid).wait()

    def close(self) -> None:
        for init, thread in self._opened:
            init.kill()
            init.wait()
            thread.join(10)
        for room in self._dying:
            room.rest()


def finished(control: socket.socket, output: int, init: int) -> None:
    packets.send(control, packets.Finished())


def says(*said: Any) -> Say:
    def say(control: socket.socket, output: int, init: int) -> None:
        for packet in said:
            packets.send(control, packet)

    return say


def verdicts(**more: Any) -> list[packets.Tested]:
    """What T says of a perfect notebook, with changes."""
    return [
        packets.Tested(question, test, **{"status": Status.PASSED, "message": "", "seconds": 0.1}
                       | more.get(test, {}))
        for question, test in [
            ("q1", "test_one_more"), ("q1", "test_arrays"), ("q2", "test_refuses_negative_numbers"),
        ]
    ]  # fmt: skip


@pytest.fixture
def play(course: Any, hand_in: Any, read_notebook: Any) -> Iterator[Callable[..., Outcome]]:
    """Grades the perfect notebook in rooms that play a part."""
    scripts: list[Script] = []

    def grade(student: Say = finished, judge: Say | None = None, bundle: Any = None,
              stopped: Callable[[], bool] = lambda: False, **limits: Any) -> Outcome:  # fmt: skip
        judge = judge or says(*verdicts(), packets.Finished())
        pair = [Script(student), Script(judge)]
        scripts.extend(pair)
        chosen = bundle or course.bundle()
        wanted = msgspec.structs.replace(chosen.manifest.limits, **limits)
        supervisor = Supervisor(chosen, *pair, wanted)  # type: ignore[arg-type]
        return supervisor.grade(hand_in(read_notebook("perfect")), stopped=stopped)[0]

    yield grade
    for script in scripts:
        script.close()


def test_the_verdict_is_what_the_judge_said(play: Callable[..., Outcome]) -> None:
    verdict = play().verdict
    assert (verdict.status, verdict.score, verdict.possible) == (Standing.GRADED, 6, 6)
    assert verdict.isolation == "A" and verdict.student == "101"
    test = verdict.questions["q1"].tests[0]
    assert (test.name, test.points, test.possible, test.hidden) == ("test_one_more", 1, 1, False)


def test_points_come_from_the_manifest_and_the_status_only(play: Callable[..., Outcome]) -> None:
    failed = {"status": Status.FAILED, "message": "no"}
    verdict = play(judge=says(*verdicts(test_arrays=failed), packets.Finished())).verdict
    assert verdict.score == 3 and verdict.questions["q1"].score == 1
    assert [test.points for test in verdict.questions["q1"].tests] == [1, 0]


@pytest.mark.parametrize(("question", "test"), [("q1", "test_more"), ("q9", "test_one_more")])
def test_a_judge_that_judges_what_the_manifest_does_not_know_is_the_graders_error(
    play: Callable[..., Outcome], question: str, test: str
) -> None:
    unknown = packets.Tested(question, test, Status.PASSED, "", 0.0)
    verdict = play(judge=says(unknown, *verdicts(), packets.Finished())).verdict
    assert (verdict.status, verdict.score) == (Standing.GRADER_ERROR, 0)
    assert verdict.message == f"room T judged a test that is not in the manifest: {test}"


def test_long_texts_are_bounded(play: Callable[..., Outcome]) -> None:
    judge = says(*verdicts(test_one_more={"message": "x" * 9000}), packets.Finished())
    assert len(play(judge=judge).verdict.questions["q1"].tests[0].message) == 4000


@pytest.mark.parametrize("seconds", [-5.0, float("inf"), float("nan")])
def test_a_judge_that_says_what_cannot_be_is_the_graders_error(
    play: Callable[..., Outcome], seconds: float
) -> None:
    judge = says(*verdicts(test_one_more={"seconds": seconds}), packets.Finished())
    assert play(judge=judge).verdict.status is Standing.GRADER_ERROR


@pytest.mark.parametrize("said", [0, 1, 2])
def test_a_judge_that_ends_early_is_the_graders_error(
    play: Callable[..., Outcome], said: int
) -> None:
    def judge(control: socket.socket, output: int, init: int) -> None:
        _, lines = packets.receive(control, packets.Judge, 64)
        for line in lines:
            os.close(line)
        says(*verdicts()[:said])(control, output, init)
        os.write(output, b"last words")
        control.shutdown(socket.SHUT_RDWR)
        os.kill(init, signal.SIGKILL)

    outcome = play(judge=judge)
    assert outcome.verdict.status is Standing.GRADER_ERROR
    assert "== room T ==" in outcome.log
    tests = [test for question in outcome.verdict.questions.values() for test in question.tests]
    assert [test.status for test in tests].count(Status.GRADER_ERROR) == 3 - said


def test_a_judge_that_is_gone_before_it_is_asked_is_the_graders_error(
    play: Callable[..., Outcome],
) -> None:
    def judge(control: socket.socket, output: int, init: int) -> None:
        os.write(output, b"last words")
        control.shutdown(socket.SHUT_RDWR)

    def student(control: socket.socket, output: int, init: int) -> None:
        time.sleep(0.5)
        packets.send(control, packets.Finished())

    outcome = play(student=student, judge=judge)
    assert outcome.verdict.status is Standing.GRADER_ERROR
    assert outcome.verdict.message == "room T closed before it judged: last words"


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        msgspec.msgpack.encode(packets.CellStarted(1)),
        msgspec.msgpack.encode({"type": "Tested", "question": "q1", "test": "t", "seconds": 1.0,
                                "status": "perfect", "message": ""}),
        msgspec.msgpack.encode({"type": "Tested", "question": "q1", "test": "test_one_more",
                                "status": "passed", "message": "", "seconds": "fast"}),
    ],
)  # fmt: skip
def test_a_judge_that_says_what_is_no_verdict_is_the_graders_error(
    play: Callable[..., Outcome], data: bytes
) -> None:
    outcome = play(judge=lambda control, output, init: control.send(data) and None)
    assert outcome.verdict.status is Standing.GRADER_ERROR
    assert outcome.verdict.message.startswith("room T sent what is no verdict")
    assert outcome.verdict.questions == {} and outcome.verdict.score == 0


def test_a_judge_that_is_stuck_is_the_graders_error(
    play: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.supervisor._GRACE_SECONDS", 0.2)
    outcome = play(judge=says(*verdicts()[:1]), question_seconds=0.2)
    assert outcome.verdict.status is Standing.GRADER_ERROR


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"",
        msgspec.msgpack.encode(packets.Tested("q1", "test_arrays", Status.PASSED, "", 0.0)),
        msgspec.msgpack.encode(packets.RoomOpened(1)),
        msgspec.msgpack.encode({"type": "CellStarted", "index": True}),
        msgspec.msgpack.encode(packets.Piece("x", bytes(200_000), True)),
    ],
    ids=["nonsense", "nothing", "a verdict", "a room", "a truth value", "too much at once"],
)
def test_a_students_room_that_says_what_it_should_not_is_ended(
    play: Callable[..., Outcome], data: bytes
) -> None:
    outcome = play(student=lambda control, output, init: control.send(data) and None)
    assert outcome.verdict.notes == ["The notebook was stopped: it ended its own room."]
    assert outcome.verdict.status is Standing.GRADED


@pytest.mark.parametrize(
    "packet",
    [
        packets.CellOutput(0, bytes(40_000)),
        packets.Piece("weights.bin", bytes(40_000), False),
        packets.Piece("other", bytes(40_000), True),
        packets.CellStarted(7),
        packets.CellDone(1, 1, 1.0, "x" * 40_000),
        packets.Checked("q1"),
    ],
    ids=lambda packet: type(packet).__name__,
)
def test_nobody_makes_the_supervisor_remember_without_end(
    play: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, packet: packets.Packet
) -> None:
    monkeypatch.setattr("autograder.supervisor._PACKET_COST", 100_000)

    def flood(control: socket.socket, output: int, init: int) -> None:
        while True:
            packets.send(control, packet)

    outcome = play(student=flood, submission_seconds=30.0)
    assert outcome.verdict.notes[0] == "The notebook was stopped: it ended its own room."


class Short:
    """A control group that has had a process killed for memory."""

    memory_kills = 1

    def kill(self) -> None: ...

    def remove(self) -> None: ...


def test_a_memory_kill_explains_the_cell_that_it_cost_even_if_much_was_said_before(
    course: Any, hand_in: Any, read_notebook: Any
) -> None:
    class Crowded(Script):
        def open(self, limits: Any, lines: Any = ()) -> Room:
            room = super().open(limits, lines)
            room._group = Short()  # type: ignore[assignment]
            return room

    student = Crowded(says(
        packets.CellStarted(0), packets.CellDone(0, 1, 0.1, ""), packets.CellStarted(1),
        packets.CellLost(1, -signal.SIGKILL, False), packets.Finished(),
    ))  # fmt: skip
    judge = Script(says(*verdicts(), packets.Finished()))
    supervisor = Supervisor(course.bundle(), student, judge)  # type: ignore[arg-type]
    outcome, disturbances = supervisor.grade(hand_in(read_notebook("perfect")))
    assert disturbances == []
    assert outcome.verdict.remarks == [
        "Your code used more than 512 MB of memory in code cell 2 (question q1)."
    ]
    for script in (student, judge):
        script.close()


def test_files_that_nobody_expects_are_not_taken(play: Callable[..., Outcome]) -> None:
    student = says(
        packets.Piece("weights.bin", b"half ", False), packets.Piece("weights.bin", b"whole", True),
        packets.Piece("../../etc/passwd", b"root", True), packets.Piece("tiny.ipynb", b"x", True),
        packets.Piece("weights.bin", b"again", True), packets.Finished(),
    )  # fmt: skip
    assert play(student=student).artefacts == {"weights.bin": b"half whole"}


def test_outputs_that_are_no_outputs_leave_a_valid_notebook(play: Callable[..., Outcome]) -> None:
    student = says(
        packets.CellStarted(0), packets.CellOutput(0, b'[{"output_type": "evil"}]'),
        packets.CellDone(0, 1, 0.1, ""),
        packets.CellStarted(1), packets.CellOutput(1, b'[{"output_type": "stream", "name": "s'),
        packets.CellStarted(99), packets.CellOutput(-1, b"[]"), packets.Finished(),
    )  # fmt: skip
    made = nbformat.reads(play(student=student).executed.decode(), 4)
    nbformat.validate(made)
    code = [cell for cell in made.cells if cell.cell_type == "code"]
    assert ["damaged" in str(cell.outputs) for cell in code[:2]] == [True, True]
    assert "was not run" in str(code[2].outputs)


def test_what_a_room_prints_is_kept_up_to_a_limit(
    play: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.supervisor.LOG_LIMIT", 10)

    def student(control: socket.socket, output: int, init: int) -> None:
        os.write(output, b"0123456789 and more \xff")
        time.sleep(0.5)
        packets.send(control, packets.Finished())

    assert "== room S ==\n0123456789\n" in play(student=student).log


def test_a_room_that_dies_before_it_is_ready_is_the_graders_error(
    course: Any, hand_in: Any, read_notebook: Any
) -> None:
    class Refusing(Script):
        def open(self, limits: Any, lines: Any = ()) -> Room:
            raise RoomError("no room could be opened: no memory")

    supervisor = Supervisor(course.bundle(), Refusing(finished), Refusing(finished))  # type: ignore[arg-type]
    outcome, disturbances = supervisor.grade(hand_in(read_notebook("perfect")))
    assert outcome.verdict.status is Standing.GRADER_ERROR
    assert outcome.verdict.message == "no room could be opened: no memory" and not disturbances
    assert (outcome.verdict.score, outcome.verdict.questions) == (0, {})


def test_grading_can_be_stopped_from_outside(play: Callable[..., Outcome]) -> None:
    with pytest.raises(Interrupted):
        play(student=says(), stopped=lambda: True)
    with pytest.raises(Interrupted):
        asked = iter([False, *[True] * 100])
        play(judge=says(), stopped=lambda: next(asked))


@pytest.mark.parametrize(
    ("data", "problem", "message"),
    [
        (b"%PDF-1.4", "", "a PDF document"),
        (b"", "", "empty"),
        (b"{}", "", "not a notebook"),
        (b'{"nbformat": 4}', "", "no list of cells"),
        (b"", "No notebook was handed in.", "No notebook was handed in."),
    ],
)
def test_what_is_no_notebook_is_unreadable_and_no_room_is_opened(
    course: Any, hand_in: Any, data: bytes, problem: str, message: str
) -> None:
    script = Script(finished)
    supervisor = Supervisor(course.bundle(), script, script)  # type: ignore[arg-type]
    outcome, disturbances = supervisor.grade(hand_in(data, problem=problem))
    assert not disturbances
    assert outcome.verdict.status is Standing.UNREADABLE and message in outcome.verdict.message
    assert (outcome.verdict.score, outcome.verdict.possible, outcome.executed) == (0, 6, b"")
    assert script._opened == []


def test_all_or_nothing_gives_nothing_for_a_part(play: Callable[..., Outcome], course: Any,
                                                 question: Any) -> None:  # fmt: skip
    strict = course.bundle(question("q1", all_or_nothing=True), "q2")
    assert play(bundle=strict).verdict.score == 6
    failed = {"status": Status.FAILED, "message": "no"}
    judge = says(*verdicts(test_one_more=failed), packets.Finished())
    assert play(judge=judge, bundle=strict).verdict.questions["q1"].score == 0


def outputs(outcome: Outcome) -> list[list[dict[str, Any]]]:
    return [cell["outputs"] for cell in json.loads(outcome.executed)["cells"]
            if cell["cell_type"] == "code"]  # fmt: skip


def test_every_kind_of_output_is_in_the_executed_notebook(rooms: Any) -> None:
    outcome = rooms.once("shows_everything")
    made = nbformat.reads(outcome.executed.decode(), 4)
    nbformat.validate(made)
    _, _, check, printed, figure, table, rich, failed = outputs(outcome)
    assert check[0]["output_type"] == "execute_result"
    assert "passed" in check[0]["data"]["text/plain"]
    assert [(one["name"], one["text"]) for one in printed] == [
        ("stdout", "to stdout\n"), ("stderr", "to stderr\n"), ("stdout", "again\n"),
    ]  # fmt: skip
    assert {one["output_type"] for one in figure} <= {"execute_result", "display_data"}
    assert any(one["data"].get("image/png", "").startswith("iVBOR") for one in figure)
    assert table[0]["output_type"] == "execute_result" and table[0]["execution_count"] == 6
    assert "<table" in table[0]["data"]["text/html"]
    assert rich[0]["output_type"] == "display_data" and "<b>" in rich[0]["data"]["text/html"]
    assert any("echo" not in one.get("text", "") and "from the shell" in one.get("text", "")
               for one in rich)  # fmt: skip
    assert failed[0]["output_type"] == "error" and failed[0]["ename"] == "ZeroDivisionError"
    assert [cell.execution_count for cell in made.cells if cell.cell_type == "code"] == list(
        range(1, 9)
    )


def test_the_executed_notebook_keeps_what_was_handed_in(rooms: Any, read_notebook: Any) -> None:
    before = json.loads(read_notebook("perfect"))
    after = json.loads(rooms.once("perfect").executed)
    assert [cell["cell_type"] for cell in after["cells"]] == [
        cell["cell_type"] for cell in before["cells"]
    ]
    assert all("".join(a["source"]) == "".join(b["source"])
               for a, b in zip(after["cells"], before["cells"], strict=True))  # fmt: skip


def test_output_beyond_the_limit_is_cut_off_with_a_remark(rooms: Any) -> None:
    outcome = rooms.once("shows_too_much")
    shown = outputs(outcome)
    text = "".join(one["text"] for one in shown[3])
    assert 60_000 < len(text) < 70_000 and "Output stops here" in text
    assert shown[4] == []
    assert outcome.verdict.score == 6


def test_cells_that_were_left_out_say_so_in_the_executed_notebook(rooms: Any) -> None:
    text = outputs(rooms.once("crashes_after_check"))[3][0]["text"]
    assert text == "[This cell ended its process with exit code 1 and was left out.]\n"


def test_nothing_that_is_printed_during_hidden_tests_reaches_the_executed_notebook(
    rooms: Any,
) -> None:
    outcome = rooms.once("prints_what_it_is_asked")
    assert outcome.verdict.score == 6
    shown = outputs(outcome)
    assert str(shown[2]).count("asked") == 2 and "asked 1" in str(shown[2])
    assert "array" not in str(shown) and "-1" not in str(shown[2:])
    assert "asked later" not in str(shown[4:])
    assert "asked array([" in outcome.log


def test_no_trace_of_tests_or_secret_is_in_what_students_may_see(rooms: Any) -> None:
    from autograder.results import gradescope

    for name in ("perfect", "blank", "prints_what_it_is_asked", "looks_around"):
        outcome = rooms.once(name)
        shown = json.dumps(gradescope(outcome.verdict, rooms.lender.bundle.manifest))
        for data in (outcome.executed, shown.encode(), *outcome.artefacts.values()):
            assert b"canary" not in data and b"test_arrays(" not in data


def test_public_tests_of_all_questions_are_run_before_any_hidden_one(
    rooms: Any, course: Any
) -> None:
    outcome = rooms.grade("perfect", course.bundle("counts", "counts_too"))
    tests = [test for question in outcome.verdict.questions.values() for test in question.tests]
    assert [test.status for test in tests] == [Status.PASSED] * 4, tests


def test_a_test_that_ends_its_room_scores_nobody(rooms: Any, course: Any) -> None:
    from autograder.results import gradescope

    bundle = course.bundle("dies", "q1")
    outcome = rooms.grade("perfect", bundle)
    assert outcome.verdict.status is Standing.GRADER_ERROR
    tests = {test.name: test.status for question in outcome.verdict.questions.values()
             for test in question.tests}  # fmt: skip
    assert tests["test_that_ends_its_room"] is Status.GRADER_ERROR
    assert tests["test_arrays"] is Status.GRADER_ERROR and tests["test_before"] is Status.PASSED
    assert "score" not in gradescope(outcome.verdict, bundle.manifest)


def test_expected_files_are_taken_from_the_room(rooms: Any) -> None:
    outcome = rooms.once("writes_its_weights")
    assert outcome.artefacts == {"weights.bin": b"trained"}
    assert outputs(outcome)[3][0]["text"] == "made\n" and not outcome.verdict.retrained


@pytest.mark.parametrize(
    ("files", "retrain", "score"),
    [({}, 0.0, 4.5), ({"weights.bin": b"by hand"}, 0.0, 6), ({"weights.bin": b"by hand"}, 1.0, 6)],
)
def test_weights_trained_in_a_room_earn_less_unless_staff_took_the_others_away(
    rooms: Any, files: dict[str, bytes], retrain: float, score: float
) -> None:
    checkpoint = Checkpoint(file="weights.bin", question="q1", tests=["test_arrays"], credit=0.5)
    bundle = rooms.course.bundle(checkpoints=[checkpoint])
    outcome = rooms.grade("writes_its_weights", bundle, files=files, retrain=retrain)
    assert outcome.verdict.score == score and outcome.verdict.status is Standing.GRADED
    assert len(outcome.verdict.remarks) == (score < 6)


def test_files_that_were_handed_in_are_there_unless_they_are_taken_away(rooms: Any) -> None:
    files = {"weights.bin": b"by hand"}
    kept = rooms.grade("writes_its_weights", files=files)
    assert outputs(kept)[3][0]["text"] == "found\n" and kept.artefacts == files
    assert not kept.verdict.retrained
    afresh = rooms.grade("writes_its_weights", files=files, retrain=1.0)
    assert outputs(afresh)[3][0]["text"] == "made\n" and afresh.verdict.retrained
    assert afresh.artefacts == {"weights.bin": b"trained"}

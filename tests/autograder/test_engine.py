import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autograder.engine import Engine, Settings, _lay_out, environment
from autograder.errors import IsolationError, RoomError
from autograder.model import Limits, Standing, Status, Student, Submission
from autograder.room.host import Warm
from autograder.room.walls import ALL, NEXT_TO_NONE, WITHOUT_NAMESPACES, Wall, level
from autograder.supervisor import Interrupted
from autograder.wire import packets

Keys = Callable[..., str]


class Unstarted(Engine):
    def _start(self) -> None:
        self.isolation = "A"


@pytest.fixture
def key(course: Any) -> Keys:
    """The result key of a submission, engine and bundle that differ in what is named."""
    bundle = course.bundle()

    def make(settings: dict[str, Any] | None = None, other: Any = None, **changes: Any) -> str:
        given = {"student": Student(id="101", name="Lovelace, Ada"), "source": "by hand",
                 "notebook": b"nb", "files": {"a": b"1", "b": b"2"}}  # fmt: skip
        with Unstarted(other or bundle, Settings(**{"secret": "s"} | (settings or {}))) as engine:
            return engine.key(Submission(**given | changes))

    return make


def test_the_same_submission_has_the_same_key(key: Keys) -> None:
    assert key() == key() and len(key()) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"source": "elsewhere"},
        {"attempt": 2},
        {"late": True},
        {"student": Student(id="101", name="King, Ada", section="2", login="x")},
        {"files": {"b": b"2", "a": b"1"}},
        {"settings": {"rooms": 7}},
        {"settings": {"retrain": 0.0}},
    ],
    ids=str,
)
def test_what_cannot_change_the_outcome_does_not_change_the_key(
    key: Keys, change: dict[str, Any]
) -> None:
    assert key(**change) == key()


@pytest.mark.parametrize(
    "change",
    [
        {"notebook": b"nb2"},
        {"files": {"a": b"1"}},
        {"files": {"a": b"2", "b": b"1"}},
        {"files": {"a": b"1b2"}},
        {"files": {"a1b": b"2"}},
        {"student": Student(id="102", name="Lovelace, Ada")},
        {"problem": "unreadable"},
        {"settings": {"secret": "t"}},
        {"settings": {"limits": Limits(cell_seconds=59)}},
        {"settings": {"retrain": 1.0}},
    ],
    ids=str,
)
def test_what_can_change_the_outcome_changes_the_key(key: Keys, change: dict[str, Any]) -> None:
    assert key(**change) != key()


def test_another_bundle_changes_the_key(key: Keys, course: Any) -> None:
    assert key(other=course.bundle()) == key()
    assert key(other=course.bundle("q1")) != key()
    manifest = course.bundle().manifest
    assert key(other=course.bundle(limits=Limits())) != key()
    assert key({"limits": manifest.limits}) == key()


def test_another_environment_changes_the_key(key: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr("autograder.engine.environment", lambda: "other")
    assert key() != before


def test_the_environment_is_an_identity() -> None:
    assert environment() == environment() and len(environment()) == 64


def test_the_share_that_is_retrained_is_drawn_once_and_for_all(course: Any, hand_in: Any) -> None:
    submissions = [hand_in(b"nb", str(number)) for number in range(200)]

    def drawn(**settings: Any) -> list[bool]:
        with Unstarted(course.bundle(), Settings(**{"secret": "s"} | settings)) as engine:
            return [engine.retrains(submission) for submission in submissions]

    some = drawn(retrain=0.3)
    assert some == drawn(retrain=0.3) and 30 < sum(some) < 90
    assert all(b or not a for a, b in zip(some, drawn(retrain=0.6), strict=True))
    assert drawn(retrain=0.3, secret="t") != some
    assert not any(drawn(retrain=0.0)) and all(drawn(retrain=1.0))


def test_many_submissions_come_out_once_each(rooms: Any, hand_in: Any, read_notebook: Any) -> None:
    names = ["perfect", "blank", "has_syntax_error", "crashes_in_function", "perfect", "perfect"]
    submissions = [hand_in(read_notebook(n), str(i)) for i, n in enumerate(names)]
    submissions.append(hand_in(b"%PDF", "9"))
    with rooms.engine() as engine:
        outcomes = {o.verdict.student: o.verdict for o in engine.grade(iter(submissions))}
        keys = {s.student.key: engine.key(s) for s in submissions}
    assert {student: verdict.score for student, verdict in outcomes.items()} == {
        "0": 6, "1": 0, "2": 2, "3": 2, "4": 6, "5": 6, "9": 0,
    }  # fmt: skip
    assert outcomes["9"].status is Standing.UNREADABLE
    assert {student: verdict.key for student, verdict in outcomes.items()} == keys


def test_an_interrupted_run_ends_its_rooms(rooms: Any, hand_in: Any, read_notebook: Any) -> None:
    looping = [hand_in(read_notebook("loops_for_ever"), str(number)) for number in range(5)]
    with rooms.engine() as engine:
        graded = engine.grade([hand_in(b"", "9"), *looping])
        assert next(graded).verdict.student == "9"
        graded.close()
        with pytest.raises(Interrupted):
            list(engine.grade([hand_in(read_notebook("perfect"))]))
    assert rooms.grade("perfect").verdict.score == 6


def test_a_grader_error_is_tried_once_more(
    rooms: Any, hand_in: Any, read_notebook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rooms.engine() as engine:
        real, calls = engine._supervisor.grade, []

        def flaky(submission: Submission, **more: Any) -> Any:
            outcome, disturbances = real(submission, **more)
            calls.append(outcome)
            if len(calls) == 1:
                verdict = msgspec.structs.replace(outcome.verdict, status=Standing.GRADER_ERROR)
                outcome = msgspec.structs.replace(outcome, verdict=verdict)
            return outcome, disturbances

        monkeypatch.setattr(engine._supervisor, "grade", flaky)
        (outcome,) = engine.grade([hand_in(read_notebook("perfect"))])
    assert outcome.verdict.status is Standing.GRADED and len(calls) == 2


def test_the_judge_draws_each_students_own_numbers(rooms: Any) -> None:
    assert rooms.once("perfect").verdict.score == 6
    assert rooms.lender._warm[1].wait().level == rooms.lender.isolation


def test_a_warm_process_that_cannot_be_prepared_says_why() -> None:
    with Warm("autograder.text", {}) as warm, pytest.raises(RoomError, match="no attribute 'warm'"):
        warm.wait()
    with (
        Warm("autograder.room.trial", {"/course": "/no/such/folder"}) as warm,
        pytest.raises(RoomError, match="No such file"),
    ):
        warm.wait()


REFUSED = """
from autograder.errors import IsolationError
from autograder.room import linux, seccomp
from autograder.room.host import Warm
from autograder.room.walls import ALL, NEXT_TO_NONE, WITHOUT_NAMESPACES, Wall, level

linux.no_new_privileges()
seccomp.install(name_refusals=False)
with Warm("autograder.room.trial", {}) as warm:
    try:
        warm.wait()
    except IsolationError as error:
        print(error)
"""


def test_a_machine_that_cannot_isolate_rooms_is_told_what_it_lacks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSED], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith("This machine does not isolate rooms (PermissionError"), done
    assert "unprivileged user namespaces, or root" in done.stdout


class Held:
    """A warm process of a machine on which rooms stand only with ``possible`` walls."""

    possible: frozenset[Wall] = ALL
    opened: list["Held"] = []

    def __init__(self, entry: str, view: Any, environment: Any = None, walls: Any = ALL) -> None:
        self.walls, self.closed = frozenset(walls), False
        Held.opened.append(self)

    def wait(self) -> packets.Warm:
        if not self.walls <= Held.possible:
            raise IsolationError("This machine does not isolate rooms.")
        return packets.Warm(*level(self.walls))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[frozenset[Wall]], None]:
    """Says which walls can stand on this machine."""

    def allow(possible: frozenset[Wall]) -> None:
        monkeypatch.setattr("autograder.engine.Warm", Held)
        monkeypatch.setattr(Held, "possible", possible)
        monkeypatch.setattr(Held, "opened", [])

    return allow


@pytest.mark.parametrize(
    ("possible", "accept", "reached"),
    [
        (ALL, "A", "A"),
        (ALL, "0", "A"),
        (WITHOUT_NAMESPACES, "B", "B"),
        (WITHOUT_NAMESPACES, "0", "B"),
        (NEXT_TO_NONE, "0", "0"),
    ],
)
def test_rooms_are_as_strong_as_the_machine_allows(
    course: Any, machine: Any, possible: frozenset[Wall], accept: str, reached: str
) -> None:
    machine(possible)
    with Engine(course.bundle(), Settings(secret="s", accept=accept)) as engine:
        assert engine.isolation == reached and bool(engine.lacking) == (reached != "A")
        assert [one.closed for one in Held.opened[-2:]] == [False, False]
        assert all(one.closed for one in Held.opened[:-2])
    assert all(one.closed for one in Held.opened)


@pytest.mark.parametrize(
    ("possible", "accept", "hint"),
    [
        (ALL - {Wall.LANDLOCK}, "A", "--accept-risk no-isolation"),
        (WITHOUT_NAMESPACES, "A", "--accept-risk no-isolation"),
        (WITHOUT_NAMESPACES, "A-", "`autograder doctor` says how to mend it"),
        (NEXT_TO_NONE, "B", "access to this machine's files and network"),
    ],
)
def test_below_what_was_accepted_nothing_is_graded_and_the_risk_is_named(
    course: Any, machine: Any, possible: frozenset[Wall], accept: str, hint: str
) -> None:
    machine(possible)
    with pytest.raises(IsolationError, match=hint):
        Engine(course.bundle(), Settings(secret="s", accept=accept))
    assert all(one.closed for one in Held.opened)


def test_a_kernel_without_landlock_needs_the_risk_named(
    course: Any, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(ALL)
    weaker = packets.Warm(*level(ALL - {Wall.LANDLOCK}))
    monkeypatch.setattr(Held, "wait", lambda self: weaker)
    with pytest.raises(IsolationError, match=r"level A- only: .*Landlock.*--accept-risk no-landl"):
        Engine(course.bundle(), Settings(secret="s"))
    with Engine(course.bundle(), Settings(secret="s", accept="A-")) as engine:
        assert engine.isolation == "A-"


def test_a_question_that_builds_on_a_failed_smoke_test_is_skipped_in_rooms(
    rooms: Any, question: Callable[..., Any], read_notebook: Callable[[str], bytes]
) -> None:
    bundle = rooms.course.bundle(
        "q1", question("upon", requires=["q1"]), question("q2", requires=["upon"])
    )
    right, wrong = (read_notebook("perfect").replace(b"x + 1", one) for one in (b"x + 1", b"x"))
    for data, skipped, score in [(right, [], 8), (wrong, ["upon", "q2"], 1)]:
        verdict = rooms.grade(data, bundle).verdict
        found = [
            name
            for name, one in verdict.questions.items()
            if any(test.status is Status.SKIPPED for test in one.tests)
        ]
        assert (verdict.status, found, verdict.score) == (Standing.GRADED, skipped, score)
        assert len(verdict.remarks) == len(skipped)


def test_a_ledger_is_laid_out_for_tests_and_not_for_students(course: Any, tmp_path: Path) -> None:
    bundle = course.bundle()
    shown, public = _lay_out(bundle, tmp_path, b'{"event": "registered"}\n')
    assert (shown / "files" / "reference_impl" / "tiny" / "ledger.jsonl").is_file()
    assert not list(public.rglob("*ledger*"))
    other, _ = _lay_out(bundle, tmp_path / "without", b"")
    assert not list(other.rglob("*ledger*"))

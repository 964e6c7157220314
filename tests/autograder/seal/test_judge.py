import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from otter.test_files.exception_test import ExceptionTestFile

from autograder.model import Status
from autograder.seal import judge
from autograder.seal.handles import Link, StudentExit
from autograder.wire import frames, messages, packets

HEAD = "from otter.test_files import test_case\nOK_FORMAT = False\nname = 'q'\npoints = 10\n\n"
Report = list[tuple[str, Status, str]]


@pytest.fixture
def judged(
    tmp_path: Path, beside: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Report]]:
    """Judges the tests of one file against names, the public ones first."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    alarms: list[float] = []
    monkeypatch.setattr(judge.signal, "setitimer", lambda kind, seconds: alarms.append(seconds))

    def run(tests: str, names: dict[str, Any], seconds: float = 30) -> Report:
        (tmp_path / "q.py").write_text(HEAD + tests)
        file = ExceptionTestFile.from_file(str(tmp_path / "q.py"))
        monkeypatch.setitem(judge._tests, "q", file)
        bench = judge.Bench(theirs, "q", socket.socket(), seconds)
        bench._link.close()
        bench._link = beside(names)
        bench._link._deadline = lambda: bench._deadline
        for hidden in (False, True):
            bench.judge(hidden)
        packets.send(theirs, packets.Finished())
        report: Report = []
        while True:
            packet, _ = packets.receive(ours, packets.Judging | packets.Tested | packets.Finished)
            if isinstance(packet, packets.Finished):
                assert alarms[::2] == [seconds + 1] * 2 and alarms[1::2] == [0] * 2
                return report
            if isinstance(packet, packets.Tested):
                report.append((packet.test, packet.status, packet.message))

    yield run
    ours.close()
    theirs.close()


def one(body: str, arguments: str = "f") -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"@test_case(points=1, hidden=True)\ndef test_it({arguments}):\n{lines}\n"


class Own(RuntimeError):
    pass


class Blaming(RuntimeError):
    graders_fault = True


def raises(error: BaseException) -> Callable[..., None]:
    def f(*args: Any) -> None:
        raise error

    return f


@pytest.mark.parametrize(
    ("body", "f", "status", "message"),
    [
        ("assert f(1) == 2", lambda x: x + 1, Status.PASSED, ""),
        ("assert f(1) == 2, f'got {f(1)}'", lambda x: x, Status.FAILED, "got 1"),
        ("f()", raises(NotImplementedError("q1")), Status.FAILED, "not answered: q1"),
        ("raise NotImplementedError('ours')", len, Status.ERROR, "NotImplementedError: ours"),
        ("f()", raises(ZeroDivisionError("by 0")), Status.ERROR,
         "the student's code raised ZeroDivisionError: by 0"),
        ("f()", raises(Own("own")), Status.ERROR,
         "the student's code raised RuntimeError: Own: own"),
        ("f()", raises(AssertionError("theirs")), Status.ERROR,
         "the student's code raised AssertionError: theirs"),
        ("f()", raises(SystemExit(1)), Status.ERROR,
         "the student's code tried to end the process (1)"),
        ("raise SystemExit(1)", len, Status.ERROR, "SystemExit: 1"),
        ("raise KeyboardInterrupt", len, Status.ERROR, "KeyboardInterrupt: "),
        ("1 / 0", len, Status.ERROR, "ZeroDivisionError: division by zero"),
        ("f()", raises(MemoryError()), Status.MEMORY, ""),
        ("f()", raises(RuntimeError("DefaultCPUAllocator: can't allocate memory: 9")),
         Status.MEMORY, "DefaultCPUAllocator: can't allocate memory: 9"),
        ("from reference_impl.secret import Secret\nf(Secret(1, 'labels'))", len,
         Status.GRADER_ERROR, "the test gives the student's code a secret (labels); "
         "labels, thresholds and answers never leave room T"),
        ("class Ours(Exception):\n    graders_fault = True\nraise Ours('no package')", len,
         Status.GRADER_ERROR, "no package"),
        ("f()", raises(Blaming("not mine")), Status.ERROR,
         "the student's code raised RuntimeError: Blaming: not mine"),
        ("assert f", object(), Status.ERROR,
         "TypeError: a object has no truth value here; "
         "numbers, lists, arrays or tensors were expected"),
        ("assert g is not None", len, Status.FAILED, "the notebook does not define g. "),
        ("g(1)", len, Status.ERROR,
         "the notebook does not define g. TypeError: 'NoneType' object is not callable"),
    ],
)  # fmt: skip
def test_a_tests_outcome_is_told_apart(
    judged: Callable[..., Report], body: str, f: Any, status: Status, message: str
) -> None:
    arguments = "f, g" if "g" in body.replace("got", "").split("(")[0].split() else "f"
    assert judged(one(body, arguments), {"f": f}) == [("test_it", status, message)]


def test_a_test_that_takes_env_sees_the_notebooks_names(judged: Callable[..., Report]) -> None:
    body = "assert env['x'] == 1 and 'y' not in env\nassert env.get('z', 3) == 3"
    assert judged(one(body, "env"), {"x": 1})[0][1] is Status.PASSED


def test_public_tests_are_run_before_hidden_ones(judged: Callable[..., Report]) -> None:
    tests = "".join(
        f"@test_case(points=1, hidden={hidden})\ndef test_{name}(f):\n    f('{name}')\n"
        for name, hidden in [("a", True), ("b", False), ("c", True), ("d", False)]
    )
    asked: list[str] = []
    report = judged(tests, {"f": asked.append})
    assert [name for name, _, _ in report] == ["test_b", "test_d", "test_a", "test_c"]
    assert asked == ["b", "d", "a", "c"]


def test_one_failure_does_not_keep_the_other_tests_from_running(
    judged: Callable[..., Report],
) -> None:
    tests = one("f()") + one("assert True").replace("test_it", "test_other")
    report = judged(tests, {"f": raises(SystemExit())})
    assert [status for _, status, _ in report] == [Status.ERROR, Status.PASSED]


@pytest.mark.parametrize(
    ("names", "missing", "died"),
    [
        ({"f": len}, True, 0),
        ({"f": len, "g": len}, False, 0),
        ({"f": raises(SystemExit(1)), "g": len}, False, 0),
        ({"f": raises(StudentExit("died", -11)), "g": len}, False, 0),
    ],
)
def test_the_supervisor_is_told_what_is_missing_and_that_nothing_died(
    tmp_path: Path, beside: Callable[..., Any], names: dict[str, Any], missing: bool, died: int
) -> None:
    (tmp_path / "q.py").write_text(HEAD + one("f('x')\ng('x')", "f, g"))
    (case,) = ExceptionTestFile.from_file(str(tmp_path / "q.py")).test_cases
    tested = judge._run(case.body, beside(names))
    assert (tested.missing, tested.died) == (missing, died)


@pytest.mark.parametrize("code", [-9, -11, 3])
def test_the_supervisor_is_told_how_the_students_process_died(tmp_path: Path, code: int) -> None:
    (tmp_path / "q.py").write_text(HEAD + one("f"))
    (case,) = ExceptionTestFile.from_file(str(tmp_path / "q.py")).test_cases
    ours, theirs = socket.socketpair()
    frames.send(theirs, msgspec.msgpack.encode(messages.Crashed(code)))
    tested = judge._run(case.body, Link(ours, lambda: time.monotonic() + 30))
    assert (tested.died, tested.status, tested.missing) == (code, Status.ERROR, False)
    for end in (ours, theirs):
        end.close()


def test_no_answer_in_time_is_a_timeout(judged: Callable[..., Report]) -> None:
    report = judged(one("f()"), {"f": lambda: time.sleep(1.5)}, seconds=0.5)
    assert report == [("test_it", Status.TIMEOUT, "the student's code did not answer in time")]


def test_a_test_that_is_itself_too_slow_is_a_timeout() -> None:
    with pytest.raises(judge.OutOfTime) as caught:
        judge._out_of_time(14, None)
    assert judge._outcome(caught.value)[0] is Status.TIMEOUT


def test_a_long_message_is_cut_off_and_no_surrogate_is_sent(judged: Callable[..., Report]) -> None:
    ((_, status, message),) = judged(one("assert False, '\\ud800' + 'x' * 10**6"), {})
    assert status is Status.FAILED and len(message) <= 5000 and "\\ud800" in message


class Row:
    """A bench whose first public test passes or fails, and that remembers what became of it."""

    def __init__(self, question: str, passes: bool = True) -> None:
        self.question, self.passes, self.done = question, passes, [""][:0]

    def judge(self, hidden: bool) -> bool:
        self.done.append("hidden" if hidden else "public")
        return self.passes

    def skip(self) -> None:
        self.done.append("skipped")


def rows(**passes: bool) -> dict[str, Any]:
    return {name: Row(name, passed) for name, passed in passes.items()}


REQUIRES = {"q2": ["q1"], "q3": ["q2"]}


@pytest.mark.parametrize(
    ("passes", "last"),
    [
        ({"q1": True, "q2": True, "q3": True, "q4": True}, ["hidden"] * 4),
        ({"q1": False, "q2": True, "q3": True, "q4": True},
         ["hidden", "skipped", "skipped", "hidden"]),
        ({"q1": True, "q2": False, "q3": True, "q4": False},
         ["hidden", "hidden", "skipped", "hidden"]),
    ],
)  # fmt: skip
def test_hidden_tests_of_what_builds_on_a_failed_smoke_test_are_not_asked(
    passes: dict[str, bool], last: list[str]
) -> None:
    benches = rows(**passes)
    judge.judge(list(benches.values()), REQUIRES)
    assert [bench.done for bench in benches.values()] == [["public", one] for one in last]


PAIR = "".join(
    f"@test_case(points=1, hidden={hidden})\ndef test_{name}(f):\n    f('{name}')\n"
    for name, hidden in [("a", True), ("smoke", False), ("other", False)]
)


@pytest.mark.parametrize(("wrong", "smoke"), [("", True), ("other", True), ("smoke", False)])
def test_the_first_public_test_alone_is_the_smoke_test(
    tmp_path: Path, beside: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
    wrong: str, smoke: bool,
) -> None:  # fmt: skip
    bench, packets_, asked = benched(tmp_path, beside, monkeypatch, wrong)
    assert bench.judge(hidden=False) is smoke
    bench.skip()
    assert asked == ["smoke", "other"]
    (skipped,) = [p for p in packets_() if getattr(p, "test", "") == "test_a"]
    assert (skipped.status, skipped.message, skipped.question) == (Status.SKIPPED, "", "q")


def benched(
    tmp_path: Path, beside: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, wrong: str
) -> Any:
    asked: list[str] = []

    def f(name: str) -> None:
        asked.append(name)
        if name == wrong:
            raise ValueError(name)

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    (tmp_path / "q.py").write_text(HEAD + PAIR)
    monkeypatch.setitem(judge._tests, "q", ExceptionTestFile.from_file(str(tmp_path / "q.py")))
    bench = judge.Bench(theirs, "q", socket.socket(), 30)
    bench._link.close()
    bench._link = beside({"f": f})
    bench._link._deadline = lambda: bench._deadline

    def sent() -> list[Any]:
        theirs.close()
        found = []
        while True:
            try:
                found.append(packets.receive(ours, packets.Judging | packets.Tested)[0])
            except EOFError:
                ours.close()
                return found

    return bench, sent, asked

import dataclasses
import math
import os
import socket
import struct
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from autograder import coursekit
from autograder.seal.handles import (
    CallableHandle,
    Environment,
    Handle,
    Link,
    Misbehaviour,
    SecretGiven,
    StudentError,
    StudentExit,
    StudentTimeout,
)
from autograder.wire import frames
from autograder.wire import messages as m
from reference_impl.secret import Secret

Beside = Callable[..., Link]


class Refused(ValueError):
    """A student's own exception."""


class Thing:
    size = 3
    _inner = 4
    state: int

    def __init__(self) -> None:
        self.state = 0
        self.itself = self

    def step(self, by: int = 1) -> int:
        self.state += by
        return self.state

    def __len__(self) -> int:
        return 5

    def __iter__(self) -> Iterator[int]:
        return iter([1])

    def __bool__(self) -> bool:
        return True


def fails_with(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))


def test_plain_data_is_given_as_data(beside: Beside) -> None:
    env = Environment(beside({"a": [1, "x"], "b": np.arange(3), "c": None}))
    assert env["a"] == [1, "x"] and env["b"].tolist() == [0, 1, 2]
    assert env["c"] is None and env.get("c", 1) is None
    assert "a" in env and env.missing == []


def test_a_name_that_is_missing_is_none_and_is_noted(beside: Beside) -> None:
    env = Environment(beside({}))
    assert env.get("f") is None and env.get("g", 3) == 3
    with pytest.raises(KeyError):
        env["h"]
    assert "i" not in env
    assert env.missing == ["f", "g", "h", "i"]


def test_a_function_can_be_called_with_and_without_names(beside: Beside) -> None:
    f = Environment(beside({"f": lambda x, y=2, *, z=0: (x, y, z)}))["f"]
    assert f(1) == (1, 2, 0) and f(1, 5, z=7) == (1, 5, 7) and f(x="s") == ("s", 2, 0)
    assert callable(f) and repr(f) == "<function of the student>"


def test_what_is_given_is_a_copy(beside: Beside) -> None:
    def change(items: list[int], array: Any, generator: np.random.Generator) -> float:
        items.append(2)
        array[0] = 9
        return generator.random()

    f = Environment(beside({"f": change}))["f"]
    items, array, generator = [1], np.zeros(1), np.random.default_rng(3)
    drawn = f(items, array, generator)
    assert items == [1] and array[0] == 0 and generator.random() == drawn


@dataclasses.dataclass(frozen=True)
class Judged:
    images: Any
    labels: Secret[Any]


LABELS = Secret([1, 0], "labels of unseen lesions")


@pytest.mark.parametrize(
    "value",
    [
        LABELS,
        [1, LABELS],
        (1, (2, LABELS)),
        {"y": {"x": LABELS}},
        np.array([None, 1], dtype=object),
        Judged(np.zeros(2), LABELS),
        [Judged(np.zeros(2), LABELS)],
        Judged(Judged(0, LABELS), Secret(1, "other")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_secret_of_a_test_crosses(beside: Beside, value: Any) -> None:
    if isinstance(value, np.ndarray):
        value[1] = LABELS
    asked: list[Any] = []
    thing = Thing()
    thing.ask = asked.append  # type: ignore[attr-defined]
    env = Environment(beside({"f": asked.append, "thing": thing}))
    gives = [
        lambda: env["f"](value),
        lambda: env["f"](np.zeros(3), more=value),
        lambda: env["thing"].ask(value),
        lambda: coursekit.gradients(env["f"], value),
        lambda: coursekit.beside(env["f"], "helper").Thing(value),
    ]
    for give in gives:
        with pytest.raises(SecretGiven) as caught:
            give()
        assert str(caught.value) == (
            "the test gives the student's code a secret (labels of unseen lesions); "
            "labels, thresholds and answers never leave room T"
        )
    assert asked == []
    env["f"](LABELS.reveal())
    assert asked == [[1, 0]]


def test_attributes_and_methods_are_looked_up_beside_the_object(beside: Beside) -> None:
    thing = Environment(beside({"thing": Thing()}))["thing"]
    assert thing.size == 3 and thing._inner == 4
    assert [thing.step(), thing.step(by=5), thing.state] == [1, 6, 6]
    with pytest.raises(AttributeError, match="the student's Thing has no attribute 'nothing'"):
        thing.nothing  # noqa: B018
    assert not hasattr(thing, "nothing") and hasattr(thing, "size")


def test_special_attributes_are_not_reached(beside: Beside) -> None:
    link = beside({"f": square})
    handle = link.ask(m.Look("f"))
    with pytest.raises(AttributeError):
        handle.__globals__  # noqa: B018
    with pytest.raises(AttributeError):
        link.ask(m.Attribute(handle._number, "__globals__"))


def test_one_object_keeps_one_number(beside: Beside) -> None:
    env = Environment(beside({"thing": Thing()}))
    thing = env["thing"]
    assert thing.itself._number == thing._number == env["thing"]._number


def test_a_handle_given_back_is_the_object_itself(beside: Beside) -> None:
    thing = Thing()
    env = Environment(beside({"thing": thing, "f": lambda x, deep: x is thing is deep["a"][0]}))
    handle = env["thing"]
    assert env["f"](handle, {"a": [handle]}) is True


def test_a_handle_cannot_be_given_to_another_room(beside: Beside) -> None:
    first = Environment(beside({"thing": Thing()}))["thing"]
    f = Environment(beside({"f": lambda x: 1}))["f"]
    with pytest.raises(TypeError, match="cannot cross"):
        f(first)


@pytest.mark.parametrize("value", [object(), lambda: 1, torch.nn.Linear(1, 1), np.zeros])
def test_no_object_of_a_test_crosses(beside: Beside, value: Any) -> None:
    f = Environment(beside({"f": lambda x: 1}))["f"]
    with pytest.raises(TypeError, match=r"cannot cross; make it with coursekit\.beside"):
        f(value)
    assert f(1) == 1


def test_a_model_is_a_module_and_nothing_else_is(beside: Beside) -> None:
    env = Environment(beside({"net": model(), "f": len, "thing": Thing()}))
    assert isinstance(env["net"], torch.nn.Module)
    assert isinstance(env["net"], Handle)
    assert env["net"](torch.zeros(4, 2)).shape == (4, 1)
    assert not isinstance(env["f"], torch.nn.Module)
    assert not isinstance(env["thing"], torch.nn.Module | CallableHandle)


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (bool, "truth value"),
        (lambda h: 1 if h else 2, "truth value"),
        (len, "length"),
        (list, "gone through"),
        (lambda h: [*h], "gone through"),
        (np.asarray, "not an array"),
        (lambda h: np.allclose(h, 1), "not an array"),
        (lambda h: h + 1, "unsupported"),
        (lambda h: 1 - h, "unsupported"),
        (lambda h: h < 1, "not supported"),
        (lambda h: h[0], "not subscriptable"),
        (float, "must be a string or a real number"),
        (abs, "bad operand"),
        (round, "__round__"),
        (torch.as_tensor, "dtype of Handle"),
        (lambda h: torch.ones(1) + h, "unsupported"),
        (lambda h: h.nothing.at.all, "no attribute"),
    ],
)
def test_a_handle_gives_no_value_of_its_own(
    beside: Beside, use: Callable[[Any], Any], reason: str
) -> None:
    handle = Environment(beside({"thing": Thing()}))["thing"]
    with pytest.raises((TypeError, AttributeError, RuntimeError), match=reason):
        use(handle)


def test_a_handle_equals_only_itself(beside: Beside) -> None:
    class Agreeable(float):
        __eq__ = __ge__ = lambda self, other: True  # type: ignore[assignment]
        __hash__ = float.__hash__

    handle = Environment(beside({"x": Agreeable(1)}))["x"]
    assert handle != 1 and handle != 1.0 and handle not in (0, 1)
    with pytest.raises(TypeError):
        assert handle >= 0


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("no"), ValueError),
        (Refused("no"), ValueError),
        (KeyError("k"), KeyError),
        (IndexError("i"), LookupError),
        (ZeroDivisionError("z"), ArithmeticError),
        (NotImplementedError(), RuntimeError),
        (FileNotFoundError(2, "none"), OSError),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "x"), UnicodeError),
        (AssertionError("a"), AssertionError),
        (StopIteration(1), StudentError),
        (Exception("e"), StudentError),
        (BaseException("b"), StudentError),
        (np.linalg.LinAlgError("singular"), ValueError),
        (torch.cuda.OutOfMemoryError("x"), RuntimeError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_an_exception_arrives_as_the_nearest_built_in_one(
    beside: Beside, error: BaseException, kind: type[BaseException]
) -> None:
    f = Environment(beside({"f": fails_with(error)}))["f"]
    with pytest.raises(kind) as caught:
        f()
    assert isinstance(caught.value, StudentError)
    assert str(error) in str(caught.value) or isinstance(error, UnicodeDecodeError | KeyError)


def test_an_exception_of_the_students_own_tells_its_name(beside: Beside) -> None:
    with pytest.raises(ValueError, match="Refused: too small"):
        Environment(beside({"f": fails_with(Refused("too small"))}))["f"]()


def test_a_long_message_is_cut_off_and_a_broken_one_is_left_out(beside: Beside) -> None:
    class Mute(ValueError):
        def __str__(self) -> str:
            raise RuntimeError

    env = Environment(
        beside({"f": fails_with(ValueError("x" * 10**6)), "g": fails_with(Mute()),
                "h": fails_with(ValueError("\ud800"))})
    )  # fmt: skip
    with pytest.raises(ValueError) as caught:
        env["f"]()
    assert len(str(caught.value)) <= 2000
    for name in "gh":
        with pytest.raises(ValueError):
            env[name]()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_leaving_is_an_error_of_the_student_and_ends_nothing(
    beside: Beside, error: BaseException
) -> None:
    env = Environment(beside({"f": fails_with(error), "ok": lambda: 1}))
    with pytest.raises(StudentExit) as caught:
        env["f"]()
    assert caught.value.code == 0 and env["ok"]() == 1


@pytest.mark.parametrize("value", [math, iter([1]).__reduce__ and os])
def test_a_module_is_not_given(beside: Beside, value: Any) -> None:
    with pytest.raises(TypeError, match="is a Python module"):
        Environment(beside({"x": value}))["x"]


def test_a_value_too_large_to_cross_is_an_error_and_the_line_stays_open(beside: Beside) -> None:
    env = Environment(beside({"f": lambda: ["x" * 1000] * 5000, "ok": lambda: 1}))
    with pytest.raises(ValueError, match="too large"):
        env["f"]()
    assert env["ok"]() == 1


@pytest.fixture
def helper() -> Iterator[str]:
    module = types.ModuleType("toy_helper")

    class Counter:
        def __init__(self, start: int, *, by: int = 1) -> None:
            self.value, self.by = start, by

        def __call__(self) -> int:
            self.value += self.by
            return self.value

    module.Counter, module._Hidden, module.twice = Counter, Counter, lambda x: 2 * x  # type: ignore[attr-defined]
    module.WORD = "x"  # type: ignore[attr-defined]
    sys.modules["toy_helper"] = module
    yield "toy_helper"
    del sys.modules["toy_helper"]


def test_an_object_made_beside_keeps_its_state(beside: Beside, helper: str) -> None:
    env = Environment(beside({"use": lambda counter: [counter(), counter()]}, (helper,)))
    counter = coursekit.beside(env["use"], helper).Counter(10, by=2)
    assert env["use"](counter) == [12, 14]
    assert counter.value == 14
    assert coursekit.beside(env["use"], helper).twice(4) == 8


@pytest.mark.parametrize(
    ("module", "name"),
    [("toy_helper", "_Hidden"), ("os", "system"), ("builtins", "eval"), ("subprocess", "Popen")],
)
def test_private_names_and_other_modules_are_not_reached(
    beside: Beside, helper: str, module: str, name: str
) -> None:
    handle = Environment(beside({"thing": Thing()}, (helper,)))["thing"]
    with pytest.raises(LookupError, match="is not public"):
        getattr(coursekit.beside(handle, module), name)("true")


def test_a_name_that_the_helper_lacks_is_an_error(beside: Beside, helper: str) -> None:
    handle = Environment(beside({"thing": Thing()}, (helper,)))["thing"]
    with pytest.raises(AttributeError):
        coursekit.beside(handle, helper).Nothing()


def square(x: torch.Tensor, factor: float = 1.0) -> torch.Tensor:
    return factor * x**2


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and a and isinstance(a[0], torch.Tensor):
        return all(map(same, a, b))
    return bool(a == b)


@pytest.mark.parametrize(
    "ask",
    [
        lambda net, f: coursekit.parameter_count(net),
        lambda net, f: coursekit.parameter_count(net, trainable_only=False),
        lambda net, f: coursekit.parameter_names(net),
        lambda net, f: coursekit.module_types(net),
        lambda net, f: coursekit.is_training(net),
        lambda net, f: coursekit.state_arrays(net),
        lambda net, f: coursekit.source(f),
        lambda net, f: coursekit.source(net),
        lambda net, f: coursekit.gradients(f, torch.tensor([1.0, 2.0])),
        lambda net, f: coursekit.gradients(f, torch.tensor([1.0]), factor=3.0),
        lambda net, f: coursekit.gradients(
            net, torch.ones(2, 2), cotangent=torch.tensor([[1.0], [2.0]])
        ),
    ],
)
def test_a_probe_tells_the_same_from_afar_as_in_place(
    beside: Beside, ask: Callable[[Any, Any], Any]
) -> None:
    net = model()
    net[0].bias.requires_grad_(False)
    net[2].eval()
    env = Environment(beside({"net": net, "f": square}))
    here, there = ask(net, square), ask(env["net"], env["f"])
    assert same(here, there) and type(here) is type(there)


def test_a_probe_of_an_unsuitable_object_is_the_students_error(beside: Beside) -> None:
    env = Environment(beside({"thing": Thing()}))
    with pytest.raises(AttributeError) as caught:
        coursekit.parameter_count(env["thing"])
    assert isinstance(caught.value, StudentError)


def test_a_probe_that_does_not_exist_is_refused(beside: Beside) -> None:
    handle = Environment(beside({"thing": Thing()}))["thing"]
    with pytest.raises(LookupError):
        handle.ask_probe("eval", (), {})


Sends = Callable[[socket.socket], None]


@pytest.fixture
def hostile() -> Iterator[Callable[[Sends], Link]]:
    """A link whose other end answers the first request with whatever ``sends`` sends."""
    ends: list[tuple[Link, socket.socket, threading.Thread]] = []

    def link(sends: Sends) -> Link:
        ours, theirs = socket.socketpair()
        deadline = time.monotonic() + 1

        def answer() -> None:
            frames.receive(theirs)
            try:
                sends(theirs)
            except (OSError, frames.WireClosed):
                pass

        made = Link(ours, lambda: deadline)
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        ends.append((made, theirs, thread))
        return made

    yield link
    for made, theirs, thread in ends:
        made.close()
        theirs.close()
        thread.join(5)


def framed(value: Any, blob: bytes = b"") -> Sends:
    return lambda line: frames.send(line, msgspec.msgpack.encode(value), blob)


DEEP = b"\x92\x93\xa4list\xa4list\x91" * 100_000

NO_ANSWERS: dict[str, Sends] = {
    "no frame": lambda line: line.sendall(b"HTTP/1.1 200 OK\r\n\r\n"),
    "a huge frame": lambda line: line.sendall(struct.pack("<4sII", b"AGW1", 2**32 - 1, 0)),
    "no MessagePack": lambda line: frames.send(line, b"\xc1"),
    "no answer": framed(["Exec", "x"]),
    "no value": framed(["Value", ["array", "numpy", "object", [1]]], bytes(8)),
    "bytes left over": framed(["Value", 1], b"x"),
    "a lie about a shape": framed(["Value", ["array", "torch", "int8", [0] + [2**31 - 1] * 7]]),
    "nesting without end": lambda line: frames.send(line, DEEP),
}


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer_ends_the_line_for_good(
    hostile: Callable[[Sends], Link], what: str
) -> None:
    link = hostile(NO_ANSWERS[what])
    for _ in range(2):
        with pytest.raises(Misbehaviour):
            link.ask(m.Look("f"))


def test_silence_is_a_timeout_for_good(hostile: Callable[[Sends], Link]) -> None:
    link = hostile(lambda line: None)
    for _ in range(2):
        with pytest.raises(StudentTimeout):
            link.ask(m.Look("f"))


def test_hanging_up_is_an_exit_for_good(hostile: Callable[[Sends], Link]) -> None:
    link = hostile(lambda line: line.shutdown(socket.SHUT_RDWR))
    for _ in range(2):
        with pytest.raises(StudentExit) as caught:
            link.ask(m.Look("f"))
        assert caught.value.code == -9


@pytest.mark.parametrize(
    ("code", "known", "words"),
    [(-11, -11, "was killed by SIGSEGV"), (3, 3, "exit code 3"), (0, -9, "exit code 0")],
)
def test_a_process_that_died_says_how(
    hostile: Callable[[Sends], Link], code: int, known: int, words: str
) -> None:
    with pytest.raises(StudentExit, match=words) as caught:
        hostile(framed(["Crashed", code])).ask(m.Look("f"))
    assert caught.value.code == known


def test_too_much_altogether_ends_the_line(
    hostile: Callable[[Sends], Link], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograder.seal.handles.REPLY_LIMIT", 1000)
    link = hostile(framed(["Value", ["bytes", 2000]], bytes(2000)))
    with pytest.raises(Misbehaviour, match="too many bytes"):
        link.ask(m.Look("f"))


@pytest.mark.parametrize(
    "bases", [["StudentError"], ["eval", "ValueError"], ["Nothing"], [], ["__import__"]]
)
def test_only_built_in_exceptions_by_name_are_raised(
    hostile: Callable[[Sends], Link], bases: list[str]
) -> None:
    with pytest.raises(StudentError) as caught:
        hostile(framed(["Raised", bases, "x" * 10_000])).ask(m.Look("f"))
    assert type(caught.value).__mro__[1] is (StudentError if "ValueError" in bases else Exception)
    assert len(str(caught.value)) == 2000

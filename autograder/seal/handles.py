"""Stand-ins for objects that live in room S."""

from __future__ import annotations

import builtins
import dataclasses
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import msgspec
import torch

from autograder.text import death
from autograder.wire import frames
from autograder.wire import messages as m
from autograder.wire.values import DEPTH_LIMIT, Packer, Unpacker, Unsendable

REPLY_LIMIT = 2 * 1024 * 1024 * 1024
"""Bytes S may send on one line altogether."""
_encoder = msgspec.msgpack.Encoder()


_UNKNOWN = -signal.SIGKILL
"""For all that is known, a process that is gone without a word was killed."""


class StudentError(Exception):
    """Mixed into every exception that was raised by the student's code."""


class _Silence(StudentError):
    """No answer will come.

    Args:
        text: What happened.
        code: How the process ended that was to answer, negative for a signal; 0 if it lives.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class StudentExit(_Silence):
    """The student's code tried to end the process, or did."""


class StudentTimeout(_Silence):
    """The student's code did not answer in time."""


class Misbehaviour(StudentError):
    """What came back is not of the protocol between the rooms."""


class SecretGiven(TypeError):
    """A test would have sent a secret: a fault of ours, and nothing was sent."""


class Link:
    """Asks one process of room S, and accounts for what comes back.

    Args:
        line: The socket to S.
        deadline: ``time.monotonic()`` by which all answers must be in.
    """

    def __init__(self, line: socket.socket, deadline: Callable[[], float]) -> None:
        self._line, self._deadline = line, deadline
        self._received = 0
        self._dead: StudentError | None = None

    def ask(self, request: m.Request, blob: bytes | bytearray = b"") -> Any:
        """Send one request and return its value.

        Raises:
            AttributeError: if S has no such name.
            StudentError: mixed into the nearest built-in class of what was raised in S.
        """
        if self._dead is not None:
            raise self._dead
        answer, reply = self._exchange(request, blob)
        if isinstance(answer, m.Value):
            return self._unpack(answer, reply)
        if isinstance(answer, m.Missing):
            raise AttributeError("no such name")
        if isinstance(answer, m.Crashed):
            raise StudentExit(f"the student's code {death(answer.code)}", answer.code or _UNKNOWN)
        raise _raised(answer)

    def request(self, make: Callable[[list[m.Node], list[tuple[str, m.Node]]], m.Request],
                args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # fmt: skip
        """Pack arguments, make the request of them and ask it."""
        packer = Packer(self._give)
        try:
            packed = [packer.pack(value) for value in args]
            named = [(name, packer.pack(value)) for name, value in kwargs.items()]
        except Unsendable as error:
            raise TypeError(f"the test gives the student's code a value that {error}") from None
        return self.ask(make(packed, named), packer.blob)

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _exchange(self, request: m.Request, blob: bytes | bytearray) -> tuple[m.Answer, bytearray]:
        deadline = self._deadline()
        try:
            frames.send(self._line, _encoder.encode(request), blob, deadline)
            answer, reply = frames.receive(self._line, deadline)
            self._received += len(answer) + len(reply)
            if self._received > REPLY_LIMIT:
                raise frames.WireError("too many bytes altogether")
            return m.decode(answer, m.Answer), reply
        except frames.WireTimeout:
            # to look up a name takes no time, so there is nobody who could
            gone = _UNKNOWN if isinstance(request, m.Look) else 0
            self._die(StudentTimeout("the student's code did not answer in time", gone))
        except frames.WireClosed:
            self._die(StudentExit("the student's code ended its process", _UNKNOWN))
        except (frames.WireError, msgspec.DecodeError, RecursionError) as error:
            self._die(Misbehaviour(f"the student's room sent what is no answer: {error}"))

    def _unpack(self, answer: m.Value, reply: bytearray) -> Any:
        unpacker = Unpacker(reply, self._stand_in)
        try:
            value = unpacker.unpack(answer.node)
            unpacker.finish()
        except (frames.WireError, RecursionError) as error:
            self._die(Misbehaviour(f"the student's room sent what is no value: {error}"))
        return value

    def _die(self, error: StudentError) -> NoReturn:
        self._dead = error
        self._line.close()
        raise error

    def _stand_in(self, node: m.Live) -> Handle:
        kind = {"callable": CallableHandle, "module": ModuleHandle}.get(node.kind, Handle)
        return kind(self, node.number, node.type_name[:64])

    def _give(self, value: Any) -> m.Live:
        if isinstance(value, Handle) and object.__getattribute__(value, "_link") is self:
            return m.Live(object.__getattribute__(value, "_number"), "object", "")
        secret = _secret_in(value)
        if secret:
            raise SecretGiven(
                f"the test gives the student's code a secret ({secret}); labels, thresholds and "
                "answers never leave room T"
            )
        name = type(value).__name__
        raise Unsendable(f"is a {name}, which cannot cross; make it with coursekit.beside")


def _secret_in(value: Any, depth: int = 0) -> str:
    """What the secret in ``value`` is, or nothing; ``reference_impl.secret`` marks its class."""
    if getattr(type(value), "never_sent", False):
        return str(getattr(value, "what", type(value).__name__))
    parts: Iterable[Any] = ()
    if isinstance(value, list | tuple):
        parts = value
    elif isinstance(value, dict):
        parts = value.values()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [getattr(value, field.name) for field in dataclasses.fields(value)]
    found = (_secret_in(part, depth + 1) for part in parts if depth < DEPTH_LIMIT)
    return next(filter(None, found), "")


class Handle:
    """An object that lives in room S. Attributes are read there; data comes back as data."""

    __slots__ = ("_link", "_number", "_type_name")

    def __init__(self, link: Link, number: int, type_name: str) -> None:
        self._link, self._number, self._type_name = link, number, type_name

    def ask_probe(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the probe ``name`` of ``coursekit`` beside the object."""
        return self._link.request(lambda a, k: m.Ask(name, a, k), (self, *args), kwargs)

    def beside(self, module: str) -> Beside:
        """The public helper ``module`` in room S."""
        return Beside(self._link, module)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._link.ask(m.Attribute(self._number, name))
        except AttributeError as error:
            raise AttributeError(
                f"the student's {self._type_name} has no attribute {name!r}"
            ) from error

    def __repr__(self) -> str:
        return f"<{self._type_name} of the student>"

    def __bool__(self) -> bool:
        self._refuse("has no truth value here")

    def __len__(self) -> int:
        self._refuse("has no length here")

    def __iter__(self) -> Iterator[Any]:
        self._refuse("cannot be gone through here")

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse("is not an array")

    def _refuse(self, what: str) -> NoReturn:
        raise TypeError(
            f"a {self._type_name} {what}; numbers, lists, arrays or tensors were expected"
        )


class CallableHandle(Handle):
    """A callable in room S."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it there."""
        return self._link.request(lambda a, k: m.Call(self._number, a, k), args, kwargs)


class ModuleHandle(CallableHandle):
    """A ``torch.nn.Module`` in room S; ``isinstance(handle, torch.nn.Module)`` holds."""

    __slots__ = ()

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # type: ignore[override]
        return torch.nn.Module


class Beside:
    """A helper module in room S: its public classes and functions can be called there."""

    def __init__(self, link: Link, module: str) -> None:
        self._link, self._module = link, module

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            return self._link.request(lambda a, k: m.Make(self._module, name, a, k), args, kwargs)

        return make


class Environment:
    """What otter's tests take for the notebook's global names.

    Args:
        link: Line to the question's snapshot.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.missing: list[str] = []
        """Names that a test asked for and the notebook does not define."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a global name, or a handle on it."""
        try:
            return self._link.ask(m.Look(name))
        except AttributeError as error:
            if isinstance(error, StudentError):
                raise
            self.missing.append(name)
            return default

    def __getitem__(self, name: str) -> Any:
        value = self.get(name, _ABSENT)
        if value is _ABSENT:
            raise KeyError(name)
        return value

    def __contains__(self, name: str) -> bool:
        return self.get(name, _ABSENT) is not _ABSENT


_ABSENT = object()
_PLAIN = (
    "ArithmeticError AssertionError AttributeError BufferError EOFError Exception "
    "FileExistsError FileNotFoundError FloatingPointError ImportError IndexError IsADirectoryError "
    "KeyError LookupError MemoryError ModuleNotFoundError NameError NotADirectoryError "
    "NotImplementedError OSError OverflowError PermissionError RecursionError ReferenceError "
    "RuntimeError SyntaxError TimeoutError TypeError UnboundLocalError UnicodeError ValueError "
    "Warning ZeroDivisionError"
).split()
_LOCAL: dict[str, type[StudentError]] = {
    name: type(name, (StudentError, getattr(builtins, name)), {"__module__": "student"})
    for name in _PLAIN
    if name != "Exception"
}
"""Built-in exceptions by name, each also a ``StudentError``."""


def _raised(answer: m.Raised) -> StudentError:
    if any(
        name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit") for name in answer.bases[:16]
    ):
        return StudentExit(f"the student's code tried to end the process ({answer.message[:200]})")
    kind = next((_LOCAL[name] for name in answer.bases[:16] if name in _LOCAL), StudentError)
    return kind(answer.message[:2000])

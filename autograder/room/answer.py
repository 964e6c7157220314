"""S answers T: looks up, calls and probes the student's objects, and sends back data."""

from __future__ import annotations

import builtins
import importlib
import socket
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Literal

import msgspec
import torch

from autograder import coursekit
from autograder.wire import frames
from autograder.wire import messages as m
from autograder.wire.values import Packer, Unpacker, Unsendable

_MESSAGE_LIMIT = 2000
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(m.Request)


class Answerer:
    """The student's side of one line to T.

    Args:
        names: The notebook's global names.
        helpers: Modules whose public classes T may have created here.
    """

    def __init__(self, names: Mapping[str, Any], helpers: list[str]) -> None:
        self._names, self._helpers = names, helpers
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}

    def serve(self, link: socket.socket) -> None:
        """Answer until T hangs up."""
        while self.answer_one(link):
            pass

    def answer_one(self, link: socket.socket) -> bool:
        """Answer one question; false if T has hung up."""
        try:
            message, blob = frames.receive(link)
            answer, reply = self._answer(_decoder.decode(message), blob)
            try:
                frames.send(link, _encoder.encode(answer), reply)
            except frames.WireError as error:
                raised = m.Raised(["ValueError"], f"the returned value is too large: {error}")
                frames.send(link, _encoder.encode(raised))
        except (frames.WireClosed, frames.WireError):
            return False
        return True

    def _answer(self, request: m.Request, blob: bytearray) -> tuple[m.Answer, bytes | bytearray]:
        unpacker = Unpacker(blob, lambda live: self._objects[live.number])
        packer = Packer(self._keep)
        try:
            return m.Value(packer.pack(self._perform(request, unpacker))), packer.blob
        except _NoSuchName:
            return m.Missing(), b""
        except Unsendable as error:
            return m.Raised(["TypeError", "Exception"], f"the returned value {error}"), b""
        except BaseException as error:  # SystemExit and the like are one wrong answer, not an end
            return _raised(error), b""

    def _perform(self, request: m.Request, unpacker: Unpacker) -> Any:
        if isinstance(request, m.Look):
            if request.name not in self._names:
                raise _NoSuchName
            return self._names[request.name]
        if isinstance(request, m.Attribute):
            return _attribute(self._objects[request.number], request.name)
        args = [unpacker.unpack(node) for node in request.args]
        kwargs = {name: unpacker.unpack(node) for name, node in request.kwargs}
        return self._function(request)(*args, **kwargs)

    def _function(self, request: m.Call | m.Ask | m.Make) -> Any:
        if isinstance(request, m.Call):
            return self._objects[request.number]
        if isinstance(request, m.Ask):
            return coursekit.PROBES[request.probe]
        if request.module not in self._helpers or request.name.startswith("_"):
            raise LookupError(f"{request.module}.{request.name} is not public")
        return getattr(importlib.import_module(request.module), request.name)

    def _keep(self, value: Any) -> m.Live:
        if isinstance(value, ModuleType):
            raise Unsendable("is a Python module")
        number = self._numbers.setdefault(id(value), len(self._objects))
        if number == len(self._objects):
            self._objects.append(value)
        return m.Live(number, _kind(value), type(value).__name__[:64])


def _kind(value: Any) -> Literal["object", "callable", "module"]:
    if isinstance(value, torch.nn.Module):
        return "module"
    return "callable" if callable(value) else "object"


class _NoSuchName(Exception):
    pass


def _attribute(subject: Any, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(subject, name)


def _raised(error: BaseException) -> m.Raised:
    bases = [
        base.__name__
        for base in type(error).__mro__
        if getattr(builtins, base.__name__, None) is base
    ]
    try:
        text = str(error)
    except Exception:
        text = ""
    if type(error).__name__ not in bases:
        text = f"{type(error).__name__[:64]}: {text}"
    clean = text[:_MESSAGE_LIMIT].encode(errors="backslashreplace").decode()
    return m.Raised(bases[:16], clean)

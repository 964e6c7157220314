"""What T may ask S, and what S may answer: MessagePack, decoded against these types only."""

from __future__ import annotations

import functools
from typing import Any, Literal

import msgspec


class _Node(msgspec.Struct, array_like=True, tag=True):
    pass


class Items(_Node, tag="list"):
    """A list, tuple, set or frozenset."""

    kind: Literal["list", "tuple", "set", "frozenset"]
    items: list[Node]


class Mapping(_Node, tag="dict"):
    """A dict, as pairs in its order."""

    pairs: list[tuple[Node, Node]]


class Array(_Node, tag="array"):
    """A numpy array or scalar or a torch tensor; its bytes come next in the frame's blob."""

    kind: Literal["numpy", "scalar", "torch"]
    dtype: str
    shape: list[int]


class Raw(_Node, tag="bytes"):
    """A bytes object; its bytes come next in the frame's blob."""

    length: int


class Table(_Node, tag="table"):
    """A pandas frame."""

    names: list[Node]
    columns: list[Node]
    index: Node


class Column(_Node, tag="series"):
    """A pandas series."""

    name: Node
    values: Node
    index: Node


class Graph(_Node, tag="graph"):
    """A PyG ``Data`` or ``Batch``."""

    kind: Literal["Data", "Batch"]
    fields: list[tuple[str, Node]]


class Picture(_Node, tag="image"):
    """A PIL image; its raw pixels come next in the frame's blob."""

    mode: str
    width: int
    height: int
    length: int


class Rng(_Node, tag="rng"):
    """A random generator by its state."""

    kind: Literal["numpy", "legacy", "torch"]
    name: str
    state: Node


class Symbol(_Node, tag="symbol"):
    """A named constant of a library."""

    kind: Literal["torch.dtype", "torch.device", "numpy.dtype", "ellipsis"]
    name: str


class Number(_Node, tag="number"):
    """An integer beyond 64 bit or a complex number, in decimal."""

    kind: Literal["int", "complex"]
    text: str


class Live(_Node, tag="live"):
    """An object that stays in S, by number."""

    number: int
    kind: Literal["object", "callable", "module"]
    type_name: str


Node = (
    None | bool | int | float | str | Items | Mapping | Array | Raw | Table | Column | Graph
    | Picture | Rng | Symbol | Number | Live
)  # fmt: skip


class _Request(msgspec.Struct, array_like=True, tag=True):
    pass


class Look(_Request):
    """The value of a global name in the notebook."""

    name: str


class Attribute(_Request):
    """An attribute of a live object."""

    number: int
    name: str


class Call(_Request):
    """The result of calling a live object."""

    number: int
    args: list[Node]
    kwargs: list[tuple[str, Node]]


class Ask(_Request):
    """The answer of a probe of ``coursekit`` about ``args[0]``."""

    probe: str
    args: list[Node]
    kwargs: list[tuple[str, Node]]


class Make(_Request):
    """A new object of a public class, or a call of a public function, of a helper module."""

    module: str
    name: str
    args: list[Node]
    kwargs: list[tuple[str, Node]]


Request = Look | Attribute | Call | Ask | Make


class _Answer(msgspec.Struct, array_like=True, tag=True):
    pass


class Value(_Answer):
    """What was asked for."""

    node: Node


class Missing(_Answer):
    """There is no such name or attribute."""


class Raised(_Answer):
    """The student's code raised: names of the exception's built-in bases, nearest first."""

    bases: list[str]
    message: str


class Crashed(_Answer):
    """The process that held the student's code died."""

    code: int
    """Its exit status, negative for a signal."""


Answer = Value | Missing | Raised | Crashed


def decode(data: bytes, kind: Any) -> Any:
    """The value of type ``kind`` that ``data`` holds as MessagePack.

    Raises:
        msgspec.DecodeError: if there is none. msgspec reports text that is not UTF-8, and deep
            nesting where it skips, by errors of other types, which a reader would not expect.
    """
    try:
        return _decoder(kind).decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(f"{type(error).__name__} while decoding") from None


@functools.cache
def _decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(kind)

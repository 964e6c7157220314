"""Whatever a hostile room sends, only documented errors and values come out, at bounded cost."""

from __future__ import annotations

import socket
import time
import tracemalloc
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.seal.handles import Handle
from autograder.wire import frames, packets
from autograder.wire import messages as m
from autograder.wire.values import (
    _NUMPY_DTYPES,
    _TORCH_DTYPES,
    PARTS_LIMIT,
    Packer,
    Unpacker,
)
from tests.fuzz import seeds
from tests.fuzz.uses import documented, use

EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MEMORY_PER_BYTE = 64
"""Bytes of Python objects and arrays that one byte of a frame may cost at most; the smallest dict
takes 7 bytes of a message, and about 330 bytes as a node, its list, a dict and a list's entries."""


def handle(node: m.Live) -> Handle:
    return Handle(None, node.number, node.type_name)  # type: ignore[arg-type]


def heard(data: bytes) -> list[Any]:
    """What a reader of ``data`` gets: values until the first error that it must expect."""
    theirs, ours = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
    found: list[Any] = []
    with theirs, ours:
        ours.sendall(data)
        ours.shutdown(socket.SHUT_WR)
        try:
            while True:
                message, blob = frames.receive(theirs, time.monotonic() + 60)
                answer = m.decode(message, m.Answer)
                if isinstance(answer, m.Value):
                    unpacker = Unpacker(blob, handle)
                    value = unpacker.unpack(answer.node)
                    unpacker.finish()
                    found.append(value)
        except (frames.WireError, frames.WireClosed, frames.WireTimeout, msgspec.DecodeError):
            return found


def words(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from(names) | st.text(max_size=3)


SIDES = st.integers(-2, 4) | st.sampled_from([2**31 - 1, 2**31, 2**62])
DTYPES = st.sampled_from([*sorted(_NUMPY_DTYPES), *_TORCH_DTYPES, "object", "M8[s]"])
INTEGERS = st.integers(-(2**63), 2**64 - 1)
LEAVES = (
    st.none() | st.booleans() | INTEGERS | st.floats() | st.text(max_size=5)
    | st.builds(m.Number, st.sampled_from(["int", "complex"]), words("1", "1j", "nanj", "9" * 900))
    | st.builds(m.Raw, st.integers(-1, 9))
    | st.builds(m.Array, st.sampled_from(["numpy", "scalar", "torch"]), DTYPES,
                st.lists(SIDES, max_size=3))
    | st.builds(m.Symbol, st.sampled_from(["torch.dtype", "torch.device", "numpy.dtype"]),
                words("float32", "cpu", "cuda:0", "int8"))
    | st.builds(m.Live, INTEGERS, st.sampled_from(["object", "callable", "module"]), st.text())
    | st.builds(m.Picture, words("L", "1", "RGB"), st.integers(-1, 9), st.integers(-1, 3),
                st.integers(-1, 30))
)  # fmt: skip
FIELDS = words("x", "edge_index", "batch", "ptr", "num_nodes", "y", "self", "keys", "stores")


def compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, max_size=4)
    return (
        st.builds(m.Items, st.sampled_from(["list", "tuple", "set", "frozenset"]), some)
        | st.builds(m.Mapping, st.lists(st.tuples(inner, inner), max_size=3))
        | st.builds(m.Table, some, some, inner)
        | st.builds(m.Column, inner, inner, inner)
        | st.builds(m.Graph, st.sampled_from(["Data", "Batch"]),
                    st.lists(st.tuples(FIELDS, inner), max_size=4))
        | st.builds(m.Rng, st.sampled_from(["numpy", "legacy", "torch"]),
                    words("PCG64", "MT19937", "Philox"), inner)
    )  # fmt: skip


NODES = st.recursive(LEAVES, compound, max_leaves=12)
ANYTHING = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
    | st.sampled_from(["Value", "list", "dict", "array", "graph", "numpy", "torch", "int8"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=15,
)  # fmt: skip


@EXAMPLES
@given(NODES, st.binary(max_size=200))
def test_nodes_of_any_contents_give_documented_values_or_errors(node: Any, blob: bytes) -> None:
    assert documented(heard(seeds.frame(m.Value(node), blob)))


@EXAMPLES
@given(ANYTHING, st.binary(max_size=20))
def test_messages_of_any_structure_give_documented_values_or_errors(data: Any, blob: bytes) -> None:
    message = msgspec.msgpack.encode(data)
    header = frames._HEADER.pack(frames.MAGIC, len(message), len(blob))
    assert documented(heard(header + message + blob))


@EXAMPLES
@given(st.binary(max_size=300))
def test_bytes_of_any_kind_give_documented_values_or_errors(data: bytes) -> None:
    assert documented(heard(data))
    assert documented(heard(frames._HEADER.pack(frames.MAGIC, len(data), 0) + data))


@pytest.mark.parametrize("number", range(len(seeds.all_seeds())))
def test_real_frames_and_packets_with_changed_parts_do_no_harm(number: int) -> None:
    original = seeds.all_seeds()[number]
    for chance in range(30):
        data = seeds.mutated(original, chance) or bytes(original)
        if data[0] == 0:
            values = heard(data[1:])
            assert documented(values)
            for value in values:
                use(value)
        else:
            for packet in seeds.split(data[1:]):
                packets_heard(packet)


def packets_heard(data: bytes) -> Any:
    theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, ours:
        ours.send(data)
        try:
            return packets.receive(theirs, packets.Packet)[0]
        except (EOFError, msgspec.DecodeError):
            return None


@EXAMPLES
@given(ANYTHING | st.binary(max_size=100))
def test_packets_of_any_contents_give_packets_or_documented_errors(data: Any) -> None:
    for packet in (msgspec.msgpack.encode(data), data):
        if isinstance(packet, bytes) and packet:
            assert packets_heard(packet) is None


SMALLEST = {
    "dicts": m.Mapping([]), "lists": m.Items("list", []), "sets": m.Items("set", []),
    "bytes": m.Raw(0), "arrays": m.Array("numpy", "int8", [0]),
    "tensors": m.Array("torch", "int8", [0]), "scalars": m.Number("int", "1"),
    "symbols": m.Symbol("ellipsis", ""), "handles": m.Live(0, "object", ""),
    "graphs": m.Graph("Data", []), "batches": m.Graph("Batch", []),
    "tables": m.Table([], [], m.Items("list", [])), "numbers": 300, "texts": "é",
    "columns": m.Column(None, m.Items("list", []), m.Items("list", [])),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALLEST)
def test_many_of_the_smallest_parts_cost_memory_in_proportion_to_the_message(name: str) -> None:
    node = SMALLEST[name]
    size = len(msgspec.msgpack.encode(node))
    message = msgspec.msgpack.encode(m.Value(m.Items("list", [node] * (60_000 // size))))
    unpacker = Unpacker(b"", handle)
    unpacker.unpack(m.Items("list", [node]))  # imports what is imported late
    tracemalloc.start()
    try:
        value = Unpacker(b"", handle).unpack(m.decode(message, m.Answer).node)
        assert value is not None
    except frames.WireError as error:
        assert "too many parts" in str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    libraries = {"graphs": 4, "batches": 4, "tables": 8, "columns": 8}.get(name, 1)
    assert peak < MEMORY_PER_BYTE * libraries * len(message)


@pytest.mark.parametrize(
    ("node", "weight"), [(1, 1), (m.Mapping([]), 1), (m.Graph("Data", []), 64)]
)
def test_no_message_holds_more_parts_than_the_limit(node: Any, weight: int) -> None:
    many = m.Items("list", [node] * (PARTS_LIMIT // weight))
    with pytest.raises(frames.WireError, match="too many parts"):
        Unpacker(b"", handle).unpack(many)


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 5_000_000])
@pytest.mark.parametrize("kind", [b"\xdd", b"\xdf", b"\xdb", b"\xc6"])
def test_a_false_length_inside_a_message_allocates_nothing(kind: bytes, length: int) -> None:
    message = b"\x92\xa5Value\x93\xa4list\xa4list" + kind + length.to_bytes(4)
    tracemalloc.start()
    try:
        with pytest.raises(msgspec.DecodeError):
            m.decode(message, m.Answer)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def sendable() -> st.SearchStrategy[Any]:
    keys = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5)
    arrays = st.builds(
        lambda dtype, shape, seed: np.frombuffer(
            np.random.default_rng(seed).bytes(8 * int(np.prod(shape)) * 2), np.uint8
        )[: int(np.prod(shape))].reshape(shape).astype(dtype),
        st.sampled_from(sorted(_NUMPY_DTYPES)),
        st.lists(st.integers(0, 3), max_size=3),
        st.integers(0, 99),
    )  # fmt: skip
    tensors = st.builds(
        lambda array, name: (
            torch.tensor(array.tolist()).reshape(array.shape).to(_TORCH_DTYPES[name])
        ),
        arrays.filter(lambda array: array.dtype.kind in "iufb"),
        st.sampled_from(sorted(_TORCH_DTYPES)),
    )
    leaves = keys | st.floats() | st.complex_numbers() | arrays | tensors | st.just(...)
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4) | st.tuples(inner, inner)
            | st.dictionaries(keys, inner, max_size=4) | st.frozensets(keys, max_size=4)
        ),
        max_leaves=15,
    )  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, torch.Tensor):
        return a.dtype is b.dtype and a.shape == b.shape and bool(
            torch.equal(a.nan_to_num(), b.nan_to_num())
        )  # fmt: skip
    if isinstance(a, float | complex):
        return repr(a) == repr(b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


@EXAMPLES
@given(sendable())
def test_whatever_can_be_sent_comes_back_the_same(value: Any) -> None:
    packer = Packer(lambda live: m.Live(0, "object", ""))
    node = packer.pack(value)
    (found,) = heard(seeds.frame(m.Value(node), bytes(packer.blob)))
    assert same(found, value)


def test_tiny_frames_without_end_cost_no_memory() -> None:
    tiny = seeds.frame(m.Value(None))
    theirs, ours = socket.socketpair()
    with theirs, ours:
        tracemalloc.start()
        try:
            for _ in range(200):
                ours.sendall(tiny * 20)
                for _ in range(20):
                    m.decode(frames.receive(theirs)[0], m.Answer)
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()

"""Inputs to begin with, made by the real sender, and changes that keep their structure."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch_geometric.data import Batch, Data

from autograder.model import Limit, Limits, Status
from autograder.wire import frames, packets
from autograder.wire import messages as m
from autograder.wire.values import Packer

_HEADER = frames._HEADER
_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.decode


def values() -> list[Any]:
    """One value of every kind that can cross."""
    graph = Data(x=torch.ones(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]), y=torch.tensor(1))
    frame = pd.DataFrame({"a": [1, 2], 3: [0.5, None], "t": ["x", None]}, index=["u", "v"])
    bits = [np.random.Generator(getattr(np.random, name)(1)) for name in
            ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")]  # fmt: skip
    return [
        None, True, -1, 2**63, 2**90, 1.5, "späß", b"ab", 1 + 2j, [1, [2]], (1,), {1, "a"},
        frozenset({(1, 2)}), {"a": 1, (1, 2): {3}}, ..., np.zeros((2, 3)), np.float32(1),
        np.array([True, False]), torch.ones(2, 2), torch.ones(2, dtype=torch.bfloat16),
        torch.zeros(0, 3), frame, frame["a"], graph, Batch.from_data_list([graph, graph]),
        *(Image.new(mode, (9, 2)) for mode in ("1", "L", "RGB", "I;16", "F", "P")), *bits,
        np.random.RandomState(1), torch.Generator().manual_seed(5), torch.float32,
        np.dtype("int8"), torch.device("cpu"), [graph, {"model": object()}],
    ]  # fmt: skip


def frame(answer: m.Answer, blob: bytes = b"") -> bytes:
    """An answer as S sends it."""
    message = _encode(answer)
    return _HEADER.pack(frames.MAGIC, len(message), len(blob)) + message + blob


def _frames() -> Iterator[bytes]:
    for value in values():
        packer = Packer(lambda live: m.Live(7, "callable", type(live).__name__))
        node = packer.pack(value)
        yield frame(m.Value(node), bytes(packer.blob))
    yield frame(m.Missing())
    yield frame(m.Raised(["KeyError", "Exception"], "no"))
    yield frame(m.Crashed(-9))


def _packets() -> Iterator[packets.Packet]:
    output = _encode([])[:0] + b'[{"output_type": "stream", "name": "stdout", "text": "x"}]'
    yield packets.OpenRoom(Limits())
    yield packets.RoomOpened(5)
    yield packets.RoomRefused("no")
    yield packets.Warm("A", [])
    yield packets.Bury(5)
    yield packets.Buried(-9)
    yield packets.Ready()
    yield packets.Piece("w.bin", b"xyz", True)
    yield packets.CellStarted(0)
    yield packets.CellOutput(0, output)
    yield packets.CellDone(0, 1, 0.5, "OSError", Limit.DISK)
    yield packets.CellLost(1, -9, False)
    yield packets.Checked("q1")
    yield packets.Finished()
    yield packets.Judge("7", ["q1"], 5.0, {"q2": ["q1"]})
    yield packets.Judging("q1")
    yield packets.Tested("q1", "test_one", Status.ERROR, "", 0.1, True, -9)


def join(parts: list[bytes]) -> bytes:
    """Packets as one input."""
    return b"".join(len(part).to_bytes(3) + part for part in parts)


def split(data: bytes) -> list[bytes]:
    """The packets of an input; what is no packet of its length is one as it stands."""
    parts = []
    while data:
        length = int.from_bytes(data[:3])
        parts.append(data[3 : 3 + length])
        data = data[3 + length :]
    return [part for part in parts if part]


def all_seeds() -> list[bytes]:
    """All inputs to begin with."""
    sent = [_encode(packet) for packet in _packets()]
    return [
        *(b"\0" + one for one in _frames()),
        *(b"\1" + join([one]) for one in sent),
        b"\1" + join(sent[4:10]),
    ]


def mutated(data: bytes, seed: int) -> bytes | None:
    """``data`` with its structure changed, lengths put right; none if it has no structure."""
    chance = random.Random(seed)
    if len(data) < 2 or chance.random() < 0.3:
        return None
    try:
        return (_mutated_frame if data[0] % 2 == 0 else _mutated_packets)(data, chance)
    except (ValueError, RecursionError, TypeError, OverflowError, MemoryError):
        return None


def _mutated_frame(data: bytes, chance: random.Random) -> bytes | None:
    if len(data) < 1 + _HEADER.size:
        return None
    _, length, blob_length = _HEADER.unpack_from(data, 1)
    start = 1 + _HEADER.size
    blob = bytearray(data[start + length : start + length + blob_length])
    if blob and chance.random() < 0.4:
        _change_bytes(blob, chance)
        message = data[start : start + length]
    else:
        message = _encode(_changed(_decode(data[start : start + length]), chance))
    header = _HEADER.pack(frames.MAGIC, len(message), len(blob))
    return data[:1] + header + message + bytes(blob)


def _mutated_packets(data: bytes, chance: random.Random) -> bytes | None:
    parts = split(data[1:])
    if not parts:
        return None
    at = chance.randrange(len(parts))
    parts[at] = _encode(_changed(_decode(parts[at]), chance))
    if chance.random() < 0.2:
        parts.insert(chance.randrange(len(parts) + 1), chance.choice(parts))
    return data[:1] + join(parts)


def _change_bytes(blob: bytearray, chance: random.Random) -> None:
    way = chance.randrange(4)
    at = chance.randrange(len(blob))
    if way == 0:
        blob[at] = chance.randrange(256)
    elif way == 1:
        at -= at % 8
        size = len(blob[at : at + 8])
        number = chance.choice([-1, 0, 1, 2**31, 2**40, 2**63 - 1, -(2**63), 624, 625])
        blob[at : at + 8] = number.to_bytes(8, "little", signed=True)[:size]
    elif way == 2:
        del blob[at : at + chance.randrange(1, 9)]
    else:
        blob[at:at] = blob[at : at + 64]


_ODD = [
    None, True, False, 0, 1, -1, 2, 7, 255, 624, 2**15, 2**31 - 1, 2**31, 2**53, 2**63 - 1,
    -(2**63), 2**64 - 1, 0.0, -0.0, 1e308, float("nan"), float("inf"), "", "x", "\0", "a" * 300,
    b"", b"\xff", [], {}, "list", "tuple", "set", "frozenset", "dict", "array", "numpy",
    "scalar", "torch", "int8", "int64", "bool", "bfloat16", "complex128", "float16", "bytes",
    "table", "series", "graph", "Data", "Batch", "image", "L", "RGB", "1", "P", "I;16", "rng",
    "legacy", "MT19937", "Philox", "SFC64", "symbol", "ellipsis", "torch.dtype", "torch.device",
    "numpy.dtype", "cuda:0", "cuda:-1", "number", "int", "complex", "1_0", " 1", "nanj",
    "1e999", "live", "object", "module", "edge_index", "x", "batch", "ptr", "num_nodes",
    "num_graphs", "edge_attr", "face", "keys", "store", "stores", "time", "num_edges", "Value",
    "Missing", "Raised", "Crashed", "state", "pos", "key", "key_", "bit_generator",
    "buffer_pos", "has_gauss", "gauss", "has_uint32", "uinteger", "counter", "buffer", "inc",
    ["list", "list", []], ["dict", []], ["dict", [["a", 1]]], ["array", "torch", "int64", [0]],
    ["array", "torch", "int64", [2, 2]], ["array", "numpy", "float64", []], ["bytes", 0],
    ["table", [], [], ["list", "list", []]], ["number", "int", "9" * 400], ["graph", "Data",
    []], ["series", "n", ["list", "list", [1]], ["list", "list", [1]]], ["symbol", "ellipsis",
    ""], ["live", 0, "callable", "f"], ["number", "complex", "1j"],
]  # fmt: skip


def _changed(tree: Any, chance: random.Random) -> Any:
    """``tree`` with one to three of its parts changed."""
    holder = [tree]
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        places = list(_places(holder))
        if not places:
            break
        box, key = chance.choice(places)
        other_box, other_key = chance.choice(places)
        _change(box, key, other_box[other_key], chance)
    return holder[0] if holder else None


def _places(box: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = range(len(box)) if isinstance(box, list) else list(box)
    for key in keys:
        yield box, key
        if isinstance(box[key], list | dict):
            yield from _places(box[key])


def _change(box: Any, key: Any, other: Any, chance: random.Random) -> None:
    way = chance.randrange(8)
    value = box[key]
    if way <= 2:
        box[key] = chance.choice(_ODD)
    elif way == 3:
        box[key] = msgspec.to_builtins(other)
    elif way == 4 and isinstance(box, list):
        box.insert(key, chance.choice(_ODD) if chance.random() < 0.5 else value)
    elif way == 5 and isinstance(box, list):
        del box[key]
    elif way == 6 and isinstance(value, int):
        box[key] = max(min(value + chance.choice([-1, 1, 8, -8, 256]), 2**64 - 1), -(2**63))
    elif isinstance(value, list):
        box[key] = value * chance.choice([2, 3, 50]) if len(value) < 1000 else value[:10]
    else:
        box[key] = [value]

import collections
import math
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch_geometric.data import Batch, Data

from autograder.wire import messages as m
from autograder.wire.frames import BLOB_LIMIT, WireError
from autograder.wire.values import (
    _IMAGE_MODES,
    _NUMPY_DTYPES,
    _TORCH_DTYPES,
    DEPTH_LIMIT,
    PARTS_LIMIT,
    Packer,
    Unpacker,
    Unsendable,
)


class Stub:
    """What stands for an object that stays on the other side."""

    def __init__(self, node: m.Live) -> None:
        self.node = node


def packed(value: Any) -> tuple[m.Node, bytes]:
    packer = Packer(lambda live: m.Live(7, "object", type(live).__name__))
    node = packer.pack(value)
    return node, bytes(packer.blob)


def unpacked(node: m.Node, blob: bytes = b"") -> Any:
    unpacker = Unpacker(blob, Stub)
    value = unpacker.unpack(node)
    unpacker.finish()
    return value


def crossed(value: Any) -> Any:
    """``value`` after a journey as bytes, as between rooms."""
    node, blob = packed(value)
    answer = msgspec.msgpack.decode(msgspec.msgpack.encode(m.Value(node)), type=m.Answer)
    return unpacked(answer.node, blob)


def same(a: Any, b: Any) -> bool:
    """Equality with types, and with NaN equal to itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float | complex):
        return repr(a) == repr(b)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**900,
        1.5, -0.0, math.inf, math.nan, 5e-324, "", "späß 王 🎉", "\0", b"", b"\0\xff", 1 + 2j,
        complex(math.nan, -0.0), [], [1, [2, [3]]], (), (1, "a"), set(), {1, "a"}, {},
        frozenset({1, (2, 3)}), {"a": 1, 2: [None], (1, 2): {3}, None: None, 1.5: b"x"}, ...,
    ],
)  # fmt: skip
def test_plain_data_comes_back_the_same(value: Any) -> None:
    assert same(crossed(value), value)


def plain() -> st.SearchStrategy[Any]:
    keys = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
    leaves = keys | st.floats() | st.complex_numbers() | st.binary(max_size=20)
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.tuples(inner, inner)
            | st.dictionaries(keys, inner, max_size=4)
            | st.frozensets(keys, max_size=4)
        ),
        max_leaves=20,
    )


@settings(max_examples=200, deadline=None)
@given(plain())
def test_nested_plain_data_comes_back_the_same(value: Any) -> None:
    assert same(crossed(value), value)


def test_lone_surrogates_are_spelled_out() -> None:
    assert crossed("a\ud800b") == "a\\ud800b"


class Rates(dict):
    """Holds one thing and shows another."""

    def items(self) -> Any:
        return [("a", 1.0)]

    def __getitem__(self, key: Any) -> Any:
        return 1.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (bytearray(b"ab"), b"ab"),
        (torch.Size([2, 3]), (2, 3)),
        (collections.deque([1, 2]), (1, 2)),
        (collections.namedtuple("P", "x y")(1, 2), (1, 2)),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        (Rates(a=0.5), {"a": 0.5}),
        (np.str_("a"), "a"),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([b"a"]), [b"a"]),
        (np.array([1, None, "a"], dtype=object), [1, None, "a"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_their_kin_comes_back_as_plain_data(value: Any, expected: Any) -> None:
    assert same(crossed(value), expected)


ARRAY = [[0, 1, 2], [3, 1, 0]]


@pytest.mark.parametrize("dtype", sorted(_NUMPY_DTYPES))
def test_numpy_arrays_and_scalars_come_back_the_same(dtype: str) -> None:
    whole = np.array(ARRAY).astype(dtype)
    for array in (whole, whole.T, whole[:, ::2], whole[0, 1:1], np.array(whole[1, 0])):
        found = crossed(array)
        assert type(found) is np.ndarray and found.dtype == array.dtype
        assert found.shape == array.shape and np.array_equal(found, array)
        assert found.flags.writeable
    scalar = crossed(whole[1, 0])
    assert type(scalar) is type(whole[1, 0]) and scalar == whole[1, 0]
    assert math.isnan(crossed(np.float32("nan")))


def test_big_endian_arrays_come_back_with_their_values() -> None:
    assert crossed(np.array([1, 2], dtype=">i4")).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", sorted(_TORCH_DTYPES))
def test_torch_tensors_come_back_the_same(dtype: str) -> None:
    whole = torch.tensor(ARRAY).to(_TORCH_DTYPES[dtype])
    for tensor in (whole, whole.T, whole[:, ::2], whole[0, 1:1], whole[1, 0], whole[:1, 1]):
        found = crossed(tensor)
        assert type(found) is torch.Tensor and found.dtype is tensor.dtype
        assert found.shape == tensor.shape and torch.equal(found, tensor)


def test_tensors_of_every_making_come_back_plain() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    places, numbers = torch.tensor([[0, 2]]), torch.tensor([1.0, 2.0])
    sparse = torch.sparse_coo_tensor(places, numbers, (3,), check_invariants=True)
    grad = torch.ones(2, requires_grad=True) * 2
    conjugate = torch.tensor([1 + 2j]).conj()
    for tensor, expected in [
        (parameter, [1.0, 1.0]), (grad, [2.0, 2.0]), (sparse, [1.0, 0.0, 2.0]),
        (conjugate, [1 - 2j]), (conjugate.imag, [-2.0]),
    ]:  # fmt: skip
        found = crossed(tensor)
        assert type(found) is torch.Tensor and not found.requires_grad
        assert found.layout is torch.strided and found.tolist() == expected


def test_what_comes_back_shares_no_memory_with_what_was_sent() -> None:
    array, tensor = np.zeros(2), torch.zeros(2)
    crossed(array)[0] = 1
    crossed(tensor)[0] = 1
    assert array.tolist() == tensor.tolist() == [0, 0]


def test_frames_and_series_come_back_the_same() -> None:
    frame = pd.DataFrame(
        {"a": [1, 2], 3: [0.5, None], "text": ["x", None], "b": [True, False]}, index=["u", "v"]
    )
    found = crossed(frame)
    assert list(found.columns) == list(frame.columns) and list(found.index) == ["u", "v"]
    assert found["a"].tolist() == [1, 2] and found["b"].tolist() == [True, False]
    assert found[3].iloc[0] == 0.5 and found[3].isna().tolist() == [False, True]
    assert found["text"].iloc[0] == "x" and found["text"].isna().tolist() == [False, True]
    twice = crossed(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    assert list(twice.columns) == ["a", "a"] and twice.iloc[0].tolist() == [1, 2]
    series = pd.Series([1.5, 2.5], index=[4, 5], name="s")
    pd.testing.assert_series_equal(crossed(series), series)
    assert crossed(pd.DataFrame()).shape == (0, 0)
    assert crossed(pd.Index([1, 2])).tolist() == [1, 2]


def graph() -> Data:
    return Data(
        x=torch.ones(3, 2), edge_index=torch.tensor([[0, 1], [1, 2]]), y=torch.tensor(1), tag="t"
    )


def test_graphs_and_batches_come_back_the_same() -> None:
    found = crossed(graph())
    assert type(found) is Data and found.tag == "t" and found.num_nodes == 3
    assert torch.equal(found.x, graph().x) and torch.equal(found.edge_index, graph().edge_index)
    batch = crossed(Batch.from_data_list([graph(), graph()]))
    assert isinstance(batch, Batch) and batch.batch.tolist() == [0, 0, 0, 1, 1, 1]
    assert batch.ptr.tolist() == [0, 3, 6] and batch.num_graphs == 2


@pytest.mark.parametrize("mode", sorted(_IMAGE_MODES))
def test_images_come_back_the_same(mode: str) -> None:
    image = Image.new(mode, (9, 2))
    image.putpixel((8, 1), (1,) * len(image.getbands()) if len(image.getbands()) > 1 else 1)
    found = crossed(image)
    assert (found.mode, found.size) == (mode, (9, 2)) and found.tobytes() == image.tobytes()


@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_generators_go_on_where_they_stood(name: str) -> None:
    generator = np.random.Generator(getattr(np.random, name)(1))
    generator.random(3)
    found = crossed(generator)
    assert found.random(700).tolist() == generator.random(700).tolist()


def test_legacy_and_torch_generators_go_on_where_they_stood() -> None:
    legacy = np.random.RandomState(1)
    legacy.randn()
    assert crossed(legacy).randn(3).tolist() == legacy.randn(3).tolist()
    generator = torch.Generator().manual_seed(5)
    torch.rand(3, generator=generator)
    found = crossed(generator)
    assert torch.equal(torch.rand(9, generator=found), torch.rand(9, generator=generator))


def test_dtypes_and_devices_come_back_the_same() -> None:
    for value in (torch.bfloat16, torch.bool, np.dtype("int8"), torch.device("cpu")):
        assert crossed(value) == value


class LyingInt(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class LyingArray(np.ndarray):
    pass


class LyingTensor(torch.Tensor):
    pass


class Disguised:
    @property
    def __class__(self) -> type:  # type: ignore[override]
        return np.float64


def some_function() -> None: ...


@pytest.mark.parametrize(
    "value",
    [
        LyingInt(7), type("S", (str,), {})("x"), type("F", (float,), {})(1.0),
        type("L", (list,), {})([1]), np.zeros(2).view(LyingArray), LyingTensor(), Disguised(),
        object(), some_function, torch.nn.Linear(1, 1), pd.Timestamp("2020"), np.zeros, iter([1]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_any_other_object_stays_where_it_is(value: Any) -> None:
    assert isinstance(crossed(value), Stub)
    assert isinstance(crossed([value])[0], Stub)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def cyclic() -> Any:
    value: list[Any] = []
    value.append({"again": value})
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (nested(DEPTH_LIMIT + 1), "nested"),
        (cyclic(), "contains itself"),
        (10**1200, "digits"),
        (10**9000, "digits"),
        ("x" * 2_000_001, "characters"),
        (np.array(["2020"], dtype="datetime64[D]"), "dtype"),
        (np.zeros(1, dtype=[("a", "i4")]), "dtype"),
        (np.float128(1) if hasattr(np, "float128") else np.datetime64(1, "s"), "dtype"),
        (torch.zeros(1, dtype=torch.uint16), "dtype"),
        (np.broadcast_to(np.uint8(0), BLOB_LIMIT + 1), "larger"),
        ([np.broadcast_to(np.uint8(0), BLOB_LIMIT), b"x"], "larger"),
        ([0] * PARTS_LIMIT, "too many parts"),
        ([torch.tensor(0)] * (PARTS_LIMIT // 8), "too many parts"),
        (Data(x=torch.ones(2, 1), edge_index=torch.tensor([[0], [2]])), "points to no node"),
        (Data(num_nodes=torch.tensor(3)), "num_nodes"),
    ],
    ids=["too deep", "cyclic", "1200 digits", "9000 digits", "long text", "datetime", "record",
         "long double", "uint16", "one too large", "two too large", "too many numbers",
         "too many tensors", "an edge from no node", "nodes counted by a tensor"],
)  # fmt: skip
def test_what_cannot_cross_is_refused_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(Unsendable, match=reason):
        packed(value)


def test_the_deepest_nesting_that_is_sent_can_be_received() -> None:
    assert crossed(nested(DEPTH_LIMIT)) == nested(DEPTH_LIMIT)


def test_what_stands_twice_beside_itself_is_no_cycle() -> None:
    inner = [1]
    assert crossed([inner, inner, (inner,)]) == [[1], [1], ([1],)]


EDGES = np.array([[0, 1], [1, 2]], dtype=np.int64).tobytes()


def edges(dtype: str = "int64", shape: tuple[int, ...] = (2, 2), **more: m.Node) -> m.Node:
    array = m.Array("torch", dtype, list(shape))
    return m.Graph("Data", [*more.items(), ("edge_index", array)])


def deep(levels: int) -> m.Node:
    node: m.Node = 1
    for _ in range(levels):
        node = m.Items("list", [node])
    return node


NUMBERS = m.Items("list", [1, 2])

LIES: dict[str, tuple[m.Node, bytes]] = {
    "a negative side": (m.Array("numpy", "int8", [-1]), b""),
    "two negative sides": (m.Array("numpy", "int8", [-2, -2]), bytes(4)),
    "a side that overflows": (m.Array("torch", "int8", [2**31]), b""),
    "sides that overflow together": (m.Array("numpy", "float64", [2**30] * 8), bytes(8)),
    "empty sides that overflow together": (m.Array("numpy", "int8", [0] + [2**31 - 1] * 7), b""),
    "the same for torch": (m.Array("torch", "int8", [0] + [2**31 - 1] * 7), b""),
    "nine dimensions": (m.Array("numpy", "int8", [1] * 9), b"x"),
    "an empty side beside sides that overflow when added up": (
        m.Array("numpy", "float64", [0, 2**31 - 1]), b"",
    ),
    "the same in torch": (m.Array("torch", "float32", [2**28, 0]), b""),
    "fewer bytes": (m.Array("numpy", "int32", [2]), bytes(7)),
    "more bytes": (m.Array("numpy", "int32", [2]), bytes(9)),
    "bytes of nothing": (1, b"x"),
    "a scalar with a shape": (m.Array("scalar", "int8", [1]), b"x"),
    "an unknown dtype": (m.Array("numpy", "object", [1]), bytes(8)),
    "numpy has no such dtype": (m.Array("numpy", "bfloat16", [1]), bytes(2)),
    "torch has no such dtype": (m.Array("torch", "uint64", [1]), bytes(8)),
    "bytes of a negative length": (m.Raw(-1), b""),
    "bytes that are too short": (m.Raw(3), b"ab"),
    "the same key twice": (m.Mapping([("a", 1), ("a", 2)]), b""),
    "keys that are equal": (m.Mapping([(1, 1), (True, 2)]), b""),
    "NaN as a key": (m.Mapping([(math.nan, 1)]), b""),
    "a list as a key": (m.Mapping([(NUMBERS, 1)]), b""),
    "a dict in a set": (m.Items("set", [m.Mapping([])]), b""),
    "an array in a set": (m.Items("set", [m.Array("numpy", "int8", [1])]), b"x"),
    "too deep": (deep(DEPTH_LIMIT + 3), b""),
    "a text too long": ("x" * 2_000_001, b""),
    "a number too long": (m.Number("int", "1" * 1001), b""),
    "no number": (m.Number("int", "1; import os"), b""),
    "no complex number": (m.Number("complex", "i"), b""),
    "a ragged table": (m.Table(["a"], [NUMBERS], m.Items("list", [1])), b""),
    "a table without names": (m.Table([], [NUMBERS], NUMBERS), b""),
    "a column that is a number": (m.Table(["a"], [3], NUMBERS), b""),
    "a column of two dimensions": (m.Column("a", m.Array("numpy", "int8", [1, 1]), 1), b"x"),
    "a ragged series": (m.Column("a", NUMBERS, m.Items("list", [1])), b""),
    "a series named by a list": (m.Column(NUMBERS, NUMBERS, NUMBERS), b""),
    "an edge from no node": (edges(num_nodes=2), EDGES),
    "an edge from a node before the first": (
        edges(num_nodes=3), np.array([[-1, 0], [0, 0]], dtype=np.int64).tobytes(),
    ),
    "an edge beyond the nodes' features": (edges(x=m.Array("torch", "int8", [2])), b"xx" + EDGES),
    "an edge beyond, and a false number of nodes": (
        edges(num_nodes=10**9, x=m.Array("torch", "int8", [2])), b"xx" + EDGES,
    ),
    "edges of another dtype": (edges("float64"), EDGES),
    "edges of another shape": (edges(shape=(4,)), EDGES),
    "a batch out of order": (
        m.Graph("Batch", [("batch", m.Array("torch", "int64", [2]))]),
        np.array([1, 0], dtype=np.int64).tobytes(),
    ),
    "a batch of more graphs than there are rows": (
        m.Graph("Batch", [("batch", m.Array("torch", "int64", [2]))]),
        np.array([0, 2**40], dtype=np.int64).tobytes(),
    ),
    "a batch before the first graph": (
        m.Graph("Batch", [("batch", m.Array("torch", "int64", [2]))]),
        np.array([-1, 0], dtype=np.int64).tobytes(),
    ),
    "a batch of numbers that are no integers": (
        m.Graph("Batch", [("batch", m.Array("torch", "float64", [2]))]), bytes(16),
    ),
    "a batch of two dimensions": (
        m.Graph("Batch", [("batch", m.Array("torch", "int64", [2, 1]))]), bytes(16),
    ),
    "a batch whose graphs end nowhere": (
        m.Graph("Batch", [("ptr", m.Array("torch", "int64", [2]))]),
        np.array([0, 2**40], dtype=np.int64).tobytes(),
    ),
    "an edge so far away that an array up to it has no room": (
        edges(), np.array([[0, 0], [0, 2**40]], dtype=np.int64).tobytes(),
    ),
    "nodes that fill the memory": (m.Graph("Data", [("num_nodes", 2**40)]), b""),
    "less than no nodes": (m.Graph("Data", [("num_nodes", -1)]), b""),
    "nodes whose number is a text": (m.Graph("Data", [("num_nodes", "9")]), b""),
    "nodes whose number is a tensor": (
        m.Graph("Data", [("num_nodes", m.Array("torch", "int64", []))]),
        np.array(2**40, dtype=np.int64).tobytes(),
    ),
    "too many parts": (m.Items("list", [0] * PARTS_LIMIT), b""),
    "too many graphs": (m.Items("list", [m.Graph("Data", [])] * (PARTS_LIMIT // 64)), b""),
    "integers that collide": (
        m.Items("set", [m.Number("int", str(n * (2**61 - 1))) for n in range(2000)]), b"",
    ),
    "keys that collide": (
        m.Mapping([(m.Number("int", str(n * (2**61 - 1))), n) for n in range(2000)]), b"",
    ),
    "a private graph field": (m.Graph("Data", [("_store", 1)]), b""),
    "a graph field of no name": (m.Graph("Data", [("a b", 1)]), b""),
    "a graph field that is its self": (m.Graph("Data", [("self", 1)]), b""),
    "a graph field twice": (m.Graph("Data", [("x", 1), ("x", 2)]), b""),
    "an image of no width": (m.Picture("L", 0, 1, 0), b""),
    "a huge image": (m.Picture("L", 2**15, 1, 2**15), bytes(2**15)),
    "an image larger than its bytes": (m.Picture("RGB", 2, 2, 11), bytes(11)),
    "an image of an unknown mode": (m.Picture("CMYK", 1, 1, 4), bytes(4)),
    "a generator of no kind": (m.Rng("numpy", "default_rng", m.Mapping([])), b""),
    "a generator without a state": (m.Rng("numpy", "PCG64", m.Mapping([])), b""),
    "a generator whose state is a number": (m.Rng("legacy", "MT19937", 5), b""),
    "a torch state too short": (m.Rng("torch", "", m.Array("torch", "uint8", [3])), b"abc"),
    "an unknown torch dtype": (m.Symbol("torch.dtype", "load"), b""),
    "an unknown numpy dtype": (m.Symbol("numpy.dtype", "O"), b""),
    "an unknown device": (m.Symbol("torch.device", "meta"), b""),
    "a device of no number": (m.Symbol("torch.device", "cuda:x"), b""),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_message_that_no_packer_makes_is_refused(lie: str) -> None:
    with pytest.raises(WireError):
        unpacked(*LIES[lie])


def broken_state(change: Callable[[dict[str, Any]], None], kind: Any, name: str) -> m.Rng:
    bits = getattr(np.random, name)(1)
    state: dict[str, Any] = dict(bits.state)
    change(state)
    packer = Packer(lambda live: m.Live(0, "object", ""))
    broken_state.blob = packer.blob  # type: ignore[attr-defined]
    return m.Rng(kind, name, packer.pack(state))


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("legacy", "MT19937", lambda state: state["state"].update(pos=10**9)),
        ("legacy", "MT19937", lambda state: state["state"].update(pos=-1)),
        ("numpy", "MT19937", lambda state: state["state"].update(pos=625)),
        ("legacy", "MT19937", lambda state: state["state"].update(key=[1, 2])),
        ("numpy", "Philox", lambda state: state.update(buffer_pos=-(10**6))),
        ("numpy", "Philox", lambda state: state.update(buffer_pos=5)),
        ("numpy", "PCG64", lambda state: state["state"].update(state=2**300)),
        ("numpy", "PCG64", lambda state: state["state"].update(inc=-1)),
        ("numpy", "PCG64", lambda state: state.update(bit_generator="MT19937")),
    ],
)
def test_a_generator_that_would_read_beyond_its_state_is_refused(
    kind: str, name: str, change: Callable[[dict[str, Any]], None]
) -> None:
    node = broken_state(change, kind, name)
    with pytest.raises(WireError):
        unpacked(node, bytes(broken_state.blob))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("left", "following"), [(624, 624), (0, 0), (-5, 0), (1, 625), (2, 2**40)])
def test_a_torch_generator_that_would_read_beyond_its_state_is_refused(
    left: int, following: int
) -> None:
    state = torch.Generator().manual_seed(1).get_state().numpy().tobytes()
    changed = struct.pack("<QiiQ", 1, left, 1, following) + state[24:]
    node = m.Rng("torch", "", m.Array("torch", "uint8", [len(state)]))
    with pytest.raises(WireError):
        unpacked(node, changed)


@pytest.mark.parametrize("drawn", [0, 1, 2, 622, 623, 624, 625, 1300])
def test_a_torch_generator_can_cross_wherever_it_stands(drawn: int) -> None:
    generator = torch.Generator().manual_seed(5)
    torch.randint(0, 2**31, (drawn,), dtype=torch.int32, generator=generator)
    found = crossed(generator)
    assert torch.equal(torch.rand(700, generator=found), torch.rand(700, generator=generator))


def test_keys_of_honest_dicts_and_sets_are_not_taken_for_made_to_collide() -> None:
    pairs = {(a, b, c): a for a in range(-20, 20) for b in range(-20, 20) for c in range(-2, 2)}
    multiples = {n * 2**32 for n in range(5000)} | {n / 1024 for n in range(5000)}
    assert crossed(pairs) == pairs and crossed(multiples) == multiples


def test_large_graphs_without_features_can_cross() -> None:
    ring = torch.arange(200_000)
    found = crossed(Data(edge_index=torch.stack([ring, ring.roll(1)]), num_nodes=200_000))
    assert found.num_nodes == 200_000
    assert crossed(Data(x=torch.ones(1, 1), batch=torch.tensor([7]))).batch.tolist() == [7]


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_truth_values_of_odd_bytes_become_plain_truth_values(kind: Any) -> None:
    found = unpacked(m.Array(kind, "bool", [3]), b"\0\x02\xff")
    assert np.asarray(found).tobytes() == b"\0\1\1"


@pytest.mark.parametrize(
    "data",
    [
        ["Value", ["nothing", 1]],
        ["Value", ["array", "numpy", "int8", [True]]],
        ["Value", ["array", "numpy", "int8", ["1"]]],
        ["Value", ["array", "pickle", "int8", [1]]],
        ["Value", ["live", True, "object", "x"]],
        ["Value", ["live", 1, "class", "x"]],
        ["Value", ["list", "deque", []]],
        ["Value", ["dict", [["a"]]]],
        ["Value", ["bytes", 1.0]],
        ["Value", {"a": 1}],
        ["Value"],
        ["Exec", "import os"],
        ["Raised", "ValueError", "x"],
        ["Raised", ["ValueError"], 1],
        [],
        None,
        "Value",
    ],
)
def test_an_answer_of_another_form_is_not_decoded(data: Any) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(data), type=m.Answer)

"""Values as data: the types that may cross between rooms, and nothing else.

The sender looks at exact types, so a subclass that lies about itself never crosses by value; of a
dict's subclass what it holds does. The receiver builds fresh objects from checked numbers and
bytes; no name in a message is ever looked up as an attribute or imported.
"""

from __future__ import annotations

import collections
import math
import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from autograder.wire import messages as m
from autograder.wire.frames import BLOB_LIMIT, WireError

DEPTH_LIMIT = 32
PARTS_LIMIT = 1_000_000
"""Parts of one message, each counted as often as its kind weighs."""
_WEIGHTS: dict[type, int] = {
    m.Array: 8, m.Live: 4, m.Symbol: 4,
    m.Table: 128, m.Column: 128, m.Graph: 64, m.Picture: 16, m.Rng: 64,
}  # fmt: skip
"""What making an object of a library takes, in time and memory, if making a number takes 1."""
COLLISIONS_LIMIT = 64
"""Keys of one dict or set with the same hash; more of them are made to take quadratic time."""
ROWS_LIMIT = 65_536
"""Rows that a graph's indices may speak of even if none of its tensors is as long."""
_TEXT_LIMIT = 2_000_000
_DIGITS_LIMIT, _BITS_LIMIT = 1000, 3300
_POSITION_LIMITS = {"pos": 624, "buffer_pos": 4}
"""Words in the buffers of MT19937 and Philox: numpy does not check where a state stands in them."""
_NUMPY_DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
    "float16 float32 float64 complex64 complex128".split()
)
_TORCH_DTYPES = {str(d).removeprefix("torch."): d for d in (
    torch.bool, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8,
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
)}  # fmt: skip
_ITEM_SIZES = {
    name: torch.empty(0, dtype=d).element_size() for name, d in _TORCH_DTYPES.items()
} | {name: np.dtype(name).itemsize for name in _NUMPY_DTYPES}
_IMAGE_MODES = {"1": 1, "L": 1, "P": 1, "RGB": 3, "RGBA": 4, "I": 4, "F": 4, "I;16": 2, "LA": 2}
_BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
_CONTAINERS: dict[str, Callable[[Iterable[Any]], Any]] = {
    "list": list, "tuple": tuple, "set": set, "frozenset": frozenset,
}  # fmt: skip


class Unsendable(Exception):
    """A value that cannot cross, with the reason."""


class Packer:
    """Turns one message's values into nodes and a blob.

    Args:
        live: Makes a node for an object that cannot cross by value, or raises ``Unsendable``.
    """

    def __init__(self, live: Callable[[Any], m.Live]) -> None:
        self._live = live
        self.blob = bytearray()
        self._open: set[int] = set()
        self._parts = 0

    def pack(self, value: Any, depth: int = 0) -> m.Node:
        """The node for ``value``.

        Raises:
            Unsendable: if it is nested too deeply, contains itself or is too large.
        """
        node = self._node(value, depth)
        self._count(node)
        return node

    def _node(self, value: Any, depth: int) -> m.Node:
        kind = type(value)
        if value is None or kind in (bool, float):
            return value
        if kind is int:
            if value.bit_length() > _BITS_LIMIT:
                raise Unsendable(f"is a number of about {_DIGITS_LIMIT} digits or more")
            return value if -(2**63) <= value < 2**64 else m.Number("int", str(value))
        if kind is str:
            text: str = value.encode(errors="backslashreplace").decode()
            if len(text) > _TEXT_LIMIT:
                raise Unsendable(f"is a text of more than {_TEXT_LIMIT:,} characters")
            return text
        if kind in (bytes, bytearray):
            self._room_for(len(value))
            self.blob += value
            return m.Raw(len(value))
        if kind is complex:
            return m.Number("complex", repr(value))
        if depth >= DEPTH_LIMIT:
            raise Unsendable(f"is nested more than {DEPTH_LIMIT} levels deep")
        if id(value) in self._open:
            raise Unsendable("contains itself")
        self._open.add(id(value))
        try:
            return self._compound(value, kind, depth + 1)
        finally:
            self._open.discard(id(value))

    def _count(self, node: m.Node) -> None:
        self._parts += _WEIGHTS.get(type(node), 1)
        if self._parts > PARTS_LIMIT:
            raise Unsendable("has too many parts to be sent at once; make it one array or tensor")

    def _compound(self, value: Any, kind: type, depth: int) -> m.Node:
        if kind in (list, tuple, set, frozenset):
            return m.Items(kind.__name__, [self.pack(item, depth) for item in value])  # type: ignore[arg-type]
        if kind in (torch.Size, collections.deque) or (
            issubclass(kind, tuple) and hasattr(kind, "_fields")
        ):
            return m.Items("tuple", [self.pack(item, depth) for item in value])
        if issubclass(kind, dict) and not callable(value):
            # what it holds, by dict's own method: a subclass may tell otherwise
            pairs = [(self.pack(k, depth), self.pack(v, depth)) for k, v in dict.items(value)]
            return m.Mapping(pairs)
        if kind in (torch.Tensor, torch.nn.Parameter):
            return self._tensor(value)
        if kind is np.ndarray:
            return self._array(value, "numpy", depth)
        if isinstance(value, np.generic) and kind.__module__ == "numpy":
            if kind is np.str_:
                return str(value)
            return self._array(np.asarray(value), "scalar", depth)
        return self._foreign(value, kind, depth)

    def _tensor(self, value: torch.Tensor) -> m.Node:
        plain = value.detach()
        if plain.layout is not torch.strided:
            plain = plain.to_dense()
        name = str(plain.dtype).removeprefix("torch.")
        if name not in _TORCH_DTYPES:
            raise Unsendable(f"is a tensor of dtype {plain.dtype}, which cannot be checked")
        self._room_for(plain.numel() * plain.element_size())
        plain = plain.cpu().resolve_conj().resolve_neg()
        plain = plain.clone(memory_format=torch.contiguous_format)  # one element may have a stride
        self.blob += plain.reshape(-1).view(torch.uint8).numpy().tobytes()
        return m.Array("torch", name, list(plain.shape))

    def _array(self, value: np.ndarray[Any, Any], kind: Any, depth: int) -> m.Node:
        if value.dtype.kind in "US":
            return self.pack(value.tolist(), depth)
        name = value.dtype.name
        if name not in _NUMPY_DTYPES:
            if value.dtype.kind == "O" and kind == "numpy":
                return self.pack(value.tolist(), depth)
            raise Unsendable(f"is an array of dtype {value.dtype}, which cannot be checked")
        self._room_for(value.nbytes)
        self.blob += np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).tobytes()
        return m.Array(kind, name, list(value.shape))

    def _room_for(self, length: int) -> None:
        if len(self.blob) + length > BLOB_LIMIT:
            raise Unsendable(f"is larger than {BLOB_LIMIT // 2**20} MiB")

    def _foreign(self, value: Any, kind: type, depth: int) -> m.Node:
        origin = kind.__module__.partition(".")[0]
        packer = _FOREIGN.get(origin)
        node = packer(self, value, kind, depth) if packer else None
        if node is not None:
            return node
        if value is Ellipsis:
            return m.Symbol("ellipsis", "")
        return self._live(value)

    def _torch(self, value: Any, kind: type, depth: int) -> m.Node | None:
        if kind is torch.dtype:
            return m.Symbol("torch.dtype", str(value).removeprefix("torch."))
        if kind is torch.device:
            return m.Symbol("torch.device", str(value))
        if kind is torch.Generator:
            return m.Rng("torch", "", self.pack(value.get_state(), depth))
        return None

    def _numpy(self, value: Any, kind: type, depth: int) -> m.Node | None:
        if kind is np.random.Generator:
            state = value.bit_generator.state
            return m.Rng("numpy", type(value.bit_generator).__name__, self.pack(state, depth))
        if kind is np.random.RandomState:
            return m.Rng("legacy", "MT19937", self.pack(value.get_state(legacy=False), depth))
        if isinstance(value, np.dtype):
            return m.Symbol("numpy.dtype", value.name)
        return None

    def _pandas(self, value: Any, kind: type, depth: int) -> m.Node | None:
        if kind.__name__ == "DataFrame":
            names = [self.pack(name, depth) for name in value.columns]
            columns = [self._column(value.iloc[:, i], depth) for i in range(value.shape[1])]
            return m.Table(names, columns, self._column(value.index.to_series(), depth))
        if kind.__name__ == "Series":
            name, column = self.pack(value.name, depth), self._column(value, depth)
            return m.Column(name, column, self._column(value.index.to_series(), depth))
        if kind.__name__ in ("Index", "RangeIndex"):
            return self._column(value.to_series(), depth)
        return None

    def _column(self, column: Any, depth: int) -> m.Node:
        values = column.to_numpy()
        if values.dtype.name in _NUMPY_DTYPES:
            return self.pack(values, depth)
        return self.pack([None if v is None or v != v else v for v in values.tolist()], depth)

    def _graph(self, value: Any, kind: type, depth: int) -> m.Node | None:
        if kind.__name__ not in ("Data", "DataBatch", "Batch"):
            return None
        fields = value.to_dict()
        problem = _graph_problem(fields)
        if problem:
            raise Unsendable(f"is a graph whose {problem}")
        fields = [(str(k), self.pack(v, depth)) for k, v in fields.items()]
        return m.Graph("Data" if kind.__name__ == "Data" else "Batch", fields)

    def _image(self, value: Any, kind: type, depth: int) -> m.Node | None:
        if not hasattr(value, "tobytes") or value.mode not in _IMAGE_MODES:
            return None
        pixels = value.tobytes()
        self._room_for(len(pixels))
        self.blob += pixels
        return m.Picture(value.mode, value.width, value.height, len(pixels))


_FOREIGN: dict[str, Callable[[Packer, Any, type, int], m.Node | None]] = {
    "torch": Packer._torch,
    "numpy": Packer._numpy,
    "pandas": Packer._pandas,
    "torch_geometric": Packer._graph,
    "abc": Packer._graph,
    "PIL": Packer._image,
}


class Unpacker:
    """Builds values from one message's nodes and blob.

    Args:
        blob: The frame's blob; every byte of it must belong to exactly one value.
        live: Makes the local stand-in for an object of the other room.
    """

    def __init__(self, blob: bytes | bytearray, live: Callable[[m.Live], Any]) -> None:
        self._blob = memoryview(blob)
        self._at = self._parts = 0
        self._live = live

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            WireError: if the blob is longer than the values in it.
        """
        if self._at != len(self._blob):
            raise WireError("bytes left over after the last value")

    def unpack(self, node: m.Node, depth: int = 0) -> Any:
        """The value of ``node``.

        Raises:
            WireError: if the node is not one that :class:`Packer` makes.
        """
        if depth > DEPTH_LIMIT + 2:
            raise WireError("nested too deeply")
        self._parts += _WEIGHTS.get(type(node), 1)
        if self._parts > PARTS_LIMIT:
            raise WireError("too many parts")
        if isinstance(node, str) and len(node) > _TEXT_LIMIT:
            raise WireError("text too long")
        if node is None or isinstance(node, bool | int | float | str):
            return node
        try:
            return _BUILDERS[type(node)](self, node, depth + 1)
        except WireError:
            raise
        except Exception:  # whatever a library says of numbers and bytes that make no sense
            raise WireError("not a valid value") from None

    def _items(self, node: m.Items, depth: int) -> Any:
        items = [self.unpack(item, depth) for item in node.items]
        if node.kind in ("set", "frozenset"):
            _check_hashes(items)
        return _hashable(lambda: _CONTAINERS[node.kind](items))

    def _mapping(self, node: m.Mapping, depth: int) -> Any:
        pairs = [(self.unpack(key, depth), self.unpack(value, depth)) for key, value in node.pairs]
        if any(isinstance(key, float) and math.isnan(key) for key, _ in pairs):
            raise WireError("NaN as a key")
        _check_hashes([key for key, _ in pairs])
        found = _hashable(lambda: dict(pairs))
        if len(found) != len(pairs):
            raise WireError("the same key twice")
        return found

    def _take(self, length: int) -> memoryview:
        if length < 0 or self._at + length > len(self._blob):
            raise WireError("array larger than its bytes")
        self._at += length
        return self._blob[self._at - length : self._at]

    def _array(self, node: m.Array, depth: int) -> Any:
        allowed = _TORCH_DTYPES if node.kind == "torch" else _NUMPY_DTYPES
        if node.dtype not in allowed:
            raise WireError("dtype not allowed")
        if len(node.shape) > 8 or any(not 0 <= side < 2**31 for side in node.shape):
            raise WireError("shape not allowed")
        if math.prod(side or 1 for side in node.shape) * _ITEM_SIZES[node.dtype] > BLOB_LIMIT:
            raise WireError("shape not allowed")  # a sum over its empty side would be that large
        data = bytearray(self._take(math.prod(node.shape) * _ITEM_SIZES[node.dtype]))
        if node.dtype == "bool" and data:  # a byte of neither 0 nor 1 is undefined behaviour
            data = bytearray((np.frombuffer(data, np.uint8) != 0).tobytes())
        if node.kind == "torch":
            flat = (
                torch.frombuffer(data, dtype=torch.uint8)
                if data
                else torch.empty(0, dtype=torch.uint8)
            )
            return flat.view(_TORCH_DTYPES[node.dtype]).reshape(node.shape)
        array = np.frombuffer(data, dtype=np.dtype(node.dtype).newbyteorder("<")).reshape(
            node.shape
        )
        array = array.astype(np.dtype(node.dtype), copy=False)
        if node.kind == "scalar":
            if node.shape:
                raise WireError("scalar with a shape")
            return array[()]
        return array

    def _raw(self, node: m.Raw, depth: int) -> bytes:
        return bytes(self._take(node.length))

    def _table(self, node: m.Table, depth: int) -> Any:
        import pandas as pd

        names = [self.unpack(name, depth) for name in node.names]
        columns = [self._sequence(column, depth) for column in node.columns]
        index = self._sequence(node.index, depth)
        if len(names) != len(columns) or any(len(c) != len(index) for c in columns):
            raise WireError("ragged table")
        frame = pd.DataFrame(dict(enumerate(columns)), index=pd.Index(index))
        frame.columns = pd.Index(names)
        return frame

    def _series(self, node: m.Column, depth: int) -> Any:
        import pandas as pd

        name = self.unpack(node.name, depth)
        values, index = self._sequence(node.values, depth), self._sequence(node.index, depth)
        if len(values) != len(index):
            raise WireError("ragged series")
        return pd.Series(values, index=pd.Index(index), name=name)

    def _sequence(self, node: m.Node, depth: int) -> Any:
        values = self.unpack(node, depth)
        if isinstance(values, list) or (isinstance(values, np.ndarray) and values.ndim == 1):
            return values
        raise WireError("column is not a sequence")

    def _graph(self, node: m.Graph, depth: int) -> Any:
        from torch_geometric.data import Batch, Data

        fields = {name: self.unpack(value, depth) for name, value in node.fields}
        if any(not name.isidentifier() or name.startswith("_") for name in fields):
            raise WireError("graph field not allowed")
        if len(fields) != len(node.fields):
            raise WireError("the same field twice")
        problem = _graph_problem(fields)
        if problem:
            raise WireError(problem)
        return Data(**fields) if node.kind == "Data" else Batch(**fields)

    def _picture(self, node: m.Picture, depth: int) -> Any:
        from PIL import Image

        if node.mode not in _IMAGE_MODES or not (
            0 < node.width < 2**15 and 0 < node.height < 2**15
        ):
            raise WireError("image not allowed")
        row = (node.width + 7) // 8 if node.mode == "1" else node.width * _IMAGE_MODES[node.mode]
        if node.length != row * node.height:
            raise WireError("image larger than its bytes")
        return Image.frombytes(node.mode, (node.width, node.height), bytes(self._take(node.length)))

    def _rng(self, node: m.Rng, depth: int) -> Any:
        state = self.unpack(node.state, depth)
        try:
            if node.kind == "torch":
                generator = torch.Generator()
                generator.set_state(state)
                _check_torch_state(state)
                return generator
            if node.name not in _BIT_GENERATORS:
                raise WireError("random generator not allowed")
            if node.kind == "legacy":
                legacy = np.random.RandomState()
                legacy.set_state(state)
                _check_position(legacy.get_state(legacy=False))
                return legacy
            bits = getattr(np.random, node.name)()
            bits.state = state
            _check_position(bits.state)
            return np.random.Generator(bits)
        except (TypeError, ValueError, KeyError, RuntimeError, AttributeError):
            raise WireError("random state not valid") from None

    def _symbol(self, node: m.Symbol, depth: int) -> Any:
        if node.kind == "ellipsis":
            return Ellipsis
        if node.kind == "torch.dtype" and node.name in _TORCH_DTYPES:
            return _TORCH_DTYPES[node.name]
        if node.kind == "numpy.dtype" and node.name in _NUMPY_DTYPES:
            return np.dtype(node.name)
        if node.kind == "torch.device" and node.name.partition(":")[0] in ("cpu", "cuda"):
            return torch.device(node.name)
        raise WireError("constant not allowed")

    def _number(self, node: m.Number, depth: int) -> Any:
        if len(node.text) > _DIGITS_LIMIT:
            raise WireError("number too long")
        try:
            return int(node.text) if node.kind == "int" else complex(node.text)
        except ValueError:
            raise WireError("not a number") from None

    def _stand_in(self, node: m.Live, depth: int) -> Any:
        return self._live(node)


_BUILDERS: dict[type, Callable[[Unpacker, Any, int], Any]] = {
    m.Items: Unpacker._items,
    m.Mapping: Unpacker._mapping,
    m.Array: Unpacker._array,
    m.Raw: Unpacker._raw,
    m.Table: Unpacker._table,
    m.Column: Unpacker._series,
    m.Graph: Unpacker._graph,
    m.Picture: Unpacker._picture,
    m.Rng: Unpacker._rng,
    m.Symbol: Unpacker._symbol,
    m.Number: Unpacker._number,
    m.Live: Unpacker._stand_in,
}


def _hashable(build: Callable[[], Any]) -> Any:
    try:
        return build()
    except TypeError:
        raise WireError("key or member that cannot be hashed") from None


def _check_hashes(keys: list[Any]) -> None:
    if len(keys) <= COLLISIONS_LIMIT:
        return
    hashes = np.sort(_hashable(lambda: np.fromiter(map(hash, keys), np.int64, len(keys))))
    if (hashes[COLLISIONS_LIMIT:] == hashes[:-COLLISIONS_LIMIT]).any():
        raise WireError("keys made to collide")


def _check_position(state: dict[str, Any]) -> None:
    for name, value in (state | state["state"]).items():
        if name in _POSITION_LIMITS and not 0 <= value <= _POSITION_LIMITS[name]:
            raise WireError("random state not valid")


def _check_torch_state(state: torch.Tensor) -> None:
    """Torch does not check that words left and the next word's place fit its 624 words."""
    _, left, _, following = struct.unpack_from("<QiiQ", state.numpy().tobytes())
    if not 0 < left or left + following > 624 + 1:
        raise WireError("random state not valid")


def _graph_problem(fields: dict[str, Any]) -> str:
    """Why native code could not be given the graph's indices; empty if it can."""
    tensors = {name: value for name, value in fields.items() if isinstance(value, torch.Tensor)}
    rows = max(ROWS_LIMIT, *(tensor.numel() for tensor in tensors.values()), 0)
    count = fields.get("num_nodes", 0)
    if not (count is None or (isinstance(count, int | np.integer) and 0 <= count <= rows)):
        return "num_nodes is not a number of nodes"
    nodes = [rows, *(len(t) for name, t in tensors.items() if name == "x" and t.ndim)]
    nodes += [int(count)] if count is not None and "num_nodes" in fields else []
    edges, batch, starts = (tensors.get(name) for name in ("edge_index", "batch", "ptr"))
    if edges is not None and edges.numel():
        if edges.dtype is not torch.int64 or edges.ndim != 2 or edges.shape[0] != 2:
            return "edge_index is not [2, E] int64"
        if int(edges.min()) < 0 or int(edges.max()) >= min(nodes):
            return "edge_index points to no node"
    for name, value in (("batch", batch), ("ptr", starts)):
        if value is not None and value.numel():
            if value.dtype is not torch.int64 or value.ndim != 1:
                return f"{name} is not one row of int64"
            if int(value[0]) < 0 or bool((value[1:] < value[:-1]).any()):
                return f"{name} is not sorted"
            if int(value[-1]) > rows:
                return f"{name} is longer than the graph"
    return ""

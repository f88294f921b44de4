"""A network's graph without its weights, as the package keeps it. In: a file of models/graphs. Out: KeptGraph. Next: assembling.py.

Of an embedded network all but the weights is known before any installation: the graph, and at which byte of the weights'
file each tensor lies. So the first run needs no PyTorch, and nothing of the file but raw numbers is read: its pickles are
neither loaded nor parsed, and the table of bytes holds for the one file with the SHA-256 that stands here beside it.
`make graphs` (keeping.py) writes the files anew.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import BackboneError

GRAPHS = Path(__file__).parent / "graphs"
_KEY = "tellapart.assembly"
_FORMAT = 1
_LARGEST = 8 * 2**20  # bytes of a graph without its weights, unpacked
_TYPES: Mapping[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "int64": np.dtype("<i8")}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorPlace:
    """Where the raw numbers of a tensor lie in the weights' file, little-endian, without gaps."""

    name: str  # timm's
    dtype: Literal["float32", "int64"]
    shape: tuple[int, ...]
    axes: tuple[int, ...]  # in the order in which they lie in the file, the one with neighbouring numbers last
    offset: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an initialiser of the graph is made of: a tensor, a batch norm, or a tensor scaled by one.

    A convolution's weight is `tensor` times the norm's scale a channel; its bias, without a `tensor`, the norm's shift.
    """

    tensor: str | None = None  # of TensorPlace
    norm: str | None = None  # the beginning of the names of its four tensors
    epsilon: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGraph:
    """A graph, and how it becomes the network."""

    graph: bytes  # ONNX, made for record["preprocessing"]["size"]; initialisers in `sources` have no data
    file_bytes: int  # the weights' file, as large as this
    file_sha256: str  # and no other
    tensors: tuple[TensorPlace, ...]
    sources: Mapping[str, Source]  # by the initialiser's name
    same: tuple[str, ...]  # nodes padded by TensorFlow's rule, each halving what the one before gives
    values_sha256: str  # of all initialisers in `sources`, in their order
    record: Mapping[str, Any]  # backbone.json but for the ONNX file's digest
    expected: NDArray[np.float32]  # [D], what the export, compared with torch, gave for `sample_picture`


def graph_file(name: str, folder: Path = GRAPHS) -> Path:
    """Where the graph of a network is kept, if it is."""
    return folder / f"{name}.onnx.gz"


def sample_picture(size: int) -> NDArray[np.uint8]:
    """A picture of noise that is the same everywhere: uint8 [1, size, size, 3]. Source of the factor: Knuth's hash, 2^32 / φ."""
    numbers = np.arange(size * size * 3, dtype=np.uint64) * np.uint64(2654435761)
    return (numbers >> np.uint64(13)).astype(np.uint8).reshape(1, size, size, 3)


def same_padding(length: int, *, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """How many zeros go before and after `length` numbers. Source: TensorFlow's rule `SAME`."""
    total = max((math.ceil(length / stride) - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)
    return total // 2, total - total // 2


def pack(kept: KeptGraph) -> bytes:
    """The bytes of a file that `unpack` reads; the same for the same graph."""
    import onnx

    model: Any = onnx.load_model_from_string(kept.graph)
    known = {key: value for key, value in asdict(kept).items() if key not in ("graph", "expected")}
    known["tensors"] = [list(place.values()) for place in known["tensors"]]
    known["expected"] = base64.b64encode(kept.expected.astype("<f4").tobytes()).decode()
    model.metadata_props.add(key=_KEY, value=json.dumps({"format": _FORMAT, **known}, separators=(",", ":")))
    return gzip.compress(model.SerializeToString(), compresslevel=9, mtime=0)


def unpack(path: Path) -> KeptGraph:
    """Raises: BackboneError when the file is missing, damaged, or written for another version of this module."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        with gzip.open(io.BytesIO(path.read_bytes())) as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ValueError(f"it holds over {_LARGEST} bytes")
        model: Any = onnx.load_model_from_string(data)
        (entry,) = [one for one in model.metadata_props if one.key == _KEY]
        known = json.loads(entry.value)
        if known.pop("format") != _FORMAT:
            raise ValueError("it is of another version")
        del model.metadata_props[:]
        expected = np.frombuffer(base64.b64decode(known.pop("expected")), dtype="<f4").astype(np.float32)
        tensors = tuple(_place(*place) for place in known.pop("tensors"))
        sources = {name: Source(**source) for name, source in known.pop("sources").items()}
        same = tuple(known.pop("same"))
        graph: bytes = model.SerializeToString()
        return KeptGraph(graph=graph, tensors=tensors, sources=sources, same=same, expected=expected, **known)
    except (OSError, EOFError, zlib.error, DecodeError, ValueError, KeyError, TypeError) as error:
        raise BackboneError(f"the kept graph {path.name} cannot be read ({error}).") from None


def read_tensors(kept: KeptGraph, data: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of a weights' file by timm's names. Raises: BackboneError where one does not lie inside `data`."""
    return {place.name: _read(place, data) for place in kept.tensors}


def _read(place: TensorPlace, data: bytes) -> NDArray[Any]:
    dtype = _TYPES.get(place.dtype)
    if dtype is None or min((place.offset, *place.shape)) < 0 or sorted(place.axes) != list(range(len(place.shape))):
        raise BackboneError(f"the place of {place.name} is none: {place}.")
    count = math.prod(place.shape)
    if place.offset + count * dtype.itemsize > len(data):
        raise BackboneError(f"{place.name} ends beyond the {len(data)} bytes of the weights' file.")
    values = np.frombuffer(data, dtype=dtype, count=count, offset=place.offset)
    lying = values.reshape([place.shape[axis] for axis in place.axes])
    return np.ascontiguousarray(lying.transpose(np.argsort(place.axes)), dtype=dtype.newbyteorder("=")).reshape(
        place.shape
    )


def _place(name: str, dtype: Any, shape: list[int], axes: list[int], offset: int) -> TensorPlace:
    return TensorPlace(name=name, dtype=dtype, shape=tuple(shape), axes=tuple(axes), offset=offset)

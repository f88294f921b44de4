"""The Open Inference Protocol's tensors. In: JSON, raw bytes. Out: Tensor, pictures. Next: inference_protocol.py.

Source: the protocol's REST and gRPC pages (github.com/kserve/open-inference-protocol) and Triton's binary tensor data
extension (docs/protocol/extension_binary_data.md): little-endian, row-major; each BYTES element after its length in 4 bytes.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Output
from tellapart.serving.bodies import shown
from tellapart.serving.opened import Version
from tellapart.serving.pictures import IMAGE as IMAGE
from tellapart.serving.pictures import TEXT as TEXT
from tellapart.serving.pictures import Encoded, Picture, Pixels, Ready
from tellapart.serving.refusals import Refusal, TooLarge
from tellapart.serving.service import Reply

MAX_PICTURES = 1024  # in one request, whatever the queue allows; a shape costs a client nothing
MAX_DIMENSIONS = 4
_PIECE = 2**18  # numbers or characters that are converted at a time; meanwhile nothing else of the process runs
# All that we send or take, but BYTES.
_DATATYPES: Mapping[str, str] = {"BOOL": "?", "UINT8": "u1", "INT32": "<i4", "FP32": "<f4"}


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """A named array; the elements of BYTES are in a flat list."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: NDArray[Any] | list[bytes]
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An output that the client asked for."""

    name: str
    binary: bool = False
    top: int = 0  # Triton's classification extension: so many "probability:index:label" instead of numbers


def read_shape(shape: Any, name: str) -> tuple[int, ...]:
    """A tensor's shape. Raises: Refusal."""
    fits = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
    if not fits or not all(type(size) is int and 0 <= size < 2**31 for size in shape):
        raise Refusal(
            f"input {shown(name)!r} has shape {shown(shape)}; it must be a list of sizes of at least 0, "
            f"at most {MAX_DIMENSIONS}, each below 2,147,483,648."
        )
    return tuple(shape)


def from_raw(name: str, datatype: str, shape: tuple[int, ...], raw: bytes | memoryview) -> Tensor:
    """A tensor [*shape] from raw bytes, little-endian. Raises: Refusal when they are not as many as its shape says."""
    count = math.prod(shape)
    if datatype == "BYTES":
        check_count(count)
        return Tensor(name=name, datatype=datatype, shape=shape, data=_split(bytes(raw), count, name))
    kind = _kind(datatype, name)
    if len(raw) != count * kind.itemsize:
        raise Refusal(
            f"input {shown(name)!r} of shape {list(shape)} and {datatype} needs {count * kind.itemsize:,} bytes; {len(raw):,} came."
        )
    return Tensor(name=name, datatype=datatype, shape=shape, data=np.frombuffer(raw, dtype=kind).reshape(shape))


def from_values(name: str, datatype: str, shape: tuple[int, ...], values: Any) -> Tensor:
    """A tensor [*shape] from JSON or protobuf values, flat or nested. Raises: Refusal."""
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise Refusal(f"input {shown(name)!r} has no list of data. Send `data`, flat or nested, or binary data.")
    count = math.prod(shape)
    if datatype == "BYTES":
        check_count(count)
        flat = _flat(values, name)
        if len(flat) != count:
            raise Refusal(f"input {shown(name)!r} of shape {list(shape)} needs {count:,} elements; {len(flat):,} came.")
        return Tensor(name=name, datatype=datatype, shape=shape, data=[_as_bytes(value, name) for value in flat])
    kind = _kind(datatype, name)
    array = as_numbers(values, name)
    if array.size != count:
        raise Refusal(f"input {shown(name)!r} of shape {list(shape)} needs {count:,} numbers; {array.size:,} came.")
    return Tensor(name=name, datatype=datatype, shape=shape, data=array.reshape(shape).astype(kind, copy=False))


def as_numbers(values: Sequence[Any], name: str) -> NDArray[np.uint8]:
    """Nested lists of whole numbers in 0 to 255 as uint8, [H, W, 3] for one picture; at most 4 deep. Raises: Refusal."""
    array = _as_array(values)
    if array is None:
        raise Refusal(
            f"{shown(name)!r} must hold whole numbers from 0 to 255 in lists of equal length, at most {MAX_DIMENSIONS} deep: RGB "
            "pixels, not scaled."
        )
    return array


def _as_array(values: Sequence[Any]) -> NDArray[np.uint8] | None:
    """None where it is no array of 0 to 255. Types are looked at first: one long text makes all of NumPy's elements as long."""
    shape = [len(values)]
    while type(values[:1]) is list and values and isinstance(values[0], list):
        lengths = {len(one) if isinstance(one, list) else -1 for one in values}
        if len(lengths) != 1 or len(shape) == MAX_DIMENSIONS:
            return None
        shape.append(lengths.pop())
        values = list(itertools.chain.from_iterable(values))
    pieces = []
    for start in range(0, len(values), _PIECE):
        piece = list(values[start : start + _PIECE])
        if set(map(type, piece)) != {int} or min(piece) < 0 or max(piece) > 255:
            return None
        pieces.append(bytes(piece))
    return np.frombuffer(b"".join(pieces), dtype=np.uint8).reshape(shape)


def check_count(count: int) -> None:
    """Raises: TooLarge when a request has more pictures than it may."""
    if count > MAX_PICTURES:
        raise TooLarge(f"{count:,} pictures in one request; at most {MAX_PICTURES:,} are taken. Send several requests.")


def to_raw(tensor: Tensor) -> bytes:
    """The elements of a tensor [...] as raw bytes, little-endian, the last index fastest."""
    if isinstance(tensor.data, list):
        return b"".join(struct.pack("<I", len(element)) + element for element in tensor.data)
    return tensor.data.astype(_DATATYPES[tensor.datatype]).tobytes()


def to_values(tensor: Tensor) -> list[Any]:
    """The elements of a tensor [...] as a flat list for JSON, the last index fastest; files are in base64."""
    if isinstance(tensor.data, list):
        return [base64.b64encode(one).decode() if holds_files(tensor.name) else one.decode() for one in tensor.data]
    flat: list[Any] = tensor.data.reshape(-1).tolist()
    return flat


def holds_files(name: str) -> bool:
    """Whether the elements of a tensor are files, not texts: TensorFlow Serving's rule for what is written as {"b64": ...}."""
    return name.endswith("_bytes")


def pictures_of(inputs: Sequence[Tensor], *, prepared: bool) -> list[Picture]:
    """The pictures of a request: its one input `image`, BYTES [N] (files) or UINT8 [N, H, W, 3] (RGB). Raises: Refusal."""
    check_inputs([one.name for one in inputs])
    tensor = inputs[0]
    if tensor.shape:
        check_count(tensor.shape[0])
    if isinstance(tensor.data, list):
        if prepared:
            raise Refusal("`prepared` is for UINT8 pixels; picture files are prepared by the server.")
        if tensor.shape[1:] not in ((), (1,)) or not tensor.shape:  # [N, 1] is how batching models of Triton have it
            raise Refusal(f"input {IMAGE!r} is BYTES {list(tensor.shape)}; picture files come as BYTES [N].")
        return [Encoded(element) for element in tensor.data]
    shape = tensor.data.shape
    if tensor.datatype != "UINT8" or len(shape) != 4 or shape[3] != 3:
        raise Refusal(
            f"input {IMAGE!r} is {tensor.datatype} {list(shape)}; it must be BYTES [N] (picture files) or UINT8 [N, H, W, 3]."
        )
    return [Ready(one) if prepared else Pixels(one) for one in tensor.data]


def check_inputs(names: Sequence[Any]) -> None:
    """Raises: Refusal when they are other than the one that there is."""
    if len(names) != 1 or names[0] not in (IMAGE, TEXT):
        listed = ", ".join(repr(shown(name)) for name in names[:10])[:200] or "none"
        raise Refusal(f"the inputs are {listed}; there must be one, named {IMAGE!r}.")


def check_outputs(version: Version, wanted: Sequence[Wanted]) -> None:
    """Raises: Refusal for an output that the version does not have, or one that is asked for twice."""
    known = [output.name for output in version.outputs]
    asked: set[str] = set()
    for one in wanted:
        if one.name not in known:
            raise Refusal(f"there is no output {one.name[:60]!r}. Outputs: {', '.join(known)}.")
        if one.name in asked:
            raise Refusal(f"the output {one.name!r} is asked for twice; once is enough. Outputs: {', '.join(known)}.")
        asked.add(one.name)


def answer_tensors(reply: Reply, wanted: Sequence[Wanted]) -> list[Tensor]:
    """The outputs asked for, which have passed `check_outputs`, or all but those on request; of N pictures [N, ...] each.

    Raises: Refusal for a ranking of what has none, or a picture that could not be read; TooLarge for what is not kept of it.
    """
    arrays, outputs = reply.tensors(), {output.name: output for output in reply.version.outputs}
    tensors = list[Tensor]()
    for one in wanted or [Wanted(name=name) for name, output in outputs.items() if not output.on_request]:
        if one.top:
            tensors.append(_classification(reply.version, arrays, one))
            continue
        try:
            data = arrays[one.name]
        except ValueError as error:
            raise TooLarge(f"{error}.") from None
        tensors.append(_tensor(outputs[one.name], data))
    return tensors


def _tensor(output: Output, data: NDArray[Any] | list[bytes]) -> Tensor:
    """An output as it is sent: the elements of BYTES in a flat list."""
    shape = (len(data),) if isinstance(data, list) else data.shape
    if not isinstance(data, list) and output.datatype == "BYTES":
        data = data.reshape(-1).tolist()
    return Tensor(name=output.name, datatype=output.datatype, shape=shape, data=data)


def _classification(version: Version, arrays: Mapping[str, NDArray[Any] | list[bytes]], wanted: Wanted) -> Tensor:
    """Triton's classification extension: "value:index:label", the highest first."""
    ranked = version.answering.figures
    if wanted.name != ranked:
        raise Refusal(f"`classification` is for the output {ranked!r}, not for {wanted.name!r}.")
    figures, classes, top = np.asarray(arrays[ranked]), version.classes, min(wanted.top, len(version.classes))
    data = [
        f"{row[index]:f}:{index}:{classes[index]}".encode()
        for row in figures
        for index in np.argsort(-row, kind="stable")[:top].tolist()
    ]
    return Tensor(name=wanted.name, datatype="BYTES", shape=(len(figures), top), data=data)


def _kind(datatype: str, name: str) -> np.dtype[Any]:
    if datatype != "UINT8":
        raise Refusal(
            f"input {shown(name)!r} is {shown(datatype)[:20]!r}; pictures come as BYTES (files) or UINT8 (RGB pixels, 0 to 255)."
        )
    return np.dtype(_DATATYPES[datatype])


def _split(raw: bytes, count: int, name: str) -> list[bytes]:
    elements: list[bytes] = []
    at = 0
    while len(elements) < count and at + 4 <= len(raw):
        length = int.from_bytes(raw[at : at + 4], "little")
        if at + 4 + length > len(raw):
            break
        elements.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    if at != len(raw) or len(elements) != count:
        raise Refusal(
            f"input {shown(name)!r} must hold {count:,} elements, each after its length in 4 bytes, little-endian; "
            f"{len(elements):,} are whole, and {len(raw) - at:,} bytes are left."
        )
    return elements


def _flat(values: Sequence[Any], name: str) -> list[Any]:
    flat = list(values)
    for _ in range(MAX_DIMENSIONS):
        if list not in set(map(type, flat)):
            return flat
        flat = [inner for value in flat for inner in (value if isinstance(value, list) else (value,))]
    raise Refusal(
        f"input {shown(name)!r} has lists in more than {MAX_DIMENSIONS} others; data is nested as its shape is. Send it flat."
    )


def _as_bytes(value: Any, name: str) -> bytes:
    """A picture file in JSON is base64, since JSON has no bytes."""
    if name == TEXT and isinstance(value, str):  # itself, as Triton takes strings
        return value.encode("utf-8", "replace")
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict) and set(value) == {"b64"}:
        value = value["b64"]
    if not isinstance(value, str):
        raise Refusal(
            f"input {shown(name)!r} holds {shown(value)[:40]!r}; a picture file in JSON is a string in base64, or a data: URI."
        )
    return from_base64(value, name)


def from_base64(text: Any, name: str) -> bytes:
    """The bytes of a picture file, from base64 of the common or the URL alphabet, or a data: URI (RFC 2397). Raises: Refusal."""
    if isinstance(text, str) and text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().rstrip().endswith(";base64"):
            return unquote_to_bytes(text)
        text = unquote(text) if "%" in text else text
    try:
        if isinstance(text, str) and "=" not in text[:-2]:  # which would end a piece, not the whole
            text += "=" * (-len(text) % 4)
            return b"".join([_piece(text[start : start + _PIECE]) for start in range(0, len(text), _PIECE)])
    except (UnicodeEncodeError, binascii.Error):
        pass
    raise Refusal(
        f"{shown(name)!r} holds a picture that is not base64. Send base64 of the file's bytes, without line breaks."
    )


def _piece(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii").translate(bytes.maketrans(b"-_", b"+/")), validate=True)

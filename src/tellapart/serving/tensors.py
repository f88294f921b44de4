"""The Open Inference Protocol's tensors. In: JSON, raw bytes. Out: Tensor, pictures. Next: inference_protocol.py.

Source: the protocol's REST and gRPC pages (github.com/kserve/open-inference-protocol) and Triton's binary tensor data
extension (docs/protocol/extension_binary_data.md): little-endian, row-major; each BYTES element after its length in 4 bytes.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Output
from tellapart.serving.bodies import shown
from tellapart.serving.elements import MAX_DIMENSIONS as MAX_DIMENSIONS
from tellapart.serving.elements import as_elements, flattened, split_elements
from tellapart.serving.elements import as_numbers as as_numbers
from tellapart.serving.elements import from_base64 as from_base64
from tellapart.serving.opened import Version
from tellapart.serving.pictures import IMAGE as IMAGE
from tellapart.serving.pictures import TEXT as TEXT
from tellapart.serving.pictures import Encoded, Picture, Pixels, Ready
from tellapart.serving.refusals import Refusal, TooLarge
from tellapart.serving.scaled import REMEDY, Accept, from_lists, to_pixels
from tellapart.serving.service import Reply
from tellapart.texts.cleaning import as_utf8

MAX_PICTURES = 1024  # in one request, whatever the queue allows; a shape costs a client nothing
# All that we send or take, but BYTES.
_DATATYPES: Mapping[str, str] = {"BOOL": "?", "UINT8": "u1", "INT32": "<i4", "FP32": "<f4"}


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tensor:
    """A named array; the elements of BYTES are in a flat list."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: NDArray[Any] | list[Any]  # bytes; of texts that came in JSON str
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


def from_raw(
    name: str, datatype: str, shape: tuple[int, ...], raw: bytes | memoryview, accept: Accept = "bytes"
) -> Tensor:
    """A tensor [*shape] from raw bytes, little-endian; scaled pixels become UINT8 where they are accepted.

    Raises: Refusal when they are not as many as its shape says.
    """
    count = math.prod(shape)
    if datatype == "BYTES":
        check_count(count)
        return Tensor(name=name, datatype=datatype, shape=shape, data=split_elements(bytes(raw), count, name))
    kind = _kind(datatype, name, accept)
    if len(raw) != count * kind.itemsize:
        raise Refusal(
            f"input {shown(name)!r} of shape {list(shape)} and {datatype} needs {count * kind.itemsize:,} bytes; {len(raw):,} came."
        )
    array = np.frombuffer(raw, dtype=kind).reshape(shape)
    if datatype == "FP32":
        return Tensor(name=name, datatype="UINT8", shape=shape, data=to_pixels(array, accept, name))
    return Tensor(name=name, datatype=datatype, shape=shape, data=array)


def from_values(name: str, datatype: str, shape: tuple[int, ...], values: Any, accept: Accept = "bytes") -> Tensor:
    """A tensor [*shape] from JSON or protobuf values, flat or nested; scaled pixels become UINT8. Raises: Refusal."""
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise Refusal(f"input {shown(name)!r} has no list of data. Send `data`, flat or nested, or binary data.")
    count = math.prod(shape)
    if datatype == "BYTES":
        check_count(count)
        flat = flattened(values, name)
        if len(flat) != count:
            raise Refusal(f"input {shown(name)!r} of shape {list(shape)} needs {count:,} elements; {len(flat):,} came.")
        return Tensor(name=name, datatype=datatype, shape=shape, data=as_elements(flat, name))
    kind = _kind(datatype, name, accept)
    array = as_numbers(values, name) if datatype == "UINT8" else from_lists(values, accept, name)
    if array.size != count:
        raise Refusal(f"input {shown(name)!r} of shape {list(shape)} needs {count:,} numbers; {array.size:,} came.")
    data = array.reshape(shape) if datatype == "FP32" else array.reshape(shape).astype(kind, copy=False)
    return Tensor(name=name, datatype="UINT8", shape=shape, data=data)


def check_count(count: int) -> None:
    """Raises: TooLarge when a request has more pictures than it may."""
    if count > MAX_PICTURES:
        raise TooLarge(f"{count:,} inputs in one request; at most {MAX_PICTURES:,} are taken. Send several requests.")


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


def pictures_of(inputs: Sequence[Tensor], *, prepared: bool, texts: bool = False) -> Sequence[Picture]:
    """The pictures, or `texts`, of a request: its one input, BYTES [N] (files) or UINT8 [N, H, W, 3] (RGB). Raises: Refusal."""
    check_inputs([one.name for one in inputs])
    tensor = inputs[0]
    if tensor.shape:
        check_count(tensor.shape[0])
    if isinstance(tensor.data, list):
        if texts and prepared:
            raise Refusal("`prepared` is for pixels, and the model takes texts. Leave it out.")
        if prepared:
            raise Refusal("`prepared` is for UINT8 pixels; picture files are prepared by the server.")
        if tensor.shape[1:] not in ((), (1,)) or not tensor.shape:  # [N, 1] is how batching models of Triton have it
            raise Refusal(
                f"input {shown(tensor.name)!r} is BYTES {list(tensor.shape)}; files and texts come as BYTES [N]."
            )
        if texts:
            return tensor.data
        return [Encoded(as_utf8(one) if isinstance(one, str) else one) for one in tensor.data]
    shape = tensor.data.shape
    if texts:
        raise Refusal(f"input {shown(tensor.name)!r} is {tensor.datatype} {list(shape)}; texts come as BYTES [N].")
    if tensor.datatype != "UINT8" or len(shape) != 4 or shape[3] != 3:
        raise Refusal(
            f"input {IMAGE!r} is {tensor.datatype} {list(shape)}; it must be BYTES [N] (picture files) or UINT8 [N, H, W, 3]."
        )
    return [Ready(one) if prepared else Pixels(one) for one in tensor.data]


def check_inputs(names: Sequence[Any]) -> None:
    """Raises: Refusal when they are other than the one that there is."""
    if len(names) != 1 or names[0] not in (IMAGE, TEXT):
        listed = ", ".join(repr(shown(name)) for name in names[:10])[:200] or "none"
        raise Refusal(f"the inputs are {listed}; there must be one, named {IMAGE!r}, or {TEXT!r} of texts.")


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


def _kind(datatype: str, name: str, accept: Accept) -> np.dtype[Any]:
    if datatype != "UINT8" and not (datatype == "FP32" and accept != "bytes"):
        remedy = f" {REMEDY}." if datatype == "FP32" else ""
        raise Refusal(
            f"input {shown(name)!r} is {shown(datatype)[:20]!r}; pictures come as BYTES (files) or UINT8 (RGB pixels, 0 to 255), "
            "texts as BYTES."
            f"{remedy}"
        )
    return np.dtype(_DATATYPES[datatype])

"""The elements of tensors as clients write them. In: JSON values, raw bytes. Out: arrays, files' bytes. Next: tensors.py."""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from tellapart.serving.bodies import shown
from tellapart.serving.pictures import TEXT
from tellapart.serving.refusals import Refusal
from tellapart.serving.scaled import REMEDY
from tellapart.texts.cleaning import as_utf8, made_whole

MAX_DIMENSIONS = 4
_PIECE = 2**18  # numbers or characters that are converted at a time; meanwhile nothing else of the process runs


def as_numbers(values: Sequence[Any], name: str) -> NDArray[np.uint8]:
    """Nested lists of whole numbers in 0 to 255 as uint8, [H, W, 3] for one picture; at most 4 deep. Raises: Refusal."""
    array = _as_array(values)
    if array is None:
        raise Refusal(
            f"{shown(name)!r} must hold whole numbers from 0 to 255 in lists of equal length, at most {MAX_DIMENSIONS} deep: RGB "
            f"pixels, not scaled. {REMEDY}."
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


def split_elements(raw: bytes, count: int, name: str) -> list[bytes]:
    """`count` elements of BYTES, each after its length in 4 bytes. Raises: Refusal."""
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


def flattened(values: Sequence[Any], name: str) -> list[Any]:
    """The elements of lists in lists. Raises: Refusal where they are too deep."""
    flat = list(values)
    for _ in range(MAX_DIMENSIONS):
        if list not in set(map(type, flat)):
            return flat
        flat = [inner for value in flat for inner in (value if isinstance(value, list) else (value,))]
    raise Refusal(
        f"input {shown(name)!r} has lists in more than {MAX_DIMENSIONS} others; data is nested as its shape is. Send it flat."
    )


def as_elements(values: list[Any], name: str) -> list[Any]:
    """The elements of BYTES: files, or texts as they are, as Triton takes strings. Raises: Refusal."""
    if name == TEXT and set(map(type, values)) == {str}:
        return made_whole(values)
    return [_as_bytes(value, name) for value in values]


# What an element is in JSON: a file, or a text.
_IN_JSON = ("a picture file in JSON is a string in base64, or a data: URI", "a text in JSON is a string")


def _as_bytes(value: Any, name: str) -> bytes:
    """A picture file in JSON is base64, since JSON has no bytes."""
    if name == TEXT and isinstance(value, str):  # itself, as Triton takes strings
        return as_utf8(value)
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict) and set(value) == {"b64"}:
        value = value["b64"]
    if not isinstance(value, str):
        raise Refusal(f"input {shown(name)!r} holds {shown(value)[:40]!r}; {_IN_JSON[name == TEXT]}.")
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
        f"{shown(name)!r} holds a file that is not base64. Send base64 of the file's bytes, without line breaks."
    )


def _piece(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii").translate(bytes.maketrans(b"-_", b"+/")), validate=True)

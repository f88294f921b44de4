"""What a look at a picture told, kept from run to run. In: an Inspection. Out: bytes, and back. Next: inspection.py."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import PIL

from tellapart.data.examples import Inspection
from tellapart.data.looks import Looks
from tellapart.decoding import MAX_PIXELS
from tellapart.deep_values import Depth
from tellapart.picture_files import readers

TARGET = 224  # pixels; large JPEGs are compared at no less than twice this

# Another Pillow may decode other pixels, or formats that this one cannot: what it told is then asked again.
_VERSION = f"inspection-6-{TARGET}-{MAX_PIXELS}-pillow-{PIL.__version__}-{readers()}"
# What is kept of an Inspection, in JSON: all but the hash, which is the key, and what depends on the file's name.
_REMEMBERED: Mapping[str, type] = {
    "problem": str,
    "is_picture": bool,
    "content_hash": str,
    "perceptual_hash": int,
    "thumbnail": str,
    "width": int,
    "height": int,
    "format": str,
    "mode": str,
    "turned": bool,
    "depth": list,
    "looks": list,
    "profile": str,
    "bands": str,
}


_FEW = ("format", "mode", "profile", "bands")  # of which there are few values


class Memory(Protocol):
    """What was learnt about a file's bytes, kept from run to run; see `inspect_all` for the keys.

    Calls come from the worker threads, one at a time.
    """

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those keys that are known."""

    def put_many(self, items: Mapping[str, bytes]) -> None:
        """Keep the values."""


def memory_key(file_hash: str) -> str:
    """Of what a picture of these bytes told this version."""
    return f"{file_hash}:{_VERSION}"


def encode(inspection: Inspection) -> bytes:
    """With a checksum."""
    values = {name: getattr(inspection, name) for name in _REMEMBERED}
    lists = {"depth": list(inspection.depth or ()), "looks": list(inspection.looks or ())}
    text = json.dumps(values | lists | {"thumbnail": bytes(inspection.thumbnail).hex()}).encode()
    return zlib.crc32(text).to_bytes(4, "big") + text


def decode_kept(value: bytes, file_hash: str) -> Inspection | None:
    """The inspection that was remembered, or None where the value is not sound: it is then made again."""
    check, text = value[:4], value[4:]
    if zlib.crc32(text).to_bytes(4, "big") != check:
        return None
    try:
        values = json.loads(text)
        if not isinstance(values, dict) or {name: type(value) for name, value in values.items()} != _REMEMBERED:
            return None
        values["thumbnail"] = bytes.fromhex(values["thumbnail"])
        values |= {name: sys.intern(values[name]) for name in _FEW}
        values["depth"] = Depth(*values["depth"]) if values["depth"] else None
        values["looks"] = Looks(*values["looks"]) if values["looks"] else None
    except (ValueError, TypeError):
        return None
    return Inspection(file_hash=file_hash, **values)

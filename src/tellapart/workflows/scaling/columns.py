"""Rows as a parquet file. In: plain rows. Out: the file's bytes, and back what it tells of itself. Next: answer_folder.py.

The columns are the keys of JSON lines, each of one kind whatever a part holds; what has no kind here is told as JSON.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
_SCORED = pa.struct([("label", _TEXT), ("probability", _NUMBER)])
_SIDES = [(side, _NUMBER) for side in ("left", "top", "right", "bottom")]
_BOX = pa.struct([("label", _TEXT), ("score", _NUMBER), *_SIDES])
_AREA = pa.struct(
    [
        ("label", _TEXT),
        ("colour", _TEXT),
        ("pixels", _COUNT),
        ("share", _NUMBER),
        ("parts", _COUNT),
        ("sizes", pa.list_(_COUNT)),
    ]
)
KINDS: Mapping[str, pa.DataType] = {
    "path": _TEXT,
    "label": _TEXT,
    "probability": _NUMBER,
    "top": pa.list_(_SCORED),
    "set": pa.list_(_TEXT),
    "labels": pa.list_(_TEXT),
    "probabilities": pa.map_(_TEXT, _NUMBER),
    "boxes": pa.list_(_BOX),
    "counts": pa.map_(_TEXT, _COUNT),
    "areas": pa.list_(_AREA),
    "width": _COUNT,
    "height": _COUNT,
    "confidence": _NUMBER,
    "unknown": pa.bool_(),
    "novelty": _NUMBER,
    "error": _TEXT,
    "warning": _TEXT,
}
_TOLD = b"tellapart"


def parquet_bytes(rows: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> bytes:
    """One file of the rows, which all have the same keys; `told` stands in it as JSON. The same rows give the same bytes."""
    names = list(rows[0]) if rows else ["path", "error"]
    arrays = [_array(name, [row[name] for row in rows]) for name in names]
    table = pa.Table.from_arrays(arrays, names=names).replace_schema_metadata({_TOLD: json.dumps(told).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_told(path: Path) -> dict[str, Any] | None:
    """What was told in a file; None where there is none that is whole and ours."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        found = json.loads(metadata[_TOLD])
    except (OSError, ValueError, KeyError):  # pyarrow's own errors are such
        return None
    return found if isinstance(found, dict) else None


def _array(name: str, values: Sequence[Any]) -> pa.Array:
    kind = KINDS.get(name)
    if kind is None:
        told = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
        return pa.array([_text(value) for value in told], _TEXT)
    if pa.types.is_map(kind):
        return pa.array([None if value is None else list(value.items()) for value in values], kind)
    return pa.array([_text(value) for value in values] if kind == _TEXT else values, kind)


def _text(value: str | None) -> str | None:
    """As UTF-8, which names of files need not be: what is none is shown as a code."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()

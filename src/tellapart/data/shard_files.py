"""One shard as a file: a tar as webdataset writes it, or parquet. In: pictures, their targets. Out: bytes. Next: shard_progress.py.

The same pictures always give the same bytes: no times, no owners.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any, Protocol

from PIL import UnidentifiedImageError

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.errors import PictureError
from tellapart.picture_files import is_dicom, open_picture

_BLOCK = 512  # bytes of a tar's blocks
_END = 2 * _BLOCK
_RECORD = 20 * _BLOCK  # a tar's length is a multiple of this
_PART = 64 * 1024 * 1024  # bytes of pictures in a row group of parquet
_PART_ROWS = 10_000
_ENDINGS: Mapping[str, str] = {name: ending for ending, name in reversed(list(FORMAT_OF_EXTENSION.items()))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A picture on its way into a shard."""

    key: str  # digits, each once over all shards
    ending: str  # .jpg
    data: bytes
    target: str  # its text
    number: int  # of the class, from 0 on; -1 where a picture has not one class
    group: str
    path: str  # where it was, as seen from its data set


class ShardFile(Protocol):
    """A shard that is being written."""

    def size_with(self, sample: Packed) -> int:
        """Bytes of the file, if this were the last picture in it; of parquet about."""

    def add(self, sample: Packed) -> None:
        """Put a picture in."""

    def close(self) -> None:
        """What follows the last picture."""


class TarShard:
    """KEY.jpg, KEY.cls (the class's number) and KEY.json, one picture after the other."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        """`label` is what records call the target."""
        self._file, self._label, self._written = file, label, 0

    def size_with(self, sample: Packed) -> int:
        """As promised."""
        size = self._written + sum(_BLOCK + len(data) + -len(data) % _BLOCK for _, data in self._members(sample)) + _END
        return size + -size % _RECORD

    def add(self, sample: Packed) -> None:
        """As promised."""
        for name, data in self._members(sample):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for part in (info.tobuf(tarfile.USTAR_FORMAT), data, bytes(-len(data) % _BLOCK)):
                self._file.write(part)
                self._written += len(part)

    def close(self) -> None:
        """As promised."""
        size = self._written + _END
        self._file.write(bytes(_END + -size % _RECORD))

    def _members(self, sample: Packed) -> Sequence[tuple[str, bytes]]:
        record = {self._label: sample.target, "path": sample.path} | ({"group": sample.group} if sample.group else {})
        text = json.dumps(record, ensure_ascii=False, sort_keys=True)
        return (
            (f"{sample.key}{sample.ending}", sample.data),
            (f"{sample.key}.cls", str(sample.number).encode()),
            (f"{sample.key}.json", text.encode("utf-8", "backslashreplace")),
        )


class ParquetShard:
    """A row a picture, in the columns image (bytes and path, as Hugging Face has them), label, group and source."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        """`label` is what the column of targets is called."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        texts = [(name, pa.string()) for name in (label, "group", "source")]
        self._schema = pa.schema([("image", image), *texts])
        self._writer: Any = pq.ParquetWriter(file, self._schema)
        self._table, self._names = pa.Table.from_pylist, (label, "group", "source")
        self._rows: list[dict[str, Any]] = []
        self._held = self._size = 0

    def size_with(self, sample: Packed) -> int:
        """As promised."""
        return self._size + len(sample.data) + len(sample.path) + len(sample.target) + len(sample.group)

    def add(self, sample: Packed) -> None:
        """As promised."""
        self._size = self.size_with(sample)
        values = zip(self._names, (sample.target, sample.group, sample.path), strict=True)
        image = {"bytes": sample.data, "path": f"{sample.key}{sample.ending}"}
        self._rows.append({"image": image, **{name: text.encode("utf-8", "replace").decode() for name, text in values}})
        self._held += len(sample.data)
        if self._held >= _PART or len(self._rows) >= _PART_ROWS:
            self._flush()

    def close(self) -> None:
        """As promised."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table(self._rows, schema=self._schema))
        self._rows, self._held = [], 0


# format -> how such a shard is written
SHARDS: Mapping[str, Callable[[IO[bytes], str], ShardFile]] = MappingProxyType(
    {"tar": TarShard, "parquet": ParquetShard}
)


def ending_of(path: str, data: bytes) -> str:
    """How a picture's name ends in a shard; what its bytes say where its own name does not say picture.

    Raises: PictureError for what is no picture by name or content.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending in FORMAT_OF_EXTENSION:
        return ending
    if is_dicom(data):
        return ".dcm"
    try:
        return _ENDINGS.get(open_picture(data).format or "", ".jpg")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise PictureError("not a picture") from None

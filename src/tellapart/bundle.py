"""model.onnx and the manifest inside it. In: a path. Out: Model (manifest, session). Next: answers/predictor.py.

The manifest is JSON in the ONNX metadata, beside a SHA-256 of the whole file (taken with the digest's own place
zeroed). So the file works in any ONNX tool, and tellapart notices when it was cut short or edited.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tellapart.errors import ModelFileError
from tellapart.manifest import SCHEMA_VERSION, BackboneRecord, DataRecord, Manifest, PreprocessingRecord
from tellapart.preprocessing import Preprocessing
from tellapart.record_parts import AbstentionRecord, Score
from tellapart.records import (
    ClassificationRecord,
    DetectionRecord,
    MultilabelRecord,
    SegmentationRecord,
    TaskName,
    TaskRecord,
    TextRecord,
)
from tellapart.runtime import OpenedNetwork, Session
from tellapart.storage import storage_errors
from tellapart.texts.inputs import TextInputs, TextPart
from tellapart.texts.ngrams import Rules
from tellapart.texts.pieces import PieceInputs, read_pieces
from tellapart.texts.sequences import CHARACTERS, WORDS, WordInputs
from tellapart.texts.vocabulary import GramInputs

# The door to the manifest as well: whoever opens a model wants both.
__all__ = [
    "DIGEST_KEY",
    "MANIFEST_KEY",
    "MAX_MODEL_BYTES",
    "PRODUCER",
    "SCHEMA_VERSION",
    "AbstentionRecord",
    "BackboneRecord",
    "ClassificationRecord",
    "DataRecord",
    "DetectionRecord",
    "Manifest",
    "Model",
    "MultilabelRecord",
    "PreprocessingRecord",
    "Score",
    "SegmentationRecord",
    "TaskName",
    "TaskRecord",
    "TextRecord",
    "open_bytes",
    "open_model",
    "read_manifest",
    "seal",
]

PRODUCER = "tellapart"
MANIFEST_KEY = "tellapart.manifest"
DIGEST_KEY = "tellapart.sha256"
MAX_MODEL_BYTES = 2 * 1024**3  # protobuf's own limit for one ONNX file
_ZEROS = b"0" * 64

OpenNetwork: TypeAlias = Callable[[bytes, Manifest, Path], OpenedNetwork]  # the bytes of the file at the path


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An opened model.onnx."""

    path: Path
    manifest: Manifest
    inputs: Preprocessing | TextInputs  # what makes a source ready for the network
    session: OpenedNetwork

    @property
    def preprocessing(self) -> Preprocessing:
        """The same of a model of pictures. Raises: ModelFileError for any other."""
        return self.inputs if isinstance(self.inputs, Preprocessing) else self.manifest.preprocessing.plain()

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pictures uint8 [N, size, size, 3] to calibrated probabilities [N, K] and embeddings [N, D]."""
        probabilities, embedding = self.session.run(images, ("probabilities", "embedding"))
        return probabilities, embedding

    def compute(self, images: NDArray[Any], names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Inputs [N, ...] to those of the outputs `names` that the file has, each [N, ...]."""
        there = [name for name in names if name in self.session.outputs]
        return dict(zip(there, self.session.run(images, there), strict=True))


def seal(graph_with_placeholder: bytes) -> bytes:
    """Put the SHA-256 of the file into the place that `DIGEST_KEY` keeps for it (64 zeros). Raises: ValueError without one."""
    at = _digest_at(graph_with_placeholder)
    if at is None or graph_with_placeholder[at : at + 64] != _ZEROS:
        raise ValueError(f"the metadata has no {DIGEST_KEY} of 64 zeros")
    digest = _digest_of(graph_with_placeholder, at).encode()
    return graph_with_placeholder[:at] + digest + graph_with_placeholder[at + 64 :]


def read_manifest(path: Path) -> Manifest:
    """The manifest alone, without starting ONNX Runtime's session. Raises: ModelFileError, StorageError."""
    return _read(path)[1]


def open_model(path: Path, open_network: OpenNetwork | None = None) -> Model:
    """Open a model for prediction, by ONNX Runtime or by what `open_network` makes of a file's bytes and manifest.

    Raises: ModelFileError when the file is not ours, cut short, altered, or written by a newer tellapart;
    StorageError when it cannot be read.
    """
    return _opened(*_read(path), path, open_network)


def open_bytes(data: bytes, *, source: str) -> Model:
    """Open a model whose file is in memory; `source` says in messages where it came from. Raises: ModelFileError."""
    return _opened(data, _parse(data, Path(source)), Path(source))


def _opened(
    data: bytes,
    manifest: Manifest,
    path: Path,
    open_network: OpenNetwork | None = None,
) -> Model:
    session = open_network(data, manifest, path) if open_network is not None else Session(data, source=str(path))
    if manifest.record.takes != "image":
        return Model(path=path, manifest=manifest, inputs=_text_inputs(session, manifest, path), session=session)
    size, promised = manifest.preprocessing.size, manifest.record.promised
    takes = _takes(session.inputs.get("image", ()), size, free=manifest.record.free_size)
    if not takes or not set(promised) <= set(session.outputs):
        raise ModelFileError(
            f"{path} has inputs {session.inputs} and outputs {sorted(session.outputs)}; a tellapart model takes "
            f"image [N, {size}, {size}, 3] and gives {' and '.join(promised)}. Train it again."
        )
    return Model(
        path=path,
        manifest=manifest,
        inputs=manifest.preprocessing.plain(),
        session=session,
    )


def _text_inputs(session: OpenedNetwork, manifest: Manifest, path: Path) -> TextInputs:
    """What the file knows of texts, part by part: rules, and vocabularies. Raises: ModelFileError."""
    record = manifest.record_of(TextRecord)
    shape = session.inputs.get(record.takes, ())
    parts: list[TextPart] = []
    height = shape[1] if len(shape) == 3 and isinstance(shape[1], int) else 0
    there = height > 0 and set(record.promised) <= set(session.outputs)
    if there and record.grams is not None:
        (known,) = session.run(np.zeros((1, height, 1), dtype=np.int32), ("vocabulary",))
        parts.append(GramInputs(rules=Rules(**record.grams.model_dump()), known=known.view(np.uint64)))
    if there and record.pieces is not None:
        (written,) = session.run(np.zeros((1, height, 1), dtype=np.int32), ("pieces",))
        told = record.pieces.model_dump(exclude={"network"})
        parts.append(PieceInputs(pieces=read_pieces(written.tobytes()), **told))
    if there and record.words is not None:
        (known,) = session.run(np.zeros((1, height, 1), dtype=np.int32), ("words",))
        rules = WORDS if record.words.unit == "words" else CHARACTERS
        parts.append(WordInputs(rules=rules, known=known.view(np.uint64), window=record.words.window))
    inputs = TextInputs(parts=tuple(parts))
    if not there or inputs.height != height:
        rows = inputs.height if there else "H"
        raise ModelFileError(
            f"{path} has inputs {session.inputs} and outputs {sorted(session.outputs)}; a tellapart model of texts takes "
            f"{record.takes} [N, {rows}, L] and gives {' and '.join(record.promised)}. Train it again."
        )
    return inputs


def _takes(shape: Sequence[int | str], size: int, *, free: bool) -> bool:
    """Whether an input is pictures [N, size, size, 3]; where it is `free`, height and width may be names in place of numbers."""
    height, width, channels = shape[1:] if len(shape) == 4 else (0, 0, 0)
    return channels == 3 and all(one == size or (free and isinstance(one, str)) for one in (height, width))


def _read(path: Path) -> tuple[bytes, Manifest]:
    if path.is_dir():
        path = path / "model.onnx"
    if not path.exists():
        raise ModelFileError(f"there is no model at {path}. Give the model.onnx of a run, or the run's folder.")
    with storage_errors(path):
        if not path.is_file() or path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelFileError(f"{path} is not a file of at most {MAX_MODEL_BYTES:,} bytes. Give a model.onnx.")
        data = path.read_bytes()
    return data, _parse(data, path)


def _parse(data: bytes, path: Path) -> Manifest:
    at = _digest_at(data)
    if at is None:
        if PRODUCER.encode() in data[:64]:
            raise ModelFileError(f"{path} is cut short: its end is missing. Copy it again, or train again.")
        raise ModelFileError(f"{path} is not a tellapart model: it has no manifest. Give a model.onnx of a run.")
    text = _metadata(data, MANIFEST_KEY)
    version = _schema_version(text)
    if version is not None and version > SCHEMA_VERSION:
        raise ModelFileError(
            f"{path} has manifest schema {version}; this tellapart reads up to {SCHEMA_VERSION}. Upgrade tellapart."
        )
    if _digest_of(data, at).encode() != data[at : at + 64]:
        raise ModelFileError(
            f"{path} was altered or damaged after training: its SHA-256 is not the one recorded in it. "
            "Copy it again, or train again."
        )
    try:
        return Manifest.model_validate_json(text or b"")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise ModelFileError(
            f"{path} has a manifest that breaks a rule at {where}: {first['msg']}. Train again."
        ) from None


def _digest_of(data: bytes, at: int) -> str:
    """The SHA-256 of the file with 64 zeros at `at`, without a copy of it, which takes as long as hashing."""
    digest, whole = hashlib.sha256(), memoryview(data)
    for part in (whole[:at], _ZEROS, whole[at + 64 :]):
        digest.update(part)
    return digest.hexdigest()


def _digest_at(data: bytes) -> int | None:
    # A protobuf string field: tag 0x12 (value), length 0x40, then 64 characters.
    marker = DIGEST_KEY.encode() + b"\x12\x40"
    at = data.rfind(marker)
    if at < 0 or at + len(marker) + 64 > len(data):
        return None
    return at + len(marker)


def _metadata(data: bytes, key: str) -> bytes | None:
    marker = key.encode() + b"\x12"
    at = data.rfind(marker)
    if at < 0:
        return None
    at += len(marker)
    length = shift = 0
    for byte in data[at : at + 5]:
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return data[at : at + length]
    return None


def _schema_version(text: bytes | None) -> int | None:
    try:
        value: Any = json.loads(text or b"null")
    except ValueError:
        return None
    version = value.get("schema_version") if isinstance(value, dict) else None
    return version if isinstance(version, int) else None

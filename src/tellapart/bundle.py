"""model.onnx and the manifest inside it. In: a path. Out: Model (manifest, session). Next: answers/predictor.py.

The manifest is JSON in the ONNX metadata, beside a SHA-256 of the whole file (taken with the digest's own place
zeroed). So the file works in any ONNX tool, and tellapart notices when it was cut short or edited.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from tellapart.errors import ModelFileError
from tellapart.preprocessing import Interpolation, Preprocessing
from tellapart.runtime import Session
from tellapart.storage import storage_errors

SCHEMA_VERSION = 2  # 1: before abstention; such files still open, and know neither sets nor "unknown"
TaskName = Literal["classification", "multilabel", "segmentation", "detection", "text"]
PRODUCER = "tellapart"
MANIFEST_KEY = "tellapart.manifest"
DIGEST_KEY = "tellapart.sha256"
MAX_MODEL_BYTES = 2 * 1024**3  # protobuf's own limit for one ONNX file
_ZEROS = b"0" * 64


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(_Part):
    """A figure with its 95 % interval, as it is measured, shown and kept; `low` and `high` are None where none can be had."""

    value: float
    low: float | None = None
    high: float | None = None
    method: str = ""  # how the interval was found; left out of the JSON where it is not told, as in a manifest

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Score:
        """A figure of metrics.json as a manifest keeps it, without how its interval was found."""
        return cls(value=record["value"], low=record.get("low"), high=record.get("high"))

    @model_serializer(mode="wrap")
    def _without_what_is_not_told(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in plain(self).items() if name != "method" or value}


class BackboneRecord(_Part):
    """Which network computes the embedding, and under which licence its weights may be used."""

    name: str
    embedding: int = Field(gt=0)  # D, length of the embedding
    weights_source: str
    weights_license: str
    weights_fingerprint: str  # SHA-256 of the weights
    test_time_augmentation: Literal["none", "flip", "dihedral"] = "none"  # the views that an answer is the mean over


class PreprocessingRecord(_Part):
    """The fields of Preprocessing, as JSON."""

    size: int = Field(gt=0, le=4096)
    crop: float = Field(gt=0, le=1)
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def plain(self) -> Preprocessing:
        """The same as what `preprocessing.load` takes."""
        return Preprocessing(**self.model_dump())


class DataRecord(_Part):
    """What the model was trained and tested on."""

    name: str
    fingerprint: str  # SHA-256 over the sorted content hashes and labels
    n_train: int
    n_validation: int
    n_test: int
    leaked: int = 0  # test pictures with a copy or group mate in another of the user's own splits


class AbstentionRecord(_Part):
    """When the model says "one of these" or "none of these", and how that did on the test split."""

    coverage: float = Field(gt=0, lt=1)  # wanted: how often a picture's set of classes holds the true one
    threshold: float = Field(
        ge=0, le=1
    )  # a class at least this probable is in the set; the most probable one always is
    novelty_threshold: float | None = None  # a picture above it is unknown; None: nothing is
    calibrated_on: int  # validation pictures
    measured_coverage: Score  # on the test split
    mean_set_size: float  # on the test split, in classes
    known: Score | None = None  # share of the test split that is not called unknown


class Manifest(_Part):
    """Everything that must travel with the network: who it is, how to feed it, how good it was, where it came from."""

    schema_version: Literal[1, 2] = 2
    created: str  # ISO 8601, UTC
    strategy: str
    classes: tuple[str, ...] = Field(min_length=2)  # in the order of the probabilities
    preprocessing: PreprocessingRecord
    temperature: float = Field(gt=0)
    backbone: BackboneRecord
    scores: dict[str, Score]  # on the test split
    scores_without_leaked: dict[str, Score] | None = None  # where some of it leaked and some did not
    data: DataRecord
    versions: dict[str, str]
    abstention: AbstentionRecord | None = None

    @model_validator(mode="after")
    def _classes_are_distinct(self) -> Manifest:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("two classes have the same name")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An opened model.onnx."""

    path: Path
    manifest: Manifest
    preprocessing: Preprocessing
    session: Session

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pictures uint8 [N, size, size, 3] to calibrated probabilities [N, K] and embeddings [N, D]."""
        probabilities, embedding = self.session.run(images, ("probabilities", "embedding"))
        return probabilities, embedding

    def classify(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Pictures uint8 [N, size, size, 3] to calibrated probabilities [N, K] and novelty [N].

        The novelty is about 1 or less for pictures like those of the training, and has no upper limit; None where the file was
        made by a tellapart that did not measure it.
        """
        if "novelty" not in self.session.outputs:
            return self.session.run(images, ("probabilities",))[0], None
        probabilities, novelty = self.session.run(images, ("probabilities", "novelty"))
        return probabilities, novelty


def seal(graph_with_placeholder: bytes) -> bytes:
    """Put the SHA-256 of the file into the place that `DIGEST_KEY` keeps for it (64 zeros)."""
    at = _digest_at(graph_with_placeholder)
    if at is None or graph_with_placeholder[at : at + 64] != _ZEROS:
        raise ValueError(f"the metadata has no {DIGEST_KEY} of 64 zeros")
    digest = hashlib.sha256(graph_with_placeholder).hexdigest().encode()
    return graph_with_placeholder[:at] + digest + graph_with_placeholder[at + 64 :]


def read_manifest(path: Path) -> Manifest:
    """The manifest alone, without starting ONNX Runtime's session. Raises: ModelFileError, StorageError."""
    return _read(path)[1]


def open_model(path: Path) -> Model:
    """Open a model for prediction.

    Raises: ModelFileError when the file is not ours, cut short, altered, or written by a newer tellapart;
    StorageError when it cannot be read.
    """
    data, manifest = _read(path)
    session = Session(data, source=str(path))
    size, promised = manifest.preprocessing.size, ["probabilities", "embedding"]
    if manifest.abstention is not None:
        promised.append("novelty")
    if tuple(session.inputs.get("image", ()))[1:] != (size, size, 3) or not set(promised) <= set(session.outputs):
        raise ModelFileError(
            f"{path} has inputs {session.inputs} and outputs {sorted(session.outputs)}; a tellapart model takes "
            f"image [N, {size}, {size}, 3] and gives {' and '.join(promised)}. Train it again."
        )
    return Model(
        path=path,
        manifest=manifest,
        preprocessing=manifest.preprocessing.plain(),
        session=session,
    )


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
    digest = hashlib.sha256(data[:at] + _ZEROS + data[at + 64 :]).hexdigest()
    if digest.encode() != data[at : at + 64]:
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

"""Training pictures to show beside an answer. In: gallery.npz, an embedding. Out: the pictures nearest to it. Next: repository.py.

The file lies beside model.onnx and belongs to that very file, by its SHA-256. Embeddings have length 1, so that a product is the
cosine of their angle; as float16 they are off by less than 0.001. n pictures, d length of the embedding's last layer, D of all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelFileError
from tellapart.storage import replacing, storage_errors

NAME = "gallery.npz"
MAX_BYTES = 1024**3
# Name -> kinds of its numbers. Labels: the class of each picture [n], or whether each class is in it [n, K].
_ARRAYS = {"model": "U", "embeddings": "f", "labels": "ib", "pictures": "u", "ends": "i"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookalike:
    """A training picture that looks alike to the network."""

    classes: tuple[int, ...]  # as columns of the probabilities; none where several are possible and none is there
    similarity: float  # cosine of the embeddings, in [-1, 1]
    jpeg: bytes  # a small copy


# Compared by identity: == on arrays gives an array.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gallery:
    """Training pictures of one model."""

    vectors: NDArray[np.float32]  # [n, d], of length 1
    labels: NDArray[np.int64] | NDArray[np.bool_]  # the class [n], or whether each class is there [n, K]
    pictures: bytes  # JPEG files, one after another
    ends: NDArray[np.int64]  # [n], where each of them ends

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def several(self) -> bool:
        """Whether a picture has a set of classes."""
        return self.labels.ndim == 2

    def nearest(self, embedding: NDArray[np.floating], count: int) -> list[Lookalike]:
        """The `count` pictures most like `embedding` [D] by its last layer, the most alike first."""
        similarities = self.vectors @ _unit(embedding[None, len(embedding) - self.vectors.shape[1] :])[0]
        order = np.argsort(-similarities, kind="stable")[:count]
        return [
            Lookalike(
                classes=self._classes(row),
                similarity=float(np.clip(similarities[row], -1, 1)),
                jpeg=self._jpeg(row),
            )
            for row in order.tolist()
        ]

    def _classes(self, row: int) -> tuple[int, ...]:
        return tuple(np.flatnonzero(self.labels[row]).tolist()) if self.several else (int(self.labels[row]),)

    def _jpeg(self, row: int) -> bytes:
        return self.pictures[self.ends[row - 1] if row else 0 : self.ends[row]]


def write_gallery(
    path: Path,
    *,
    model: Path,
    embeddings: NDArray[np.floating],
    labels: NDArray[np.integer] | NDArray[np.bool_],
    jpegs: Sequence[bytes],
) -> int:
    """Write the gallery of a model.onnx and return its size in bytes.

    `embeddings` [n, d]; `labels` the class of each picture, int [n], or whether each class is there, bool [n, K].
    Raises: StorageError.
    """
    digest = fingerprint(model)
    with replacing(path) as file:
        np.savez(
            file,
            model=np.array(digest),
            embeddings=_unit(embeddings).astype(np.float16),
            labels=labels if labels.dtype == np.bool_ else labels.astype(np.int32),
            pictures=np.frombuffer(b"".join(jpegs), dtype=np.uint8),
            ends=np.cumsum([len(jpeg) for jpeg in jpegs], dtype=np.int64),
        )
        return file.tell()


def read_gallery(path: Path, *, model: Path, classes: int, length: int) -> Gallery:
    """The gallery of a model.onnx with that many classes and a last layer of `length` numbers.

    Raises: ModelFileError when it is damaged or another model's; StorageError.
    """
    again = f"Make it again: tellapart gallery {model}"
    with storage_errors(path):
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise ModelFileError(f"{path} is not a file of at most {MAX_BYTES:,} bytes. {again}")
    try:
        # Opened here: numpy leaves a file open that is no zip.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = {name: file[name] for name in _ARRAYS}
    # zipfile and numpy answer damaged files with many kinds of exception.
    except Exception as error:
        raise ModelFileError(f"{path} cannot be read ({type(error).__name__}). {again}") from None
    if str(found["model"]) != fingerprint(model):
        raise ModelFileError(f"{path} was made for another model than {model}. {again}")
    labels, ends, embeddings = found["labels"], found["ends"], found["embeddings"]
    count = len(labels) if labels.ndim else -1
    whole = (
        all(found[name].dtype.kind in kinds for name, kinds in _ARRAYS.items())
        and embeddings.shape == (count, length)
        and ends.shape == (count,)
        and found["pictures"].ndim == 1
        and count > 0
        and _fit(labels, classes)
        and (np.diff(ends, prepend=0) >= 0).all()
        and ends[-1] == len(found["pictures"])
        and bool(np.isfinite(embeddings).all())
    )
    if not whole:
        raise ModelFileError(f"{path} holds arrays that do not fit together, or not this model. {again}")
    return Gallery(
        vectors=embeddings.astype(np.float32),
        labels=labels if labels.dtype == np.bool_ else labels.astype(np.int64),
        pictures=found["pictures"].tobytes(),
        ends=ends.astype(np.int64),
    )


def _fit(labels: NDArray[np.generic], classes: int) -> bool:
    """Whether these are labels of a model of so many classes."""
    if labels.dtype.kind == "b":
        return labels.ndim == 2 and labels.shape[1] == classes
    return labels.ndim == 1 and bool(np.isin(labels, np.arange(classes)).all())


def fingerprint(model: Path) -> str:
    """SHA-256 of a model file, 64 hex digits. Raises: StorageError."""
    with storage_errors(model), open(model, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)

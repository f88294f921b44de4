"""Pictures to embeddings, each once. In: Pictures, an engine. Out: Features. Next: training/probe.py.

Every thread takes a small batch through the whole way: read, check, decode, resize, network. Pillow and ONNX Runtime
both let go of Python's lock, so decoding overlaps the network with no queue between them, and memory stays flat.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.examples import PictureFile
from tellapart.errors import PictureError
from tellapart.features.cache import Cache
from tellapart.features.engine import Engine
from tellapart.features.squares import Squares
from tellapart.half_rows import HalfRows, Rows
from tellapart.preprocessing import Preprocessing, load
from tellapart.threads import as_they_come

KIND = "embedding"
_WRITE_EVERY = 256  # pictures; kill -9 loses at most that many, Ctrl-C none


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """Embeddings in the order of the pictures asked for."""

    vectors: NDArray[np.float32]  # [N, D]; rows with a problem are NaN
    content_hashes: tuple[str, ...]
    problems: dict[int, str]  # row -> why there is no embedding
    computed: int  # distinct pictures that went through the network
    reused: int  # distinct pictures whose embedding was in the cache
    engine: str  # its name, of the library and the precision


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    rows: list[int]
    vectors: NDArray[np.float32]
    problems: dict[int, str]


def extract(
    pictures: Sequence[PictureFile],
    *,
    engine: Engine,
    preprocessing: Preprocessing,
    embedding: int,
    fingerprint: str,
    stages: tuple[int, ...] = (),
    cache: Cache | None,
    squares: Squares | None = None,
    advance: Callable[[int], None] | None = None,
    into: HalfRows | None = None,
) -> Features:
    """Embeddings float32 [N, D] of `pictures`, from the cache where it has them.

    `fingerprint` names the weights, `embedding` is D, of which `stages` are how many numbers of each stage come first. Of a
    picture whose file hash is not known nothing that is computed is kept: its bytes may be another picture's. A picture that
    can no longer be read, or that has changed since the audit, gets a problem instead of a vector; not where `squares` still has
    what the audit saw. `advance` is told how many pictures are done. Where there are rows `into` which they go, [N, D], the
    answer holds none; those with a problem stay as they are.
    """
    tag = tag_of(preprocessing, fingerprint, engine.name, stages)
    vectors = np.full((len(pictures), embedding), np.nan, dtype=np.float32) if into is None else into
    first_row: dict[str, int] = {}
    for row, picture in enumerate(pictures):
        first_row.setdefault(picture.content_hash, row)
    missing = _from_cache(pictures, list(first_row.values()), vectors, cache, tag)
    reused = len(first_row) - len(missing)
    if advance is not None:
        advance(len(pictures) - len(missing))
    pixels = _Pixels(pictures, preprocessing, squares)
    problems = _compute(pixels, missing, vectors, engine, cache, tag, advance)
    for row, picture in enumerate(pictures):
        first = first_row[picture.content_hash]
        if first != row:
            vectors[row] = vectors[first]
            if first in problems:
                problems[row] = problems[first]
    return Features(
        vectors=np.empty((0, embedding), dtype=np.float32) if isinstance(vectors, HalfRows) else vectors,
        content_hashes=tuple(picture.content_hash for picture in pictures),
        problems=problems,
        computed=len(missing) - sum(row in problems for row in missing),
        reused=reused,
        engine=engine.name,
    )


@dataclass(frozen=True, slots=True)
class _Pixels:
    """Where pixels come from."""

    pictures: Sequence[PictureFile]
    preprocessing: Preprocessing
    squares: Squares | None

    def load(self, row: int) -> NDArray[np.uint8]:
        """One picture as the network takes it, [S, S, 3]. Raises: PictureError."""
        picture = self.pictures[row]
        square = None if self.squares is None else self.squares.take(picture.content_hash, self.preprocessing)
        return load(picture.read(), self.preprocessing) if square is None else square


def _compute(
    pixels: _Pixels,
    missing: list[int],
    vectors: Rows,
    engine: Engine,
    cache: Cache | None,
    tag: str,
    advance: Callable[[int], None] | None,
) -> dict[int, str]:
    """Fill the missing rows of `vectors` [N, D], and the cache; row -> problem of the rest."""
    problems: dict[int, str] = {}
    unsaved: dict[str, bytes] = {}
    try:
        with contextlib.closing(_run(pixels, missing, engine)) as finished:
            for done in finished:
                problems.update(done.problems)
                for row, vector in zip(done.rows, done.vectors, strict=True):
                    vectors[row] = vector
                    if pixels.pictures[row].file_hash:
                        unsaved[tag + pixels.pictures[row].content_hash] = vector.tobytes()
                if advance is not None:
                    advance(len(done.rows) + len(done.problems))
                if len(unsaved) >= _WRITE_EVERY:
                    _save(cache, unsaved)
    finally:
        _save(cache, unsaved)
    return problems


def _save(cache: Cache | None, unsaved: dict[str, bytes]) -> None:
    if cache is not None:
        cache.put_many(KIND, unsaved)
    unsaved.clear()


def _from_cache(
    pictures: Sequence[PictureFile], rows: list[int], vectors: Rows, cache: Cache | None, tag: str
) -> list[int]:
    """Fill what the cache knows; return the rows that it does not."""
    if cache is None:
        return rows
    missing = []
    length = vectors.shape[1] * 4
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        found = cache.get_many(KIND, [tag + pictures[row].content_hash for row in part])
        for row in part:
            value = found.get(tag + pictures[row].content_hash)
            if value is None or len(value) != length:
                missing.append(row)
                continue
            vectors[row] = np.frombuffer(value, dtype=np.float32)
    return missing


def _run(pixels: _Pixels, rows: list[int], engine: Engine) -> Generator[_Done, None, None]:
    """Yield finished batches as they come."""
    stop = threading.Event()

    def work(batch: list[int]) -> _Done:
        return _embed(pixels, batch, engine, stop)

    batches = [rows[start : start + engine.batch] for start in range(0, len(rows), engine.batch)]
    return as_they_come(batches, work, workers=engine.workers, name="embed", stop=stop)


def _embed(pixels: _Pixels, rows: list[int], engine: Engine, stop: threading.Event) -> _Done:
    images, good, problems = [], [], {}
    for row in rows:
        if stop.is_set():
            break
        try:
            images.append(pixels.load(row))
            good.append(row)
        except PictureError as error:
            problems[row] = str(error)
    if not images:
        return _Done(rows=[], vectors=np.empty((0, 0), dtype=np.float32), problems=problems)
    vectors = engine.embed(np.stack(images))
    # A network that overflows on one odd picture must not poison the classifier.
    for index in np.flatnonzero(~np.isfinite(vectors).all(axis=1)):
        problems[good[index]] = "the network gives no finite numbers for it"
    keep = [index for index, row in enumerate(good) if row not in problems]
    return _Done(rows=[good[index] for index in keep], vectors=vectors[keep], problems=problems)


def tag_of(preprocessing: Preprocessing, fingerprint: str, engine: str, stages: tuple[int, ...]) -> str:
    """How the keys of embeddings begin in the cache, before the content's hash."""
    # Of the last layer alone the key is what it was before the stages were joined: what is in the cache stays known.
    text = repr((sorted(preprocessing.identity().items()), fingerprint, engine, *([stages] if stages else [])))
    return hashlib.sha256(text.encode()).hexdigest()[:16] + ":"

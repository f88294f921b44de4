"""Embeddings with progress on the screen. In: a data set or pictures, a backbone. Out: Embedded. Next: training/probe.py."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.examples import SPLITS, PictureFile
from tellapart.data.packed_pictures import pictures_at
from tellapart.features.afar import Afar, embed_afar
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.corrected import FEWEST, KNOWN, correct
from tellapart.features.engine import SHIPPED, CpuEngine, EngineChoice, open_engine, settle_engine
from tellapart.features.extract import Features, extract
from tellapart.features.squares import Squares
from tellapart.half_rows import AT_ONCE, IN_MEMORY, HalfRows, Rows, blocks, from_column, half_rows, without
from tellapart.reporter import Reporter
from tellapart.storage import cache_folder

_TITLE = "Computing embeddings"
_ROUGH: CpuEngine = "openvino-bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """The embedding of every usable picture of a data set, and what it cost."""

    backbone: ReadyBackbone
    vectors: Rows  # [N, D], by row of the data set
    computed: int  # pictures that went through the network
    reused: int  # pictures whose embedding was in the cache
    seconds: float
    pace: float | None  # seconds a picture on the device that trains; None: nothing was computed there
    engine: str | None = None  # the name of what computed the training pictures'

    def last(self) -> Embedded:
        """The same pictures by the last layer alone, as they are without the means of the stages."""
        length = self.backbone.embedding - sum(self.backbone.stages)
        backbone = replace(self.backbone, embedding=length, stages=())
        return replace(self, backbone=backbone, vectors=from_column(self.vectors, self.vectors.shape[1] - length))

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows [n] to embeddings [n, D]."""
        return self.vectors[rows]


def embed_dataset(
    dataset: Dataset,
    backbone: ReadyBackbone,
    device: str,
    cache: Cache,
    reporter: Reporter,
    *,
    engine: EngineChoice = SHIPPED,
    squares: Squares | None = None,
    afar: Afar | None = None,
    most_bytes: int = IN_MEMORY,
) -> tuple[Dataset, Embedded]:
    """Every picture's embedding, and the data set without those that none could be had of.

    Validation and test are ONNX Runtime's on a CPU, as model.onnx will give them, whatever `device` and `engine` the training
    pictures are embedded by. What is computed on a CPU in bfloat16 is corrected by some pictures in float32, too; a training split
    too small for that is float32 throughout. Those that are more than `most_bytes` in float32 lie on disk, those of the training
    pictures in 16 bits. `afar` computes first what is for a CPU and not in the cache.
    Raises: DataError when a split has no picture left; StorageError where the disk has no room for them.
    """
    started = time.monotonic()
    vectors = _room(dataset, backbone.embedding, most_bytes, reporter)
    problems: dict[int, str] = {}
    computed = reused = 0
    pace: float | None = None
    used: str | None = None
    for rows, where, by in _shares(dataset, device, engine, reporter):
        began = time.monotonic()
        asked = pictures_at(dataset.pictures, rows)
        before = 0
        if afar is not None and where == "cpu":
            with reporter.step("Embedding on other machines", len(asked)) as advance:
                before = embed_afar(asked, backbone, by, afar, cache=cache, advance=advance)
            began = time.monotonic()
        into = vectors.part(rows) if isinstance(vectors, HalfRows) else None
        features = embed_pictures(asked, backbone, where, cache, reporter, engine=by, squares=squares, into=into)
        used = used or features.engine
        # What plans a training by it goes through the shipped engine: another's pace would promise too much.
        if where == device and (where != "cpu" or by == SHIPPED) and features.computed:
            pace = pace or (time.monotonic() - began) / features.computed
        if isinstance(vectors, np.ndarray):
            vectors[rows] = features.vectors
        problems.update((int(rows[place]), problem) for place, problem in features.problems.items())
        computed, reused = computed + features.computed + before, reused + features.reused - before
    if used is not None and used.startswith("openvino-") and used.endswith("-bfloat16"):
        _correct(vectors, dataset, problems, backbone, cache, reporter)
    seconds = time.monotonic() - started
    return dataset.without(problems), Embedded(
        backbone=backbone,
        vectors=without(vectors, list(problems)),
        computed=computed,
        reused=reused,
        seconds=seconds,
        pace=pace,
        engine=used,
    )


def embed_some(
    dataset: Dataset,
    rows: NDArray[np.int64],
    backbone: ReadyBackbone,
    device: str,
    cache: Cache | None,
    reporter: Reporter,
    *,
    title: str,
    squares: Squares | None = None,
) -> tuple[Dataset, Embedded] | None:
    """The embeddings of some training pictures, and the data set without the others, for a trial on these alone.

    `rows` [n] are in the order of `dataset.rows`. Pictures of the other splits have embeddings of 0. None where one of `rows`
    cannot be read. Shown under `title`.
    """
    pictures = [dataset.pictures[row] for row in rows]
    features = embed_pictures(pictures, backbone, device, cache, reporter, title=title, squares=squares)
    if features.problems:
        return None
    left_out = np.setdiff1d(dataset.rows["train"], rows)
    part = dataset.without(dict.fromkeys(left_out.tolist(), "not tried"))
    vectors = np.zeros((len(part.pictures), backbone.embedding), dtype=np.float32)
    vectors[part.rows["train"]] = features.vectors
    return part, Embedded(
        backbone=backbone, vectors=vectors, computed=0, reused=features.reused, seconds=0.0, pace=None
    )


def _room(dataset: Dataset, length: int, most_bytes: int, reporter: Reporter) -> Rows:
    """Rows [N, length] that nothing is in yet, in memory or on disk, there in the order in which a split is read."""
    count = len(dataset.pictures)
    if 4 * count * length <= most_bytes:
        return np.empty((count, length), dtype=np.float32)
    split = np.concatenate([dataset.rows[name] for name in SPLITS])
    order = np.concatenate([split, np.setdiff1d(np.arange(count), split)])
    scored = np.setdiff1d(order, dataset.rows["train"])
    rows = half_rows(count, length, order=order, exact=scored)
    reporter.say(
        f"The features of {count:,} pictures lie on disk until this ends, those that are trained on in 16 bits: "
        f"{2 * (count + len(scored)) * length / 1e9:,.1f} GB in {cache_folder()}."
    )
    return rows


def _shares(
    dataset: Dataset, device: str, asked: EngineChoice, reporter: Reporter
) -> list[tuple[NDArray[np.int64], str, CpuEngine]]:
    """Rows of the data set, the device that embeds them, and what does where that is a CPU; each row once, no share empty."""
    engine = settle_engine(asked, len(dataset.rows["train"])) if device == "cpu" else SHIPPED
    if engine == _ROUGH and len(dataset.rows["train"]) < FEWEST:
        reporter.say(
            f"{len(dataset.rows['train']):,} training pictures are fewer than {FEWEST:,}: bfloat16 would save nothing, and ONNX "
            "Runtime computes the embeddings, in float32."
        )
        engine = SHIPPED
    every = np.arange(len(dataset.pictures))
    # Half precision differs in digits that a test can see, and model.onnx runs on a CPU.
    as_shipped = device == "cpu" and engine == SHIPPED
    last = every[:0] if as_shipped else np.setdiff1d(every, dataset.rows["train"])
    shares = [(np.setdiff1d(every, last), device, engine), (last, "cpu", SHIPPED)]
    return [share for share in shares if len(share[0])]


def _correct(
    vectors: Rows,
    dataset: Dataset,
    problems: dict[int, str],
    backbone: ReadyBackbone,
    cache: Cache,
    reporter: Reporter,
) -> None:
    """Correct the training pictures' rows of `vectors` [N, D] in place, by those of the first few that can be read."""
    train = np.array([row for row in dataset.rows["train"].tolist() if row not in problems], dtype=np.int64)
    known = train[:KNOWN]  # rows are in the order of their contents, which is random
    pictures = [dataset.pictures[row] for row in known]
    exact = embed_pictures(pictures, backbone, "cpu", cache, reporter, title="Correcting embeddings")
    there = np.flatnonzero(np.isfinite(exact.vectors).all(axis=1))
    if not len(there):
        return
    if isinstance(vectors, np.ndarray):
        vectors[train] = correct(vectors[train], there, exact.vectors[there])
        return
    own, right = vectors[train[there]], exact.vectors[there]
    for rows in blocks(len(train)):
        corrected = correct(np.concatenate([own, vectors[train[rows]]]), np.arange(len(there)), right)[len(there) :]
        for row, vector in zip(train[rows].tolist(), corrected, strict=True):
            vectors[row] = vector
    for row, vector in zip(train[there].tolist(), right, strict=True):
        vectors[row] = vector


def embed_pictures(
    pictures: Sequence[PictureFile],
    backbone: ReadyBackbone,
    device: str,
    cache: Cache | None,
    reporter: Reporter,
    *,
    title: str = _TITLE,
    engine: CpuEngine = SHIPPED,
    squares: Squares | None = None,
    into: HalfRows | None = None,
) -> Features:
    """Embeddings of pictures by a backbone, with progress under `title`; no `cache` for a network just trained.

    `engine` is what embeds on a CPU; where it refuses the network, ONNX Runtime does, and `reporter` says so. `squares` are
    pictures that the audit has decoded. Rows `into` [N, D] get the embeddings part by part; a copy of a picture in an earlier
    part then counts as reused.
    """
    with reporter.step(title, len(pictures)) as advance:
        ready = open_engine(backbone, device, engine, warn=reporter.warn)
        found = [
            extract(
                pictures[rows],
                engine=ready,
                preprocessing=backbone.preprocessing,
                embedding=backbone.embedding,
                fingerprint=backbone.identity,
                stages=backbone.stages,
                cache=cache,
                squares=squares,
                advance=advance,
                into=None if into is None else into.part(np.arange(rows.start, rows.stop)),
            )
            for rows in ([slice(0, len(pictures))] if into is None else blocks(len(pictures), AT_ONCE))
        ]
    return found[0] if len(found) == 1 else _together(found)


def _together(parts: Sequence[Features]) -> Features:
    """The parts of one extraction as one; none of them holds vectors."""
    starts = np.cumsum([0, *(len(part.content_hashes) for part in parts)]).tolist()
    return Features(
        vectors=parts[0].vectors,
        content_hashes=tuple(content for part in parts for content in part.content_hashes),
        problems={
            start + row: why for start, part in zip(starts, parts, strict=False) for row, why in part.problems.items()
        },
        computed=sum(part.computed for part in parts),
        reused=sum(part.reused for part in parts),
        engine=parts[0].engine,
    )

"""Embeddings with progress on the screen. In: a data set or pictures, a backbone. Out: Embedded. Next: training/probe.py."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.examples import PictureFile
from tellapart.features.afar import Afar, embed_afar
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.corrected import FEWEST, KNOWN, correct
from tellapart.features.engine import SHIPPED, CpuEngine, EngineChoice, open_engine, settle_engine
from tellapart.features.extract import Features, extract
from tellapart.features.squares import Squares
from tellapart.reporter import Reporter

_TITLE = "Computing embeddings"
_ROUGH: CpuEngine = "openvino-bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Embedded:
    """The embedding of every usable picture of a data set, and what it cost."""

    backbone: ReadyBackbone
    vectors: NDArray[np.float32]  # [N, D], by row of the data set
    computed: int  # pictures that went through the network
    reused: int  # pictures whose embedding was in the cache
    seconds: float
    pace: float | None  # seconds a picture on the device that trains; None: nothing was computed there
    engine: str | None = None  # the name of what computed the training pictures'

    def last(self) -> Embedded:
        """The same pictures by the last layer alone, as they are without the means of the stages."""
        length = self.backbone.embedding - sum(self.backbone.stages)
        backbone = replace(self.backbone, embedding=length, stages=())
        return replace(self, backbone=backbone, vectors=self.vectors[:, self.vectors.shape[1] - length :])

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
) -> tuple[Dataset, Embedded]:
    """Every picture's embedding, and the data set without those that none could be had of.

    Validation and test are ONNX Runtime's on a CPU, as model.onnx will give them, whatever `device` and `engine` the training
    pictures are embedded by. What is computed on a CPU in bfloat16 is corrected by some pictures in float32, too; a training split
    too small for that is float32 throughout. `afar` computes first what is for a CPU and not in the cache.
    Raises: DataError when a split has no picture left.
    """
    started = time.monotonic()
    vectors = np.empty((len(dataset.pictures), backbone.embedding), dtype=np.float32)
    problems: dict[int, str] = {}
    computed = reused = 0
    pace: float | None = None
    used: str | None = None
    for rows, where, by in _shares(dataset, device, engine, reporter):
        began = time.monotonic()
        asked = [dataset.pictures[row] for row in rows]
        before = 0
        if afar is not None and where == "cpu":
            with reporter.step("Embedding on other machines", len(asked)) as advance:
                before = embed_afar(asked, backbone, by, afar, cache=cache, advance=advance)
            began = time.monotonic()
        features = embed_pictures(asked, backbone, where, cache, reporter, engine=by, squares=squares)
        used = used or features.engine
        # What plans a training by it goes through the shipped engine: another's pace would promise too much.
        if where == device and (where != "cpu" or by == SHIPPED) and features.computed:
            pace = pace or (time.monotonic() - began) / features.computed
        vectors[rows] = features.vectors
        problems.update((int(rows[place]), problem) for place, problem in features.problems.items())
        computed, reused = computed + features.computed + before, reused + features.reused - before
    if used is not None and used.startswith("openvino-") and used.endswith("-bfloat16"):
        _correct(vectors, dataset, problems, backbone, cache, reporter)
    seconds = time.monotonic() - started
    return dataset.without(problems), Embedded(
        backbone=backbone,
        vectors=np.delete(vectors, list(problems), axis=0) if problems else vectors,
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
    vectors: NDArray[np.float32],
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
    if len(there):
        vectors[train] = correct(vectors[train], there, exact.vectors[there])


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
) -> Features:
    """Embeddings of pictures by a backbone, with progress under `title`; no `cache` for a network just trained.

    `engine` is what embeds on a CPU; where it refuses the network, ONNX Runtime does, and `reporter` says so. `squares` are
    pictures that the audit has decoded.
    """
    with reporter.step(title, len(pictures)) as advance:
        return extract(
            pictures,
            engine=open_engine(backbone, device, engine, warn=reporter.warn),
            preprocessing=backbone.preprocessing,
            embedding=backbone.embedding,
            fingerprint=backbone.identity,
            stages=backbone.stages,
            cache=cache,
            squares=squares,
            advance=advance,
        )

"""Pictures to classes, streaming. In: a model, paths. Out: rows, in order. Next: cli/predict.py.

No torch on this way. Memory does not grow with the number of pictures: a few small batches are under way at a time.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.deciding import prediction_sets
from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.items import PathItem, Row, expand, read_file
from tellapart.answers.predictions import Predictions, build_predictions
from tellapart.bundle import Manifest, Model, open_model
from tellapart.errors import PictureError
from tellapart.preprocessing import load
from tellapart.runtime import BATCH, cores

__all__ = ["Classifier", "PathItem", "Row", "expand", "load_classifier", "read_file"]


class Classifier:
    """An opened model that predicts files. `tellapart.load` returns it."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities' columns."""
        return self._model.manifest.classes

    @property
    def manifest(self) -> Manifest:
        """Everything recorded in the file: preprocessing, scores with intervals, licences, versions."""
        return self._model.manifest

    def predict(self, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Predictions:
        """Calibrated probabilities of picture files, in the order given.

        Returns Predictions: `.probabilities` float32 [N, K] (NaN rows where a picture could not be read),
        `.labels` (the most probable class, "" on error), `.paths`, `.errors` ("" where fine); `.sets` (the classes that
        it may be), `.unknown` (like nothing trained on) and `.novelty`, all None for a model file older than these. A folder
        or glob stands for the pictures in it. The results equal those of `tellapart predict`.
        Raises: DataError when a glob matches nothing.
        """
        several = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
        rows = list(self.stream(expand(os.fspath(path) for path in several)))
        unread = np.full(len(self.classes), np.nan, dtype=np.float32)
        return build_predictions(
            paths=[row.path for row in rows],
            probabilities=np.array(
                [unread if row.probabilities is None else row.probabilities for row in rows], dtype=np.float32
            ),
            errors=[row.error for row in rows],
            classes=self.classes,
            **self._abstained(rows),
        )

    def _abstained(self, rows: list[Row]) -> dict[str, Any]:
        if self.manifest.abstention is None:
            return {}
        return {
            "sets": [row.members or () for row in rows],
            "unknown": [bool(row.unknown) for row in rows],
            "novelty": [np.nan if row.novelty is None else row.novelty for row in rows],
        }

    def stream(self, sources: Iterable[PathItem]) -> Iterator[Row]:
        """Rows in the order of `sources`, a few batches ahead of the reader and no more."""
        waiting = iter(sources)
        batches = iter(lambda: list(islice(waiting, BATCH)), [])
        stop = threading.Event()
        with ThreadPoolExecutor(cores(), thread_name_prefix="predict") as pool:
            under_way: deque[Future[list[Row]]] = deque()
            try:
                for batch in batches:
                    under_way.append(pool.submit(self._predict, batch, stop))
                    if len(under_way) > cores() * 2:
                        yield from under_way.popleft().result()
                while under_way:
                    yield from under_way.popleft().result()
            finally:
                stop.set()
                for future in under_way:
                    future.cancel()

    def _predict(self, batch: list[PathItem], stop: threading.Event) -> list[Row]:
        images: list[NDArray[np.uint8]] = []
        outcomes: list[tuple[PathItem, str]] = []  # the error is "" where there is an image
        for source in batch:
            if stop.is_set():
                return []
            try:
                images.append(load(read_file(source.path), self._model.preprocessing))
                outcomes.append((source, ""))
            except PictureError as error:
                # A text file that lies in a folder of pictures is no news; one that the user named is.
                if source.named or Path(source.path).suffix.lower() in FORMAT_OF_EXTENSION:
                    outcomes.append((source, str(error)))
        answers = iter(self._answer(images))
        return [
            Row(path=source.path, probabilities=None, error=error)
            if error
            else replace(next(answers), path=source.path)
            for source, error in outcomes
        ]

    def _answer(self, images: list[NDArray[np.uint8]]) -> list[Row]:
        """A row without its path for each picture."""
        if not images:
            return []
        probabilities, novelty = self._model.classify(np.stack(images))
        record = self.manifest.abstention
        if record is None or novelty is None:
            return [Row(path="", probabilities=row) for row in probabilities]
        limit = math.inf if record.novelty_threshold is None else record.novelty_threshold
        order = np.argsort(-probabilities, axis=1, kind="stable")
        sizes = prediction_sets(probabilities, record.threshold).sum(axis=1)
        return [
            Row(
                path="",
                probabilities=row,
                members=tuple(ranked[:size].tolist()),
                unknown=bool(strange > limit),
                novelty=float(strange),
            )
            for row, ranked, size, strange in zip(probabilities, order, sizes, novelty, strict=True)
        ]


def load_classifier(model: str | os.PathLike[str]) -> Classifier:
    """Open a model.onnx, or a run's folder. Raises: ModelFileError, StorageError."""
    return Classifier(open_model(Path(model)))

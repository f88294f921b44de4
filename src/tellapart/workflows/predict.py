"""Pictures to classes, streaming. In: a model, paths. Out: rows, in order. Next: cli/predict.py.

No torch on this way. Memory does not grow with the number of pictures: a few small batches are under way at a time.
"""

from __future__ import annotations

import glob
import math
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest, Model, open_model
from tellapart.data.folder import FORMAT_OF_EXTENSION
from tellapart.errors import DataError, PictureError
from tellapart.evaluation.abstention import prediction_sets
from tellapart.evaluation.predictions import Predictions, build_predictions
from tellapart.preprocessing import MAX_FILE_BYTES, load
from tellapart.runtime import BATCH, cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file to predict; `named` when the user named it, not just the folder that it is in."""

    path: str
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The answer for one picture: probabilities, or the reason why there are none."""

    path: str
    probabilities: NDArray[np.float32] | None  # [K]
    error: str = ""
    # None where there are no probabilities, or the model file is older than abstention.
    members: tuple[int, ...] | None = None  # classes that it may be, most probable first; the most probable one always
    unknown: bool | None = None  # unlike the pictures that the model was trained on
    novelty: float | None = None  # about 1 or less for typical pictures


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

    def stream(self, sources: Iterable[Source]) -> Iterator[Row]:
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

    def _predict(self, batch: list[Source], stop: threading.Event) -> list[Row]:
        images: list[NDArray[np.uint8]] = []
        outcomes: list[tuple[Source, str]] = []  # the error is "" where there is an image
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


def expand(paths: Iterable[str]) -> Iterator[Source]:
    """Files as they are, folders walked in sorted order, globs expanded; hidden files in folders are left out.

    Raises: DataError when a glob matches nothing. A file that does not exist is left for its row to say so.
    """
    for path in paths:
        if os.path.isdir(path):
            yield from _walk(path)
        elif os.path.lexists(path) or not glob.has_magic(path):
            yield Source(path=path, named=True)
        else:
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise DataError(
                    f"no file matches {path!r}. Check the pattern, or quote it so that the shell leaves it alone."
                )
            for match in matches:
                if os.path.isdir(match):
                    yield from _walk(match)
                else:
                    yield Source(path=match, named=False)


def _walk(folder: str) -> Iterator[Source]:
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Source(path=os.path.join(parent, name), named=False)


def read_file(path: str) -> bytes:
    """The bytes of one file that a user named. Raises: PictureError."""
    try:
        if not os.path.isfile(path):
            raise PictureError("no such file" if not os.path.lexists(path) else "not a regular file")
        size = os.path.getsize(path)
        if size > MAX_FILE_BYTES:
            raise PictureError(f"file of {size:,} bytes; the limit is {MAX_FILE_BYTES:,}. Store it smaller")
        return Path(path).read_bytes()
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror}") from None

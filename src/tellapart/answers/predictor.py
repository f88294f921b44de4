"""Files to answers, streaming. In: a model, paths. Out: answers, in order. Next: cli/predict.py.

No torch on this way. Memory does not grow with the number of files: a few small batches are under way at a time.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Answering, PictureData, Placement
from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.answers.given import GivenItem, PictureLike, gather
from tellapart.answers.given_texts import gather_texts
from tellapart.answers.items import PathItem, read_item
from tellapart.answers.table import ANSWERINGS
from tellapart.answers.thresholds import Thresholds, with_thresholds
from tellapart.answers.tiling import Check, cut_picture, in_tiles, merged, merging_of
from tellapart.bundle import Manifest, Model, TaskRecord, open_model
from tellapart.errors import ModelFileError, PictureError
from tellapart.runtime import cores
from tellapart.texts.inputs import TextInputs
from tellapart.threads import in_order

EMBEDDING = "embedding"  # what the output is called


class Predictor:
    """An opened model that predicts pictures. `tellapart.load` returns it. Pickled, it opens its file again where it arrives."""

    def __init__(self, model: Model, thresholds: Thresholds | None = None) -> None:
        """`thresholds` take the place of the model's. Raises: SettingsError where it has none, or other classes."""
        self._model, self._thresholds = model, thresholds
        manifest = model.manifest
        self.answering: Answering[Any, Any] = ANSWERINGS[manifest.task]
        self.record: TaskRecord = (  # by which answers are decided
            manifest.record if thresholds is None else with_thresholds(manifest.record, manifest.classes, thresholds)
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probabilities' columns."""
        return self._model.manifest.classes

    @property
    def takes_pictures(self) -> bool:
        """Whether it is of pictures, and not of texts."""
        return self.manifest.pictures is not None

    @property
    def manifest(self) -> Manifest:
        """Everything recorded in the file: preprocessing, scores with intervals, licences, versions."""
        return self._model.manifest

    def predict(self, pictures: PictureLike | Sequence[PictureLike], *, allow_private: bool = False) -> Any:
        """What the model says of pictures, in the order given: Predictions, MultilabelPredictions, BoxPredictions or
        MaskPredictions. A model of texts takes a str, several of them, or a DataFrame with a column `text`: Predictions.

        A picture is a path (a folder or glob stands for those in it), an http(s) address (a private one with `allow_private`),
        the bytes of a picture file, a file opened for reading bytes, a PIL image, an array uint8 [H, W, 3] in RGB, [H, W, 4] or
        [H, W], or a torch tensor [3, H, W], uint8 or from 0 to 1. An array [N, H, W, 3] or a tensor [N, 3, H, W] is N pictures;
        a DataFrame is those that its column `path` (or `image`, `filename`, `file_name`, `file`) names.

        All have `.paths` ("" for a picture that is no file), `.errors` ("" where fine) and `.warnings`. The first two have
        `.probabilities` float32 [N, K], calibrated (NaN rows where a picture could not be read), `.unknown` (like nothing trained
        on; masked where it could not be read) and `.novelty`, None where the model cannot tell them. Predictions has `.labels` (the
        most probable class, "" on error) and `.sets` (the classes that it may be; None for an older model file),
        MultilabelPredictions `.label_sets` (the classes in the picture). BoxPredictions has, for each picture, `.boxes` float32
        [n, 4] (left, top, right, bottom in pixels of the upright picture), `.scores` float32 [n], calibrated, and `.labels`, the
        most certain first; `.to_rows()` is one row a box. MaskPredictions has `.masks` (uint8 [H, W] each, numbers of classes),
        `.certainties`, `.areas` [N, K] and `.confidences`. The results equal those of `tellapart predict`.
        Raises: DataError when a glob matches nothing, or for what is no picture.
        """
        items = gather(pictures) if self.takes_pictures else gather_texts(pictures)
        answers = list(self.stream(items, allow_private=allow_private))
        return self.answering.collect(answers, classes=self.classes, told=self.record.model_dump())

    def embed(
        self, pictures: PictureLike | Sequence[PictureLike], *, allow_private: bool = False
    ) -> NDArray[np.float32]:
        """What the network knows of pictures or texts before its classifier, float32 [N, D]; NaN rows for what cannot be read.

        Near ones have a small angle between them. Pictures and texts are given as `predict` takes them.
        Raises: ModelFileError where the model tells none: it looks at tiles, makes masks or boxes, or counts n-grams alone.
        """
        if EMBEDDING not in self._model.session.outputs or self._tiled:
            raise ModelFileError(
                f"{self._model.path} tells no embedding, as a network before a classifier has it. Train one: of texts with "
                "--embeddings or --strategy scratch, of pictures a classifier of whole ones."
            )
        rows: list[NDArray[np.float32] | None] = []
        step = self._model.inputs.at_once if isinstance(self._model.inputs, TextInputs) else self.answering.at_once
        items = iter(gather(pictures) if self.takes_pictures else gather_texts(pictures))
        for batch in iter(lambda: list(islice(items, step)), []):
            ready = [self._ready(source, allow_private) for source in batch]
            given = [one for one in ready if one is not None]
            if given:
                stacked = self.answering.stack(given, self._model.inputs)
                found = iter(self._model.compute(stacked, (EMBEDDING,))[EMBEDDING])
            rows += [None if one is None else next(found) for one in ready]
        length = next((len(row) for row in rows if row is not None), 0)
        nothing = np.full(length, np.nan, dtype=np.float32)
        every = [nothing if row is None else row for row in rows]
        return np.stack(every).astype(np.float32) if every else np.zeros((0, 0), dtype=np.float32)

    def _ready(self, source: PathItem | GivenItem, allow_private: bool) -> NDArray[Any] | None:
        try:
            return self.answering.prepare(_read(source, allow_private), self._model.inputs)[0]
        except PictureError:
            return None

    def __reduce__(self) -> tuple[Callable[[str, Thresholds | None], Predictor], tuple[str, Thresholds | None]]:
        return load_predictor, (os.path.abspath(self._model.path), self._thresholds)

    def stream(self, sources: Iterable[PathItem | GivenItem], *, allow_private: bool = False) -> Iterator[Any]:
        """The task's answers in the order of `sources`, a few batches ahead of the reader and no more."""
        waiting, stop = iter(sources), threading.Event()
        inputs = self._model.inputs
        at_once = inputs.at_once if isinstance(inputs, TextInputs) else self.answering.at_once
        at_once = 1 if self._tiled else at_once  # a picture in tiles fills batches of its own
        batches = iter(lambda: list(islice(waiting, at_once)), [])
        # Those who put tiles together wait for those who look at them: a thread a core looks, however many pictures are open.
        with ThreadPoolExecutor(cores(), thread_name_prefix="tiles") as pool:
            answered = in_order(
                batches,
                lambda batch: self._answer(batch, stop, allow_private, pool),
                workers=cores(),
                name="predict",
                stop=stop,
            )
            with contextlib.closing(answered):
                for answers in answered:
                    yield from answers

    @property
    def _tiled(self) -> bool:
        return self.takes_pictures and in_tiles(self._model.preprocessing)

    def _answer(
        self, batch: list[PathItem | GivenItem], stop: threading.Event, allow_private: bool, pool: ThreadPoolExecutor
    ) -> list[Any]:
        if self._tiled:
            return self._answer_in_tiles(batch, stop, allow_private, pool)
        inputs: list[NDArray[Any]] = []
        places: list[Placement] = []
        outcomes: list[tuple[PathItem | GivenItem, str]] = []  # the error is "" where there is an input
        for source in batch:
            if stop.is_set():
                return []
            try:
                array, place = self.answering.prepare(_read(source, allow_private), self._model.inputs)
                inputs.append(array)
                places.append(place)
                outcomes.append((source, ""))
            except PictureError as error:
                if _is_news(source):
                    outcomes.append((source, str(error)))
        answers = iter(self._decide(inputs, places))
        return [
            self.answering.unread(error, path=source.path, classes=self.classes)
            if error
            else replace(next(answers), path=source.path)
            for source, error in outcomes
        ]

    def _decide(self, inputs: list[NDArray[Any]], places: list[Placement]) -> Sequence[Any]:
        if not inputs:
            return []
        arrays = self._model.compute(self.answering.stack(inputs, self._model.inputs), self.answering.outputs)
        decided: Sequence[Any] = self.answering.decide(arrays, places, self.record, classes=self.classes)
        return decided

    def _answer_in_tiles(
        self, batch: list[PathItem | GivenItem], stop: threading.Event, allow_private: bool, pool: ThreadPoolExecutor
    ) -> list[Any]:
        """One answer a picture, of all its tiles together."""

        def check() -> None:
            if stop.is_set():
                raise _Unwanted

        answers = []
        for source in batch:
            try:
                answers.append(replace(self._whole_answer(_read(source, allow_private), pool, check), path=source.path))
            except PictureError as error:
                if _is_news(source):
                    answers.append(self.answering.unread(str(error), path=source.path, classes=self.classes))
            except _Unwanted:
                return []
        return answers

    def _whole_answer(self, data: PictureData, pool: ThreadPoolExecutor, check: Check) -> Any:
        model, merges = self._model, merging_of(self.answering)
        picture = cut_picture(data, model.preprocessing, beyond=merges.beyond)
        arrays = merged(
            picture,
            lambda tiles: model.compute(tiles, self.answering.outputs),
            merges.merging(picture.whole, model.preprocessing, self.record),
            pool=pool,
            check=check,
        )
        (answer,) = self.answering.decide(arrays, [picture.whole], self.record, classes=self.classes)
        return answer


class _Unwanted(Exception):
    """Nobody waits for the answer any more."""


def _is_news(source: PathItem | GivenItem) -> bool:
    """Whether one should hear that it is no picture: a text file in a folder of pictures is no news; one that was named is."""
    return source.named or Path(source.path).suffix.lower() in FORMAT_OF_EXTENSION


def _read(source: PathItem | GivenItem, allow_private: bool) -> PictureData:
    if isinstance(source, PathItem):
        return read_item(source, allow_private=allow_private)
    if source.error:
        raise PictureError(source.error)
    return source.data


def load_predictor(model: str | os.PathLike[str], thresholds: Thresholds | None = None) -> Predictor:
    """Open a model.onnx, or a run's folder, with thresholds as Predictor takes them.

    Raises: ModelFileError, StorageError, SettingsError.
    """
    return Predictor(open_model(Path(model)), thresholds)

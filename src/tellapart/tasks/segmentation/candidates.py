"""A trained network on the validation split. In: an exported network, Dataset. Out: Validated. Next: testing.py.

Shapes: N tiles of a picture, S side of a tile, H W height and width of a picture, K classes, D length of the embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_answer import MaskAnswer
from tellapart.answers.mask_blending import MaskMerging
from tellapart.answers.segmentation import Segmentation
from tellapart.answers.tiling import CutPicture, cut_picture, merged
from tellapart.bundle import SegmentationRecord
from tellapart.data.dataset import Dataset
from tellapart.data.examples import PictureFile
from tellapart.data.masks import read_mask
from tellapart.data.targets import IGNORED, MaskFile
from tellapart.errors import DataError, PictureError
from tellapart.evaluation.choosing import Choice, Validated
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import load
from tellapart.reporter import percent
from tellapart.runtime import Session, cores
from tellapart.tasks.segmentation.agreement import FIGURE, count_pixels, figures_of
from tellapart.tasks.segmentation.calibrating import fit_pixels
from tellapart.tasks.segmentation.export import EMBEDDING, LOGITS
from tellapart.threads import pool_in_order

_CALIBRATED = 200_000  # validation pixels that the temperature is found on, at most
_TILES_AT_ONCE = 4

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledLogits:
    """What a network says of n validation pixels that count."""

    logits: NDArray[np.float32]  # [n, K]
    labels: NDArray[np.int64]  # [n]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PixelCandidate:
    """A trained network, as the file that it becomes will answer."""

    strategy: str  # probe, finetune or scratch
    backbone: ReadyBackbone  # its ONNX file gives logits and the embedding, its weights are the whole network's
    pretrained: ReadyBackbone  # what the training began with; from scratch the same
    details: Mapping[str, Any]  # for metrics.json

    def head(self) -> dict[str, NDArray[np.float32]]:
        """Nothing: the backbone's file has all weights."""
        return {}

    def answers(
        self, dataset: Dataset, rows: NDArray[np.int64], record: SegmentationRecord
    ) -> Generator[MaskAnswer, None, None]:
        """What the finished file will say of rows [n] of the data set, in order, one at a time.

        Raises: DataError when a picture can no longer be read; ModelFileError.
        """
        session = self._session()

        def look(row: int) -> MaskAnswer:
            cut = self._cut(dataset.pictures[row])
            arrays = merged(
                cut,
                lambda tiles: {"probabilities": _softmax(session.run(tiles, [LOGITS])[0], record.temperature)},
                Segmentation().merging(cut.whole, self.backbone.preprocessing, record),
                batch=_TILES_AT_ONCE,
            )
            return Segmentation().decide(arrays, [cut.whole], record, classes=dataset.classes)[0]

        yield from _in_threads(rows.tolist(), look)

    def embeddings(
        self, dataset: Dataset, rows: NDArray[np.int64]
    ) -> Generator[tuple[NDArray[np.float32], NDArray[np.float32]], None, None]:
        """Of each of rows [n], in order, the means of the encoder's maps in each of its tiles, [N, D], and how many of the
        picture's pixels each tile shows, [N]. Raises: as `answers`.
        """
        session = self._session()

        def look(row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            cut = self._cut(dataset.pictures[row])
            starts = range(0, len(cut.places), _TILES_AT_ONCE)
            parts = [session.run(cut.tiles(start, start + _TILES_AT_ONCE), [EMBEDDING])[0] for start in starts]
            shown = [
                (min(one.right, one.width) - max(one.left, 0)) * (min(one.bottom, one.height) - max(one.top, 0))
                for one in cut.places
            ]
            return np.concatenate(parts), np.array(shown, dtype=np.float32)

        yield from _in_threads(rows.tolist(), look)

    def at_once(self, dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of rows [n], each shown whole as `preprocessing.load` does it, logits [n, K, S, S]. Raises: as `answers`."""
        inputs = self.backbone.preprocessing
        images = [_or_say(dataset.pictures[row], lambda data: load(data, inputs)) for row in rows.tolist()]
        return self._session().run(np.stack(images), [LOGITS])[0]

    def sampled(self, dataset: Dataset, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], SampledLogits]]:
        """Of each of rows [n] of the data set the pixels by true and answered class, [K, K], and logits of some of them.

        Raises: as `answers`.
        """
        session, classes = self._session(), len(dataset.classes)
        most = max(1, _CALIBRATED // max(1, len(rows)))

        def look(row: int) -> tuple[NDArray[np.int64], SampledLogits]:
            cut, truth = self._cut(dataset.pictures[row]), true_mask(dataset, row)
            drawn = _Drawn(truth, most, np.random.default_rng(row))
            merging = MaskMerging(cut.whole, classes=classes, overlap=self.backbone.preprocessing.overlap)
            for start in range(0, len(cut.places), _TILES_AT_ONCE):
                places = cut.places[start : start + _TILES_AT_ONCE]
                (logits,) = session.run(cut.tiles(start, start + _TILES_AT_ONCE), [LOGITS])
                for tile, place in zip(logits, places, strict=True):
                    drawn.take(tile, round(place.top), round(place.left))
                merging.add({"probabilities": _softmax(logits, 1.0)}, places)
            answer = np.asarray(merging.finish()["mask"][0])
            return count_pixels(truth, answer, classes), drawn.found()

        yield from _in_threads(rows.tolist(), look)

    def _session(self) -> Session:
        return Session(self.backbone.network, source=f"the network in {self.backbone.network}")

    def _cut(self, picture: PictureFile) -> CutPicture:
        return _or_say(picture, lambda data: cut_picture(data, self.backbone.preprocessing, beyond=Segmentation.beyond))


class _Drawn:
    """Logits of some pixels of a picture, taken from its tiles as they come; where tiles overlap the last one counts."""

    def __init__(self, truth: NDArray[np.uint8], most: int, chance: np.random.Generator) -> None:
        counted = np.flatnonzero(truth != IGNORED)
        places = np.sort(chance.choice(counted, min(most, len(counted)), replace=False))
        self._rows, self._columns = np.unravel_index(places, truth.shape)
        self._labels = truth.reshape(-1)[places].astype(np.int64)
        self._logits: NDArray[np.float32] | None = None

    def take(self, tile: NDArray[np.float32], top: int, left: int) -> None:
        """A tile [K, S, S] whose upper left pixel is there."""
        if self._logits is None:
            self._logits = np.zeros((len(self._labels), len(tile)), dtype=np.float32)
        rows, columns = self._rows - top, self._columns - left
        inside = (rows >= 0) & (rows < tile.shape[1]) & (columns >= 0) & (columns < tile.shape[2])
        self._logits[inside] = tile[:, rows[inside], columns[inside]].T

    def found(self) -> SampledLogits:
        """All that was taken."""
        if self._logits is None:
            raise ValueError("no tile was given")
        return SampledLogits(logits=self._logits, labels=self._labels)


def true_mask(dataset: Dataset, row: int) -> NDArray[np.uint8]:
    """The mask [H, W] of a row of the data set: numbers of its classes, or IGNORED. Raises: DataError, as `read_mask`."""
    target = dataset.examples[int(dataset.indices[row])].target
    if not isinstance(target, MaskFile):
        raise TypeError(f"a target {type(target).__name__}; it must be a mask")
    return read_mask(target, dataset.classes)


def validate(candidate: PixelCandidate, dataset: Dataset) -> Validated[PixelCandidate]:
    """Mean IoU on the validation split, and the temperature that suits some of its pixels.

    Raises: DataError where no validation pixel counts.
    """
    rows, classes = dataset.rows["validation"], len(dataset.classes)
    counts = np.zeros((classes, classes), dtype=np.int64)
    logits, labels = [], []
    for found, some in candidate.sampled(dataset, rows):
        counts += found
        logits.append(some.logits)
        labels.append(some.labels)
    if not counts.sum():
        raise DataError(
            f"{len(rows)} validation pictures, without a pixel that counts; choosing needs one. Add pictures with masks to the "
            "validation split."
        )
    figures = figures_of(counts)
    return Validated(
        candidate=candidate,
        losses=np.empty(0),  # epochs and candidates are judged by mean IoU
        figure_name=FIGURE,
        figure=figures[FIGURE],
        calibration=fit_pixels(np.concatenate(logits), np.concatenate(labels)),
        facts={name: figures[name] for name in ("dice", "pixel_accuracy")},
    )


def choose(first: Validated[PixelCandidate], other: Validated[PixelCandidate]) -> Choice[PixelCandidate]:
    """Keep the one with the higher mean IoU on validation."""
    wins = other.figure > first.figure
    kept, left = (other, first) if wins else (first, other)
    names = {"probe": "pixel probe on the frozen encoder", "finetune": "fine-tuned network"}
    reason = (
        f"Kept the {names[kept.candidate.strategy]}: on validation its mean IoU is {percent(kept.figure)}, that of the "
        f"{names[left.candidate.strategy]} {percent(left.figure)} (Dice: {percent(kept.facts['dice'])} and "
        f"{percent(left.facts['dice'])})."
    )
    return Choice(winner=kept, reason=reason, compared=(kept, left))


def _softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Over K of logits [N, K, S, S], as the finished file's last nodes have it."""
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def _in_threads(units: list[Any], look: Callable[[Any], Found]) -> Generator[Found, None, None]:
    """A picture in each thread, a few ahead of who takes the results."""
    with (
        ThreadPoolExecutor(cores()) as pool,
        closing(pool_in_order(pool, units, look, ahead=cores())) as found,
    ):
        yield from found


def _or_say(picture: PictureFile, work: Callable[[bytes], Found]) -> Found:
    try:
        return work(picture.read())
    except PictureError as error:
        raise DataError(
            f"{picture.path}: {error}. Scoring needs it; put it back as it was, and resume the run."
        ) from None

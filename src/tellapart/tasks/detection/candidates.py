"""A trained detector on the validation split. In: an exported network, Dataset. Out: Validated. Next: deciding.py.

Shapes: P places of a picture, K classes; boxes are left, top, right, bottom.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.boxes import LEAST_SCORE, MOST, OVERLAP
from tellapart.answers.detection import BoxesAnswer, Detection
from tellapart.answers.pictures import place
from tellapart.answers.tiling import CutPicture, cut_picture, in_tiles, merged
from tellapart.bundle import DetectionRecord
from tellapart.data.dataset import Dataset
from tellapart.data.examples import PictureFile
from tellapart.data.targets import Boxes
from tellapart.errors import DataError, PictureError
from tellapart.evaluation.choosing import Choice, Validated
from tellapart.evaluation.platt import sigmoid
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing, load
from tellapart.reporter import percent
from tellapart.runtime import BATCH, Session, cores
from tellapart.tasks.detection.average_precision import coco_figures
from tellapart.tasks.detection.matching import ClassMatches, TrueBoxes, match, truth_of
from tellapart.threads import in_order

EMBEDDING = "embedding"  # output of the exported network: of each picture
EVERYWHERE = "found"  # output of the exported network: boxes as shares of the input's side, and logits, side by side
FIGURE = "ap"

Embeddings = Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookedAt:
    """What a trained detector says of n pictures, each of which its network has seen once."""

    answers: list[BoxesAnswer]  # n
    # Of each picture those of its tiles, [T, C], [1, C] where it is shown whole; None where the network's file has none.
    embeddings: Embeddings | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnValidation:
    """What the validation split says of a detector: it calibrates scores, draws the lines, and tells what is like it."""

    matches: tuple[ClassMatches, ...]
    embeddings: Embeddings | None  # in the order of the split's rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DetectorCandidate:
    """A trained detector, as the file that it becomes will answer."""

    strategy: str  # probe, finetune or scratch
    backbone: ReadyBackbone  # its ONNX file says what is at each place, its weights are the whole detector's
    pretrained: ReadyBackbone  # what the training began with; from scratch the same
    details: Mapping[str, Any]  # for metrics.json

    def head(self) -> dict[str, NDArray[np.float32]]:
        """Nothing: the backbone's file has all weights."""
        return {}

    @property
    def tiled(self) -> bool:
        """Whether it answers a picture in tiles."""
        return in_tiles(self.backbone.preprocessing)

    def everywhere(self, pictures: Sequence[PictureFile]) -> Iterator[NDArray[np.float32]]:
        """Of batches of the pictures, in order, float32 [B, P, 4 + K]: boxes as shares of the input's side, and logits.

        Raises: DataError when a picture can no longer be read; ModelFileError.
        """
        for (found,) in self._batches(self._session(), pictures, (EVERYWHERE,)):
            yield found

    def _session(self) -> Session:
        return Session(self.backbone.network, source=f"the detector in {self.backbone.network}")

    def _batches(
        self, session: Session, pictures: Sequence[PictureFile], outputs: Sequence[str]
    ) -> Iterator[Sequence[NDArray[np.float32]]]:
        def look(part: Sequence[PictureFile]) -> Sequence[NDArray[np.float32]]:
            return session.run(np.stack([_load(picture, self.backbone) for picture in part]), outputs)

        with ThreadPoolExecutor(cores()) as pool:
            yield from pool.map(look, [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)])

    def embeddings(self, pictures: Sequence[PictureFile]) -> NDArray[np.float32] | None:
        """Of n pictures the means of the backbone's coarsest map, float32 [n, C]; None where the network's file has none.

        Raises: DataError when a picture can no longer be read; ModelFileError.
        """
        session = self._session()
        if EMBEDDING not in session.outputs:
            return None
        return np.concatenate([vectors for (vectors,) in self._batches(session, pictures, (EMBEDDING,))])

    def look(self, dataset: Dataset, rows: NDArray[np.int64], record: DetectionRecord) -> LookedAt:
        """What the finished file will say of rows [n] of the data set, in pixels of the upright pictures; whatever is unknown.

        Raises: DataError when a picture can no longer be read; ModelFileError.
        """
        if self.tiled:
            return self._look_in_tiles([dataset.pictures[row] for row in rows.tolist()], record, dataset.classes)
        examples = [dataset.examples[index] for index in dataset.indices[rows].tolist()]
        places = [place(one.width, one.height, self.backbone.preprocessing) for one in examples]
        session = self._session()
        beside = (EMBEDDING,) if EMBEDDING in session.outputs else ()
        answers: list[BoxesAnswer] = []
        vectors: list[NDArray[np.float32]] = []
        pictures = [dataset.pictures[row] for row in rows.tolist()]
        for found, *others in self._batches(session, pictures, (EVERYWHERE, *beside)):
            vectors += others
            boxes, scores = decoded(found, record)
            answers += Detection().decide(
                {"boxes": boxes, "scores": scores},
                places[len(answers) : len(answers) + len(found)],
                record,
                classes=dataset.classes,
            )
        each = [one[None] for part in vectors for one in part]
        return LookedAt(answers=answers, embeddings=each if beside else None)

    def _look_in_tiles(
        self, pictures: Sequence[PictureFile], record: DetectionRecord, classes: tuple[str, ...]
    ) -> LookedAt:
        """One answer a picture, of all its tiles, with thresholds and calibration as `record` says."""
        session, inputs = self._session(), self.backbone.preprocessing
        beside = (EMBEDDING,) if EMBEDDING in session.outputs else ()

        def look(picture: PictureFile) -> tuple[BoxesAnswer, list[NDArray[np.float32]]]:
            cut, vectors = _cut(picture, inputs), list[NDArray[np.float32]]()

            def run(tiles: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
                found, *others = session.run(tiles, (EVERYWHERE, *beside))
                vectors.extend(others)
                boxes, scores = decoded(found, record)
                return {"boxes": boxes, "scores": scores}

            arrays = merged(cut, run, Detection().merging(cut.whole, inputs, record))
            return Detection().decide(arrays, [cut.whole], record, classes=classes)[0], vectors

        found = list(in_order(pictures, look, workers=cores(), name="tiles"))
        each = [np.concatenate(vectors) for _, vectors in found if vectors]
        return LookedAt(answers=[answer for answer, _ in found], embeddings=each if beside else None)

    def tile_embeddings(self, pictures: Sequence[PictureFile], *, most: int) -> Iterator[NDArray[np.float32]]:
        """Of each picture those of `most` of its tiles at most, spread over it, [T, C]; where the file has embeddings.

        Raises: DataError when a picture can no longer be read; ModelFileError.
        """
        session = self._session()

        def look(picture: PictureFile) -> NDArray[np.float32]:
            cut = _cut(picture, self.backbone.preprocessing)
            count = len(cut.places)
            chosen = np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)).tolist()
            part = replace(cut, places=tuple(cut.places[number] for number in chosen))
            starts = range(0, len(chosen), BATCH)
            return np.concatenate([session.run(part.tiles(at, at + BATCH), [EMBEDDING])[0] for at in starts])

        yield from in_order(pictures, look, workers=cores(), name="tiles")


def decoded(found: NDArray[np.float32], record: DetectionRecord) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What is found everywhere [B, P, 4 + K] as boxes [B, P, 4] and calibrated scores [B, P, K]."""
    scales, offsets = np.array(record.scales, dtype=np.float32), np.array(record.offsets, dtype=np.float32)
    return found[..., :4], np.asarray(sigmoid(scales * found[..., 4:] + offsets), dtype=np.float32)


def uncalibrated(class_count: int, *, calibrated_on: int = 0) -> DetectionRecord:
    """Scores as the network gives them, and every box told that is one."""
    return DetectionRecord(
        scales=(1.0,) * class_count,
        offsets=(0.0,) * class_count,
        thresholds=(LEAST_SCORE,) * class_count,
        threshold_rule="none",
        calibrated_on=calibrated_on,
        overlap=OVERLAP,
        most=MOST,
        least_score=LEAST_SCORE,
    )


def truths(dataset: Dataset, rows: NDArray[np.int64]) -> list[TrueBoxes]:
    """The true boxes of rows [n] of the data set, in pixels of the upright pictures."""
    targets = [dataset.examples[index].target for index in dataset.indices[rows].tolist()]
    return [truth_of(target if isinstance(target, Boxes) else Boxes(), dataset.classes) for target in targets]


def validate(candidate: DetectorCandidate, dataset: Dataset) -> Validated[DetectorCandidate]:
    """Average precision on the validation split; what was matched there calibrates scores and draws the lines later.

    Raises: DataError where no validation picture has a box that counts.
    """
    rows = dataset.rows["validation"]
    looked = candidate.look(dataset, rows, uncalibrated(len(dataset.classes)))
    matches = match([answered(one) for one in looked.answers], truths(dataset, rows), len(dataset.classes))
    if not sum(int(one.positives[0].sum()) for one in matches):
        raise DataError(
            f"{len(rows)} validation pictures, without a box that counts; choosing needs one. Add pictures with boxes to the "
            "validation split."
        )
    figures = coco_figures(matches)
    return Validated(
        candidate=candidate,
        losses=np.empty(0),  # epochs and candidates are judged by average precision
        figure_name=FIGURE,
        figure=figures["ap"],
        calibration=OnValidation(matches=tuple(matches), embeddings=looked.embeddings),
        facts={name: figures[name] for name in ("ap50", "ap75")},
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnsweredBoxes:
    """The boxes of a picture that a model gives, told or not; what matching asks for."""

    boxes: NDArray[np.float32]  # [n, 4]
    scores: NDArray[np.float32]  # [n]
    labels: NDArray[np.int64]  # [n]


def answered(answer: BoxesAnswer) -> AnsweredBoxes:
    """All boxes of an answer; none of a picture that could not be read."""
    if answer.boxes is None or answer.scores is None or answer.labels is None:
        return AnsweredBoxes(
            boxes=np.empty((0, 4), np.float32), scores=np.empty(0, np.float32), labels=np.empty(0, np.int64)
        )
    return AnsweredBoxes(boxes=answer.boxes, scores=answer.scores, labels=answer.labels)


def choose(first: Validated[DetectorCandidate], other: Validated[DetectorCandidate]) -> Choice[DetectorCandidate]:
    """Keep the one with the higher average precision on validation: both cost the same to run."""
    wins = other.figure > first.figure
    kept, left = (other, first) if wins else (first, other)
    names = {"probe": "detector on the frozen backbone", "finetune": "fine-tuned detector"}
    reason = (
        f"Kept the {names[kept.candidate.strategy]}: on validation its average precision (IoU 0.5 to 0.95) is "
        f"{percent(kept.figure)}, that of the {names[left.candidate.strategy]} {percent(left.figure)} "
        f"(at IoU 0.5: {percent(kept.facts['ap50'])} and {percent(left.facts['ap50'])})."
    )
    return Choice(winner=kept, reason=reason, compared=(kept, left))


def on_validation(winner: Validated[DetectorCandidate]) -> OnValidation:
    """What the validation split said of it."""
    found: OnValidation = winner.calibration
    return found


def _cut(picture: PictureFile, inputs: Preprocessing) -> CutPicture:
    try:
        return cut_picture(picture.read(), inputs, beyond=Detection.beyond)
    except PictureError as error:
        raise _gone(picture, error) from None


def _load(picture: PictureFile, backbone: ReadyBackbone) -> NDArray[np.uint8]:
    try:
        return load(picture.read(), backbone.preprocessing)
    except PictureError as error:
        raise _gone(picture, error) from None


def _gone(picture: PictureFile, error: PictureError) -> DataError:
    return DataError(f"{picture.path}: {error}. Scoring needs it; put it back as it was, and resume the run.")

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
        session = Session(self.backbone.network, source=f"the detector in {self.backbone.network}")
        yield from self._batches(session, pictures, EVERYWHERE)

    def _batches(self, session: Session, pictures: Sequence[PictureFile], output: str) -> Iterator[NDArray[np.float32]]:
        def look(part: Sequence[PictureFile]) -> NDArray[np.float32]:
            return session.run(np.stack([_load(picture, self.backbone) for picture in part]), [output])[0]

        with ThreadPoolExecutor(cores()) as pool:
            yield from pool.map(look, [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)])

    def embeddings(self, pictures: Sequence[PictureFile]) -> NDArray[np.float32] | None:
        """Of n pictures the means of the backbone's coarsest map, float32 [n, C]; None where the network's file has none.

        Raises: DataError when a picture can no longer be read; ModelFileError.
        """
        session = Session(self.backbone.network, source=f"the detector in {self.backbone.network}")
        if EMBEDDING not in session.outputs:
            return None
        return np.concatenate(list(self._batches(session, pictures, EMBEDDING)))

    def answers(self, dataset: Dataset, rows: NDArray[np.int64], record: DetectionRecord) -> list[BoxesAnswer]:
        """What the finished file will say of rows [n] of the data set, in pixels of the upright pictures."""
        if self.tiled:
            return list(
                self._answers_in_tiles([dataset.pictures[row] for row in rows.tolist()], record, dataset.classes)
            )
        examples = [dataset.examples[index] for index in dataset.indices[rows].tolist()]
        places = [place(one.width, one.height, self.backbone.preprocessing) for one in examples]
        answers: list[BoxesAnswer] = []
        for found in self.everywhere([dataset.pictures[row] for row in rows.tolist()]):
            boxes, scores = decoded(found, record)
            answers += Detection().decide(
                {"boxes": boxes, "scores": scores},
                places[len(answers) : len(answers) + len(found)],
                record,
                classes=dataset.classes,
            )
        return answers

    def _answers_in_tiles(
        self, pictures: Sequence[PictureFile], record: DetectionRecord, classes: tuple[str, ...]
    ) -> Iterator[BoxesAnswer]:
        """One answer a picture, of all its tiles, with thresholds and calibration as `record` says."""
        session = Session(self.backbone.network, source=f"the detector in {self.backbone.network}")
        inputs = self.backbone.preprocessing

        def look(tiles: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
            boxes, scores = decoded(session.run(tiles, [EVERYWHERE])[0], record)
            return {"boxes": boxes, "scores": scores}

        def answer(picture: PictureFile) -> BoxesAnswer:
            cut = _cut(picture, inputs)
            arrays = merged(cut, look, Detection().merging(cut.whole, inputs, record))
            return Detection().decide(arrays, [cut.whole], record, classes=classes)[0]

        yield from in_order(pictures, answer, workers=cores(), name="tiles")

    def tile_embeddings(
        self, pictures: Sequence[PictureFile], *, most: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Of each picture those of its tiles, [T, C], of `most` of them spread over it at most; where the file has embeddings.

        Raises: DataError when a picture can no longer be read; ModelFileError.
        """
        session = Session(self.backbone.network, source=f"the detector in {self.backbone.network}")

        def look(picture: PictureFile) -> NDArray[np.float32]:
            cut = _cut(picture, self.backbone.preprocessing)
            count = len(cut.places)
            chosen = np.unique(np.linspace(0, count - 1, min(count, most or count)).round().astype(np.int64)).tolist()
            part = replace(cut, places=tuple(cut.places[number] for number in chosen))
            starts = range(0, len(chosen), BATCH)
            return np.concatenate([session.run(part.tiles(at, at + BATCH), [EMBEDDING])[0] for at in starts])

        yield from in_order(pictures, look, workers=cores(), name="tiles")

    @property
    def embeds(self) -> bool:
        """Whether the network's file tells an embedding."""
        session = Session(self.backbone.network, source=f"the detector in {self.backbone.network}")
        return EMBEDDING in session.outputs


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
    answers = candidate.answers(dataset, rows, uncalibrated(len(dataset.classes)))
    matches = match([answered(one) for one in answers], truths(dataset, rows), len(dataset.classes))
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
        calibration=tuple(matches),
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


def matches_of(winner: Validated[DetectorCandidate]) -> tuple[ClassMatches, ...]:
    """What was matched on validation, class by class."""
    matches: tuple[ClassMatches, ...] = winner.calibration
    return matches


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

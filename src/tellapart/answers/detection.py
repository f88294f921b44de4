"""Boxes with classes: what is decided, and how it is told. In: boxes, scores, labels. Out: BoxesAnswer. Next: table.py.

A box is told where its score reaches its class's threshold; the less certain ones stay in the answer, for those who draw their own
line. N pictures, D boxes of a picture at most, P places, K classes; boxes are left, top, right, bottom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import (
    Answer,
    InputRecord,
    OtherClasses,
    Output,
    Placement,
    Tally,
    Told,
    Truth,
    told_line,
)
from tellapart.answers.box_forms import Page, PageBox
from tellapart.answers.box_merging import BoxMerging
from tellapart.answers.box_predictions import BoxPredictions, box_cell, read_box_cell
from tellapart.answers.box_tensors import TENSORFLOWS, box_outputs, box_tensors
from tellapart.answers.boxes import found_at, in_source
from tellapart.answers.deciding import unknown_pictures
from tellapart.answers.pictures import AT_ONCE, prepare_picture, stack_pictures
from tellapart.answers.predictions import flags
from tellapart.tiling import Beyond

if TYPE_CHECKING:
    from tellapart.bundle import TaskRecord

_TOLERANCE = 1e-4  # beyond [0, 1] that a score may be, as arithmetic leaves it
_SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxesAnswer(Answer):
    """The boxes of one picture, the most certain first; None each where it could not be read."""

    boxes: NDArray[np.float32] | None = None  # [n, 4], in pixels of the upright picture, within it
    scores: NDArray[np.float32] | None = None  # [n] in [0, 1], calibrated
    labels: NDArray[np.int64] | None = None  # [n], numbers of `classes`
    chosen: NDArray[np.bool_] | None = None  # [n], whether the score reaches the class's threshold
    width: int = 0  # pixels of the upright picture
    height: int = 0

    @property
    def told(self) -> list[tuple[str, float, tuple[float, float, float, float]]]:
        """The boxes that are told, the most certain first: class, score, sides."""
        if self.boxes is None or self.scores is None or self.labels is None or self.chosen is None:
            return []
        return [
            (self.classes[int(self.labels[at])], float(self.scores[at]), _four(self.boxes[at]))
            for at in np.flatnonzero(self.chosen)
        ]

    @property
    def counts(self) -> dict[str, int]:
        """How many boxes of each class are told; classes without one are left out. In the model's order."""
        found = Counter(name for name, _, _ in self.told)
        return {name: found[name] for name in self.classes if found[name]}


class Detection:
    """The Answering of detection."""

    outputs: tuple[str, ...] = ("boxes", "scores", "labels", "novelty")
    defaults: tuple[str, ...] = TENSORFLOWS
    figures = "class_scores"
    prepare = staticmethod(prepare_picture)
    stack = staticmethod(stack_pictures)
    graded = True
    local = True
    item = "picture"
    at_once = AT_ONCE
    pictured: tuple[str, ...] = ()
    beyond: Beyond = "colour"

    def merging(self, whole: Placement, inputs: InputRecord, record: TaskRecord) -> BoxMerging:
        """Boxes of the tiles of one picture. Raises: ValueError for another task's record."""
        if record.kind != "detection":
            raise ValueError(f"a record of {record.kind}")
        return BoxMerging(whole, record)

    def fits(self, arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> bool:
        """Whether there are boxes [N, D, 4] with scores [N, D] and labels in [0, K), or scores [N, P, K]; scores in [0, 1]."""
        boxes, scores, labels = arrays["boxes"], arrays["scores"], arrays.get("labels")
        if boxes.ndim != 3 or boxes.shape[2] != 4 or not np.isfinite(boxes).all():
            return False
        if not bool(((scores >= -_TOLERANCE) & (scores <= 1 + _TOLERANCE)).all()):
            return False
        if labels is None:
            return scores.shape == (*boxes.shape[:2], len(classes))
        known = labels.shape == scores.shape == boxes.shape[:2]
        return known and bool(((labels >= 0) & (labels < len(classes))).all())

    def decide(
        self,
        arrays: Mapping[str, NDArray[Any]],
        places: Sequence[Placement],
        record: TaskRecord,
        *,
        classes: tuple[str, ...],
    ) -> list[BoxesAnswer]:
        """Boxes as shares of the input's side to pixels of the source, within it; what lies outside of it is left out.

        Where the network gives `labels`, it has left out boxes on more certain ones itself; else that is done here.
        """
        if record.kind != "detection":
            raise ValueError(f"a record of {record.kind}")
        thresholds = np.array(record.thresholds, dtype=np.float32)
        novelty = arrays.get("novelty")
        unknown = unknown_pictures(novelty, record.novelty_threshold)
        answers = []
        for number, place in enumerate(places):
            found = found_at(arrays, number, record)
            sides = in_source(found.boxes, place)
            there = (found.scores > 0) & (sides[:, 2:] > sides[:, :2]).all(1)
            answers.append(
                BoxesAnswer(
                    classes=classes,
                    boxes=sides[there],
                    scores=found.scores[there],
                    labels=found.labels[there],
                    chosen=found.scores[there] >= thresholds[found.labels[there]],
                    width=place.width,
                    height=place.height,
                    unknown=None if unknown is None else bool(unknown[number]),
                    novelty=None if novelty is None else float(novelty[number]),
                    warning=place.remark,
                )
            )
        return answers

    def unread(self, error: str, *, path: str = "", classes: tuple[str, ...]) -> BoxesAnswer:
        """The answer for a picture that could not be read."""
        return BoxesAnswer(path=path, classes=classes, error=error)

    def row(
        self, answer: BoxesAnswer, *, top: int, figure: Callable[[float], float] = float, least: float | None = None
    ) -> dict[str, Any]:
        """Every box that is told, whatever `top` is, with its sides in pixels; counts by class; null what is not known.

        With `least` every box at least so certain, and `told` in each, whether it reaches its class's threshold; counts are still
        of those that are told.
        """
        read = answer.boxes is not None
        return {
            "path": answer.path,
            "boxes": _box_rows(answer, least, figure) if read else None,
            "counts": answer.counts if read else None,
            "width": answer.width if read else None,
            "height": answer.height if read else None,
            "unknown": answer.unknown,
            "novelty": None if answer.novelty is None else figure(answer.novelty),
            "error": answer.error or None,
            "warning": answer.warning or None,
        }

    def read(self, row: Mapping[str, Any], *, path: str, classes: tuple[str, ...], told: Told) -> BoxesAnswer:
        """The answer that a row tells. Raises: OtherClasses; KeyError, TypeError, ValueError for no such row."""
        found = list(row["boxes"])
        if not {one["label"] for one in found} <= set(classes):
            raise OtherClasses
        sides = [[float(one[side]) for side in _SIDES] for one in found]
        return BoxesAnswer(
            path=path,
            classes=classes,
            boxes=np.array(sides, dtype=np.float32).reshape(-1, 4),
            scores=np.array([float(one["score"]) for one in found], dtype=np.float32),
            labels=np.array([classes.index(one["label"]) for one in found], dtype=np.int64),
            chosen=np.array([bool(one.get("told", True)) for one in found], dtype=np.bool_),
            width=int(row["width"]),
            height=int(row["height"]),
            # Servers of older versions tell neither.
            unknown=None if row.get("unknown") is None else bool(row["unknown"]),
            novelty=None if row.get("novelty") is None else float(row["novelty"]),
            warning=row.get("warning") or "",
        )

    def columns(self, classes: Sequence[str], *, top: int) -> list[str]:
        """path, count, boxes, one of counts a class, unknown, novelty, error, warning."""
        counts = (f"count of {name}" for name in classes)
        return ["path", "count", "boxes", *counts, "unknown", "novelty", "error", "warning"]

    def cells(self, answer: BoxesAnswer, *, top: int) -> list[str]:
        """The boxes are a JSON list of [label, score, left, top, right, bottom]; all are empty where nothing is known."""
        if answer.boxes is None:
            return [answer.path, "", "", *([""] * len(answer.classes)), "", "", answer.error, answer.warning]
        counts = answer.counts
        return [
            answer.path,
            str(len(answer.told)),
            box_cell(answer.told),
            *(str(counts.get(name, 0)) for name in answer.classes),
            "" if answer.unknown is None else str(answer.unknown).lower(),
            "" if answer.novelty is None else f"{answer.novelty:.6g}",
            answer.error,
            answer.warning,
        ]

    def line(self, answer: BoxesAnswer, *, top: int) -> str:
        """How many of each class, and the path."""
        if answer.boxes is None:
            return told_line(answer, None)
        said = ", ".join(f"{count} {name}" for name, count in answer.counts.items()) or "nothing"
        return told_line(answer, said, "  (unknown: unlike the pictures trained on)" if answer.unknown else "")

    def collect(self, answers: Sequence[BoxesAnswer], *, classes: tuple[str, ...], told: Told) -> BoxPredictions:
        """All answers together."""
        return BoxPredictions(
            paths=tuple(one.path for one in answers),
            boxes=tuple(_of(one.boxes, one.chosen, (0, 4)) for one in answers),
            scores=tuple(_of(one.scores, one.chosen, (0,)) for one in answers),
            labels=tuple(tuple(name for name, _, _ in one.told) for one in answers),
            errors=tuple(one.error for one in answers),
            classes=classes,
            warnings=tuple(one.warning for one in answers),
            unknown=flags([one.unknown for one in answers]) if told.get("novelty_threshold") is not None else None,
        )

    def page(self, answer: BoxesAnswer, *, path: str) -> Page:
        """The boxes that are told of a picture that could be read, for files of annotations."""
        boxes = tuple(PageBox(name, *sides, score=score) for name, score, sides in answer.told)
        return Page(path=path, width=answer.width, height=answer.height, boxes=boxes)

    def describe(self, record: TaskRecord, *, classes: Sequence[str], outputs: Iterable[str]) -> list[Output]:
        """Those of box_tensors.py: TensorFlow's four, and ours. Raises: ValueError for another task's record."""
        if record.kind != "detection":
            raise ValueError(f"a record of {record.kind}")
        return box_outputs(len(classes), novelty="novelty" in outputs, unknown=record.novelty_threshold is not None)

    def tensors(self, answers: Sequence[BoxesAnswer]) -> Mapping[str, NDArray[Any] | list[bytes]]:
        """Every box, told or not, the most certain first, filled up to as many a picture."""
        return box_tensors(answers)

    def tally(self, answers: Sequence[BoxesAnswer]) -> Tally:
        """Every box that is told, by its class."""
        return Tally([name for one in answers for name, _, _ in one.told], sum(bool(one.unknown) for one in answers))

    def shown_class(self, answer: BoxesAnswer) -> int:
        """The class of the most certain box. Raises: ValueError for an unread picture, or one without boxes."""
        if answer.labels is None or not len(answer.labels):
            raise ValueError(
                "there is no class to show of a picture that could not be read, or in which nothing was found"
            )
        return int(answer.labels[0])

    def read_truth(self, fields: Mapping[str, str]) -> Truth:
        """Boxes as a JSON list of [label, left, top, right, bottom] in the field `boxes`. Raises: ValueError where it is none."""
        if "boxes" not in fields:
            raise ValueError(
                "the form has no field `boxes`. Send a JSON list of [label, left, top, right, bottom], [] for none"
            )
        names = read_box_cell(fields["boxes"])
        return Truth("boxes", fields["boxes"], names)


def _box_rows(answer: BoxesAnswer, least: float | None, figure: Callable[[float], float]) -> list[dict[str, Any]]:
    """The boxes that are told; with `least` those at least so certain, and in each whether it is told."""
    if answer.boxes is None or answer.scores is None or answer.labels is None or answer.chosen is None:
        return []
    wanted = answer.chosen if least is None else answer.scores >= np.float32(least)
    return [
        {
            "label": answer.classes[label],
            "score": figure(score),
            **dict(zip(_SIDES, map(figure, sides), strict=True)),
            **({} if least is None else {"told": told}),
        }
        for label, score, sides, told in zip(
            *(part[wanted].tolist() for part in (answer.labels, answer.scores, answer.boxes, answer.chosen)),
            strict=True,
        )
    ]


def _of(
    values: NDArray[np.float32] | None, chosen: NDArray[np.bool_] | None = None, empty: tuple[int, ...] = (0,)
) -> NDArray[np.float32]:
    """Those that are chosen, or all; nothing of an unread picture."""
    if values is None:
        return np.zeros(empty, dtype=np.float32)
    return values if chosen is None else values[chosen]


def _four(sides: NDArray[np.float32]) -> tuple[float, float, float, float]:
    left, top, right, bottom = sides.tolist()
    return left, top, right, bottom

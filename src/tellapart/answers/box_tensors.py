"""Boxes as arrays for the protocols: TensorFlow's names for them, and ours. In: BoxesAnswers. Out: tensors by name. Next: table.py.

Source of the first four: TensorFlow's object detection API, whose exported models have these outputs and whose clients read
them (github.com/tensorflow/models, research/object_detection/exporter_main_v2.py). N pictures, D boxes of the one with most, at
least 1; K classes. What a picture has fewer boxes is filled up: with zeros, empty names, false.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import WARNING, Output, warning_tensor

TENSORFLOWS = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
_FLOAT = np.float32


class BoxedPicture(Protocol):
    """What is read of an answer, a BoxesAnswer: n boxes, the most certain first; None each where there is no answer."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def boxes(self) -> NDArray[np.float32] | None: ...
    @property
    def scores(self) -> NDArray[np.float32] | None: ...
    @property
    def labels(self) -> NDArray[np.int64] | None: ...
    @property
    def chosen(self) -> NDArray[np.bool_] | None: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def unknown(self) -> bool | None: ...
    @property
    def novelty(self) -> float | None: ...
    @property
    def warning(self) -> str: ...


def box_outputs(classes: int, *, novelty: bool = False, unknown: bool = False) -> list[Output]:
    """What `box_tensors` gives of a model with that many classes, which may measure novelty and tell what is unknown."""
    told = [Output("novelty", "FP32", (-1,)), *([Output("unknown", "BOOL", (-1,))] if unknown else [])]
    return [
        Output("detection_boxes", "FP32", (-1, -1, 4)),
        Output("detection_scores", "FP32", (-1, -1)),
        Output("detection_classes", "FP32", (-1, -1)),
        Output("num_detections", "FP32", (-1,)),
        Output("boxes", "FP32", (-1, -1, 4)),
        Output("labels", "BYTES", (-1, -1)),
        Output("chosen", "BOOL", (-1, -1)),
        Output("counts", "INT32", (-1, classes)),
        Output("class_scores", "FP32", (-1, classes)),
        *(told if novelty else []),
        WARNING,
    ]


def box_tensors(answers: Sequence[BoxedPicture]) -> Mapping[str, NDArray[Any] | list[bytes]]:
    """Every box, told or not, the most certain first.

    `detection_boxes` float32 [N, D, 4]: ymin, xmin, ymax, xmax as shares of the picture; `detection_classes` float32 [N, D],
    counted from 1, as TensorFlow's detectors have them; `num_detections` float32 [N]. `boxes` float32 [N, D, 4]: left, top, right,
    bottom in pixels of the upright picture; `labels` [N, D], class names, UTF-8; `chosen` bool [N, D], whether a box reaches its
    class's threshold; `counts` int32 [N, K] of these; `class_scores` float32 [N, K]: of the most certain box of each class.
    `novelty` float32 and `unknown` bool, [N] each, where the model tells them.
    """
    pictures, kinds = len(answers), len(answers[0].classes) if answers else 0
    most = max([1, *(0 if one.scores is None else len(one.scores) for one in answers)])
    boxes, sizes = np.zeros((pictures, most, 4), dtype=_FLOAT), np.ones((pictures, 1, 4), dtype=_FLOAT)
    scores, numbers = np.zeros((2, pictures, most), dtype=_FLOAT)
    names = np.full((pictures, most), b"", dtype=object)
    chosen = np.zeros((pictures, most), dtype=np.bool_)
    counts, best = np.zeros((pictures, kinds), dtype=np.int32), np.zeros((pictures, kinds), dtype=_FLOAT)
    found = np.zeros(pictures, dtype=_FLOAT)
    for row, one in enumerate(answers):
        if one.boxes is None or one.scores is None or one.labels is None or one.chosen is None:
            continue
        known = np.array([name.encode() for name in one.classes], dtype=object)
        many = len(one.scores)
        boxes[row, :many], sizes[row] = one.boxes, (one.height, one.width, one.height, one.width)
        scores[row, :many], numbers[row, :many] = one.scores, one.labels + 1
        names[row, :many], chosen[row, :many] = known[one.labels], one.chosen
        counts[row] = np.bincount(one.labels[one.chosen], minlength=kinds)
        np.maximum.at(best[row], one.labels, one.scores)
        found[row] = many
    return {
        "detection_boxes": boxes[..., [1, 0, 3, 2]] / sizes,
        "detection_scores": scores,
        "detection_classes": numbers,
        "num_detections": found,
        "boxes": boxes,
        "labels": names,
        "chosen": chosen,
        "counts": counts,
        "class_scores": best,
        **_novelty(answers),
        WARNING.name: warning_tensor([one.warning for one in answers], pictures),
    }


def _novelty(answers: Sequence[BoxedPicture]) -> dict[str, NDArray[Any]]:
    """Both where any picture has them; NaN and false for one that could not be read."""
    found: dict[str, NDArray[Any]] = {}
    if any(one.novelty is not None for one in answers):
        found["novelty"] = np.array([np.nan if one.novelty is None else one.novelty for one in answers], dtype=_FLOAT)
    if any(one.unknown is not None for one in answers):
        found["unknown"] = np.array([bool(one.unknown) for one in answers])
    return found

"""From what a detector says at every place to the boxes of a picture. In: boxes, scores. Out: FoundBoxes. Next: box_predictions.py.

The same is in the graph of model.onnx; this is for files without it, for training, and what the graph is compared with.
N pictures, P places, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Placement

if TYPE_CHECKING:
    from tellapart.bundle import DetectionRecord

MOST = 100  # boxes a picture
OVERLAP = 0.6  # of two boxes of one class the less certain one is left out where their IoU is above
LEAST_SCORE = 0.01  # what is less certain is no box


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundBoxes:
    """The boxes of one picture, the most certain first."""

    boxes: NDArray[np.float32]  # [n, 4]: left, top, right, bottom, in the units that they were given in
    scores: NDArray[np.float32]  # [n] in [0, 1]
    labels: NDArray[np.int64]  # [n] in [0, K)


def find_boxes(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    *,
    most: int = MOST,
    overlap: float = OVERLAP,
    least: float = LEAST_SCORE,
) -> FoundBoxes:
    """Non-maximum suppression within each class, of one picture's boxes [P, 4] and scores [P, K]; at most `most` boxes.

    Of equally certain ones the lower class, then the earlier place is first.
    """
    found: list[tuple[NDArray[np.int64], int]] = []
    for label in range(scores.shape[1]):
        certain = np.flatnonzero(scores[:, label] > least)
        order = certain[np.argsort(-scores[certain, label], kind="stable")]
        found.append((order[_kept(boxes[order], overlap, most)], label))
    places = np.concatenate([kept for kept, _ in found])
    labels = np.concatenate([np.full(len(kept), label, dtype=np.int64) for kept, label in found])
    certainty = scores[places, labels]
    first = np.argsort(-certainty, kind="stable")[:most]
    return FoundBoxes(boxes=boxes[places[first]], scores=certainty[first], labels=labels[first])


def found_at(arrays: Mapping[str, NDArray[Any]], number: int, record: DetectionRecord) -> FoundBoxes:
    """What a network gives of input `number` of [N, ...]. Where it gives `labels` it has left out boxes on others itself."""
    boxes, scores, labels = arrays["boxes"][number], arrays["scores"][number], arrays.get("labels")
    if labels is not None:
        return FoundBoxes(boxes=boxes, scores=scores, labels=labels[number].astype(np.int64))
    return find_boxes(boxes, scores, most=record.most, overlap=record.overlap, least=record.least_score)


def in_source(boxes: NDArray[np.float32], place: Placement) -> NDArray[np.float32]:
    """Boxes [n, 4] as shares of the input, in pixels of the source and clipped to it."""
    corners = place.to_source(boxes.reshape(-1, 2, 2)).clip(0, (place.width, place.height))
    return corners.reshape(-1, 4).astype(np.float32)


def overlaps(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """IoU of each of boxes [n, 4] with each of [m, 4]: [n, m] in [0, 1]; 0 for boxes of no area."""
    one, other = np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = sides.clip(min=0).prod(-1)
    union = _areas(one) + _areas(other) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).clip(min=0).prod(-1))


def _kept(boxes: NDArray[np.float32], overlap: float, most: int) -> list[int]:
    """Which of boxes [n, 4], the most certain first, none of the kept ones before them covers too much; at most `most`."""
    left = np.arange(len(boxes))
    kept: list[int] = []
    while len(left) and len(kept) < most:
        kept.append(int(left[0]))
        covered = overlaps(boxes[left[:1]], boxes[left[1:]])[0] > overlap
        left = left[1:][~covered]
    return kept

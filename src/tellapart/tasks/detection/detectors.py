"""The detectors by name. In: a name. Out: DetectorKind, what is built and taught under it. Next: teaching.py.

Whoever trains a detector asks this table and knows none of them. Functions import their part when they are called, so that
the table costs nothing. K classes, S side of the picture in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tellapart.errors import SettingsError
from tellapart.settings.parts import DetectorName

if TYPE_CHECKING:
    from tellapart.tasks.detection.levels import StagedDetector
    from tellapart.tasks.detection.loss import BoxLoss

__all__ = ["DEFAULT_DETECTOR", "DETECTORS", "DetectorKind", "DetectorName", "detector_kind"]

DEFAULT_DETECTOR: DetectorName = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorKind:
    """One kind of detector, whole. Rates and epochs are those that suit it for AdamW."""

    name: DetectorName
    # (a StagedNetwork, class_count=K, size=S) -> a network; what is no backbone comes from torch's random state. With
    # whole=True it has the shape that `weights` are of.
    make: Callable[..., StagedDetector]
    loss: Callable[[float], BoxLoss]  # of the mean number of boxes of a training picture
    weights: tuple[str, ...] = ()  # what network.weights can name: of whole detectors of this kind
    size: int = 320  # pixels, S, unless somebody says otherwise; a multiple of 32
    epochs: int = 20  # unless there is a budget; with one up to twice as many
    batch_size: int = 8
    learning_rate: float = 2e-4  # of the backbone
    head_learning_rate: float = 2e-3  # of the rest, in the first answer and from scratch
    tuned_rate: float | None = None  # of the rest where fine-tuning goes on from the first answer; None: as there
    average: float = 0.98  # decay of the moving average of the weights, which is judged and kept
    clip: float = 10.0  # the gradient's greatest length
    first_updates: int = 480  # of the first answer, on the frozen backbone


def detector_kind(name: str | None) -> DetectorKind:
    """None: ours. Raises: SettingsError for a name that is not in the table."""
    for known, kind in DETECTORS.items():
        if known == (name or DEFAULT_DETECTOR):
            return kind
    raise SettingsError(f"there is no detector {name!r}; network.detector must be one of: {', '.join(DETECTORS)}.")


def _default(*given: Any, **named: Any) -> StagedDetector:
    from tellapart.tasks.detection.network import Detector

    return Detector(*given, **named)


def _faster_rcnn(*given: Any, **named: Any) -> StagedDetector:
    from tellapart.tasks.detection.faster_rcnn import FasterDetector

    return FasterDetector(*given, **named)


def _retinanet(*given: Any, **named: Any) -> StagedDetector:
    from tellapart.tasks.detection.retinanet import RetinaDetector

    return RetinaDetector(*given, **named)


def _ssd(*given: Any, **named: Any) -> StagedDetector:
    from tellapart.tasks.detection.ssd import ShotDetector

    return ShotDetector(*given, **named)


def _yolox(*given: Any, **named: Any) -> StagedDetector:
    from tellapart.tasks.detection.yolox import DecoupledDetector

    return DecoupledDetector(*given, **named)


def _default_loss(boxes_a_picture: float) -> BoxLoss:
    from tellapart.tasks.detection.loss import DetectionLoss

    return DetectionLoss(boxes_a_picture=boxes_a_picture)


def _own_loss(*parts: str) -> Callable[[float], BoxLoss]:
    def made(boxes_a_picture: float) -> BoxLoss:
        from tellapart.tasks.detection.loss import OwnLoss

        return OwnLoss(parts=parts)

    return made


def _yolox_loss(boxes_a_picture: float) -> BoxLoss:
    from tellapart.tasks.detection.yolox_loss import DecoupledLoss

    return DecoupledLoss(boxes_a_picture=boxes_a_picture)


_LISTED = (
    # With rates four times as high as `tuned_rate` every epoch was worse: docs/results.md.
    DetectorKind(name="default", make=_default, loss=_default_loss, learning_rate=1e-4, tuned_rate=5e-4),
    DetectorKind(
        name="faster_rcnn",
        make=_faster_rcnn,
        loss=_own_loss("object_loss", "proposal_loss", "score_loss", "box_loss"),
        weights=("coco",),
        epochs=12,
        head_learning_rate=5e-4,
        first_updates=100,
    ),
    DetectorKind(
        name="retinanet",
        make=_retinanet,
        loss=_own_loss("score_loss", "box_loss"),
        weights=("coco",),
        head_learning_rate=5e-4,
    ),
    DetectorKind(
        name="ssd",
        make=_ssd,
        loss=_own_loss("score_loss", "box_loss"),
        learning_rate=1e-4,
        head_learning_rate=1e-3,
        tuned_rate=2.5e-4,
    ),
    DetectorKind(
        name="yolox",
        make=_yolox,
        loss=_yolox_loss,
        learning_rate=1e-4,
        head_learning_rate=1e-3,
        tuned_rate=2.5e-4,
    ),
)
DETECTORS: Mapping[DetectorName, DetectorKind] = MappingProxyType({kind.name: kind for kind in _LISTED})

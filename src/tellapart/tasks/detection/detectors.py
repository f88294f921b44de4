"""The detectors by name. In: a name. Out: DetectorKind, what is built, taught and exported under it. Next: default_detector.py.

Whoever trains a detector asks this table and knows none of them. Functions import their part when they are called, so that
the table costs nothing. K classes, S side of the picture in pixels, P places, N pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from tellapart.errors import SettingsError

if TYPE_CHECKING:
    from tellapart.bundle import Manifest
    from tellapart.models.trainable import Trainable
    from tellapart.models.weights import LoadedWeights
    from tellapart.tasks.lesson import Lesson
    from tellapart.training.devices import Devices
    from tellapart.training.learner import Learner

DetectorName = Literal["default"]
DEFAULT_DETECTOR: DetectorName = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorKind:
    """One kind of detector, whole. Rates and epochs are those that suit it for AdamW."""

    name: DetectorName
    # (K, S, backbone) -> a network with its first weights, frozen as it should be; the head comes from torch's random state.
    build: Callable[[int, int, LoadedWeights], Trainable]
    learner: Callable[[Lesson, Devices, Trainable], Learner]  # of true boxes [N, M, 6], as learner.py has them
    export_places: Callable[[Any, Path], None]  # what a network of `build` says at every place, [N, P, 4 + K], as ONNX
    assemble: Callable[..., bytes]  # (that file, Manifest, suppressed=True) -> model.onnx
    size: int  # pixels, S, unless somebody says otherwise; a multiple of 32
    epochs: int  # unless there is a budget
    batch_size: int
    learning_rate: float  # of the backbone
    head_learning_rate: float  # of the rest
    average: float  # decay of the moving average of the weights, which is judged and kept
    clip: float  # the gradient's greatest length


def detector_kind(name: str) -> DetectorKind:
    """Raises: SettingsError for a name that is not in the table."""
    for known, kind in DETECTORS.items():
        if known == name:
            return kind
    raise SettingsError(f"there is no detector {name!r}; network.detector must be one of: {', '.join(DETECTORS)}.")


def _build_default(class_count: int, size: int, loaded: LoadedWeights) -> Trainable:
    from tellapart.tasks.detection.default_detector import build_default

    return build_default(class_count, size, loaded)


def _teach_default(lesson: Lesson, devices: Devices, network: Trainable) -> Learner:
    from tellapart.tasks.detection.default_detector import teach_default

    return teach_default(lesson, devices, network)


def _export_places(network: Any, path: Path) -> None:
    from tellapart.tasks.detection.export import export_places

    export_places(network, path)


def _assemble(places: Path, manifest: Manifest, *, suppressed: bool = True) -> bytes:
    from tellapart.tasks.detection.export import assemble

    return assemble(places, manifest, suppressed=suppressed)


_LISTED = (
    DetectorKind(
        name="default",
        build=_build_default,
        learner=_teach_default,
        export_places=_export_places,
        assemble=_assemble,
        size=320,
        epochs=16,
        batch_size=8,
        learning_rate=2e-4,
        head_learning_rate=2e-3,
        average=0.98,
        clip=10.0,
    ),
)
DETECTORS: Mapping[DetectorName, DetectorKind] = MappingProxyType({kind.name: kind for kind in _LISTED})

"""A detector before it is trained, and what suits it. In: settings, ReadyBackbone. Out: StagedDetector, Prepared. Next: first.py.

Rates, batch and moving average are those that taught a detector on frozen EfficientNet-lite0 most in ten minutes of two cores
(docs/results.md). Sources: AdamW for heads, RTMDet, arXiv 2212.07784; averages of the weights, YOLOX, arXiv 2107.08430.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.errors import SettingsError
from tellapart.features.backbone import ReadyBackbone
from tellapart.models.build import BuiltNetwork, build_pretrained
from tellapart.models.freezing import freeze, parse_unfreeze
from tellapart.models.weights import read_weights
from tellapart.preprocessing import Preprocessing, fitted
from tellapart.runs.network import build_network
from tellapart.settings.parts import AugmentSettings, NetworkSettings
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.detection.candidates import DetectorCandidate
from tellapart.tasks.detection.detectors import DetectorKind, detector_kind
from tellapart.tasks.detection.levels import STRIDES, StagedDetector
from tellapart.tasks.detection.unused import refuse_unused
from tellapart.tasks.detection.whole import check_weights, fill, whole_weights
from tellapart.tasks.foreign import BOXES, refuse_foreign
from tellapart.tasks.prepared import Prepared

_WEIGHT_DECAY = 0.01
_USUAL_BATCH = 32  # that a prepared network's rate is told for
# What is brought in beside a smaller picture is one colour: a mirror would show things that no box is around.
_AUGMENT: Mapping[str, Any] = {
    "preset": "none",
    "horizontal_flip": 0.5,
    "zoom": 0.55,
    "shift": 0.15,
    "brightness": 0.2,
    "contrast": 0.2,
    "saturation": 0.3,
    "hue": 0.02,
    "fill": "mean",
}

_TILE_ZOOM = 0.3  # things in tiles are all shown at the pictures' own scale
_OVERLAP = 4  # tiles share a quarter


def prefer(settings: TrainSettings) -> TrainSettings:
    """The settings with what suits detectors where nothing was told. Raises: SettingsError for a size that none can take."""
    refuse_foreign(settings, own=BOXES)
    refuse_unused(settings)
    network = settings.network
    kind = detector_kind(network.detector)
    check_weights(kind, network.weights, strategy=settings.strategy)
    size = kind.size if network.size is None else network.size
    if size % STRIDES[-1]:
        near = max(1, round(size / STRIDES[-1])) * STRIDES[-1]
        raise SettingsError(
            f"network.size is {size}; a detector's pictures have a side that is a multiple of {STRIDES[-1]} pixels. "
            f"Set it to {near}, for example."
        )
    if network.test_time_augmentation != "none":
        raise SettingsError(
            f"network.test_time_augmentation is {network.test_time_augmentation}, which is a mean over views; boxes of different "
            "views have none. Set it to none."
        )
    fit = {"size": size, "fit": network.fit or "pad"} | (_tiles(network, size) if network.fit == "tile" else {})
    settings = settings.model_copy(update={"network": network.model_copy(update=fit)})
    if settings.strategy == "probe":  # whose recipe may say nothing of loop and augmentation
        return settings
    loop = {
        key: value for key, value in _loop(kind, settings.strategy).items() if key not in settings.loop.model_fields_set
    }
    return settings.model_copy(
        update={"loop": settings.loop.model_copy(update=loop), "augment": augment_settings(settings)}
    )


def _tiles(network: NetworkSettings, size: int) -> dict[str, Any]:
    """How far tiles of `size` overlap and at which scale they show a picture. Raises: SettingsError for ones that cannot go on."""
    overlap = size // _OVERLAP if network.overlap is None else network.overlap
    if 2 * overlap > size:
        raise SettingsError(
            f"network.overlap is {overlap}, more than half of a tile of {size} pixels. Give {size // 2} or less, or larger "
            "tiles by network.size."
        )
    return {"overlap": overlap, "scale": network.scale or 1.0}


def _loop(kind: DetectorKind, strategy: str) -> dict[str, Any]:
    rate = kind.head_learning_rate
    return {
        "batch_size": kind.batch_size,
        "head_learning_rate": rate if strategy == "scratch" or kind.tuned_rate is None else kind.tuned_rate,
        "weight_decay": _WEIGHT_DECAY,
        "average": kind.average,
        "clip": kind.clip,
    }


def augment_settings(settings: TrainSettings) -> AugmentSettings:
    """How training pictures are varied: as told, and where nothing is, as it suits boxes."""
    augment = settings.augment
    told = set() if settings.strategy == "probe" else augment.model_fields_set
    if "preset" in told:
        return augment
    usual = _AUGMENT if settings.network.fit != "tile" else {**_AUGMENT, "zoom": _TILE_ZOOM}
    return augment.model_copy(update={key: value for key, value in usual.items() if key not in told})


def new_detector(settings: TrainSettings, class_count: int, backbone: ReadyBackbone) -> StagedDetector:
    """On a pretrained backbone, with a head from the settings' seed. Raises: BackboneError."""
    preprocessing = squares(backbone.preprocessing, settings)
    body = build_pretrained(
        backbone.name,
        weights=backbone.weights,
        preprocessing=preprocessing,
        class_count=1,
        drop_path=settings.network.drop_path,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        kind = detector_kind(settings.network.detector)
        whole = {} if settings.network.weights is None else {"whole": True}
        network = kind.make(body, class_count=class_count, size=preprocessing.size, **whole)
    if whole:
        fill(network, backbone.weights)
    return network


def pretrained_of(settings: TrainSettings, backbone: ReadyBackbone) -> ReadyBackbone:
    """What a training begins with: `backbone`, or the weights of a whole detector. Raises: BackboneError, StorageError."""
    weights = settings.network.weights
    if weights is None:
        return backbone
    kind = detector_kind(settings.network.detector)
    return whole_weights(kind, weights, folder=cache_folder(), size=settings.network.size or kind.size)


def squares(preprocessing: Preprocessing, settings: TrainSettings) -> Preprocessing:
    """How pictures become a detector's input, by settings that `prefer` has been through."""
    network = settings.network
    size = network.size or detector_kind(network.detector).size
    return fitted(
        replace(preprocessing, size=size),
        network.fit or "pad",
        preprocessing.value_range,
        overlap=network.overlap or 0,
        scale=network.scale or 1.0,
    )


def build_from_scratch(settings: TrainSettings, class_count: int) -> BuiltNetwork[StagedDetector]:
    """The network that the settings describe as a backbone, all weights from their seed. Raises: SettingsError, BackboneError."""
    built = build_network(settings, 1)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        kind = detector_kind(settings.network.detector)
        network = kind.make(built.network, class_count=class_count, size=built.preprocessing.size)
    freeze(network.body, len(network.body.stages))
    network.body.batch_norm_frozen = False  # its statistics are still to be found
    return BuiltNetwork(
        network=network,
        name=built.name,
        preprocessing=built.preprocessing,
        source=built.source,
        license=built.license,
    )


def prepare_finetune(settings: TrainSettings, class_count: int, first: DetectorCandidate) -> Prepared:
    """The first answer's detector, to be trained on with the upper stages. Raises: BackboneError, SettingsError."""
    backbone, kind = first.backbone, detector_kind(settings.network.detector)
    network = new_detector(settings, class_count, first.pretrained)
    network.load_state_dict(read_weights(backbone.weights), strict=True)
    asked = settings.finetune.unfreeze
    # Below stride 8 nothing trains where nothing else is asked for: edges and colours are the same in every picture.
    usual = len(network.body.stages) - network.levels[0].stage - 1
    trained = usual if asked is None else parse_unfreeze(asked, len(network.body.stages))
    freeze(network.body, trained)
    network.body.classifier.requires_grad_(False)
    network.body.batch_norm_frozen = network.batch_norm_frozen = settings.finetune.batch_norm == "frozen"
    augment = resolve(**settings.augment.model_dump())
    size = network.size
    return Prepared(
        strategy="finetune",
        network=network,
        name=backbone.name,
        source=backbone.weights_source,
        license=backbone.weights_license,
        preprocessing=backbone.preprocessing,
        augment=build_augmentation(augment, size=size),
        # By the square root of the batch, as the loop scales it back.
        learning_rate=kind.learning_rate * math.sqrt(_USUAL_BATCH / kind.batch_size),
        epochs=kind.epochs,
        most_epochs=2 * kind.epochs,
        shape=(size, size, 3),
        # Not the first answer's weights: their last digits differ from machine to machine, and checkpoints hold the network.
        facts={"weights": first.pretrained.fingerprint, "trained": trained},
        planned={"unfreeze": str(trained)},
        title="Fine-tuning",
    )

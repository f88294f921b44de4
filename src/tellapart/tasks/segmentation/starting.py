"""A network before it is trained, and what suits it. In: settings, ReadyBackbone. Out: PixelNetwork, Prepared. Next: first.py.

Sides are in pixels: S that of the tiles that are answered, the same as a picture's where that is no larger; that of the crops that
are learned from is S, or half of it where that is large, since what a pixel is shows in less than a whole tile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from tellapart.data.augment import Augment, build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Split
from tellapart.data.targets import MaskFile
from tellapart.errors import SettingsError
from tellapart.features.backbone import ReadyBackbone
from tellapart.models.build import BuiltNetwork
from tellapart.models.freezing import parse_unfreeze
from tellapart.models.weights import read_weights
from tellapart.preprocessing import Preprocessing, fitted
from tellapart.settings.parts import AugmentSettings, NetworkSettings
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.foreign import MASKS, refuse_foreign
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.segmentation.candidates import PixelCandidate
from tellapart.tasks.segmentation.crops import Crops, crops_of
from tellapart.tasks.segmentation.decoders import DEFAULT_DECODER, STRIDE, decoder_kind, make_network
from tellapart.tasks.segmentation.encoder import fill_encoder
from tellapart.tasks.segmentation.learner import check_settings
from tellapart.tasks.segmentation.masks_of import MasksOf
from tellapart.tasks.segmentation.network import SegmentationNetwork
from tellapart.tasks.segmentation.pictures import OpenedPictures
from tellapart.tasks.segmentation.probe_network import LinearProbe, ProbeNetwork, map_widths

_LEAST_TILE, _MOST_TILE = 256, 1024
_LEAST_CROP = 256
_SHARED = 8  # a tile shares at least the eighth part of its side with the next one
_BATCH, _LARGE_BATCH = 8, 4  # crops an update; of crops larger than the least
_USUAL_BATCH = 32  # that a prepared network's rate is told for
# Of the pretrained encoder and of the probe that training goes on from, and of the decoder, which begins at random.
_RATE, _DECODER_RATE = 3e-4, 1e-3
_EPOCHS, _MOST_EPOCHS = 40, 120
_SCRATCH_ENCODER = "tf_efficientnet_lite0"  # where no network is named
PROBE = "probe."  # of the names of a pixel probe's weights
_LOOP: Mapping[str, Any] = {
    "head_learning_rate": _DECODER_RATE,
    "weight_decay": 0.01,
    "average": 0.98,
    "clip": 10.0,
    "label_smoothing": 0.0,
}
_AUGMENT: Mapping[str, Any] = {
    "preset": "none",
    "horizontal_flip": 0.5,
    "rotation": 10.0,
    "zoom": 0.2,
    "brightness": 0.2,
    "contrast": 0.2,
    "saturation": 0.2,
    "elastic": 0.02,
}


def prefer(settings: TrainSettings) -> TrainSettings:
    """The settings with what suits masks where nothing was told. Raises: SettingsError for what none can be made with."""
    refuse_foreign(settings, own=MASKS)
    network = settings.network
    decoder_kind(network.decoder)
    _check(network)
    network = network.model_copy(update={"fit": "tile", "decoder": network.decoder or DEFAULT_DECODER})
    settings = settings.model_copy(update={"network": network})
    if settings.strategy == "probe":  # whose recipe may say nothing of loop and augmentation
        return settings
    augmentation = resolve(**augment_settings(settings).model_dump())
    check_settings(settings.loop.loss, mixup=augmentation.mixup, cutmix=augmentation.cutmix)
    loop = {key: value for key, value in _LOOP.items() if key not in settings.loop.model_fields_set}
    return settings.model_copy(
        update={"loop": settings.loop.model_copy(update=loop), "augment": augment_settings(settings)}
    )


def suit(settings: TrainSettings, dataset: Dataset) -> TrainSettings:
    """The same with tiles that hold the median picture, and batches for them, where nothing was told."""
    network = settings.network
    if network.size is None:
        rows = dataset.rows["train"] if len(dataset.rows["train"]) else slice(None)  # a data set that is in no split
        examples = [dataset.examples[index] for index in dataset.indices[rows].tolist()]
        sides = [max(example.width, example.height) for example in examples]
        size = STRIDE * math.ceil(float(np.median(sides)) / STRIDE)
        network = network.model_copy(update={"size": min(max(size, _LEAST_TILE), _MOST_TILE)})
    if network.overlap is None:
        network = network.model_copy(update={"overlap": (network.size or _LEAST_TILE) // _SHARED})
    settings = settings.model_copy(update={"network": network})
    if settings.strategy == "probe" or settings.loop.batch_size is not None:
        return settings
    loop = settings.loop.model_copy(update={"batch_size": batch_of(network.size)})
    return settings.model_copy(update={"loop": loop})


def batch_of(tile: int | None) -> int:
    """Crops an update, for tiles of that side in pixels."""
    return _BATCH if crop_side(tile or _LEAST_TILE) <= _LEAST_CROP else _LARGE_BATCH


def augment_settings(settings: TrainSettings) -> AugmentSettings:
    """How training pictures are varied: as told, and where nothing is, as it suits masks."""
    augment = settings.augment
    told = set() if settings.strategy == "probe" else augment.model_fields_set
    if "preset" in told:
        return augment
    return augment.model_copy(update={key: value for key, value in _AUGMENT.items() if key not in told})


def turned(augment: AugmentSettings, first: PixelCandidate) -> AugmentSettings:
    """The same, where the first answer found all pictures grey turned and mirrored in all eight ways, unless told otherwise.

    Grey pictures are mostly of microscopes, X-rays and the like; nnU-Net, too, mirrors them along all axes (arXiv 1809.10486).
    """
    told, usual = augment.model_dump(), {"vertical_flip": 0.5, "quarter_turns": True}
    if told["preset"] != "none" or not first.details.get("grey"):
        return augment
    return augment.model_copy(update={key: value for key, value in usual.items() if told[key] is None})


def crop_side(tile: int) -> int:
    """Pixels, the side of the crops that are learned from, for tiles of that side."""
    return min(tile, max(_LEAST_CROP, STRIDE * math.ceil(tile / 2 / STRIDE)))


def tiled(preprocessing: Preprocessing, settings: TrainSettings) -> Preprocessing:
    """How pictures become a network's input, by settings that `suit` has been through."""
    network = settings.network
    whole = replace(preprocessing, size=network.size or _LEAST_TILE)
    return fitted(whole, "tile", preprocessing.value_range, overlap=network.overlap or 0)


def parts_of(
    dataset: Dataset, split: Split, preprocessing: Preprocessing, *, size: int, augment: Augment | None, seed: int
) -> Crops:
    """Crops of `size` pixels of a split's pictures."""
    examples = [dataset.examples[index] for index in dataset.indices[dataset.rows[split]].tolist()]
    targets = tuple(example.target for example in examples if isinstance(example.target, MaskFile))
    opened = OpenedPictures(
        tuple(dataset.pictures[row] for row in dataset.rows[split].tolist()),
        MasksOf(targets, dataset.classes),
        class_count=len(dataset.classes),
        preprocessing=preprocessing,
    )
    sizes = [(example.width, example.height) for example in examples]
    return crops_of(opened, sizes, size=size, augment=augment, seed=seed)


def new_probe(settings: TrainSettings, class_count: int, backbone: ReadyBackbone) -> ProbeNetwork:
    """A pixel probe that knows nothing yet, on a pretrained encoder. Raises: BackboneError."""
    whole: Any = make_network(decoder_kind(DEFAULT_DECODER), backbone.name, class_count=class_count)
    fill_encoder(whole.encoder, backbone.weights, backbone.name)
    return ProbeNetwork(whole.encoder, class_count=class_count, preprocessing=backbone.preprocessing).eval()


def new_network(
    settings: TrainSettings, class_count: int, name: str, preprocessing: Preprocessing
) -> SegmentationNetwork:
    """Encoder and decoder as the settings say, all weights from their seed. Raises: BackboneError, SettingsError."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        whole = make_network(
            decoder_kind(settings.network.decoder),
            name,
            class_count=class_count,
            drop_path=settings.network.drop_path,
        )
    return SegmentationNetwork(whole, class_count=class_count, preprocessing=preprocessing)


def probe_of(first: PixelCandidate, class_count: int, network: SegmentationNetwork) -> LinearProbe:
    """The first answer's classifier, for a network on the same encoder. Raises: BackboneError."""
    probe = LinearProbe(map_widths(network.encoder), class_count=class_count)
    kept = read_weights(first.backbone.weights)
    probe.load_state_dict({name: kept[f"{PROBE}{name}"] for name in probe.state_dict()})
    return probe


def build_from_scratch(settings: TrainSettings, class_count: int) -> BuiltNetwork[SegmentationNetwork]:
    """The network on the encoder that the settings name, all weights from their seed. Raises: SettingsError, BackboneError."""
    name = _SCRATCH_ENCODER if settings.network.name == NetworkSettings().name else settings.network.name
    preprocessing = tiled(Preprocessing(size=_LEAST_TILE), settings)
    network = new_network(settings, class_count, name, preprocessing)
    return BuiltNetwork(
        network=network,
        name=name,
        preprocessing=preprocessing,
        source="random weights",
        license="",
        crop=crop_side(preprocessing.size),
    )


def prepare_finetune(settings: TrainSettings, class_count: int, first: PixelCandidate) -> Prepared:
    """A network on the pretrained encoder that the first answer stands on. Raises: BackboneError, SettingsError."""
    pretrained = first.pretrained
    preprocessing = tiled(pretrained.preprocessing, settings)
    network = new_network(settings, class_count, pretrained.name, preprocessing)
    fill_encoder(network.encoder, pretrained.weights, pretrained.name)
    if decoder_kind(settings.network.decoder).whole_encoder:
        network.begin_with(probe_of(first, class_count, network))
    asked = settings.finetune.unfreeze
    trained = network.stages if asked is None else parse_unfreeze(asked, network.stages)
    network.freeze(trained)
    network.batch_norm_frozen = settings.finetune.batch_norm == "frozen"
    side = crop_side(preprocessing.size)
    augment = turned(settings.augment, first)
    return Prepared(
        strategy="finetune",
        network=network,
        name=pretrained.name,
        source=pretrained.weights_source,
        license=pretrained.weights_license,
        preprocessing=preprocessing,
        augment=build_augmentation(resolve(**augment.model_dump()), size=side),
        # By the square root of the batch, as the loop scales it back.
        learning_rate=_RATE * math.sqrt(_USUAL_BATCH / settings.loop.pictures_at_once),
        epochs=_EPOCHS,
        most_epochs=_MOST_EPOCHS,
        shape=(side, side, 3),
        facts={"weights": pretrained.fingerprint, "trained": trained, "augment": augment.model_dump()},
        planned={"unfreeze": str(trained)},
        title="Fine-tuning",
    )


def _check(network: NetworkSettings) -> None:
    """Raises: SettingsError for sizes and views that no such network takes."""
    if network.size is not None and (network.size % STRIDE or network.size < 2 * STRIDE):
        near = max(2, round(network.size / STRIDE)) * STRIDE
        raise SettingsError(
            f"network.size is {network.size}; masks are made in tiles whose side is a multiple of {STRIDE} pixels, at least "
            f"{2 * STRIDE}. Set it to {near}, for example."
        )
    if network.fit not in (None, "tile"):
        raise SettingsError(
            f"network.fit is {network.fit}; a mask has the pixels of its picture, which is answered in tiles of its own pixels. "
            "Leave it out."
        )
    if network.scale not in (None, 1.0):
        raise SettingsError(
            f"network.scale is {network.scale:g}; a mask has the pixels of its picture, which is answered as large as it is. Leave "
            "it out."
        )
    if 2 * (network.overlap or 0) > (network.size or _LEAST_TILE):
        raise SettingsError(
            f"network.overlap is {network.overlap}, more than half of a tile of {network.size or _LEAST_TILE} pixels. Give less, "
            "or larger tiles by network.size."
        )
    if network.test_time_augmentation != "none":
        raise SettingsError(
            f"network.test_time_augmentation is {network.test_time_augmentation}, which is a mean over views of one answer a "
            "picture. Set it to none."
        )
    if network.channels != 3 or network.dense or network.blocks:
        raise SettingsError(
            "network.channels, network.dense and network.blocks describe classifiers; a network of masks is an encoder of timm "
            "and a decoder. Leave them out; network.name and network.decoder choose these."
        )

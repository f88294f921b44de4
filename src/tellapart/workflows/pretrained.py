"""What a pretrained network says untrained. In: imagenet:NAME. Out: a model's folder. Next: tasks/classification/pretrained.py.

The folder is like a run's as far as predicting, serving and explaining need it: model.onnx and the weights. It lies in the cache
beside the backbone that it is made of.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tellapart.bundle import read_manifest
from tellapart.errors import BackboneUnavailable, ModelFileError, SettingsError
from tellapart.export.assemble import assemble
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.models.catalog import DEFAULT, EMBEDDED, IMAGENET
from tellapart.models.imagenet import Head, class_names, read_head
from tellapart.models.keras_names import timm_name
from tellapart.storage import cache_folder, write_bytes
from tellapart.tasks.classification.pretrained import pretrained_manifest

_FOLDER = "imagenet"


def named_model(model: str) -> Path:
    """The path of a model: of imagenet:NAME a folder that is made the first time, of anything else the path itself.

    Raises: SettingsError without a name; BackboneError, StorageError where it cannot be made.
    """
    if not model.startswith(IMAGENET):
        return Path(model)
    name = model.removeprefix(IMAGENET)
    if not name:
        raise SettingsError(f"{model!r} names no network. Give one of `tellapart models`, such as {IMAGENET}{DEFAULT}.")
    try:
        return _made(timm_name(name))
    except ValueError as error:
        raise SettingsError(f"{error}.") from None


def _made(name: str) -> Path:
    pending = prepare_backbone(name, cache=cache_folder(), weights=None)
    try:
        backbone = pending.wait()
    except BackboneUnavailable as error:  # it speaks of a flag that trainings have
        what = str(error).rpartition("). ")[0]
        raise BackboneUnavailable(
            f"{what}). Name {IMAGENET}{name} once where the network is reached, which keeps it in {cache_folder()}, or one that "
            f"comes with the package: {', '.join(IMAGENET + known for known in EMBEDDED)}."
        ) from None
    names = class_names()
    folder = backbone.network.parent / _FOLDER
    if not _is_whole(folder, names):
        head = _on_whole_embedding(read_head(name), backbone)
        write_bytes(folder / "weights.safetensors", _weights(backbone, head))
        network = assemble(
            backbone.network, weight=head.weight, bias=head.bias, manifest=pretrained_manifest(backbone, names)
        )
        write_bytes(folder / "model.onnx", network)  # last: without it the folder is unfinished
    return folder


def _is_whole(folder: Path, names: tuple[str, ...]) -> bool:
    try:
        return (folder / "weights.safetensors").is_file() and read_manifest(folder).classes == names
    except ModelFileError:
        return False


def _on_whole_embedding(head: Head, backbone: ReadyBackbone) -> Head:
    """The classifier on all numbers of the embedding, of which it looks at the last layer's alone."""
    weight = np.zeros((len(head.weight), backbone.embedding), dtype=np.float32)
    weight[:, sum(backbone.stages) :] = head.weight
    return Head(weight, head.bias)


def _weights(backbone: ReadyBackbone, head: Head) -> bytes:
    import safetensors.numpy

    tensors = safetensors.numpy.load(backbone.weights.read_bytes())
    return safetensors.numpy.save({**tensors, "classifier.weight": head.weight, "classifier.bias": head.bias})

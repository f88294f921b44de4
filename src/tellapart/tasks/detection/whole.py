"""Weights of whole detectors, by name. In: network.weights. Out: ReadyBackbone; a detector filled with them. Next: first.py.

torchvision's detectors were trained on COCO's 80 classes, on a ResNet-50 each. Their files are opened by torch's restricted reader,
which runs no code, and kept as safetensors: the backbone's tensors under timm's names, the detector's own with `detector.` before.
What tells classes apart is left out, since ours are others.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import detection

from tellapart.errors import BackboneError, BackboneUnavailable, SettingsError, one_line
from tellapart.features.backbone import ReadyBackbone
from tellapart.models.weights import check_fit, read_weights
from tellapart.preprocessing import Preprocessing
from tellapart.storage import write_bytes
from tellapart.tasks.detection.detectors import DETECTORS, DetectorKind
from tellapart.tasks.detection.levels import StagedDetector

BACKBONE = "resnet50"  # timm's name of what torchvision's own stand on
OWN = "detector."
_EMBEDDING = 2048  # numbers that this backbone describes a picture by
_TIMEOUT = 10.0  # seconds without an answer
_NORM_EPSILON = 1e-5  # timm's; torchvision's frozen norms were kept with 0
_BODY, _PYRAMID = "backbone.body.", "backbone.fpn."
_OF_CLASSES = ("roi_heads.box_predictor.", "head.classification_head.cls_logits.")

Fetch = Callable[[Any], Mapping[str, Tensor]]  # torchvision's record of weights -> its tensors


def check_weights(kind: DetectorKind, weights: str | None, *, strategy: str) -> None:
    """Raises: SettingsError where there are none of this name, or nothing begins with weights."""
    if weights is None:
        return
    if weights not in kind.weights:
        others = [f"{name} of {other}" for other, one in DETECTORS.items() for name in one.weights]
        raise SettingsError(
            f"network.weights is {weights!r}, which the detector {kind.name} has not; there are {', '.join(others)}. "
            "Leave it out: the backbone has weights of its own."
        )
    if strategy == "scratch":
        raise SettingsError(
            f"network.weights is {weights}, which --strategy scratch does not use. Leave it out, or give --strategy finetune."
        )


def download(record: Any) -> Mapping[str, Tensor]:
    """The tensors of one of torchvision's records of weights, from torch's own cache or the network; nothing in them is run."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        found: Mapping[str, Tensor] = record.get_state_dict(
            progress=False, check_hash=True, weights_only=True, map_location="cpu"
        )
        return found
    finally:
        socket.setdefaulttimeout(before)


def whole_weights(
    kind: DetectorKind, weights: str, *, folder: Path, size: int, fetch: Fetch = download
) -> ReadyBackbone:
    """The weights of this name, kept in `folder`; pictures have `size` pixels. Raises: BackboneUnavailable, BackboneError."""
    record, made = _known(kind)
    path = folder / "detectors" / f"{kind.name}-{weights}-{_digest(str(record.url).encode())[:8]}.safetensors"
    if not _is_whole(path):
        try:
            found = fetch(record)
        # The network library and torch's reader each raise errors of their own here.
        except Exception as error:
            reason = one_line(error, most=160)
            raise BackboneUnavailable(
                f"the weights {weights} of {kind.name} cannot be downloaded ({reason}). Connect to the network, put "
                f"{Path(str(record.url)).name} into {Path(torch.hub.get_dir()) / 'checkpoints'}, or leave network.weights out: the "
                "embedded backbones need no network."
            ) from None
        data = safetensors.torch.save(renamed(_filled(made(), found, path)))
        write_bytes(path, data)
        write_bytes(_beside(path), json.dumps({"sha256": _digest(data)}).encode())
    return ReadyBackbone(
        name=BACKBONE,
        network=path.with_suffix(".onnx"),  # never written: only its folder is asked for
        weights=path,
        preprocessing=Preprocessing(
            size=size, crop=1.0, interpolation="bilinear", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
        ),
        embedding=_EMBEDDING,
        weights_source=f"torchvision, {record}",
        weights_license="BSD-3-Clause, as torchvision",
        fingerprint=_digest(path.read_bytes()),
        reused=True,
        seconds=0.0,
    )


def fill(network: StagedDetector, path: Path, *, classes: bool = False) -> None:
    """Put the detector's own tensors of a file of `whole_weights` into place; with `classes` those that tell classes apart too.

    Raises: BackboneError where they do not fit.
    """
    own = {key: value for key, value in network.state_dict().items() if not key.startswith("body.")}
    wanted = {key: value for key, value in own.items() if classes or not key.startswith(_OF_CLASSES)}
    found = {key.removeprefix(OWN): value for key, value in read_weights(path).items() if key.startswith(OWN)}
    check_fit(wanted, found, path=path, name=network.kind)
    network.load_state_dict({key: found[key] for key in wanted}, strict=False)


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of one of torchvision's detectors under the names of a file of `whole_weights`, [...] as they were."""
    found = {}
    for key, value in state.items():
        if key.startswith(_BODY):
            # timm's norms add 1e-5 to what these were kept without.
            moved = (value - _NORM_EPSILON).clamp(min=0) if key.endswith("running_var") else value
            found[key.removeprefix(_BODY)] = moved.contiguous()
        else:
            name = f"pyramid.{key.removeprefix(_PYRAMID)}" if key.startswith(_PYRAMID) else key
            found[OWN + name] = value.contiguous()
    return found


def _known(kind: DetectorKind) -> tuple[Any, Callable[[], nn.Module]]:
    """torchvision's record of the weights on COCO, and what they fill."""
    empty: dict[str, Any] = {"weights": None, "weights_backbone": None}
    if kind.name == "faster_rcnn":
        return detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1, lambda: detection.fasterrcnn_resnet50_fpn(**empty)
    return detection.RetinaNet_ResNet50_FPN_Weights.COCO_V1, lambda: detection.retinanet_resnet50_fpn(**empty)


def _filled(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """torchvision knows the older names that its files have. Raises: BackboneError for other tensors."""
    try:
        lost, surplus = network.load_state_dict(state, strict=False)
    except RuntimeError as error:  # shapes differ
        lost, surplus = [one_line(error, most=160)], []
    lost = [key for key in lost if not key.endswith("num_batches_tracked")]
    if lost or surplus:
        raise BackboneError(
            f"what was downloaded for {path.name} does not fit torchvision's network: {', '.join([*lost, *surplus][:5])}. "
            "Install the torchvision that tellapart was tested with."
        )
    return network.state_dict()


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _is_whole(path: Path) -> bool:
    """Whether the file is as it was written."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        return bool(json.loads(_beside(path).read_bytes())["sha256"] == _digest(path.read_bytes()))
    return False


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

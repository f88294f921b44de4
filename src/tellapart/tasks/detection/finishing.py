"""A trained detector answers as its model.onnx will. In: StagedDetector. Out: DetectorCandidate. Next: candidates.py."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch

from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing
from tellapart.storage import write_bytes
from tellapart.tasks.detection.candidates import DetectorCandidate
from tellapart.tasks.detection.export import export_places
from tellapart.tasks.detection.levels import StagedDetector
from tellapart.tasks.prepared import Prepared
from tellapart.training.progress import Fitted, how_it_went


def finish(prepared: Prepared, fitted: Fitted, work: Path) -> DetectorCandidate:
    """Write the trained network of `prepared` as ONNX and safetensors into `work`. Raises: BackboneError, StorageError."""
    return close(prepared, work, details=how_it_went(fitted))


def close(prepared: Prepared, folder: Path, *, details: Mapping[str, Any] | None = None) -> DetectorCandidate:
    """What has become of it, its files in the folder; `details` are for metrics.json. Raises: BackboneError, StorageError."""
    return exported(
        prepared.network,
        strategy=prepared.strategy,
        name=prepared.name,
        source=prepared.source,
        weights_license=prepared.license,
        preprocessing=prepared.preprocessing,
        details=details or {},
        folder=folder,
    )


def exported(
    network: Any,
    *,
    strategy: str,
    name: str,
    source: str,
    weights_license: str,
    preprocessing: Preprocessing,
    details: Mapping[str, Any],
    folder: Path,
    pretrained: ReadyBackbone | None = None,
) -> DetectorCandidate:
    """The same for any detector; `pretrained` is what its training began with. Raises: as `finish`; TypeError for no detector."""
    if not isinstance(network, StagedDetector):
        raise TypeError(f"a {type(network).__name__} is no detector")
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    weights = safetensors.torch.save(tensors)
    write_bytes(folder / "weights.safetensors", weights)
    export_places(network, folder / "network.onnx")
    backbone = ReadyBackbone(
        name=name,
        network=folder / "network.onnx",
        weights=folder / "weights.safetensors",
        preprocessing=preprocessing,
        embedding=network.levels[-1].channels,
        weights_source=source,
        weights_license=weights_license,
        fingerprint=hashlib.sha256(weights).hexdigest(),
        reused=False,
        seconds=0.0,
    )
    return DetectorCandidate(strategy=strategy, backbone=backbone, pretrained=pretrained or backbone, details=details)

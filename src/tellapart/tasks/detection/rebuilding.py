"""A finished run's detector, in torch again. In: weights, Manifest, settings. Out: StagedDetector, Reopened. Next: nearness.py.

A pruned one is as small as its weights are: see models/narrow.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tellapart.bundle import Manifest
from tellapart.errors import BackboneError, SettingsError
from tellapart.models.build import stage_network
from tellapart.models.narrow import narrow
from tellapart.models.staged import StagedNetwork
from tellapart.models.weights import create_network, read_weights
from tellapart.runs.network import build_network
from tellapart.settings.loop import LoopSettings
from tellapart.settings.parts import AugmentSettings
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.detection.detectors import DEFAULT_DETECTOR, detector_kind
from tellapart.tasks.detection.levels import StagedDetector
from tellapart.tasks.detection.starting import augment_settings, prefer
from tellapart.tasks.prepared import Reopened, reopened

_BODY = "body.trunk."  # of the names of the backbone's weights


class BelowPyramid(nn.Module):
    """A detector as far as the layers that its pyramid reads the backbone with: above them all levels share their layers."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """[B, F, H, W] of each level, of pictures uint8 [B, S, S, 3]."""
        detector: Any = self.detector
        maps = detector.maps(inputs)
        return [side(one) for side, one in zip(detector.pyramid.sides, maps, strict=True)]


def rebuilt(weights: Path, manifest: Manifest, settings: TrainSettings) -> StagedDetector:
    """The run's detector, filled from `weights` (safetensors), in evaluation mode.

    Raises: BackboneError where the weights are another network's.
    """
    kept, preprocessing = read_weights(weights), manifest.preprocessing.plain()
    if not any(name.startswith(_BODY) for name in kept):
        raise _others(weights, f"it has no tensor {_BODY}*")
    body: StagedNetwork
    if manifest.strategy == "scratch":
        body = build_network(settings, 1).network
        narrow(body.trunk, kept, prefix=_BODY)
    else:
        trunk = create_network(manifest.backbone.name, num_classes=0)
        narrow(trunk, kept, prefix=_BODY)
        body = stage_network(trunk, name=manifest.backbone.name, preprocessing=preprocessing, class_count=1)
    kind = detector_kind(settings.network.detector)
    whole = {} if settings.network.weights is None else {"whole": True}
    network: Any = kind.make(body, class_count=len(manifest.classes), size=preprocessing.size, **whole)
    narrow(network, kept)
    try:
        network.load_state_dict(kept)
    except RuntimeError as error:
        raise _others(weights, str(error).splitlines()[0]) from None
    made: StagedDetector = network.eval()
    return made


def _others(weights: Path, reason: str) -> BackboneError:
    return BackboneError(f"{weights} does not hold the weights of this detector ({reason}). Copy the whole run again.")


def again(weights: Path, manifest: Manifest, settings: TrainSettings) -> Reopened:
    """The same, ready to be trained on, all of it; batch norms keep their statistics, since a few pictures have others.

    Raises: SettingsError for a detector that learns from its true boxes inside itself; BackboneError.
    """
    kind = settings.network.detector or DEFAULT_DETECTOR
    if kind != DEFAULT_DETECTOR:
        raise SettingsError(
            f"the detector {kind} works its loss out inside itself, where nobody hears what it says; only the detector "
            f"{DEFAULT_DETECTOR} can be pruned or taught. Use --int8, or train that one."
        )
    network = rebuilt(weights, manifest, settings)
    network.body.batch_norm_frozen = network.batch_norm_frozen = True
    network.body.frozen = 0
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    network.body.classifier.requires_grad_(False)
    trained = trained_by(settings)

    prepared = reopened(network, manifest, augment_settings(trained), side=network.size)
    sides = [f"pyramid.sides.{number}.0" for number in range(len(network.levels))]
    return Reopened(prepared=prepared, settings=trained, traced=BelowPyramid, whole=tuple(sides))


def trained_by(settings: TrainSettings) -> TrainSettings:
    """By what a run trains; of one whose backbone was never trained, whose own settings are not looked at, what is usual."""
    if settings.strategy != "probe":
        return settings
    usual = {"strategy": "finetune", "loop": LoopSettings(), "augment": AugmentSettings()}
    return prefer(settings.model_copy(update=usual))

"""A finished run's network, in torch again. In: weights, Manifest, settings. Out: PixelNetwork, Reopened. Next: region_heat.py.

A pruned one is as small as its weights are: see models/narrow.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from tellapart.bundle import Manifest
from tellapart.errors import BackboneError
from tellapart.models.narrow import narrow
from tellapart.models.trainable import NamedParameters, only_trained
from tellapart.models.weights import read_weights
from tellapart.settings.loop import LoopSettings
from tellapart.settings.parts import AugmentSettings
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.prepared import Reopened, reopened
from tellapart.tasks.segmentation.decoders import DEFAULT_DECODER, decoder_kind, make_network
from tellapart.tasks.segmentation.network import PixelNetwork
from tellapart.tasks.segmentation.probe_network import LinearProbe, ProbeNetwork, map_widths
from tellapart.tasks.segmentation.starting import (
    PROBE,
    augment_settings,
    batch_of,
    crop_side,
    new_network,
    prefer,
)


class LearningProbe(ProbeNetwork):
    """A pixel probe that trains on, encoder and all; the encoder's batch norms keep their statistics."""

    def train(self, mode: bool = True) -> LearningProbe:
        """As torch does, but for the batch norms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.training = False
        return self

    def layer_groups(self) -> list[NamedParameters]:
        """The encoder, and the probe."""
        named = list(self.named_parameters())
        groups = [[one for one in named if one[0].startswith(PROBE) is probe] for probe in (False, True)]
        return only_trained(groups)


def rebuilt(weights: Path, manifest: Manifest, settings: TrainSettings) -> PixelNetwork:
    """The run's network in torch, in evaluation mode. Raises: BackboneError where the weights do not fit, SettingsError."""
    count, preprocessing = len(manifest.classes), manifest.preprocessing.plain()
    kept = read_weights(weights)
    network: PixelNetwork
    if manifest.strategy == "probe":
        whole: Any = make_network(decoder_kind(DEFAULT_DECODER), manifest.backbone.name, class_count=count)
        narrow(whole.encoder, kept, prefix="encoder.")
        network = LearningProbe(whole.encoder, class_count=count, preprocessing=preprocessing)
    else:
        network = trained = new_network(settings, count, manifest.backbone.name, preprocessing)
        narrow(trained.encoder, kept, prefix="encoder.")
        if any(name.startswith(PROBE) for name in kept):  # that its training began with
            trained.begin_with(LinearProbe(map_widths(trained.encoder), class_count=count))
    narrow(network, kept)
    try:
        network.load_state_dict(kept)
    except RuntimeError as error:
        raise BackboneError(
            f"{weights} does not hold the weights of this model ({str(error).splitlines()[0]}). Copy the whole run again."
        ) from None
    return network.eval()


def again(weights: Path, manifest: Manifest, settings: TrainSettings) -> Reopened:
    """The same, ready to be trained on, all of it; the encoder's batch norms keep their statistics. Raises: as `rebuilt`."""
    network: Any = rebuilt(weights, manifest, settings)
    for parameter in network.parameters():
        parameter.requires_grad_(True)
    network.batch_norm_frozen = True
    trained = trained_by(settings)
    side = crop_side(manifest.preprocessing.size)
    prepared = reopened(network, manifest, augment_settings(trained), side=side)
    return Reopened(prepared=prepared, settings=trained)


def trained_by(settings: TrainSettings) -> TrainSettings:
    """By what a run trains; of one whose encoder was never trained, whose own settings are not looked at, what is usual."""
    if settings.strategy != "probe":
        return settings
    usual = {"strategy": "finetune", "loop": LoopSettings(), "augment": AugmentSettings()}
    found = prefer(settings.model_copy(update=usual))
    loop = found.loop.model_copy(update={"batch_size": batch_of(found.network.size)})
    return found.model_copy(update={"loop": loop})

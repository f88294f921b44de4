"""A run's network in torch again. In: the run's folder. Out: StagedNetwork. Next: explanation/files.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from tellapart.bundle import Manifest
from tellapart.models.blocks import Block, Dense, dense_layers
from tellapart.models.build import BuiltNetwork, build_pretrained, load_network_state, sketch_pretrained
from tellapart.models.freezing import freeze
from tellapart.models.narrow import narrow
from tellapart.models.scaffold import give_single_output
from tellapart.models.scratch import build_scratch
from tellapart.models.staged import StagedNetwork
from tellapart.models.weights import read_weights
from tellapart.settings.tree import TrainSettings

# The network of `--strategy scratch` where no blocks are described: 3 x 3 convolutions, twice the filters a halving.
BLOCKS = tuple(Block(filters=filters) for filters in (32, 64, 128, 256))
# Of `--network dense`: one dense layer on all pixels, as first tutorials have it.
DENSE = (Dense(units=128, dropout=0.2),)


def build_network(settings: TrainSettings, class_count: int) -> BuiltNetwork[StagedNetwork]:
    """The network that the settings describe, with weights from their seed. Raises: SettingsError."""
    network = settings.network
    own = tuple(Block(**block.model_dump()) for block in network.blocks)
    dense = tuple(Dense(**layer.model_dump()) for layer in network.dense)
    built = build_scratch(
        network.name,
        class_count=class_count,
        seed=settings.seed,
        blocks=own or (BLOCKS if network.name == "blocks" else ()),
        dense=dense or (DENSE if network.name == "dense" else ()),
        size=network.size,
        channels=network.channels,
        dropout=network.dropout,
        drop_path=network.drop_path,
        pooling=network.pooling,
    )
    freeze(built.network, len(built.network.stages))
    return built


def sketch(settings: TrainSettings, class_count: int) -> StagedNetwork:
    """The network that a training with these settings would train, without numbers: on the device `meta`, no weights are asked for.

    Raises: SettingsError, BackboneError for one that cannot be.
    """
    told = settings.network
    with torch.device("meta"):
        if settings.strategy == "scratch":
            network = build_network(settings, class_count).network
        else:
            network = sketch_pretrained(
                settings.backbone,
                class_count=class_count,
                size=told.size,
                dropout=told.dropout or 0.0,
                drop_path=told.drop_path,
                pooling=told.pooling or "own",
            )
            if told.dense:
                dense = [Dense(**layer.model_dump()) for layer in told.dense]
                network.add_dense(dense_layers(dense, width=network.embedding), embedding=dense[-1].units)
        if told.output == "sigmoid":
            give_single_output(network)
    return network


def rebuild_network(weights: Path, manifest: Manifest, settings: Callable[[], TrainSettings]) -> StagedNetwork:
    """The network that `manifest` tells of, filled from `weights` (safetensors), in evaluation mode.

    `settings` gives those of the training, where the manifest is not enough to build it. Raises: what `settings` raises;
    BackboneError when the weights do not fit.
    """
    pruned = manifest.compression is not None and manifest.compression.pruned
    if manifest.strategy == "scratch":
        network = build_network(settings(), len(manifest.classes)).network
        state = read_weights(weights)
        if pruned:
            narrow(network.trunk, state)
        load_network_state(network, state)
        return network.eval()
    network = build_pretrained(
        manifest.backbone.name,
        weights=weights,
        preprocessing=manifest.preprocessing.plain(),
        class_count=len(manifest.classes),
        joined=bool(manifest.backbone.stages),
        pruned=pruned,
        pooling=manifest.backbone.pooling,
    )
    state = read_weights(weights)
    if any(name.startswith("dense.") for name in state):
        dense = [Dense(**layer.model_dump()) for layer in settings().network.dense]
        network.add_dense(dense_layers(dense, width=network.embedding), embedding=dense[-1].units)
        load_network_state(network, state)
    return network.eval()

"""A run's network in torch, and back again. In: Compressible. Out: StagedNetwork; Compressible. Next: taught.py."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Literal, cast

import numpy as np
import safetensors.torch

from tellapart.compression.cutting import cut_network
from tellapart.errors import SettingsError
from tellapart.evaluation.choosing import LinearCandidate
from tellapart.manifest import CompressionStep
from tellapart.models.build import network_state
from tellapart.models.freezing import freeze, parse_unfreeze
from tellapart.models.staged import StagedNetwork
from tellapart.models.tracing import export_embedding
from tellapart.records import TaskRecord
from tellapart.storage import write_bytes
from tellapart.tasks.prepared import Prepared
from tellapart.training.distilling import Ending
from tellapart.workflows.compressing.compressible import Compressible

HEARD = "dropout"  # the module of a StagedNetwork that is given the embedding


def ending_of(record: TaskRecord) -> Ending:
    """How a task's logits become what it says, as its record tells."""
    endings: dict[str, Ending] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
    return endings.get(record.ending[-1].operator, "plain")


def open_network(work: Compressible) -> StagedNetwork:
    """The network in torch, all of it to be trained but for what follows the embedding.

    Batch norms of a frozen network keep their statistics: its embedding rests on them; of others they are as the run says.
    Raises: SettingsError for a task whose network is no classifier on an embedding, or one that is in integers by now;
    ModelFileError, BackboneError.
    """
    if work.task.head is not None:
        raise SettingsError(
            f"the task {work.task.name} has a network of its own; only classifiers on an embedding can be pruned or taught so "
            "far. Use --int8, or train a smaller backbone."
        )
    if any(step.kind in ("int8", "float16") for step in work.steps):
        raise ValueError("a network that is in integers or halves cannot be trained; do that last")
    network = work.run.network
    freeze(network, len(network.stages))
    for layers in (network.dense, network.classifier):
        layers.requires_grad_(False)
    network.batch_norm_frozen = norms_stay(work.run.manifest.strategy, work.run.settings.finetune.batch_norm)
    return network


def keep_frozen(work: Compressible, network: StagedNetwork) -> None:
    """Leave the stages as they are that a fine-tuning left so: it is shorter, and they are those of the pretrained network."""
    settings = work.run.settings
    if work.run.manifest.strategy == "finetune" and settings.finetune.unfreeze is not None:
        freeze(network, parse_unfreeze(settings.finetune.unfreeze, len(network.stages)))


def norms_stay(strategy: str, batch_norm: str) -> bool:
    """Whether batch norms keep their statistics while a network learns on: as in the training that made it, if there was one.

    `batch_norm` is the run's `finetune.batch_norm`, train or frozen.
    """
    return strategy == "probe" or (strategy == "finetune" and batch_norm == "frozen")


def prepared(work: Compressible, network: StagedNetwork, *, learning_rate: float, epochs: int) -> Prepared:
    """The network as one that is ready to be trained; its pictures are varied as the run says."""
    from tellapart.data.augment import build_augmentation
    from tellapart.data.augmentation import resolve

    settings, told, size = work.run.settings, work.run.manifest.backbone, work.run.preprocessing.size
    return Prepared(
        strategy=cast(Literal["probe", "finetune", "scratch"], work.run.manifest.strategy),
        network=network,
        name=told.name,
        source=told.weights_source,
        license=told.weights_license,
        preprocessing=work.run.preprocessing,
        augment=build_augmentation(resolve(**settings.augment.model_dump()), size=size),
        learning_rate=learning_rate,
        epochs=epochs,
        most_epochs=epochs,
        shape=(size, size, 3),
    )


def close_network(
    work: Compressible, network: StagedNetwork, step: CompressionStep, *, one_view: bool = False
) -> Compressible:
    """The trained network as one that is judged and exported; with `one_view` it looks at a picture once, whatever the run does.

    Raises: BackboneError, StorageError.
    """
    backbone = work.candidate.backbone
    views = "none" if one_view else backbone.test_time_augmentation
    tensors = {key: value.detach().cpu().contiguous() for key, value in network_state(network).items()}
    data = safetensors.torch.save(tensors, metadata={"backbone": backbone.name})
    number = len(work.steps)
    weights, graph = work.work / f"taught-{number}.safetensors", work.work / f"taught-{number}.onnx"
    write_bytes(weights, data)
    export_embedding(network.eval(), size=work.run.preprocessing.size, path=graph, views=views)
    weight, bias = (tensors[f"classifier.{name}"].numpy().astype(np.float32) for name in ("weight", "bias"))
    made = replace(
        backbone, weights=weights, fingerprint=hashlib.sha256(data).hexdigest(), test_time_augmentation=views
    )
    changed = replace(
        work, candidate=replace(cast(LinearCandidate, work.candidate), backbone=made, weight=weight, bias=bias)
    )
    folded = cut_network(graph.read_bytes(), work.task.ends, work.sample, source="the trained network")
    return changed.with_network(folded, step, weights=weights)

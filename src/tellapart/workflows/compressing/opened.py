"""A run's network in torch, and back again. In: Compressible. Out: LearnableNetwork; Compressible. Next: taught.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import safetensors.torch
from torch import Tensor, nn

from tellapart.compression.cutting import cut_network
from tellapart.errors import ModelFileError
from tellapart.evaluation.choosing import LinearCandidate
from tellapart.manifest import CompressionStep
from tellapart.models.build import load_network_state, network_state
from tellapart.models.freezing import freeze, parse_unfreeze
from tellapart.models.narrow import narrow
from tellapart.models.staged import StagedNetwork
from tellapart.models.tracing import export_embedding
from tellapart.models.trainable import Trainable
from tellapart.records import TaskRecord
from tellapart.settings.tree import TrainSettings
from tellapart.storage import write_bytes
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.task import LearnedHead
from tellapart.training.distilling import Distance, Ending
from tellapart.workflows.compressing.compressible import Compressible

HEARD = "dropout"  # the module of a StagedNetwork that is given the embedding


def ending_of(record: TaskRecord) -> Ending:
    """How a task's logits become what it says, as its record tells."""
    endings: dict[str, Ending] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
    return endings.get(record.ending[-1].operator, "plain")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearnableNetwork:
    """A run's network in torch, ready to learn on."""

    network: Trainable
    prepared: Prepared
    settings: TrainSettings  # that it is trained by
    ending: Ending
    heard: str | None = None  # the module that is given the embedding; None: there is none to hear
    distance: Distance | None = None  # of its outputs from a teacher's; None: the usual one
    whole: tuple[str, ...] = ()  # layers that must read all their channels when it is pruned
    traced: Callable[[nn.Module], nn.Module] | None = None  # what runs the part of it in which channels may go

    @property
    def staged(self) -> StagedNetwork:
        """The network of a task whose decision is linear on an embedding. Raises: TypeError for another."""
        if not isinstance(self.network, StagedNetwork):
            raise TypeError(f"a {type(self.network).__name__} has no stages")
        return self.network


def open_network(work: Compressible) -> LearnableNetwork:
    """The network in torch, all of it to be trained but for a linear decision behind an embedding.

    Batch norms of a frozen network keep their statistics: its embedding rests on them; of others they are as the run says.
    Raises: SettingsError for a task's network that cannot learn from another; ModelFileError, BackboneError.
    """
    if any(step.kind in ("int8", "float16") for step in work.steps):
        raise ValueError("a network that is in integers or halves cannot be trained; do that last")
    run = work.run
    ending = ending_of(run.manifest.record)
    if work.task.head is None:
        network = run.network
        freeze(network, len(network.stages))
        for layers in (network.dense, network.classifier):
            layers.requires_grad_(False)
        network.batch_norm_frozen = norms_stay(run.manifest.strategy, run.settings.finetune.batch_norm)
        dense = ("dense",) if len(list(network.dense.modules())) > 1 else ()
        return LearnableNetwork(
            network=network,
            prepared=prepared(work, network, learning_rate=1.0, epochs=1),
            settings=run.settings,
            ending=ending,
            heard=HEARD,
            whole=(*dense, "classifier"),
        )
    weights = work.candidate.backbone.weights
    if not weights.is_file():
        raise ModelFileError(
            f"{weights} is not there, and a network learns on from its weights. Give the run's folder with all its files."
        )
    head = work.task.head
    found = head.again(weights, run.manifest, run.settings)
    return LearnableNetwork(
        network=found.prepared.network,
        prepared=found.prepared,
        settings=found.settings,
        ending=ending,
        distance=head.distance and head.distance(),
        whole=found.whole,
        traced=found.traced,
    )


def tensors_of(network: Trainable) -> dict[str, Tensor]:
    """Its tensors under the names of a run's weights.safetensors; no copies."""
    return network_state(network) if isinstance(network, StagedNetwork) else network.state_dict()


def fill(network: Trainable, state: Mapping[str, Tensor]) -> None:
    """Make it as small as such tensors, and fill it with them. Raises: BackboneError where they are another network's."""
    if isinstance(network, StagedNetwork):
        narrow(network.trunk, state)
        load_network_state(network, state)
    else:
        narrow(network, state)
        network.load_state_dict(dict(state))


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
    work: Compressible, opened: LearnableNetwork, step: CompressionStep, *, one_view: bool = False
) -> Compressible:
    """The trained network as one that is judged and exported; with `one_view` it looks at a picture once, whatever the run does.

    Raises: BackboneError, StorageError.
    """
    if work.task.head is not None:
        return _closed_head(work, opened, work.task.head, step)
    network = opened.staged
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


def _closed_head(
    work: Compressible, opened: LearnableNetwork, head: LearnedHead, step: CompressionStep
) -> Compressible:
    """The network of a task with a head of its own, built again from its tensors, so that it is known that they are enough."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors_of(opened.network).items()}
    folder = work.work / f"taught-{len(work.steps)}"
    folder.mkdir(exist_ok=True)
    weights = folder / "tensors.safetensors"
    write_bytes(weights, safetensors.torch.save(tensors))
    built = head.again(weights, work.run.manifest, work.run.settings)
    made = head.close(built.prepared, folder).backbone
    now = replace(work.candidate.backbone, weights=made.weights, fingerprint=made.fingerprint, embedding=made.embedding)
    candidate: Any = work.candidate  # a dataclass, whatever its task
    changed = replace(work, candidate=replace(candidate, backbone=now))
    folded = cut_network(made.network.read_bytes(), work.task.ends, work.sample, source="the trained network")
    return changed.with_network(folded, step, weights=made.weights)

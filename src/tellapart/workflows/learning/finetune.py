"""The upper stages of a pretrained network, which go on from the probe. In: the probe, settings. Out: Prepared. Next: gradient.py.

Linear probe first, then fine-tuning from it: Kumar et al. 2022, arXiv 2202.10054. The frozen stages run once a view;
what they give is cached, and training costs only the stages that train.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import torch

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.errors import ModelFileError, SettingsError
from tellapart.evaluation.choosing import LinearCandidate
from tellapart.models.blocks import Dense, dense_layers
from tellapart.models.build import build_pretrained
from tellapart.models.freezing import unfreeze
from tellapart.models.scaffold import give_single_output, seeded
from tellapart.models.staged import StagedNetwork
from tellapart.models.tracing import export_lower
from tellapart.runtime import Session
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.prepared import Prepared
from tellapart.training.planning import TooShort
from tellapart.workflows.learning.session import TrainingSession

UNFREEZE = "half"  # of the stages, where nothing else is asked for
LEARNING_RATES = {"adamw": 4e-4, "adam": 4e-4, "sgd": 1e-2, "rmsprop": 1e-4, "adagrad": 4e-3, "adadelta": 0.3}
EPOCHS = 20  # at most, where none are given
# Dropping parts of an embedding undoes the probe, whose weights rest on all of it: the loss starts three times as high.
DROPOUT = 0.0


def prepare_finetune(session: TrainingSession, probe: LinearCandidate) -> Prepared:
    """The network with the probe as its classifier, frozen where nothing trains. Raises: BackboneError, SettingsError."""
    with session.reporter.step("Preparing the network", 1) as advance:
        prepared = _prepare(session, probe)
        advance(1)
    return prepared


def too_short(found: TooShort) -> str:
    """Why there is no fine-tuned network, in a sentence."""
    if not found.seconds:
        return "Not fine-tuned: the budget ended before the first epoch did. Give a longer --budget."
    return (
        f"Not fine-tuned: one epoch would take about {found.seconds:.0f} s, and {max(0.0, found.left):.0f} s of the budget are "
        "left. Give a longer --budget, or unfreeze fewer stages."
    )


def _prepare(session: TrainingSession, probe: LinearCandidate) -> Prepared:
    """Build, start the classifier as the probe, freeze, and export what is frozen (once a backbone and cut)."""
    settings, backbone = session.run.settings, probe.backbone
    network = _network(settings, probe)
    trained = unfreeze(network, settings.finetune.unfreeze or UNFREEZE)
    network.batch_norm_frozen = settings.finetune.batch_norm == "frozen"
    size, start, lower = backbone.preprocessing.size, len(network.stages) - trained, None
    shape: tuple[int, ...] = (size, size, 3)
    if start == 0 or not is_cached(settings, session.join().device.type):
        start = 0
    else:
        lower, shape = lower_stages(network, start, size, backbone.network.parent)
    augment = build_augmentation(resolve(**settings.augment.model_dump()), size=size)
    _check_mixing(augment.augmentation.cutmix, backbone.name, start, shape)
    return Prepared(
        strategy="finetune",
        network=network,
        name=backbone.name,
        source=backbone.weights_source,
        license=backbone.weights_license,
        preprocessing=backbone.preprocessing,
        augment=augment,
        learning_rate=LEARNING_RATES[settings.loop.optimizer],
        epochs=EPOCHS,
        most_epochs=EPOCHS,
        views=settings.finetune.views,
        start=start,
        lower=lower,
        shape=shape,
        # Not the probe's weights: their last digits differ from machine to machine, and checkpoints hold the classifier.
        facts={"weights": backbone.fingerprint, "start": start, "trained": trained} | still(network),
        planned={"unfreeze": settings.finetune.unfreeze if network.still else str(trained)},
        title="Fine-tuning",
    )


def still(network: StagedNetwork) -> dict[str, Any]:
    """The frozen layers of stages that train, as a fact that the result depends on; none where whole stages train."""
    return {"still": network.still} if network.still else {}


def check_unfreeze(settings: TrainSettings) -> None:
    """Whether the pretrained network has what is to train, before anything is computed. Raises: SettingsError, BackboneError."""
    from tellapart.runs.network import sketch

    asked = settings.finetune.unfreeze
    if asked is not None:
        unfreeze(sketch(settings, 2), asked)


def _network(settings: TrainSettings, probe: LinearCandidate) -> StagedNetwork:
    """The pretrained network, with the probe as its classifier."""
    backbone, dropout = probe.backbone, settings.network.dropout
    network = build_pretrained(
        backbone.name,
        weights=backbone.weights,
        preprocessing=backbone.preprocessing,
        class_count=len(probe.bias),
        dropout=DROPOUT if dropout is None else dropout,
        drop_path=settings.network.drop_path,
        pooling=backbone.pooling,
    )
    if settings.network.dense:
        _add_dense(network, settings)
    elif settings.finetune.head == "random":
        with seeded(settings.seed):  # as Keras' Dense begins: Glorot and Bengio 2010
            torch.nn.init.xavier_uniform_(network.classifier.weight)
            torch.nn.init.zeros_(network.classifier.bias)
    else:
        with torch.no_grad():
            network.classifier.weight.copy_(torch.from_numpy(probe.weight))
            network.classifier.bias.copy_(torch.from_numpy(probe.bias))
    if settings.network.output == "sigmoid":
        give_single_output(network)
    return network


def is_cached(settings: TrainSettings, device: str) -> bool:
    """Whether views are kept: a GPU runs the frozen stages quicker than this machine's cores would fill a cache."""
    views = settings.finetune.views
    return (views is None and device == "cpu") or bool(views)


def lower_stages(network: StagedNetwork, start: int, size: int, folder: Path) -> tuple[Path, tuple[int, ...]]:
    """The stages below `start` as ONNX, kept beside the backbone's, and the shape that they give."""
    below = hashlib.sha256(repr(network.stages[:start]).encode()).hexdigest()[:8]
    path = folder / f"lower-{start}-{below}.onnx"
    if path.exists():
        with contextlib.suppress(ModelFileError):  # damaged: it is exported again
            shape = Session(path, source=f"the frozen stages in {path}").outputs["activations"][1:]
            if all(isinstance(side, int) for side in shape):
                return path, shape
    return path, export_lower(network, stop=start, size=size, path=path)


def _check_mixing(cutmix: float, name: str, start: int, shape: tuple[int, ...]) -> None:
    """Cutmix cuts rectangles out of maps; a transformer's stages give no maps. Raises: SettingsError."""
    if start and cutmix and len(shape) != 3:
        raise SettingsError(
            f"augment.cutmix is {cutmix}, but the frozen stages of {name} give no maps that could be cut. "
            "Set it to 0, or finetune.views to 0."
        )


def _add_dense(network: StagedNetwork, settings: TrainSettings) -> None:
    """Dense layers before the classifier begin at random, a function of the seed; the probe knows nothing of them."""
    dense = [Dense(**layer.model_dump()) for layer in settings.network.dense]
    with seeded(settings.seed):
        network.add_dense(dense_layers(dense, width=network.embedding), embedding=dense[-1].units)

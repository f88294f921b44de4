"""A network that goes on from a finished run. In: settings, its run. Out: Prepared. Next: gradient.py.

The classifier and all layers begin where that run left them; `--unfreeze` says which of them train now.
"""

from __future__ import annotations

import hashlib

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.dataset import Dataset
from tellapart.errors import SettingsError
from tellapart.models.freezing import unfreeze
from tellapart.models.scaffold import give_single_output
from tellapart.runs.base import check_unseen, open_base
from tellapart.runs.network import rebuild_network
from tellapart.runs.open import WEIGHTS
from tellapart.runs.run import WORK
from tellapart.storage import own_folder
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.task import Task
from tellapart.workflows.learning.finetune import EPOCHS, LEARNING_RATES, UNFREEZE, is_cached, lower_stages, still
from tellapart.workflows.learning.session import TrainingSession


def prepare_further(session: TrainingSession, task: Task, dataset: Dataset) -> Prepared:
    """The run's network, frozen where nothing trains. Raises: SettingsError, DataError, BackboneError."""
    settings = session.run.settings
    if task.head is not None or task.direct is not None:
        raise SettingsError(
            f"--from {settings.base} is for pictures with classes; the task here is {task.name}. Leave it out."
        )
    opened = open_base(settings, task.name, dataset.classes)
    check_unseen(opened, dataset.examples, task.kind)
    manifest, told = opened.manifest, settings.network
    with session.reporter.step("Preparing the network", 1) as advance:
        weights = opened.folder / WEIGHTS
        network = rebuild_network(weights, manifest, lambda: opened.settings)
        network.dropout.p = network.dropout.p if told.dropout is None else told.dropout
        trained = unfreeze(network, settings.finetune.unfreeze or UNFREEZE)
        network.batch_norm_frozen = settings.finetune.batch_norm == "frozen"
        if told.output == "sigmoid":
            give_single_output(network)
        preprocessing = opened.preprocessing
        size, start, lower = preprocessing.size, len(network.stages) - trained, None
        shape: tuple[int, ...] = (size, size, 3)
        if start == 0 or manifest.strategy == "scratch" or not is_cached(settings, session.join().device.type):
            start = 0
        else:
            folder = session.run.folder / WORK
            own_folder(folder)
            lower, shape = lower_stages(network, start, size, folder)
        advance(1)
    return Prepared(
        strategy="scratch" if manifest.strategy == "scratch" else "finetune",
        network=network,
        name=manifest.backbone.name,
        source=manifest.backbone.weights_source,
        license=manifest.backbone.weights_license,
        preprocessing=preprocessing,
        augment=build_augmentation(resolve(**settings.augment.model_dump()), size=size),
        learning_rate=LEARNING_RATES[settings.loop.optimizer],
        epochs=EPOCHS,
        most_epochs=EPOCHS,
        views=settings.finetune.views,
        start=start,
        lower=lower,
        shape=shape,
        facts={"weights": hashlib.sha256(weights.read_bytes()).hexdigest(), "start": start, "trained": trained}
        | still(network),
        planned={"unfreeze": settings.finetune.unfreeze if network.still else str(trained)},
        title="Training on",
    )

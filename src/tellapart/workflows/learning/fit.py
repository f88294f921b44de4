"""How pictures that are not square fit into a network. In: settings, Dataset. Out: ReadyBackbone. Next: strategies.py.

A crop of the middle shows things larger; squashed, a picture is whole. Which is better the training pictures tell, by
cross-validation of the classifier on the frozen network.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.data.shapes import MANY_ELONGATED, share_elongated
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.embedding import Embedded, embed_pictures
from tellapart.preprocessing import Fit, fitted
from tellapart.runs.run import keep_pixels
from tellapart.tasks.task import Task
from tellapart.workflows.learning.session import TrainingSession

_TRIED: tuple[Fit, ...] = ("crop", "squash")


def choose_fit(session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone) -> ReadyBackbone:
    """The backbone for pictures that fit as the settings say, or as training pictures prefer; the run's recipe keeps which.

    Raises: DataError, StorageError.
    """
    fit = session.run.settings.network.fit or _found(session, task, dataset, backbone)
    keep_fit(session, fit)
    return _with(backbone, fit, session)


def keep_fit(session: TrainingSession, fit: Fit) -> None:
    """Let the run's recipe say how pictures fit and by which range they are read: repeated, it asks nothing again."""
    session.run = keep_pixels(session.run, fit=fit, value_range=session.span)


def _with(backbone: ReadyBackbone, fit: Fit, session: TrainingSession) -> ReadyBackbone:
    return replace(backbone, preprocessing=fitted(backbone.preprocessing, fit, session.span))


def _found(session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone) -> Fit:
    settings, train = session.run.settings, dataset.rows["train"]
    examples = [dataset.examples[index] for index in dataset.indices[train].tolist()]
    share = share_elongated([(example.width, example.height) for example in examples])
    if settings.strategy != "auto" or settings.network.crop is not None or share <= MANY_ELONGATED:
        return "crop"
    losses = {fit: _loss(session, task, dataset, _with(backbone, fit, session), fit) for fit in _TRIED}
    if any(loss is None for loss in losses.values()):
        return "crop"
    best = min(_TRIED, key=lambda fit: losses[fit] or 0.0)
    told = {"crop": "cropped to the middle", "squash": "squashed to a square, whole"}
    session.reporter.say(
        f"{100 * share:.0f} % of the training pictures are longer than 3:2. By cross-validation they are better {told[best]}: "
        f"log loss {losses['crop']:.3f} cropped, {losses['squash']:.3f} squashed. "
        "--set network.fit=crop, pad or squash says otherwise."
    )
    session.run.log("fit", chosen=best, losses=losses)
    return best


def _loss(session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone, fit: Fit) -> float | None:
    """The log loss of the cross-validation over the training pictures; None where the task has none, or a picture fails."""
    if task.quick is None:
        return None
    train = dataset.rows["train"]
    features = embed_pictures(
        [dataset.pictures[row] for row in train],
        backbone,
        session.device,
        session.cache,
        session.reporter,
        title=f"Trying the fit {fit}",
    )
    if features.problems:
        return None
    vectors = np.zeros((len(dataset.pictures), backbone.embedding), dtype=np.float32)
    vectors[train] = features.vectors
    embedded = Embedded(backbone=backbone, vectors=vectors, computed=0, reused=features.reused, seconds=0.0, pace=None)
    details = task.quick(session.run.settings, dataset, embedded).details
    return min((float(trial["log_loss"]) for trial in details.get("trials", ())), default=None)

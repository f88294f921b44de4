"""How pictures that are not square fit into a network. In: settings, Dataset. Out: ReadyBackbone. Next: start.py.

A crop of the middle shows things larger; squashed, a picture is whole. Which is better the training pictures tell, by
cross-validation of the classifier on the frozen network.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.shapes import MANY_ELONGATED, share_elongated
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.embedding import embed_some
from tellapart.preprocessing import Fit, fitted
from tellapart.runs.run import keep_pixels
from tellapart.tasks.task import Task
from tellapart.workflows.learning.session import TrainingSession

_TRIED: tuple[Fit, ...] = ("crop", "squash")
# Training pictures that are tried, drawn by content, or so many a class where that is more: enough to see what matters, and
# what squashed pictures cost is mostly for nothing.
_MOST, _MOST_A_CLASS = 400, 10
_WORTH = 0.02  # nats that squashing must gain; less is noise in a few hundred pictures
_NOTHING_TO_GAIN = 2 * _WORTH  # nats that cropping loses at most where squashing is not even tried
_KIND = "fit"  # of what the cache keeps: the loss of a trial, float64


def choose_fit(
    session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone | None
) -> ReadyBackbone | None:
    """The backbone for pictures that fit as the settings say, or as training pictures prefer; None where there is none.

    The run's recipe keeps how they fit and by which range they are read: repeated, it asks nothing again.
    Raises: DataError, StorageError.
    """
    fit = session.run.settings.network.fit or _found(session, task, dataset, backbone)
    session.run = keep_pixels(session.run, fit=fit, value_range=session.span)
    return None if backbone is None else _with(backbone, fit, session)


def _with(backbone: ReadyBackbone, fit: Fit, session: TrainingSession) -> ReadyBackbone:
    return replace(backbone, preprocessing=fitted(backbone.preprocessing, fit, session.span))


def _found(session: TrainingSession, task: Task, dataset: Dataset, backbone: ReadyBackbone | None) -> Fit:
    if backbone is None:
        return "crop"
    settings, train = session.run.settings, dataset.rows["train"]
    examples = [dataset.examples[index] for index in dataset.indices[train].tolist()]
    share = share_elongated([(example.width, example.height) for example in examples])
    if settings.strategy != "auto" or settings.network.crop is not None or share <= MANY_ELONGATED:
        return "crop"
    # Rows are in the order of their contents, which is random.
    tried = train[: max(_MOST, _MOST_A_CLASS * len(dataset.classes))]
    count, losses = len(tried), dict[Fit, float]()
    for fit in _TRIED:
        loss = _loss(session, task, dataset, tried, _with(backbone, fit, session), fit)
        if loss is None:
            return "crop"
        losses[fit] = loss
        if fit == "crop" and loss <= _NOTHING_TO_GAIN:
            session.reporter.say(
                f"{100 * share:.0f} % of the training pictures are longer than 3:2. They are cropped to the middle: by "
                f"cross-validation over {count:,} of them that tells them apart as well as may be (log loss {loss:.3f})."
            )
            return "crop"
    gain = losses["crop"] - losses["squash"]
    best: Fit = "squash" if gain > _WORTH else "crop"
    told = {
        "crop": "not much worse cropped to the middle, which is kept",
        "squash": "better squashed to a square, whole",
    }
    session.reporter.say(
        f"{100 * share:.0f} % of the training pictures are longer than 3:2. By cross-validation over "
        f"{count:,} of them they are {told[best]}: log loss {losses['crop']:.3f} cropped, "
        f"{losses['squash']:.3f} squashed. --set network.fit=crop, pad or squash says otherwise."
    )
    session.run.log("fit", chosen=best, losses=losses)
    return best


def _loss(
    session: TrainingSession,
    task: Task,
    dataset: Dataset,
    tried: NDArray[np.int64],
    backbone: ReadyBackbone,
    fit: Fit,
) -> float | None:
    """The log loss of the cross-validation over the `tried` training pictures; None where the task has none, or one fails."""
    if task.quick is None:
        return None
    key = _key(session, task, dataset, tried, backbone)
    known = session.cache.get_many(_KIND, [key]).get(key)
    if known is not None and len(known) == 8:
        return float(np.frombuffer(known)[0])
    found = embed_some(
        dataset,
        tried,
        backbone,
        session.device,
        session.cache,
        session.reporter,
        title=f"Trying the fit {fit}",
        squares=None if session.early is None else session.early.squares,
    )
    if found is None:
        return None
    details = task.quick(session.run.settings, *found).details
    loss = min((float(trial["log_loss"]) for trial in details.get("trials", ())), default=None)
    if loss is not None:
        session.cache.put_many(_KIND, {key: np.float64(loss).tobytes()})
    return loss


def _key(
    session: TrainingSession, task: Task, dataset: Dataset, tried: NDArray[np.int64], backbone: ReadyBackbone
) -> str:
    """A digest of everything that a trial's loss depends on: a second training asks for it again."""
    settings = session.run.settings
    asked = (
        task.name,
        backbone.identity,
        backbone.stages,
        backbone.preprocessing,
        session.device,
        settings.folds,
        settings.seed,
    )
    digest = hashlib.sha256(repr((*asked, settings.class_weights, dataset.classes)).encode())
    for row in tried.tolist():
        digest.update(dataset.pictures[row].content_hash.encode())
    digest.update(np.ascontiguousarray(dataset.targets[tried]).tobytes())
    digest.update(np.ascontiguousarray(dataset.groups[tried]).tobytes())
    return digest.hexdigest()

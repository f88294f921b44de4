"""Which backbone a training takes. In: names, or auto. Out: settings with one, and why. Next: fit.py.

Each is tried by cross-validation of the classifier on its features, over training pictures alone; what it computes for them is
cached, so that the training with the one that is taken begins with them.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset, gather
from tellapart.data.splitting import told_split
from tellapart.deep_values import Span
from tellapart.errors import BackboneError, BackboneUnavailable, SettingsError
from tellapart.evaluation.picking import PickedNetwork, pick_network
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.embedding import embed_some
from tellapart.models.catalog import BACKBONES, EMBEDDED
from tellapart.models.weights import check_name
from tellapart.preprocessing import fitted, load
from tellapart.reporter import Reporter, Silent
from tellapart.runtime import Session
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.table import task_of
from tellapart.tasks.task import Task
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.learning.value_range import find_range

# Training pictures that are tried, in the order of their contents, which is random; so many of each class where that is more.
_MOST, _MOST_A_CLASS = 1_000, 20
_TIMED = 7  # pictures that one network is timed on, after a first one


def choose_backbone(
    settings: TrainSettings, cache: Cache, *, device: str, reporter: Reporter
) -> tuple[TrainSettings, PickedNetwork]:
    """The settings with one of the backbones that they name. Raises: SettingsError, DataError, BackboneError."""
    _check_asked(settings)
    trial = _look(settings, cache, reporter)
    skipped: dict[str, str] = {}
    tried: dict[str, _Found] = {}
    for name in _candidates(settings):
        backbone = _prepared(settings, name, skipped, asked=settings.backbone != "auto", reporter=reporter)
        if backbone is None:
            continue
        found = trial.of(backbone, device=device, cache=cache, reporter=reporter)
        if found is None:
            skipped[name] = "its cross-validation came to nothing with these pictures"
        else:
            tried[name] = found
    if not tried:
        name, reason = next(iter(skipped.items()))
        raise BackboneError(f"none of the backbones could be tried; {name}: {reason} Name one with --backbone.")
    picked = pick_network(
        {name: one.scores for name, one in tried.items()},
        {name: one.milliseconds for name, one in tried.items()},
        {name: one.seconds for name, one in tried.items()},
        groups=trial.dataset.groups[trial.rows],
        figure=trial.figure,
        skipped=skipped,
    )
    _tell(picked, reporter)
    return settings.model_copy(update={"backbone": picked.picked}), picked


def _check_asked(settings: TrainSettings) -> None:
    if settings.weights is not None:
        raise SettingsError(
            f"--weights {settings.weights} is for one backbone, and several are to be compared. Name one with --backbone, or leave "
            "--weights out."
        )
    if settings.folded:
        raise SettingsError(
            f"backbone is {settings.backbone} and K folds were asked for: what is chosen by pictures of a fold would flatter it. "
            "Choose the backbone first, without --kfold, and name it."
        )
    for name in _named(settings):
        check_name(name)  # rather than after the others were tried


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """How one of them did."""

    scores: NDArray[np.float64]  # [n], of the pictures that are tried
    milliseconds: float  # a picture
    seconds: float  # that trying it took


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Trial:
    """What all of them are tried on."""

    settings: TrainSettings
    task: Task
    figure: str  # that they are compared by
    dataset: Dataset
    rows: NDArray[np.int64]  # of training pictures
    span: Span | None

    def of(self, backbone: ReadyBackbone, *, device: str, cache: Cache, reporter: Reporter) -> _Found | None:
        """How it does; None where its cross-validation comes to nothing."""
        inputs = fitted(backbone.preprocessing, self.settings.network.fit or "crop", self.span)
        ready, began = replace(backbone, preprocessing=inputs), time.monotonic()
        found = _scores(self.settings, self.task, self.dataset, self.rows, ready, device, cache, reporter)
        if found is None:
            return None
        seconds = round(time.monotonic() - began, 3)
        return _Found(scores=found, milliseconds=_milliseconds(ready, self.dataset, self.rows), seconds=seconds)


def _look(settings: TrainSettings, cache: Cache, reporter: Reporter) -> _Trial:
    """Raises: SettingsError for a task whose backbones are not compared so, DataError."""
    corrections = None if settings.labels is None else Path(settings.labels)
    quiet = Silent()
    with reporter.step("Looking at the pictures", 1) as advance:
        examined = examine(
            Path(settings.data),
            corrections=corrections,
            cache=cache,
            reporter=quiet,
            options=settings.read_options,
            look="known",
        )
        task = task_of(examined.listing.task)
        if task.quick is None or task.scores is None:
            raise SettingsError(
                f"backbones are compared by a classifier on their features, which the task {task.name} has none of. Compare them "
                "by `tellapart search PICTURES --try backbone=a,b,c`, or name one."
            )
        dataset = gather(
            examined, split=told_split(task.split, settings.split.terms), encode=task.encode, seed=settings.seed
        )
        task.check(task.prefer(settings), dataset)
        advance(1)
    return _Trial(
        settings=settings,
        task=task,
        figure=task.scores[0],
        dataset=dataset,
        rows=dataset.rows["train"][: max(_MOST, _MOST_A_CLASS * len(dataset.classes))],
        span=find_range(settings, examined, dataset, quiet),
    )


def _candidates(settings: TrainSettings) -> list[str]:
    """Names, those whose weights are here first."""
    return _named(settings) or [
        *(name for name in EMBEDDED if BACKBONES[name].offline),
        *(name for name in BACKBONES if name not in EMBEDDED),
    ]


def _named(settings: TrainSettings) -> list[str]:
    """The names that were given; none where the choice is ours."""
    return [] if settings.backbone == "auto" else [name.strip() for name in settings.backbone.split(",")]


def _prepared(
    settings: TrainSettings, name: str, skipped: dict[str, str], *, asked: bool, reporter: Reporter
) -> ReadyBackbone | None:
    """One of them ready to run; None, and why among those `skipped`, where its weights cannot be had. Raises: BackboneError."""
    if any("hub" in reason for reason in skipped.values()) and not asked and name not in EMBEDDED:
        skipped[name] = "no hub can be reached"
        return None
    network = settings.network
    pending = prepare_backbone(
        name, cache=cache_folder(), weights=None, size=network.size, crop=network.crop, pooling=network.pooling
    )
    try:
        with reporter.step(f"Preparing {name}", 1) as advance:
            ready = pending.wait()
            advance(1)
        return ready
    except BackboneUnavailable as error:
        skipped[name] = str(error) if asked else "no hub can be reached"
        reporter.warn(f"{name} is left out: {skipped[name]}")
        return None
    finally:
        pending.cancel()


def _scores(
    settings: TrainSettings,
    task: Task,
    dataset: Dataset,
    tried: NDArray[np.int64],
    backbone: ReadyBackbone,
    device: str,
    cache: Cache,
    reporter: Reporter,
) -> NDArray[np.float64] | None:
    """Of each of the pictures `tried` [n] how well classifiers that did not see it answer; None where none was held out."""
    found = embed_some(dataset, tried, backbone, device, cache, reporter, title=f"Trying {backbone.name}")
    if found is None or task.quick is None or task.scores is None:
        return None
    part, embedded = found
    held_out = task.quick(settings.model_copy(update={"backbone": backbone.name}), part, embedded).held_out
    if held_out is None:
        return None
    told = np.isfinite(held_out.logits).all(axis=1)
    values = task.scores[1](part.targets[held_out.rows], held_out.logits)
    return np.where(told, values, 0.0)  # of what the others could not teach


def _milliseconds(backbone: ReadyBackbone, dataset: Dataset, tried: NDArray[np.int64]) -> float:
    """The network alone, one picture at a time on one core: processor time, which other work hardly moves; the median of a few."""
    session = Session(backbone.network, source=f"the network in {backbone.network}")
    image = np.stack([load(dataset.pictures[tried[0]].read(), backbone.preprocessing)])
    names = list(session.outputs)
    session.run(image, names)
    took = []
    for _ in range(_TIMED):
        began = time.thread_time()
        session.run(image, names)
        took.append(time.thread_time() - began)
    return round(1000 * statistics.median(took), 2)


def _tell(picked: PickedNetwork, reporter: Reporter) -> None:
    width = max(len(one.name) for one in picked.networks)
    figure = picked.figure.replace("_", " ")
    for one in picked.networks:
        interval = f"({100 * one.low:.1f} to {100 * one.high:.1f})"
        mark = "  taken" if one.name == picked.picked else ""
        reporter.say(
            f"{one.name:<{width}}  {figure} {100 * one.value:.1f} % {interval}  {one.milliseconds:.1f} ms{mark}"
        )
    reporter.say(picked.reason)

"""Train the upper stages of a pretrained network, from the probe on. In: Probed, settings. Out: Candidate. Next: job.py.

Linear probe first, then fine-tuning from it: Kumar et al. 2022, arXiv 2202.10054. The frozen stages run once a view;
what they give is cached, and training costs only the stages that train.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch

from tellapart.data.augment import Augment, build_augmentation, resolve
from tellapart.data.dataset import Dataset
from tellapart.errors import ModelFileError, SettingsError
from tellapart.evaluation.choosing import Candidate
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import row_limit_bytes
from tellapart.features.frozen import cache_views
from tellapart.features.shrink import AugmentedPictures
from tellapart.models.blocks import Dense, dense_layers
from tellapart.models.build import build_pretrained
from tellapart.models.freezing import freeze, parse_unfreeze
from tellapart.models.staged import StagedNetwork
from tellapart.models.tracing import export_lower
from tellapart.reporter import Reporter
from tellapart.runs.run import Run, replan
from tellapart.runtime import Session
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.classification.abstaining import scored_pictures
from tellapart.tasks.classification.probing import Probed
from tellapart.training.devices import Devices
from tellapart.training.planning import Clock, Plan, plan, reserve_seconds
from tellapart.training.timing import Speed, measure
from tellapart.workflows.learning.finished import finish_network
from tellapart.workflows.learning.fitting import run_job
from tellapart.workflows.learning.job import Usable, make_job
from tellapart.workflows.learning.processes import send
from tellapart.workflows.learning.shrunk import ShrunkSplits, shrink_splits

UNFREEZE = "half"  # of the stages, where nothing else is asked for
LEARNING_RATES = {"adamw": 4e-4, "sgd": 1e-2}
EPOCHS = 20  # at most, where neither epochs nor a budget are given
# Dropping parts of an embedding undoes the probe, whose weights rest on all of it: the loss starts three times as high.
DROPOUT = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Fine-tuning was not done, and why."""

    reason: str  # a sentence


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cut:
    """A network whose lower stages are frozen."""

    network: StagedNetwork
    trained: int  # stages that train, from the top
    start: (
        int  # the training's input is what stage `start` - 1 gives; 0, though stages be frozen, where nothing is cached
    )
    lower: Path | None  # ONNX of the stages below `start`
    shape: tuple[int, ...]  # of one input: [C, H, W], or [S, S, 3]


def finetune(
    run: Run, dataset: Dataset, probed: Probed, devices: Devices, clock: Clock, reporter: Reporter
) -> tuple[Run, Candidate | Skipped]:
    """The fine-tuned candidate, and the run with its plan in its settings. Raises: TrainingError, StorageError, SettingsError."""
    settings, backbone = run.settings, probed.candidate.backbone
    augment = build_augmentation(resolve(**settings.augment.model_dump()), size=backbone.preprocessing.size)
    with reporter.step("Preparing the network", 1) as advance:
        cut = _cut(settings, dataset, probed, devices)
        _check_mixing(augment, cut, backbone)
        advance(1)
    shrunk = shrink_splits(dataset, backbone.preprocessing, reporter)
    with reporter.step("Timing the machine", 1) as advance:
        speed = measure(
            cut.network,
            start=cut.start,
            shape=cut.shape,
            lower=cut.lower,
            augment=augment,
            devices=devices,
            batch_size=settings.loop.pictures_at_once,
            preprocessing=backbone.preprocessing,
            workers=settings.loop.workers,
            test_time_augmentation=settings.network.test_time_augmentation,
            left=clock.left,
        )
        advance(1)
    planned = _plan(settings, dataset, speed, clock)
    if planned is None:
        return run, Skipped(reason=_too_short(settings, dataset, speed, clock.left or 0.0))
    run = replan(run, epochs=planned.epochs, views=planned.views, unfreeze=str(cut.trained))
    run.log(
        "planned", strategy="finetune", epochs=planned.epochs, views=planned.views, seconds=round(planned.seconds, 1)
    )
    candidate = _train(run, dataset, shrunk, probed, cut, planned, augment, speed, devices, clock, reporter)
    if candidate is None:
        return run, Skipped(
            reason="Not fine-tuned: the budget ended before the first epoch did. Give a longer --budget."
        )
    return run, candidate


def _cut(settings: TrainSettings, dataset: Dataset, probed: Probed, devices: Devices) -> _Cut:
    """Build, start the classifier as the probe, freeze, and export what is frozen (once a backbone and cut)."""
    backbone, probe = probed.candidate.backbone, probed.candidate
    dropout = settings.network.dropout
    network = build_pretrained(
        backbone.name,
        weights=backbone.weights,
        preprocessing=backbone.preprocessing,
        class_count=len(dataset.classes),
        dropout=DROPOUT if dropout is None else dropout,
        drop_path=settings.network.drop_path,
    )
    if settings.network.dense:
        _add_dense(network, settings)
    else:
        with torch.no_grad():
            network.classifier.weight.copy_(torch.from_numpy(probe.weight))
            network.classifier.bias.copy_(torch.from_numpy(probe.bias))
    trained = parse_unfreeze(settings.finetune.unfreeze or UNFREEZE, len(network.stages))
    freeze(network, trained)
    network.batch_norm_frozen = settings.finetune.batch_norm == "frozen"
    start, size = len(network.stages) - trained, backbone.preprocessing.size
    views = settings.finetune.views
    # A GPU runs the frozen stages quicker than this machine's cores would fill a cache.
    cached = (views is None and devices.device.type == "cpu") or bool(views)
    if start == 0 or not cached:
        return _Cut(network=network, trained=trained, start=0, lower=None, shape=(size, size, 3))
    lower, shape = _lower(network, start, size, backbone.network.parent)
    return _Cut(network=network, trained=trained, start=start, lower=lower, shape=shape)


def _lower(network: StagedNetwork, start: int, size: int, folder: Path) -> tuple[Path, tuple[int, ...]]:
    """The stages below `start` as ONNX, kept beside the backbone's, and the shape that they give."""
    below = hashlib.sha256(repr(network.stages[:start]).encode()).hexdigest()[:8]
    path = folder / f"lower-{start}-{below}.onnx"
    if path.exists():
        with contextlib.suppress(ModelFileError):  # damaged: it is exported again
            shape = Session(path, source=f"the frozen stages in {path}").outputs["activations"][1:]
            if all(isinstance(side, int) for side in shape):
                return path, shape
    return path, export_lower(network, stop=start, size=size, path=path)


def _check_mixing(augment: Augment, cut: _Cut, backbone: ReadyBackbone) -> None:
    """Cutmix cuts rectangles out of maps; a transformer's stages give no maps. Raises: SettingsError."""
    cutmix = augment.augmentation.cutmix
    if cut.start and cutmix and len(cut.shape) != 3:
        raise SettingsError(
            f"augment.cutmix is {cutmix}, but the frozen stages of {backbone.name} give no maps that could be cut. "
            "Set it to 0, or finetune.views to 0."
        )


def _add_dense(network: StagedNetwork, settings: TrainSettings) -> None:
    """Dense layers before the classifier begin at random, a function of the seed; the probe knows nothing of them."""
    dense = [Dense(**layer.model_dump()) for layer in settings.network.dense]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(settings.seed)
        network.add_dense(dense_layers(dense, width=network.embedding), embedding=dense[-1].units)


def _plan(settings: TrainSettings, dataset: Dataset, speed: Speed, clock: Clock) -> Plan | None:
    left = clock.left
    seconds = None
    if left is not None:
        seconds = left - reserve_seconds(scored=scored_pictures(dataset), seconds_picture=speed.deployed)
    return plan(
        speed.costs,
        train=len(dataset.rows("train")),
        validation=len(dataset.rows("validation")),
        epochs=settings.loop.epochs,
        views=settings.finetune.views,
        default_epochs=EPOCHS,
        seconds=seconds,
    )


def _too_short(settings: TrainSettings, dataset: Dataset, speed: Speed, left: float) -> str:
    needed = plan(
        speed.costs,
        train=len(dataset.rows("train")),
        validation=len(dataset.rows("validation")),
        epochs=1,
        views=settings.finetune.views,
        default_epochs=1,
        seconds=None,
    )
    seconds = needed.seconds if needed else 0.0
    return (
        f"Not fine-tuned: one epoch would take about {seconds:.0f} s, and {max(0.0, left):.0f} s of the budget are left. "
        "Give a longer --budget, or unfreeze fewer stages."
    )


def _train(
    run: Run,
    dataset: Dataset,
    shrunk: ShrunkSplits,
    probed: Probed,
    cut: _Cut,
    planned: Plan,
    augment: Augment,
    speed: Speed,
    devices: Devices,
    clock: Clock,
    reporter: Reporter,
) -> Candidate | None:
    settings, backbone = run.settings, probed.candidate.backbone
    varied = AugmentedPictures(pictures=shrunk.train, augment=augment, seed=settings.seed)
    train, validation = _sources(settings, shrunk, varied, cut, planned, reporter)
    scored = scored_pictures(dataset)
    job = make_job(
        run,
        shrunk,
        augment.augmentation,
        network=cut.network,
        start=cut.start,
        train=train,
        validation=validation,
        samples=varied,
        epochs=planned.epochs,
        learning_rate=LEARNING_RATES[settings.loop.optimizer],
        # Not the probe's weights: their last digits differ from machine to machine, and checkpoints hold the classifier.
        facts={"weights": backbone.fingerprint, "start": cut.start, "trained": cut.trained},
        deadline=clock.deadline(reserve_seconds(scored=scored, seconds_picture=speed.deployed)),
        title="Fine-tuning",
    )
    send(job, devices)
    fitted = run_job(job, devices, reporter, run.log)
    if not fitted.best_epoch:
        return None
    return finish_network(
        cut.network,
        strategy="finetune",
        name=backbone.name,
        preprocessing=backbone.preprocessing,
        source=backbone.weights_source,
        license_name=backbone.weights_license,
        fitted=fitted,
        dataset=dataset,
        folder=run.folder,
        reporter=reporter,
        views=settings.network.test_time_augmentation,
    )


def _sources(
    settings: TrainSettings,
    shrunk: ShrunkSplits,
    varied: AugmentedPictures,
    cut: _Cut,
    planned: Plan,
    reporter: Reporter,
) -> tuple[Usable, Usable]:
    if cut.lower is None:
        return varied, shrunk.validation
    count = len(shrunk.train) * planned.views + len(shrunk.validation)
    with reporter.step("Running the frozen stages", count) as advance:
        train = cache_views(
            shrunk.train,
            lower=cut.lower,
            shape=cut.shape,
            views=planned.views,
            augment=varied.augment,
            seed=settings.seed,
            folder=cache_folder(),
            limit_bytes=row_limit_bytes(),
            advance=advance,
        )
        validation = cache_views(
            shrunk.validation,
            lower=cut.lower,
            shape=cut.shape,
            views=1,
            augment=None,
            seed=settings.seed,
            folder=cache_folder(),
            limit_bytes=row_limit_bytes(),
            advance=advance,
        )
    if train.store is None:
        reporter.warn(
            f"{planned.views} views of {len(shrunk.train):,} pictures do not fit into the cache, so each epoch computes them "
            "anew. Raise TELLAPART_CACHE_GB, free disk space, or give fewer --views."
        )
    return train, validation

"""The best model that keeps a bound on this machine. In: settings, 5ms or 4MB. Out: a run that keeps it. Next: cli/small.py.

Of each network the largest pictures that keep the bound, in float32 and in 8-bit integers: their classifiers are compared by
cross-validation on the training pictures, and the cheapest within one standard error of the best is trained, tested and, where that
is its form, made of integers. What integers cost is measured on the one that is taken. The test split decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.errors import CompressionMissed, SettingsError
from tellapart.evaluation.choosing import LinearCandidate
from tellapart.evaluation.picking import PickedNetwork, pick_network
from tellapart.features.caching import open_cache
from tellapart.models.catalog import BACKBONES, EMBEDDED
from tellapart.reporter import Reporter
from tellapart.runs.finished import open_finished
from tellapart.runs.picked_backbone import write_picked
from tellapart.runs.places import point_latest
from tellapart.runs.result import TrainResult
from tellapart.settings.loop import LoopSettings
from tellapart.settings.tree import TrainSettings
from tellapart.workflows.bounded import SIZES, Bound, Measure, SmallForm, at_size, cost_of, keeping
from tellapart.workflows.compress import compress
from tellapart.workflows.compressing.concluding import Compressed
from tellapart.workflows.searching.bench import Bench, set_up
from tellapart.workflows.train import train, written_report

_MOST_LOST = 2.0  # points that integers may lose on validation; what they lose on the test stands in the table


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallResult:
    """A run that keeps a bound."""

    trained: TrainResult
    compressed: Compressed | None  # where it is in integers: that run is the result
    picked: PickedNetwork
    bound: Bound
    cost: float  # of the finished file, in the bound's unit
    report: Path | None = None  # None where none was asked for, or it could not be written

    @property
    def run(self) -> Path:
        """The folder of the result."""
        return self.trained.run if self.compressed is None else self.compressed.run

    @property
    def result(self) -> TrainResult:
        """The result as a training's: of integers the figures are theirs. Raises: StorageError, ModelFileError, DataError."""
        trained = replace(self.trained, report=self.report, backbones=self.picked.as_json())
        if self.compressed is None:
            return trained
        made = open_finished(self.run)
        return replace(
            trained,
            run=self.run,
            model=made.file,
            scores=made.manifest.scores,
            scores_without_leaked=made.manifest.scores_without_leaked,
            metrics=made.metrics,
        )


def train_small(settings: TrainSettings, bound: Bound, reporter: Reporter) -> SmallResult:
    """Find, train and test the best that keeps the bound.

    Raises: SettingsError for a task without a classifier on a frozen network, or a strategy that trains one with gradients;
    CompressionMissed where nothing keeps the bound; else as `workflows.train.train`.
    """
    _check(settings)
    settings = settings.model_copy(update={"strategy": "probe"})
    with open_cache(reporter) as cache:
        bench = set_up(settings, cache, reporter)
        if bench.task.quick is None or bench.task.scores is None:
            raise SettingsError(
                f"--small compares classifiers on frozen networks, which the task {bench.task.name} has none of. Train, and then: "
                f"tellapart compress RUN --{'float16' if bench.task.direct is not None else 'int8'}"
            )
        natives = _natives(settings)
        with reporter.step("Timing networks" if bound.unit == "ms" else "Weighing networks", len(natives)) as advance:
            kept: list[SmallForm] = []
            measured: list[SmallForm] = []
            for name, native in natives.items():
                own, all_of = keeping(bound, {name: native}, Measure(settings, bench, bound))
                kept, measured = kept + own, measured + all_of
                advance(1)
        if not kept:
            least = min(measured, key=lambda one: one.cost)
            raise CompressionMissed(
                f"no network keeps {bound}: {least.name} needs {least.cost:.2f} {bound.unit} here, the least of all. Give a larger "
                "bound, or train a small network of your own: --strategy scratch --network lenet5"
            )
        ranked, picked = _compared(settings, bench, kept, reporter)
    found = _finished(settings, bound, ranked, picked, reporter)
    point_latest(found.run)  # not at the float network that integers were made of
    if not settings.report:
        return found
    with open_cache(reporter) as cache:
        return replace(found, report=written_report(settings, found.run, cache, reporter))


def _check(settings: TrainSettings) -> None:
    if settings.strategy not in ("auto", "probe"):
        raise SettingsError(
            f"--strategy is {settings.strategy}, and --small compares classifiers on frozen networks. Leave one of them out."
        )
    usual = LoopSettings().model_dump()
    for key, value in settings.loop.model_dump().items():
        if value != usual[key] and key != "workers":
            raise SettingsError(
                f"loop.{key} is set, and --small fits classifiers on frozen networks, which no loop trains. Leave it out."
            )
    if settings.folded:
        raise SettingsError("--small compares networks on one validation split. Leave --kfold out.")
    if settings.network.size is not None:
        raise SettingsError(f"network.size is {settings.network.size}, and --small chooses it. Leave one of them out.")


def _natives(settings: TrainSettings) -> dict[str, int]:
    """The networks to choose among, with the side of the pictures that they were trained on."""
    named = "backbone" in settings.model_fields_set and settings.backbone != "auto"
    names: Sequence[str] = [one.strip() for one in settings.backbone.split(",")] if named else EMBEDDED
    return {name: BACKBONES[name].size if name in BACKBONES else SIZES[2] for name in names}


def _compared(
    settings: TrainSettings, bench: Bench, kept: Sequence[SmallForm], reporter: Reporter
) -> tuple[list[SmallForm], PickedNetwork]:
    """The forms, the one to take first, then by how well they do; and how they were compared."""
    scores: dict[str, NDArray[np.float64]] = {}
    groups: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    time_of = Measure(settings, bench, Bound(limit=0.0, unit="ms"))
    milliseconds = {one.name: round(time_of(one.backbone, one.size, one.form), 2) for one in kept}
    for one in kept:
        dataset, candidate = bench.classifier(bench.suited(at_size(settings, one.backbone, one.size)))
        scores[one.name], groups = _scored(bench, dataset, candidate)
    figure = "" if bench.task.scores is None else bench.task.scores[0]
    picked = pick_network(scores, milliseconds, dict.fromkeys(scores, 0.0), groups=groups, figure=figure, skipped={})
    for found in picked.networks:
        mark = ", taken" if found.name == picked.picked else ""
        reporter.say(f"{found.name}: {found.milliseconds:.2f} ms, {figure} {100 * found.value:.1f} %{mark}")
    order = sorted(kept, key=lambda one: (one.name != picked.picked, -float(scores[one.name].mean())))
    return order, picked


def _scored(
    bench: Bench, dataset: Dataset, candidate: LinearCandidate
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How well each of n pictures is answered by who has not learned from it, [n], and their groups [n].

    Those of the training split, by cross-validation; of very many classes, which have none, those of the validation split.
    """
    assert bench.task.scores is not None
    score, held_out = bench.task.scores[1], candidate.held_out
    if held_out is None:
        rows = dataset.rows["validation"]
        return score(dataset.targets[rows], candidate.logits(rows)), dataset.groups[rows]
    told = np.isfinite(held_out.logits).all(axis=1)  # the others could not be taught
    values = score(dataset.targets[held_out.rows], held_out.logits)
    return np.where(told, values, 0.0), dataset.groups[held_out.rows]


def _finished(
    settings: TrainSettings, bound: Bound, ranked: Sequence[SmallForm], picked: PickedNetwork, reporter: Reporter
) -> SmallResult:
    """The first that keeps the bound as a whole file, too. Raises: CompressionMissed where none does."""
    missed = []
    for one in ranked:
        told = at_size(settings, one.backbone, one.size).model_copy(update={"report": False})
        trained = train(told, reporter=reporter)
        made = None
        if one.form == "int8":
            halved = bound.unit == "MB"  # what is not in integers
            made = compress(trained.run, int8=True, float16=halved, most_lost=_MOST_LOST, reporter=reporter)
        run = trained.run if made is None else made.run
        cost = cost_of(run, bound)
        if cost <= bound.limit:
            taken = replace(picked, picked=one.name)
            write_picked(run, taken)
            return SmallResult(trained=trained, compressed=made, picked=taken, bound=bound, cost=cost)
        missed.append(f"{one.name} {cost:.2f}")
        reporter.warn(f"{one.name} needs {cost:.2f} {bound.unit} as a whole; the next one is trained.")
    raise CompressionMissed(
        f"no network keeps {bound} as a whole file: {'; '.join(missed)} {bound.unit}. Give a larger bound."
    )

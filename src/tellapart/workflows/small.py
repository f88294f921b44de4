"""The best model that keeps a bound on this machine. In: settings, 5ms or 4MB. Out: a run that keeps it. Next: cli/small.py.

Of each network the largest pictures that keep the bound, in float32 and in 8-bit integers: their classifiers are compared by
cross-validation on the training pictures, and the cheapest within one standard error of the best is trained, tested and, where that
is its form, made of integers. What integers cost is measured on the one that is taken. The test split decides nothing.
"""

from __future__ import annotations

import math
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.compression.cutting import cut_network
from tellapart.compression.int8 import Int8
from tellapart.data.dataset import Dataset
from tellapart.errors import CompressionMissed, SettingsError
from tellapart.evaluation.choosing import LinearCandidate
from tellapart.evaluation.novelty import FIT_PICTURES, directions_for
from tellapart.evaluation.picking import PickedNetwork, pick_network
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import open_cache
from tellapart.models.catalog import BACKBONES, EMBEDDED
from tellapart.reporter import Reporter
from tellapart.runs.open import open_finished
from tellapart.runs.picked_backbone import write_picked
from tellapart.runs.result import TrainResult
from tellapart.runs.run import point_latest
from tellapart.runtime import Session
from tellapart.settings.tree import TrainSettings
from tellapart.storage import storage_errors
from tellapart.workflows.compress import compress
from tellapart.workflows.compressing.concluding import Compressed
from tellapart.workflows.searching.bench import Bench, set_up
from tellapart.workflows.train import train, written_report

SIZES = (260, 240, 224, 192, 160, 128, 96)  # pixels, sides of pictures that are tried
_ENDS = ("embedding",)
_HEAD_MB = 0.02  # of what else stands behind a network in its file: the manifest, names
_SURE = 0.97  # of a bound of time: a measurement is not taken twice alike
_MOST_LOST = 2.0  # points that integers may lose on validation; what they lose on the test stands in the table
_NEARLY = 1.2  # of the bound, that a side may be thought to need and still be tried
_TIMED = 9  # calls
_RANGES = 2  # pictures of noise, by which integers are made to be timed
_FORMS = ("float32", "int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a model may cost."""

    limit: float
    unit: str  # ms, for one picture on one thread, or MB

    def __str__(self) -> str:
        return f"{self.limit:g} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallForm:
    """One network that keeps the bound."""

    backbone: str
    size: int  # pixels
    form: str  # float32 or int8
    cost: float  # in the bound's unit

    @property
    def name(self) -> str:
        """For a person."""
        return f"{self.backbone}, {self.size} px{', int8' if self.form == 'int8' else ''}"


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


def parse_bound(text: str) -> Bound:
    """`5ms` or `4MB`. Raises: SettingsError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|mb)\s*", text, re.IGNORECASE)
    if match is None or float(match[1]) <= 0:
        raise SettingsError(
            f"--small is {text!r}; it is milliseconds a picture or megabytes of the file, above 0. Give 5ms or 4MB, for example."
        )
    return Bound(limit=float(match[1]), unit="MB" if match[2].lower() == "mb" else "ms")


def keeping(
    bound: Bound, natives: Mapping[str, int], measure: Callable[[str, int, str], float]
) -> tuple[list[SmallForm], list[SmallForm]]:
    """Of each network and form the largest pictures that keep the bound, and all that was measured.

    `natives` are networks with the side that they were trained on; `measure` gives the cost of a network, side and form. A file's
    megabytes do not hang on the side, so that the network's own is taken.
    """
    kept, measured = [], []
    sure = _SURE if bound.unit == "ms" else 1.0
    for name, native in natives.items():
        sizes = [size for size in SIZES if size <= native] if bound.unit == "ms" else [native]
        for form in _FORMS:
            most = native
            for size in sizes:
                if size > most:
                    continue
                found = SmallForm(backbone=name, size=size, form=form, cost=measure(name, size, form))
                measured.append(found)
                if found.cost <= sure * bound.limit:
                    kept.append(found)
                    break
                # A picture's cost goes with its area, nearly: sides that are far too large are passed over.
                most = max(SIZES[-1], int(size * math.sqrt(_NEARLY * bound.limit / found.cost)))
    return kept, measured


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
                "tellapart compress RUN --int8"
            )
        natives = _natives(settings)
        with reporter.step("Timing networks" if bound.unit == "ms" else "Weighing networks", len(natives)) as advance:
            kept: list[SmallForm] = []
            measured: list[SmallForm] = []
            for name, native in natives.items():
                own, all_of = keeping(bound, {name: native}, _Measure(settings, bench, bound))
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
    if settings.folded:
        raise SettingsError("--small compares networks on one validation split. Leave --kfold out.")
    if settings.network.size is not None:
        raise SettingsError(f"network.size is {settings.network.size}, and --small chooses it. Leave one of them out.")


def _natives(settings: TrainSettings) -> dict[str, int]:
    """The networks to choose among, with the side of the pictures that they were trained on."""
    named = "backbone" in settings.model_fields_set and settings.backbone != "auto"
    names: Sequence[str] = [one.strip() for one in settings.backbone.split(",")] if named else EMBEDDED
    return {name: BACKBONES[name].size if name in BACKBONES else SIZES[2] for name in names}


class _Measure:
    """What a network costs, of pictures of noise."""

    def __init__(self, settings: TrainSettings, bench: Bench, bound: Bound) -> None:
        self._settings, self._bench, self._bound = settings, bench, bound

    def __call__(self, name: str, size: int, form: str) -> float:
        """Milliseconds a picture, or megabytes of the file. Raises: BackboneError."""
        ready = self._bench.backbone(_with(self._settings, name, size))
        assert ready is not None
        with storage_errors(ready.network):
            network = ready.network.read_bytes()
        noise = np.random.default_rng(0).integers(0, 256, (_RANGES, size, size, 3), dtype=np.uint8)
        if form == "int8":
            network = Int8(cut_network(network, _ENDS, noise[:1], source=name), noise).made()
        if self._bound.unit == "MB":
            return len(network) / 1e6 + self._behind(ready, 4 if form == "float32" else 2)
        session = Session(network, source=name)
        return _milliseconds(session, _ENDS, noise[:1])

    def _behind(self, ready: ReadyBackbone, width: int) -> float:
        """Megabytes of what stands behind a network: the classifier, and numbers of `width` bytes that novelty is told by."""
        last, dataset = ready.embedding - sum(ready.stages), self._bench.dataset
        novelty = last * directions_for(min(len(dataset.rows["train"]), FIT_PICTURES), last) * width
        return _HEAD_MB + (novelty + 4 * ready.embedding * len(dataset.classes)) / 1e6


def _with(settings: TrainSettings, backbone: str, size: int) -> TrainSettings:
    network = settings.network.model_copy(update={"size": size})
    return settings.model_copy(update={"backbone": backbone, "network": network})


def _compared(
    settings: TrainSettings, bench: Bench, kept: Sequence[SmallForm], reporter: Reporter
) -> tuple[list[SmallForm], PickedNetwork]:
    """The forms, the one to take first, then by how well they do; and how they were compared."""
    scores: dict[str, NDArray[np.float64]] = {}
    groups: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    time_of = _Measure(settings, bench, Bound(limit=0.0, unit="ms"))
    milliseconds = {one.name: round(time_of(one.backbone, one.size, one.form), 2) for one in kept}
    for one in kept:
        dataset, candidate = bench.classifier(bench.suited(_with(settings, one.backbone, one.size)))
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
        told = _with(settings, one.backbone, one.size).model_copy(update={"report": False})
        trained = train(told, reporter=reporter)
        made = None
        if one.form == "int8":
            halved = bound.unit == "MB"  # what is not in integers
            made = compress(trained.run, int8=True, float16=halved, most_lost=_MOST_LOST, reporter=reporter)
        run = trained.run if made is None else made.run
        cost = _whole(run, bound)
        if cost <= bound.limit:
            taken = replace(picked, picked=one.name)
            write_picked(run, taken)
            return SmallResult(trained=trained, compressed=made, picked=taken, bound=bound, cost=cost)
        missed.append(f"{one.name} {cost:.2f}")
        reporter.warn(f"{one.name} needs {cost:.2f} {bound.unit} as a whole; the next one is trained.")
    raise CompressionMissed(
        f"no network keeps {bound} as a whole file: {'; '.join(missed)} {bound.unit}. Give a larger bound."
    )


def _whole(run: Path, bound: Bound) -> float:
    """What the finished file costs."""
    file = run / "model.onnx"
    if bound.unit == "MB":
        return file.stat().st_size / 1e6
    session = Session(file, source=str(file))
    size = int(session.inputs["image"][1])
    noise = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    return _milliseconds(session, ("probabilities",), noise)


def _milliseconds(session: Session, outputs: Sequence[str], image: NDArray[np.uint8]) -> float:
    """One picture on one thread, the median of a few: processor time, which other work hardly moves."""
    session.run(image, outputs)
    took = []
    for _ in range(_TIMED):
        began = time.thread_time()
        session.run(image, outputs)
        took.append(time.thread_time() - began)
    return 1000 * statistics.median(took)

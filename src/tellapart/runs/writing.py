"""What a run leaves on disk. In: what was learned and tested. Out: TrainResult; model.onnx, metrics.json ... Next: reading.py.

model.onnx comes last, after it has given what was tested on real pictures of the test split.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictions import write_lines, write_table
from tellapart.bundle import BackboneRecord, DataRecord, Manifest, PreprocessingRecord, Score, TaskName, TaskRecord
from tellapart.data.audit import audit_json, findings
from tellapart.data.corrections import LEFT_OUT
from tellapart.data.dataset import VARIED, Dataset
from tellapart.data.examples import SPLITS, Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.folding import KEPT_OUT
from tellapart.data.packed_examples import problems_of, said_of
from tellapart.data.survey import Examined
from tellapart.evaluation.choosing import Candidate, Choice, Validated, comparison
from tellapart.features.backbone import ReadyBackbone
from tellapart.runs.folds import ARRAYS, arrays_as_bytes
from tellapart.runs.proving import PROOF, Expected, prepared, prove
from tellapart.runs.recipe import versions
from tellapart.runs.result import TrainResult
from tellapart.runs.run import Run
from tellapart.storage import storage_errors, write_bytes, write_json


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feed:
    """What stands in the place of pictures and a backbone, where a model takes neither."""

    inputs: Callable[[int], NDArray[Any]]  # what the file takes of the first n test items
    backbone: BackboneRecord  # what the manifest says in its place


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tested:
    """What a task found on the test split, ready to be written."""

    rows: NDArray[np.int64]  # [n], of the data set, in the order of the listing
    record: TaskRecord  # for the manifest
    metrics: dict[str, Any]
    metrics_without_leaked: dict[str, Any] | None  # where some of the test leaked and some did not
    leaked: int
    shown: Sequence[str]  # the figures of `metrics` that a person is shown, with their intervals
    beside: Mapping[str, Any]  # the task's own entries of metrics.json
    expected: Mapping[str, Expected]  # outputs of model.onnx
    columns: Sequence[str] = ()  # of predictions.csv
    # Its rows, one an example; None where answers are more than a row holds, and `lines` tells them.
    table: Callable[[Sequence[Example]], Iterable[Sequence[object]]] | None = None
    lines: Callable[[Sequence[Example]], Iterable[Mapping[str, Any]]] | None = None  # of predictions.jsonl
    details: Any = None  # what the task's export needs
    # What pooling several tests needs of this one, by name, in the order of `rows`; None: they cannot be pooled.
    arrays: Callable[[], Mapping[str, NDArray[Any]]] | None = None
    warning: str = ""  # what a person should know
    feed: Feed | None = None  # None: the file takes the pictures of the test

    @property
    def scores(self) -> dict[str, Score]:
        """The figures that are shown."""
        return _scores_of(self.metrics, self.shown)

    @property
    def scores_without_leaked(self) -> dict[str, Score] | None:
        """The same without the pictures that leaked."""
        clean = self.metrics_without_leaked
        return None if clean is None else _scores_of(clean, self.shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledTest:
    """What K folds say together; the figures stand in `Learned.tested`."""

    pictures: int  # that were tested
    write: Callable[[Path], None]  # the answers to all of them, into a run's folder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learned:
    """Everything that a training found."""

    task: TaskName
    headline: str
    examined: Examined
    dataset: Dataset
    choice: Choice[Candidate]
    tested: Tested
    computed: int  # pictures that went through the frozen network
    reused: int  # pictures whose embedding was in the cache
    engine: str | None  # that computed the training pictures' embeddings; None: there are none
    seconds: dict[str, float]  # by step
    started: float  # of time.monotonic
    has_weights: bool = True  # of one network
    pooled: PooledTest | None = None  # of K folds, which tell in place of the network that is kept

    @property
    def counts(self) -> dict[str, int]:
        """Pictures by split; those that K folds tested are the test."""
        counts: dict[str, int] = {split: int((self.dataset.splits == split).sum()) for split in SPLITS}
        if self.pooled is not None:
            counts["test"] = self.pooled.pictures
        return counts


def write_results(run: Run, learned: Learned, export: Callable[[Manifest], bytes]) -> TrainResult:
    """Write the run's files, prove the model, write the model, and finish the run. Raises: StorageError, ModelFileError."""
    folder, examples, tested = run.folder, learned.dataset.examples, learned.tested
    write_examples(folder / "examples.csv", examples)
    write_json(folder / "audit.json", audit_json(learned.examined.audit))
    shown = [examples[index] for index in learned.dataset.indices[tested.rows].tolist()]
    write_answers(folder, tested, shown)
    if learned.pooled is not None:
        learned.pooled.write(folder)
    if run.fold and tested.arrays is not None:
        index = learned.dataset.indices[tested.rows]
        write_bytes(folder / ARRAYS, arrays_as_bytes({**tested.arrays(), "index": index}))
    manifest = _manifest(run, learned)
    data = export(manifest)
    difference = prove(data, _inputs(learned, shown[:PROOF]), tested.expected)
    metrics = _metrics(learned, difference)
    write_json(folder / "metrics.json", metrics)
    if learned.has_weights:
        write_bytes(folder / "weights.safetensors", weights_of(learned.choice.winner.candidate))
    write_bytes(folder / "model.onnx", data)
    run.log(
        "finished",
        **{learned.headline: tested.metrics[learned.headline]},
        seconds=metrics["seconds"],
        computed=learned.computed,
        engine=learned.engine,
    )
    run.finish()
    return _result(run, learned, metrics)


def write_answers(folder: Path, tested: Tested, shown: Sequence[Example]) -> None:
    """What was answered to the test pictures `shown`, in the order of `tested.rows`, as the task tells it. Raises: StorageError."""
    if tested.table is not None:
        write_table(folder / "predictions.csv", tested.columns, tested.table(shown))
    if tested.lines is not None:
        write_lines(folder / "predictions.jsonl", tested.lines(shown))


def _result(run: Run, learned: Learned, metrics: dict[str, Any]) -> TrainResult:
    counts, examined, tested = learned.counts, learned.examined, learned.tested
    examples = learned.dataset.examples
    problems = Counter(problem for _, problem in problems_of(examples))
    warned = (finding.message for finding in findings(examined.audit) if finding.severity == "warning")
    return TrainResult(
        run=run.folder,
        model=run.folder / "model.onnx",
        task=learned.task,
        headline=learned.headline,
        scores=tested.scores,
        scores_without_leaked=tested.scores_without_leaked,
        validation=_validated(learned.choice.winner),
        validation_name=learned.choice.winner.figure_name,
        n_train=counts["train"],
        n_validation=counts["validation"],
        n_test=counts["test"],
        classes=learned.dataset.classes,
        unreadable=problems.total() - problems[VARIED] - problems[KEPT_OUT],
        augmented=problems[VARIED],
        duplicates=examined.audit.duplicates,
        left_out=examined.listing.ignored.get(LEFT_OUT, 0),
        leaked=tested.leaked,
        seconds=time.monotonic() - learned.started,
        computed=learned.computed,
        reused=learned.reused,
        strategy=learned.choice.winner.candidate.strategy,
        choice=learned.choice.reason,
        metrics=metrics,
        warnings=(*warned, *([tested.warning] if tested.warning else [])),
    )


def _validated(winner: Validated[Any]) -> float | None:
    """The figure on validation; None where there is none, as of the mean of several networks."""
    return winner.figure if winner.figure_name and math.isfinite(winner.figure) else None


def data_fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 over the sorted contents, targets and splits: the same pictures give the same, wherever they lie."""
    every = range(len(examples))
    told = (
        said_of(examples, "content_hash", every),
        said_of(examples, "target", every),
        said_of(examples, "split", every),
    )
    lines = sorted(f"{content}\t{target.text}\t{split}" for content, target, split in zip(*told, strict=True) if split)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _manifest(run: Run, learned: Learned) -> Manifest:
    tested, counts = learned.tested, learned.counts
    preprocessing, backbone = (None, tested.feed.backbone) if tested.feed is not None else _backbone(learned)
    return Manifest(
        task=learned.task,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        strategy=learned.choice.winner.candidate.strategy,
        classes=learned.dataset.classes,
        preprocessing=preprocessing,
        backbone=backbone,
        scores=tested.scores,
        scores_without_leaked=tested.scores_without_leaked,
        data=DataRecord(
            name=Path(run.settings.data).name,
            fingerprint=data_fingerprint(learned.dataset.examples),
            n_train=counts["train"],
            n_validation=counts["validation"],
            n_test=counts["test"],
            leaked=tested.leaked,
            merged=dict(learned.examined.listing.merged),
        ),
        versions=versions(),
        record=tested.record,
    )


def _backbone(learned: Learned) -> tuple[PreprocessingRecord, BackboneRecord]:
    """How pictures go into the network that was kept, and which it is."""
    backbone = learned.choice.winner.candidate.backbone
    return PreprocessingRecord.of(backbone.preprocessing), backbone_record(backbone, embedded_by=learned.engine)


def backbone_record(backbone: ReadyBackbone, *, embedded_by: str | None = None) -> BackboneRecord:
    """What a manifest keeps of a network, and of the engine that computed the training pictures' embeddings."""
    return BackboneRecord(
        name=backbone.name,
        embedding=backbone.embedding,
        stages=backbone.stages,
        pooling=backbone.pooling,
        weights_source=backbone.weights_source,
        weights_license=backbone.weights_license,
        weights_fingerprint=backbone.fingerprint,
        test_time_augmentation=backbone.test_time_augmentation,
        embedded_by=embedded_by,
    )


def with_and_without(
    leaked: NDArray[np.bool_], score: Callable[[NDArray[np.bool_] | slice], dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What `score` says of all n test pictures, and of those not `leaked` [n]; None where all are, or none is."""
    some = bool(leaked.any() and not leaked.all())
    return score(slice(None)), score(~leaked) if some else None  # a mask of all would copy every array


def _scores_of(metrics: Mapping[str, Any], names: Sequence[str]) -> dict[str, Score]:
    """The figures of `names` that a test has, as a manifest keeps them."""
    figures = {name: metrics.get(name) for name in names}
    return {
        name: Score.of(figure)
        for name, figure in figures.items()
        if isinstance(figure, dict) and figure.get("value") is not None
    }


def _inputs(learned: Learned, shown: Sequence[Example]) -> NDArray[Any]:
    """What the file takes of the first test items. Raises: StorageError."""
    if learned.tested.feed is not None:
        return learned.tested.feed.inputs(len(shown))
    return prepared(shown, learned.choice.winner.candidate.backbone.preprocessing)


def _metrics(learned: Learned, difference: float) -> dict[str, Any]:
    tested, choice, counts = learned.tested, learned.choice, learned.counts
    seconds = learned.seconds | {"whole": time.monotonic() - learned.started}
    return {
        "task": learned.task,
        "test": tested.metrics,
        "test_without_leaked": tested.metrics_without_leaked,
        **tested.beside,
        "n_train": counts["train"],
        "n_validation": counts["validation"],
        "n_test": counts["test"],
        "leaked": tested.leaked,
        "strategy": choice.winner.candidate.strategy,
        "choice": choice.reason,
        "validation": comparison(choice),
        # Of two with one strategy the one that is kept.
        "training": {one.candidate.strategy: dict(one.candidate.details) for one in reversed(choice.compared)},
        "embeddings": {"computed": learned.computed, "reused": learned.reused, "engine": learned.engine},
        "onnx_difference": difference,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def weights_of(candidate: Candidate) -> bytes:
    """weights.safetensors of a candidate: its network's tensors with its own head. Raises: StorageError."""
    import safetensors.numpy

    path = candidate.backbone.weights
    with storage_errors(path):
        tensors = safetensors.numpy.load(path.read_bytes())
    tensors |= candidate.head()
    # One entry: safetensors writes several in an order that changes from run to run.
    data: bytes = safetensors.numpy.save(tensors, metadata={"backbone": candidate.backbone.name})
    return data

"""The folds' networks as one model, which answers with their mean. In: folders. Out: Concluded. Next: workflows/kfold.py."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest, TaskRecord, read_manifest
from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Candidate, Choice, Validated
from tellapart.export.ensemble import average, embedding_length
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import load
from tellapart.runs.proving import PROOF, Expected
from tellapart.runs.reading import read_json
from tellapart.runs.writing import Learned, Tested
from tellapart.runtime import Session
from tellapart.sources.reading import read_bytes
from tellapart.storage import storage_errors
from tellapart.tasks.task import Task
from tellapart.workflows.learning.conclude import Concluded
from tellapart.workflows.learning.session import TrainingSession


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeanCandidate:
    """What stands for a trained network where several are kept together."""

    strategy: str
    backbone: ReadyBackbone  # of which nothing but the facts is asked
    details: Mapping[str, Any] = field(default_factory=dict)

    def head(self) -> dict[str, NDArray[np.float32]]:
        """There is none of them all."""
        return {}


def mean_of_networks(
    session: TrainingSession, task: Task, dataset: Dataset, folders: Sequence[Path], record: TaskRecord
) -> Concluded | None:
    """The mean of the finished runs in `folders`, which decides by `record`; `dataset` are all their pictures, none of them tested.

    None where they read pictures differently, which the reporter is told. Raises: ModelFileError, StorageError.
    """
    manifests = [read_manifest(folder / "model.onnx") for folder in folders]
    if len({one.preprocessing for one in manifests}) > 1:
        session.reporter.warn(
            "The networks of the folds read pictures differently (network.fit, or the range of values), so they cannot be one "
            "file. One more network is trained and kept instead. Set network.fit, or --range, for an ensemble."
        )
        return None
    learned_from = replace(
        dataset, splits=np.full(len(dataset.indices), "train"), examples=_all_train(dataset)
    )  # by one network or another
    files = [_read(folder / "model.onnx") for folder in folders]
    tested = Tested(
        rows=learned_from.rows["train"][:PROOF],
        record=record,
        metrics={},
        metrics_without_leaked=None,
        leaked=0,
        shown=list(manifests[0].scores),
        beside={"abstention": read_json(folders[0] / "metrics.json", "test").get("abstention") or {}},
        expected={"probabilities": _expected(learned_from, files, manifests[0])},
    )
    choice = _choice(manifests, files)
    learned = Learned(
        task=task.name,
        headline=task.headline,
        examined=session.examined,
        dataset=learned_from,
        choice=choice,
        tested=tested,
        computed=0,
        reused=0,
        engine=manifests[0].backbone.embedded_by,
        seconds=session.seconds,
        started=session.started,
        has_weights=False,
    )
    return Concluded(learned=learned, tested=tested, export=partial(average, files))


def _all_train(dataset: Dataset) -> list[Any]:
    return [one if one.split is None else replace(one, split="train") for one in dataset.examples]


def _read(path: Path) -> bytes:
    with storage_errors(path):
        return path.read_bytes()


def _choice(manifests: Sequence[Manifest], files: Sequence[bytes]) -> Choice[Candidate]:
    """What there is to tell of them together."""
    first, strategies = manifests[0], [one.strategy for one in manifests]
    length, shared = embedding_length(files) if first.backbone.embedding else (0, True)
    fingerprints = sorted({one.backbone.weights_fingerprint for one in manifests})
    joined = hashlib.sha256("".join(fingerprints).encode()).hexdigest()
    backbone = ReadyBackbone(
        name=first.backbone.name,
        network=Path(),
        weights=Path(),
        preprocessing=first.preprocessing.plain(),
        embedding=length,
        stages=first.backbone.stages if shared else (),
        pooling=first.backbone.pooling,
        weights_source=first.backbone.weights_source,
        weights_license=first.backbone.weights_license,
        fingerprint=fingerprints[0] if len(fingerprints) == 1 else joined,
        reused=False,
        seconds=0.0,
        test_time_augmentation=first.backbone.test_time_augmentation,
    )
    most = max(sorted(set(strategies)), key=strategies.count)
    winner: Validated[Candidate] = Validated(
        candidate=MeanCandidate(strategy=most, backbone=backbone),
        losses=np.zeros(0),
        figure_name="",
        figure=0.0,
        calibration=None,
    )
    return Choice(winner=winner, reason="", compared=())


def _expected(dataset: Dataset, files: Sequence[bytes], manifest: Manifest) -> Expected:
    """The mean of what the files say of the first pictures."""
    paths = [dataset.pictures[row].path for row in dataset.rows["train"][:PROOF].tolist()]
    preprocessing = manifest.preprocessing.plain()

    def mean(_: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        images = np.stack([load(read_bytes(path), preprocessing) for path in paths])
        each = [Session(data, source="the network of a fold").run(images, ["probabilities"])[0] for data in files]
        return np.asarray(np.mean(each, axis=0), dtype=np.float32)

    return Expected(of="probabilities", values=mean)

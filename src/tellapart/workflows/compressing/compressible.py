"""A finished run opened to be made smaller. In: a run's folder. Out: Compressible, its data and its network. Next: integers.py.

What is made of it is judged, tested and exported by the task's own functions, as if it had just been trained: a step gives another
network, and all that decides behind it is learned anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.compression.cutting import cut_network
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example, PictureFile
from tellapart.data.readers import READERS
from tellapart.errors import DataError, SettingsError
from tellapart.evaluation.choosing import Candidate, LinearCandidate
from tellapart.evaluation.intervals import group_numbers
from tellapart.features.backbone import ReadyBackbone
from tellapart.manifest import CompressionStep
from tellapart.reporter import Reporter, counted
from tellapart.runs.finished import open_finished
from tellapart.runs.open import WEIGHTS, OpenRun
from tellapart.sources.reading import exists
from tellapart.storage import storage_errors, write_bytes
from tellapart.tasks.table import task_of
from tellapart.tasks.task import Task
from tellapart.workflows.learning.finished import EmbedOnce

MOVED = "Where they were moved, say where they lie now: --pictures FOLDER"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compressible:
    """A run's network as it is, or as the steps before have made it."""

    run: OpenRun
    task: Task
    dataset: Dataset
    model: bytes  # the run's model.onnx
    network: bytes  # ONNX, from `image` to the task's `ends`
    candidate: Candidate  # that network, as the task judges and exports it
    work: Path  # a folder for files, gone at the end
    reporter: Reporter
    steps: tuple[CompressionStep, ...] = ()  # done so far

    def with_network(
        self, network: bytes, step: CompressionStep | None = None, *, weights: Path | None = None
    ) -> Compressible:
        """The same with another network, which has the same ends, behind which everything is to be learned anew.

        `step` says what was done; `weights` is a safetensors file of that network, where it has other tensors than the run's.
        """
        number = len(list(self.work.glob("network-*.onnx")))
        path = self.work / f"network-{number}.onnx"
        write_bytes(path, network)
        kept = weights or self.candidate.backbone.weights
        backbone = replace(self.candidate.backbone, network=path, weights=kept)
        candidate = _on(self.candidate, backbone, EmbedOnce(self.dataset.pictures, backbone, self.reporter))
        steps = self.steps if step is None else (*self.steps, step)
        return replace(self, network=network, candidate=candidate, steps=steps)

    @property
    def sample(self) -> NDArray[np.uint8]:
        """A picture of the network's size, uint8 [1, S, S, 3]."""
        return sample_of(self.run)


def open_compressible(folder: Path, work: Path, reporter: Reporter, *, pictures: Path | None = None) -> Compressible:
    """A finished run with all its pictures; `pictures` is where they lie now, if they were moved.

    Raises: SettingsError where it is no finished run, takes no pictures, or is in integers already; DataError where pictures are
    gone, or it has no test split; ModelFileError, StorageError.
    """
    run = open_finished(folder, pictures=pictures)
    if run.manifest.compression is not None and run.manifest.compression.integers:
        raise SettingsError(
            f"{run.file} computes in 8-bit integers already, and integers are not made of integers. Give the run that it came from."
        )
    if run.manifest.pictures is None:
        raise SettingsError(
            f"{run.file} takes no pictures, and only networks of pictures are made smaller. Train it with fewer features, or give "
            "another run."
        )
    task = task_of(run.manifest.task)
    dataset = dataset_of(run, task)
    with storage_errors(run.file):
        model = run.file.read_bytes()
    network = cut_network(model, task.ends, sample_of(run), source=str(run.file))
    path = work / "network-0.onnx"
    write_bytes(path, network)
    backbone = _backbone(run, path)
    return Compressible(
        run=run,
        task=task,
        dataset=dataset,
        model=model,
        network=network,
        candidate=task.reopen(model, backbone, run.manifest.strategy, EmbedOnce(dataset.pictures, backbone, reporter)),
        work=work,
        reporter=reporter,
    )


def sample_of(run: OpenRun) -> NDArray[np.uint8]:
    """A picture of noise of the network's size, uint8 [1, S, S, 3]: nothing in it is 0 by chance."""
    size = run.preprocessing.size
    return np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)


def dataset_of(run: OpenRun, task: Task, *, there: Callable[[Example], bool] | None = None) -> Dataset:
    """The run's own data set, split as it was. Raises: DataError where pictures are gone, or a split is empty.

    `there`: whether a picture, or text, is where it was; None: a file is.
    """
    examples = list(run.examples)
    usable = [index for index, example in enumerate(examples) if not example.problem and example.split]
    _check_there([examples[index] for index in usable], run, there or (lambda one: exists(one.path)))
    elsewhere = {one.group for one in examples if one.group and one.split in ("train", "validation")}
    targets = [examples[index].target for index in usable]
    return Dataset(
        classes=run.classes,
        examples=examples,
        indices=np.array(usable, dtype=np.int64),
        targets=task.encode(targets, run.classes),
        groups=group_numbers([examples[index].group for index in usable], len(usable)),
        splits=np.array([examples[index].split or "" for index in usable]),
        leaked=np.array([_leaked(examples[index], elsewhere) for index in usable], dtype=np.bool_),
        # Any bytes are taken: the run keeps no hash of a file.
        pictures=tuple(
            PictureFile(path=examples[index].path, file_hash="", content_hash=examples[index].content_hash)
            for index in usable
        ),
    )


def _check_there(examples: list[Example], run: OpenRun, there: Callable[[Example], bool]) -> None:
    item = READERS[run.manifest.task].words.item
    for split, why in (
        ("train", f"the ranges of the network's values, and what is like its {item}s, are learned from them"),
        ("validation", "it calibrates the smaller network"),
        ("test", "before and after are compared on it"),
    ):
        own = [one for one in examples if one.split == split]
        gone = [one for one in own if not there(one)]
        if not own:
            raise DataError(
                f"{run.folder} has no {item} of the {split} split; {why}. After K folds give the run of one fold, "
                "in the folder folds/."
            )
        if gone:
            raise DataError(
                f"of the {counted(len(own), item)} of the {split} split of {run.folder} {len(gone):,} are not there, such as "
                f"{gone[0].path}; {why}. {MOVED}"
            )


def _leaked(example: Example, elsewhere: set[str]) -> bool:
    """Whether a test picture has a copy or group mate that was learned from."""
    return example.split == "test" and example.group in elsewhere


def _backbone(run: OpenRun, network: Path) -> ReadyBackbone:
    told = run.manifest.backbone
    return ReadyBackbone(
        name=told.name,
        network=network,
        weights=run.folder / WEIGHTS,
        preprocessing=run.preprocessing,
        embedding=told.embedding,
        weights_source=told.weights_source,
        weights_license=told.weights_license,
        fingerprint=told.weights_fingerprint,
        reused=False,
        seconds=0.0,
        test_time_augmentation=told.test_time_augmentation,
        stages=told.stages,
        pooling=told.pooling,
    )


def _on(candidate: Candidate, backbone: ReadyBackbone, embed: EmbedOnce) -> Candidate:
    """What the candidate is with another network; a classifier stays as it is."""
    if isinstance(candidate, LinearCandidate):
        return replace(candidate, backbone=backbone, embeddings=embed, held_out=None)
    other: Any = candidate  # a dataclass, whatever its task
    found: Candidate = replace(other, backbone=backbone)
    return found

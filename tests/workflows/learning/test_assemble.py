"""One training is put together from what its task reads. In: coloured pictures, sources. Out: Job. Next: test_fitting.py."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Split
from tellapart.features.shrink import AugmentedPictures
from tellapart.models.blocks import Block
from tellapart.models.scratch import build_scratch
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Reporter, Silent
from tellapart.runs.run import Run
from tellapart.settings.reading import make_settings
from tellapart.tasks.detection.pictures import BoxPictures, box_pictures
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.table import TASKS
from tellapart.tasks.task import Task
from tellapart.workflows.learning.assemble import assemble_job
from tellapart.workflows.learning.job import Job
from tellapart.workflows.learning.planned import Planned
from tellapart.workflows.learning.shrunk import shrink_splits

SIDE = 16
SQUARE = Preprocessing(size=SIDE, crop=1.0, fit="pad")
SETTINGS = make_settings({"data": "x", "seed": 5, "class_weights": "balanced"})


@dataclass(frozen=True)
class Session:
    """What of a session is asked for."""

    run: Run
    reporter: Reporter


def prepared() -> Prepared:
    built = build_scratch("blocks", class_count=7, seed=0, size=SIDE, blocks=[Block(filters=4)])
    return Prepared(
        strategy="scratch",
        network=built.network,
        name="blocks",
        source="",
        license="",
        preprocessing=SQUARE,
        augment=build_augmentation(resolve("light", mixup=0.3), size=SIDE),
        learning_rate=0.1,
        epochs=1,
        most_epochs=1,
    )


def assembled(folder: Path, task: Task, dataset: Dataset) -> Job:
    session: Any = Session(Run(folder=folder, settings=SETTINGS, lock=None), Silent())
    ready = prepared()
    shrunk = shrink_splits(SETTINGS, task, dataset, ready, Silent())
    return assemble_job(session, task, shrunk, ready, Planned(epochs=1, views=0, deadline=None))


def test_pictures_alone_are_varied_for_training_and_plain_for_validation(tmp_path: Path, dataset: Dataset) -> None:
    job = assembled(tmp_path, TASKS["classification"], dataset)
    lesson = job.lesson
    assert isinstance(lesson.train, AugmentedPictures)
    assert lesson.train.seed == 5
    rows = np.arange(len(lesson.train))
    np.testing.assert_array_equal(job.samples, lesson.train.get(rows, 0))
    assert not np.array_equal(job.samples, lesson.train.pictures.get(rows, 0))
    again = np.arange(len(lesson.validation))
    np.testing.assert_array_equal(lesson.validation.get(again, 0), lesson.validation.get(again, 1))
    assert (lesson.train_targets.tolist(), lesson.train_rows.tolist()) == ([2, 1, 0], [0, 1, 2])


def test_the_classes_are_those_of_the_data_whatever_the_network_ends_in(tmp_path: Path, dataset: Dataset) -> None:
    assert assembled(tmp_path, TASKS["classification"], dataset).lesson.class_count == 3


def test_a_task_with_a_source_of_its_own_is_read_by_it(tmp_path: Path, dataset: Dataset) -> None:
    boxes = np.full((len(dataset.indices), 2, 6), np.nan, dtype=np.float32)
    for row, index in enumerate(dataset.indices):
        example = dataset.examples[index]
        boxes[row, 0] = (row, 0, 0, example.width, example.height, 0)
    task = replace(TASKS["classification"], source=box_pictures, strata=lambda targets: np.zeros(len(targets), int))
    job = assembled(tmp_path, task, replace(dataset, targets=boxes))
    lesson = job.lesson
    read: list[tuple[Any, Split]] = [(lesson.train, "train"), (lesson.validation, "validation")]
    for source, split in read:
        assert isinstance(source, BoxPictures)
        assert source.seed == 5
        assert source.boxes[:, 0, 0].tolist() == dataset.rows[split].tolist()
        # The whole picture in its square: 20 to 22 pixels of 30 in width, rounded, and all of its height.
        assert source.boxes[:, 0, [2, 4]].tolist() == [[0, SIDE]] * len(source)
        widths = [dataset.examples[dataset.indices[row]].width for row in dataset.rows[split]]
        wide = source.boxes[:, 0, 3] - source.boxes[:, 0, 1]
        assert wide.tolist() == [round(SIDE * width / 30) for width in widths]
    assert isinstance(lesson.train, BoxPictures)
    assert isinstance(lesson.validation, BoxPictures)
    assert (lesson.train.augment is not None, lesson.validation.augment) == (True, None)
    np.testing.assert_array_equal(job.samples, lesson.train.get(lesson.train_rows, 0)[0])


def test_rows_that_cannot_be_read_are_not_asked_for(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))  # where no square of it is kept
    dataset.pictures[dataset.rows["train"][1]].path.unlink()
    job = assembled(tmp_path, TASKS["classification"], dataset)
    assert job.lesson.train_rows.tolist() == [0, 2]
    assert len(job.samples) == 2


def test_what_is_learned_and_how_stands_in_the_lesson(tmp_path: Path, dataset: Dataset) -> None:
    lesson = assembled(tmp_path, TASKS["classification"], dataset).lesson
    assert (lesson.balanced, lesson.mixup, lesson.cutmix, lesson.start) == (True, 0.3, 0.0, 0)
    assert lesson.loop is SETTINGS.loop
    assert str(lesson.network) == str(prepared().network)
    assert lesson.validation_targets.tolist() == dataset.targets[dataset.rows["validation"]].tolist()
    assert lesson.validation_rows.tolist() == [0, 1, 2]

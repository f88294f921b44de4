"""A network of masks from its pictures to its file. In: discs and squares. Out: a first answer, a network trained on from it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tellapart.answers.mask_files import class_colours
from tellapart.bundle import SegmentationRecord
from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import ReadOptions
from tellapart.data.loading import TrainingBatches
from tellapart.data.targets import ClassName, MaskFile
from tellapart.errors import DataError
from tellapart.evaluation.choosing import Validated
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.caching import open_cache
from tellapart.preprocessing import load
from tellapart.reporter import Silent
from tellapart.settings.reading import make_settings
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.segmentation.agreement import count_pixels, figures_of
from tellapart.tasks.segmentation.candidates import PixelCandidate, choose, true_mask, validate
from tellapart.tasks.segmentation.finishing import exported, finish
from tellapart.tasks.segmentation.first import first_answer
from tellapart.tasks.segmentation.learner import teach
from tellapart.tasks.segmentation.network import SegmentationNetwork
from tellapart.tasks.segmentation.starting import prefer, prepare_finetune, suit
from tellapart.tasks.table import TASKS
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.devices import Devices
from tellapart.training.loop import fit
from tellapart.training.optimizer import build_optimizer
from tellapart.training.progress import Fitted, Progress
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Listeners, Saving, Trainee, TrainingLimits
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.learning.shrunk import shrink_splits
from tests.tasks.segmentation.made_pictures import CLASSES, HEIGHT, WIDTH, made_folder
from tests.tasks.segmentation.quick import probe_quickly

TASK = TASKS["segmentation"]


@dataclass(frozen=True)
class Given:
    """What the tests look at; made once."""

    settings: TrainSettings
    dataset: Dataset
    backbone: ReadyBackbone
    candidate: PixelCandidate
    folder: Path


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("masks")
    pictures = made_folder(folder / "pictures")
    told = {"data": str(pictures), "network": {"size": 64}, "loop": {"batch_size": 4}}
    with open_cache(Silent()) as cache:
        examined = examine(pictures, cache=cache, reporter=Silent(), options=ReadOptions())
    assert examined.listing.task == "segmentation"
    dataset = gather(examined, split=TASK.split, encode=TASK.encode, seed=0)
    settings = suit(prefer(make_settings(told)), dataset)
    backbone = prepare_backbone(settings.backbone, cache=cache_folder(), weights=None).wait()
    with pytest.MonkeyPatch.context() as patch:
        probe_quickly(patch, 60)
        candidate = first_answer(settings, dataset, backbone, folder / "first", "cpu", Silent())
    return Given(settings, dataset, backbone, candidate, folder)


def record() -> SegmentationRecord:
    return SegmentationRecord(temperature=1.0, colours=class_colours(3, background=0), background=0, calibrated_on=4)


def test_the_first_answer_finds_most_pixels_and_is_the_same_each_time(given: Given) -> None:
    with pytest.MonkeyPatch.context() as patch:
        probe_quickly(patch, 60)
        again = first_answer(given.settings, given.dataset, given.backbone, given.folder / "again", "cpu", Silent())
    assert again.backbone.fingerprint == given.candidate.backbone.fingerprint
    assert (again.strategy, again.pretrained, again.head()) == ("probe", given.backbone, {})
    json.dumps(again.details)
    rows, counts = given.dataset.rows["test"], np.zeros((3, 3), dtype=np.int64)
    for row, answer in zip(rows.tolist(), given.candidate.answers(given.dataset, rows, record()), strict=True):
        assert answer.mask is not None
        assert answer.mask.shape == (HEIGHT, WIDTH)
        counts += count_pixels(true_mask(given.dataset, row), answer.mask, 3)
    assert figures_of(counts)["iou"] > 0.8


def test_validation_says_what_its_answers_say_and_the_temperature(given: Given) -> None:
    validated = validate(given.candidate, given.dataset)
    rows = given.dataset.rows["validation"]
    counts = sum(
        count_pixels(true_mask(given.dataset, row), answer.mask, 3)
        for row, answer in zip(rows.tolist(), given.candidate.answers(given.dataset, rows, record()), strict=True)
        if answer.mask is not None
    )
    figures = figures_of(np.asarray(counts))
    assert (validated.figure_name, validated.figure) == ("iou", pytest.approx(figures["iou"], abs=1e-9))
    assert validated.facts == pytest.approx({name: figures[name] for name in ("dice", "pixel_accuracy")}, abs=1e-9)
    assert validated.calibration.pixels == len(rows) * WIDTH * HEIGHT
    assert 0.05 <= validated.calibration.temperature <= 20


def test_the_temperature_changes_how_sure_it_is_and_not_what_it_says(given: Given) -> None:
    rows = given.dataset.rows["test"][:2]
    plain, warm = (
        list(given.candidate.answers(given.dataset, rows, replace_temperature(value))) for value in (1.0, 3.0)
    )
    for one, other in zip(plain, warm, strict=True):
        assert (one.mask != other.mask).mean() < 0.02  # but where two tiles disagree
        assert one.confidence is not None
        assert other.confidence is not None
        assert other.confidence < one.confidence


def replace_temperature(value: float) -> SegmentationRecord:
    return record().model_copy(update={"temperature": value})


def test_embeddings_are_those_of_tiles_with_the_pixels_that_they_show(given: Given) -> None:
    rows = given.dataset.rows["test"][:2]
    for vectors, shown in given.candidate.embeddings(given.dataset, rows):
        assert vectors.shape == (2, given.candidate.backbone.embedding) == (2, 512)
        assert shown.tolist() == [64 * 64, 64 * 64]
    assert given.candidate.at_once(given.dataset, rows).shape == (2, 3, 64, 64)


def prepared_of(given: Given) -> Prepared:
    return prepare_finetune(given.settings, 3, given.candidate)


def test_training_begins_with_what_the_probe_says(given: Given) -> None:
    prepared = prepared_of(given)
    assert isinstance(prepared.network, SegmentationNetwork)
    assert (prepared.shape, prepared.preprocessing.fit) == ((64, 64, 3), "tile")
    rows = given.dataset.rows["test"][:1]
    inputs = given.candidate.backbone.preprocessing
    shown = np.stack([load(given.dataset.pictures[row].read(), inputs) for row in rows.tolist()])
    with torch.inference_mode():
        begun = prepared.network.eval()(torch.from_numpy(shown)).numpy()
    np.testing.assert_allclose(begun, given.candidate.at_once(given.dataset, rows), atol=1e-3)


class Killed(Exception):
    """Whatever ends a process."""


def trained(given: Given, folder: Path, *, killed_after: int | None = None) -> tuple[Prepared, Fitted]:
    """Two epochs of two updates, in checkpoints after each update."""
    prepared = prepared_of(given)
    shrunk = shrink_splits(given.settings, TASK, given.dataset, prepared, Silent())
    assert shrunk.squares is None
    with pytest.raises(ValueError, match="the pictures of this task are not shrunk"):
        _ = shrunk.train
    lesson = replace(shrunk.lesson, train_rows=shrunk.lesson.train_rows[:8])
    batches = TrainingBatches(
        lesson.train, lesson.train_targets, rows=lesson.train_rows, batch_size=4, seed=given.settings.seed
    )
    optimizer = build_optimizer(prepared.network.layer_groups(), learning_rate=1e-3, weight_decay=0.01)

    def on_step(progress: Progress) -> None:
        if killed_after is not None and (progress.epoch - 1) * batches.steps + progress.step == killed_after:
            raise Killed

    fitted = fit(
        Trainee(
            network=prepared.network,
            learner=teach(lesson, Devices(threads=1)),
            batches=batches,
            optimizer=optimizer,
            schedule=Schedule(optimizer, name="cosine", epochs=2, steps=batches.steps, warmup_epochs=0.5),
            seed=given.settings.seed,
            average_decay=0.9,
        ),
        TrainingLimits(epochs=2),
        devices=Devices(threads=1),
        listeners=Listeners(on_step=on_step),
        saving=Saving(checkpoints=Checkpoints(folder, fingerprint="masks"), steps=1),
    )
    return prepared, fitted


@pytest.mark.long
def test_a_training_that_is_killed_ends_in_the_same_weights_and_in_a_file(given: Given, tmp_path: Path) -> None:
    whole, fitted = trained(given, tmp_path / "whole")
    with pytest.raises(Killed):
        trained(given, tmp_path / "killed", killed_after=3)
    resumed, _ = trained(given, tmp_path / "killed")
    for (name, one), other in zip(
        whole.network.state_dict().items(), resumed.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    assert len(fitted.history) == 2
    assert list(fitted.history[0].validation) == ["iou", "dice", "pixel_accuracy"]

    candidate = finish(whole, fitted, tmp_path / "finished")
    second, first = validate(candidate, given.dataset), validate(given.candidate, given.dataset)
    choice = choose(first, second)
    kept, left = (second, first) if second.figure > first.figure else (first, second)
    assert choice.winner is kept
    assert choice.compared == (kept, left)
    names = {"probe": "pixel probe on the frozen encoder", "finetune": "fine-tuned network"}
    assert choice.reason.startswith(f"Kept the {names[kept.candidate.strategy]}: on validation its mean IoU is ")
    # Its file gives what torch gives, on real pictures.
    rows = given.dataset.rows["test"][:2]
    for row, answer in zip(rows.tolist(), candidate.answers(given.dataset, rows, record()), strict=True):
        assert answer.mask is not None
        assert (answer.mask == true_mask(given.dataset, row)).mean() > 0.7


def test_epochs_that_are_as_good_keep_the_first_answer(given: Given) -> None:
    first = validate(given.candidate, given.dataset)
    assert choose(first, replace(first, figure=first.figure)).winner is first
    better: Validated[Any] = replace(first, figure=first.figure + 0.01)
    assert choose(first, better).winner is better


def test_targets_and_pictures_that_are_none(given: Given) -> None:
    rows = given.dataset.rows["test"][:1]
    row = int(rows[0])
    index = int(given.dataset.indices[row])
    examples = list(given.dataset.examples)
    examples[index] = replace(examples[index], target=ClassName("disc"))
    with pytest.raises(TypeError, match="^a target ClassName; it must be a mask$"):
        true_mask(replace(given.dataset, examples=examples), row)
    pictures = list(given.dataset.pictures)
    pictures[row] = replace(pictures[row], path=Path("gone.png"))
    with pytest.raises(DataError, match=r"gone\.png: .* Scoring needs it; put it back as it was, and resume the run\."):
        list(given.candidate.answers(replace(given.dataset, pictures=tuple(pictures)), rows, record()))
    with pytest.raises(TypeError, match="^a Linear is no network of pixels$"):
        exported(
            torch.nn.Linear(1, 1),
            strategy="probe",
            name="x",
            source="",
            weights_license="",
            preprocessing=given.candidate.backbone.preprocessing,
            details={},
            folder=given.folder,
        )
    assert given.dataset.classes == CLASSES
    assert isinstance(given.dataset.examples[0].target, MaskFile)


def test_validation_pictures_of_which_nothing_counts(given: Given, tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "ignored.png"
    Image.new("L", (WIDTH, HEIGHT), 255).save(path)
    examples = [replace(one, target=MaskFile(path)) for one in given.dataset.examples]
    with pytest.raises(
        DataError, match=r"^\d+ validation pictures, without a pixel that counts; choosing needs one\. Add pictures"
    ):
        validate(given.candidate, replace(given.dataset, examples=examples))

"""A detector from its pictures to its file. In: squares and discs. Out: a first answer, a test. Next: test_starting.py."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from tellapart.answers.boxes import overlaps
from tellapart.data.augment import build_augmentation
from tellapart.data.augmentation import resolve
from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import PictureFile, ReadOptions
from tellapart.data.targets import Box, Boxes, ClassName
from tellapart.errors import DataError, ModelFileError
from tellapart.evaluation.choosing import Validated, only
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.caching import open_cache, row_limit_bytes
from tellapart.features.shrink import shrink
from tellapart.reporter import Silent
from tellapart.runs.proving import PROOF, prepared, prove
from tellapart.runtime import Session
from tellapart.settings.reading import make_settings
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.detection import telling, testing
from tellapart.tasks.detection.candidates import (
    DetectorCandidate,
    choose,
    truths,
    uncalibrated,
    validate,
)
from tellapart.tasks.detection.finishing import exported, finish
from tellapart.tasks.detection.first import BATCH, first_answer
from tellapart.tasks.detection.maps import export_maps, map_views
from tellapart.tasks.detection.network import Detector
from tellapart.tasks.detection.pictures import box_pictures
from tellapart.tasks.detection.starting import new_detector, prefer, prepare_finetune, squares
from tellapart.tasks.table import TASKS
from tellapart.training.planning import Clock
from tellapart.training.progress import Fitted
from tellapart.workflows.learning.examine import examine
from tests.tasks.detection.made_pictures import CLASSES, SIDE, made_table
from tests.tasks.detection.quick import learn_quickly, terms

TASK = TASKS["detection"]


@dataclass(frozen=True)
class Given:
    """What the tests look at; made once."""

    settings: TrainSettings
    dataset: Dataset
    backbone: ReadyBackbone
    candidate: DetectorCandidate
    folder: Path


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("boxes")
    table = made_table(folder / "pictures", count=44)
    settings = prefer(make_settings({"data": str(table), "network": {"size": SIDE}}))
    with open_cache(Silent()) as cache:
        examined = examine(table, cache=cache, reporter=Silent(), options=ReadOptions())
    dataset = gather(examined, split=TASK.split, encode=TASK.encode, seed=0)
    backbone = prepare_backbone(settings.backbone, cache=cache_folder(), weights=None).wait()
    with pytest.MonkeyPatch.context() as patch:
        learn_quickly(patch, 60)
        candidate = first_answer(settings, dataset, backbone, terms(folder / "first"))
    return Given(settings, dataset, backbone, candidate, folder)


def test_maps_kept_once_are_those_of_the_network_and_boxes_those_of_their_views(given: Given, tmp_path: Path) -> None:
    network = new_detector(given.settings, 2, given.backbone).eval()
    path, length = export_maps(network, folder=tmp_path)
    before = path.stat().st_mtime_ns
    assert export_maps(network, folder=tmp_path) == (path, length)
    assert path.stat().st_mtime_ns == before
    preprocessing = squares(given.backbone.preprocessing, given.settings)
    shown = shrink(
        [given.dataset.pictures[row] for row in given.dataset.rows["train"]],
        preprocessing=preprocessing,
        folder=tmp_path,
        limit_bytes=row_limit_bytes(),
    )
    augment = build_augmentation(resolve(**given.settings.augment.model_dump()), size=SIDE)
    pictures = box_pictures(given.dataset, "train", shown, augment=augment, seed=3)
    told: list[int] = []
    views = map_views(
        pictures, shown, backbone=path, length=length, views=2, folder=tmp_path, limit_bytes=10**9, advance=told.append
    )
    assert (len(views), views.problems, sum(told)) == (len(shown), {}, 2 * len(shown))
    rows = np.arange(6)
    seen = set()
    for epoch in range(2):
        maps, boxes = views.get(rows, epoch)
        for row in rows.tolist():
            view = int(views.maps.order[row, epoch])
            pixels, moved = pictures.get(np.array([row]), view)
            np.testing.assert_array_equal(boxes[row], moved[0])
            with torch.inference_mode():
                by_pixels = network(torch.from_numpy(pixels))
                by_maps = network(torch.from_numpy(maps[row : row + 1]).float(), start=len(network.body.stages))
            assert (by_pixels.scores - by_maps.scores).abs().max() < 0.05
            assert (by_pixels.boxes - by_maps.boxes).abs().max() < 1.0
            seen.add((row, view))
    assert len(seen) == 12, "each picture shows each of its views"
    path.write_bytes(b"cut short")
    assert export_maps(network, folder=tmp_path)[1] == length


@pytest.mark.slow
def test_the_first_answer_is_the_same_each_time_and_finds_most_things(given: Given) -> None:
    with pytest.MonkeyPatch.context() as patch:
        learn_quickly(patch, 60)
        again = first_answer(given.settings, given.dataset, given.backbone, terms(given.folder / "again"))
    assert again.backbone.fingerprint == given.candidate.backbone.fingerprint
    assert (again.strategy, again.pretrained) == ("probe", given.backbone)
    assert again.head() == {}
    validated = validate(given.candidate, given.dataset)
    assert validated.facts["ap50"] > 0.6
    assert 0.2 < validated.figure < validated.facts["ap50"]
    assert len(validated.losses) == 0
    rows = given.dataset.rows["test"]
    hits = 0
    for answer, truth in zip(
        given.candidate.look(given.dataset, rows, uncalibrated(2)).answers, truths(given.dataset, rows), strict=True
    ):
        assert answer.boxes is not None
        assert (answer.width, answer.height) == (SIDE, SIDE)
        assert ((answer.boxes >= 0) & (answer.boxes <= SIDE)).all()
        hits += int((overlaps(truth.boxes, answer.boxes).max(1, initial=0) > 0.5).sum())
    assert hits >= 0.8 * sum(len(truth.boxes) for truth in truths(given.dataset, rows))


def test_what_was_learned_is_not_learned_again(given: Given) -> None:
    class Told(Silent):
        """Notes the steps."""

        steps: ClassVar[list[str]] = []

        @contextlib.contextmanager
        def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
            self.steps.append(title)
            yield lambda done: None

    # The fixture's own first answer took fewer updates, which are part of what is asked for.
    with pytest.MonkeyPatch.context() as patch:
        learn_quickly(patch, 60)
        again = first_answer(
            given.settings, given.dataset, given.backbone, replace(terms(given.folder / "first"), reporter=Told())
        )
    assert Told.steps == ["Preparing the network"]
    assert again.backbone == given.candidate.backbone
    assert (again.strategy, again.pretrained, again.details) == ("probe", given.backbone, given.candidate.details)


@pytest.mark.long
def test_a_budget_bounds_it_by_a_plan_that_gives_the_same_weights_again(given: Given) -> None:
    kept: list[dict[str, int]] = []

    def keep(**planned: int) -> None:
        kept.append(planned)

    short = replace(terms(given.folder / "short"), clock=Clock(1.0, started=time.monotonic()), keep=keep)
    first = first_answer(given.settings, given.dataset, given.backbone, short)
    steps, epochs = len(given.dataset.rows["train"]) // BATCH, kept[0]["epochs"]
    assert kept == [{"epochs": epochs, "views": 1}]
    assert steps * (epochs - 1) < 40 <= steps * epochs < 480  # the least that teaches anything
    assert len(first.details["history"]) == epochs
    told = {"first_epochs": epochs, "first_views": 1}
    settings = given.settings.model_copy(update={"finetune": given.settings.finetune.model_copy(update=told)})
    # Resumed or repeated: nothing is planned anew, whatever time there is.
    again = replace(terms(given.folder / "told"), clock=Clock(10_000.0, started=time.monotonic()), keep=keep)
    second = first_answer(settings, given.dataset, given.backbone, again)
    assert second.backbone.fingerprint == first.backbone.fingerprint
    assert len(kept) == 1


def test_fine_tuning_goes_on_from_the_first_answer(given: Given, tmp_path: Path) -> None:
    prepared = prepare_finetune(given.settings, 2, given.candidate)
    network = prepared.network
    assert isinstance(network, Detector)
    image = torch.zeros((1, SIDE, SIDE, 3), dtype=torch.uint8)
    with torch.inference_mode():
        own = network.eval()(image)
    session = Session(given.candidate.backbone.network, source="the first answer")
    found = session.run(image.numpy(), ["found"])[0]
    np.testing.assert_allclose(own.scores.numpy(), found[..., 4:], atol=1e-3)
    # The stages below stride 8 are frozen, and nothing is classified.
    names = {name for group in network.layer_groups() for name, _ in group}
    assert not any(name.startswith("body.classifier") for name in names)
    assert len(network.layer_groups()) == len(network.body.stages) - network.levels[0].stage - 1 + 1
    assert prepared.facts == {"weights": given.backbone.fingerprint, "trained": 4}
    less = prepare_finetune(
        given.settings.model_copy(update={"finetune": given.settings.finetune.model_copy(update={"unfreeze": "1"})}),
        2,
        given.candidate,
    )
    assert len(less.network.layer_groups()) == 2
    fitted = Fitted(history=(), best_epoch=1, stopped="finished", chunk=None, messages=())
    done = finish(prepared, fitted, tmp_path / "work")
    assert done.strategy == "finetune"
    assert done.backbone.weights.parent == done.backbone.network.parent == tmp_path / "work"
    np.testing.assert_allclose(
        Session(done.backbone.network, source="").run(image.numpy(), ["found"])[0], found, atol=1e-3
    )
    with pytest.raises(TypeError, match="^a Linear is no detector$"):
        exported(
            torch.nn.Linear(1, 1),
            strategy="probe",
            name="",
            source="",
            weights_license="",
            preprocessing=prepared.preprocessing,
            details={},
            folder=tmp_path,
        )


def test_the_test_tells_truth_and_answer_and_proves_the_file(given: Given) -> None:
    validated = validate(given.candidate, given.dataset)
    tested = testing.test(given.settings, only(validated), given.dataset)
    assert tested.metrics["n"] == len(tested.rows) == len(given.dataset.rows["test"])
    assert tested.metrics["ap50"]["value"] > 0.6
    assert set(tested.scores) == {"ap50", "ap", "ap75", "f1", "precision", "recall"}
    examples = [given.dataset.examples[index] for index in given.dataset.indices[tested.rows].tolist()]
    assert tested.lines is not None
    lines = list(tested.lines(examples))
    assert [line["path"] for line in lines] == [str(example.path) for example in examples]
    json.dumps(lines)
    for line, example in zip(lines, examples, strict=True):
        assert isinstance(example.target, Boxes)
        assert line["truth"] == [
            [one.label, one.left, one.top, one.right, one.bottom, 0] for one in example.target.boxes
        ]
        scores = [row[1] for row in line["answer"]]
        assert scores == sorted(scores, reverse=True)
        assert {row[0] for row in line["answer"]} <= set(CLASSES)

    summary = telling.summary({"test": tested.metrics})
    assert summary[0].startswith(f"Average precision at IoU 0.5 on {len(examples)} test pictures with ")
    assert [line.split()[0] for line in summary[-2:]] == ["disc", "square"]
    assert telling.decided({"threshold_rule": "f1"}) == "boxes     a threshold a class, for the best F1 on validation"
    assert telling.scored(tested.metrics)[0].split() == ["pictures", str(len(examples))]


@dataclass(frozen=True)
class CountedPicture(PictureFile):
    """Notes whenever it is read."""

    reads: list[Path] = field(default_factory=list)

    def read(self) -> bytes:
        self.reads.append(self.path)
        return super().read()


def test_boxes_and_novelty_of_a_picture_come_from_one_look(given: Given) -> None:
    reads: list[Path] = []
    pictures = tuple(
        CountedPicture(path=one.path, file_hash=one.file_hash, content_hash=one.content_hash, reads=reads)
        for one in given.dataset.pictures
    )
    dataset = replace(given.dataset, pictures=pictures)
    paths = {split: [pictures[row].path for row in dataset.rows[split]] for split in ("train", "validation", "test")}
    validated = validate(given.candidate, dataset)
    assert sorted(reads) == sorted(paths["validation"])
    reads.clear()
    tested = testing.test(given.settings, only(validated), dataset)
    proof = [pictures[row].path for row in tested.rows[:PROOF].tolist()]
    assert sorted(reads) == sorted([*paths["test"], *proof, *paths["train"]])
    # And what came beside the boxes is what the file says by itself.
    looked = given.candidate.look(dataset, tested.rows, uncalibrated(2))
    own = given.candidate.embeddings([pictures[row] for row in tested.rows.tolist()])
    assert looked.embeddings is not None
    assert own is not None
    np.testing.assert_allclose(np.concatenate(looked.embeddings), own, atol=1e-6)
    assert tested.details.measured["n"] == len(dataset.clean_test)


def test_a_file_with_other_scores_is_not_written(given: Given, tiny_manifest: Any) -> None:
    validated = validate(given.candidate, given.dataset)
    choice = only(validated)
    tested = testing.test(given.settings, choice, given.dataset)
    preprocessing = given.candidate.backbone.preprocessing
    manifest = tiny_manifest.model_copy(
        update={
            "task": "detection",
            "classes": CLASSES,
            "pictures": type(tiny_manifest.preprocessing).of(preprocessing),
            "record": tested.record,
        }
    )
    shown = [given.dataset.examples[index] for index in given.dataset.indices[tested.rows].tolist()][:4]
    images = prepared(shown, preprocessing)
    assert prove(testing.export(choice, tested, manifest), images, tested.expected) < 1e-4
    off = tested.record.model_copy(update={"offsets": tuple(one + 0.1 for one in tested.record.offsets)})
    with pytest.raises(ModelFileError, match="scores"):
        prove(testing.export(choice, tested, manifest.model_copy(update={"record": off})), images, tested.expected)


def test_the_higher_average_precision_is_kept(given: Given) -> None:
    probe = validate(given.candidate, given.dataset)
    tuned = replace(given.candidate, strategy="finetune")

    def judged(figure: float) -> Validated[DetectorCandidate]:
        return replace(probe, candidate=tuned, figure=figure)

    better = choose(probe, judged(probe.figure + 0.1))
    assert better.winner.candidate is tuned
    assert better.reason.startswith(
        "Kept the fine-tuned detector: on validation its average precision (IoU 0.5 to 0.95) is "
    )
    same = choose(probe, judged(probe.figure))
    assert same.winner is probe
    assert same.reason.startswith("Kept the detector on the frozen backbone: ")
    assert [one.candidate.strategy for one in same.compared] == ["probe", "finetune"]


def test_boxes_are_needed_to_learn_choose_and_test(given: Given) -> None:
    rows = given.dataset.rows["validation"].tolist()
    without = list(given.dataset.examples)
    for row in rows:
        without[int(given.dataset.indices[row])] = replace(without[int(given.dataset.indices[row])], target=Boxes())
    with pytest.raises(DataError, match=r"^\d+ validation pictures, without a box that counts; choosing needs one\. "):
        validate(given.candidate, replace(given.dataset, examples=without))
    targets = given.dataset.targets.copy()
    targets[rows, :, 5] = 1
    with pytest.raises(
        DataError, match=r"^0 of \d+ pictures of the validation split have a box that counts; 1 must\. "
    ):
        TASK.check(given.settings, replace(given.dataset, targets=targets))


def test_a_target_that_is_no_boxes_has_none(given: Given) -> None:
    examples = [replace(one, target=ClassName("disc")) for one in given.dataset.examples]
    assert [len(one.boxes) for one in truths(replace(given.dataset, examples=examples), np.arange(3))] == [0, 0, 0]


def test_a_picture_that_is_gone_is_told(given: Given) -> None:
    gone = replace(given.dataset.pictures[0], path=given.folder / "gone.png")
    with pytest.raises(DataError, match=r"gone\.png: .* Scoring needs it; put it back as it was, and resume the run\."):
        list(given.candidate.everywhere([gone]))


def test_pictures_are_drawn_by_their_rarest_class() -> None:
    boxes = [
        Boxes((Box("a", 0, 0, 1, 1), Box("b", 0, 0, 1, 1))),
        Boxes((Box("a", 0, 0, 1, 1),)),
        Boxes(),
        Boxes((Box("a", 0, 0, 1, 1), Box("a", 0, 0, 2, 2))),
    ]
    assert TASK.strata(TASK.encode(boxes, ("a", "b"))).tolist() == [1, 0, 2, 0]

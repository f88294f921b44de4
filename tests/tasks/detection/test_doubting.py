"""The label doctor of boxes. In: made pictures with planted faults. Out: every fault, put right; who was not judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.cli.doubts import doubt_lines
from tellapart.data.dataset import Dataset, unsplit
from tellapart.data.examples import Example, PictureFile, ReadOptions
from tellapart.data.targets import Box, Boxes, class_boxes
from tellapart.errors import DataError
from tellapart.evaluation.doubts import Doubted
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.caching import open_cache
from tellapart.reporter import Silent
from tellapart.settings.reading import make_settings
from tellapart.settings.tree import TrainSettings
from tellapart.storage import cache_folder
from tellapart.tasks.detection.candidates import AnsweredBoxes
from tellapart.tasks.detection.doubting import JudgedBoxes, doubt, judge_boxes_out_of_fold, name_doubts
from tellapart.tasks.detection.matching import truth_of
from tellapart.tasks.detection.starting import prefer
from tellapart.tasks.table import TASKS
from tellapart.workflows.labels import _judge_by_training
from tellapart.workflows.learning.examine import examine
from tests.tasks.detection.made_pictures import SIDE, made_table
from tests.tasks.detection.quick import learn_quickly

CLASSES = ("cat", "dog")


def dataset_of(targets: list[Boxes], classes: tuple[str, ...] = CLASSES) -> Dataset:
    examples = [
        Example(
            path=Path(f"{number}.png"),
            target=target,
            split=None,
            group=str(number),
            content_hash=str(number),
            width=400,
            height=400,
        )
        for number, target in enumerate(targets)
    ]
    count = len(examples)
    return Dataset(
        classes=classes,
        examples=examples,
        indices=np.arange(count),
        targets=class_boxes(targets, classes),
        groups=np.arange(count),
        splits=np.full(count, "", dtype="<U10"),
        leaked=np.zeros(count, dtype=np.bool_),
        pictures=tuple(PictureFile(path=one.path, file_hash="", content_hash="") for one in examples),
    )


def made_truth(seed: int, count: int = 60) -> list[Boxes]:
    """Pictures with one to four boxes that do not touch."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        places = generator.permutation(16)[: int(generator.integers(1, 5))]
        boxes = []
        for place in places.tolist():
            left, top = (100 * (place % 4) + 10, 100 * (place // 4) + 10)
            width, height = generator.integers(40, 70, 2).tolist()
            boxes.append(Box(CLASSES[int(generator.integers(0, 2))], left, top, left + width, top + height))
        found.append(Boxes(tuple(boxes)))
    return found


def seen_by_a_good_detector(truth: list[Boxes], seed: int) -> list[AnsweredBoxes]:
    """The true boxes, a pixel or two off, with the scores of a detector that is mostly sure; and some weak false ones."""
    generator = np.random.default_rng(seed)
    answers = []
    for target in truth:
        rows = [
            [box.left, box.top, box.right, box.bottom, generator.uniform(0.7, 0.99), CLASSES.index(box.label)]
            for box in target.boxes
        ]
        rows.append([*generator.uniform(0, 150, 2), *generator.uniform(200, 390, 2), generator.uniform(0.0, 0.3), 0])
        array = np.array(rows)
        array[:, :4] += generator.uniform(-1.5, 1.5, (len(array), 4))
        order = np.argsort(-array[:, 4])
        answers.append(
            AnsweredBoxes(
                boxes=array[order, :4].astype(np.float32),
                scores=array[order, 4].astype(np.float32),
                labels=array[order, 5].astype(np.int64),
            )
        )
    return answers


def spoiled(target: Boxes, kind: str) -> Boxes:
    """The same with its first box dropped, moved or under the other class, or with a box where there is nothing."""
    box, *rest = target.boxes
    width = box.right - box.left
    if kind == "missing":
        return Boxes(tuple(rest))
    if kind == "place":
        return Boxes((replace(box, left=box.left + 0.4 * width, right=box.right + 0.4 * width), *rest))
    if kind == "class":
        return Boxes((replace(box, label=CLASSES[1 - CLASSES.index(box.label)]), *rest))
    taken = {(int(one.left) // 100, int(one.top) // 100) for one in target.boxes}
    across, down = next((x, y) for x in range(4) for y in range(4) if (x, y) not in taken)
    return Boxes((*target.boxes, Box("cat", 100 * across + 10, 100 * down + 10, 100 * across + 60, 100 * down + 60)))


@pytest.mark.parametrize("seed", range(4))
def test_every_planted_fault_is_at_the_top_and_put_right(seed: int) -> None:
    truth = made_truth(seed)
    kinds = ("missing", "place", "class", "nothing")
    planted = {row: kinds[number % 4] for number, row in enumerate(range(0, len(truth), 5))}
    given = [spoiled(target, planted[row]) if row in planted else target for row, target in enumerate(truth)]
    judged = JudgedBoxes(
        rows=np.arange(len(truth)),
        answers=seen_by_a_good_detector(truth, seed),
        truths=[truth_of(target, CLASSES) for target in given],
        untold=Counter(),
    )
    found = name_doubts(dataset_of(given), judged)
    assert {one.row: one.kind for one in found.wrong[: len(planted)]} == planted
    assert len(found.wrong) == len(planted)
    for one in found.wrong:
        assert Boxes.read(one.label) == given[one.row]
        right, suggested = truth[one.row], Boxes.read(one.suggested)
        assert Counter(box.label for box in suggested.boxes) == Counter(box.label for box in right.boxes)
        for box in suggested.boxes:
            assert min(abs(box.left - other.left) + abs(box.bottom - other.bottom) for other in right.boxes) < 4
        words = {"missing": " missing", "place": " badly placed", "class": " may be ", "nothing": "cat may be nothing"}
        assert words[one.kind] in one.told
        assert np.isnan(one.probability_of_suggested) == (one.kind == "nothing")
    assert found.agreement == 1 - len(planted) / len(truth)


def test_what_was_not_judged_is_told() -> None:
    target = Boxes((Box("cat", 0, 0, 50, 50),))
    answers = [AnsweredBoxes(boxes=np.empty((0, 4), np.float32), scores=np.empty(0), labels=np.empty(0, np.int64))]
    truth = truth_of(target, CLASSES)
    judged = JudgedBoxes(
        rows=np.array([1]),
        answers=answers,
        truths=[replace(truth, ignored=np.ones(1, dtype=np.bool_))],
        untold=Counter(cat=1),
    )
    found = name_doubts(dataset_of([target, target]), judged)
    assert found.wrong == ()
    assert found.lead == (
        "0 boxes of 1 picture judged by detectors on the frozen network that had not seen them; 0 pictures to look at. "
        "Not judged: 1 picture, since the others show too few boxes. "
        "Not judged, since too few others show their class: 1 of cat."
    )


def test_many_doubts_of_a_picture_are_told_in_few_words() -> None:
    truth = Boxes(tuple(Box("cat", 100 * x + 10, 10, 100 * x + 60, 60) for x in range(4)))
    (answer,) = seen_by_a_good_detector([truth], 0)
    judged = JudgedBoxes(rows=np.array([0]), answers=[answer], truths=[truth_of(Boxes(), CLASSES)], untold=Counter())
    (found,) = name_doubts(dataset_of([Boxes()]), judged).wrong
    assert found.told == "cat missing, cat missing, cat missing and 1 more"


def test_too_few_boxes_to_judge_any(tiny_backbone: ReadyBackbone, tmp_path: Path) -> None:
    dataset = dataset_of([Boxes((Box("cat", 0, 0, 50, 50),)), Boxes()])
    settings = make_settings({"data": "x"})
    with pytest.raises(
        DataError, match=r"2 pictures with 1 boxes that count are too few to judge some by the others\."
    ):
        judge_boxes_out_of_fold(settings, dataset, tiny_backbone, tmp_path, "cpu", Silent(), folds=2)


@pytest.fixture
def tiny_backbone() -> ReadyBackbone:
    """None is looked at where nothing can be judged."""
    return None  # type: ignore[return-value]


@pytest.mark.long
def test_every_picture_is_judged_by_a_detector_that_did_not_see_it(tmp_path: Path) -> None:
    table = made_table(tmp_path / "pictures", count=40)
    with open_cache(Silent()) as cache:
        examined = examine(table, cache=cache, reporter=Silent(), options=ReadOptions())
    dataset = unsplit(examined, encode=class_boxes)
    assert set(dataset.splits.tolist()) == {""}
    settings = prefer(make_settings({"data": str(table), "network": {"size": SIDE}, "strategy": "probe"}))
    backbone = prepare_backbone(settings.backbone, cache=cache_folder(), weights=None).wait()
    with pytest.MonkeyPatch.context() as patch:
        learn_quickly(patch, 30)
        found = doubt(settings, dataset, backbone, tmp_path / "work", "cpu", Silent())
    assert found.judged == 40
    boxes = sum(len(truth_of(one.target, dataset.classes).labels) for one in dataset.examples)  # type: ignore[arg-type]
    assert found.lead.startswith(
        f"{boxes} boxes of 40 pictures judged by detectors on the frozen network that had not seen them"
    )
    assert {one.row for one in found.wrong} <= set(range(40))


@pytest.mark.parametrize(("tiles", "fit"), [(False, "pad"), (True, "tile")])
def test_detectors_judge_in_tiles_where_that_is_told(tmp_path: Path, tiles: bool, fit: str) -> None:
    table = made_table(tmp_path / "pictures", count=4)
    seen: list[TrainSettings] = []

    def judge(settings: TrainSettings, *given: Any) -> Doubted:
        seen.append(settings)
        return Doubted(wrong=(), outliers=(), ambiguous=(), judged=4, agreement=1.0, lead="")

    with open_cache(Silent()) as cache:
        examined = examine(table, cache=cache, reporter=Silent(), options=ReadOptions())
        pending = prepare_backbone("tf_efficientnet_lite0", cache=cache_folder(), weights=None)
        _judge_by_training(
            TASKS["detection"], judge, examined, pending, device="cpu", seed=0, tiles=tiles, reporter=Silent()
        )
    assert [(one.network.fit, one.network.size, one.strategy) for one in seen] == [(fit, 320, "probe")]


def test_what_may_be_wrong_is_a_table_for_a_person(tmp_path: Path) -> None:
    row = {"path": "a.png", "label": "[]", "suggested": "[]", "kind": "missing", "score": 0.912, "told": "cat missing"}
    record = {
        "judged": 3,
        "not_judged": 1,
        "agreement": 0.5,
        "told": "4 boxes judged.",
        "wrong": [row] * 12,
        "outliers": [],
        "ambiguous": [],
    }
    lines = doubt_lines(record, Path("pictures"), tmp_path / "l.csv", "detection", told=["--task", "detection"])
    assert lines[1:5] == [
        "Boxes: 4 boxes judged.",
        "",
        "Probably wrong boxes (in 12):",
        f"  {'picture':<44}{'what may be wrong':<60}{'score':>7}",
    ]
    assert lines[5] == f"  {'a.png':<44}{'cat missing':<60}{'0.912':>7}"
    assert lines[15] == f"  ... and 2 more; {tmp_path / 'l.csv'} has all"
    assert lines[-2].endswith("where it is wrong; empty leaves the picture out, [] is a picture without boxes")
    assert lines[-1] == f"then          tellapart train pictures --task detection --labels {tmp_path / 'l.csv'}"
    nothing = doubt_lines({**record, "wrong": []}, Path("pictures"), None, "detection", told=[])
    assert nothing == ["", "Boxes: 4 boxes judged.", "No box is doubtful."]

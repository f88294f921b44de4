"""The label doctor: boxes. In: settings, Dataset, ReadyBackbone. Out: Doubted. Next: box_doubts.py.

Pictures are dealt into folds, copies together. For each fold a first answer, a head on the frozen backbone, learns from the other
folds and is calibrated on a part of them; what it says of its own fold speaks for or against the boxes there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tellapart.evaluation.doubts import Doubted, NamedDoubt
from tellapart.features.backbone import ReadyBackbone
from tellapart.reporter import Reporter, counted
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.detection.box_doubts import BoxDoubt, doubt_boxes, worth_a_look
from tellapart.tasks.detection.candidates import AnsweredBoxes, answered, on_validation, truths, validate
from tellapart.tasks.detection.deciding import decide
from tellapart.tasks.detection.first import first_answer
from tellapart.tasks.detection.matching import TrueBoxes
from tellapart.tasks.detection.testing import record_of
from tellapart.tasks.task import FirstTerms
from tellapart.training.multilabel_folds import deal_label_sets

FOLDS = 2  # each takes as long as a first answer
_PARTS = 5  # of what a fold's detector may see; one of them calibrates it
_LEAST_BOXES = 5  # of a class in what a detector learns from: of fewer it knows too little to doubt others
_TOLD = 3  # doubts of a picture that are told in words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedBoxes:
    """What detectors say of pictures that they have not seen. n pictures."""

    rows: NDArray[np.int64]  # [n], of the data set
    answers: list[AnsweredBoxes]  # [n], scores calibrated
    truths: list[TrueBoxes]  # [n]; of a class that could not be judged the boxes are ignored
    untold: Counter[str]  # boxes that could not be judged, by class


def doubt(
    settings: TrainSettings, dataset: Dataset, backbone: ReadyBackbone, work: Path, device: str, reporter: Reporter
) -> Doubted:
    """Judge every box by a detector that did not see its picture; `settings` as `prefer` gives them, files go to `work`.

    A picture is named once, with all its doubts: its boxes put right are what is suggested. Raises: DataError where no fold has
    enough boxes to learn from; BackboneError, TrainingError, StorageError.
    """
    return name_doubts(
        dataset, judge_boxes_out_of_fold(settings, dataset, backbone, work, device, reporter, folds=FOLDS)
    )


def name_doubts(dataset: Dataset, judged: JudgedBoxes) -> Doubted:
    """What a person should look at, a picture once."""
    by_picture: defaultdict[int, list[BoxDoubt]] = defaultdict(list)
    for one in worth_a_look(doubt_boxes(judged.answers, judged.truths, len(dataset.classes))):
        by_picture[one.picture].append(one)
    wrong = [_named(dataset, judged, picture, doubts) for picture, doubts in by_picture.items()]
    return Doubted(
        wrong=tuple(sorted(wrong, key=lambda one: (-one.score, one.row))),
        outliers=(),
        ambiguous=(),
        judged=len(judged.rows),
        agreement=1 - len(wrong) / len(judged.rows),
        lead=_lead(judged, len(wrong), left=len(dataset.indices) - len(judged.rows)),
    )


def judge_boxes_out_of_fold(
    settings: TrainSettings,
    dataset: Dataset,
    backbone: ReadyBackbone,
    work: Path,
    device: str,
    reporter: Reporter,
    *,
    folds: int,
) -> JudgedBoxes:
    """The answers of `folds` detectors, each for the pictures that it has not seen. Raises: as `doubt`."""
    generator = np.random.default_rng(settings.seed)
    there = _classes_there(dataset)
    fold_of = deal_label_sets(there, dataset.groups, folds, generator)
    rows, answers, truth, untold = [], [], [], Counter[str]()
    for fold in range(int(fold_of.max(initial=-1)) + 1):
        part = _part(dataset, fold_of == fold, there, generator)
        known = _boxes_of(part, "train")
        if not known.any() or not _boxes_of(part, "validation").any():
            continue
        reporter.say(f"fold {fold + 1} of {folds}: learning from the others")
        own = part.rows["test"]
        answers += _answers(settings, part, backbone, work / f"fold {fold}", device, reporter)
        for one in truths(part, own):
            rare = known[one.labels] < _LEAST_BOXES
            untold.update(part.classes[label] for label in one.labels[rare & ~one.ignored].tolist())
            truth.append(replace(one, ignored=one.ignored | rare))
        rows.append(own)
    if not rows:
        raise DataError(
            f"{counted(len(dataset.indices), 'picture')} with {int(_boxes_of(dataset, '').sum())} boxes that count are too few to "
            "judge some by the others. Add pictures, or leave --labels out."
        )
    return JudgedBoxes(rows=np.concatenate(rows), answers=answers, truths=truth, untold=untold)


def _classes_there(dataset: Dataset) -> NDArray[np.float64]:
    """Which classes each picture shows, [N, K] in {0, 1}."""
    there = np.zeros((len(dataset.targets), len(dataset.classes)))
    pictures, places = np.nonzero(~np.isnan(dataset.targets[..., 0]))
    there[pictures, dataset.targets[pictures, places, 0].astype(np.int64)] = 1
    return there


def _part(
    dataset: Dataset, own: NDArray[np.bool_], there: NDArray[np.float64], generator: np.random.Generator
) -> Dataset:
    """The data set with the pictures of one fold, bool [N], as test, and the others as train and validation."""
    others = np.flatnonzero(~own)
    splits = np.full(len(own), "test", dtype="<U10")
    parts = deal_label_sets(there[others], dataset.groups[others], _PARTS, generator)
    splits[others] = np.where(parts == 0, "validation", "train")
    return replace(dataset, splits=splits)


def _boxes_of(dataset: Dataset, split: str) -> NDArray[np.int64]:
    """How many boxes of each class count in a split, int64 [K]; "" is no split."""
    boxes = dataset.targets[dataset.splits == split]
    counts = (boxes[..., 5] == 0) & ~np.isnan(boxes[..., 0])
    return np.bincount(boxes[counts][:, 0].astype(np.int64), minlength=len(dataset.classes))


def _answers(
    settings: TrainSettings, part: Dataset, backbone: ReadyBackbone, work: Path, device: str, reporter: Reporter
) -> list[AnsweredBoxes]:
    """What a detector that learned from the train split says of the test split."""
    terms = FirstTerms(work=work, device=device, reporter=reporter)
    candidate = first_answer(settings, part, backbone, terms)
    decided = decide(on_validation(validate(candidate, part)).matches)
    record = record_of(decided, calibrated_on=len(part.rows["validation"]))
    return [answered(one) for one in candidate.look(part, part.rows["test"], record).answers]


def _named(dataset: Dataset, judged: JudgedBoxes, picture: int, doubts: Sequence[BoxDoubt]) -> NamedDoubt:
    """All doubts about a picture as one, the most suspicious first."""
    row, answer, first = int(judged.rows[picture]), judged.answers[picture], doubts[0]
    target = dataset.examples[dataset.indices[row]].target
    given = target if isinstance(target, Boxes) else Boxes()
    words = [_words(one, given, answer, dataset.classes) for one in doubts]
    more = f" and {len(words) - _TOLD} more" if len(words) > _TOLD else ""
    return NamedDoubt(
        row=row,
        kind=first.kind,
        label=given.text,
        suggested=Boxes(tuple(_put_right(given, doubts, answer, dataset.classes))).text,
        probability_of_label=float("nan"),
        probability_of_suggested=float(answer.scores[first.answer]) if first.answer >= 0 else float("nan"),
        score=first.score,
        told=", ".join(words[:_TOLD]) + more,
    )


def _words(one: BoxDoubt, given: Boxes, answer: AnsweredBoxes, classes: Sequence[str]) -> str:
    said = classes[answer.labels[one.answer]] if one.answer >= 0 else ""
    if one.kind == "missing":
        return f"{said} missing"
    label = given.boxes[one.box].label
    return f"{label} {({'class': f'may be {said}', 'place': 'badly placed', 'nothing': 'may be nothing'})[one.kind]}"


def _put_right(
    given: Boxes, doubts: Sequence[BoxDoubt], answer: AnsweredBoxes, classes: Sequence[str]
) -> Iterator[Box]:
    """The picture's boxes as the detector would have them where it doubts them; others as they are."""
    about = {one.box: one for one in doubts if one.kind != "missing"}
    for place, box in enumerate(given.boxes):
        one = about.get(place)
        if one is None:
            yield box
        elif one.kind == "class":
            yield replace(box, label=classes[answer.labels[one.answer]])
        elif one.kind == "place":
            yield _answered_box(answer, one.answer, box.label)
    for one in doubts:
        if one.kind == "missing":
            yield _answered_box(answer, one.answer, classes[answer.labels[one.answer]])


def _answered_box(answer: AnsweredBoxes, place: int, label: str) -> Box:
    left, top, right, bottom = (round(side, 1) for side in answer.boxes[place].astype(np.float64).tolist())
    return Box(label, left, top, right, bottom)


def _lead(judged: JudgedBoxes, doubted: int, *, left: int) -> str:
    whole = sum(int((~one.ignored).sum()) for one in judged.truths)
    judges = "detectors on the frozen network that had not seen them"
    boxes = f"{whole:,} box{'' if whole == 1 else 'es'} of {counted(len(judged.rows), 'picture')}"
    told = [f"{boxes} judged by {judges}; {counted(doubted, 'picture')} to look at."]
    if left:
        told.append(f"Not judged: {counted(left, 'picture')}, since the others show too few boxes.")
    if judged.untold:
        few = ", ".join(f"{count:,} of {name}" for name, count in judged.untold.most_common(5))
        more = f" and {len(judged.untold) - 5} more classes" if len(judged.untold) > 5 else ""
        told.append(f"Not judged, since too few others show their class: {few}{more}.")
    return " ".join(told)

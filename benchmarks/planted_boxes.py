"""How many planted faults of boxes the label doctor finds. In: data sets of boxes. Out: precision, as JSON lines.

A share of the boxes (--share, 5 %) is dropped, moved by two fifths of its size, put under another class, or drawn where nothing
is, in turn (classes only where there are two), once for each seed; the rest is what `tellapart check --labels` does: detectors that
learn from the spoiled boxes of half the pictures judge the other half. `top` is the share of planted faults among as many doubts as
were planted, the most suspicious first; a doubt that names another box counts as wrong, though some of the data sets' own boxes
are. `named` is how many doubts a person is shown, `found` how many of the planted ones are among them; `chance` is what guessing
among boxes would give. By kind: planted, and found among the doubts that are shown.

    python benchmarks/planted_boxes.py raccoon_voc/ bccd_voc/ --seeds 1
    python benchmarks/planted_boxes.py bccd_voc/ --most 160                   some of the pictures
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset, unsplit
from tellapart.data.examples import ReadOptions
from tellapart.data.survey import Examined
from tellapart.data.targets import Box, Boxes, class_boxes
from tellapart.features.backbone import prepare_backbone
from tellapart.features.caching import open_cache
from tellapart.preprocessing import fitted
from tellapart.reporter import Silent
from tellapart.settings.reading import make_settings
from tellapart.storage import cache_folder
from tellapart.tasks.detection.box_doubts import BoxDoubt, doubt_boxes, worth_a_look
from tellapart.tasks.detection.doubting import FOLDS, JudgedBoxes, judge_boxes_out_of_fold
from tellapart.tasks.detection.matching import box_overlaps
from tellapart.tasks.detection.starting import prefer
from tellapart.workflows.learning.examine import examine

KINDS = ("missing", "place", "class", "nothing")


@dataclass(frozen=True)
class Planted:
    """One fault: its kind, the entry, and the box as it was, or as it was brought in."""

    kind: str
    entry: int
    box: Box


def some_of(examined: Examined, most: int) -> Examined:
    """The same with at most so many pictures that can be read; the others count as unreadable."""
    readable = [index for index, one in enumerate(examined.inspections) if not one.problem]
    kept = set(np.random.default_rng(0).permutation(readable)[:most].tolist())
    inspections = [
        one if one.problem or index in kept else replace(one, problem="left out")
        for index, one in enumerate(examined.inspections)
    ]
    return replace(examined, inspections=inspections)


def plant(examined: Examined, share: float, seed: int) -> tuple[Examined, list[Planted]]:
    """The same pictures with a share of their boxes spoiled, at most one a picture."""
    generator = np.random.default_rng(seed)
    entries, classes = list(examined.listing.entries), examined.listing.classes
    kinds = [kind for kind in KINDS if kind != "class" or len(classes) > 1]
    filled = [
        index
        for index, entry in enumerate(entries)
        if not examined.inspections[index].problem and isinstance(entry.target, Boxes) and entry.target.boxes
    ]
    whole = sum(len(entries[index].target.boxes) for index in filled)
    planted = []
    for number, index in enumerate(generator.permutation(filled)[: round(share * whole)].tolist()):
        size = (examined.inspections[index].width, examined.inspections[index].height)
        boxes, kind = list(entries[index].target.boxes), kinds[number % len(kinds)]
        place = int(generator.integers(0, len(boxes)))
        box = boxes[place]
        if kind == "missing":
            del boxes[place]
        elif kind == "nothing":
            box = boxes_beside(boxes, size, generator)
            boxes.append(box)
        elif kind == "class":
            others = [name for name in classes if name != box.label]
            box = boxes[place] = replace(box, label=others[int(generator.integers(0, len(others)))])
        else:
            box = boxes[place] = moved(box, size, generator)
        entries[index] = replace(entries[index], target=Boxes(tuple(boxes)))
        planted.append(Planted(kind, index, box))
    return replace(examined, listing=replace(examined.listing, entries=tuple(entries))), planted


def moved(box: Box, size: tuple[int, int], generator: np.random.Generator) -> Box:
    """By two fifths of its size across or down, to where there is more room."""
    left, top, right, bottom = box.left, box.top, box.right, box.bottom
    if generator.random() < 0.5:
        step = 0.4 * (right - left) * (1 if size[0] - right > left else -1)
        left, right = max(0.0, left + step), min(float(size[0]), right + step)
    else:
        step = 0.4 * (bottom - top) * (1 if size[1] - bottom > top else -1)
        top, bottom = max(0.0, top + step), min(float(size[1]), bottom + step)
    return replace(box, left=left, top=top, right=right, bottom=bottom)


def boxes_beside(boxes: list[Box], size: tuple[int, int], generator: np.random.Generator) -> Box:
    """A box of one that is there, in size and class, where it covers as little of the others as a hundred tries give."""
    like = boxes[int(generator.integers(0, len(boxes)))]
    width, height = min(like.right - like.left, size[0] / 2), min(like.bottom - like.top, size[1] / 2)
    own = np.array([[one.left, one.top, one.right, one.bottom] for one in boxes])
    tried = generator.uniform(0, 1, (100, 2)) * (size[0] - width, size[1] - height)
    sides = np.concatenate([tried, tried + np.array([width, height])], axis=1)
    best = sides[box_overlaps(sides, own, np.zeros(len(own), dtype=np.bool_)).max(axis=1).argmin()]
    return Box(like.label, *best.tolist())


def is_planted(doubt: BoxDoubt, judged: JudgedBoxes, dataset: Dataset, faults: dict[int, Planted]) -> bool:
    """Whether a doubt names a planted fault: its very box, or a found one where a box was dropped."""
    entry = int(dataset.indices[judged.rows[doubt.picture]])
    fault = faults.get(entry)
    if fault is None or (doubt.kind == "missing") != (fault.kind == "missing"):
        return False
    if fault.kind != "missing":
        boxes = dataset.examples[entry].target.boxes
        return boxes[doubt.box] == fault.box
    box = np.array([[fault.box.left, fault.box.top, fault.box.right, fault.box.bottom]])
    answer = judged.answers[doubt.picture].boxes[doubt.answer][None]
    return bool(box_overlaps(answer, box, np.zeros(1, dtype=np.bool_))[0, 0] >= 0.5)


def measure(examined: Examined, share: float, seed: int, folds: int) -> dict[str, object]:
    """Plant, judge and count."""
    spoiled, planted = plant(examined, share, seed)
    faults = {one.entry: one for one in planted}
    dataset = unsplit(spoiled, encode=class_boxes)
    settings = prefer(make_settings({"data": str(examined.listing.source), "strategy": "probe", "seed": seed}))
    ready = prepare_backbone(settings.backbone, cache=cache_folder(), weights=None).wait()
    ready = replace(ready, preprocessing=fitted(ready.preprocessing, "crop", None))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        judged = judge_boxes_out_of_fold(settings, dataset, ready, Path(work), "cpu", Silent(), folds=folds)
    doubts = doubt_boxes(judged.answers, judged.truths, len(dataset.classes))
    hits = [is_planted(one, judged, dataset, faults) for one in doubts]
    shown = worth_a_look(doubts)
    kinds = Counter(
        faults[int(dataset.indices[judged.rows[one.picture]])].kind
        for one, hit in zip(shown, (is_planted(one, judged, dataset, faults) for one in shown), strict=True)
        if hit
    )
    boxes = sum(len(one.labels) for one in judged.truths)
    return {
        "pictures": examined.listing.source.name,
        "n": len(judged.rows),
        "boxes": boxes,
        "seed": seed,
        "planted": len(planted),
        "top": round(sum(hits[: len(planted)]) / len(planted), 3),
        "named": len(shown),
        "found": sum(kinds.values()),
        "chance": round(len(planted) / boxes, 3),
        "by_kind": {kind: [kinds[kind], count] for kind, count in sorted(Counter(one.kind for one in planted).items())},
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folds", type=int, default=FOLDS)
    parser.add_argument("--most", type=int, help="pictures of a data set, drawn at random; all unless given")
    asked = parser.parse_args()
    for folder in asked.data:
        with open_cache() as cache:
            examined = examine(folder, cache=cache, reporter=Silent(), options=ReadOptions(task="detection"))
        if asked.most is not None:
            examined = some_of(examined, asked.most)
        for seed in range(asked.seeds):
            print(json.dumps(measure(examined, asked.share, seed, asked.folds)), flush=True)


if __name__ == "__main__":
    main()

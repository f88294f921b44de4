"""A finished run of boxes made by hand. In: truths and answers. Out: a run, its folder. Next: test_results.py."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tellapart.answers.boxes import FoundBoxes
from tellapart.bundle import BackboneRecord, DataRecord, DetectionRecord, Manifest, PreprocessingRecord
from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import Box, Boxes
from tellapart.preprocessing import Preprocessing
from tellapart.runs.answered_boxes import BoxTable
from tellapart.runs.open import MODEL, OpenRun
from tellapart.runs.recipe import recipe_text
from tellapart.settings.reading import make_settings
from tellapart.storage import write_json
from tellapart.tasks.detection.export import assemble
from tellapart.tasks.detection.matching import truth_of
from tellapart.tasks.detection.scoring import evaluate

CLASSES = ("ant", "bee", "鸟")
THRESHOLDS = (0.5, 0.25, 0.5)
WIDTH, HEIGHT = 200, 160
SIZE = 32  # of the network's input: 16 + 4 + 1 places

Answered = tuple[str, float, float, float, float, float]  # label, score, sides
Page = tuple[tuple[Box, ...], tuple[Answered, ...]]

A, B, C = (10, 10, 50, 60), (100, 20, 180, 140), (60, 100, 90, 130)
# Six test pictures: what is there, and what is answered.
PAGES: list[Page] = [
    # An ant found; a bee found, and told again a little aside; a bird seen, under its threshold.
    (
        (Box("ant", *A), Box("bee", *B), Box("鸟", *C)),
        (("ant", 0.9, 11, 10, 51, 60), ("bee", 0.75, *B), ("bee", 0.375, 104, 20, 180, 136), ("鸟", 0.25, *C)),
    ),
    # An ant taken for a bee; a bee far off its place; a bird where nothing is.
    (
        (Box("ant", *A), Box("bee", *B)),
        (("bee", 0.875, *A), ("bee", 0.5, 140, 20, 180, 100), ("鸟", 0.75, *C)),
    ),
    # Nothing there, nothing told; an answer under the threshold.
    ((), (("ant", 0.125, *A),)),
    # A bee missed altogether.
    ((Box("bee", 2, 2, 190, 150),), ()),
    # A difficult ant, found; it counts neither way.
    ((Box("ant", *A, difficult=True), Box("bee", *B)), (("ant", 0.625, *A), ("bee", 0.9375, *B))),
    # Found, both.
    ((Box("ant", *A), Box("ant", *C)), (("ant", 0.9375, *A), ("ant", 0.625, *C))),
]
AUDIT: dict[str, Any] = {
    "counts": {},
    "sizes": {},
    "formats": {"PNG": 6},
    "unreadable": [],
    "duplicates": 0,
    "near_copies": [],
    "leaks": [],
    "two_labels": [],
    "boxes": {"box_sizes": {"ant": {"median": 44.7}, "bee": {"median": 98.0}}},
}


class MadeRun(OpenRun):
    """A run whose parts are given, not read."""

    def __init__(self, folder: Path, manifest: Manifest, **parts: Any) -> None:
        self.folder, self.file = folder, folder / MODEL
        self.manifest, self.preprocessing = manifest, manifest.preprocessing.plain()
        self.__dict__.update(parts)


def manifest(**record: Any) -> Manifest:
    given: dict[str, Any] = {
        "scales": (1.0, 2.0, 0.5),
        "offsets": (0.0, 1.0, -1.0),
        "thresholds": THRESHOLDS,
        "threshold_rule": "f1",
        "calibrated_on": 40,
        "overlap": 0.6,
        "most": 100,
        "least_score": 0.01,
    }
    return Manifest(
        task="detection",
        created="2026-03-04T05:06:07+00:00",
        strategy="finetune",
        classes=CLASSES,
        preprocessing=PreprocessingRecord.of(Preprocessing(size=SIZE, crop=1.0, fit="pad")),
        backbone=BackboneRecord(
            name="tiny", embedding=3, weights_source="made here", weights_license="none", weights_fingerprint="0" * 64
        ),
        scores={},
        data=DataRecord(name="animals", fingerprint="1" * 64, n_train=2, n_validation=0, n_test=6),
        versions={"tellapart": "0.1.0"},
        record=DetectionRecord(**given | record),
    )


def found(answers: Sequence[Answered], classes: Sequence[str] = CLASSES) -> FoundBoxes:
    """The most certain first."""
    ordered = sorted(answers, key=lambda one: -one[1])
    return FoundBoxes(
        boxes=np.array([one[2:] for one in ordered], dtype=np.float32).reshape(-1, 4),
        scores=np.array([one[1] for one in ordered], dtype=np.float32),
        labels=np.array([classes.index(one[0]) for one in ordered], dtype=np.int64),
    )


@functools.cache
def score(pages: tuple[Page, ...], classes: tuple[str, ...], thresholds: tuple[float, ...]) -> dict[str, Any]:
    """What training would say of them."""
    return evaluate(
        [found(answered, classes) for _, answered in pages],
        [truth_of(Boxes(boxes), classes) for boxes, _ in pages],
        classes=classes,
        thresholds=np.array(thresholds),
        groups=None,
        seed=0,
    )


def run_of(
    pages: Sequence[Page] = PAGES,
    *,
    folder: Path = Path("/nowhere/run"),
    examples: Sequence[Example] = (),
    told: Manifest | None = None,
    metrics: dict[str, Any] | None = None,
    test: dict[str, Any] | None = None,
    audit: dict[str, Any] | None = None,
    whole: bool = False,
) -> MadeRun:
    """A run whose test pictures are called 0.png, 1.png ... `metrics`, `test` and `audit` replace what they name.

    `test` is all that is told of the test where it is `whole`.
    """
    made = told or manifest()
    truths = [Boxes(boxes) for boxes, _ in pages]
    answers = [found(answered, made.classes) for _, answered in pages]
    scored = {} if whole else score(tuple(pages), made.classes, made.record_of(DetectionRecord).thresholds)
    return MadeRun(
        folder,
        made,
        settings=make_settings({"data": "/nowhere/animals", "task": "detection"}),
        metrics={
            "test": copy.deepcopy(scored) | (test or {}),
            "test_without_leaked": None,
            "leaked": 0,
            "validation": [
                {"strategy": "finetune", "ap": 0.5, "ap50": 0.75},
                {"strategy": "probe", "ap": 0.25, "ap50": 0.625},
            ],
            "training": {
                "finetune": {
                    "best_epoch": 2,
                    "history": [
                        {
                            "number": number,
                            "train_loss": 1.0 / number,
                            "validation_loss": 1.1 / number,
                            "train_box_loss": 0.5 / number,
                            "validation_AP": 0.2 * number,
                            "learning_rate": 0.001,
                        }
                        for number in (1, 2)
                    ],
                }
            },
            "seconds": {"whole": 75.0},
        }
        | (metrics or {}),
        audit=AUDIT | (audit or {}),
        examples=list(examples),
        box_predictions=BoxTable(
            source=folder / "predictions.jsonl",
            paths=[folder / f"{row}.png" for row in range(len(pages))],
            sizes=[(WIDTH, HEIGHT)] * len(pages),
            truths=truths,
            answers=answers,
        ),
    )


def example(path: Path, boxes: Sequence[Box], split: Any = "test") -> Example:
    return Example(
        path=path,
        target=Boxes(tuple(boxes)),
        split=split,
        group="",
        content_hash=path.name,
        width=WIDTH,
        height=HEIGHT,
        problem="",
    )


def write_run(folder: Path, pages: Sequence[Page] = PAGES, **more: Any) -> MadeRun:
    """The folder of a run as training leaves it, with pictures of 200 x 160 pixels; two more were trained on."""
    folder.mkdir()
    rows = []
    trained = [((Box("ant", *A),), ()), ((Box("鸟", *B), Box("鸟", *C)), ())]
    for number, (boxes, _) in enumerate([*pages, *trained]):
        image = Image.new("RGB", (WIDTH, HEIGHT), (120, 110 + 10 * (number % 10), 100))
        for one in boxes:
            ImageDraw.Draw(image).rectangle((one.left, one.top, one.right, one.bottom), fill=(40, 30, 20))
        image.save(folder / f"{number}.png")
        rows.append(example(folder / f"{number}.png", boxes, "test" if number < len(pages) else "train"))
    run = run_of(pages, folder=folder, examples=rows, **more)
    (folder / "recipe.toml").write_text(recipe_text(run.settings), encoding="utf-8")
    write_json(folder / "metrics.json", run.metrics)
    write_json(folder / "audit.json", run.audit)
    write_examples(folder / "examples.csv", rows)
    write_lines(folder / "predictions.jsonl", run.box_predictions, run.classes)
    write_places(folder / "places.onnx", len(run.classes))
    (folder / MODEL).write_bytes(assemble(folder / "places.onnx", run.manifest))
    return run


def write_lines(path: Path, table: BoxTable, classes: Sequence[str]) -> None:
    """predictions.jsonl, as its contract says."""
    lines = [
        json.dumps(
            {
                "path": str(place),
                "width": size[0],
                "height": size[1],
                "truth": [
                    [one.label, one.left, one.top, one.right, one.bottom, 2 if one.crowd else int(one.difficult)]
                    for one in truth.boxes
                ],
                "answer": [
                    [classes[label], score, *sides]
                    for label, score, sides in zip(
                        answer.labels.tolist(), answer.scores.tolist(), answer.boxes.tolist(), strict=True
                    )
                ],
            },
            ensure_ascii=False,
        )
        for place, size, truth, answer in zip(table.paths, table.sizes, table.truths, table.answers, strict=True)
    ]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_places(path: Path, class_count: int) -> None:
    """What a detector says at every place of 32 x 32 pixels: one box on the left half, of the first class; little elsewhere."""
    from onnx import TensorProto, helper, numpy_helper, save

    places = (SIZE // 8) ** 2 + (SIZE // 16) ** 2 + (SIZE // 32) ** 2
    said = np.full((1, places, 4 + class_count), -6.0, dtype=np.float32)
    said[..., :4] = (0.0, 0.0, 0.5, 1.0)
    said[0, 0, 4] = 2.0
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "nought"], ["zeros"]),
        helper.make_node("Unsqueeze", ["zeros", "axes"], ["rows"]),
        helper.make_node("Add", ["rows", "said"], ["found"]),
    ]
    graph = helper.make_graph(
        nodes,
        "places",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["N", places, 4 + class_count])],
        [
            numpy_helper.from_array(np.zeros(1, dtype=np.float32), "nought"),
            numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "axes"),
            numpy_helper.from_array(said, "said"),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)

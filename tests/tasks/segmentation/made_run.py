"""A finished run of masks made by hand. In: true masks, answers. Out: a run, its folder. Next: test_sections.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.mask_files import class_colours, mask_png
from tellapart.answers.predictions import write_lines
from tellapart.bundle import Manifest, SegmentationRecord
from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.mask_targets import Painting, painted
from tellapart.data.targets import MaskFile
from tellapart.runs.open import MODEL, OpenRun
from tellapart.runs.recipe import recipe_text
from tellapart.settings.reading import make_settings
from tellapart.storage import write_json
from tellapart.tasks.segmentation.evaluating import mask_row
from tellapart.tasks.segmentation.judging import JudgedMask, judge
from tellapart.tasks.segmentation.scoring import evaluate
from tests.answers.made_masker import masker_bytes, masker_manifest

from .made_masks import CLASSES, answer_of, discs, spoiled

AUDIT: dict[str, Any] = {
    "counts": {},
    "sizes": {
        "least_width": 48,
        "most_width": 48,
        "median_width": 48,
        "least_height": 48,
        "most_height": 48,
        "median_height": 48,
    },
    "formats": {"PNG": 8},
    "unreadable": [],
    "duplicates": 0,
    "near_copies": [],
    "leaks": [],
    "two_labels": [],
}


def manifest(**record: Any) -> Manifest:
    made = masker_manifest()
    own = made.record.model_dump() | {"colours": class_colours(3, background=0)} | record
    return made.model_copy(update={"classes": CLASSES, "record": SegmentationRecord.model_validate(own)})


def masks(number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """True and told: good ones, but the last, in which a large thing is not labelled and some pixels do not count."""
    truth = discs(number)
    told = spoiled(truth, number)
    if number == 5:
        told[10:30, 10:30] = 1
        truth[10:30, 10:30] = 0
        truth[:, 44:] = 255
    return truth, told


def target_of(path: Path, mask: NDArray[np.uint8]) -> MaskFile:
    """A mask as it is known once it was opened."""
    values = np.unique(mask).tolist()
    names = tuple("" if one == 255 else CLASSES[one] for one in values)
    return painted(path, Painting(values=names, pixels=tuple(int((mask == one).sum()) for one in values)))


def write_run(folder: Path, *, count: int = 6, gone: int | None = None, **metrics: Any) -> OpenRun:
    """The folder of a run as training leaves it, with pictures of 48 x 48 pixels; two more were trained on. One may be gone."""
    folder.mkdir(parents=True)
    examples, judged = [], list[JudgedMask]()
    for number in range(count + 2):
        truth, told = masks(number)
        path = folder / f"{number}.png"
        pixels = np.repeat((90 + 60 * (truth % 255))[..., None], 3, axis=2).astype(np.uint8)
        if number != gone:
            Image.fromarray(pixels).save(path)
        (folder / f"{number}.mask.png").write_bytes(mask_png(truth, manifest().record.model_dump()["colours"]))
        examples.append(
            Example(
                path=path,
                target=target_of(folder / f"{number}.mask.png", truth),
                split="test" if number < count else "train",
                group="",
                content_hash=path.name,
                width=48,
                height=48,
            )
        )
        if number < count:
            judged.append(judge(answer_of(told, path=str(path)), truth, path=str(path)))
    test = evaluate(judged, classes=CLASSES, common=0, background=0, groups=None, seed=0)
    told_metrics = {
        "test": test,
        "test_without_leaked": None,
        "leaked": 0,
        "probe_test": {"iou": 0.5, "dice": 0.6, "pixel_accuracy": 0.9},
        "calibration": {"temperature": 1.0, "pixels": 1234, "before": 0.1, "after": 0.05},
        "validation": [
            {"strategy": "finetune", "iou": 0.8, "dice": 0.9},
            {"strategy": "probe", "iou": 0.6, "dice": 0.7},
        ],
        "training": {"finetune": {}},
        "seconds": {"whole": 75.0},
    } | metrics
    settings = make_settings({"data": "/nowhere/cells", "task": "segmentation"})
    (folder / "recipe.toml").write_text(recipe_text(settings), encoding="utf-8")
    write_json(folder / "metrics.json", told_metrics)
    write_json(folder / "audit.json", AUDIT)
    write_examples(folder / "examples.csv", examples)
    write_lines(
        folder / "predictions.jsonl",
        (mask_row(example, one, CLASSES) for example, one in zip(examples, judged, strict=False)),
    )
    (folder / MODEL).write_bytes(masker_bytes(manifest()))
    return OpenRun(folder)

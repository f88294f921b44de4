"""Whatever stands where a mask is expected is a mask or a told error. In: bytes, texts, rows of all kinds. Out: no other
exception.
"""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tellapart.answers.answering import OtherClasses
from tellapart.answers.mask_files import class_colours, mask_png, read_base64
from tellapart.answers.mask_outlines import outline_parts
from tellapart.answers.mask_parts import find_parts
from tellapart.answers.segmentation import Segmentation
from tellapart.errors import DataError
from tellapart.runs.answered_masks import read_mask_lines
from tests.answers.made_masker import CLASSES, masker_record

PNG = mask_png(np.arange(48, dtype=np.uint8).reshape(6, 8) % 3, class_colours(3, background=0))
anything = some.recursive(
    some.none() | some.booleans() | some.integers(-5, 300) | some.floats(allow_nan=True) | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def spoiled(data: bytes, places: list[tuple[int, int]]) -> bytes:
    found = bytearray(data)
    for place, value in places:
        found[place % len(found)] = value
    return bytes(found)


@FEW
@given(
    some.lists(some.tuples(some.integers(0, 10_000), some.integers(0, 255)), max_size=12), some.integers(0, len(PNG))
)
def test_a_spoiled_file_is_a_mask_or_no_mask(places: list[tuple[int, int]], length: int) -> None:
    with contextlib.suppress(ValueError):
        assert read_base64(base64.b64encode(spoiled(PNG, places)[:length]).decode()).ndim == 2


@FEW
@given(
    some.dictionaries(
        some.sampled_from(["areas", "mask", "certainty", "width", "height", "confidence", "unknown"]), anything
    )
)
def test_a_row_is_an_answer_or_none(change: dict[str, Any]) -> None:
    text = base64.b64encode(PNG).decode()
    areas = [{"label": name, "colour": "#000000"} for name in CLASSES]
    row = {
        "areas": areas,
        "mask": text,
        "certainty": text,
        "width": 8,
        "height": 6,
        "confidence": 0.5,
        "unknown": None,
        "novelty": None,
    }
    with contextlib.suppress(OtherClasses, KeyError, TypeError, ValueError):
        Segmentation().read(row | change, path="", classes=CLASSES, told=masker_record().model_dump())


@FEW
@given(
    some.dictionaries(
        some.sampled_from(["path", "width", "iou", "dice", "quality", "doubts", "truth", "answer"]), anything
    )
)
def test_a_line_of_a_run_is_read_or_told(tmp_path: Path, change: dict[str, Any]) -> None:
    text = base64.b64encode(PNG).decode()
    row: dict[str, Any] = {"path": "a.png", "width": 8, "height": 6, "confidence": 0.5, "quality": 1.0, "doubts": []}
    row |= {"iou": 0.5, "dice": None, "accuracy": 1, "truth": text, "answer": text} | change
    (tmp_path / "lines.jsonl").write_text(json.dumps(row), encoding="utf-8")
    with contextlib.suppress(DataError):
        truth, answer = read_mask_lines(tmp_path / "lines.jsonl").masks(0)
        assert truth.shape == answer.shape == (6, 8)


@FEW
@given(some.integers(1, 9), some.integers(1, 9), some.data())
def test_every_mask_has_outlines_of_as_many_pixels(height: int, width: int, data: some.DataObject) -> None:
    values = data.draw(some.lists(some.integers(0, 2), min_size=height * width, max_size=height * width))
    mask = np.array(values, dtype=np.uint8).reshape(height, width)
    parts = find_parts(mask)
    outlines = outline_parts(mask, parts, tolerance=0)
    assert sum(one.area for one in outlines) == mask.size
    assert [one.pixels for one in outlines] == [one.area for one in outlines]
    assert len(outline_parts(mask, parts)) == len(outlines)

"""What a run that finds boxes said of its test split. In: predictions.jsonl. Out: BoxTable, or a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.data.targets import Box, Boxes
from tellapart.errors import DataError
from tellapart.runs.answered_boxes import read_box_lines

CLASSES = ("ant", "蜂")
ROW: dict[str, Any] = {
    "path": "/pictures/one\u2028two.png",
    "width": 40,
    "height": 30,
    "truth": [["蜂", 1, 2, 11, 12.5, 0], ["ant", 0, 0, 5, 5, 1], ["ant", 20, 0, 40, 30, 2]],
    "answer": [["ant", 0.25, 0, 0, 5, 5.5], ["蜂", 0.75, 1, 2, 12, 12]],
}
EMPTY: dict[str, Any] = {"path": "b.png", "width": 1, "height": 1, "truth": [], "answer": []}


def lines(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "predictions.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_line_is_a_picture_with_its_true_and_its_answered_boxes(tmp_path: Path) -> None:
    table = read_box_lines(lines(tmp_path, ROW, EMPTY), CLASSES)
    assert table.paths == [Path("/pictures/one\u2028two.png"), Path("b.png")]
    assert table.sizes == [(40, 30), (1, 1)]
    assert table.truths[0] == Boxes(
        (
            Box("蜂", 1, 2, 11, 12.5),
            Box("ant", 0, 0, 5, 5, difficult=True),
            Box("ant", 20, 0, 40, 30, crowd=True),
        )
    )
    first = table.answers[0]  # the most certain comes first, however they were written
    assert first.scores.tolist() == [0.75, 0.25]
    assert first.labels.tolist() == [1, 0]
    assert first.boxes.tolist() == [[1, 2, 12, 12], [0, 0, 5, 5.5]]
    assert (first.boxes.dtype, first.labels.dtype) == (np.float32, np.int64)
    assert table.truths[1] == Boxes()
    assert table.answers[1].boxes.shape == (0, 4)


def test_a_path_that_is_no_unicode_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps({**EMPTY, "path": "\udce9.png"}), encoding="utf-8")
    assert read_box_lines(path, CLASSES).paths == [Path("\udce9.png")]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{",
        '"x"',
        "[" * 100_000,
        json.dumps({**EMPTY, "width": 0}),
        json.dumps({**EMPTY, "height": "9"}),
        json.dumps({key: value for key, value in EMPTY.items() if key != "answer"}),
        json.dumps({**EMPTY, "truth": [["ant", 0, 0, 5, 5]]}),
        json.dumps({**EMPTY, "truth": [["ant", 0, 0, 5, 5, 3]]}),
        json.dumps({**EMPTY, "truth": [[7, 0, 0, 5, 5, 0]]}),
        json.dumps({**EMPTY, "truth": [["ant", 5, 0, 5, 5, 0]]}),
        json.dumps({**EMPTY, "truth": [["ant", 0, 0, float("nan"), 5, 0]]}),
        json.dumps({**EMPTY, "truth": [["ant", 0, 0, 10**400, 5, 0]]}),
        json.dumps({**EMPTY, "answer": [["cat", 0.5, 0, 0, 5, 5]]}),
        json.dumps({**EMPTY, "answer": [[["ant"], 0.5, 0, 0, 5, 5]]}),
        json.dumps({**EMPTY, "answer": [["ant", 1.5, 0, 0, 5, 5]]}),
        json.dumps({**EMPTY, "answer": [["ant", None, 0, 0, 5, 5]]}),
    ],
)
def test_another_line_is_refused_with_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(f"{json.dumps(EMPTY)}\n{line}\n{json.dumps(EMPTY)}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_box_lines(path, CLASSES)
    assert str(caught.value) == (
        f"{path}, line 2: not a picture's boxes as `tellapart train` writes them. Train again."
    )

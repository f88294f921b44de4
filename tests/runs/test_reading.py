"""What a run's files say. In: small files. Out: their values, or the line that is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import DataError, StorageError
from tellapart.runs.reading import read_json, read_predictions

HEADER = "path,label,predicted,probability of a,probability of b"
CLASSES = ("a", "b")


def written(folder: Path, *lines: str) -> Path:
    path = folder / "predictions.csv"
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogateescape")
    return path


def test_predictions_are_read_row_by_row(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, '"one\n.png",a,b,0.25,0.75', "b\udcff.png,b,b,0,1")
    table = read_predictions(path, CLASSES)
    assert table.paths == [Path("one\n.png"), Path("b\udcff.png")]
    assert (table.targets, table.answers, table.lines) == (["a", "b"], ["b", "b"], [3, 4])
    assert table.probabilities.dtype == np.float32
    np.testing.assert_array_equal(table.probabilities, [[0.25, 0.75], [0, 1]])
    assert str(table.refusal(0)) == f"{path}, line 3: not a prediction as `tellapart train` writes it. Train again."


def test_a_task_may_call_the_truth_as_it_likes_and_add_columns(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER.replace("label", "labels"), "1.png,a|b,,0.25,0.125")
    table = read_predictions(path, CLASSES)
    assert (table.targets, table.answers) == (["a|b"], [""])


def test_no_rows_are_a_table_without_rows(tmp_path: Path) -> None:
    assert read_predictions(written(tmp_path, HEADER), CLASSES).probabilities.shape == (0, 2)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "path,label",
        "label,path,predicted,probability of a,probability of b",
        "path,label,answer,probability of a,probability of b",
        "path,label,predicted,probability of b,probability of a",
        "path,label,predicted,probability of a",
    ],
)
def test_the_columns_of_another_model_are_told(header: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not those of the model's 2 classes\. Train again\."):
        read_predictions(written(tmp_path, header, "1.png,a,a,1,0"), CLASSES)


@pytest.mark.parametrize("row", ["1.png,a,a,1", "1.png,a,a,1,0,0", "1.png,a,a,1,high", "1.png", "", "1.png,a,a,,1"])
def test_a_row_that_is_none_is_told_with_its_line(row: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"predictions\.csv, line 3: not a prediction as `tellapart train` writes it"):
        read_predictions(written(tmp_path, HEADER, "0.png,a,a,1,0", row, "2.png,a,a,1,0"), CLASSES)


def test_json_must_hold_what_training_wrote(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text('{"test": {"n": 3}}')
    assert read_json(path, "test") == {"test": {"n": 3}}
    for text in ("", "[]", "{}", '{"test"', '"test"'):
        path.write_text(text)
        with pytest.raises(DataError, match=r"is not the JSON that `tellapart train` wrote: it lacks 'test'\."):
            read_json(path, "test")
    with pytest.raises(StorageError, match="it is not there, or no longer"):
        read_json(tmp_path / "none.json", "test")

"""The folds of a run on disk. In: made-up answers. Out: arrays that come back, one file of all answers, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.errors import DataError
from tellapart.runs.folds import ARRAYS, arrays_as_bytes, clear_arrays, join_predictions, read_arrays


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_bytes(text.encode())
    return folder


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {"index": np.array([3, 7]), "probabilities": np.array([[0.1, 0.9], [0.5, 0.5]], dtype=np.float32)}
    folder = tmp_path / "folds" / "1"
    folder.mkdir(parents=True)
    (folder / ARRAYS).write_bytes(arrays_as_bytes(arrays))
    found = read_arrays(folder)
    assert set(found) == set(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype
    clear_arrays(tmp_path)
    assert not (folder / ARRAYS).exists()


def test_no_pickle_is_written_or_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        arrays_as_bytes({"bad": np.array([{}], dtype=object)})
    np.savez(tmp_path / ARRAYS, bad=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="is not the answers of a fold"):
        read_arrays(tmp_path)


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x05\x06" + b"\0" * 18 + b"x"])
def test_what_is_damaged_is_told(data: bytes, tmp_path: Path) -> None:
    (tmp_path / ARRAYS).write_bytes(data[:10])
    with pytest.raises(DataError) as refused:
        read_arrays(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path / ARRAYS} is not the answers of a fold as `tellapart train --kfold` writes them. Remove the folder {tmp_path} "
        "and go on with the run: that fold is trained again."
    )


def test_tables_of_folds_become_one_in_the_order_of_the_pictures(tmp_path: Path) -> None:
    first = write(tmp_path / "1", "predictions.csv", 'path,label\r\nb.png,cat\r\n"d\r\n1.png",dog\r\n')
    second = write(tmp_path / "2", "predictions.csv", "path,label\r\na.png,cat\r\nc.png,dog\r\n")
    again = write(tmp_path / "3", "predictions.csv", "path,label\r\na.png,dog\r\n")
    join_predictions([(first, [1, 3]), (second, [0, 2]), (again, [0])], tmp_path)
    assert (tmp_path / "predictions.csv").read_bytes().decode() == (
        'path,label\r\na.png,cat\r\na.png,dog\r\nb.png,cat\r\nc.png,dog\r\n"d\r\n1.png",dog\r\n'
    )


def test_lines_of_folds_become_one_file(tmp_path: Path) -> None:
    first = write(tmp_path / "1", "predictions.jsonl", '{"path":"b"}\n')
    second = write(tmp_path / "2", "predictions.jsonl", '{"path":"a"}\n{"path":"c"}\n')
    join_predictions([(first, [1]), (second, [0, 2])], tmp_path)
    assert (tmp_path / "predictions.jsonl").read_text() == '{"path":"a"}\n{"path":"b"}\n{"path":"c"}\n'


@pytest.mark.parametrize("places", [[0], [0, 1, 2]])
def test_a_fold_with_other_answers_is_told(places: list[int], tmp_path: Path) -> None:
    fold = write(tmp_path / "1", "predictions.csv", "path,label\r\na.png,cat\r\nc.png,dog\r\n")
    with pytest.raises(DataError, match=rf"has not the {len(places)} pictures that its fold tested"):
        join_predictions([(fold, places)], tmp_path)
    assert not (tmp_path / "predictions.csv").exists()

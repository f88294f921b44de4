"""The table of predictions and its file. In: made probabilities. Out: verdicts."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tellapart.answers.predictions import build_predictions, joined, parted, set_cell, write_table
from tellapart.errors import StorageError


def test_each_row_is_named_by_its_most_probable_class_and_failed_rows_stay() -> None:
    given = np.array([[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]], dtype=np.float32)
    predictions = build_predictions(
        paths=["a.jpg", "b.jpg", "c.jpg"], probabilities=given, errors=["", "empty file", ""], classes=["cat", "犬"]
    )
    assert predictions.paths == ("a.jpg", "b.jpg", "c.jpg")
    assert predictions.labels == ("犬", "", "cat")
    assert predictions.errors == ("", "empty file", "")
    assert predictions.classes == ("cat", "犬")
    assert predictions.probabilities.dtype == np.float32
    assert np.isnan(predictions.probabilities[1]).all()
    np.testing.assert_array_equal(predictions.probabilities[[0, 2]], given[[0, 2]])
    assert given[1, 0] == np.float32(0.9), "the caller's array was changed"


def test_rows_that_failed_may_come_as_nan() -> None:
    given = np.array([[np.nan, np.nan], [0.1, 0.9]], dtype=np.float32)
    predictions = build_predictions(paths=["a", "b"], probabilities=given, errors=["gone", ""], classes=["x", "y"])
    assert predictions.labels == ("", "y")


def test_sets_and_unknown_pictures_are_named() -> None:
    given = np.array([[0.2, 0.5, 0.3], [0, 0, 0], [0.9, 0.05, 0.05]], dtype=np.float32)
    names = {"paths": ["a", "b", "c"], "probabilities": given, "errors": ["", "gone", ""], "classes": ["x", "y", "z"]}
    found = build_predictions(**names, sets=[(1, 2), (), (0,)], unknown=[False, None, True], novelty=[0.9, np.nan, 5.0])
    assert found.sets == (("y", "z"), (), ("x",))
    assert found.unknown is not None
    assert (found.unknown.tolist(), found.unknown.sum(), found.unknown.dtype) == ([False, None, True], 1, np.bool_)
    assert found.novelty is not None
    np.testing.assert_array_equal(found.novelty, np.array([0.9, np.nan, 5.0], dtype=np.float32))
    older = build_predictions(**names)
    assert (older.sets, older.unknown, older.novelty) == (None, None, None)


def test_no_pictures_give_an_empty_table() -> None:
    predictions = build_predictions(
        paths=[], probabilities=np.zeros((0, 2), dtype=np.float32), errors=[], classes=["x", "y"]
    )
    assert (predictions.paths, predictions.labels, predictions.probabilities.shape) == ((), (), (0, 2))


def test_a_table_survives_commas_newlines_and_odd_bytes(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text("an earlier one")
    given = [["a, b.jpg", "猫", 0.1], ["二\n.jpg", "dog", 1], ["\udce9t\udce9.jpg", "", "x"]]
    write_table(file, ["path", "label", "probability of 猫"], given)
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["path", "label", "probability of 猫"]
    assert rows == [[str(cell) for cell in row] for row in given]
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]


def test_an_empty_test_gives_a_header_alone(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    write_table(file, ["path", "label"], [])
    assert file.read_text(encoding="utf-8").splitlines() == ["path,label"]


def test_a_failure_in_the_middle_leaves_the_earlier_file(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text("an earlier one")

    def rows() -> Iterator[list[str]]:
        yield ["a"]
        raise ValueError("the second cannot be made")

    with pytest.raises(ValueError, match="the second cannot be made"):
        write_table(file, ["path"], rows())
    assert file.read_text() == "an earlier one"
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot use .*file.*Choose another path"):
        write_table(tmp_path / "file" / "predictions.csv", ["path"], [["a"]])


def test_importing_it_brings_none_of_the_heavy_packages() -> None:
    code = (
        "import sys, tellapart.answers.predictions; "
        "print(sorted({'torch', 'sklearn', 'scipy', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("names", "cell"),
    [
        ([], ""),
        (["cat"], "cat"),
        (["cat", "dog"], "cat|dog"),
        (["a|b", "c\\"], "a\\|b|c\\\\"),
        (["?"], "\\?"),
        (["?a", "b?"], "\\?a|b?"),
        (["\\|", "a\nb"], "\\\\\\||a\nb"),
    ],
)
def test_names_in_one_cell_come_back(names: list[str], cell: str) -> None:
    assert joined(names) == cell
    assert parted(cell) == names


def test_a_cell_by_hand() -> None:
    assert parted("a||b|") == ["a", "b"], "nothing has no name"
    assert parted("C:\\x|y\\") == ["C:\\x", "y\\"], "a backslash before anything else is one"


def test_types_are_those_that_were_promised_whatever_came() -> None:
    found = build_predictions(
        paths=["a", "b"],
        probabilities=np.array([[0.25, 0.75], [1, 0]]),
        errors=["", ""],
        classes=["x", "y"],
        unknown=[0, 1],
        novelty=[1, 2],
    )
    assert found.probabilities.dtype == np.float32
    assert found.unknown is not None
    assert found.unknown.dtype == np.bool_
    assert found.novelty is not None
    assert found.novelty.dtype == np.float32
    whole = build_predictions(paths=["a"], probabilities=np.array([[0, 1]]), errors=["gone"], classes=["x", "y"])
    assert np.isnan(whole.probabilities).all()


@pytest.mark.parametrize(
    ("names", "cell"),
    [
        (["cat", "dog"], "cat|dog"),
        (["a|b", "cat"], '["a|b", "cat"]'),
        (["犬|猫"], '["犬|猫"]'),
        (["[x]"], '["[x]"]'),
        ([], ""),
    ],
)
def test_a_set_can_be_told_apart_whatever_its_classes_are_called(names: list[str], cell: str) -> None:
    assert set_cell(names) == cell


def test_a_table_holds_no_formula(tmp_path: Path) -> None:
    write_table(tmp_path / "p.csv", ["path", "=x"], [["-a.png", 0.5], ["b.png", -0.5]])
    assert (tmp_path / "p.csv").read_bytes() == b"path,'=x\r\n'-a.png,0.5\r\nb.png,-0.5\r\n"

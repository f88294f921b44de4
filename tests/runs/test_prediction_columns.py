"""predictions.csv of few and of very many classes. In: probabilities. Out: a file that is read back as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.answers.predictions import write_table
from tellapart.errors import DataError
from tellapart.runs.prediction_columns import MOST_WHOLE, RANKED, cells, columns
from tellapart.runs.reading import PredictionTable, read_predictions

PICTURES = 300  # more than are turned to text at a time


def written(folder: Path, count: int) -> tuple[PredictionTable, np.ndarray, np.ndarray, tuple[str, ...]]:
    classes = tuple(f"class {number}, =odd" for number in range(count))
    random = np.random.default_rng(count)
    chances = random.dirichlet(np.full(count, 0.02), PICTURES).astype(np.float32)
    chances[0] = 1 / count  # all equal: the first it is
    labels = random.integers(0, count, PICTURES)
    head = ["path", "label", "predicted", *columns(classes)]
    best = chances.argmax(axis=1)
    rows = (
        [f"{row}.png", classes[labels[row]], classes[best[row]], *one]
        for row, one in enumerate(cells(chances, labels, classes))
    )
    write_table(folder / "predictions.csv", head, rows)
    return read_predictions(folder / "predictions.csv", classes), chances, labels, classes


def test_up_to_a_thousand_classes_all_are_kept(tmp_path: Path) -> None:
    table, chances, labels, classes = written(tmp_path, MOST_WHOLE)
    np.testing.assert_allclose(table.probabilities, chances, rtol=1e-6)
    assert table.ranked is None
    np.testing.assert_array_equal(table.best, chances.argmax(axis=1))
    assert table.judged(labels)[1] is labels
    assert table.answers == [classes[number] for number in table.best]


def test_of_more_classes_the_most_probable_ones_are_kept(tmp_path: Path) -> None:
    table, chances, labels, _ = written(tmp_path, MOST_WHOLE + 1)
    assert table.ranked is not None
    assert table.probabilities.shape == table.ranked.shape == (PICTURES, RANKED)
    np.testing.assert_array_equal(table.best, chances.argmax(axis=1))
    np.testing.assert_allclose(table.sure, chances.max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(table.probabilities, -np.sort(-chances, axis=1)[:, :RANKED], rtol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(chances, table.ranked, axis=1), table.probabilities, rtol=1e-6)
    some, right = table.judged(labels)
    np.testing.assert_array_equal(some.argmax(axis=1) == right, chances.argmax(axis=1) == labels)
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    assert lines[0].startswith("path,label,predicted,probability of the label,class 1,probability 1,class 2,")
    own = [float(line.split('",')[2].split(",")[0]) for line in lines[1:]]
    np.testing.assert_allclose(own, chances[np.arange(PICTURES), labels], rtol=1e-6, atol=1e-30)
    assert (tmp_path / "predictions.csv").stat().st_size < PICTURES * 600


@pytest.mark.parametrize(("old", "new"), [("class 3, =odd", "nobody"), (",0.", ",x0."), ('",', '",1,')])
def test_a_line_that_was_changed_is_told(tmp_path: Path, old: str, new: str) -> None:
    _, _, _, classes = written(tmp_path, MOST_WHOLE + 1)
    lines = (tmp_path / "predictions.csv").read_text().split("\n")
    place = next(number for number, line in enumerate(lines[2:], start=2) if old in line)
    head, _, tail = lines[place].rpartition(old)
    lines[place] = head + new + tail
    (tmp_path / "predictions.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=rf"line {place + 1}: not a prediction as `tellapart train` writes it"):
        read_predictions(tmp_path / "predictions.csv", classes)


def test_a_whole_table_of_very_many_classes_is_still_read(tmp_path: Path) -> None:
    """As older versions wrote it."""
    classes = tuple(map(str, range(MOST_WHOLE + 1)))
    head = ["path", "label", "predicted", *(f"probability of {name}" for name in classes)]
    write_table(tmp_path / "t.csv", head, [["a.png", "1", "2", *["0.5"] * len(classes)]])
    table = read_predictions(tmp_path / "t.csv", classes)
    assert (table.probabilities.shape, table.ranked) == ((1, len(classes)), None)

"""A split that is asked again and again. In: a made run. Out: its inputs, as `predict` makes them; what is missing, told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tellapart.answers.pictures import prepare_picture
from tellapart.errors import DataError
from tellapart.reporter import Silent
from tellapart.workflows.rating.asking import ask_split

from .made_run import TEST, write_run


def test_inputs_are_those_of_predict_in_order(tmp_path: Path, tiny_bytes: bytes) -> None:
    run = write_run(tmp_path / "run", tiny_bytes)
    asked = ask_split(run, "test", tmp_path, Silent())
    assert asked.inputs.shape == (len(TEST), 16, 16, 3)
    assert asked.unread == 0
    for number, one in enumerate(asked.pictures):
        wanted, place = prepare_picture(one.path.read_bytes(), run.preprocessing)
        np.testing.assert_array_equal(asked.inputs[number], wanted)
        assert (one.start, one.stop, one.whole) == (number, number + 1, place)
    assert [one.text for one in asked.targets] == [said for _, said in TEST]
    assert asked.groups == ["group 0", "group 0", "group 1", "group 1", "group 2", "group 2"]
    # Another process needs no more than the file and the shape.
    there = np.fromfile(asked.inputs_file, dtype=np.uint8).reshape(asked.inputs.shape)
    np.testing.assert_array_equal(there, asked.inputs)


def test_a_picture_that_is_gone_is_counted_and_nobody_asked(tmp_path: Path, tiny_bytes: bytes) -> None:
    run = write_run(tmp_path / "run", tiny_bytes)
    (tmp_path / "run" / "1.png").unlink()
    asked = ask_split(run, "test", tmp_path, Silent())
    assert asked.unread == 1
    assert [one.path.name for one in asked.pictures] == [f"{n}.png" for n in (0, 2, 3, 4, 5)]
    assert [one.start for one in asked.pictures] == list(range(5))
    assert len(asked.inputs) == 5


def test_so_many_by_content_at_most(tmp_path: Path, tiny_bytes: bytes) -> None:
    run = write_run(tmp_path / "run", tiny_bytes)
    assert len(ask_split(run, "train", tmp_path, Silent(), most=4).pictures) == 4


def test_moved_pictures_and_an_empty_split_are_told(tmp_path: Path, tiny_bytes: bytes) -> None:
    run = write_run(tmp_path / "run", tiny_bytes, train=0)
    for path in (tmp_path / "run").glob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match=r"of the 6 pictures of the test split .* none can be read.*--pictures FOLDER"):
        ask_split(run, "test", tmp_path, Silent())
    with pytest.raises(DataError, match=r"lists no picture of the train split; there must be one.*--kfold"):
        ask_split(run, "train", tmp_path, Silent())

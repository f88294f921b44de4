"""A model as a Python object. In: one picture in every shape, other processes. Out: the same answer everywhere."""

from __future__ import annotations

import io
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tellapart
from tellapart.bundle import open_model
from tellapart.errors import ModelFileError, SettingsError
from tellapart.preprocessing import load
from tests.answers.made_detector import CLASSES, detector_bytes, draw_things


def test_every_kind_of_picture_gets_the_same_answer(tiny_model: Path, colours: Path) -> None:
    path = colours / "green" / "1.png"
    array = np.array(Image.open(path).convert("RGB"))
    model = tellapart.load(tiny_model)
    wanted = model.predict(path).probabilities
    given = [path, path.read_bytes(), io.BytesIO(path.read_bytes()), array, Image.open(path)]
    found = model.predict([*given, torch.from_numpy(array).permute(2, 0, 1)])
    np.testing.assert_allclose(found.probabilities, np.repeat(wanted, 6, axis=0), atol=1e-7)
    assert found.paths == (str(path), "", "", "", "", "")
    with path.open("rb") as file:
        assert model.predict([b"nothing", file]).errors == ("not a picture in a known format", "")


def test_a_model_travels_to_other_processes(tiny_model: Path, colours: Path, tmp_path: Path) -> None:
    model = tellapart.load(tiny_model)
    wanted = model.predict(colours)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(colours).probabilities, wanted.probabilities)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.map(model.predict, [str(colours)])[0]
    np.testing.assert_array_equal(there.probabilities, wanted.probabilities)
    assert (there.labels, there.classes) == (wanted.labels, wanted.classes)


def test_found_boxes_are_those_of_each_picture_and_thresholds_travel_along(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(detector_bytes())
    blue, red = CLASSES
    things = [(blue, 64, 2, 100, 50), (red, 10, 20, 60, 40)]
    picture = np.asarray(Image.open(draw_things(tmp_path / "a.png", (128, 64), things)))
    model = tellapart.load(path, thresholds={red: 0.5})
    for one in (model, pickle.loads(pickle.dumps(model))):
        found = one.predict([picture, np.zeros_like(picture), b"no"])
        assert found.labels == ((blue, red), (), ())
        np.testing.assert_allclose(found.boxes[0], [[64, 2, 100, 50], [10, 20, 60, 40]], atol=1e-3)
        assert [boxes.shape for boxes in found.boxes] == [(2, 4), (0, 4), (0, 4)]
        assert found.scores[0].tolist() == [0.75, 0.5]
        assert found.errors == ("", "", "not a picture in a known format")
    assert tellapart.load(path).predict(picture).labels == ((blue,),)
    with pytest.raises(SettingsError, match="^the threshold is for 'dog', which is none of the model's classes"):
        tellapart.load(path, thresholds={"dog": 0.5})


def test_a_private_address_is_asked_only_if_allowed(tiny_model: Path) -> None:
    found = tellapart.load(tiny_model).predict("http://127.0.0.1:9/cat.png")
    assert "no public address" in found.errors[0]
    found = tellapart.load(tiny_model).predict("http://127.0.0.1:9/cat.png", allow_private=True)
    assert found.errors[0].startswith("cannot be fetched: Connection refused")


def test_a_picture_that_cannot_be_read_keeps_its_place(tiny_model: Path, colours: Path, tmp_path: Path) -> None:
    """Between those that can; and of a folder's files that are no pictures, only those called like one are told."""
    good = colours / "green" / "1.png"
    model = tellapart.load(str(tiny_model))
    assert model.classes == model.manifest.classes
    found = model.predict([tmp_path / "none.png", good, b"no", good, Image.open(good)])
    wanted = model.predict(good)
    assert found.errors == ("no such file", "", "not a picture in a known format", "", "")
    assert found.paths == (str(tmp_path / "none.png"), str(good), "", str(good), "")
    assert found.classes == model.classes
    np.testing.assert_allclose(found.probabilities[[1, 3, 4]], np.repeat(wanted.probabilities, 3, axis=0), atol=1e-7)
    assert np.isnan(found.probabilities[[0, 2]]).all()
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("a.txt", "b.JPG", "c"):
        (folder / name).write_text("no picture")
    (folder / "d.png").write_bytes(good.read_bytes())
    mixed = model.predict(folder)
    assert [Path(path).name for path in mixed.paths] == ["b.JPG", "d.png"]
    assert mixed.errors == ("not a picture in a known format", "")
    (text,) = model.predict([folder / "a.txt"]).errors
    assert text.startswith("not a picture in a known format, but a text."), "it was named"
    assert model.predict([]).probabilities.shape == (0, len(model.classes))


def test_many_pictures_come_in_the_order_in_which_they_were_given(tiny_model: Path) -> None:
    """More than a batch, each of its own colour, so that one in another's place would be seen."""
    model = tellapart.load(tiny_model)
    pictures = [np.full((8, 8, 3), 3 * number, np.uint8) for number in range(70)]
    together = model.predict(pictures)
    for number in (0, 31, 32, 63, 64, 69):
        one = model.predict(pictures[number]).probabilities[0]
        np.testing.assert_allclose(together.probabilities[number], one, atol=1e-6)


def test_what_the_network_knows_of_a_picture_is_told(tiny_model: Path, colours: Path, tmp_path: Path) -> None:
    model = tellapart.load(tiny_model)
    found = model.embed([colours / "green" / "1.png", b"nothing", colours / "blue" / "1.png"])
    assert found.dtype == np.float32
    assert np.isnan(found[1]).all()
    opened = open_model(tiny_model)
    shown = [colours / name / "1.png" for name in ("green", "blue")]
    pixels = np.stack([load(path.read_bytes(), opened.preprocessing) for path in shown])
    wanted = opened.compute(pixels, ["embedding"])
    np.testing.assert_allclose(found[[0, 2]], wanted["embedding"], atol=1e-6)
    (tmp_path / "model.onnx").write_bytes(detector_bytes())
    with pytest.raises(ModelFileError, match="tells no embedding, as a network before a classifier has it. Train one"):
        tellapart.load(tmp_path / "model.onnx").embed(colours)

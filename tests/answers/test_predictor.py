"""A model as a Python object. In: one picture in every shape, other processes. Out: the same answer everywhere."""

from __future__ import annotations

import io
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import tellapart


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


def test_a_private_address_is_asked_only_if_allowed(tiny_model: Path) -> None:
    found = tellapart.load(tiny_model).predict("http://127.0.0.1:9/cat.png")
    assert "no public address" in found.errors[0]
    found = tellapart.load(tiny_model).predict("http://127.0.0.1:9/cat.png", allow_private=True)
    assert found.errors[0].startswith("cannot be fetched: Connection refused")

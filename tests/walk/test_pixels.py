"""Deep grey and wide pictures from a folder to a prediction: what the audit found is what every way to predict uses."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import tellapart
from tellapart.bundle import read_manifest

COMMAND = [sys.executable, "-m", "tellapart.cli.main"]
RANDOM = np.random.default_rng(0)


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


def grain(most: int) -> NDArray[np.uint16]:
    """Blocks of random grey, the brightest of which has the value `most`."""
    blocks = RANDOM.random((8, 8))
    return np.kron(blocks / blocks.max() * most, np.ones((8, 8))).astype(np.uint16)


def strip(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """400 x 64, noise with a square of a colour at its left end."""
    pixels = RANDOM.integers(90, 150, (64, 400, 3), dtype=np.uint8)
    left, top = RANDOM.integers(2, 25, 2)
    pixels[top : top + 34, left : left + 34] = colour
    return pixels


def save(folder: Path, classes: dict[str, Any], number: int) -> Path:
    for name, make in classes.items():
        (folder / name).mkdir(parents=True)
        for index in range(number):
            Image.fromarray(make()).save(folder / name / f"{index}.png")
    return folder


@pytest.mark.long
def test_brightness_alone_tells_12_bit_pictures_apart(tmp_path: Path) -> None:
    """Each scaled by its own range, or all by 16 bits, the two classes would look alike or black."""
    data = save(tmp_path / "cells", {"dim": lambda: grain(1000), "bright": lambda: grain(4000)}, 25)
    checked = command("check", data)
    assert "all are read by one range, 0:4095 from black to white" in checked.stdout
    trained = command("train", data, "--strategy", "probe", "--no-report", "--out", tmp_path / "runs", "--json")
    assert trained.returncode == 0, trained.stderr
    run = Path(json.loads(trained.stdout)["run"])
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["test"]["accuracy"]["value"] == 1
    manifest = read_manifest(run)
    assert manifest.preprocessing.value_range == (0, 4095)
    assert 'value_range = "0:4095"' in (run / "recipe.toml").read_text()
    assert "0:4095" in command("info", run).stdout

    beyond = tmp_path / "beyond.png"
    Image.fromarray(grain(30_000)).save(beyond)
    some = [data / "dim" / "0.png", data / "bright" / "0.png", beyond]
    found = command("predict", run, *some, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(found.stdout)))
    assert [row["label"] for row in rows[:2]] == ["dim", "bright"]
    assert [row["warning"] == "" for row in rows] == [True, True, False]
    assert "reach beyond the range 0:4095" in rows[2]["warning"]
    predictions = tellapart.load(run).predict(some)
    assert predictions.warnings == ("", "", rows[2]["warning"])
    np.testing.assert_allclose(
        predictions.probabilities.max(axis=1),
        [float(row["probability"]) for row in rows],
        atol=1e-5,
    )
    evaluated = command("evaluate", run, data, "--json")
    assert json.loads(evaluated.stdout)["metrics"]["accuracy"]["value"] == 1


@pytest.mark.long
def test_auto_squashes_what_a_crop_would_lose(tmp_path: Path) -> None:
    data = save(tmp_path / "strips", {"red": lambda: strip((200, 40, 40)), "blue": lambda: strip((40, 40, 200))}, 25)
    trained = command("train", data, "--no-report", "--out", tmp_path / "runs")
    assert trained.returncode == 0, trained.stderr
    assert "they are better squashed to a square, whole: log loss 0" in trained.stderr
    run = tmp_path / "runs" / "latest"
    assert read_manifest(run).preprocessing.fit == "squash"
    assert 'fit = "squash"' in (run / "recipe.toml").read_text()
    assert json.loads((run / "metrics.json").read_text())["test"]["accuracy"]["value"] == 1
    told = next(line for line in trained.stderr.splitlines() if "better squashed" in line)
    again = command("train", data, "--no-report", "--out", tmp_path / "runs", "--strategy", "auto")
    assert told in again.stderr.splitlines(), "what the trials found is kept"
    explained = command("explain", run, data / "red" / "0.png", "--out", tmp_path / "explained")
    assert explained.returncode == 0, explained.stderr
    with Image.open(tmp_path / "explained" / "0.gradcam.png") as sheet:
        assert sheet.size == (448, 72), "in the picture's own shape"


@pytest.mark.slow
@pytest.mark.parametrize("fit", ["crop", *(pytest.param(fit, marks=pytest.mark.long) for fit in ("pad", "squash"))])
def test_from_scratch_pictures_fit_as_told(tmp_path: Path, fit: str) -> None:
    data = save(tmp_path / "strips", {"red": lambda: strip((230, 10, 10)), "blue": lambda: strip((10, 10, 230))}, 25)
    result = tellapart.train(
        data,
        out=tmp_path / "runs",
        strategy="scratch",
        report=False,
        settings={"network": {"fit": fit, "size": 32}, "loop": {"epochs": 6}, "augment": {"preset": "none"}},
    )
    assert read_manifest(result.run).preprocessing.fit == fit
    assert result.scores["accuracy"].value == 1 if fit != "crop" else result.scores["accuracy"].value < 0.95


@pytest.mark.slow
def test_auto_keeps_the_crop_where_squashing_gains_next_to_nothing(tmp_path: Path) -> None:
    """The colour fills the picture: both fits see it."""

    def full(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
        return (np.array(colour) + RANDOM.integers(-20, 20, (40, 80, 3))).astype(np.uint8)

    data = save(tmp_path / "full", {"red": lambda: full((200, 40, 40)), "blue": lambda: full((40, 40, 200))}, 25)
    trained = command("train", data, "--no-report", "--out", tmp_path / "runs", "--budget", "30s")
    assert trained.returncode == 0, trained.stderr
    assert "They are cropped to the middle: by cross-validation over" in trained.stderr
    assert "Trying the fit squash" not in trained.stderr
    assert read_manifest(tmp_path / "runs" / "latest").preprocessing.fit == "crop"

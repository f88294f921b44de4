"""The sample in JavaScript decides as tellapart does. In: made outputs of networks, whole and in tiles. Out: the same answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.answers.answering import Placement
from tellapart.answers.table import ANSWERINGS
from tellapart.answers.tiling import merging_of, tile_places
from tellapart.errors import SettingsError
from tellapart.export.samples import SAMPLES, TEXT_SAMPLES, check_languages, read_sample, told_tests, write_samples
from tellapart.preprocessing import Preprocessing
from tellapart.record_parts import AbstentionRecord, Score
from tellapart.records import ClassificationRecord, DetectionRecord, MultilabelRecord, SegmentationRecord

WAIT = 300  # seconds; only what hangs takes as long
CLASSES = ("cat", "dog", "猫头鹰")
SCRIPT = """
import fs from "node:fs";
import { answer } from "./answer.js";
const { outputs, places, whole, model } = JSON.parse(fs.readFileSync(0, "utf8"));
const typed = outputs.map((one) =>
  Object.fromEntries(Object.entries(one).map(([name, values]) => [name, Float32Array.from(values)])));
const said = answer(typed, places, whole, model);
console.log(JSON.stringify(said, (_, value) => (value instanceof Uint8Array ? Array.from(value) : value)));
"""

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    write_samples(["JavaScript"], {"preprocessing": {}}, folder)
    (folder / "javascript" / "ask.js").write_text(SCRIPT)
    return folder / "javascript"


def ask(
    sample: Path,
    arrays: Sequence[Mapping[str, NDArray[Any]]],
    places: Sequence[Placement],
    record: Any,
    inputs: Preprocessing,
) -> dict[str, Any]:
    given = {
        "outputs": [{name: array.astype(float).ravel().tolist() for name, array in one.items()} for one in arrays],
        "places": [[one.left, one.top, one.right, one.bottom] for one in places],
        "whole": {"width": places[0].width, "height": places[0].height},
        "model": {
            "task": record.kind,
            "classes": CLASSES,
            "record": record.model_dump(mode="json"),
            "preprocessing": {"size": inputs.size, "fit": inputs.fit, "overlap": inputs.overlap},
        },
    }
    done = subprocess.run(
        ["node", "ask.js"],
        cwd=sample,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert done.stderr == ""
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def expected(
    arrays: Sequence[Mapping[str, NDArray[Any]]], places: Sequence[Placement], record: Any, inputs: Preprocessing
) -> dict[str, Any]:
    """What tellapart says, as a row."""
    answering = ANSWERINGS[record.kind]
    together: Mapping[str, Any] = {name: array[None] for name, array in arrays[0].items()}
    whole = list(places)
    if inputs.fit == "tile":
        size = (places[0].width, places[0].height)
        whole = [Placement(width=size[0], height=size[1], left=0, top=0, right=size[0], bottom=size[1])]
        merging = merging_of(answering).merging(whole[0], inputs, record)
        for one, place in zip(arrays, places, strict=True):
            merging.add({name: array[None] for name, array in one.items()}, [place])
        together = merging.finish()
    (answer,) = answering.decide(together, whole, record, classes=CLASSES)
    row: dict[str, Any] = answering.row(answer, top=9, least=0.0 if answering.graded else None)
    return row | ({"numbers": answer.mask.ravel().tolist()} if record.kind == "segmentation" else {})


def one_place(width: int, height: int) -> list[Placement]:
    return [Placement(width=width, height=height, left=-3.5, top=2.0, right=width + 3.5, bottom=height - 2.0)]


def test_one_class_a_set_of_them_and_unknown(sample: Path) -> None:
    abstention = AbstentionRecord(
        coverage=0.9,
        threshold=0.3,
        novelty_threshold=1.5,
        calibrated_on=9,
        measured_coverage=Score(value=1),
        mean_set_size=1,
    )
    record = ClassificationRecord(temperature=1, abstention=abstention)
    arrays = [{"probabilities": np.float32([0.3, 0.4, 0.3]), "novelty": np.float32(1.6)}]
    inputs, places = Preprocessing(size=8), one_place(20, 10)
    said, wanted = ask(sample, arrays, places, record, inputs), expected(arrays, places, record, inputs)
    assert {name: said[name] for name in ("label", "classes", "set", "unknown")} == {
        name: wanted[name] for name in ("label", "classes", "set", "unknown")
    }
    assert said["set"] == ["dog", "cat", "猫头鹰"]
    assert said["novelty"] == wanted["novelty"]


def test_a_threshold_that_is_a_probability_still_names_its_class(sample: Path) -> None:
    record = MultilabelRecord(
        scales=(1,) * 3, offsets=(0,) * 3, thresholds=(0.1, 0.7, 0.31), threshold_rule="f1", calibrated_on=9
    )
    arrays = [{"probabilities": np.float32([0.05, 0.7, 0.9])}]
    inputs, places = Preprocessing(size=8), one_place(20, 10)
    said, wanted = ask(sample, arrays, places, record, inputs), expected(arrays, places, record, inputs)
    assert said["labels"] == wanted["labels"] == ["dog", "猫头鹰"]  # 0.7 in single precision is below 0.7
    assert said["probabilities"] == wanted["probabilities"]
    assert said["unknown"] is None


def boxes_record() -> DetectionRecord:
    return DetectionRecord(
        scales=(1,) * 3,
        offsets=(0,) * 3,
        thresholds=(0.5, 0.4, 0.6),
        threshold_rule="f1",
        calibrated_on=9,
        overlap=0.6,
        most=40,
        least_score=0.05,
        novelty_threshold=1.0,
    )


def some_boxes(seed: int, count: int) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    corners = random.uniform(-0.1, 0.8, (count, 2))
    return np.concatenate([corners, corners + random.uniform(0.05, 0.4, (count, 2))], axis=1).astype(np.float32)


@pytest.mark.parametrize("suppressed", [True, False])
def test_boxes_of_a_padded_picture(sample: Path, suppressed: bool) -> None:
    random = np.random.default_rng(1)
    arrays = {"boxes": some_boxes(1, 60), "novelty": np.float32(0.5)}
    if suppressed:
        arrays["scores"] = np.sort(random.uniform(0, 1, 60).astype(np.float32))[::-1].copy()
        arrays["labels"] = random.integers(0, 3, 60)
    else:
        arrays["scores"] = random.uniform(0, 1, (60, 3)).astype(np.float32)
    inputs, places = Preprocessing(size=8, fit="pad"), one_place(200, 100)
    said, wanted = (
        ask(sample, [arrays], places, boxes_record(), inputs),
        expected([arrays], places, boxes_record(), inputs),
    )
    assert len(said["boxes"]) > 20
    assert said["boxes"] == wanted["boxes"]
    assert {name: said[name] for name in ("counts", "width", "height", "unknown")} == {
        name: wanted[name] for name in ("counts", "width", "height", "unknown")
    }


def test_boxes_of_tiles_are_put_together(sample: Path) -> None:
    inputs = Preprocessing(size=32, fit="tile", overlap=12)
    places = tile_places(75, 60, inputs)
    truth = some_boxes(4, 25) * np.float32([75, 60, 75, 60])
    arrays = []
    for number, place in enumerate(places):
        random = np.random.default_rng(number)
        corner, size = np.float32([place.left, place.top] * 2), np.float32(place.right - place.left)
        seen = (truth - corner) / size + random.normal(0, 0.01, truth.shape)
        seen = seen.clip(0, 1).astype(np.float32)
        scores = random.uniform(0.2, 1, len(truth)).astype(np.float32)
        order = np.argsort(-scores)
        arrays.append(
            {
                "boxes": seen[order],
                "scores": scores[order],
                "labels": (np.arange(25) % 3)[order],
                "novelty": np.float32(number),
            }
        )
    said, wanted = ask(sample, arrays, places, boxes_record(), inputs), expected(arrays, places, boxes_record(), inputs)
    assert [one["label"] for one in said["boxes"]] == [one["label"] for one in wanted["boxes"]]
    for side in ("score", "left", "top", "right", "bottom"):
        np.testing.assert_allclose(
            [one[side] for one in said["boxes"]], [one[side] for one in wanted["boxes"]], atol=1e-4
        )
    assert (said["counts"], said["unknown"]) == (wanted["counts"], wanted["unknown"])


def test_masks_of_tiles_are_blended(sample: Path) -> None:
    inputs = Preprocessing(size=16, fit="tile", overlap=6)
    places = tile_places(37, 25, inputs)
    random = np.random.default_rng(2)
    logits = random.normal(0, 1.5, (len(places), 3, 16, 16))
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    arrays = [{"probabilities": one, "novelty": np.float32(number)} for number, one in enumerate(probabilities)]
    colours = ((0, 0, 0), (255, 0, 9), (1, 2, 3))
    record = SegmentationRecord(temperature=1, colours=colours, background=0, calibrated_on=9, novelty_threshold=1.0)
    said, wanted = ask(sample, arrays, places, record, inputs), expected(arrays, places, record, inputs)
    assert said["mask"] == wanted["numbers"]
    assert said["areas"] == wanted["areas"]
    assert said["confidence"] == pytest.approx(wanted["confidence"], abs=1e-6)
    assert said["novelty"] == pytest.approx(wanted["novelty"], abs=1e-6)
    assert said["unknown"] == wanted["unknown"]


def test_languages_are_named_as_people_do() -> None:
    assert check_languages(["Python", "C++", "python"]) == ["python", "c++"]
    with pytest.raises(SettingsError, match="--for is 'cobol'; there are samples for python, javascript, c"):
        check_languages(["cobol"])


@pytest.mark.parametrize("language", SAMPLES)
def test_every_sample_stands_alone(language: str) -> None:
    for name, text in read_sample(SAMPLES[language].folder).items():
        assert "from tellapart" not in text, name


def test_how_each_sample_tests_itself_is_told_with_and_without_the_network() -> None:
    python, java = told_tests(["python", "java"]).splitlines()
    assert python == "- python: `cd python && python self_test.py` (needs numpy, Pillow, onnxruntime)"
    assert java == (
        "- java: `cd java && javac SelfTest.java && java SelfTest` (needs Java 17 or newer); the network, too: "
        "`javac -cp onnxruntime.jar *.java && java -cp onnxruntime.jar:. SelfTest`"
    )
    assert "-DWITH_ONNXRUNTIME" in told_tests(["c++"], TEXT_SAMPLES)

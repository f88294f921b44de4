"""A network of pixels tested, written and evaluated. In: a network by hand, pictures with masks. Out: the same everywhere."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.answers.predictor import load_predictor
from tellapart.bundle import SegmentationRecord, open_model
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example
from tellapart.data.targets import ClassName, MaskFile
from tellapart.errors import DataError
from tellapart.evaluation.choosing import Choice
from tellapart.evaluation.novelty import fit_novelty
from tellapart.runs import writing
from tellapart.settings.reading import make_settings
from tellapart.tasks.segmentation import testing
from tellapart.tasks.segmentation.abstaining import learn_to_abstain, picture_novelty, warnings_of
from tellapart.tasks.segmentation.calibrating import fit_pixels, sampled
from tellapart.tasks.segmentation.candidates import PixelCandidate, validate
from tellapart.tasks.segmentation.evaluating import judge_answer, score, write_answers
from tellapart.tasks.segmentation.testing import background_of, common_class, export, record_of
from tests.answers.made_masker import masker_manifest

from .made_candidate import CLASSES, PREPROCESSING, candidate, read_data, write_data

SETTINGS = make_settings({"data": "/nowhere", "task": "segmentation", "coverage": 0.55})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return read_data(write_data(tmp_path_factory.mktemp("pixels") / "data"))


@pytest.fixture(scope="module")
def choice(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Choice[PixelCandidate]:
    folder = tmp_path_factory.mktemp("networks")
    winner = validate(candidate(folder / "a"), dataset)
    probe = validate(candidate(folder / "b", "probe", bias=1.0), dataset)
    return Choice(winner=winner, reason="", compared=(winner, probe))


@pytest.fixture(scope="module")
def tested(choice: Choice[PixelCandidate], dataset: Dataset) -> writing.Tested:
    return testing.test(SETTINGS, choice, dataset)


@pytest.fixture(scope="module")
def model(choice: Choice[PixelCandidate], tested: writing.Tested, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = masker_manifest()
    told = made.model_copy(
        update={
            "classes": CLASSES,
            "record": tested.record,
            "pictures": type(made.preprocessing).of(PREPROCESSING),
        }
    )
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(export(choice, tested, told))
    return path


def examples_of(dataset: Dataset, tested: writing.Tested) -> list[Example]:
    return [dataset.examples[index] for index in dataset.indices[tested.rows].tolist()]


def lines_of(dataset: Dataset, tested: writing.Tested) -> list[dict[str, Any]]:
    assert tested.lines is not None
    return [dict(line) for line in tested.lines(examples_of(dataset, tested))]


def png(text: str) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return np.array(image)


def test_figures_are_of_the_test_split(tested: writing.Tested, dataset: Dataset) -> None:
    assert tested.metrics["n"] == len(tested.rows) == int((dataset.splits == "test").sum())
    assert 0.5 < tested.metrics["iou"]["value"] < 1
    assert set(tested.scores) == {"iou", "dice", "pixel_accuracy", "boundary_f1"}
    assert tested.beside["probe_test"]["iou"]["value"] < tested.metrics["iou"]["value"]
    assert tested.metrics["nothing_learned"]["class"] == "background"
    assert common_class(dataset) == 0
    calibration = tested.beside["calibration"]
    assert calibration["after"] <= calibration["before"]
    record = tested.record
    assert isinstance(record, SegmentationRecord)
    assert record.background == 0
    assert record.temperature == calibration["temperature"]


def test_the_file_says_what_was_tested(model: Path, tested: writing.Tested, dataset: Dataset) -> None:
    lines = lines_of(dataset, tested)
    found = load_predictor(model).predict([line["path"] for line in lines])
    for line, mask in zip(lines, found.masks, strict=True):
        assert mask is not None
        assert (np.asarray(mask) != png(line["answer"])).mean() < 0.01
    opened = open_model(model)
    images = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
    assert set(opened.compute(images, ("probabilities", "novelty"))) == {"probabilities", "novelty"}


def test_an_evaluation_of_the_file_is_the_test(
    model: Path, tested: writing.Tested, dataset: Dataset, tmp_path: Path
) -> None:
    predictor, examples = load_predictor(model), examples_of(dataset, tested)
    answers = list(predictor.stream(iter(_items([str(one.path) for one in examples]))))
    judged = [
        judge_answer(predictor.manifest, answer, one.target) for answer, one in zip(answers, examples, strict=True)
    ]
    found = score(
        predictor.manifest, judged, [one.target for one in examples], groups=dataset.groups[tested.rows], seed=0
    )
    for name in ("iou", "dice", "pixel_accuracy", "boundary_f1", "hausdorff95"):
        assert found[name]["value"] == pytest.approx(tested.metrics[name]["value"], abs=1e-3)
    assert json.loads(json.dumps(found)) == found
    write_answers(tmp_path / "lines.jsonl", predictor.manifest, examples, judged)
    again = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [one["path"] for one in again] == [line["path"] for line in lines_of(dataset, tested)]
    with pytest.raises(ValueError, match="a target of ClassName where masks are scored"):
        judge_answer(predictor.manifest, answers[0], ClassName("a"))


def _items(paths: Sequence[str]) -> list[Any]:
    from tellapart.answers.items import PathItem

    return [PathItem(path=path, named=True) for path in paths]


def test_the_finished_file_is_proved(
    choice: Choice[PixelCandidate], tested: writing.Tested, model: Path, dataset: Dataset
) -> None:
    from tellapart.preprocessing import load

    shown = [dataset.pictures[row] for row in tested.rows[:4].tolist()]
    images = np.stack([load(picture.read(), PREPROCESSING) for picture in shown])
    outputs = open_model(model).compute(images, ("probabilities", "embedding", "novelty"))
    for name, one in tested.expected.items():
        np.testing.assert_allclose(outputs[name], one.values(outputs), rtol=1e-3, atol=1e-4)


def test_what_is_unlike_is_known_by_its_tiles(choice: Choice[PixelCandidate], dataset: Dataset) -> None:
    found = learn_to_abstain(choice.winner.candidate, dataset, coverage=0.5, seed=0)
    assert found is not None
    assert found.threshold is not None
    assert found.measured["n"] == len(dataset.clean_test)
    chance = np.random.default_rng(0)
    novelty = fit_novelty(chance.normal(size=(40, 3)) + 5, np.zeros(40, dtype=np.int64))
    tiles = chance.normal(size=(2, 3)) + 5
    one, other = novelty.score(tiles)
    assert picture_novelty(novelty, [(tiles, np.array([3.0, 1.0]))])[0] == pytest.approx((3 * one + other) / 4)
    assert list(warnings_of(None)) == [
        "This network gives no embedding, so no picture is called unknown, however unlike the others it is."
    ]
    assert list(warnings_of(found)) == []
    few = learn_to_abstain(choice.winner.candidate, dataset, coverage=0.99, seed=0)
    assert "Until then no picture is called unknown" in " ".join(warnings_of(few))


def test_a_temperature_makes_pixels_mean_what_they_say() -> None:
    chance = np.random.default_rng(1)
    logits = chance.normal(size=(5_000, 3)) * 2
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (probabilities.cumsum(1) > chance.random(5_000)[:, None]).argmax(1)
    found = fit_pixels(3 * logits, labels)
    assert found.temperature == pytest.approx(3.0, rel=0.05)
    assert (found.pixels, found.after < found.before) == (5_000, True)
    assert found.as_json()["temperature"] == found.temperature
    with pytest.raises(DataError, match="0 validation pictures"):
        fit_pixels(logits[:0], labels[:0])


def test_pixels_are_drawn_evenly_of_those_that_count() -> None:
    counts = np.zeros(100, dtype=np.bool_)
    counts[10:60] = True
    assert sampled(counts, most=100, seed=0).tolist() == list(range(10, 60))
    some = sampled(counts, most=20, seed=0)
    assert len(set(some.tolist())) == 20
    assert some.tolist() == sorted(some.tolist())
    assert counts[some].all()


@pytest.mark.parametrize(
    ("classes", "number"),
    [
        (("background", "cell"), 0),
        (("cell", "Background "), 1),
        (("_background_", "a"), 0),
        (("背景", "a"), 0),
        (("a", "b"), None),
    ],
)
def test_the_background_is_known_by_its_name(classes: tuple[str, ...], number: int | None) -> None:
    assert background_of(classes) == number
    record = record_of(classes, fit_pixels(np.eye(2), np.array([0, 1])), calibrated_on=2)
    record.check(2)
    assert record.background == number


def test_a_mask_that_changed_is_told(choice: Choice[PixelCandidate], dataset: Dataset, tmp_path: Path) -> None:
    root = write_data(tmp_path / "data", count=10)
    own = read_data(root)
    target = own.examples[int(own.indices[own.rows["test"][0]])].target
    assert isinstance(target, MaskFile)
    Image.new("L", (3, 3)).save(target.path)
    with pytest.raises(DataError, match="has changed since it was looked at"):
        testing.test(SETTINGS, choice, own)

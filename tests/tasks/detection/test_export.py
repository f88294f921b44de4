"""One file that says what the detector says. In: a tiny detector. Out: the same from torch, NumPy and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tellapart.answers.boxes import FoundBoxes, find_boxes
from tellapart.bundle import (
    BackboneRecord,
    ClassificationRecord,
    DataRecord,
    DetectionRecord,
    Manifest,
    PreprocessingRecord,
    TaskRecord,
    open_model,
)
from tellapart.errors import ModelFileError
from tellapart.evaluation.novelty import fit_novelty
from tellapart.models.build import stage_network
from tellapart.models.catalog import DEFAULT
from tellapart.models.staged import StagedNetwork
from tellapart.models.weights import load_backbone
from tellapart.preprocessing import Preprocessing, prepare
from tellapart.tasks.detection.detectors import DETECTORS, DetectorName
from tellapart.tasks.detection.export import assemble, export_places, unordered_difference
from tellapart.tasks.detection.levels import StagedDetector
from tellapart.tasks.detection.network import Detector

SIZE = 64
CLASSES = ("cat", "dog", "鸟")
SCALES, OFFSETS = (1.0, 2.0, 0.5), (0.0, 3.0, 0.5)
RECORD = DetectionRecord(
    scales=SCALES,
    offsets=OFFSETS,
    thresholds=(0.3, 0.3, 0.3),
    threshold_rule="f1",
    calibrated_on=10,
    overlap=0.5,
    most=20,
    least_score=0.2,
)


def manifest(record: TaskRecord = RECORD) -> Manifest:
    return Manifest(
        task=record.kind,
        created="2026-11-28T12:00:00+00:00",
        strategy="finetune",
        classes=CLASSES,
        preprocessing=PreprocessingRecord.of(Preprocessing(size=SIZE, crop=1.0, fit="pad")),
        backbone=BackboneRecord(
            name="tiny", embedding=4, weights_source="none", weights_license="none", weights_fingerprint="0" * 64
        ),
        scores={},
        data=DataRecord(name="made", fingerprint="0" * 64, n_train=1, n_validation=1, n_test=1),
        versions={"tellapart": "0"},
        record=record,
    )


@pytest.fixture
def network(make_body: Callable[..., StagedNetwork]) -> Detector:
    """Heads with weights that say something else everywhere, and boxes of many sizes."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        made = Detector(make_body(), class_count=3, size=SIZE, channels=16).eval()
        torch.nn.init.normal_(made.score.weight, std=1.0)
        torch.nn.init.normal_(made.distance.weight, std=0.5)
        torch.nn.init.zeros_(made.score.bias)
    return made


def pictures(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def by_hand(network: StagedDetector, images: NDArray[np.uint8]) -> list[FoundBoxes]:
    """The network's own word in torch, calibrated and suppressed by answers/boxes.py."""
    with torch.inference_mode():
        found = network(torch.from_numpy(images))
        scores = (found.scores * torch.tensor(SCALES) + torch.tensor(OFFSETS)).sigmoid().numpy()
    boxes = found.boxes.numpy() / SIZE
    return [find_boxes(*one, most=20, overlap=0.5, least=0.2) for one in zip(boxes, scores, strict=True)]


@pytest.fixture
def places(network: Detector, tmp_path: Path) -> Path:
    path = tmp_path / "places.onnx"
    export_places(network, path)
    return path


def certain(kind: DetectorName, body: StagedNetwork) -> StagedDetector:
    """One of a kind, whose layers at random say something else everywhere."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        made = DETECTORS[kind].make(body, class_count=3, size=SIZE, channels=16)
        for name, value in made.named_parameters():
            if name.endswith(("cls_logits.weight", "classes.weight", "cls_score.weight")):
                torch.nn.init.normal_(value, std=0.5)
            elif name.endswith(("cls_logits.bias", "classes.bias", ".box.bias")):
                torch.nn.init.zeros_(value)
        made.body.batch_norm_frozen = False
        with torch.no_grad():  # statistics that make features of an ordinary size
            for module in made.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.momentum = None
            made.train()(torch.from_numpy(pictures(8)))
    made.eval()
    return made


@pytest.mark.parametrize("kind", sorted(set(DETECTORS) - {"default"}))
def test_every_detector_is_one_file_that_finds_what_it_finds(
    make_body: Callable[..., StagedNetwork], tmp_path: Path, kind: DetectorName
) -> None:
    network, images = certain(kind, make_body()), pictures(3)
    export_places(network, tmp_path / "places.onnx")
    for suppressed in (True, False):
        (tmp_path / "model.onnx").write_bytes(assemble(tmp_path / "places.onnx", manifest(), suppressed=suppressed))
        session = open_model(tmp_path / "model.onnx").session
        # As many pictures as come, though two were exported with.
        parts = [session.run(images[rows], ["boxes", "scores"]) for rows in (slice(0, 1), slice(1, 3))]
        boxes, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
        labels = session.run(images, ["labels"])[0] if suppressed else [None] * 3
        for number, expected in enumerate(by_hand(network, images)):
            assert len(expected.scores) > 3
            found = FoundBoxes(boxes=boxes[number], scores=scores[number], labels=labels[number])
            if not suppressed:
                found = find_boxes(boxes[number], scores[number], most=20, overlap=0.5, least=0.2)
            assert int((found.scores > 0).sum()) == len(expected.scores)
            np.testing.assert_allclose(found.scores[: len(expected.scores)], expected.scores, atol=1e-3)
            for box, score, label in zip(expected.boxes, expected.scores, expected.labels, strict=True):
                # Of scores that are nearly equal another one may be first.
                far = np.abs(found.boxes - box).max(1) + np.abs(found.scores - score) + (found.labels != label)
                assert far.min() < 2e-3


def test_places_in_another_order_are_no_difference() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(2, 100, 6))
    assert unordered_difference(rows[:, generator.permutation(100)], rows) == pytest.approx(0)
    lost = rows.copy()
    lost[0, 0] += 5  # one of a hundred may be another
    assert unordered_difference(lost, rows) < 1e-6
    assert unordered_difference(rows + 0.01, rows) > 5e-3


@pytest.mark.parametrize("count", [1, 3])
def test_the_file_finds_what_the_network_finds(network: Detector, places: Path, tmp_path: Path, count: int) -> None:
    path, images = tmp_path / "model.onnx", pictures(count)
    path.write_bytes(assemble(places, manifest()))
    model = open_model(path)
    assert model.manifest == manifest()
    boxes, scores, labels = model.session.run(images, ["boxes", "scores", "labels"])
    assert boxes.shape == (count, 20, 4)
    assert labels.dtype == np.int64
    for number, expected in enumerate(by_hand(network, images)):
        many = len(expected.scores)
        assert many > 3
        np.testing.assert_allclose(scores[number, :many], expected.scores, atol=1e-4)
        np.testing.assert_array_equal(labels[number, :many], expected.labels)
        np.testing.assert_allclose(boxes[number, :many], expected.boxes, atol=1e-4)
        assert not scores[number, many:].any()
        assert not boxes[number, many:].any()
        assert not labels[number, many:].any()


def test_the_file_measures_how_unlike_the_pictures_are(network: Detector, places: Path, tmp_path: Path) -> None:
    path, images = tmp_path / "model.onnx", pictures(5)
    images[4] = 0
    with torch.inference_mode():
        coarsest = network.maps(torch.from_numpy(images))[-1].mean((2, 3)).numpy()
    novelty = fit_novelty(coarsest[:4], np.zeros(4, dtype=np.int64))
    path.write_bytes(assemble(places, manifest(), novelty=novelty.arrays()))
    model = open_model(path)
    embedding, scores = model.session.run(images, ["embedding", "novelty"])
    np.testing.assert_allclose(embedding, coarsest, atol=1e-4)
    np.testing.assert_allclose(scores, novelty.score(coarsest), rtol=1e-2)
    assert scores[4] > scores[:4].max()


def test_the_variant_without_suppression_gives_all_places(network: Detector, places: Path, tmp_path: Path) -> None:
    path, images = tmp_path / "model.onnx", pictures(2)
    path.write_bytes(assemble(places, manifest(), suppressed=False))
    model = open_model(path)
    assert "NonMaxSuppression" not in path.read_bytes().decode("latin-1")
    boxes, scores = model.session.run(images, ["boxes", "scores"])
    assert scores.shape == (2, 84, 3)
    for number, expected in enumerate(by_hand(network, images)):
        found = find_boxes(boxes[number], scores[number], most=20, overlap=0.5, least=0.2)
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-4)


def test_where_nothing_is_certain_all_is_zero(places: Path) -> None:
    record = RECORD.model_copy(update={"least_score": 0.999999})
    session = onnxruntime.InferenceSession(assemble(places, manifest(record)), providers=["CPUExecutionProvider"])
    for found in session.run(None, {"image": pictures(2)}):
        assert found.shape[:2] == (2, 20)
        assert not found.any()


def test_a_manifest_of_another_task_is_refused(places: Path) -> None:
    with pytest.raises(
        ModelFileError, match="^the model is of the task 'classification', for which this cannot be done"
    ):
        assemble(places, manifest(ClassificationRecord(temperature=1.0)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scales": (1.0, 1.0)}, "scales are 2 numbers; there must be a finite one for each class"),
        (
            {"thresholds": (0.5, float("nan"), 0.5)},
            "thresholds are 3 numbers; there must be a finite one for each class",
        ),
        ({"scales": (1.0, -1.0, 1.0)}, "a scale is -1; each must be above 0"),
    ],
)
def test_a_record_that_does_not_suit_the_classes_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        manifest(RECORD.model_copy(update=changes))


@pytest.mark.slow
def test_the_default_network_says_the_same_in_torch_and_in_the_file(tmp_path: Path) -> None:
    loaded = load_backbone(DEFAULT, None)
    preprocessing = replace(loaded.preprocessing, size=320, crop=1.0, fit="pad")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        body = stage_network(loaded.network, name=DEFAULT, preprocessing=preprocessing, class_count=1)
        network = Detector(body, class_count=3, size=320).eval()
    assert [(level.stage, level.channels) for level in network.levels] == [(2, 40), (4, 112), (6, 1280)]
    export_places(network, tmp_path / "places.onnx")
    told = manifest(RECORD.model_copy(update={"scales": (1.0,) * 3, "offsets": (0.0,) * 3, "least_score": 0.0}))
    told = told.model_copy(update={"pictures": PreprocessingRecord.of(preprocessing)})
    (tmp_path / "model.onnx").write_bytes(assemble(tmp_path / "places.onnx", told, suppressed=False))
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8))
    images = prepare(noise.resize((640, 411), Image.Resampling.BICUBIC), preprocessing)[None]
    boxes, scores = open_model(tmp_path / "model.onnx").session.run(images, ["boxes", "scores"])
    with torch.inference_mode():
        expected = network(torch.from_numpy(images.copy()))
    np.testing.assert_allclose(boxes, expected.boxes.numpy() / 320, atol=1e-4)
    np.testing.assert_allclose(scores, expected.scores.sigmoid().numpy(), atol=1e-4)

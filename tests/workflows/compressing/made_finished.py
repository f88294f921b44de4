"""A finished run with a small network of convolutions. In: a folder. Out: the run's folder. Next: test_compress.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.bundle import BackboneRecord, ClassificationRecord, DataRecord, Manifest, PreprocessingRecord
from tellapart.data.examples import Example, Split
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import ClassName
from tellapart.evaluation.choosing import LinearCandidate, only
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Silent
from tellapart.runs.open import OpenRun
from tellapart.runs.recipe import recipe_text
from tellapart.runs.writing import write_answers
from tellapart.settings.reading import make_settings
from tellapart.storage import write_json
from tellapart.tasks.classification.task import CLASSIFICATION
from tellapart.workflows.compressing.compressible import dataset_of
from tellapart.workflows.learning.finished import EmbedOnce
from tests.compression.made_networks import SIZE, conv_network

CLASSES = ("blue", "green", "red")
SQUARE = Preprocessing(size=SIZE, crop=1.0)
EACH: dict[Split, int] = {"train": 24, "validation": 15, "test": 15}
AUDIT = {"counts": {}, "sizes": {}, "formats": {"PNG": 54}, "unreadable": [], "duplicates": 0, "near_copies": []}


def write_pictures(folder: Path) -> list[Example]:
    """Pictures in which one colour is the strongest, a few of them called otherwise; by content in no order."""
    chance = np.random.default_rng(3)
    examples = []
    folder.mkdir(parents=True)
    for split, count in EACH.items():
        for number in range(count):
            shown = number % 3
            pixels = chance.integers(0, 100, (SIZE, SIZE, 3))
            pixels[..., 2 - shown] += 150
            path = folder / f"{split}-{number}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            said = (shown + 1) % 3 if number == 14 else shown
            content = f"{int(chance.integers(2**60)):032x}"
            examples.append(
                Example(
                    path=path,
                    target=ClassName(CLASSES[said]),
                    split=split,
                    group=content,
                    content_hash=content,
                    width=SIZE,
                    height=SIZE,
                )
            )
    return examples


def write_finished(folder: Path) -> Path:
    """The folder of a run, as training leaves it, but for its weights."""
    run = folder / "run"
    run.mkdir(parents=True)
    write_examples(run / "examples.csv", write_pictures(folder / "pictures"))
    (folder / "network.onnx").write_bytes(conv_network(wide=64))
    (run / "recipe.toml").write_text(recipe_text(make_settings({"data": str(folder / "pictures")})))
    backbone = ReadyBackbone(
        name="small",
        network=folder / "network.onnx",
        weights=folder / "none",
        preprocessing=SQUARE,
        embedding=128,
        weights_source="made here",
        weights_license="none",
        fingerprint="0" * 64,
        reused=False,
        seconds=0.0,
    )
    told = _manifest(backbone, ClassificationRecord(temperature=1.0))
    opened = OpenRun.__new__(OpenRun)
    opened.folder, opened.manifest, opened._pictures = run, told, None
    dataset = dataset_of(opened, CLASSIFICATION)
    embed = EmbedOnce(dataset.pictures, backbone, Silent())
    train = dataset.rows["train"]
    # Ridge regression of the classes on what the network gives.
    given = np.c_[embed(train), np.ones(len(train))].astype(np.float64)
    classes = 8 * np.eye(3)[dataset.targets[train]]
    found = np.linalg.solve(given.T @ given + 0.01 * np.eye(129), given.T @ classes).astype(np.float32)
    candidate = LinearCandidate(
        strategy="probe",
        backbone=backbone,
        weight=np.ascontiguousarray(found[:-1].T),
        bias=found[-1],
        embeddings=embed,
        details={},
    )
    settings = opened.settings
    choice = only(CLASSIFICATION.validate(candidate, dataset))
    tested = CLASSIFICATION.test(settings, choice, dataset)
    shown = [dataset.examples[index] for index in dataset.indices[tested.rows].tolist()]
    write_answers(run, tested, shown)
    write_json(run / "audit.json", AUDIT)
    write_json(run / "metrics.json", {"task": "classification", "test": tested.metrics, **tested.beside})
    manifest = _manifest(backbone, tested.record).model_copy(update={"scores": tested.scores})
    (run / "model.onnx").write_bytes(CLASSIFICATION.export(choice, tested, manifest))
    return run


def _manifest(backbone: ReadyBackbone, record: ClassificationRecord) -> Manifest:
    return Manifest(
        task="classification",
        created="2026-01-01T00:00:00+00:00",
        strategy="probe",
        classes=CLASSES,
        preprocessing=PreprocessingRecord.of(SQUARE),
        backbone=BackboneRecord(
            name=backbone.name,
            embedding=backbone.embedding,
            weights_source="made here",
            weights_license="none",
            weights_fingerprint=backbone.fingerprint,
        ),
        scores={},
        data=DataRecord(name="pictures", fingerprint="1" * 64, n_train=24, n_validation=15, n_test=15),
        versions={"tellapart": "0.1.0"},
        record=record,
    )

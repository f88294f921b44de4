"""A finished run made by hand. In: classes, answers. Out: MadeRun. Next: test_results.py.

Its figures are all different, so that one in another's place is noticed.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.bundle import BackboneRecord, ClassificationRecord, DataRecord, Manifest, PreprocessingRecord
from tellapart.data.examples import Example
from tellapart.data.targets import ClassName
from tellapart.export.assemble import assemble
from tellapart.runs.open import MODEL, OpenRun
from tellapart.runs.reading import PredictionTable
from tellapart.settings.reading import make_settings
from tellapart.settings.tree import TrainSettings


class MadeRun(OpenRun):
    """A run whose parts are given, not read."""

    def __init__(
        self,
        *,
        folder: Path,
        settings: TrainSettings,
        manifest: Manifest,
        metrics: dict[str, Any],
        audit: dict[str, Any],
        examples: list[Example],
        predictions: PredictionTable,
    ) -> None:
        self.folder, self.file = folder, folder / MODEL
        self.manifest, self.preprocessing = manifest, manifest.preprocessing.plain()
        self.settings, self.metrics, self.audit = settings, metrics, audit
        self.examples, self.predictions = examples, predictions


HUES = {"red": (220, 0, 0), "green": (0, 220, 0), "blue": (0, 0, 220)}

ANT, BEE, CAT = 0, 1, 2
CLASSES = ("ant", "bee", "cat")

# Twelve test pictures: what each is, and the probabilities of ant, bee and cat. Sixteenths are exact in float32.
ANSWERS = [
    (ANT, (0.75, 0.125, 0.125)),
    (ANT, (0.625, 0.25, 0.125)),
    (ANT, (0.25, 0.625, 0.125)),  # taken for a bee
    (ANT, (0.125, 0.75, 0.125)),  # taken for a bee, more surely
    (ANT, (0.25, 0.25, 0.5)),  # taken for a cat
    (BEE, (0.125, 0.875, 0.0)),
    (BEE, (0.25, 0.5, 0.25)),
    (BEE, (0.5, 0.375, 0.125)),  # taken for an ant
    (BEE, (0.0625, 0.9375, 0.0)),
    (CAT, (0.25, 0.125, 0.625)),
    (CAT, (0.125, 0.75, 0.125)),  # taken for a bee
    (CAT, (0.125, 0.8125, 0.0625)),  # taken for a bee, more surely
]
MATRIX = [[2, 2, 1], [1, 3, 0], [0, 2, 1]]  # rows are what a picture is


def manifest(classes: Sequence[str], *, strategy: str = "probe", temperature: float = 2.0) -> Manifest:
    return Manifest(
        task="classification",
        created="2026-03-04T05:06:07+00:00",
        strategy=strategy,
        classes=tuple(classes),
        preprocessing=PreprocessingRecord(
            size=16, crop=1.0, interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
        ),
        record=ClassificationRecord(temperature=temperature),
        backbone=BackboneRecord(
            name="tiny", embedding=3, weights_source="made here", weights_license="none", weights_fingerprint="0" * 64
        ),
        scores={},
        data=DataRecord(name="animals", fingerprint="1" * 64, n_train=16, n_validation=6, n_test=12),
        versions={"tellapart": "0.1.0", "numpy": "2.0"},
    )


def tested(classes: Sequence[str], labels: Sequence[int], predicted: Sequence[int]) -> dict[str, Any]:
    """What metrics.json says of a test split; a class's interval reaches a tenth below its recall, a twentieth above."""
    matrix = np.zeros((len(classes), len(classes)), dtype=int)
    for label, answer in zip(labels, predicted, strict=True):
        matrix[label, answer] += 1
    support, answered, right = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    per_class = {}
    for number, name in enumerate(classes):
        there, recall = bool(support[number]), float(right[number] / max(support[number], 1))
        per_class[name] = {
            "precision": float(right[number] / answered[number]) if answered[number] else 0.0,
            "recall": recall if there else None,
            "f1": float(2 * right[number] / (support[number] + answered[number])) if there else None,
            "support": int(support[number]),
            "recall_interval": {"low": recall - 0.1, "high": recall + 0.05, "method": "wilson"} if there else None,
        }
    return {
        "n": len(labels),
        "accuracy": {"value": 0.51, "low": 0.41, "high": 0.61, "method": "wilson"},
        "balanced_accuracy": {"value": 0.52, "low": 0.42, "high": 0.62, "method": "bootstrap"},
        "macro_f1": {"value": 0.53, "low": None, "high": None, "method": "none"},
        "log_loss": {"value": 0.94, "low": 0.84, "high": 1.04, "method": "bootstrap"},
        "brier": {"value": 0.65, "low": 0.55, "high": 0.75, "method": "bootstrap"},
        "auroc": {"value": 0.76, "low": 0.66, "high": 0.86, "method": "bootstrap"},
        "auroc_missing": None,
        "top_5": None,
        "per_class": per_class,
        "confusion_matrix": matrix.tolist(),
        "calibration_error": {"before": 0.1234, "after": 0.0567},
        "majority_baseline": 5 / 12,
        "too_small_to_tell": True,
    }


def run_of(
    classes: Sequence[str] = CLASSES,
    answers: Sequence[tuple[int, Sequence[float]]] = ANSWERS,
    *,
    folder: Path = Path("/nowhere/run"),
    examples: Sequence[Example] = (),
    tested_paths: Sequence[Path] | None = None,
    strategy: str = "probe",
    temperature: float = 2.0,
    told: Manifest | None = None,
    metrics: dict[str, Any] | None = None,
    test: dict[str, Any] | None = None,
    audit: dict[str, Any] | None = None,
    **settings: Any,
) -> MadeRun:
    """A run whose test pictures are called 0.png, 1.png ...

    `metrics`, `test` (of the test split) and `audit` replace what they name; `told` is another manifest.
    """
    labels = [label for label, _ in answers]
    probabilities = np.array([chances for _, chances in answers], dtype=np.float32)
    return MadeRun(
        folder=folder,
        settings=make_settings({"pictures": "/nowhere/animals", **settings}),
        manifest=told or manifest(classes, strategy=strategy, temperature=temperature),
        metrics={
            "test": tested(classes, labels, probabilities.argmax(axis=1).tolist()) | (test or {}),
            "test_without_leaked": None,
            "abstention": None,
            "leaked": 0,
            "validation": [{"strategy": strategy, "log_loss": 0.7, "accuracy": 0.8, "temperature": temperature}],
            "training": {strategy: {}},
            "seconds": {"whole": 75.0},
        }
        | (metrics or {}),
        audit=AUDIT | (audit or {}),
        examples=list(examples),
        predictions=PredictionTable(
            source=folder / "predictions.csv",
            lines=list(range(2, len(labels) + 2)),
            paths=list(tested_paths or [Path(f"/nowhere/{row}.png") for row in range(len(labels))]),
            targets=[classes[label] for label in labels],
            answers=[classes[answer] for answer in probabilities.argmax(axis=1)],
            probabilities=probabilities,
        ),
    )


def many(count: int, answers: Sequence[tuple[int, int, float]] = ()) -> MadeRun:
    """A run of `count` classes: one right answer each, and then `answers`: label, answer and its probability."""
    told = [*((number, number, 0.75) for number in range(count)), *answers]
    chances = np.zeros((len(told), count))
    for row, (_, answer, chance) in enumerate(told):
        chances[row] = (1 - chance) / (count - 1)
        chances[row, answer] = chance
    classes = [f"class {number:02}" for number in range(count)]
    return run_of(classes, [(label, tuple(one)) for (label, _, _), one in zip(told, chances, strict=True)])


AUDIT: dict[str, Any] = {
    "counts": {},
    "sizes": {
        "least_width": 10,
        "most_width": 40,
        "median_width": 20.5,
        "least_height": 11,
        "most_height": 41,
        "median_height": 21,
    },
    "formats": {"PNG": 12, "JPEG": 16},
    "unreadable": [],
    "duplicates": 0,
    "near_copies": [],
    "leaks": [],
    "two_labels": [],
}


def example(
    path: str | Path, label: str, split: Any = "train", *, content: str = "", problem: str = "", group: str = ""
) -> Example:
    """One row of examples.csv."""
    return Example(
        path=Path(path),
        target=ClassName(label),
        split=None if problem else split,
        group=group,
        content_hash=content or str(path),
        width=20,
        height=21,
        problem=problem,
    )


def pixels(address: str | None) -> NDArray[np.uint8]:
    assert address is not None
    assert address.startswith("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(address.partition("base64,")[2]))) as image:
        return np.asarray(image)


def colour_model(folder: Path, manifest: Manifest) -> bytes:
    """A model.onnx that Grad-CAM can look into: classes 0, 1 and 2 are what is blue, green and red, in squares of 4 pixels."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "scale"], ["scaled"]),
        helper.make_node("AveragePool", ["scaled"], ["map"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("GlobalAveragePool", ["map"], ["means"]),
        helper.make_node("Flatten", ["means"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 16, 16, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(np.eye(3, dtype=np.float32)[..., None, None] / 255, "scale")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), folder / "network.onnx")
    weight = 10 * np.eye(3, dtype=np.float32)[::-1]
    bias = np.zeros(3, dtype=np.float32)
    return assemble(folder / "network.onnx", weight=weight.copy(), bias=bias, manifest=manifest)

"""A detector by hand, without torch: it finds the red and the blue thing of a picture. In: a path. Out: model.onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tellapart.bundle import (
    DIGEST_KEY,
    MANIFEST_KEY,
    BackboneRecord,
    DataRecord,
    DetectionRecord,
    Manifest,
    PreprocessingRecord,
    Score,
    seal,
)

SIZE = 64  # pixels of the network's input
CLASSES = ("蓝 blue", "red")
SCORES = (0.75, 0.5)
COLOURS: Mapping[str, tuple[int, int, int]] = {CLASSES[0]: (0, 0, 255), CLASSES[1]: (255, 0, 0)}
THRESHOLDS = (0.6, 0.6)  # a red thing is found, and not told
Thing = tuple[str, int, int, int, int]  # class, left, top, right, bottom


def detector_manifest(thresholds: Sequence[float] = THRESHOLDS, **preprocessing: Any) -> Manifest:
    """`preprocessing`: what is otherwise than a padded picture."""
    inputs: dict[str, Any] = {"size": SIZE, "crop": 1.0, "fit": "pad", "interpolation": "bilinear"}
    return Manifest(
        task="detection",
        created="2026-01-01T00:00:00+00:00",
        strategy="finetune",
        classes=CLASSES,
        preprocessing=PreprocessingRecord(**inputs | {"mean": (0.0,) * 3, "std": (1.0,) * 3} | preprocessing),
        backbone=BackboneRecord(
            name="by hand",
            embedding=3,
            weights_source="made here",
            weights_license="none",
            weights_fingerprint="0" * 64,
        ),
        scores={"ap50": Score(value=0.9, low=0.8, high=0.95)},
        data=DataRecord(name="things", fingerprint="1" * 64, n_train=7, n_validation=1, n_test=2),
        versions={"tellapart": "0.1.0"},
        record=DetectionRecord(
            scales=(1.0, 1.0),
            offsets=(0.0, 0.0),
            thresholds=tuple(thresholds),
            threshold_rule="f1",
            calibrated_on=9,
            overlap=0.5,
            most=2,
            least_score=0.01,
        ),
    )


def detector_bytes(manifest: Manifest | None = None) -> bytes:
    """A whole model.onnx: of each colour the box around all its pixels, with that colour's score."""
    from onnx import TensorProto, checker, helper, numpy_helper

    node, value = helper.make_node, helper.make_tensor_value_info
    # How much more red than else a pixel is, or blue.
    pull = np.array([[-1, 1], [-1, -1], [1, -1]], dtype=np.float32) / 255
    constants: dict[str, object] = {
        "pull": pull,
        "half": np.float32(0.5),
        "one": np.int64(1),
        "size": np.float32(SIZE),
        "certainty": np.array(SCORES, dtype=np.float32),
        "numbers": np.array([0, 1], dtype=np.int64),
        "last": np.array([2], dtype=np.int64),
    }
    sides = {"left": ("across", 0), "top": ("down", 0), "right": ("across", 1), "bottom": ("down", 1)}
    nodes = [
        node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        node("MatMul", ["pixels", "pull"], ["pulled"]),
        node("Greater", ["pulled", "half"], ["is_there"]),
        node("Cast", ["is_there"], ["mask"], to=TensorProto.FLOAT),
        node("ReduceMax", ["mask"], ["across"], axes=[1], keepdims=0),
        node("ReduceMax", ["mask"], ["down"], axes=[2], keepdims=0),
        node("ReduceMax", ["across"], ["there"], axes=[1], keepdims=0),
        node("Mul", ["there", "certainty"], ["scores"]),
        node("Cast", ["there"], ["whole"], to=TensorProto.INT64),
        node("Mul", ["whole", "numbers"], ["labels"]),
    ]
    for name, (line, end) in sides.items():
        nodes.append(node("ArgMax", [line], [f"{name} place"], axis=1, keepdims=0, select_last_index=end))
        nodes.append(node("Add", [f"{name} place", "one"], [f"{name} end"]))
        nodes.append(node("Cast", [f"{name} {'end' if end else 'place'}"], [f"{name} pixel"], to=TensorProto.FLOAT))
        nodes.append(node("Unsqueeze", [f"{name} pixel", "last"], [f"{name} column"]))
    nodes += [
        node("Concat", [f"{name} column" for name in sides], ["in pixels"], axis=2),
        node("Div", ["in pixels", "size"], ["everywhere"]),
        node("Unsqueeze", ["there", "last"], ["there column"]),
        node("Mul", ["everywhere", "there column"], ["boxes"]),
    ]
    told = manifest or detector_manifest()
    graph = helper.make_graph(
        nodes,
        "by hand",
        [value("image", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [
            value("boxes", TensorProto.FLOAT, ["N", 2, 4]),
            value("scores", TensorProto.FLOAT, ["N", 2]),
            value("labels", TensorProto.INT64, ["N", 2]),
        ],
        [numpy_helper.from_array(np.asarray(one), name) for name, one in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {MANIFEST_KEY: told.model_dump_json(), DIGEST_KEY: "0" * 64})
    checker.check_model(model)
    return seal(model.SerializeToString())


def draw_things(path: Path, size: tuple[int, int], things: Sequence[Thing], *, orientation: int = 1) -> Path:
    """A dark picture with coloured rectangles; where EXIF turns it, they stand as the file stores them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (20, 30, 20))
    for name, left, top, right, bottom in things:
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=COLOURS[name])
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    image.save(path, exif=exif, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}))
    return path

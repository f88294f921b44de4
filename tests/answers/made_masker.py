"""A network of masks by hand, without torch: dark, red and blue pixels. In: nothing. Out: model.onnx."""

from __future__ import annotations

import numpy as np

from tellapart.answers.mask_files import class_colours
from tellapart.bundle import (
    DIGEST_KEY,
    MANIFEST_KEY,
    BackboneRecord,
    DataRecord,
    Manifest,
    PreprocessingRecord,
    Score,
    SegmentationRecord,
    seal,
)

TILE = 64  # pixels
OVERLAP = 16
CLASSES = ("background", "蓝 blue", "red")


def masker_record(**others: object) -> SegmentationRecord:
    own = {
        "temperature": 1.0,
        "colours": class_colours(len(CLASSES), background=0),
        "background": 0,
        "calibrated_on": 9,
    }
    return SegmentationRecord.model_validate(own | others)


def masker_manifest(**others: object) -> Manifest:
    return Manifest(
        task="segmentation",
        created="2026-01-01T00:00:00+00:00",
        strategy="finetune",
        classes=CLASSES,
        preprocessing=PreprocessingRecord(
            size=TILE,
            crop=1.0,
            fit="tile",
            overlap=OVERLAP,
            interpolation="bilinear",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        ),
        backbone=BackboneRecord(
            name="by hand",
            embedding=3,
            weights_source="made here",
            weights_license="none",
            weights_fingerprint="0" * 64,
        ),
        scores={"iou": Score(value=0.9, low=0.8, high=0.95)},
        data=DataRecord(name="things", fingerprint="1" * 64, n_train=7, n_validation=1, n_test=2),
        versions={"tellapart": "0.1.0"},
        record=masker_record(**others),
    )


def masker_bytes(manifest: Manifest | None = None) -> bytes:
    """A whole model.onnx: one convolution of 1 x 1 and a softmax; of pure blue, red or black the class is almost sure."""
    from onnx import TensorProto, checker, helper, numpy_helper

    node, value = helper.make_node, helper.make_tensor_value_info
    weights = np.array([[-1, -1, -1], [-1, -1, 1], [1, -1, -1]], dtype=np.float32) * (8 / 255)
    constants = {
        "weights": weights[:, :, None, None],
        "bias": np.array([4.0, 0.0, 0.0], dtype=np.float32),
        "temperature": np.array([1.0], dtype=np.float32),
    }
    nodes = [
        node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        node("Transpose", ["pixels"], ["channels"], perm=[0, 3, 1, 2]),
        node("Conv", ["channels", "weights", "bias"], ["logits"]),
        node("Div", ["logits", "temperature"], ["calibrated_logits"]),
        node("Softmax", ["calibrated_logits"], ["probabilities"], axis=1),
    ]
    told = manifest or masker_manifest()
    graph = helper.make_graph(
        nodes,
        "by hand",
        [value("image", TensorProto.UINT8, ["N", "H", "W", 3])],
        [value("probabilities", TensorProto.FLOAT, ["N", len(CLASSES), "H", "W"])],
        [numpy_helper.from_array(one, name) for name, one in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {MANIFEST_KEY: told.model_dump_json(), DIGEST_KEY: "0" * 64})
    checker.check_model(model)
    return seal(model.SerializeToString())

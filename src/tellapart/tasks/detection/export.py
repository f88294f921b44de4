"""A trained detector becomes one file. In: StagedDetector, Manifest. Out: the bytes of model.onnx. Next: answers/boxes.py.

The graph: uint8 picture -> normalise -> backbone, pyramid, towers -> logits and boxes at every place -> calibration -> boxes that
lie on more certain ones of their class are left out -> `boxes`, `scores`, `labels`. A variant ends before the last step, for
runtimes that have no such operator; answers/boxes.py does the same there. Beside it the means of the backbone's coarsest map,
`embedding`, and from that `novelty`.

Shapes: N pictures, S side of the picture, P places, K classes, C channels of the coarsest map, D boxes of a picture: 100, or
K x P where that is less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.bundle import DetectionRecord, Manifest
from tellapart.export.assemble import add_novelty, calibration, sealed
from tellapart.models.tracing import relative_difference, trace
from tellapart.storage import storage_errors, write_bytes
from tellapart.tasks.detection.levels import StagedDetector

if TYPE_CHECKING:
    from onnx import NodeProto

_WITHOUT_TWIN = 0.02
_FOUND = "found"  # what the network's own file gives: boxes and logits side by side
_EMBEDDING = "embedding"  # and beside it


class _Everywhere(nn.Module):
    """uint8 [N, S, S, 3] -> float32 [N, P, 4 + K], boxes as shares of S and logits; and [N, C]."""

    def __init__(self, network: StagedDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.network.maps(image)
        found = self.network(torch.cat([one.flatten(1) for one in maps], dim=1), start=len(self.network.body.stages))
        return torch.cat([found.boxes / self.network.size, found.scores], dim=2), maps[-1].mean((2, 3))


def export_places(network: StagedDetector, path: Path) -> None:
    """Write what the network says at every place, [N, P, 4 + K], as ONNX, and the embedding [N, C] beside it.

    Raises: BackboneError, StorageError.
    """
    import onnx

    difference = relative_difference if network.ordered else unordered_difference
    shape = trace(
        _Everywhere(network),
        size=network.size,
        path=path,
        output=_FOUND,
        beside=[_EMBEDDING],
        name="detector",
        difference=difference,
    )
    # The exporter does not always know how many places there are.
    with storage_errors(path):
        model = onnx.load(path)
    del model.graph.output[:]
    shapes = {_FOUND: shape, _EMBEDDING: (network.levels[-1].channels,)}
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", *own]) for name, own in shapes.items()
    )
    write_bytes(path, model.SerializeToString())


def unordered_difference(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """How far from each of expected places [N, P, 4 + K] the nearest that was found is, by boxes and probabilities.

    Of proposals that are nearly as likely, arithmetic's last digit says which is the first, or is left out; two in a hundred may
    be without a twin.
    """
    apart = []
    for one, other in zip(found, expected, strict=True):
        one, other = (
            np.concatenate([rows[:, :4], 1 / (1 + np.exp(-rows[:, 4:].clip(-80, 80)))], 1) for rows in (one, other)
        )
        apart += [np.abs(one - row).max(1).min() for row in other]
    return float(np.quantile(apart, 1 - _WITHOUT_TWIN))


def assemble(
    places: Path,
    manifest: Manifest,
    *,
    suppressed: bool = True,
    novelty: Mapping[str, NDArray[np.float32]] | None = None,
) -> bytes:
    """The bytes of model.onnx. `places` is what `export_places` wrote; the manifest's record says how boxes are decided.

    Outputs where `suppressed`: `boxes` float32 [N, D, 4] (left, top, right, bottom as shares of the input's side), `scores`
    float32 [N, D], the highest first, and `labels` int64 [N, D]; a picture with fewer boxes is filled up with zeros. Else `boxes`
    [N, P, 4] and `scores` [N, P, K] of all places. With `novelty`, the arrays of evaluation/novelty.py, there are `embedding`
    [N, C] and `novelty` [N], too. Raises: StorageError when `places` cannot be read; ModelFileError for a
    manifest of another task.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    record = manifest.record_of(DetectionRecord)
    with storage_errors(places):
        model = onnx.load(places)
    graph, size, classes = model.graph, manifest.preprocessing.size, len(manifest.classes)
    count = int(graph.output[0].type.tensor_type.shape.dim[1].dim_value)  # P
    most = min(record.most, count * classes)
    constants, nodes = _scored(record)
    outputs: dict[str, tuple[int, Sequence[int | str]]] = {
        "boxes": (TensorProto.FLOAT, ["N", count, 4]),
        "scores": (TensorProto.FLOAT, ["N", count, classes]),
    }
    if suppressed:
        more, suppression = _suppressed(record, count, most)
        constants, nodes = {**constants, **more}, [*nodes, *suppression]
        outputs = {
            "boxes": (TensorProto.FLOAT, ["N", most, 4]),
            "scores": (TensorProto.FLOAT, ["N", most]),
            "labels": (TensorProto.INT64, ["N", most]),
        }
    else:
        nodes += [helper.make_node("Identity", [f"all_{name}"], [name]) for name in outputs]
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items())
    graph.node.extend(nodes)
    del graph.input[:], graph.output[:]
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, 3]))
    graph.output.extend(helper.make_tensor_value_info(name, *one) for name, one in outputs.items())
    if novelty is not None:
        length = len(novelty["centre"])
        graph.output.append(helper.make_tensor_value_info(_EMBEDDING, TensorProto.FLOAT, ["N", length]))
        add_novelty(model, novelty, length)
    return sealed(model, manifest)


def _scored(record: DetectionRecord) -> tuple[dict[str, Any], list[NodeProto]]:
    """From `found` to `all_boxes` [N, P, 4] and the calibrated `all_scores` [N, P, K]."""
    from onnx import helper

    constants = {
        "detector.zero": np.array([0], dtype=np.int64),
        "detector.four": np.array([4], dtype=np.int64),
        "detector.end": np.array([2**31 - 1], dtype=np.int64),
        "detector.columns": np.array([2], dtype=np.int64),
    }
    numbers, ending = calibration(record, part="detector", last="all_scores")
    return {**constants, **numbers}, [
        helper.make_node("Slice", [_FOUND, "detector.zero", "detector.four", "detector.columns"], ["all_boxes"]),
        helper.make_node("Slice", [_FOUND, "detector.four", "detector.end", "detector.columns"], ["logits"]),
        *ending,
    ]


def _suppressed(record: DetectionRecord, count: int, most: int) -> tuple[Mapping[str, Any], list[NodeProto]]:
    """From these to `boxes`, `scores` and `labels`, the same number for each picture.

    What NonMaxSuppression chose, a list over all pictures, is put back to its place among zeros [N, K, P]; of that the highest
    ones of each picture are taken, so that batches of any size give arrays.
    """
    from onnx import TensorProto, helper

    constants = {
        "detector.most_a_class": np.array([record.most], dtype=np.int64),
        "detector.overlap": np.array([record.overlap], dtype=np.float32),
        "detector.least_score": np.array([record.least_score], dtype=np.float32),
        "detector.flat": np.array([0, -1], dtype=np.int64),
        "detector.most": np.array([most], dtype=np.int64),
        "detector.places": np.array(count, dtype=np.int64),
        "detector.last": np.array([-1], dtype=np.int64),
        "detector.nothing": np.array(0, dtype=np.float32),
    }
    limits = ["detector.most_a_class", "detector.overlap", "detector.least_score"]
    return constants, [
        helper.make_node("Transpose", ["all_scores"], ["by_class"], perm=[0, 2, 1]),
        helper.make_node("NonMaxSuppression", ["all_boxes", "by_class", *limits], ["chosen"]),
        helper.make_node("GatherND", ["by_class", "chosen"], ["chosen_scores"]),
        helper.make_node("Shape", ["by_class"], ["whole"]),
        helper.make_node("Expand", ["detector.nothing", "whole"], ["nowhere"]),
        helper.make_node("ScatterND", ["nowhere", "chosen", "chosen_scores"], ["left"]),
        helper.make_node("Reshape", ["left", "detector.flat"], ["flat"]),
        helper.make_node("TopK", ["flat", "detector.most"], ["scores", "numbers"], axis=1),
        helper.make_node("Div", ["numbers", "detector.places"], ["label_numbers"]),
        helper.make_node("Mod", ["numbers", "detector.places"], ["place_numbers"]),
        helper.make_node("Greater", ["scores", "detector.nothing"], ["there"]),
        helper.make_node("Cast", ["there"], ["there_int"], to=TensorProto.INT64),
        helper.make_node("Mul", ["label_numbers", "there_int"], ["labels"]),
        helper.make_node("Unsqueeze", ["place_numbers", "detector.last"], ["where"]),
        helper.make_node("GatherND", ["all_boxes", "where"], ["their_boxes"], batch_dims=1),
        helper.make_node("Unsqueeze", ["there", "detector.last"], ["there_each"]),
        helper.make_node("Where", ["there_each", "their_boxes", "detector.nothing"], ["boxes"]),
    ]

"""The kept graphs are those of a fresh export. In: the catalog. Out: the same graphs; what cannot be kept is refused."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tellapart.errors import BackboneError
from tellapart.models.catalog import EMBEDDED
from tellapart.models.keeping import keep, take_out
from tellapart.models.kept_graph import Source, graph_file, unpack
from tellapart.preprocessing import Preprocessing


@pytest.mark.slow
@pytest.mark.long  # what is cheaper to compare of it stands in test_assembling.py
@pytest.mark.parametrize("name", EMBEDDED)
def test_the_kept_graph_is_that_of_a_fresh_export(name: str) -> None:
    fresh, kept = keep(name), unpack(graph_file(name))
    # Another processor may differ in the last digits.
    np.testing.assert_allclose(kept.expected, fresh.expected, atol=1e-4)
    graphs = [onnx.load_model_from_string(one.graph).graph for one in (kept, fresh)]
    assert [node.name for node in graphs[0].node] == [node.name for node in graphs[1].node], "run `make graphs`"
    # What a picture may be made ready by has grown since; what a kept record does not name is the usual.
    usual = json.loads(json.dumps(dataclasses.asdict(Preprocessing(size=1))))
    record = {**kept.record, "preprocessing": {**usual, **kept.record["preprocessing"]}}
    assert replace(kept, expected=fresh.expected, record=record) == fresh, "run `make graphs`"


def test_what_comes_from_no_tensor_cannot_be_kept() -> None:
    random = np.random.default_rng(0)
    tensors = {"w": random.normal(size=(40, 40)).astype(np.float32), "small": random.normal(size=3).astype(np.float32)}
    values = {"onnx::Conv_7": tensors["w"], "scale": np.float32([[3]])}

    def model(values: dict[str, np.ndarray]) -> onnx.ModelProto:
        weights = [numpy_helper.from_array(value, name) for name, value in values.items()]
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        return helper.make_model(helper.make_graph([], "made", [], [output], weights))

    made = model(values)
    assert take_out(made, tensors, {}) == {"w": Source(tensor="w")}
    assert [item.name for item in made.graph.initializer] == ["w", "scale"]
    assert [item.HasField("raw_data") for item in made.graph.initializer] == [False, True]
    with pytest.raises(BackboneError, match=r"b \[40, 40\] is made of no tensor of the weights"):
        take_out(model({**values, "b": tensors["w"] * 2}), tensors, {})
    with pytest.raises(BackboneError, match="other has no weights here"):
        keep("other")

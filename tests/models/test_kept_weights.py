"""Weights in fewer bytes. In: made networks. Out: nearly the same answers, and the weights again."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tellapart.compression.float16 import halve
from tellapart.models.kept_weights import in_eight_bits, read_weights


def network() -> tuple[bytes, dict[str, np.ndarray]]:
    """Numbers of words to vectors, to a product with a matrix on the right, to a linear layer."""
    chance = np.random.default_rng(0)
    shapes = {"table": (300, 40), "matrix": (40, 30), "own.weight": (40, 30), "bias": (40,)}
    numbers = {name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    numbers["table"] *= np.geomspace(1e-4, 10, 300)[:, None].astype(np.float32)  # each row needs a scale of its own
    numbers["matrix"] *= np.geomspace(1e-3, 10, 30).astype(np.float32)  # each column
    numbers["table"][7] = 0
    nodes = [
        helper.make_node("Gather", ["table", "numbers"], ["vectors"]),
        helper.make_node("MatMul", ["vectors", "matrix"], ["product"]),
        helper.make_node("Gemm", ["product", "own.weight", "bias"], ["found"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("numbers", TensorProto.INT32, ["N"])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["N", 40])],
        [numpy_helper.from_array(value, name) for name, value in numbers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString(), numbers


def run(data: bytes) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"numbers": np.arange(300, dtype=np.int32)})[0])


def test_a_quarter_of_the_bytes_answers_nearly_the_same() -> None:
    data, numbers = network()
    small = in_eight_bits(data, but=lambda name: name.startswith("own."))
    assert len(small) < 0.45 * len(data)
    wanted, found = run(data), run(small)
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()
    kept = read_weights(onnx.load_from_string(small))
    np.testing.assert_array_equal(kept["own.weight"], numbers["own.weight"])
    np.testing.assert_array_equal(kept["bias"], numbers["bias"])
    for name, axis in (("table", 1), ("matrix", 0)):
        step = np.abs(numbers[name]).max(axis=axis, keepdims=True) / 127
        assert (np.abs(kept[name] - numbers[name]) <= 0.5001 * step + 1e-12).all()


def test_halved_ones_are_read_as_they_are_computed_with() -> None:
    data, numbers = network()
    kept = read_weights(onnx.load_from_string(halve(data)))
    np.testing.assert_array_equal(kept["matrix"], numbers["matrix"].astype(np.float16).astype(np.float32))
    assert set(numbers) - {"bias"} <= set(kept)


@pytest.mark.parametrize("large", [False, True])
def test_small_ones_stay(large: bool) -> None:
    data, _ = network()
    graph = onnx.load_from_string(in_eight_bits(data, but=lambda name: not large)).graph
    assert any(one.name.endswith(".int8") for one in graph.initializer) == large
    assert not any(one.name == "bias.int8" for one in graph.initializer)

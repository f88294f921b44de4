"""Pixels that clients have scaled. In: floats over every protocol. Out: the answers of the same picture in bytes, or why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tellapart.serving.refusals import Refusal
from tellapart.serving.scaled import Accept, from_lists, to_pixels
from tellapart.serving.tfserving import read_predict
from tellapart.serving.tfserving_grpc import FILE

from .conftest import Running, Start, expected, pixels
from .test_grpc_service import Caller, probabilities


def scaled(array: np.ndarray, accept: str) -> np.ndarray:
    """As tutorials' programs do: x / 255, or x / 127.5 - 1."""
    return (array / 255 if accept == "scaled01" else array / 127.5 - 1).astype(np.float32)


@pytest.mark.parametrize("accept", ["scaled01", "scaled11"])
def test_every_byte_comes_back(accept: Accept) -> None:
    every = np.arange(256, dtype=np.uint8).reshape(4, 64)
    np.testing.assert_array_equal(to_pixels(scaled(every, accept), accept, "image"), every)
    np.testing.assert_array_equal(from_lists(scaled(every, accept).tolist(), accept, "image"), every)


@pytest.mark.parametrize(
    ("values", "accept"),
    [([0.0, 255.0], "scaled01"), ([-0.5, 0.5], "scaled01"), ([-1.2, 0.0], "scaled11"), ([float("nan")], "scaled01")],
)
def test_values_outside_the_range(values: list[float], accept: Accept) -> None:
    with pytest.raises(Refusal, match=f"this server takes .*--accept {accept}"):
        to_pixels(np.array(values), accept, "image")


@pytest.mark.parametrize("lists", [[[1, 2], [1]], [["a"]], [[True]], [[[[[0.5]]]]], [[None]], [10**400]])
def test_what_are_no_numbers(lists: list[Any]) -> None:
    with pytest.raises(Refusal, match="must hold numbers in lists of equal length"):
        from_lists(lists, "scaled01", "image")


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        ("bytes", "0 to 255"),
        ("scaled01", "0 to 1 (--accept scaled01)"),
        ("scaled11", "-1 to 1 (--accept scaled11)"),
    ],
)
def test_a_grey_picture_hears_which_numbers_are_taken(accept: Accept, told: str) -> None:
    with pytest.raises(Refusal, match=re.escape(f"must be [height][width][3]: RGB, {told}.")):
        read_predict({"instances": [[[0, 1], [1, 0]]]}, accept=accept)


@pytest.fixture(scope="module")
def model(shared_models: Path) -> Path:
    return shared_models / "single" / "model.onnx"


@pytest.mark.parametrize("accept", ["scaled01", "scaled11"])
def test_every_protocol_takes_them(start: Start, model: Path, pictures: list[bytes], accept: str) -> None:
    running = start(f"single={model}", accept=accept)
    array = pixels(pictures[0])
    wanted = expected(model, pictures[:1])
    given = scaled(array, accept)
    rest = running.post("/v1/models/single:predict", {"instances": [given.tolist()]}).json["predictions"]
    np.testing.assert_allclose(np.array(rest), wanted, atol=1e-5)
    tensor = {"name": "image", "datatype": "FP32", "shape": [1, *array.shape]}
    found = running.post("/v2/models/single/infer", {"inputs": [{**tensor, "data": given.reshape(-1).tolist()}]}).json
    by_name = {one["name"]: one["data"] for one in found["outputs"]}
    np.testing.assert_allclose(np.array(by_name["probabilities"])[None], wanted, atol=1e-5)
    inference, prediction = Caller(running.grpc_port), Caller(running.grpc_port, FILE, "PredictionService")
    for values in ({"raw_input_contents": [given.tobytes()]}, {}):
        one = tensor if values else {**tensor, "contents": {"fp32_contents": given.reshape(-1).tolist()}}
        answer = inference("ModelInfer", model_name="single", inputs=[one], **values)
        np.testing.assert_allclose(probabilities(answer), wanted, atol=1e-5)
    shape = {"dim": [{"size": size} for size in (1, *array.shape)]}
    for values in ({"tensor_content": given.tobytes()}, {"float_val": given.reshape(-1).tolist()}):
        proto = {"dtype": "DT_FLOAT", "tensor_shape": shape, **values}
        answer = prediction("Predict", model_spec={"name": "single"}, inputs={"image": proto})
        np.testing.assert_allclose(np.array(answer.outputs["probabilities"].float_val)[None], wanted, atol=1e-5)
    inference.close()
    prediction.close()
    # Bytes and files are taken all the same.
    whole = {"name": "image", "datatype": "UINT8", "shape": [1, *array.shape], "data": array.reshape(-1).tolist()}
    assert running.post("/v2/models/single/infer", {"inputs": [whole]}).status == 200


def test_where_the_server_was_not_told_the_refusal_names_the_flag(shared: Running, pictures: list[bytes]) -> None:
    given = scaled(pixels(pictures[0]), "scaled01")
    for path, body in (
        ("/v1/models/single:predict", {"instances": [given.tolist()]}),
        (
            "/v2/models/single/infer",
            {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, *given.shape], "data": given.tolist()}]},
        ),
    ):
        reply = shared.post(path, body)
        assert reply.status == 400
        assert "--accept scaled01 (0 to 1) or scaled11 (-1 to 1)" in reply.json["error"]
    caller = Caller(shared.grpc_port, FILE, "PredictionService")
    proto = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": size} for size in (1, *given.shape)]}}
    with pytest.raises(grpc.RpcError) as caught:
        caller("Predict", model_spec={"name": "single"}, inputs={"image": {**proto, "tensor_content": given.tobytes()}})
    assert "--accept scaled01" in str(caught.value)
    caller.close()

"""TensorFlow Serving over gRPC. In: messages over a channel. Out: what its REST says, and refusals as gRPC's codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import json_format

from tellapart.serving.bodies import MAX_VALUES
from tellapart.serving.protobuf import read_service
from tellapart.serving.tfserving_grpc import FILE

from .conftest import Running, Start, expected, full_queue, pixels, png
from .test_clients import ask
from .test_detection import ALL, COLOURS, SIZES, TENSORFLOWS, encoded
from .test_grpc_service import Caller


@pytest.fixture
def call(shared: Running) -> Iterator[Caller]:
    caller = Caller(shared.grpc_port, FILE, "PredictionService")
    yield caller
    caller.close()


@pytest.fixture
def status(shared: Running) -> Iterator[Caller]:
    caller = Caller(shared.grpc_port, FILE, "ModelService")
    yield caller
    caller.close()


def files(*data: bytes) -> dict[str, Any]:
    shape = {"dim": [{"size": len(data)}]}
    return {"image": {"dtype": "DT_STRING", "tensor_shape": shape, "string_val": data}}


def image(array: np.ndarray, **values: Any) -> dict[str, Any]:
    shape = {"dim": [{"size": size} for size in array.shape]}
    return {"image": {"dtype": "DT_UINT8", "tensor_shape": shape, **values}}


def floats(answer: Any, name: str = "probabilities") -> np.ndarray:
    found = answer.outputs[name]
    return np.array(found.float_val).reshape([one.size for one in found.tensor_shape.dim])


def test_files_and_pixels(call: Caller, shared_models: Path, pictures: list[bytes]) -> None:
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    answer = call("Predict", model_spec={"name": "single"}, inputs=files(*pictures))
    assert list(answer.outputs) == ["probabilities"]
    np.testing.assert_allclose(floats(answer), wanted, atol=1e-5)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("single", 1)
    assert answer.model_spec.signature_name == "serving_default"
    array = pixels(pictures[1])[None]
    for given in (image(array, tensor_content=array.tobytes()), image(array, int_val=array.reshape(-1).tolist())):
        answer = call("Predict", model_spec={"name": "single"}, inputs=given)
        np.testing.assert_allclose(floats(answer), wanted[1:2], atol=1e-5)
    alone = {"image": {"dtype": "DT_STRING", "string_val": [pictures[0]]}}  # as tf.make_tensor_proto makes of bytes
    np.testing.assert_allclose(
        floats(call("Predict", model_spec={"name": "single"}, inputs=alone)), wanted[:1], atol=1e-5
    )


def test_signatures_filters_and_versions(call: Caller, shared: Running, pictures: list[bytes]) -> None:
    spec = {"name": "single", "signature_name": "decisions"}
    answer = call("Predict", model_spec=spec, inputs=files(*pictures))
    rows = shared.post(
        "/v1/models/single:predict",
        {"instances": [{"b64": one} for one in encoded(pictures)], "signature_name": "decisions"},
    ).json["predictions"]
    assert set(answer.outputs) == set(rows[0])
    assert [one.decode() for one in answer.outputs["label"].string_val] == [row["label"] for row in rows]
    assert list(answer.outputs["unknown"].bool_val) == [row["unknown"] for row in rows]
    assert np.array(answer.outputs["set"].bool_val).reshape(3, 3).tolist() == [row["set"] for row in rows]
    answer = call("Predict", model_spec={"name": "single"}, inputs=files(pictures[0]), output_filter=["label"])
    assert list(answer.outputs) == ["label"]
    prepared = np.full((2, 16, 16, 3), 90, dtype=np.uint8)
    spec = {"name": "single", "signature_name": "prepared"}
    assert floats(
        call("Predict", model_spec=spec, inputs=image(prepared, tensor_content=prepared.tobytes()))
    ).shape == (2, 3)
    for spec, number in (
        ({"name": "colours"}, 2),
        ({"name": "colours", "version": {"value": 1}}, 1),
        ({"name": "colours", "version": {}}, 2),
        ({"name": "colours", "version_label": "stable"}, 1),
    ):
        answer = call("Predict", model_spec=spec, inputs=files(pictures[0]))
        assert answer.model_spec.version.value == number


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"model_spec": {"name": "nobody"}}, "NOT_FOUND", "there is no model 'nobody'"),
        ({"model_spec": {"name": "single", "version": {"value": -1}}}, "INVALID_ARGUMENT", "-1 is not a version"),
        ({"model_spec": {"name": "single", "version": {"value": 7}}}, "NOT_FOUND", "has no version 7"),
        ({"model_spec": {"name": "single", "version_label": "x"}}, "NOT_FOUND", "label 'x'"),
        ({"model_spec": {"name": "single", "signature_name": "x"}}, "INVALID_ARGUMENT", "there is no signature 'x'"),
        ({}, "INVALID_ARGUMENT", "the inputs are none; there must be one, named 'image'"),
        ({"inputs": {"x": {}}}, "INVALID_ARGUMENT", "the inputs are 'x'; there must be one, named 'image'"),
        ({"inputs": {"image": {}}}, "INVALID_ARGUMENT", "input 'image' is DT_INVALID; pictures come as DT_STRING"),
        (
            {"inputs": {"image": {"dtype": 2}}},
            "INVALID_ARGUMENT",
            "input 'image' is number 2; pictures come as DT_STRING",
        ),
        (
            {"inputs": {"image": {"dtype": "DT_FLOAT"}}},
            "INVALID_ARGUMENT",
            "input 'image' is DT_FLOAT; pictures come as",
        ),
        ({"inputs": {"image": {"dtype": "DT_STRING"}}}, "INVALID_ARGUMENT", "needs 1 elements; 0 came"),
        (
            {"inputs": {"image": {"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": -1}]}}}},
            "INVALID_ARGUMENT",
            "has shape [-1]",
        ),
        (
            {"inputs": {"image": {"dtype": "DT_UINT8", "tensor_shape": {"dim": [{"size": 1}] * 9}}}},
            "INVALID_ARGUMENT",
            "at most 4",
        ),
        (
            {
                "inputs": {
                    "image": {"dtype": "DT_UINT8", "tensor_shape": {"dim": [{"size": 2}]}, "tensor_content": b"x"}
                }
            },
            "INVALID_ARGUMENT",
            "needs 2 bytes; 1 came",
        ),
        (
            {"inputs": {"image": {"dtype": "DT_UINT8", "tensor_shape": {"dim": [{"size": 1}]}, "int_val": [-1]}}},
            "INVALID_ARGUMENT",
            "whole numbers from 0 to 255",
        ),
        ({"inputs": files(b"x")}, "INVALID_ARGUMENT", "picture 1 of 1 cannot be used: not a picture"),
        ({"output_filter": ["nothing"]}, "INVALID_ARGUMENT", "there is no output 'nothing'. Outputs: probabilities"),
        ({"output_filter": ["label"] * 2}, "INVALID_ARGUMENT", "the output 'label' is asked for twice"),
        (
            {"output_filter": ["label"] * 17},
            "INVALID_ARGUMENT",
            "`output_filter` names 17; no model here has more than 16",
        ),
    ],
)
def test_what_is_wrong_is_said(call: Caller, values: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call("Predict", **{"model_spec": {"name": "single"}, **values})
    assert caught.value.code() is grpc.StatusCode[code]
    assert words in caught.value.details()


def test_numbers_one_by_one_are_bounded(call: Caller) -> None:
    array = np.zeros((1, 1, 1, 3), dtype=np.uint8)
    with pytest.raises(grpc.RpcError, match="4,000,001 values; at most 4,000,000 are taken one by one"):
        call("Predict", model_spec={"name": "single"}, inputs=image(array, int_val=[0] * (MAX_VALUES + 1)))


def test_metadata_and_states_are_those_of_rest(call: Caller, status: Caller, shared: Running) -> None:
    answer = call("GetModelMetadata", model_spec={"name": "colours"}, metadata_field=["signature_def"])
    packed = answer.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    found = read_service(FILE, "PredictionService").message("SignatureDefMap").FromString(packed.value)
    told = shared.get("/v1/models/colours/metadata").json["metadata"]["signature_def"]
    as_json = json_format.MessageToDict(
        found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert as_json == json.loads(json.dumps(told))
    assert answer.model_spec.version.value == 2
    for fields in ([], ["signature_def", "x"], ["x"]):
        with pytest.raises(grpc.RpcError, match="there is one field, 'signature_def'"):
            call("GetModelMetadata", model_spec={"name": "colours"}, metadata_field=fields)
    for spec, numbers in (
        ({}, [2, 1]),
        ({"version": {"value": 1}}, [1]),
        ({"version": {"value": 0}}, [2]),
        ({"version_label": "stable"}, [1]),
    ):
        rows = status("GetModelStatus", model_spec={"name": "colours", **spec}).model_version_status
        assert [one.version for one in rows] == numbers
        assert [(one.state, one.status.error_code) for one in rows] == [(30, 0)] * len(numbers)
    with pytest.raises(grpc.RpcError, match="model 'colours' has no version 7"):
        status("GetModelStatus", model_spec={"name": "colours", "version": {"value": 7}})


def test_keys_and_a_full_queue(start: Start, models: Path, pictures: list[bytes]) -> None:
    server = start(f"single={models / 'single'}", keys=["a key of twenty letters"], threads=1, queue=2)
    call = Caller(server.grpc_port, FILE, "PredictionService")
    key = (("x-api-key", "a key of twenty letters"),)
    with pytest.raises(grpc.RpcError) as caught:
        call("Predict", model_spec={"name": "single"}, inputs=files(pictures[0]))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with full_queue(server), pytest.raises(grpc.RpcError) as caught:
        call("Predict", model_spec={"name": "single"}, inputs=files(pictures[0]), metadata=key)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert call("Predict", model_spec={"name": "single"}, inputs=files(pictures[0]), metadata=key).outputs
    call.close()


OVMS = """
from ovmsclient import make_grpc_client
client = make_grpc_client(grpc)
def told(given):
    found = client.predict({"image": given}, MODEL)
    found = found if isinstance(found, dict) else {"probabilities": found}
    return {name: np.array(values).tolist() for name, values in found.items()}
answers["files"] = [told(data) for data in files]
answers["pixels"] = told(pixels[None])
status = client.get_model_status(MODEL)
answers["status"] = {number: one["state"] for number, one in status.items()}
answers["metadata"] = client.get_model_metadata(MODEL)
try:
    client.predict({"image": pixels[None]}, "nobody")
except Exception as error:
    answers["error"] = [type(error).__name__, str(error)]
"""


@pytest.mark.slow
def test_ovmsclient(
    clients: Path, start: Start, models: Path, boxes_bytes: bytes, pictures: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "finds").mkdir()
    (tmp_path / "finds" / "model.onnx").write_bytes(boxes_bytes)
    server = start(f"single={models / 'single'}", f"finds={tmp_path / 'finds'}")
    wanted = expected(models / "single" / "model.onnx", pictures)
    answers = ask(clients, f"MODEL = 'single'\n{OVMS}", server, tmp_path, pictures)
    np.testing.assert_allclose([one["probabilities"][0] for one in answers["files"]], wanted, atol=1e-5)
    np.testing.assert_allclose(answers["pixels"]["probabilities"], wanted[1:2], atol=1e-5)
    assert answers["status"] == {"1": "AVAILABLE"}
    assert list(answers["metadata"]["outputs"]) == ["probabilities"]
    assert answers["error"][0] == "ModelNotFoundError"
    assert "there is no model 'nobody'" in answers["error"][1]
    answers = ask(clients, f"MODEL = 'finds'\n{OVMS}", server, tmp_path, pictures)
    (rest,) = server.post("/v1/models/finds:predict", {"instances": [{"b64": encoded(pictures)[0]}]}).json[
        "predictions"
    ]
    assert set(answers["files"][0]) == set(TENSORFLOWS) == set(answers["metadata"]["outputs"])
    for name in TENSORFLOWS:
        np.testing.assert_allclose(answers["files"][0][name][0], rest[name], atol=1e-6)


THEIRS = """
from importlib import import_module
root = "ovmsclient.tfs_compat.protos."
found = {}
for file in ("tensorflow_serving.apis.predict", "tensorflow_serving.apis.model", "tensorflow_serving.apis.get_model_metadata",
             "tensorflow_serving.apis.get_model_status", "tensorflow_serving.util.status", "tensorflow.core.framework.tensor",
             "tensorflow.core.framework.tensor_shape", "tensorflow.core.protobuf.meta_graph"):
    stack = list(import_module(root + file + "_pb2").DESCRIPTOR.message_types_by_name.values())
    while stack:
        message = stack.pop()
        stack += message.nested_types
        found[message.name] = {one.name: [one.number, one.type] for one in message.fields}
        found.update({enum.name: {one.name: one.number for one in enum.values} for enum in message.enum_types})
for file, name in (("tensorflow.core.framework.types", "DataType"), ("tensorflow.core.protobuf.error_codes", "Code")):
    enum = import_module(root + file + "_pb2").DESCRIPTOR.enum_types_by_name[name]
    found[name] = {one.name: one.number for one in enum.values}
answers.update(found)
"""


@pytest.mark.slow
def test_names_and_numbers_are_those_of_ovmsclients_files(
    clients: Path, shared: Running, pictures: list[bytes], tmp_path: Path
) -> None:
    theirs = ask(clients, THEIRS, shared, tmp_path, pictures)
    file = read_service(FILE, "PredictionService").methods["Predict"][0].DESCRIPTOR.file
    enums = {enum.name: enum for enum in file.enum_types_by_name.values()}
    stack, compared = list(file.message_types_by_name.values()), 0
    while stack:
        message = stack.pop()
        stack += message.nested_types
        enums |= {enum.name: enum for enum in message.enum_types}
        if message.name in ("VersionNumber", "PackedMessage"):
            continue  # google.protobuf's Int64Value and Any
        ours = {one.name: [one.number, one.type] for one in message.fields}
        assert ours.items() <= theirs[message.name].items(), message.name
        compared += len(ours)
    for name, enum in enums.items():
        assert {one.name: one.number for one in enum.values}.items() <= theirs[name].items(), name
    assert (compared > 40, len(enums)) == (True, 3)
    assert set(theirs["ModelSpec"]) >= {"name", "version", "version_label", "signature_name"}


def test_boxes_come_with_names_and_counts(start: Start, tmp_path: Path, boxes_bytes: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(boxes_bytes)
    server = start(f"finds={tmp_path / 'model.onnx'}")
    data = [png(colour, size) for colour, size in zip(COLOURS, SIZES, strict=True)]
    call = Caller(server.grpc_port, FILE, "PredictionService")
    answer = call("Predict", model_spec={"name": "finds"}, inputs=files(*data))
    assert set(answer.outputs) == set(TENSORFLOWS)
    assert floats(answer, "detection_boxes").shape == (4, 3, 4)
    assert floats(answer, "num_detections").tolist() == [0, 3, 1, 2]
    answer = call("Predict", model_spec={"name": "finds", "signature_name": "decisions"}, inputs=files(*data))
    assert set(answer.outputs) == set(ALL)
    assert [one.decode() for one in answer.outputs["labels"].string_val][3:6] == ["blue", "green", "红色"]
    assert list(answer.outputs["counts"].int_val) == [0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    call.close()

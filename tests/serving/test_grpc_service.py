"""gRPC. In: messages over a channel. Out: the answers of the protocol, and refusals as gRPC's codes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tellapart.serving.bodies import Limits
from tellapart.serving.protobuf import read_service

from .conftest import PATIENCE, Running, Start, expected, full_queue, pixels, png


class Caller:
    """Calls methods by name."""

    def __init__(self, port: int, file: str = "open_inference.proto", service: str = "GRPCInferenceService") -> None:
        self._service = read_service(file, service)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def __call__(self, method: str, /, *, timeout: float = PATIENCE, metadata: Any = None, **values: Any) -> Any:
        asked, answered = self._service.methods[method]
        call = self._channel.unary_unary(
            f"/{self._service.name}/{method}",
            request_serializer=asked.SerializeToString,
            response_deserializer=answered.FromString,
        )
        return call(asked(**values), timeout=timeout, metadata=metadata)

    def close(self) -> None:
        self._channel.close()


@pytest.fixture
def call(shared: Running) -> Any:
    caller = Caller(shared.grpc_port)
    yield caller
    caller.close()


def files_tensor(count: int) -> dict[str, Any]:
    return {"name": "image", "datatype": "BYTES", "shape": [count]}


def probabilities(answer: Any) -> np.ndarray:
    names = [one.name for one in answer.outputs]
    raw = answer.raw_output_contents[names.index("probabilities")]
    return np.frombuffer(raw, "<f4").reshape(answer.outputs[names.index("probabilities")].shape)


def test_files_and_pixels_raw_and_typed(call: Caller, shared_models: Path, pictures: list[bytes]) -> None:
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    raw = b"".join(struct.pack("<I", len(data)) + data for data in pictures)
    answer = call("ModelInfer", model_name="single", id="7", inputs=[files_tensor(3)], raw_input_contents=[raw])
    assert (answer.model_name, answer.model_version, answer.id) == ("single", "1", "7")
    np.testing.assert_allclose(probabilities(answer), wanted, atol=1e-5)
    typed = {**files_tensor(3), "contents": {"bytes_contents": pictures}}
    np.testing.assert_allclose(
        probabilities(call("ModelInfer", model_name="single", inputs=[typed])), wanted, atol=1e-5
    )
    array = pixels(pictures[2])
    one = {"name": "image", "datatype": "UINT8", "shape": [1, *array.shape]}
    answer = call("ModelInfer", model_name="single", inputs=[one], raw_input_contents=[array.tobytes()])
    np.testing.assert_allclose(probabilities(answer), wanted[2:], atol=1e-5)
    typed = {**one, "contents": {"uint_contents": array.reshape(-1).tolist()}}
    np.testing.assert_allclose(
        probabilities(call("ModelInfer", model_name="single", inputs=[typed])), wanted[2:], atol=1e-5
    )


def test_outputs_and_versions_are_chosen(call: Caller, pictures: list[bytes]) -> None:
    typed = {**files_tensor(1), "contents": {"bytes_contents": pictures[:1]}}
    top = {"name": "probabilities", "parameters": {"classification": {"int64_param": 2}}}
    answer = call("ModelInfer", model_name="colours", inputs=[typed], outputs=[{"name": "unknown"}, top])
    assert [(one.name, one.datatype, list(one.shape)) for one in answer.outputs] == [
        ("unknown", "BOOL", [1]),
        ("probabilities", "BYTES", [1, 2]),
    ]
    assert answer.raw_output_contents[0] == b"\x00"
    assert answer.model_version == "2"
    answer = call("ModelInfer", model_name="colours", model_version="1", inputs=[typed])
    assert [one.name for one in answer.outputs] == ["probabilities", "label", "warning"]


def test_health_metadata_index_and_statistics(call: Caller, shared: Running) -> None:
    assert call("ServerLive").live
    assert call("ServerReady").ready
    assert call("ModelReady", name="single").ready
    assert not call("ModelReady", name="nobody").ready
    assert call("ServerMetadata").name == "tellapart"
    metadata = call("ModelMetadata", name="colours", version="1")
    assert (list(metadata.versions), metadata.outputs[0].name) == (["1", "2"], "probabilities")
    assert list(metadata.outputs[0].shape) == [-1, 3]
    config = call("ModelConfig", name="colours", version="1").config
    assert (config.name, config.platform, config.backend, config.max_batch_size) == (
        "colours",
        "onnxruntime_onnx",
        "onnxruntime",
        0,
    )
    assert [(one.name, one.data_type, list(one.dims)) for one in config.input] == [("image", 13, [-1])]  # TYPE_STRING
    assert [(one.name, one.data_type, list(one.dims)) for one in config.output] == [
        ("probabilities", 11, [-1, 3]),  # TYPE_FP32
        ("label", 13, [-1]),
        ("warning", 13, [-1]),
    ]
    assert [row.state for row in call("RepositoryIndex").models] == ["READY"] * 3
    assert len(call("ModelStatistics").model_stats) == 3
    assert call("ModelStatistics", name="single").model_stats[0].name == "single"
    health = Caller(shared.grpc_port, "health.proto", "Health")
    assert health("Check").status == 1
    with pytest.raises(grpc.RpcError) as refusal:
        health("Check", service="x")
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    health.close()


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"model_name": "nobody"}, "NOT_FOUND", "there is no model 'nobody'"),
        ({"model_name": "single", "model_version": "x"}, "INVALID_ARGUMENT", "'x' is not a version"),
        ({"model_name": "single"}, "INVALID_ARGUMENT", "the inputs are none"),
        ({"inputs": [files_tensor(1)]}, "INVALID_ARGUMENT", "of shape [1] needs 1 elements; 0 came"),
        (
            {"inputs": [files_tensor(1)], "raw_input_contents": [b"", b""]},
            "INVALID_ARGUMENT",
            "2 raw contents came for 1",
        ),
        ({"inputs": [files_tensor(1)], "raw_input_contents": [b"\x01"]}, "INVALID_ARGUMENT", "0 are whole"),
        ({"inputs": [{**files_tensor(-1)}]}, "INVALID_ARGUMENT", "has shape [-1]"),
        (
            {
                "inputs": [
                    {
                        "name": "image",
                        "datatype": "UINT8",
                        "shape": [1, 1, 1, 3],
                        "contents": {"uint_contents": [999] * 3},
                    }
                ]
            },
            "INVALID_ARGUMENT",
            "whole numbers from 0 to 255",
        ),
        (
            {"inputs": [{**files_tensor(1), "contents": {"bytes_contents": [b"x"]}}]},
            "INVALID_ARGUMENT",
            "picture 1 of 1 cannot be used: not a picture",
        ),
    ],
)
def test_what_is_wrong_is_said(call: Caller, values: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        call("ModelInfer", **{"model_name": "single", **values})
    assert refusal.value.code() is grpc.StatusCode[code]
    assert words in refusal.value.details()


def test_deadlines_limits_keys_and_control(start: Start, pictures: list[bytes]) -> None:
    server = start(keys=("k" * 20,), control=True, limits=Limits(body_bytes=100_000))
    caller = Caller(server.grpc_port)
    typed = {**files_tensor(1), "contents": {"bytes_contents": pictures[:1]}}
    assert caller("ServerLive").live  # for probes, without a key
    with pytest.raises(grpc.RpcError) as refusal:
        caller("ModelInfer", model_name="single", inputs=[typed])
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    key = (("authorization", "Bearer " + "k" * 20),)
    assert caller("ModelInfer", model_name="single", inputs=[typed], metadata=key).model_name == "single"
    with pytest.raises(grpc.RpcError) as refusal:
        late = {"timeout": {"int64_param": 1}}
        caller("ModelInfer", model_name="single", inputs=[typed], parameters=late, metadata=key)
    assert refusal.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    with pytest.raises(grpc.RpcError) as refusal:
        large = {**files_tensor(1), "contents": {"bytes_contents": [b"x" * 200_000]}}
        caller("ModelInfer", model_name="single", inputs=[large], metadata=key)
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    # KServe's clients name the model in field 1, Triton's in field 2.
    assert caller("RepositoryModelUnload", repository_name="single", metadata=key).isUnloaded
    assert not caller("ModelReady", name="single", metadata=key).ready
    assert caller("RepositoryModelLoad", model_name="single", metadata=key).isLoaded
    assert caller("ModelReady", name="single", metadata=key).ready
    caller.close()


def test_a_full_queue_is_resource_exhausted_with_a_pause(start: Start) -> None:
    server = start(queue=4, threads=1, max_batch=1)
    caller = Caller(server.grpc_port)
    typed = {**files_tensor(1), "contents": {"bytes_contents": [png((1, 2, 3))]}}
    with full_queue(server), pytest.raises(grpc.RpcError) as refusal:
        caller("ModelInfer", model_name="single", inputs=[typed])
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(refusal.value.trailing_metadata())["retry-after"] == "1"
    assert caller("ModelInfer", model_name="single", inputs=[typed]).model_name == "single"
    caller.close()


def test_what_is_made_to_stop_the_server_is_refused(call: Caller) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"outputs": [{"name": "set"}] * 17}, "`outputs` names 17; no model here has more than 16"),
        ({"outputs": [{"name": "set"}] * 2}, "the output 'set' is asked for twice"),
        ({"inputs": [files_tensor(1)] * 3}, "the inputs are 'image', 'image', 'image'; there must be one"),
        (
            {"inputs": [{**files_tensor(1), "datatype": "UINT8", "contents": {"uint_contents": [1] * 4_000_001}}]},
            "holds 4,000,001 values; at most 4,000,000 are taken one by one. Send them as raw_input_contents.",
        ),
    ]
    for values, words in cases:
        with pytest.raises(grpc.RpcError) as refused:
            call("ModelInfer", model_name="single", **{"inputs": [files_tensor(1)], "raw_input_contents": [], **values})
        assert refused.value.code().name == "INVALID_ARGUMENT"
        assert words in refused.value.details()

"""The Open Inference Protocol over HTTP. In: JSON and binary tensors, by hand. Out: answers of the protocol's form."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import Reply, Running, Start, expected, pixels, png

HEADER = "inference-header-content-length"


def tensor(data: Any, shape: list[int], datatype: str = "BYTES", **parameters: Any) -> dict[str, Any]:
    one = {"name": "image", "shape": shape, "datatype": datatype, "parameters": parameters}
    return one if data is None else {**one, "data": data}


def binary(server: Running, inputs: list[dict[str, Any]], raw: bytes, **further: Any) -> Reply:
    head = json.dumps({"inputs": inputs, **further}).encode()
    path = "/v2/models/single/infer"
    return server.post(path, head + raw, Inference_Header_Content_Length=str(len(head)))


def counted(files: list[bytes]) -> bytes:
    """BYTES elements as the binary extension has them."""
    return b"".join(struct.pack("<I", len(data)) + data for data in files)


def outputs(reply: Reply) -> dict[str, Any]:
    return {one["name"]: one for one in reply.json["outputs"]}


def test_json_files_and_pixels_give_the_probabilities_of_predict(
    shared: Running, shared_models: Path, pictures: list[bytes]
) -> None:
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    files = [base64.b64encode(data).decode() for data in pictures]
    reply = shared.post("/v2/models/single/infer", {"id": "q1", "inputs": [tensor(files, [3])]})
    assert reply.status == 200
    assert {key: reply.json[key] for key in ("id", "model_name", "model_version")} == {
        "id": "q1",
        "model_name": "single",
        "model_version": "1",
    }
    found = outputs(reply)
    assert list(found) == ["probabilities", "label", "set", "novelty", "unknown", "warning"]
    assert (found["probabilities"]["datatype"], found["probabilities"]["shape"]) == ("FP32", [3, 3])
    np.testing.assert_allclose(np.reshape(found["probabilities"]["data"], (3, 3)), wanted, atol=1e-5)
    assert found["label"]["data"] == [("blue", "green", "红色")[index] for index in wanted.argmax(1)]
    assert found["set"]["data"] == (wanted >= 0.2).reshape(-1).tolist()
    for row, data in enumerate(pictures):
        array = pixels(data)
        for values in (array.tolist(), array.reshape(-1).tolist()):
            one = shared.post("/v2/models/single/infer", {"inputs": [tensor(values, [1, *array.shape], "UINT8")]})
            np.testing.assert_allclose(outputs(one)["probabilities"]["data"], wanted[row], atol=1e-5)


def test_binary_tensors_go_both_ways(shared: Running, shared_models: Path, pictures: list[bytes]) -> None:
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    raw = counted(pictures)
    reply = binary(shared, [tensor(None, [3], binary_data_size=len(raw))], raw, parameters={"binary_data_output": True})
    assert reply.headers["content-type"] == "application/octet-stream"
    end = int(reply.headers[HEADER])
    head, rest = json.loads(reply.body[:end]), reply.body[end:]
    sizes = {one["name"]: one["parameters"]["binary_data_size"] for one in head["outputs"]}
    assert sum(sizes.values()) == len(rest)
    assert not any("data" in one for one in head["outputs"])
    np.testing.assert_allclose(np.frombuffer(rest[: sizes["probabilities"]], "<f4").reshape(3, 3), wanted, atol=1e-5)
    labels = rest[sizes["probabilities"] : sizes["probabilities"] + sizes["label"]]
    assert labels == counted([("blue", "green", "红色")[index].encode() for index in wanted.argmax(1)])
    array = pixels(pictures[1])
    reply = binary(shared, [tensor(None, [1, *array.shape], "UINT8", binary_data_size=array.size)], array.tobytes())
    np.testing.assert_allclose(outputs(reply)["probabilities"]["data"], wanted[1], atol=1e-5)


def test_outputs_are_chosen_one_by_one(shared: Running, pictures: list[bytes]) -> None:
    raw = counted(pictures)
    asked = [
        {"name": "unknown"},
        {"name": "probabilities", "parameters": {"binary_data": True}},
    ]
    reply = binary(shared, [tensor(None, [3], binary_data_size=len(raw))], raw, outputs=asked)
    end = int(reply.headers[HEADER])
    head = json.loads(reply.body[:end])
    assert [one["name"] for one in head["outputs"]] == ["unknown", "probabilities"]
    assert head["outputs"][0]["data"] == [False, False, False]
    assert head["outputs"][1]["parameters"] == {"binary_data_size": 36}
    assert len(reply.body) - end == 36


def test_tritons_classification_names_the_best(shared: Running, shared_models: Path, pictures: list[bytes]) -> None:
    raw = counted(pictures)
    asked = [{"name": "probabilities", "parameters": {"classification": 2}}]
    reply = binary(shared, [tensor(None, [3], binary_data_size=len(raw))], raw, outputs=asked)
    one = outputs(reply)["probabilities"]
    assert (one["datatype"], one["shape"]) == ("BYTES", [3, 2])
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    best = int(wanted[0].argmax())
    value, index, label = one["data"][0].split(":")
    assert (float(value), int(index)) == (pytest.approx(float(wanted[0, best]), abs=1e-5), best)
    assert label == ("blue", "green", "红色")[best]


def test_a_prepared_tensor_is_the_networks_own_input(shared: Running) -> None:
    image = np.random.default_rng(5).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    inputs = [tensor(None, list(image.shape), "UINT8", binary_data_size=image.size)]
    reply = binary(shared, inputs, image.tobytes(), parameters={"prepared": True})
    wanted = shared.repository.get("single").run(image)["probabilities"]
    np.testing.assert_allclose(np.reshape(outputs(reply)["probabilities"]["data"], (2, 3)), wanted, atol=1e-6)


def test_health_metadata_and_versions(shared: Running) -> None:
    assert shared.get("/v2/health/live").json == {"live": True}
    assert shared.get("/v2/health/ready").json == {"ready": True}
    assert shared.get("/v2").json["name"] == "tellapart"
    metadata = shared.get("/v2/models/colours").json
    assert (metadata["versions"], metadata["platform"]) == (["1", "2"], "onnxruntime_onnx")
    assert metadata["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    assert metadata["outputs"][0] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}
    older = shared.get("/v2/models/colours/versions/1").json
    assert [one["name"] for one in older["outputs"]] == ["probabilities", "label", "warning"]
    assert shared.get("/v2/models/colours/versions/1/ready").status == 200
    assert shared.get("/v2/models/colours/versions/3/ready").status == 404
    assert shared.get("/v2/models/nobody/ready").status == 404


def test_statistics_count_pictures_batches_and_failures(server: Running, pictures: list[bytes]) -> None:
    files = [base64.b64encode(data).decode() for data in pictures]
    server.post("/v2/models/single/infer", {"inputs": [tensor(files, [3])]})
    server.post("/v2/models/single/infer", {"inputs": [tensor(["aGFsbG8="], [1])]})
    (one,) = server.get("/v2/models/single/stats").json["model_stats"]
    assert (one["name"], one["version"], one["inference_count"]) == ("single", "1", 3)
    assert one["inference_stats"]["success"]["count"] == 1
    assert one["inference_stats"]["fail"]["count"] == 1
    assert one["inference_stats"]["compute_infer"]["ns"] > 0
    assert sum(row["batch_size"] * row["compute_infer"]["count"] for row in one["batch_stats"]) == 3
    assert len(server.get("/v2/models/stats").json["model_stats"]) == 3
    assert len(server.get("/v2/models/colours/versions/1/stats").json["model_stats"]) == 1


def test_the_repository_is_listed_and_controlled(start: Start) -> None:
    server = start(control=True)
    assert [row["state"] for row in server.post("/v2/repository/index").json] == ["READY"] * 3
    assert server.post("/v2/repository/models/single/unload", {}).status == 200
    assert server.get("/v2/models/single").status == 404
    assert server.post("/v2/repository/index", {}).json[-1]["state"] == "UNAVAILABLE"
    assert len(server.post("/v2/repository/index", {"ready": True}).json) == 2
    assert (
        server.post("/v2/repository/index", {"ready": 1}).json["error"] == "`ready` is '1'; it must be true or false."
    )
    assert server.post("/v2/repository/models/single/load", {}).status == 200
    assert server.get("/v2/models/single/ready").status == 200
    assert server.post("/v2/repository/models/nobody/load", {}).status == 404


def test_a_server_without_control_says_so(shared: Running) -> None:
    reply = shared.post("/v2/repository/models/single/unload", {})
    assert reply.status == 409
    assert "Start it with --control" in reply.json["error"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "the body is not JSON"),
        ({}, 400, "the request has no list of `inputs`"),
        ({"inputs": []}, 400, "the inputs are none; there must be one, named 'image', or 'text' of texts."),
        ({"inputs": [{**tensor([], [0]), "name": "x"}]}, 400, "the inputs are 'x'; there must be one"),
        ({"inputs": [5]}, 400, "the request has no list of `inputs`"),
        ({"inputs": [tensor(["x"], "1")]}, 400, "input 'image' has shape 1; it must be a list of sizes"),
        ({"inputs": [tensor(["x"], [-1])]}, 400, "has shape [-1]; it must be"),
        ({"inputs": [tensor(["eA=="], [2])]}, 400, "of shape [2] needs 2 elements; 1 came"),
        (
            {"inputs": [tensor(["eA=="] * 4, [2, 2])]},
            400,
            "input 'image' is BYTES [2, 2]; files and texts come as BYTES [N].",
        ),
        ({"inputs": [tensor(["eA=="], [])]}, 400, "input 'image' is BYTES []; files and texts come as BYTES [N]."),
        ({"inputs": [tensor(["eA=="], [1, 1])]}, 400, "picture 1 of 1 cannot be used"),
        ({"inputs": [tensor(["%"], [1])]}, 400, "a file that is not base64"),
        ({"inputs": [tensor([5], [1])]}, 400, "holds '5'; a picture file in JSON is a string in base64"),
        ({"inputs": [tensor("x", [1])]}, 400, "input 'image' has no list of data"),
        ({"inputs": [tensor([0] * 9, [1, 2, 2, 3], "UINT8")]}, 400, "of shape [1, 2, 2, 3] needs 12 numbers; 9 came"),
        (
            {"inputs": [tensor([0] * 12, [2, 2, 3], "UINT8")]},
            400,
            "input 'image' is UINT8 [2, 2, 3]; it must be BYTES [N]",
        ),
        (
            {"inputs": [tensor([0.5], [1], "FP32")]},
            400,
            "is 'FP32'; pictures come as BYTES (files) or UINT8 (RGB pixels, 0 to 255), texts as BYTES.",
        ),
        ({"inputs": [tensor([], [0]), tensor([], [0])]}, 400, "the inputs are 'image', 'image'; there must be one"),
        ({"inputs": [tensor(["eA=="], [1])], "parameters": {"prepared": True}}, 400, "`prepared` is for UINT8 pixels"),
        ({"inputs": [tensor(["eA=="], [1])], "parameters": 5}, 400, "`parameters` must be an object"),
        ({"inputs": [tensor(["eA=="], [1])], "parameters": {"timeout": -1}}, 400, "whole number of microseconds"),
        ({"inputs": [tensor(["eA=="], [1])], "outputs": [5]}, 400, "`outputs` must be a list of objects"),
        ({"inputs": [tensor(["eA=="], [1])]}, 400, "picture 1 of 1 cannot be used: not a picture in a known format."),
        ({"inputs": [tensor(None, [1], binary_data_size=9)]}, 400, "says `binary_data_size` 9; 0 bytes"),
        ({"inputs": [tensor([0] * 0, [1025, 0, 2, 3], "UINT8")]}, 413, "1,025 inputs in one request"),
    ],
)
def test_what_is_wrong_is_said(shared: Running, body: Any, status: int, words: str) -> None:
    reply = shared.post("/v2/models/single/infer", body)
    assert words in reply.json["error"]
    assert reply.status == status


def test_outputs_that_are_not_there_are_named(shared: Running) -> None:
    inputs = [tensor([base64.b64encode(png((9, 9, 9))).decode()], [1])]
    asked: list[tuple[dict[str, Any], str]] = [
        (
            {"name": "logits"},
            "there is no output 'logits'. Outputs: probabilities, label, set, novelty, unknown, warning.",
        ),
        ({"name": "label", "parameters": {"classification": 2}}, "`classification` is for the output 'probabilities'"),
        ({"name": "probabilities", "parameters": {"classification": "x"}}, "`classification` is 'x'"),
    ]
    for one, words in asked:
        reply = shared.post("/v2/models/single/infer", {"inputs": inputs, "outputs": [one]})
        assert reply.status == 400
        assert words in reply.json["error"]


@pytest.mark.parametrize(
    ("length", "raw", "size", "words"),
    [
        ("x", b"", 0, "Inference-Header-Content-Length is 'x'"),
        ("99999", b"", 0, "Inference-Header-Content-Length is '99999'"),
        (
            None,
            b"\x05\x00\x00\x00ab",
            6,
            "must hold 1 elements, each after its length in 4 bytes, little-endian; 0 are whole",
        ),
        (None, b"\x01\x00\x00\x00abc", 5, "2 bytes of binary data belong to no input"),
        (None, b"\xff\xff\xff\xff", 4, "0 are whole, and 4 bytes are left"),
    ],
)
def test_binary_data_that_does_not_fit_is_refused(
    shared: Running, length: str | None, raw: bytes, size: int, words: str
) -> None:
    head = json.dumps({"inputs": [tensor(None, [1], binary_data_size=size)]}).encode()
    reply = shared.post("/v2/models/single/infer", head + raw, Inference_Header_Content_Length=length or str(len(head)))
    assert reply.status == 400
    assert words in reply.json["error"]


def test_a_requests_own_time_limit_counts(start: Start, pictures: list[bytes]) -> None:
    server = start(timeout=5.0)
    inputs = [tensor([base64.b64encode(pictures[0]).decode()], [1])]
    reply = server.post("/v2/models/single/infer", {"inputs": inputs, "parameters": {"timeout": 1}})
    assert reply.status == 504
    said = reply.json[
        "error"
    ]  # by who waits for the answer, or by the thread that would have begun it: whichever is first
    assert "not there within 1e-06 s" in said or "the deadline passed while the request waited" in said


def test_the_configuration_is_as_triton_says_it(shared: Running) -> None:
    reply = shared.get("/v2/models/single/config")
    assert reply.status == 200
    assert reply.json["input"] == [{"name": "image", "data_type": "TYPE_STRING", "format": "FORMAT_NONE", "dims": [-1]}]
    assert {one["name"]: (one["data_type"], one["dims"]) for one in reply.json["output"]} == {
        "probabilities": ("TYPE_FP32", [-1, 3]),
        "label": ("TYPE_STRING", [-1]),
        "set": ("TYPE_BOOL", [-1, 3]),
        "novelty": ("TYPE_FP32", [-1]),
        "unknown": ("TYPE_BOOL", [-1]),
        "warning": ("TYPE_STRING", [-1]),
    }
    assert shared.get("/v2/models/colours/versions/1/config").json["name"] == "colours"
    assert shared.get("/v2/models/nobody/config").status == 404


@pytest.mark.parametrize("name", ["image/png", "image/png;charset=x", ""])
def test_pictures_as_data_uris(shared: Running, shared_models: Path, pictures: list[bytes], name: str) -> None:
    text = f"data:{name};base64," + base64.b64encode(pictures[0]).decode().replace("+", "%2B")
    wanted = expected(shared_models / "single" / "model.onnx", pictures[:1])
    reply = shared.post("/v2/models/single/infer", {"inputs": [tensor([text], [1])]})
    np.testing.assert_allclose(outputs(reply)["probabilities"]["data"], wanted[0], atol=1e-5)
    reply = shared.post("/v1/models/single:predict", {"instances": [{"b64": text}]})
    np.testing.assert_allclose(reply.json["predictions"], wanted, atol=1e-5)

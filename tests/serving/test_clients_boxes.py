"""Clients that others wrote, and a model that finds boxes. In: tritonclient, kserve, ovmsclient. Out: what `tellapart` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tellapart

from .conftest import Running, Start, pixels, png
from .test_clients import ask
from .test_detection import ALL, CLASSES, COLOURS, SIZES, TENSORFLOWS

pytestmark = pytest.mark.slow


@pytest.fixture
def server(start: Start, tmp_path: Path, boxes_bytes: bytes) -> Running:
    (tmp_path / "finds").mkdir()
    (tmp_path / "finds" / "model.onnx").write_bytes(boxes_bytes)
    return start(f"finds={tmp_path / 'finds'}")


@pytest.fixture
def data() -> list[bytes]:
    return [png(colour, size) for colour, size in zip(COLOURS, SIZES, strict=True)]


def same(found: dict[str, Any], folder: Path, data: list[bytes]) -> None:
    """The arrays that came, of all pictures in one request, against those of the file alone."""
    wanted = tellapart.load(folder / "finds").predict(data)
    sizes = np.array(SIZES)[:, None, [1, 0, 1, 0]]
    told = np.array(found["chosen"]) if "chosen" in found else None
    shares, counted = np.array(found["detection_boxes"]), np.array(found["num_detections"])
    assert shares.shape == (len(data), 3, 4)
    assert counted.tolist() == [0, 3, 1, 2]
    for row, (boxes, scores, labels) in enumerate(zip(wanted.boxes, wanted.scores, wanted.labels, strict=True)):
        many = len(boxes)  # those that are told come first here
        in_pixels = (shares[row] * sizes[row])[:many, [1, 0, 3, 2]]
        np.testing.assert_allclose(in_pixels, boxes, atol=1e-3)
        np.testing.assert_allclose(np.array(found["detection_scores"])[row, :many], scores, atol=1e-6)
        numbers = np.array(found["detection_classes"], dtype=int)[row, :many] - 1
        assert [CLASSES[number] for number in numbers] == list(labels)
        if told is not None:
            assert told[row].tolist() == [True] * many + [False] * (3 - many)
            np.testing.assert_allclose(np.array(found["boxes"])[row, :many], boxes, atol=1e-4)
            assert found["labels"][row][:many] == list(labels)
            assert sum(found["counts"][row]) == many


TRITON = """
def run(module, client):
    def tensor(array, kind):
        one = module.InferInput("image", list(array.shape), kind)
        one.set_data_from_numpy(array)
        return one
    def told(array):
        return [[text.decode() for text in row] for row in array] if array.dtype == object else array.tolist()
    result = client.infer("finds", [tensor(np.array(files, dtype=object), "BYTES")])
    answers["all"] = {name: told(result.as_numpy(name)) for name in NAMES[:-1]}
    answers["warning"] = result.as_numpy("warning").tolist() == [b""] * len(files)
    alone = client.infer("finds", [tensor(pixels[None], "UINT8")], outputs=[module.InferRequestedOutput("counts")])
    answers["pixels"] = [alone.as_numpy("counts").tolist(), str(alone.as_numpy("counts").dtype)]
    nothing = client.infer("finds", [tensor(np.zeros((1, 9, 9, 3), dtype=np.uint8), "UINT8")])
    answers["nothing"] = [list(nothing.as_numpy("boxes").shape), nothing.as_numpy("num_detections").tolist()]
    metadata = client.get_model_metadata("finds", **({"as_json": True} if module.__name__.endswith("grpc") else {}))
    answers["metadata"] = [[one["name"], one["datatype"], [int(size) for size in one["shape"]]] for one in metadata["outputs"]]
    client.get_model_config("finds")
"""


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_tritonclient(clients: Path, server: Running, data: list[bytes], tmp_path: Path, protocol: str) -> None:
    program = f"NAMES = {ALL}\n{TRITON}import tritonclient.{protocol} as module\n"
    answers = ask(clients, f"{program}run(module, module.InferenceServerClient({protocol}))\n", server, tmp_path, data)
    same(answers["all"], tmp_path, data)
    assert answers["warning"]
    wanted = tellapart.load(tmp_path / "finds").predict([pixels(data[1])]).labels[0]
    assert answers["pixels"] == [[[wanted.count(name) for name in CLASSES]], "int32"]
    assert answers["nothing"] == [[1, 1, 4], [0]]
    told = {name: (kind, shape) for name, kind, shape in answers["metadata"]}
    assert list(told) == ALL
    assert told["labels"] == ("BYTES", [-1, -1])
    assert told["counts"] == ("INT32", [-1, 3])


KSERVE = """
import base64
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
def request(binary):
    one = InferInput("image", list(pixels[None].shape), "UINT8")
    one.set_data_from_numpy(pixels[None], binary_data=binary)
    return InferRequest(model_name="finds", infer_inputs=[one], request_id="q")
def told(response):
    return {one.name: one.as_numpy().tolist() for one in response.outputs if one.name in NAMES}
async def main():
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    body = {"inputs": {"image": [{"b64": base64.b64encode(data).decode()} for data in files]}}
    body = {"instances": body["inputs"]["image"]}
    rows = (await v1.infer("http://" + http, body, model_name="finds"))["predictions"]
    answers["v1"] = {name: [row[name] for row in rows] for name in NAMES}
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    for binary in (False, True):
        answers["v2 " + str(binary)] = told(await v2.infer("http://" + http, request(binary), model_name="finds"))
    client = InferenceGRPCClient(url=grpc)
    answers["grpc"] = told(await client.infer(request(True)))
    await client.close()
asyncio.run(main())
"""


def test_kserves_client(clients: Path, server: Running, data: list[bytes], tmp_path: Path) -> None:
    answers = ask(clients, f"NAMES = {TENSORFLOWS}\n{KSERVE}", server, tmp_path, data)
    same(answers["v1"], tmp_path, data)
    alone = {name: values[1:2] for name, values in answers["v1"].items()}
    for name in ("v2 False", "v2 True", "grpc"):
        assert list(answers[name]) == TENSORFLOWS
        for output in TENSORFLOWS:
            np.testing.assert_allclose(answers[name][output], alone[output], atol=1e-6)


OVMS = """
from ovmsclient import make_http_client
client = make_http_client(http)
for data in files:
    found = client.predict({"image": [data]}, "finds")
    answers.setdefault("files", []).append({name: np.array(values).tolist() for name, values in found.items()})
answers["metadata"] = client.get_model_metadata("finds")
"""


def test_ovmsclient(clients: Path, server: Running, data: list[bytes], tmp_path: Path) -> None:
    answers = ask(clients, OVMS, server, tmp_path, data)
    signatures = answers["metadata"]["metadata"]["signature_def"]["signature_def"]
    assert list(signatures["serving_default"]["outputs"]) == TENSORFLOWS
    assert [one["num_detections"] for one in answers["files"]] == [[0], [3], [1], [2]]
    assert [np.shape(one["detection_boxes"]) for one in answers["files"]] == [
        (1, 1, 4),
        (1, 3, 4),
        (1, 1, 4),
        (1, 2, 4),
    ]

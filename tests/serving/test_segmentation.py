"""A model that makes masks, asked in every way. In: a network by hand. Out: the same masks in every form."""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.answers import mask_blending, mask_tensors
from tellapart.answers.mask_predictions import MaskPredictions
from tests.answers.made_masker import CLASSES, masker_bytes

from .conftest import Running, Start
from .test_corrections import correct
from .test_grpc_service import Caller
from .test_plain import send
from .test_tfserving_grpc import FILE, files

ALWAYS = ["mask_bytes", "areas", "shares", "sizes", "confidence", "mask", "warning"]
ALL = [*ALWAYS[:-1], "certainty", "probabilities", "warning"]


def picture(width: int, height: int) -> bytes:
    """Black, with a blue square, a red line and some grey that is not certain."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[2:8, 3:12, 2] = 255
    pixels[-2, :, 0] = 255
    pixels[9:11, 1:4] = (0, 0, 130)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


DATA = [picture(20, 16), picture(100, 70)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("masks") / "model.onnx"
    path.write_bytes(masker_bytes())
    return path


@pytest.fixture
def server(start: Start, model: Path, tmp_path: Path) -> Running:
    from tellapart.serving.corrections import Corrections

    return start(
        f"paints={model}", corrections=Corrections(tmp_path / "kept", most_bytes=10**6), explain=lambda *_: b""
    )


@pytest.fixture(scope="module")
def here(model: Path) -> MaskPredictions:
    found: MaskPredictions = tellapart.load(model).predict(DATA)
    return found


def read(data: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image)


def encoded(data: list[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in data]


def test_plain_rest_tells_areas_and_the_mask(server: Running, here: MaskPredictions) -> None:
    reply = send(server, "/predict", [("a.png", DATA[0]), ("b.png", DATA[1]), ("x", b"hello")])
    assert reply.status == 200
    *rows, failed = reply.json["predictions"]
    for row, mask, areas in zip(rows, here.masks, here.areas, strict=True):
        assert mask is not None
        assert (row["width"], row["height"]) == mask.shape[::-1]
        assert [one["pixels"] for one in row["areas"]] == areas.tolist()
        assert [one["label"] for one in row["areas"]] == list(CLASSES)
        np.testing.assert_array_equal(read(base64.b64decode(row["mask"])), mask)
        assert read(base64.b64decode(row["certainty"])).shape == mask.shape
        assert "polygons" not in row
    assert rows[0]["areas"][1]["sizes"] == [54, 6]
    assert failed == {"file": "x", "error": "not a picture in a known format"}


def test_borders_come_where_they_are_asked_for(server: Running, shared: Running) -> None:
    (row,) = send(server, "/predict?polygons=true", [("a", DATA[0])]).json["predictions"]
    assert [(one["label"], one["pixels"]) for one in row["polygons"]] == [
        (CLASSES[1], 54),
        ("red", 20),
        (CLASSES[1], 6),
    ]
    assert row["polygons"][0]["polygon"] == [[3, 2], [12, 2], [12, 8], [3, 8]]
    refused = send(shared, "/predict?model=single&polygons=1", [("a", DATA[0])])
    assert refused.status == 409
    assert (
        refused.json["error"] == "model 'single' makes no masks, so that there are no borders. Ask without `polygons`."
    )


def test_heatmaps_and_scores_are_for_other_models(server: Running) -> None:
    drawn = send(server, "/predict?explain=1", [("a", DATA[0])])
    assert drawn.status == 409
    assert drawn.json["error"] == (
        "model 'paints' makes masks, of which no heatmap is drawn here: `certainty` in its answer says how sure each pixel is, and "
        "`tellapart explain` what a part of a mask rests on. Ask without `explain`."
    )
    assert send(server, "/predict?min_score=0.1", [("a", DATA[0])]).status == 409
    (told,) = server.get("/models").json["models"]
    assert (told["task"], told["explainable"], told["record"]["background"]) == ("segmentation", False, 0)
    refused = correct(server, [DATA[0]], label="red")
    assert refused.status == 400
    assert "a form cannot hold a mask" in refused.json["error"]


def test_tensorflow_serving_gives_a_file_and_areas(server: Running, here: MaskPredictions) -> None:
    body: dict[str, Any] = {"instances": [{"b64": one} for one in encoded(DATA)]}
    rows = server.post("/v1/models/paints:predict", body).json["predictions"]
    for row, mask, areas in zip(rows, here.masks, here.areas, strict=True):
        assert list(row) == ["mask_bytes", "areas"]
        np.testing.assert_array_equal(read(base64.b64decode(row["mask_bytes"]["b64"])), mask)
        assert row["areas"] == areas.tolist()
    columns = server.post("/v1/models/paints:predict", {"inputs": {"image": body["instances"]}}).json["outputs"]
    assert columns == {name: [row[name] for row in rows] for name in ("mask_bytes", "areas")}
    (arrays,) = server.post(
        "/v1/models/paints:predict", {"instances": body["instances"][:1], "signature_name": "decisions"}
    ).json["predictions"]
    assert list(arrays) == ALWAYS
    assert here.masks[0] is not None
    assert arrays["mask"] == here.masks[0].tolist()
    assert arrays["sizes"] == [16, 20]
    examples = [{"image": {"b64": one}} for one in encoded(DATA)]
    results = server.post("/v1/models/paints:classify", {"examples": examples}).json["results"]
    assert dict(map(tuple, results[0]))["red"] == pytest.approx(20 / 320)
    signatures = server.get("/v1/models/paints/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert signatures["decisions"]["outputs"]["mask"]["dtype"] == "DT_UINT8"
    assert list(signatures["serving_default"]["outputs"]) == ["mask_bytes", "areas"]


def test_a_picture_as_large_as_a_tile_may_come_ready(server: Running) -> None:
    image = np.zeros((64, 64, 3), dtype=np.uint8)
    image[:10] = (255, 0, 0)
    body = {"instances": [image.tolist()], "signature_name": "prepared"}
    (row,) = server.post("/v1/models/paints:predict", body).json["predictions"]
    assert row["areas"] == [54 * 64, 0, 640]


def test_open_inference_protocol(server: Running, here: MaskPredictions) -> None:
    inputs = [{"name": "image", "datatype": "BYTES", "shape": [2], "data": encoded(DATA)}]
    outputs = {one["name"]: one for one in server.post("/v2/models/paints/infer", {"inputs": inputs}).json["outputs"]}
    assert list(outputs) == ALWAYS
    assert (outputs["mask"]["datatype"], outputs["mask"]["shape"]) == ("UINT8", [2, 70, 100])
    masks = np.array(outputs["mask"]["data"], dtype=np.uint8).reshape(2, 70, 100)
    np.testing.assert_array_equal(masks[0, :16, :20], here.masks[0])
    assert set(masks[0, 16:].reshape(-1).tolist()) == {255}
    np.testing.assert_array_equal(read(base64.b64decode(outputs["mask_bytes"]["data"][1])), here.masks[1])
    described = {one["name"]: one for one in server.get("/v2/models/paints").json["outputs"]}
    assert list(described) == ALL
    for name, one in outputs.items():
        assert described[name]["datatype"] == one["datatype"]
        assert all(size in (-1, real) for size, real in zip(described[name]["shape"], one["shape"], strict=True))
    (config,) = [one for one in server.get("/v2/models/paints/config").json["output"] if one["name"] == "mask"]
    assert config["data_type"] == "TYPE_UINT8"


def test_probabilities_come_where_they_are_asked_for(
    server: Running, here: MaskPredictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [{"name": "image", "datatype": "BYTES", "shape": [1], "data": encoded(DATA[:1])}]
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "certainty"}]
    reply = server.post("/v2/models/paints/infer", {"inputs": inputs, "outputs": wanted})
    end = int(reply.headers["inference-header-content-length"])
    first, second = json.loads(reply.body[:end])["outputs"]
    found = np.frombuffer(reply.body[end:], dtype=np.uint8).reshape(first["shape"])
    assert found.shape == (1, 3, 16, 20)
    np.testing.assert_array_equal(found[0].argmax(0), here.masks[0])
    np.testing.assert_array_equal(found[0].max(0), np.array(second["data"]).reshape(16, 20))
    monkeypatch.setattr(mask_blending, "KEPT_BYTES", 10)
    refused = server.post("/v2/models/paints/infer", {"inputs": inputs, "outputs": wanted})
    assert refused.status == 413
    assert refused.json["error"].startswith("`probabilities` of a picture so large are not kept. Ask for `mask`")
    assert server.post("/v2/models/paints/infer", {"inputs": inputs}).status == 200
    monkeypatch.setattr(mask_tensors, "MOST_VALUES", 100)
    assert "more than 100 bytes" in server.post("/v2/models/paints/infer", {"inputs": inputs}).json["error"]


def test_both_kinds_of_grpc(server: Running, here: MaskPredictions) -> None:
    call = Caller(server.grpc_port)
    raw = b"".join(struct.pack("<I", len(data)) + data for data in DATA)
    wanted = [{"name": "mask"}, {"name": "mask_bytes"}]
    tensor = {"name": "image", "datatype": "BYTES", "shape": [2]}
    answer = call("ModelInfer", model_name="paints", inputs=[tensor], raw_input_contents=[raw], outputs=wanted)
    masks = np.frombuffer(answer.raw_output_contents[0], np.uint8).reshape(answer.outputs[0].shape)
    np.testing.assert_array_equal(masks[1], here.masks[1])
    (length,) = struct.unpack("<I", answer.raw_output_contents[1][:4])
    np.testing.assert_array_equal(read(answer.raw_output_contents[1][4 : 4 + length]), here.masks[0])
    call.close()
    call = Caller(server.grpc_port, FILE, "PredictionService")
    found = call("Predict", model_spec={"name": "paints"}, inputs=files(*DATA)).outputs
    assert sorted(found) == ["areas", "mask_bytes"]
    np.testing.assert_array_equal(read(found["mask_bytes"].string_val[1]), here.masks[1])
    found = call("Predict", model_spec={"name": "paints"}, inputs=files(*DATA), output_filter=["mask"]).outputs
    shape = [one.size for one in found["mask"].tensor_shape.dim]
    masks = np.frombuffer(found["mask"].tensor_content, np.uint8).reshape(shape)
    np.testing.assert_array_equal(masks[1], here.masks[1])
    call.close()


def test_a_client_says_what_the_file_says(server: Running, model: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for path, one in zip(paths, DATA, strict=True):
        path.write_bytes(one)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    asked = [*paths, tmp_path / "bad.png"]
    mine = tellapart.load(model).predict(asked)
    with tellapart.Client(f"http://127.0.0.1:{server.http_port}") as client:
        theirs = client.predict(asked)
    assert isinstance(theirs, MaskPredictions)
    assert (theirs.paths, theirs.errors, theirs.classes) == (mine.paths, mine.errors, mine.classes)
    np.testing.assert_array_equal(theirs.areas, mine.areas)
    np.testing.assert_allclose(theirs.confidences, mine.confidences, rtol=1e-6)
    for one, other in zip(theirs.masks[:2], mine.masks[:2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert theirs.masks[2] is None


def test_what_was_told_is_counted(server: Running) -> None:
    send(server, "/predict", [("a", one) for one in DATA])
    text = server.get("/metrics").body.decode()
    assert 'tellapart_predictions_total{class_name="red",model="paints"} 2.0' in text
    assert 'class_name="background"' not in text


def test_the_description_says_what_comes(server: Running) -> None:
    import jsonschema

    document = server.get("/openapi.json").json
    schema = {**document["components"]["schemas"]["Predicted"], "components": document["components"]}
    for path in ("/predict", "/predict?polygons=1"):
        jsonschema.validate(send(server, path, [("a", one) for one in DATA]).json, schema)

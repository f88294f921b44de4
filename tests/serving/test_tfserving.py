"""TensorFlow Serving's REST. In: requests of its documentation. Out: answers of its form, with predict's probabilities."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.answers.given import deep_png

from .conftest import Running, expected, pixels, png


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def test_rows_and_columns_of_files_and_pixels_agree(
    shared: Running, shared_models: Path, pictures: list[bytes]
) -> None:
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    arrays = [pixels(data).tolist() for data in pictures]
    files = [b64(data) for data in pictures]
    bodies: list[dict[str, Any]] = [
        {"instances": files},
        {"instances": [{"image": one} for one in files]},
        {"instances": arrays},
        {"inputs": files},
        {"inputs": {"image": files}},
        {"inputs": {"image": arrays}},
        {"instances": [files[0], arrays[1], files[2]], "signature_name": "serving_default"},
    ]
    for body in bodies:
        answer = shared.post("/v1/models/single:predict", body).json
        assert set(answer) == {"predictions" if "instances" in body else "outputs"}
        np.testing.assert_allclose(np.array(next(iter(answer.values()))), wanted, atol=1e-5)


def test_one_picture_as_a_column_is_one_row(shared: Running, shared_models: Path, pictures: list[bytes]) -> None:
    wanted = expected(shared_models / "single" / "model.onnx", pictures[:1])
    for one in (b64(pictures[0]), pixels(pictures[0]).tolist()):
        for column in (one, {"image": one}):
            answer = shared.post("/v1/models/single:predict", {"inputs": column}).json
            np.testing.assert_allclose(np.array(answer["outputs"]), wanted, atol=1e-5)


def test_prepared_pixels_go_in_as_they_are(shared: Running) -> None:
    image = np.random.default_rng(5).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    body = {"instances": [image.tolist()], "signature_name": "prepared"}
    answer = shared.post("/v1/models/colours/versions/2:predict", body).json["predictions"]
    wanted = shared.repository.get("colours").run(image[None])["probabilities"]
    np.testing.assert_allclose(np.array(answer), wanted, atol=1e-6)
    body = {"instances": [image[:, :15].tolist()], "signature_name": "prepared"}
    reply = shared.post("/v1/models/colours:predict", body)
    assert (reply.status, reply.json["error"][:60]) == (
        400,
        "picture 1 of 1 cannot be used: a prepared picture of 15 x 16",
    )


def test_decisions_name_class_set_and_unknown(shared: Running) -> None:
    files = [b64(png((250, 0, 0))), b64(png((90, 90, 90)))]
    rows = shared.post("/v1/models/single:predict", {"instances": files, "signature_name": "decisions"}).json[
        "predictions"
    ]
    assert (rows[0]["label"], rows[0]["unknown"]) == ("红色", True)
    assert rows[1]["unknown"] is False
    assert rows[1]["set"] == [probability >= 0.2 for probability in rows[1]["probabilities"]]
    columns = shared.post("/v1/models/single:predict", {"inputs": files, "signature_name": "decisions"}).json["outputs"]
    assert columns["label"] == [row["label"] for row in rows]
    assert columns["probabilities"] == [row["probabilities"] for row in rows]


def test_a_warning_travels_over_both_protocols(shared: Running) -> None:
    deep = deep_png(np.full((20, 20), 300, np.uint16))
    files = [b64(png((250, 0, 0))), b64(deep)]
    told = "it has more than 8 bits, and the model knows no range for such pictures: 0:65535 was taken"
    body: dict[str, Any] = {"instances": files, "signature_name": "decisions"}
    rows = shared.post("/v1/models/single:predict", body).json["predictions"]
    assert [row["warning"] for row in rows] == ["", told]
    inputs = [{"name": "image", "datatype": "BYTES", "shape": [2], "data": [one["b64"] for one in files]}]
    outputs = shared.post("/v2/models/single/infer", {"inputs": inputs}).json["outputs"]
    assert outputs[-1] == {"name": "warning", "datatype": "BYTES", "shape": [2], "data": ["", told]}
    asked = shared.post("/v2/models/single/infer", {"inputs": inputs, "outputs": [{"name": "warning"}]}).json
    assert asked["outputs"] == outputs[-1:]


def test_versions_labels_latest_and_an_encoded_colon(shared: Running, pictures: list[bytes]) -> None:
    body = {"instances": [b64(pictures[0])]}
    answers = {
        path: shared.post(f"/v1/models/colours{path}", body).json["predictions"][0]
        for path in (
            ":predict",
            "/versions/0:predict",
            "/versions/2:predict",
            "/labels/canary:predict",
            "%3Apredict",
            "/versions/0%3Apredict",
            "/versions/1:predict",
            "/labels/stable:predict",
        )
    }
    first, second = answers["/versions/1:predict"], answers[":predict"]
    assert first != second
    assert answers["/labels/stable:predict"] == first
    assert all(answers[path] == second for path in answers if "1" not in path and "stable" not in path)


def test_verbs_come_by_post(shared: Running) -> None:
    for path in ("/v1/models/single:predict", "/v1/models/single/versions/1:classify"):
        reply = shared.get(path)
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
        assert reply.json["error"] == "GET is not what this path takes. See /openapi.json."


def test_classify_gives_labels_and_scores(shared: Running, shared_models: Path, pictures: list[bytes]) -> None:
    body = {"examples": [{"image": b64(data)} for data in pictures]}
    results = shared.post("/v1/models/single:classify", body).json["results"]
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    assert [[label for label, _ in row] for row in results] == [["blue", "green", "红色"]] * 3
    np.testing.assert_allclose([[score for _, score in row] for row in results], wanted, atol=1e-5)


def test_status_and_metadata(server: Running, models: Path, tiny_bytes: bytes) -> None:
    fine = {"error_code": "OK", "error_message": ""}
    status = server.get("/v1/models/colours").json["model_version_status"]
    assert status == [
        {"version": "2", "state": "AVAILABLE", "status": fine},
        {"version": "1", "state": "AVAILABLE", "status": fine},
    ]
    assert server.get("/v1/models/colours/versions/1").json["model_version_status"] == status[1:]
    assert server.get("/v1/models/colours/versions/0").json["model_version_status"] == status[:1]
    assert server.get("/v1/models/colours/labels/stable").json["model_version_status"] == status[1:]
    (models / "colours" / "7").mkdir()
    (models / "colours" / "7" / "model.onnx").write_bytes(tiny_bytes[:-9])
    server.repository.refresh()
    (row,) = server.get("/v1/models/colours/versions/7").json["model_version_status"]
    assert row["state"] == "END"
    assert "cut short" in row["status"]["error_message"]
    metadata = server.get("/v1/models/colours/versions/2/metadata").json
    assert metadata["model_spec"] == {"name": "colours", "signature_name": "", "version": "2"}
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"
    assert [one["size"] for one in signatures["prepared"]["inputs"]["image"]["tensor_shape"]["dim"]] == [
        "-1",
        "16",
        "16",
        "3",
    ]
    assert list(signatures["decisions"]["outputs"]) == [
        "probabilities",
        "label",
        "set",
        "novelty",
        "unknown",
        "warning",
    ]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("nobody:predict", {"instances": []}, 404, "there is no model 'nobody'. Models: colours, single."),
        ("single/versions/9:predict", {"instances": []}, 404, "no version 9"),
        ("single/versions/x:predict", {"instances": []}, 400, "'x' is not a version"),
        ("single/labels/x:predict", {"instances": []}, 404, "no version label 'x'. Its labels: it has none."),
        ("..%2F..%2Fetc%2Fpasswd:predict", {"instances": []}, 404, "there is nothing at"),
        ("..:predict", {"instances": []}, 404, "there is no model '..'"),
        ("single:regress", {"instances": []}, 400, "names classes and cannot regress. Use :predict or :classify."),
        ("single:predict", b"{", 400, "the body is not JSON"),
        ("single:predict", b"[" * 100_000, 400, "the body is not JSON"),
        ("single:predict", b'{"instances": NaN}', 400, "NaN is not JSON"),
        ("single:predict", b"[1]", 400, "the body is JSON, but an array, not an object"),
        ("single:predict", {}, 400, "the request has the keys none; there must be `instances` or `inputs`"),
        ("single:predict", {"instances": [1], "inputs": [1]}, 400, "has the keys inputs, instances"),
        ("single:predict", {"instances": [1], "x": 1}, 400, "has the keys instances, x"),
        ("single:predict", {"instances": []}, 400, "`instances` must be a list of at least one picture"),
        ("single:predict", {"inputs": 5}, 400, "`inputs` must be a list"),
        ("single:predict", {"instances": [{"pixels": 1}]}, 400, "the inputs are pixels; there is one, named 'image'"),
        ("single:predict", {"instances": [{"b64": "%%%"}]}, 400, "a file that is not base64"),
        ("single:predict", {"instances": [{"b64": 5}]}, 400, "a file that is not base64"),
        ("single:predict", {"instances": [[[1, 2]]]}, 400, "a picture has shape [1, 2]; it must be [height][width][3]"),
        ("single:predict", {"instances": [[[[0.5, 0, 0]]]]}, 400, "whole numbers from 0 to 255"),
        ("single:predict", {"instances": [[[[1, 2, 256]]]]}, 400, "whole numbers from 0 to 255"),
        ("single:predict", {"instances": [[[[1, 2, 3]], [[1, 2]]]]}, 400, "in lists of equal length"),
        ("single:predict", {"instances": [5]}, 400, "a picture is '5'; it must be"),
        ("single:predict", {"instances": [{"b64": "aGFsbG8="}]}, 400, "picture 1 of 1 cannot be used: not a picture"),
        (
            "single:predict",
            {"instances": [5], "signature_name": "x"},
            400,
            "there is no signature 'x'. Signatures: serving",
        ),
        ("single:predict", {"instances": [{"b64": ""}], "signature_name": "prepared"}, 400, '"prepared" takes pixels'),
        ("single:predict", {"instances": [5] * 1025}, 413, "1,025 inputs in one request; at most 1,024"),
        ("single:predict", {"instances": [[[[1, 2, 3]]]] * 65}, 413, "65 pictures in one request; at most 64"),
        ("single:classify", {"examples": 5}, 400, "a classify request holds `examples`"),
        ("single:classify", {"examples": [{"x": 5}]}, 400, "the inputs are x; there is one, named 'image'"),
    ],
)
def test_what_is_wrong_is_said(shared: Running, path: str, body: Any, status: int, words: str) -> None:
    reply = shared.post(f"/v1/models/{path}", body)
    assert reply.status == status
    assert set(reply.json) == {"error"}
    assert words in reply.json["error"]

"""A model that finds boxes, asked in every way. In: a graph by hand. Out: boxes that agree, in pixels and in shares."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.answers.box_predictions import BoxPredictions
from tellapart.bundle import open_model
from tellapart.errors import ModelFileError
from tellapart.preprocessing import prepare
from tellapart.serving.corrections import Corrections

from .conftest import BOX_THRESHOLDS, LEAST, PLACES, Running, Start, png
from .test_corrections import correct
from .test_plain import send

CLASSES = tuple(PLACES)
SIZES = [(24, 32), (32, 28), (16, 16), (32, 24)]  # which a square of 16 pixels shows without rounding
# Nothing; all three, two of them told; one above its threshold in a square; two, neither told.
COLOURS = [(10, 10, 10), (180, 210, 220), (0, 200, 0), (60, 0, 90)]
TENSORFLOWS = ["detection_boxes", "detection_scores", "detection_classes", "num_detections"]
ALL = [*TENSORFLOWS, "boxes", "labels", "chosen", "counts", "class_scores", "warning"]
Found = list[tuple[str, float, tuple[float, float, float, float], bool]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, boxes_bytes: bytes) -> Path:
    path = tmp_path_factory.mktemp("boxes") / "model.onnx"
    path.write_bytes(boxes_bytes)
    return path


@pytest.fixture
def server(start: Start, model: Path, explain: Callable[..., bytes], tmp_path: Path) -> Iterator[Running]:
    return start(f"finds={model}", explain=explain, corrections=Corrections(tmp_path / "kept", most_bytes=10**6))


@pytest.fixture(scope="module")
def data() -> list[bytes]:
    return [png(colour, size) for colour, size in zip(COLOURS, SIZES, strict=True)]


@pytest.fixture(scope="module")
def found(model: Path, data: list[bytes]) -> list[Found]:
    """Worked by hand: of each picture the boxes, the most certain first; class, score, pixels, whether it is told."""
    return [by_hand(one, model) for one in data]


def by_hand(data: bytes, model: Path) -> Found:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    means = prepare(image, open_model(model).preprocessing).mean(axis=(0, 1)) / 255
    scores = dict(zip(CLASSES, means[::-1].tolist(), strict=True))
    side, (width, height) = max(image.size), image.size
    left, top = (side - width) / 2, (side - height) / 2
    boxes = []
    for name, score in sorted(scores.items(), key=lambda one: -one[1]):
        sides = [share * side - margin for share, margin in zip(PLACES[name], (left, top) * 2, strict=True)]
        x, y, right, bottom = (min(max(one, 0), most) for one, most in zip(sides, (width, height) * 2, strict=True))
        if score > LEAST and right > x and bottom > y:
            boxes.append((name, score, (x, y, right, bottom), score >= BOX_THRESHOLDS[CLASSES.index(name)]))
    return boxes


def padded(rows: list[list[Any]], empty: Any) -> np.ndarray:
    most = max([1, *map(len, rows)])
    return np.array([[*row, *[empty] * (most - len(row))] for row in rows])


def encoded(data: list[bytes]) -> list[str]:
    return [base64.b64encode(one).decode() for one in data]


def test_the_pictures_show_every_case(found: list[Found]) -> None:
    assert [len(one) for one in found] == [0, 3, 1, 2]
    assert [sum(told for *_, told in one) for one in found] == [0, 2, 1, 0]


def test_plain_rest_tells_what_reaches_its_threshold(server: Running, data: list[bytes], found: list[Found]) -> None:
    reply = send(server, "/predict?top=1", [*((f"{n}.png", one) for n, one in enumerate(data)), ("x", b"hello")])
    assert reply.status == 200
    *rows, failed = reply.json["predictions"]
    for row, boxes, size in zip(rows, found, SIZES, strict=True):
        assert list(row) == ["file", "boxes", "counts", "width", "height", "unknown", "novelty", "warning"]
        told = [one for one in boxes if one[3]]
        assert (row["width"], row["height"]) == size
        assert row["counts"] == {name: 1 for name in CLASSES if name in [one[0] for one in told]}
        assert [list(one) for one in row["boxes"]] == [["label", "score", "left", "top", "right", "bottom"]] * len(told)
        assert [one["label"] for one in row["boxes"]] == [name for name, *_ in told]
        for one, (_, score, sides, _) in zip(row["boxes"], told, strict=True):
            assert one["score"] == pytest.approx(score, abs=1e-6)
            assert [one[side] for side in ("left", "top", "right", "bottom")] == pytest.approx(sides, abs=1e-4)
    assert failed == {"file": "x", "error": "not a picture in a known format"}


@pytest.mark.parametrize("least", ["0", "0.3", "1", ".85"])
def test_what_is_less_certain_comes_where_it_is_asked_for(
    server: Running, data: list[bytes], found: list[Found], least: str
) -> None:
    rows = send(server, f"/predict?min_score={least}", [("a", one) for one in data]).json["predictions"]
    for row, boxes in zip(rows, found, strict=True):
        assert [(one["label"], one["told"]) for one in row["boxes"]] == [
            (name, told) for name, score, _, told in boxes if score >= float(least)
        ]
        assert sum(row["counts"].values()) == sum(told for *_, told in boxes), (
            "counts are of what is told, all the same"
        )


@pytest.mark.parametrize("text", ["", "-0.1", "1.1", "nan", "inf", "1e-3", "0x1", "½", "1" * 400, "0,5"])
def test_a_least_score_that_is_none_is_refused(server: Running, data: list[bytes], text: str) -> None:
    reply = send(server, f"/predict?min_score={text.replace('½', '%C2%BD')}", [("a", data[0])])
    assert reply.status == 400
    assert reply.json["error"].startswith(f"min_score is {text[:20]!r}; it must be a number from 0 to 1, such as 0.05.")


@pytest.mark.parametrize(
    ("query", "wanted"), [("", 1), ("&box=2", 2), ("&box=3&min_score=0", 3), ("&box=99999", 99999)]
)
def test_a_heatmap_is_of_one_of_the_boxes_that_are_answered(
    server: Running, data: list[bytes], found: list[Found], query: str, wanted: int
) -> None:
    reply = send(server, f"/predict?explain=1{query}", [("x", b"hello"), *(("a", one) for one in data)])
    assert reply.status == 200
    failed, *rows = reply.json["predictions"]
    assert "heatmap" not in failed
    answered = [[one for one in boxes if one[3] or "min_score" in query] for boxes in found]
    assert ["heatmap" in row for row in rows] == [len(boxes) >= wanted for boxes in answered]
    for row, boxes, file in zip(rows, answered, data, strict=True):
        if "heatmap" in row:
            name, _, sides, _ = boxes[wanted - 1]
            told = base64.b64decode(row["heatmap"].partition(",")[2]).decode().split(" ")
            assert told[:3] == ["finds", str(len(file)), str(CLASSES.index(name))]
            assert [float(one) for one in told[3:]] == pytest.approx(sides, abs=0.06)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "x", "100000", "%C2%BD"])
def test_a_box_that_is_none_is_refused(server: Running, data: list[bytes], text: str) -> None:
    reply = send(server, f"/predict?explain=1&box={text}", [("a", data[0])])
    said = text.replace("%C2%BD", "½")
    assert (reply.status, reply.json["error"]) == (
        400,
        f"box is {said!r}; it must be a whole number from 1, the most certain box, to 99,999.",
    )


def test_a_box_alone_asks_for_nothing(server: Running, data: list[bytes]) -> None:
    reply = send(server, "/predict?box=2", [("a", data[1])])
    assert (reply.status, reply.json["error"]) == (
        400,
        "box is 2, which says of which box a heatmap is, and none is asked for. Add `explain=true`.",
    )


def test_what_such_a_model_cannot_do_is_refused(
    server: Running, start: Start, shared: Running, models: Path, data: list[bytes], explain: Any
) -> None:
    whole = send(start(str(models / "single"), explain=explain), "/predict?explain=1&box=2", [("a", data[1])])
    assert (whole.status, whole.json["error"]) == (
        409,
        "model 'single' finds no boxes; `box` says of which of them a heatmap is. Ask without `box`.",
    )
    graded = send(shared, "/predict?model=single&min_score=0.1", [("a", data[1])])
    assert graded.status == 409
    assert graded.json["error"] == (
        "model 'single' tells all that it finds; min_score is for one that finds boxes. Ask without `min_score`."
    )
    (told,) = server.get("/models").json["models"]
    assert (told["task"], told["explainable"], told["record"]["thresholds"]) == (
        "detection",
        True,
        list(BOX_THRESHOLDS),
    )
    assert {one["explainable"] for one in shared.get("/models").json["models"]} == {True}


def test_tensorflow_servings_clients_get_the_outputs_of_its_detectors(
    server: Running, data: list[bytes], found: list[Found]
) -> None:
    body: dict[str, Any] = {"instances": [{"b64": one} for one in encoded(data)]}
    rows = server.post("/v1/models/finds:predict", body).json["predictions"]
    assert [list(row) for row in rows] == [TENSORFLOWS] * len(data)
    for row, boxes, (width, height) in zip(rows, found, SIZES, strict=True):
        assert row["num_detections"] == len(boxes)
        assert len(row["detection_boxes"]) == len(row["detection_scores"]) == 3, "padded to the picture with most"
        for place, (name, score, (left, top, right, bottom), _) in enumerate(boxes):
            shares = [top / height, left / width, bottom / height, right / width]  # ymin first
            assert row["detection_boxes"][place] == pytest.approx(shares, abs=1e-5)
            assert row["detection_scores"][place] == pytest.approx(score, abs=1e-6)
            assert row["detection_classes"][place] == CLASSES.index(name) + 1
        for place in range(len(boxes), 3):
            assert (row["detection_boxes"][place], row["detection_scores"][place]) == ([0, 0, 0, 0], 0)
    columns = server.post("/v1/models/finds:predict", {"inputs": {"image": body["instances"]}}).json["outputs"]
    assert columns == {name: [row[name] for row in rows] for name in TENSORFLOWS}


def test_a_picture_alone_without_boxes_still_has_a_row_of_zeros(server: Running, data: list[bytes]) -> None:
    body = {"instances": [{"b64": encoded(data)[0]}]}
    (row,) = server.post("/v1/models/finds:predict", body).json["predictions"]
    assert row == {
        "detection_boxes": [[0, 0, 0, 0]],
        "detection_scores": [0],
        "detection_classes": [0],
        "num_detections": 0,
    }


def test_the_other_signatures(server: Running, data: list[bytes], found: list[Found]) -> None:
    body = {"instances": [{"b64": one} for one in encoded(data)], "signature_name": "decisions"}
    rows = server.post("/v1/models/finds:predict", body).json["predictions"]
    for row, boxes in zip(rows, found, strict=True):
        assert list(row) == ALL
        assert row["labels"] == [*(name for name, *_ in boxes), *[""] * (3 - len(boxes))]
        assert row["chosen"] == [*(told for *_, told in boxes), *[False] * (3 - len(boxes))]
        assert row["counts"] == [sum(told for own, *_, told in boxes if own == name) for name in CLASSES]
        for place, (_, _, sides, _) in enumerate(boxes):
            assert row["boxes"][place] == pytest.approx(sides, abs=1e-4)
    image = np.full((16, 16, 3), (0, 200, 0), dtype=np.uint8).tolist()
    (ready,) = server.post("/v1/models/finds:predict", {"instances": [image], "signature_name": "prepared"}).json[
        "predictions"
    ]
    assert ready["detection_boxes"][0] == pytest.approx([0.3, 0.4, 0.7, 0.9], abs=1e-6)
    examples = [{"image": {"b64": one}} for one in encoded(data)]
    results = server.post("/v1/models/finds:classify", {"examples": examples}).json["results"]
    best = [{name: score for name, score, *_ in boxes} for boxes in found]
    assert [[name for name, _ in row] for row in results] == [list(CLASSES)] * len(data)
    np.testing.assert_allclose(
        [[score for _, score in row] for row in results], [[one.get(n, 0) for n in CLASSES] for one in best], atol=1e-6
    )
    signatures = server.get("/v1/models/finds/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert list(signatures["serving_default"]["outputs"]) == TENSORFLOWS == list(signatures["prepared"]["outputs"])
    assert list(signatures["decisions"]["outputs"]) == ALL
    told = signatures["serving_default"]["outputs"]["detection_boxes"]
    assert (told["dtype"], [one["size"] for one in told["tensor_shape"]["dim"]]) == ("DT_FLOAT", ["-1", "-1", "4"])
    assert signatures["decisions"]["outputs"]["counts"]["dtype"] == "DT_INT32"


def test_open_inference_protocol(server: Running, data: list[bytes], found: list[Found]) -> None:
    body: dict[str, Any] = {
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": encoded(data)}]
    }
    outputs = {one["name"]: one for one in server.post("/v2/models/finds/infer", body).json["outputs"]}
    assert list(outputs) == ALL
    shapes = {name: (one["datatype"], one["shape"]) for name, one in outputs.items()}
    assert shapes["boxes"] == shapes["detection_boxes"] == ("FP32", [4, 3, 4])
    assert (shapes["labels"], shapes["chosen"], shapes["counts"]) == (
        ("BYTES", [4, 3]),
        ("BOOL", [4, 3]),
        ("INT32", [4, 3]),
    )
    names = padded([[name for name, *_ in boxes] for boxes in found], "")
    assert outputs["labels"]["data"] == names.reshape(-1).tolist()
    described = {one["name"]: one for one in server.get("/v2/models/finds").json["outputs"]}
    assert list(described) == ALL
    for name, (kind, shape) in shapes.items():
        assert described[name]["datatype"] == kind
        assert all(one in (-1, size) for one, size in zip(described[name]["shape"], shape, strict=True)), name
    (config,) = [one for one in server.get("/v2/models/finds/config").json["output"] if one["name"] == "counts"]
    assert config["data_type"] == "TYPE_INT32"
    body["outputs"] = [{"name": "class_scores", "parameters": {"classification": 1}}]
    (ranked,) = server.post("/v2/models/finds/infer", body).json["outputs"]
    assert [one.split(":")[2] for one in ranked["data"][1:]] == [boxes[0][0] for boxes in found[1:]]
    body["outputs"] = [{"name": "detection_boxes", "parameters": {"classification": 1}}]
    refused = server.post("/v2/models/finds/infer", body)
    assert refused.json["error"] == "`classification` is for the output 'class_scores', not for 'detection_boxes'."


def test_what_was_told_is_counted(server: Running, data: list[bytes]) -> None:
    send(server, "/predict?min_score=0", [("a", one) for one in data])
    text = server.get("/metrics").body.decode()
    assert 'tellapart_predictions_total{class_name="green",model="finds"} 2.0' in text
    assert 'tellapart_predictions_total{class_name="blue",model="finds"} 1.0' in text
    assert 'class_name="红色"' not in text
    assert 'tellapart_pictures_total{model="finds",outcome="classified",version="1"} 4.0' in text


def test_a_client_says_what_the_file_says(server: Running, model: Path, data: list[bytes], tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(len(data))]
    for path, one in zip(paths, data, strict=True):
        path.write_bytes(one)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    asked = [*paths, tmp_path / "bad.png", tmp_path / "none.png"]
    here = tellapart.load(model).predict(asked)
    with tellapart.Client(f"http://127.0.0.1:{server.http_port}") as client:
        there = client.predict(asked)
    assert isinstance(there, BoxPredictions)
    assert (there.paths, there.labels, there.errors, there.warnings, there.classes) == (
        *(here.paths, here.labels, here.errors, here.warnings, here.classes),
    )
    assert [len(one) for one in there.boxes] == [0, 2, 1, 0, 0, 0]
    for mine, theirs in zip((*here.boxes, *here.scores), (*there.boxes, *there.scores), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    assert there.errors[4] == "not a picture in a known format"
    assert there.heatmaps is None


def test_a_client_gets_the_heat_of_a_box(server: Running, data: list[bytes], found: list[Found]) -> None:
    with tellapart.Client(f"http://127.0.0.1:{server.http_port}") as client:
        first, second = client.predict(data, explain=True).heatmaps, client.predict(data, explain=2).heatmaps
    assert [one is not None for one in first] == [False, True, True, False]
    assert [one is not None for one in second] == [False, True, False, False]
    for drawn, box in ((first[1], found[1][0]), (second[1], found[1][1])):
        assert drawn.decode().startswith(f"finds {len(data[1])} {CLASSES.index(box[0])} ")


def test_a_correction_says_every_box(server: Running, tmp_path: Path) -> None:
    first, second = png((1, 2, 3)), png((3, 2, 1))
    text = '[["红色",1,2,10,20.5],["blue",0,0,5,5]]'
    reply = correct(server, [first], boxes=text)
    assert (reply.status, reply.json["boxes"], reply.json["replaced"]) == (200, text, False)
    assert correct(server, [second], boxes="[]").status == 200
    with open(tmp_path / "kept" / "finds" / "labels.csv", encoding="utf-8", newline="") as file:
        kept = [json.loads(row["boxes"]) for row in csv.DictReader(file)]
    assert kept == [[["红色", 1, 2, 10, 20.5], ["blue", 0, 0, 5, 5]], []]
    assert Corrections(tmp_path / "kept", most_bytes=10**6), "another start finds its own table"
    for fields, words in (
        (
            {"boxes": '[["grey",1,2,3,4]]'},
            "label is 'grey', which is none of the classes of 'finds'. Did you mean 'green'?",
        ),
        ({"label": "blue"}, "the form has no field `boxes`. Send a JSON list of [label, left, top, right, bottom]"),
        ({"boxes": "[[1,2,3,4]]"}, "the field `boxes` is no JSON list of [label, left, top, right, bottom]"),
    ):
        refused = correct(server, [first], **fields)
        assert refused.status == 400
        assert words in refused.json["error"]


def test_a_gallery_beside_it_is_told_and_not_used(start: Start, model: Path, tmp_path: Path, data: list[bytes]) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "model.onnx").write_bytes(model.read_bytes())
    (own / "gallery.npz").write_bytes(b"anything")
    server = start(f"finds={own / 'model.onnx'}")
    assert [one for one in server.said if "tells no embedding to compare them by" in one] != []
    assert send(server, "/predict", [("a", data[1])]).status == 200


def test_a_file_whose_answers_are_none_is_refused(model: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    from tellapart.bundle import DIGEST_KEY, seal
    from tellapart.serving.opened import open_version
    from tellapart.serving.versions import Found as FoundVersion

    broken = onnx.load(model)
    (nothing,) = [one for one in broken.graph.initializer if one.name == "nothing"]
    nothing.CopyFrom(numpy_helper.from_array(np.array(np.nan, dtype=np.float32), "nothing"))
    for one in broken.metadata_props:
        if one.key == DIGEST_KEY:
            one.value = "0" * 64
    path = tmp_path / "broken.onnx"
    path.write_bytes(seal(broken.SerializeToString()))
    version = FoundVersion(number=1, file=path, stamp=(0, 0, 0))
    with pytest.raises(ModelFileError, match=r"broken.onnx gives no answers with its 3 classes. Train it again.$"):
        open_version("broken", version, max_pixels=10**6, say=print)


def test_the_description_says_what_comes(server: Running, data: list[bytes]) -> None:
    import jsonschema

    document = server.get("/openapi.json").json
    schema = {**document["components"]["schemas"]["Predicted"], "components": document["components"]}
    files = [("a", one) for one in data]
    for path in ("/predict", "/predict?min_score=0"):
        body = send(server, path, files).json
        jsonschema.validate(body, schema)
        with pytest.raises(jsonschema.ValidationError):
            body["predictions"][1]["boxes"][0].pop("left")
            jsonschema.validate(body, schema)
    described = {one["name"]: one["schema"] for one in document["paths"]["/predict"]["post"]["parameters"]}
    assert described["min_score"] == {"type": "number", "minimum": 0, "maximum": 1}


EXAMPLE = re.compile(r"^```python\n(import json\n.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_example_with_onnx_runtime_alone_finds_the_same(
    repository: Path,
    model: Path,
    data: list[bytes],
    found: list[Found],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (code,) = EXAMPLE.findall((repository / "docs" / "serving.md").read_text(encoding="utf-8"))
    assert "tellapart" not in re.sub(r'"tellapart.manifest"', "", code)
    (tmp_path / "model.onnx").write_bytes(model.read_bytes())
    (tmp_path / "yard.jpg").write_bytes(data[1])
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    lines = [line.split(" ") for line in capsys.readouterr().out.splitlines()]
    told = [one for one in found[1] if one[3]]
    assert [name for name, *_ in lines] == [name for name, *_ in told]
    for (_, score, *sides), (_, wanted, pixels, _) in zip(lines, told, strict=True):
        assert float(score) == pytest.approx(wanted, abs=0.02)  # Pillow's own way to a square
        assert [float(one) for one in sides] == pytest.approx(pixels, abs=1e-3)

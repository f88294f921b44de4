"""A model that names several classes, asked in every way. In: a tiny network by hand. Out: answers that agree."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import tellapart
from tellapart.answers.predictions import MultilabelPredictions
from tellapart.cli.info import command as info
from tellapart.cli.predict import command as predict
from tellapart.data.targets import ClassNames
from tellapart.serving.corrections import Corrections

from .conftest import Running, Start, png
from .test_corrections import correct
from .test_plain import send

CLASSES = ("blue", "green", "红色")
THRESHOLDS = (0.5, 0.25, 0.75)
# Colours that show none, one, two and all of them; the last one is unlike what it was trained on.
COLOURS = [(90, 90, 90), (90, 90, 140), (60, 120, 200), (255, 130, 255), (250, 0, 0)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, several_bytes: bytes) -> Path:
    path = tmp_path_factory.mktemp("several") / "model.onnx"
    path.write_bytes(several_bytes)
    return path


@pytest.fixture
def server(start: Start, model: Path, explain: Callable[..., bytes], tmp_path: Path) -> Iterator[Running]:
    return start(f"several={model}", explain=explain, corrections=Corrections(tmp_path / "kept", most_bytes=10**6))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(len(COLOURS))]
    for path, colour in zip(paths, COLOURS, strict=True):
        path.write_bytes(png(colour))
    return paths


def by_hand() -> tuple[np.ndarray, list[list[str]], list[bool]]:
    """Probabilities [N, K], names and unknown flags, of the formulas in the fixture."""
    colours = np.array(COLOURS) / 255
    logits = 10 * colours[:, ::-1]  # blue, green, red
    probabilities = 1 / (1 + np.exp(-(logits * (1.0, 1.0, 0.5) + (-5.0, -5.0, -2.0))))
    named = [
        [name for name, one, least in zip(CLASSES, row, THRESHOLDS, strict=True) if one >= least]
        for row in probabilities
    ]
    unit = colours / np.linalg.norm(colours, axis=1, keepdims=True)
    novelty = 4 * ((unit - 3**-0.5) ** 2).sum(axis=1)
    return probabilities, named, (novelty > 1).tolist()


def test_the_colours_show_every_case() -> None:
    _, named, unknown = by_hand()
    assert named == [[], ["blue"], ["blue", "green"], ["blue", "green", "红色"], ["红色"]]
    assert unknown == [False, False, False, False, True]


def test_the_file_alone_answers_as_worked_by_hand(model: Path, files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    predictor = tellapart.load(model)
    found = predictor.predict([*files, tmp_path / "bad.png"])
    assert isinstance(found, MultilabelPredictions)
    probabilities, named, unknown = by_hand()
    np.testing.assert_allclose(found.probabilities[:-1], probabilities, atol=1e-6)
    assert [list(names) for names in found.label_sets] == [*named, []]
    assert found.unknown is not None
    assert found.unknown.tolist() == [*unknown, None]
    assert found.errors[-1] == "not a picture in a known format"
    assert (predictor.classes, predictor.manifest.task) == (CLASSES, "multilabel")


def test_plain_rest(server: Running, files: list[Path]) -> None:
    probabilities, named, unknown = by_hand()
    reply = send(
        server, "/predict?top=1&explain=true", [*((one.name, one.read_bytes()) for one in files), ("x", b"hello")]
    )
    assert reply.status == 200
    *rows, failed = reply.json["predictions"]
    for row, file, values, names, strange in zip(rows, files, probabilities, named, unknown, strict=True):
        assert list(row) == ["file", "labels", "probabilities", "unknown", "novelty", "warning", "heatmap"]
        assert (row["file"], row["labels"], row["unknown"]) == (file.name, names, strange)
        assert row["probabilities"] == pytest.approx(dict(zip(CLASSES, values, strict=True)), abs=1e-6)
        drawn = base64.b64decode(row["heatmap"].partition(",")[2]).decode()
        assert drawn == f"several {len(file.read_bytes())} {values.argmax()}"
    assert failed == {"file": "x", "error": "not a picture in a known format"}
    (told,) = server.get("/models").json["models"]
    assert (told["task"], told["abstention"], told["record"]["thresholds"]) == ("multilabel", None, list(THRESHOLDS))


def test_tensorflow_serving(server: Running, files: list[Path]) -> None:
    probabilities, named, unknown = by_hand()
    instances = [{"b64": base64.b64encode(one.read_bytes()).decode()} for one in files]
    found = server.post("/v1/models/several:predict", {"instances": instances}).json["predictions"]
    np.testing.assert_allclose(found, probabilities, atol=1e-6)
    body = {"instances": instances, "signature_name": "decisions"}
    rows = server.post("/v1/models/several:predict", body).json["predictions"]
    assert [list(row) for row in rows] == [
        ["probabilities", "labels", "chosen", "novelty", "unknown", "warning"]
    ] * len(files)
    assert [row["labels"] for row in rows] == ["|".join(names) for names in named]
    assert [row["chosen"] for row in rows] == [[name in names for name in CLASSES] for names in named]
    assert [row["unknown"] for row in rows] == unknown
    examples = [{"image": one} for one in instances]
    results = server.post("/v1/models/several:classify", {"examples": examples}).json["results"]
    assert [[name for name, _ in row] for row in results] == [list(CLASSES)] * len(files)
    np.testing.assert_allclose([[one for _, one in row] for row in results], probabilities, atol=1e-6)
    signatures = server.get("/v1/models/several/metadata").json["metadata"]["signature_def"]["signature_def"]
    assert list(signatures["serving_default"]["outputs"]) == ["probabilities"]
    assert signatures["decisions"]["outputs"]["chosen"]["dtype"] == "DT_BOOL"


def test_open_inference_protocol(server: Running, files: list[Path]) -> None:
    probabilities, named, unknown = by_hand()
    data = [base64.b64encode(one.read_bytes()).decode() for one in files]
    body: dict[str, Any] = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [len(files)], "data": data}]}
    outputs = {one["name"]: one for one in server.post("/v2/models/several/infer", body).json["outputs"]}
    assert [(one["name"], one["datatype"]) for one in outputs.values()] == [
        ("probabilities", "FP32"),
        ("labels", "BYTES"),
        ("chosen", "BOOL"),
        ("novelty", "FP32"),
        ("unknown", "BOOL"),
        ("warning", "BYTES"),
    ]
    assert outputs["chosen"]["shape"] == [len(files), 3]
    assert outputs["labels"]["data"] == ["|".join(names) for names in named]
    assert outputs["unknown"]["data"] == unknown
    body["outputs"] = [{"name": "probabilities", "parameters": {"classification": 1}}]
    (ranked,) = server.post("/v2/models/several/infer", body).json["outputs"]
    assert [one.split(":")[2] for one in ranked["data"]] == [CLASSES[row.argmax()] for row in probabilities]
    described = server.get("/v2/models/several").json["outputs"]
    assert {one["name"]: one["shape"] for one in described}["chosen"] == [-1, 3]


def test_what_was_named_is_counted(server: Running, files: list[Path]) -> None:
    send(server, "/predict", [(one.name, one.read_bytes()) for one in files])
    text = server.get("/metrics").body.decode()
    for name, count in (("blue", 3), ("green", 2), ("红色", 2)):
        assert f'tellapart_predictions_total{{class_name="{name}",model="several"}} {count}.0' in text
    assert 'tellapart_pictures_total{model="several",outcome="classified",version="1"} 5.0' in text
    assert 'tellapart_unknown_total{model="several"} 1.0' in text


def test_a_client_says_what_the_file_says(server: Running, model: Path, files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    asked = [*files, tmp_path / "bad.png", tmp_path / "none.png"]
    here = tellapart.load(model).predict(asked)
    with tellapart.Client(f"http://127.0.0.1:{server.http_port}") as client:
        there = client.predict(asked)
        drawn = client.predict(files[:1], explain=True)
    assert isinstance(there, MultilabelPredictions)
    assert (there.paths, there.label_sets, there.errors, there.classes) == (
        *(here.paths, here.label_sets, here.errors, here.classes),
    )
    np.testing.assert_allclose(there.probabilities, here.probabilities, atol=1e-6)
    np.testing.assert_array_equal(there.unknown, here.unknown)
    np.testing.assert_allclose(there.novelty, here.novelty, rtol=1e-5)
    assert there.heatmaps is None
    assert drawn.heatmaps == (f"several {len(files[0].read_bytes())} 2".encode(),)


@pytest.mark.parametrize("layout", ["csv", "jsonl", "table"])
def test_the_command_prints_the_same_of_both(server: Running, model: Path, files: list[Path], layout: str) -> None:
    def printed(*arguments: str) -> str:
        done = CliRunner().invoke(predict, [*arguments, *map(str, files), "--format", layout], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    here = printed(str(model))
    assert printed("--server", f"http://127.0.0.1:{server.http_port}") == here
    _, named, unknown = by_hand()
    if layout == "csv":
        rows = list(csv.DictReader(here.splitlines()))
        assert [ClassNames.read(row["labels"]).names for row in rows] == [tuple(names) for names in named], (
            "as a table to train on"
        )
        assert [row["unknown"] for row in rows] == [str(one).lower() for one in unknown]
    elif layout == "jsonl":
        assert [json.loads(line)["labels"] for line in here.splitlines()] == named
    else:
        assert here.splitlines()[0].startswith("none of them ")
        assert here.splitlines()[-1].endswith("4.png  (unknown: unlike the pictures trained on)")


def test_a_correction_says_all_that_the_picture_shows(server: Running, tmp_path: Path) -> None:
    first, second = png((1, 2, 3)), png((3, 2, 1))
    reply = correct(server, [first], labels="红色|blue")
    assert (reply.status, reply.json["labels"], reply.json["replaced"]) == (200, "blue|红色", False)
    assert correct(server, [second], labels="").json["labels"] == ""
    with open(tmp_path / "kept" / "several" / "labels.csv", encoding="utf-8", newline="") as file:
        assert [row["labels"] for row in csv.DictReader(file)] == ["blue|红色", ""]
    for fields, words in (
        ({"labels": "blue|grey"}, "label is 'grey', which is none of the classes of 'several'. Did you mean 'green'?"),
        (
            {"label": "blue"},
            "the form has no field `labels`. Send the names of the classes joined by |, nothing for none.",
        ),
    ):
        refused = correct(server, [first], **fields)
        assert refused.status == 400
        assert words in refused.json["error"]


def test_the_table_of_another_task_is_left_alone(start: Start, model: Path, models: Path, tmp_path: Path) -> None:
    kept = Corrections(tmp_path / "kept", most_bytes=10**6)
    assert correct(start(f"one={models / 'single'}", corrections=kept), [png((1, 2, 3))], label="blue").status == 200
    before = (tmp_path / "kept" / "one" / "labels.csv").read_bytes()
    refused = correct(start(f"one={model}", corrections=kept), [png((3, 2, 1))], labels="blue")
    assert refused.status == 409
    assert "has no column 'labels': it was begun for a model of another task" in refused.json["error"]
    assert (tmp_path / "kept" / "one" / "labels.csv").read_bytes() == before


def test_info_tells_the_thresholds(model: Path) -> None:
    told = CliRunner().invoke(info, [str(model)], catch_exceptions=False).stdout
    assert f"{'task':<{len('test mean average precision')}} multilabel\n" in told
    assert "blue 50.0 %, green 25.0 %, 红色 75.0 % (by f1)" in told
    assert "a novelty above 1; 95.0 %" in told

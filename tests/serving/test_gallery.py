"""Training pictures beside an answer. In: a run, requests. Out: the nearest ones, by another library's count too."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tellapart.bundle import Manifest, open_model
from tellapart.cli.gallery import command
from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import ClassName, ClassNames, Target
from tellapart.errors import DataError, ModelFileError, SettingsError
from tellapart.export.assemble import assemble
from tellapart.preprocessing import load
from tellapart.reporter import Silent
from tellapart.serving.gallery import read_gallery, write_gallery
from tellapart.workflows.gallery import make_gallery, spread

from .conftest import Start, png

AsListed = Callable[[Mapping[Path, Target]], list[Example]]


@pytest.fixture
def run(tmp_path: Path, deciding_bytes: bytes, colours: Path, as_listed: AsListed) -> Path:
    """A finished run on nine plain pictures, one of them in the test split, one a copy, one gone."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(deciding_bytes)
    shown = as_listed({path: ClassName(path.parent.name) for path in sorted(colours.rglob("*.png"))})
    shown[0] = replace(shown[0], split="test")
    shown[4] = replace(shown[4], content_hash=shown[3].content_hash)
    write_examples(folder / "examples.csv", shown)
    shown[8].path.unlink()
    return folder


@pytest.fixture
def run_of_sets(tmp_path: Path, several_bytes: bytes, as_listed: AsListed) -> Path:
    """A finished run on three pictures: of two classes, of one, and of none."""
    folder = tmp_path / "sets"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(several_bytes)
    pictures = {("blue", "green"): (20, 120, 200), ("红色",): (240, 0, 0), (): (60, 60, 60)}
    for number, colour in enumerate(pictures.values()):
        (folder / f"{number}.png").write_bytes(png(colour))
    examples = as_listed({folder / f"{number}.png": ClassNames(names) for number, names in enumerate(pictures)})
    write_examples(folder / "examples.csv", examples)
    return folder


@pytest.fixture
def written(tmp_path: Path, tiny_model: Path) -> Path:
    random = np.random.default_rng(5)
    jpegs = [b"\xff\xd8" + bytes([number] * number) for number in range(30)]
    write_gallery(
        tmp_path / "gallery.npz",
        model=tiny_model,
        embeddings=random.random((30, 3)),
        labels=np.arange(30) % 3,
        jpegs=jpegs,
    )
    return tmp_path / "gallery.npz"


def test_the_nearest_are_those_of_another_library(written: Path, tiny_model: Path) -> None:
    from sklearn.neighbors import NearestNeighbors

    random = np.random.default_rng(5)
    vectors, asked = random.random((30, 3)), random.random(3).astype(np.float32)
    distances, expected = NearestNeighbors(n_neighbors=6, metric="cosine").fit(vectors).kneighbors(asked[None])
    found = read_gallery(written, model=tiny_model, classes=3, length=3).nearest(asked, 6)
    assert [one.classes for one in found] == [(row % 3,) for row in expected[0]]
    assert [one.jpeg for one in found] == [b"\xff\xd8" + bytes([row] * row) for row in expected[0]]
    assert np.allclose([one.similarity for one in found], 1 - distances[0], atol=1e-3)


def test_more_than_there_are_and_no_direction(written: Path, tiny_model: Path) -> None:
    gallery = read_gallery(written, model=tiny_model, classes=3, length=3)
    assert len(gallery) == len(gallery.nearest(np.ones(3), 50)) == 30
    assert {one.similarity for one in gallery.nearest(np.zeros(3), 2)} == {0.0}


def test_sets_of_classes_come_back_as_they_were(tmp_path: Path, tiny_model: Path) -> None:
    sets = np.array([[True, False, True], [False, False, False], [False, True, False]])
    path = tmp_path / "gallery.npz"
    write_gallery(path, model=tiny_model, embeddings=np.eye(3), labels=sets, jpegs=[b"a", b"b", b"c"])
    gallery = read_gallery(path, model=tiny_model, classes=3, length=3)
    assert gallery.several
    near = [gallery.nearest(direction, 1)[0].classes for direction in np.eye(3, dtype=np.float32)]
    assert near == [(0, 2), (), (1,)]
    with pytest.raises(ModelFileError, match="holds arrays that do not fit together"):
        read_gallery(path, model=tiny_model, classes=4, length=3)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, "labels": sets[0]})
    with pytest.raises(ModelFileError, match="holds arrays that do not fit together"):
        read_gallery(path, model=tiny_model, classes=3, length=3)


def test_a_gallery_of_another_model_or_a_damaged_one(written: Path, tiny_model: Path) -> None:
    def message(**changed: int) -> str:
        with pytest.raises(ModelFileError) as caught:
            read_gallery(written, model=tiny_model, **{"classes": 3, "length": 3, **changed})
        assert str(caught.value).endswith(f"Make it again: tellapart gallery {tiny_model}")
        return str(caught.value)

    for changed in ({"classes": 2}, {"length": 4}):
        assert "holds arrays that do not fit together" in message(**changed)
    whole = written.read_bytes()
    for data in (b"", whole[:2000], whole.replace(b"embeddings", b"embeddingz"), b"PK\x03\x04" + bytes(100)):
        written.write_bytes(data)
        assert "cannot be read" in message()
    written.write_bytes(whole)
    tiny_model.write_bytes(tiny_model.read_bytes() + b" ")
    assert "was made for another model than" in message()
    written.unlink()
    written.mkdir()
    assert "is not a file of at most" in message()


def test_nothing_is_unpickled(written: Path, tiny_model: Path) -> None:
    with np.load(written) as file:
        arrays = dict(file)
    np.savez(written, **{**arrays, "labels": np.array([print] * 30, dtype=object)})
    with pytest.raises(ModelFileError) as caught:
        read_gallery(written, model=tiny_model, classes=3, length=3)
    assert "cannot be read (ValueError)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("labels", -1), ("labels", 3), ("ends", 10**6), ("ends", -5), ("embeddings", np.nan)]
)
def test_figures_that_cannot_be(written: Path, tiny_model: Path, name: str, value: float) -> None:
    with np.load(written) as file:
        arrays = dict(file)
    arrays[name][3] = value
    np.savez(written, **arrays)
    with pytest.raises(ModelFileError) as caught:
        read_gallery(written, model=tiny_model, classes=3, length=3)
    assert "do not fit together" in str(caught.value)


def test_spread_over_the_classes() -> None:
    labels = ["a"] * 90 + ["b"] * 8 + ["c"] * 2
    chosen = [labels[row] for row in spread(labels, 12, seed=0)]
    assert [chosen.count(label) for label in "abc"] == [5, 5, 2]
    assert spread(labels, 12, seed=0) == spread(labels, 12, seed=0) != spread(labels, 12, seed=1)
    assert spread(labels, 1000, seed=0) == list(range(100))


def test_made_from_a_run(run: Path, colours: Path) -> None:
    made = make_gallery(run, side=40, reporter=Silent())
    assert (made.path, made.pictures, made.of, made.classes) == (run / "gallery.npz", 6, 6, 3)
    assert made.size_bytes == made.path.stat().st_size
    model = open_model(run / "model.onnx")
    asked = load((colours / "green" / "2.png").read_bytes(), model.preprocessing)
    nearest = read_gallery(made.path, model=run / "model.onnx", classes=3, length=3).nearest(
        model.run(asked[None])[1][0], 2
    )
    assert [model.manifest.classes[index] for one in nearest for index in one.classes] == ["green", "green"]
    assert nearest[0].similarity == pytest.approx(1, abs=1e-3)
    copy = Image.open(io.BytesIO(nearest[0].jpeg))
    assert (copy.format, copy.size, copy.getexif()) == ("JPEG", (40, 40), {})


def test_what_visitors_sent_is_not_shown_to_others(run: Path, colours: Path) -> None:
    (run / "recipe.toml").write_text(f"[settings]\ndata = 'colours'\nlabels = {str(colours / 'green')!r}\n")
    made = make_gallery(run, side=40, reporter=Silent())
    assert (made.of, made.classes) == (4, 2)
    (run / "recipe.toml").write_text(f"[settings]\ndata = 'colours'\nlabels = {str(colours / 'green.csv')!r}\n")
    assert make_gallery(run, out=run / "other.npz", side=40, reporter=Silent()).of == 6


def test_what_a_camera_wrote_does_not_travel(run: Path, colours: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a maker of cameras"
    Image.new("RGB", (20, 30), (0, 250, 0)).save(colours / "green" / "2.png", exif=exif)
    assert b"a maker of cameras" not in make_gallery(run, reporter=Silent()).path.read_bytes()


def test_without_training_pictures_there_is_none(run: Path, colours: Path) -> None:
    shutil.rmtree(colours)
    with pytest.raises(DataError) as caught:
        make_gallery(run, reporter=Silent())
    assert "none of the 7 training pictures that" in str(caught.value)
    (run / "examples.csv").unlink()
    with pytest.raises(DataError) as caught:
        make_gallery(run, reporter=Silent())
    assert (
        str(caught.value)
        == f"{run / 'examples.csv'} is not there, which lists the training pictures. Give the run's folder."
    )


def test_a_model_that_finds_boxes_has_none(run: Path, boxes_bytes: bytes) -> None:
    (run / "model.onnx").write_bytes(boxes_bytes)
    with pytest.raises(SettingsError) as caught:
        make_gallery(run, reporter=Silent())
    assert str(caught.value) == (
        f"{run / 'model.onnx'} says where in a picture things are; training pictures are shown beside an answer about a picture as "
        "a whole. Give such a model, or serve this one without."
    )
    assert not (run / "gallery.npz").exists()


def test_the_command(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere.npz"
    result = CliRunner().invoke(command, [str(run), "--pictures", "3", "--out", str(out), "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.output)
    assert told == {"gallery": str(out), "pictures": 3, "of": 6, "classes": 3, "bytes": out.stat().st_size}
    text = CliRunner().invoke(command, [str(run), "--quiet"]).output
    assert f"{run / 'gallery.npz'}: 6 of 6 training pictures, 3 classes, " in text
    assert "Whoever may ask the server can see them." in text
    text = (
        CliRunner().invoke(command, [str(run), "--pictures", "1", "--quiet", "--out", str(tmp_path / "one.npz")]).output
    )
    assert f"{tmp_path / 'one.npz'}: 1 of 6 training pictures, 1 class, " in text


def test_answers_come_with_neighbours(start: Start, run: Path) -> None:
    make_gallery(run, reporter=Silent())
    server = start(f"shown={run}")
    (model,) = server.get("/models").json["models"]
    assert model["gallery"] == 6
    reply = server.post("/predict?neighbours=2", png((0, 240, 0)))
    plain = server.post("/predict", png((0, 240, 0))).json["predictions"][0]
    (answer,) = reply.json["predictions"]
    neighbours = answer.pop("neighbours")
    assert answer == plain  # asking for them changes nothing else
    assert [one["label"] for one in neighbours] == ["green", "green"]
    assert neighbours[0]["similarity"] == pytest.approx(1, abs=1e-3)
    head, _, data = neighbours[0]["thumbnail"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (96, 96)
    for wrong in ("-1", "51", "two", "1e1", "%C2%B2", "0000000000999"):
        refused = server.post(f"/predict?neighbours={wrong}", png((0, 240, 0)))
        assert "it must be a whole number of at most 50." in refused.json["error"]


def test_of_several_classes_a_neighbour_names_all(start: Start, run_of_sets: Path) -> None:
    made = make_gallery(run_of_sets, reporter=Silent())
    assert (made.pictures, made.classes) == (3, 3)
    server = start(f"shown={run_of_sets}")
    near = [
        server.post("/predict?neighbours=1", png(colour)).json["predictions"][0]["neighbours"][0]["labels"]
        for colour in ((20, 120, 200), (240, 0, 0), (60, 60, 60))
    ]
    assert near == [["blue", "green"], ["红色"], []]


def test_an_unreadable_picture_among_others_has_none(start: Start, run: Path) -> None:
    make_gallery(run, reporter=Silent())
    server = start(f"shown={run}")
    body = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + data + b"\r\n"
        for data in (b"no", png((0, 0, 240)))
    )
    bad, good = server.post(
        "/predict?neighbours=1", body + b"--b--\r\n", Content_Type="multipart/form-data; boundary=b"
    ).json["predictions"]
    assert "error" in bad
    assert "neighbours" not in bad
    assert [one["label"] for one in good["neighbours"]] == ["blue"]


def test_a_wrong_gallery_is_told_and_the_model_serves(start: Start, run: Path, deciding_bytes: bytes) -> None:
    (run / "gallery.npz").write_bytes(b"no")
    server = start(f"shown={run}")
    assert any(text.startswith("no training pictures are shown: ") for text in server.said)
    assert server.get("/models").json["models"][0]["gallery"] is None
    refused = server.post("/predict?neighbours=1", png((0, 240, 0)))
    assert refused.status == 409
    assert "was shipped without training pictures. Ask without `neighbours`" in refused.json["error"]
    assert server.post("/predict?neighbours=0", png((0, 240, 0))).status == 200


def test_what_looks_alike_is_told_by_the_last_layer(
    start: Start, tmp_path: Path, colours: Path, tiny_manifest: Manifest, as_listed: AsListed
) -> None:
    """The embedding begins with two numbers that are the same for every picture, and large."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["colour"], keepdims=0),
        helper.make_node("Gemm", ["colour", "wide", "large"], ["embedding"]),
    ]
    values = {
        "axes": np.array([1, 2]),
        "wide": np.eye(3, 5, 2, dtype=np.float32),
        "large": np.array([5000, 5000, 0, 0, 0], dtype=np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "joined",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 16, 16, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 5])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), tmp_path / "network.onnx")
    backbone = tiny_manifest.backbone.model_copy(update={"embedding": 5, "stages": (2,)})
    told = tiny_manifest.model_copy(update={"backbone": backbone})
    weight, bias = np.zeros((3, 5), dtype=np.float32), np.zeros(3, dtype=np.float32)
    run = tmp_path / "joined"
    run.mkdir()
    (run / "model.onnx").write_bytes(assemble(tmp_path / "network.onnx", weight=weight, bias=bias, manifest=told))
    examples = as_listed({path: ClassName(path.parent.name) for path in sorted(colours.rglob("*.png"))})
    write_examples(run / "examples.csv", examples)
    made = make_gallery(run, reporter=Silent())
    with np.load(made.path) as file:
        assert file["embeddings"].shape == (9, 3)
    reply = start(f"joined={run}").post("/predict?neighbours=9", png((0, 200, 20)))
    first, *_, last = reply.json["predictions"][0]["neighbours"]
    assert (first["label"], first["similarity"]) == ("green", pytest.approx(200 / np.hypot(200, 20), abs=1e-3))
    assert last["similarity"] < 0.3  # by all five numbers it would be 1

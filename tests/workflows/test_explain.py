"""A model opened for explaining, and what it refuses. In: tiny models and runs. Out: heatmaps, messages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from PIL import Image

from tellapart.bundle import ClassificationRecord, Manifest, MultilabelRecord
from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import ClassName, Target
from tellapart.errors import DataError, ModelFileError, SettingsError, StorageError
from tellapart.explanation.files import choose_files, choose_folder
from tellapart.explanation.methods import EXPLAINERS
from tellapart.export.assemble import assemble
from tellapart.models.build import network_state
from tellapart.models.scratch import build_scratch
from tellapart.models.tracing import export_embedding
from tellapart.reporter import Silent
from tellapart.runs.explained import Explained, Explanation
from tellapart.runs.neighbourhood import open_neighbourhood
from tellapart.runs.open import OpenRun
from tellapart.runs.recipe import recipe_text
from tellapart.settings.reading import make_settings
from tellapart.workflows.explain import explain
from tellapart.workflows.explain_network import write_features

SIZE = 32


class Listener(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(text)


def settings_of(name: str, **network: Any) -> Any:
    return make_settings({"data": "/nowhere", "strategy": "scratch", "network": {"name": name, **network}})


def write_run(folder: Path, manifest: Manifest, *, name: str = "lenet5", seed: int = 0) -> Path:
    """A run as training from scratch leaves it, of a network that has learned nothing."""
    folder.mkdir()
    network = build_scratch(name, class_count=3, seed=seed, size=SIZE).network.eval()
    export_embedding(network, size=SIZE, path=folder / "network.onnx")
    preprocessing = manifest.preprocessing.model_copy(
        update={"size": SIZE, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    )
    record = manifest.backbone.model_copy(update={"name": name, "embedding": network.embedding})
    told = manifest.model_copy(
        update={
            "strategy": "scratch",
            "pictures": preprocessing,
            "record": ClassificationRecord(temperature=0.1),
            "backbone": record,
        }
    )
    weight, bias = (value.detach().numpy() for value in (network.classifier.weight, network.classifier.bias))
    data = assemble(folder / "network.onnx", weight=weight, bias=bias, manifest=told)
    (folder / "model.onnx").write_bytes(data)
    tensors = {key: value.detach().contiguous() for key, value in network_state(network).items()}
    (folder / "weights.safetensors").write_bytes(safetensors.torch.save(tensors))
    (folder / "recipe.toml").write_text(recipe_text(settings_of(name, size=SIZE)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_manifest: Manifest) -> Path:
    return write_run(tmp_path_factory.mktemp("explain") / "run", tiny_manifest)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    path = tmp_path / "noise.png"
    Image.fromarray(pixels).save(path)
    return path


def look(model: Path, *pictures: Path, out: Path, reporter: Silent | None = None, **changes: Any) -> Explanation:
    options: dict[str, Any] = {
        "methods": (),
        "layer": None,
        "class_name": None,
        "neighbours": 0,
        "force": False,
        "tell": lambda one: None,
    }
    given = [str(path) for path in pictures]
    return explain(OpenRun(model), given, out=out, reporter=reporter or Silent(), **{**options, **changes})


def test_all_methods_of_a_run(run: Path, picture: Path, tmp_path: Path) -> None:
    told: list[Explained] = []
    found = look(run, picture, out=tmp_path / "out", methods=("all",), tell=told.append)
    (one,) = found.pictures
    assert told == [one]
    assert list(found.skipped) == ["stages"]  # LeNet's dense layers come after its last map
    assert [drawn.method for drawn in one.drawn] == [name for name in EXPLAINERS if name != "stages"]
    for drawn in one.drawn:
        heatmap = np.load(drawn.array, allow_pickle=False)
        assert (heatmap.dtype, heatmap.ndim) == (np.float32, 2)
        assert (heatmap.min() >= 0, heatmap.max() <= 1) == (True, True)
        with Image.open(drawn.overlay) as laid:
            assert laid.size == (448, 448)
        assert 0 <= drawn.faithfulness.deletion <= 1
        assert 0 <= drawn.faithfulness.insertion <= 1
    best = max(one.drawn, key=lambda drawn: drawn.faithfulness.score)
    assert one.chance is not None
    assert one.best == (best.method if best.faithfulness.score > one.chance.score + 0.02 else "")
    assert one.sheet is not None
    with Image.open(one.sheet) as sheet:
        assert sheet.width > 800


@pytest.mark.parametrize(
    ("thresholds", "said", "class_name", "another"),
    [
        ((0.5, 0.4, 0.5), "green 50.0 %, 红色 100.0 %", "红色", True),
        ((0.6, 0.6, 0.6), "红色 100.0 %", "红色", False),
        ((0.6, 0.6, 0.6), "红色 100.0 %", "blue", True),
        ((1.0, 1.0, 1.1), "none of them", None, True),
    ],
)
def test_of_several_classes_all_that_are_named_are_told(
    tiny_network: Path,
    tiny_manifest: Manifest,
    tmp_path: Path,
    thresholds: tuple[float, ...],
    said: str,
    class_name: str | None,
    another: bool,
) -> None:
    """What `predict` would say of the picture, whichever of its classes is explained."""
    record = MultilabelRecord(
        scales=(1.0,) * 3, offsets=(0.0,) * 3, thresholds=thresholds, threshold_rule="f1", calibrated_on=40
    )
    told = tiny_manifest.model_copy(update={"task": "multilabel", "record": record})
    weight = np.array([[0, 0, 10], [0, 10, 0], [20, 0, 0]], dtype=np.float32)
    bias = np.array([-3.0, 0.0, 0.0], dtype=np.float32)
    model = tmp_path / "model.onnx"
    model.write_bytes(assemble(tiny_network, weight=weight, bias=bias, manifest=told))
    red = tmp_path / "red.png"
    Image.new("RGB", (20, 30), (255, 0, 0)).save(red)
    (one,) = look(model, red, out=tmp_path / "out", methods=("occlusion",), class_name=class_name).pictures
    assert (one.said, one.explained_another) == (said, another)
    assert one.as_json()["named"] == {name: pytest.approx(value, abs=1e-4) for name, value in one.named.items()}


def test_the_file_alone_leaves_out_what_needs_the_run(run: Path, picture: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes((run / "model.onnx").read_bytes())
    found = look(alone, picture, out=tmp_path / "out", methods=("all",))
    assert list(found.skipped) == ["stages", "integrated_gradients"]
    assert "gradcam" in [drawn.method for drawn in found.pictures[0].drawn]
    same = look(run, picture, out=tmp_path / "other", methods=("gradcam",)).pictures[0]
    for drawn in (same.drawn[0], found.pictures[0].drawn[0]):
        assert drawn.method == "gradcam"
    by_file, by_torch = (np.load(one.drawn[0].array) for one in (found.pictures[0], same))
    np.testing.assert_allclose(by_file, by_torch, atol=0.02)  # measured against differentiated
    with pytest.raises(ModelFileError, match="weights.safetensors is not there, .* Give the run's folder with all its"):
        look(alone, picture, out=tmp_path / "third", methods=("integrated_gradients",))
    with pytest.raises(ModelFileError, match="From model.onnx alone there are gradcam, gradcam"):
        look(alone, picture, out=tmp_path / "third", layer="stages.0")
    scored = look(alone, picture, out=tmp_path / "fourth", layer="stages.0", methods=("scorecam",)).pictures[0]
    assert np.load(scored.drawn[0].array).shape == (14, 14)


def test_a_network_without_convolutions_is_covered(tiny_model: Path, colours: Path, tmp_path: Path) -> None:
    listener = Listener()
    red = colours / "红色" / "0.png"
    found = look(tiny_model, red, out=tmp_path / "out", reporter=listener, class_name="红色")
    assert [drawn.method for drawn in found.pictures[0].drawn] == ["occlusion"]
    assert any("Occlusion is taken" in text and "no convolutions" in text for text in listener.said)
    with pytest.raises(ModelFileError, match="no convolutions, so no map .* Occlusion works with every network"):
        look(tiny_model, red, out=tmp_path / "other", methods=("gradcam",))
    every = look(tiny_model, red, out=tmp_path / "all", methods=("all",))
    assert set(every.skipped) == set(EXPLAINERS) - {"occlusion"}


def test_what_is_not_there_is_said_with_what_is(run: Path, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(
        SettingsError, match=r"no class 'gren'. Did you mean green\? Its classes are blue, green, 红色\."
    ):
        look(run, picture, out=out, class_name="gren")
    with pytest.raises(SettingsError, match=r"no method 'grad-cam'. Did you mean gradcam\? Choose from gradcam, "):
        look(run, picture, out=out, methods=("grad-cam",))
    with pytest.raises(SettingsError, match=r"no layer 'stages.9'. Did you mean stages"):
        look(run, picture, out=out, layer="stages.9")
    with pytest.raises(SettingsError, match="--layer stages.0 is given, but occlusion looks at no single layer"):
        look(run, picture, out=out, methods=("occlusion",), layer="stages.0")
    with pytest.raises(ModelFileError, match="no exact maps of its score.* Take gradcam or occlusion"):
        look(run, picture, out=out, methods=("stages",))
    with pytest.raises(DataError, match="no picture in the paths given"):
        (tmp_path / "empty").mkdir()
        look(run, tmp_path / "empty", out=out)
    assert not out.exists()


def test_an_unreadable_picture_does_not_stop_the_others(run: Path, picture: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(picture.read_bytes()[:200])
    found = look(run, bad, tmp_path / "none.png", picture, out=tmp_path / "out", methods=("occlusion",))
    first, second, third = found.pictures
    assert "truncated" in first.error
    assert second.error == "no such file"
    assert (third.error, third.label) != ("", "")
    assert first.as_json() == {"path": str(bad), "error": first.error}


def test_a_run_that_is_not_whole(run: Path, picture: Path, tmp_path: Path, tiny_manifest: Manifest) -> None:
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "unfinished.json").write_text("{}")
    with pytest.raises(SettingsError, match="unfinished and has no model yet. Go on with it: tellapart train --resume"):
        OpenRun(unfinished)
    other = write_run(tmp_path / "other", tiny_manifest, seed=1)
    (other / "model.onnx").write_bytes((run / "model.onnx").read_bytes())
    with pytest.raises(ModelFileError, match="logits that differ by .* The two are not of one run"):
        OpenRun(other).network  # noqa: B018
    (other / "recipe.toml").unlink()
    with pytest.raises(SettingsError, match="recipe.toml is not there; it tells how the network is built"):
        OpenRun(other).network  # noqa: B018


def test_nothing_is_overwritten_unasked(run: Path, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    look(run, picture, out=out, methods=("occlusion",))
    before = (out / "noise.png").read_bytes()
    with pytest.raises(StorageError, match="noise.png is there already. Choose another --out, or give --force"):
        look(run, picture, out=out, methods=("occlusion",))
    assert (out / "noise.png").read_bytes() == before
    look(run, picture, out=out, methods=("occlusion",), force=True)
    with pytest.raises(StorageError, match="is a file; a folder is needed"):
        look(run, picture, out=picture)


def test_files_have_names_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = choose_files(["a/cat.png", "b/cat.jpg", "cat-2.png", "c/cat.gif"], tmp_path, force=False)
    assert [place.stem for place in files] == ["cat", "cat-2", "cat-2-2", "cat-3"]
    assert files[0].overlay("gradcam") == tmp_path / "cat.gradcam.png"
    assert files[0].array("gradcam") == tmp_path / "cat.gradcam.npy"
    assert len(choose_files(["x" * 300 + ".png"], tmp_path, force=False)[0].sheet.name) < 200
    monkeypatch.chdir(tmp_path)
    assert choose_folder(None) == Path("explanations")
    Path("explanations").mkdir()
    Path("explanations-2").mkdir()
    assert choose_folder(None) == Path("explanations-3")


def test_neighbours_leave_the_picture_itself_out(
    tiny_model: Path, colours: Path, tmp_path: Path, as_listed: Callable[[Mapping[Path, Target]], list[Example]]
) -> None:
    listener = Listener()
    opened = OpenRun(tiny_model)
    assert open_neighbourhood(opened, listener) is None
    assert "examples.csv is not there" in listener.said[-1]
    paths = sorted(colours.rglob("*.png"))
    examples = as_listed({path: ClassName(path.parent.name) for path in [*paths, tmp_path / "gone.png"]})
    write_examples(tiny_model.parent / "examples.csv", examples)
    red = colours / "红色" / "1.png"
    turned = tmp_path / "between.png"
    Image.new("RGB", (20, 30), (200, 0, 20)).save(turned)
    found = look(tiny_model, red, turned, out=tmp_path / "out", neighbours=2, reporter=listener)
    assert (
        "1 of 10 training pictures are no longer where they were. Say where they are: --pictures FOLDER (in Python moved=)."
    ) in listener.said
    itself, between = found.pictures
    assert (itself.seen, between.seen) == (True, False)
    assert red not in [near.path for near in itself.neighbours]
    assert [near.label for near in between.neighbours] == ["红色", "红色"]
    assert between.neighbours[0].similarity == pytest.approx(200 / np.hypot(200, 20), abs=1e-3)


def test_feature_maps_of_a_layer(run: Path, picture: Path, tmp_path: Path) -> None:
    opened = OpenRun(run)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"text")
    out = tmp_path / "out"
    found = write_features(opened, "stages.0.activation", [str(picture), str(bad)], out, force=False, reporter=Silent())
    assert sorted(found[0].channels) == list(range(6))
    assert found[1].error == "not a picture in a known format"
    assert found[0].sheet == out / "noise.stages.0.activation.png"
    with pytest.raises(StorageError, match="is there already"):
        write_features(opened, "stages.0.activation", [str(picture)], out, force=False, reporter=Silent())


def test_training_pictures_that_were_moved_are_found_where_they_are_said_to_lie(
    tiny_model: Path, colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tellapart import explain as explain_by_python
    from tellapart.cli.main import execute

    folder, old = tmp_path / "run", tmp_path / "old"
    folder.mkdir()
    shutil.copy(tiny_model, folder / "model.onnx")
    examples = [
        Example(
            path=old / path.relative_to(colours),
            target=ClassName(path.parent.name),
            split="train",
            group="",
            content_hash=f"{number:032x}",
            width=20,
            height=30,
        )
        for number, path in enumerate(sorted(colours.rglob("*.png")))
    ]
    write_examples(folder / "examples.csv", examples)
    picture = tmp_path / "between.png"
    Image.new("RGB", (20, 30), (200, 0, 20)).save(picture)
    arguments = [
        "explain",
        str(folder),
        str(picture),
        "--out",
        str(tmp_path / "out"),
        "--json",
        "--quiet",
        "--pictures",
    ]
    assert execute([*arguments, str(colours)]) == 0
    (shown,) = json.loads(capsys.readouterr().out)["pictures"]
    assert all(Path(near["path"]).is_relative_to(colours) for near in shown["neighbours"])
    assert len(shown["neighbours"]) == 6
    found = explain_by_python(folder, picture, out=tmp_path / "again", moved=colours)
    assert len(found.pictures[0].neighbours) == 6
    assert execute([*arguments, str(tmp_path / "nowhere"), "--force"]) == 2
    assert "Give the folder that holds now what" in " ".join(capsys.readouterr().err.split())

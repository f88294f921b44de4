"""What ImageNet sees, without training. In: imagenet:NAME. Out: a model that answers as timm's network does, or why not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from sklearn.datasets import load_sample_images

from tellapart.answers.predictor import load_predictor
from tellapart.cli.main import main
from tellapart.cli.model_argument import model_path, served
from tellapart.errors import BackboneUnavailable, SettingsError
from tellapart.models.weights import load_backbone
from tellapart.preprocessing import load
from tellapart.reporter import Silent
from tellapart.runs.neighbourhood import open_neighbourhood
from tellapart.runs.open import OpenRun
from tellapart.workflows.pretrained import named_model

NAME = "tf_efficientnet_lite0"
FLOWER = next(path for path in load_sample_images().filenames if str(path).endswith("flower.jpg"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELLAPART_CACHE", str(tmp_path_factory.mktemp("cache")))
        made = named_model(f"imagenet:{NAME}")
        before = (made / "model.onnx").stat().st_mtime_ns
        assert named_model(f"imagenet:{NAME}") == made
        assert (made / "model.onnx").stat().st_mtime_ns == before  # made once
    return made


def test_it_says_what_the_network_says(folder: Path) -> None:
    predictor = load_predictor(folder)
    found = predictor.predict([FLOWER])
    loaded = load_backbone(NAME, None, with_classifier=True)
    pixels = load(Path(FLOWER).read_bytes(), loaded.preprocessing).astype(np.float32) / 255
    inputs = torch.from_numpy((pixels - 0.5) / 0.5).permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = torch.softmax(loaded.network(inputs), dim=1).numpy()
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.labels[0] == "daisy · 雏菊"


def test_it_can_be_explained(folder: Path) -> None:
    run = OpenRun(folder)
    assert run.network.classifier.out_features == 1000  # whose logits were compared with the file's


def test_names_and_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(folder.parents[2]))
    assert model_path("runs/latest") == Path("runs/latest")
    assert model_path(f"imagenet:{NAME}") == folder
    assert served(f"imagenet:{NAME}") == f"{NAME}={folder}"
    assert served(f"seen=imagenet:{NAME}") == f"seen={folder}"
    assert served("cats=runs/1") == "cats=runs/1"


def test_five_classes_on_the_screen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(folder.parents[2]))
    for flags, classes in (((), 5), (("--top", "2"), 2)):
        result = CliRunner().invoke(main, ["predict", f"imagenet:{NAME}", str(FLOWER), *flags])
        assert result.exit_code == 0
        assert result.output.count(" · ") == classes
    told = CliRunner().invoke(main, ["info", f"imagenet:{NAME}"]).output
    assert "ImageNet-1k: 1,281,167 train" in told
    assert "put together" in told


def test_two_are_compared_on_pictures_named_in_one_language(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(folder.parents[2]))
    for name, turned in (("daisy", 0), ("大白鲨", 90)):
        (tmp_path / name).mkdir()
        Image.open(FLOWER).rotate(turned).resize((300, 200)).save(tmp_path / name / "1.png")
    arguments = ["compare", f"imagenet:{NAME}", f"imagenet:{NAME}", str(tmp_path), "--json", "--quiet"]
    found = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert [found[side]["name"] for side in "ab"] == [f"imagenet:{NAME}"] * 2
    assert [found[side]["accuracy"]["value"] for side in "ab"] == [0.5, 0.5]


def test_explaining_asks_nobody_for_the_pictures_of_imagenet(folder: Path) -> None:
    heard: list[str] = []
    reporter = Silent()
    reporter.warn = heard.append  # type: ignore[assignment]
    assert open_neighbourhood(OpenRun(folder), reporter) is None
    assert heard == []


@pytest.mark.slow
def test_offline_it_says_what_this_command_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No flag of a training."""
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(BackboneUnavailable) as fault:
        named_model("imagenet:lcnet_050")
    said = str(fault.value)
    assert said.startswith("the weights of lcnet_050 cannot be downloaded (")
    assert "Name imagenet:lcnet_050 once where the network is reached, which keeps it in " in said
    assert said.endswith(
        ", or one that comes with the package: imagenet:tf_efficientnet_lite0, imagenet:tf_efficientnet_lite1, "
        "imagenet:tf_efficientnet_lite2."
    )
    assert "--weights" not in said


@pytest.mark.parametrize(
    ("model", "reason"), [("imagenet:", "names no network"), ("imagenet:NASNetMobile", "the nearest are nasnetalarge")]
)
def test_names_that_are_none(model: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        named_model(model)

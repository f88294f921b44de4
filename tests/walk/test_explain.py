"""From a run to its explanations, by the command. In: a trained model. Out: sheets, arrays, JSON, messages."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.cli.explain import command
from tellapart.errors import SettingsError


def explain(*arguments: str | Path) -> int:
    code: int = command.main([str(argument) for argument in arguments], standalone_mode=False)
    return code


def rows_of(run: Any, split: str) -> list[dict[str, str]]:
    with (run.run / "examples.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


def test_a_picture_of_a_run(trained_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = rows_of(trained_run, "test")[0]
    out = tmp_path / "out"
    assert explain(trained_run.run, row["path"], "--out", out, "--json", "--quiet") == 0
    result = json.loads(capsys.readouterr().out)
    (one,) = result["pictures"]
    assert (one["path"], one["error"], one["seen_in_training"]) == (row["path"], None, False)
    assert one["class"] == one["label"]
    assert one["named"] == {one["label"]: one["probability"]}
    (heat,) = one["heatmaps"]
    assert heat["method"] == "gradcam"
    assert np.load(heat["array"], allow_pickle=False).shape == (7, 7)
    assert 0 <= heat["deletion"] <= heat["insertion"] <= 1
    assert len(one["neighbours"]) == 6
    trained = {entry["path"]: entry["target"] for entry in rows_of(trained_run, "train")}
    assert all(trained[near["path"]] == near["label"] for near in one["neighbours"])
    assert [near["label"] for near in one["neighbours"]].count(row["target"]) >= 4  # digits that look alike
    similarities = [near["similarity"] for near in one["neighbours"]]
    assert similarities == sorted(similarities, reverse=True)
    stem = Path(row["path"]).stem
    written = [".tellapart", f"{stem}.gradcam.npy", f"{stem}.gradcam.png", f"{stem}.png"]
    assert sorted(path.name for path in out.iterdir()) == written


def test_a_training_picture_is_told_so(trained_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = rows_of(trained_run, "train")[0]
    assert explain(trained_run.run, row["path"], "--out", tmp_path / "out", "--method", "gradcam") == 0
    shown = capsys.readouterr()
    assert "(it was trained on)" in shown.out
    assert "gradcam " in shown.out
    assert "looks like: 数字" in shown.out
    assert "chance" in shown.out
    assert "Explaining: 1 of 1" in shown.err


def test_gradcam_from_the_file_is_captum_s(trained_run: Any, tmp_path: Path) -> None:
    from captum.attr import LayerGradCam

    from tellapart.preprocessing import load
    from tellapart.runs.open import OpenRun

    opened = OpenRun(trained_run.run)
    picture = load(Path(rows_of(trained_run, "test")[0]["path"]).read_bytes(), opened.model.preprocessing)
    import torch

    network = opened.network
    for target in range(3):
        found = LayerGradCam(network, network.trunk.get_submodule("bn2")).attribute(  # type: ignore[operator]
            torch.tensor(picture)[None], target=target, relu_attributions=True
        )
        expected = found[0, 0].detach().numpy()
        heatmap = opened.activation(picture[None], np.array([target]))[0]
        np.testing.assert_allclose(heatmap, expected / max(expected.max(), 1e-12), atol=1e-3)


def test_the_score_is_the_sum_over_stages(trained_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tellapart.explanation.graph import LOGITS
    from tellapart.preprocessing import load
    from tellapart.runs.open import OpenRun

    opened = OpenRun(trained_run.run)
    picture = Path(rows_of(trained_run, "test")[0]["path"])
    image = load(picture.read_bytes(), opened.model.preprocessing)
    (logits,) = opened.graph.open([LOGITS]).run(image[None], [LOGITS])
    for target, logit in enumerate(logits[0].tolist()):
        told = opened.stage_maps(image, target)
        assert told.bias + sum(float(one.map.mean()) for one in told.parts if one.map is not None) == pytest.approx(
            logit, abs=1e-4
        )
    out = tmp_path / "out"
    arguments = (trained_run.run, picture, "--method", "stages", "--out", out, "--no-neighbours", "--quiet")
    assert explain(*arguments, "--json") == 0
    (heat,) = json.loads(capsys.readouterr().out)["pictures"][0]["heatmaps"]
    assert sum(heat["parts"].values()) == pytest.approx(float(logits.max()), abs=0.002)
    assert list(heat["parts"])[:: len(heat["parts"]) - 1] == ["bias", "last layer"]
    assert explain(*arguments, "--force") == 0
    assert f"logit {logits.max():.2f} = bias " in capsys.readouterr().out


def test_what_the_network_is_and_sees(trained_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(trained_run.run, "--layers") == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert {"blocks.5.1", "conv_head", "classifier"} <= set(names)
    out = tmp_path / "out"
    assert explain(trained_run.run, "--network", "--filters", "--out", out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    # EfficientNet-Lite0: 4.65 million parameters of which 1.28 million classify, 0.4 thousand million multiply-adds.
    assert result["network"]["parameters"] == pytest.approx(4.65e6 - 1.28e6, rel=0.01)
    assert result["network"]["multiply_adds"] == pytest.approx(0.385e9, rel=0.01)
    for name in ("diagram", "filters"):
        with Image.open(result[name]) as drawn:
            assert min(drawn.size) > 400
    picture = rows_of(trained_run, "test")[0]["path"]
    assert explain(trained_run.run, picture, "--features", "conv_stem", "--out", out, "--json", "--quiet") == 0
    (one,) = json.loads(capsys.readouterr().out)["features"]
    assert len(one["channels"]) == 32
    assert Path(one["sheet"]).is_file()


def test_a_layer_further_down_needs_the_run(trained_run: Any, tmp_path: Path) -> None:
    picture = rows_of(trained_run, "test")[0]["path"]
    assert explain(trained_run.run, picture, "--layer", "blocks.3", "--out", tmp_path / "out", "--no-neighbours") == 0
    assert np.load(tmp_path / "out" / f"{Path(picture).stem}.gradcam.npy").shape == (14, 14)


def test_refusals(trained_run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        SettingsError, match="no picture is named. Name one, or ask for --network, --filters or --layers"
    ):
        explain(trained_run.run)
    assert explain(trained_run.run, tmp_path / "none.png", "--out", tmp_path / "out") == 2
    assert "none.png  (no such file)" in capsys.readouterr().out
    text = command.get_help(command.make_context("explain", [str(trained_run.run)]))
    assert "Examples:" in text

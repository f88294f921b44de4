"""What a model's file tells. In: a tiny model. Out: lines on the screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tellapart.cli.main import main
from tellapart.export.assemble import assemble
from tellapart.manifest import Manifest, Score


@pytest.mark.parametrize("engine", ["onnxruntime-float32", "openvino-2026.4-bfloat16"])
def test_the_engine_of_the_training_pictures_embeddings_is_told(
    engine: str, tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path
) -> None:
    backbone = tiny_manifest.backbone.model_copy(update={"embedded_by": engine})
    told = tiny_manifest.model_copy(update={"backbone": backbone})
    weight, bias = np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
    path = tmp_path / "told.onnx"
    path.write_bytes(assemble(tiny_network, weight=weight, bias=bias, manifest=told))
    shown = CliRunner().invoke(main, ["info", str(path)])
    assert shown.exit_code == 0
    assert f"embedded by              {engine} (training pictures)\n" in shown.output


def test_an_older_model_tells_no_engine(tiny_model: Path) -> None:
    shown = CliRunner().invoke(main, ["info", str(tiny_model)])
    assert shown.exit_code == 0
    assert "embedded by" not in shown.output


@pytest.mark.parametrize("headline", ["accuracy", "mean_average_precision"])
def test_the_figure_without_leaked_pictures_is_the_tasks_own(
    headline: str, tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path
) -> None:
    """Of several classes a picture it was looked for as accuracy, and told as unknown."""
    scores = {headline: Score(value=0.9, low=0.8, high=0.95), "macro_f1": Score(value=0.7, low=0.6, high=0.8)}
    leaked = {"scores": scores, "data": tiny_manifest.data.model_copy(update={"leaked": 2})}
    weight, bias = np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
    path = tmp_path / "leaked.onnx"
    for clean, line in (
        ({headline: Score(value=0.5, low=0.25, high=0.75)}, "50.0 % (95 %: 25.0 % to 75.0 %)"),
        (None, "unknown"),
    ):
        told = tiny_manifest.model_copy(update={**leaked, "scores_without_leaked": clean})
        path.write_bytes(assemble(tiny_network, weight=weight, bias=bias, manifest=told))
        shown = CliRunner().invoke(main, ["info", str(path)])
        assert f"\n{headline.replace('_', ' ')} without" in shown.output
        assert line in shown.output.partition(" without ")[2].splitlines()[0]

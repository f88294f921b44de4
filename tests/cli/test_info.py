"""What a model's file tells. In: a tiny model. Out: lines on the screen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx import helper

from tellapart.bundle import DIGEST_KEY, MANIFEST_KEY, PRODUCER, DetectionRecord, seal
from tellapart.cli.main import main
from tellapart.export.assemble import assemble
from tellapart.manifest import Manifest
from tellapart.record_parts import Score


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


def test_a_detector_tells_its_thresholds_and_how_many_boxes_there_can_be(
    tiny_manifest: Manifest, tmp_path: Path
) -> None:
    count = len(tiny_manifest.classes)
    record = DetectionRecord(
        detector="faster_rcnn",
        scales=(1.0,) * count,
        offsets=(0.0,) * count,
        thresholds=(0.25,) * count,
        threshold_rule="f1",
        calibrated_on=40,
        overlap=0.6,
        most=100,
        least_score=0.01,
    )
    told = tiny_manifest.model_copy(update={"task": "detection", "record": record})
    graph = helper.make_graph([], "none", [], [])
    model = helper.make_model(graph)
    helper.set_model_props(model, {MANIFEST_KEY: told.model_dump_json(), DIGEST_KEY: "0" * 64})
    model.producer_name = PRODUCER
    path = tmp_path / "boxes.onnx"
    path.write_bytes(seal(model.SerializeToString()))
    shown = CliRunner().invoke(main, ["info", str(path)])
    assert shown.exit_code == 0, shown.output
    assert "task                     detection\n" in shown.output
    assert "detector                 faster_rcnn\n" in shown.output
    assert f"{tiny_manifest.classes[0]} 25.0 %" in shown.output
    assert (
        "boxes                    100 at once at most, each at least 1.0 % certain; of two of one class that overlap by "
        "over 60.0 %, one\n" in shown.output
    )


@pytest.mark.parametrize(("headline", "clean"), [("accuracy", 0.875), ("mean_average_precision", 0.75)])
def test_what_leaked_pictures_make_of_the_first_score_of_any_task(
    headline: str, clean: float, tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path
) -> None:
    scores = {headline: Score(value=0.9), "label_ranking_average_precision": Score(value=0.95)}
    for number, (without, told) in enumerate(
        [({headline: Score(value=clean)}, f"{100 * clean:.1f} %"), (None, "unknown: no clean test picture")]
    ):
        update = {
            "scores": scores,
            "scores_without_leaked": without,
            "data": tiny_manifest.data.model_copy(update={"leaked": 2}),
        }
        weight, bias = np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(
            assemble(tiny_network, weight=weight, bias=bias, manifest=tiny_manifest.model_copy(update=update))
        )
        shown = CliRunner().invoke(main, ["info", str(path)]).output
        name = f"{headline.replace('_', ' ')} without"
        assert f"\n{name:<{len('test label ranking average precision')}} {told}\n" in shown

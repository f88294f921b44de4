"""A detector with its suppression inside, and without where a runtime lacks it. In: two boxes a thing. Out: one, either way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import Box, Boxes
from tellapart.export.graph_cuts import suppresses
from tellapart.export.table import FORMATS, OURS
from tellapart.export.tools import environment
from tellapart.reporter import Silent
from tellapart.runs.open import OpenRun
from tellapart.tasks.detection.export import assemble
from tellapart.workflows.exporting.job import ExportJob, begin
from tellapart.workflows.exporting.making import export_one
from tests.answers.made_detector import CLASSES, SIZE, detector_bytes, detector_manifest, draw_things

APART = 0.04  # of the picture: how far the second box of a thing lies from its first
THINGS = [[(CLASSES[0], 4, 6, 34, 40), (CLASSES[1], 40, 8, 60, 56)], [(CLASSES[1], 8, 8, 40, 44)]]


def places(path: Path) -> Path:
    """The detector by hand as `export_places` writes one: each thing twice, the second a little aside and less sure, and logits."""
    model = onnx.load_model_from_string(detector_bytes())
    graph = model.graph
    numbers = {
        "aside": np.float32(APART),
        "logit": np.array([[[8.0, -8.0], [-8.0, 8.0]]], dtype=np.float32),  # of what is there
        "nothing": np.float32(-8.0),
        "less": np.float32(1.0),
    }
    graph.initializer.extend(numpy_helper.from_array(np.asarray(one), name) for name, one in numbers.items())
    node = helper.make_node
    graph.node.extend(
        [
            node("Add", ["boxes", "aside"], ["boxes aside"]),
            node("Cast", ["there column"], ["is there"], to=TensorProto.BOOL),
            node("Where", ["is there", "logit", "nothing"], ["sure"]),
            node("Sub", ["sure", "less"], ["less sure"]),
            node("Concat", ["boxes", "sure"], ["first"], axis=2),
            node("Concat", ["boxes aside", "less sure"], ["second"], axis=2),
            node("Concat", ["first", "second"], ["found"], axis=1),
        ]
    )
    # What is put behind it has names of its own, some of them the same.
    for one in graph.node:
        for names in (one.input, one.output):
            names[:] = [name if name in ("image", "found") else f"hand {name}" for name in names]
    for constant in graph.initializer:
        constant.name = f"hand {constant.name}"
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("found", TensorProto.FLOAT, ["N", 4, 6]))
    onnx.save(model, path)
    return path


@pytest.fixture
def job(tmp_path: Path) -> ExportJob:
    """A run with two pictures of the test split."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.onnx").write_bytes(assemble(places(tmp_path / "places.onnx"), detector_manifest()))
    examples = []
    for number, things in enumerate(THINGS):
        path = draw_things(run / f"{number}.png", (SIZE, SIZE), things)
        boxes = Boxes(
            tuple(
                Box(label=name, left=left, top=top, right=right, bottom=bottom)
                for name, left, top, right, bottom in things
            )
        )
        digest = f"{number:032x}"
        examples.append(
            Example(path=path, target=boxes, split="test", group=digest, content_hash=digest, width=SIZE, height=SIZE)
        )
    write_examples(run / "examples.csv", examples)
    (tmp_path / "work").mkdir()
    ours = environment(OURS, folder=None, reporter=Silent())
    return begin(OpenRun(run), environments={OURS: ours}, calibrated=False, work=tmp_path / "work", reporter=Silent())


def test_with_the_suppression_inside_and_without_the_boxes_are_the_same(job: ExportJob, tmp_path: Path) -> None:
    without = replace(FORMATS["onnx"], name="places", suppressed=False, sealed=False)
    found = {
        form.name: export_one(job, form, tmp_path / "exports", most_flipped=0) for form in (FORMATS["onnx"], without)
    }
    cards = {name: json.loads((one.folder / "card.json").read_text()) for name, one in found.items()}
    assert job.before.score.value == pytest.approx(1.0)
    for name, card in cards.items():
        assert (card["score"]["name"], card["score"]["value"]) == ("ap50", 1.0), name
        assert (card["flipped"], card["answers"]) == (0, 3), name
        assert {"ap", "ap50", "ap75", "precision"} <= card["figures"].keys()
        assert card["figures"]["ap"] == {"before": pytest.approx(1.0), "after": pytest.approx(1.0)}
    assert suppresses((found["onnx"].folder / "model.onnx").read_bytes())
    assert not suppresses((found["places"].folder / "model.onnx").read_bytes())
    shapes = {name: {one["name"]: one["shape"] for one in card["outputs"]} for name, card in cards.items()}
    assert shapes["onnx"] == {"boxes": ["N", 2, 4], "scores": ["N", 2], "labels": ["N", 2]}
    assert shapes["places"] == {"boxes": ["N", 4, 4], "scores": ["N", 4, 2]}
    assert [note for note in cards["places"]["notes"] if note.startswith("It gives boxes and scores of every place")]
    assert not cards["onnx"]["notes"]

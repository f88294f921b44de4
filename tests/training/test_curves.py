"""TensorBoard events, as TensorBoard's own reader sees them. In: epochs. Out: verdicts. Next: test_devices.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.errors import StorageError
from tellapart.training.curves import open_curves
from tellapart.training.progress import Epoch

FIRST = Epoch(
    number=1,
    train_loss=0.5,
    validation_loss=0.25,
    train={"accuracy": 0.75, "box loss": 1.5},
    validation={"accuracy": 0.875, "mAP": 0.625},
    rank=-0.25,
    learning_rate=0.125,
    seconds=2.0,
    pictures_per_second=64.0,
)


def _read(folder: Path) -> Any:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return events


@pytest.mark.filterwarnings("ignore")  # of TensorBoard's reader
def test_scalars_of_each_epoch(tmp_path: Path) -> None:
    with open_curves(tmp_path) as curves:
        curves.epoch(FIRST)
        curves.epoch(dataclasses.replace(FIRST, number=2, train_loss=0.375))
        events = _read(tmp_path)  # before the file is closed: a kill loses no epoch
    assert [(event.step, event.value) for event in events.Scalars("loss/train")] == [(1, 0.5), (2, 0.375)]
    assert {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]} == {
        "loss/train": 0.5,
        "loss/validation": 0.25,
        "accuracy/train": 0.75,
        "accuracy/validation": 0.875,
        "box_loss/train": 1.5,  # TensorBoard's names have no spaces
        "mAP/validation": 0.625,
        "learning_rate": 0.125,
        "seconds": 2.0,
        "pictures_per_second": 64.0,
    }


@pytest.mark.filterwarnings("ignore")
def test_sample_pictures_come_back_as_they_were(tmp_path: Path) -> None:
    import io

    images = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3), dtype=np.uint8)
    with open_curves(tmp_path) as curves:
        curves.pictures("training", images)
    events = _read(tmp_path)
    assert sorted(events.Tags()["images"]) == ["training/0", "training/1"]
    png = events.Images("training/1")[0].encoded_image_string
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), images[1])


@pytest.mark.filterwarnings("ignore")
def test_after_a_resume_no_epoch_is_there_twice(tmp_path: Path) -> None:
    with open_curves(tmp_path) as curves:
        for number in (1, 2, 3):
            curves.epoch(dataclasses.replace(FIRST, number=number))
    with open_curves(tmp_path, resumed_after=1) as curves:
        curves.epoch(dataclasses.replace(FIRST, number=2, train_loss=0.125))
    assert len(list(tmp_path.iterdir())) == 2
    found = [(event.step, event.value) for event in _read(tmp_path).Scalars("loss/train")]
    assert found == [(1, 0.5), (2, 0.125)]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a part of the path is a file"), open_curves(tmp_path / "file" / "events"):
        pass


@pytest.mark.filterwarnings("ignore")  # of TensorBoard's reader
def test_the_graph_is_a_chain_of_layers_with_what_they_give(tmp_path: Path) -> None:
    with open_curves(tmp_path) as curves:
        curves.graph([("stages.0.convolution", "Conv2D", (8, 8, 4)), ("classifier", "Dense, softmax", (2,))])
    graph = _read(tmp_path).Graph()
    assert [(node.name, node.op, list(node.input)) for node in graph.node] == [
        ("picture", "picture", []),
        ("stages/0/convolution/0", "Conv2D", ["picture"]),
        ("classifier/1", "Dense_softmax", ["stages/0/convolution/0"]),
    ]
    (shape,) = graph.node[1].attr["_output_shapes"].list.shape
    assert [side.size for side in shape.dim] == [-1, 8, 8, 4]


def test_embeddings_lie_where_the_projector_looks(tmp_path: Path) -> None:
    with open_curves(tmp_path) as curves:
        curves.embeddings(np.array([[1.0, 0.5], [0.25, -2.0]], dtype=np.float32), ["cat", "big\tdog\n"])
    assert (tmp_path / "embeddings.tsv").read_text() == "1\t0.5\n0.25\t-2\n"
    assert (tmp_path / "labels.tsv").read_text() == "cat\nbig dog\n"
    projector = pytest.importorskip("tensorboard.plugins.projector.projector_config_pb2")
    text_format = pytest.importorskip("google.protobuf.text_format")
    told = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), projector.ProjectorConfig())
    (one,) = told.embeddings
    assert (one.tensor_path, one.metadata_path) == ("embeddings.tsv", "labels.tsv")

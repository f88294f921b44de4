"""The embeddings of a data set. In: colours, a tiny network. Out: what was computed where."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from PIL import Image

from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import PictureFile
from tellapart.features import embedding
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import open_cache
from tellapart.features.embedding import embed_dataset, embed_pictures, embed_some
from tellapart.features.extract import Features
from tellapart.half_rows import HalfRows
from tellapart.openvino_session import Refused, load_openvino
from tellapart.reporter import Silent
from tellapart.workflows.learning.examine import examine

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


class Recorded(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Device and number of pictures of every call; where "cuda" was asked for, a CPU's vectors plus 1000."""
    calls = []
    real = embedding.embed_pictures

    def embed_pictures(
        pictures: Sequence[PictureFile], backbone: ReadyBackbone, device: str, *given: Any, **named: Any
    ) -> Features:
        calls.append((device, len(pictures)))
        features = real(pictures, backbone, "cpu", *given, **named)
        if device == "cuda":
            features.vectors[:] += 1000
        return features

    monkeypatch.setattr(embedding, "embed_pictures", embed_pictures)
    return calls


def test_a_cpu_embeds_every_picture_in_one_go(
    dataset: Dataset, backbone: ReadyBackbone, asked: list[tuple[str, int]]
) -> None:
    with open_cache() as cache:
        left, found = embed_dataset(dataset, backbone, "cpu", cache, Silent())
    assert asked == [("cpu", len(dataset.pictures))]
    assert (left.pictures, found.computed, found.reused) == (dataset.pictures, len(dataset.pictures), 0)
    assert found.pace is not None
    assert found.pace * found.computed <= found.seconds


def test_beside_a_gpu_validation_and_test_are_a_cpus_and_are_computed_once(
    dataset: Dataset, backbone: ReadyBackbone, asked: list[tuple[str, int]]
) -> None:
    train, judged = dataset.rows["train"], np.concatenate([dataset.rows["validation"], dataset.rows["test"]])
    with open_cache() as cache:
        _, found = embed_dataset(dataset, backbone, "cuda", cache, Silent())
    assert asked == [("cuda", len(train)), ("cpu", len(judged))]
    assert (found.vectors[judged] < 2).all()
    assert (found.vectors[train] >= 1000).all()
    assert found.computed == len(dataset.pictures)


def test_what_cannot_be_read_is_set_aside_on_either_device(
    dataset: Dataset, backbone: ReadyBackbone, asked: list[tuple[str, int]]
) -> None:
    gone = [int(dataset.rows["train"][1]), int(dataset.rows["test"][0])]
    for row in gone:
        dataset.pictures[row].path.unlink()
    with open_cache() as cache:
        left, found = embed_dataset(dataset, backbone, "cuda", cache, Silent())
    kept = [row for row in range(len(dataset.pictures)) if row not in gone]
    assert left.pictures == tuple(dataset.pictures[row] for row in kept)
    assert len(found.vectors) == len(kept)
    assert (found.vectors[left.rows["test"]] < 2).all()
    assert np.isfinite(found.vectors).all()


def test_what_the_cache_knows_costs_nothing_and_tells_no_pace(dataset: Dataset, backbone: ReadyBackbone) -> None:
    with open_cache() as cache:
        _, first = embed_dataset(dataset, backbone, "cpu", cache, Silent())
        _, again = embed_dataset(dataset, backbone, "cpu", cache, Silent())
    assert (again.computed, again.reused, again.pace) == (0, first.computed, None)
    np.testing.assert_array_equal(again.vectors, first.vectors)


def test_a_trial_has_some_training_pictures_and_no_others(dataset: Dataset, backbone: ReadyBackbone) -> None:
    tried, left_out = dataset.rows["train"][:2], dataset.rows["train"][2:]
    with open_cache() as cache:
        _, whole = embed_dataset(dataset, backbone, "cpu", cache, Silent())
        found = embed_some(dataset, tried, backbone, "cpu", cache, Silent(), title="Trying")
        dataset.pictures[left_out[0]].path.unlink()  # which is not asked for
        assert embed_some(dataset, tried, backbone, "cpu", None, Silent(), title="Trying") is not None
        dataset.pictures[tried[1]].path.unlink()
        assert embed_some(dataset, tried, backbone, "cpu", None, Silent(), title="Trying") is None
    assert found is not None
    part, embedded = found
    train = part.rows["train"]
    assert [part.pictures[row] for row in train] == [dataset.pictures[row] for row in tried]
    assert part.targets[train].tolist() == dataset.targets[tried].tolist()
    np.testing.assert_array_equal(embedded.vectors[train], whole.vectors[tried])
    assert not np.delete(embedded.vectors, train, axis=0).any()
    assert {split: len(rows) for split, rows in part.rows.items()} == {"train": 2, "validation": 3, "test": 3}
    reasons = [example.problem for example in part.examples if example.problem]
    assert reasons == ["not tried"] * len(left_out)


@needs_openvino
def test_another_engine_embeds_training_pictures_only(dataset: Dataset, backbone: ReadyBackbone) -> None:
    with open_cache() as cache:
        _, shipped = embed_dataset(dataset, backbone, "cpu", cache, Silent())
        _, other = embed_dataset(dataset, backbone, "cpu", cache, Silent(), engine="openvino")
        _, again = embed_dataset(dataset, backbone, "cpu", cache, Silent(), engine="openvino")
    train = dataset.rows["train"]
    judged = np.concatenate([dataset.rows["validation"], dataset.rows["test"]])
    assert shipped.engine == "onnxruntime-float32"
    assert other.engine is not None
    assert other.engine.startswith("openvino-")
    # What the cache has of ONNX Runtime is what validation and test are judged by, and nothing of it is taken for the others'.
    assert (other.computed, other.reused) == (len(train), len(judged))
    assert (again.computed, again.reused, again.engine) == (0, len(dataset.pictures), other.engine)
    np.testing.assert_array_equal(other.vectors[judged], shipped.vectors[judged])
    np.testing.assert_allclose(other.vectors[train], shipped.vectors[train], rtol=1e-5)


@needs_openvino
def test_auto_asks_how_many_pictures_train_and_the_pace_is_the_shipped_engines(
    dataset: Dataset, backbone: ReadyBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def settle(chosen: str, pictures: int) -> str:
        asked.append((chosen, pictures))
        return "openvino"

    monkeypatch.setattr("tellapart.features.embedding.settle_engine", settle)
    with open_cache() as cache:
        _, found = embed_dataset(dataset, backbone, "cpu", cache, Silent(), engine="auto")
        judged = np.concatenate([dataset.rows["validation"], dataset.rows["test"]])
        again, known = embed_dataset(dataset.without({}), backbone, "cpu", cache, Silent(), engine="auto")
    assert asked[0] == ("auto", len(dataset.rows["train"]))
    assert found.engine is not None
    assert found.engine.startswith("openvino-")
    assert found.pace is not None  # of validation and test, which ONNX Runtime embeds
    assert found.pace * len(judged) <= found.seconds
    assert (known.computed, known.pace) == (0, None)
    assert len(again.pictures) == len(dataset.pictures)


def test_of_few_training_pictures_none_is_rounded(dataset: Dataset, backbone: ReadyBackbone) -> None:
    reporter = Recorded()
    with open_cache() as cache:
        _, found = embed_dataset(dataset, backbone, "cpu", cache, reporter, engine="openvino-bfloat16")
    assert found.engine == "onnxruntime-float32"
    count = len(dataset.rows["train"])
    (said,) = reporter.said
    assert said.startswith(f"{count} training pictures are fewer than 1,000: bfloat16 would save nothing")


def write_convolution(path: Path) -> Path:
    """A network that OpenVINO rounds: it leaves a mean alone, but not a convolution."""
    weight = np.random.default_rng(1).normal(size=(3, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weight"], ["convolved"], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["convolved"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["embedding"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 16, 16, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(nodes, "odd", [image], [embedding], [numpy_helper.from_array(weight, "weight")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def computes_in_bfloat16() -> bool:
    try:
        load_openvino("bfloat16")
    except Refused:
        return False
    return True


@needs_openvino
@pytest.mark.slow
@pytest.mark.skipif(not computes_in_bfloat16(), reason="this processor has no instructions for bfloat16")
def test_bfloat16_is_corrected_by_the_first_training_pictures(backbone: ReadyBackbone, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    backbone = replace(backbone, network=write_convolution(tmp_path / "network.onnx"))
    for number in range(1700):
        path = tmp_path / "many" / ("dark", "light")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        low = 120 * (number % 2)
        Image.fromarray(generator.integers(low, low + 120, (16, 16, 3), dtype=np.uint8)).save(path)
    with open_cache() as cache:
        dataset = gather(examine(tmp_path / "many", cache=cache, reporter=Silent()), seed=0)
        _, exact = embed_dataset(dataset, backbone, "cpu", cache, Silent())
        _, rough = embed_dataset(dataset, backbone, "cpu", cache, Silent(), engine="openvino-bfloat16")
        pictures = [dataset.pictures[row] for row in dataset.rows["train"]]
        raw = embed_pictures(pictures, backbone, "cpu", cache, Silent(), engine="openvino-bfloat16")
    train = dataset.rows["train"]
    assert rough.engine is not None
    assert rough.engine.endswith("-bfloat16")
    assert (rough.computed, raw.computed) == (len(train), 0)
    np.testing.assert_array_equal(rough.vectors[train[:300]], exact.vectors[train[:300]])
    errors = [np.abs(one - exact.vectors[train])[300:].mean() for one in (raw.vectors, rough.vectors[train])]
    assert 0 < errors[1] < errors[0] / 2


def test_embeddings_of_very_many_pictures_lie_on_disk_in_the_order_in_which_a_split_is_read(
    dataset: Dataset, backbone: ReadyBackbone
) -> None:
    bad = int(dataset.rows["train"][1])
    pictures = list(dataset.pictures)
    pictures[bad] = replace(pictures[bad], path=Path("gone.png"), content_hash="0" * 32)
    damaged, told = replace(dataset, pictures=tuple(pictures)), Recorded()
    with open_cache() as cache:
        left, here = embed_dataset(damaged, backbone, "cpu", cache, Silent())
        again, there = embed_dataset(damaged, backbone, "cpu", cache, told, most_bytes=0)
    assert isinstance(there.vectors, HalfRows)
    assert len(there.vectors) == len(dataset.pictures) - 1
    assert again.pictures == left.pictures
    expected, train = np.array(here.vectors), left.rows["train"]
    expected[train] = expected[train].astype(np.float16)  # what is scored stays as the file of the model gives it
    assert np.array_equal(there.vectors[:], expected)
    assert np.array_equal(there.rows(left.rows["test"]), there.vectors[left.rows["test"]])
    assert (there.computed, there.reused) == (0, here.computed)
    assert told.said[0].startswith(
        f"The features of {len(dataset.pictures):,} pictures lie on disk until this ends, those that are trained on in 16 bits: "
    )

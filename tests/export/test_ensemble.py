"""Several networks as one file. In: tiny models. Out: the mean of their answers, what they share once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundle import Manifest, MultilabelRecord, open_model
from tellapart.errors import ModelFileError
from tellapart.explanation.activation import ClassActivation
from tellapart.explanation.graph import LOGITS, Graph
from tellapart.export.assemble import assemble
from tellapart.export.ensemble import average, embedding_length
from tellapart.runtime import Session

SIDE = 16


def pictures() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)


def linear(network: Path, manifest: Manifest, *, seed: int) -> bytes:
    draw = np.random.default_rng(seed)
    weight = draw.normal(size=(3, 3)).astype(np.float32) * 4
    return assemble(network, weight=weight, bias=draw.normal(size=3).astype(np.float32), manifest=manifest)


def said(data: bytes, name: str = "probabilities") -> NDArray[np.float32]:
    return Session(data, source="a test").run(pictures(), [name])[0]


def other_network(path: Path, into: Path) -> Path:
    """The same with another scale, so that nothing but its first steps is shared."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([1 / 100], dtype=np.float32), "scale"))
    onnx.save(model, into)
    return into


def test_the_answer_is_the_mean_and_the_backbone_is_there_once(tiny_network: Path, tiny_manifest: Manifest) -> None:
    files = [linear(tiny_network, tiny_manifest, seed=seed) for seed in range(4)]
    mean = average(files, tiny_manifest)
    np.testing.assert_allclose(said(mean), np.mean([said(one) for one in files], axis=0), atol=1e-6)
    np.testing.assert_array_equal(said(mean, "embedding"), said(files[0], "embedding"))
    assert embedding_length(files) == (3, True)
    operators = [node.op_type for node in Graph(mean).nodes]
    assert (operators.count("ReduceMean"), operators.count("Gemm")) == (1, 4)


def test_networks_that_count_twice_weigh_twice(tiny_network: Path, tiny_manifest: Manifest) -> None:
    one, other = (linear(tiny_network, tiny_manifest, seed=seed) for seed in range(2))
    np.testing.assert_allclose(
        said(average([one, one, other], tiny_manifest)), (2 * said(one) + said(other)) / 3, atol=1e-6
    )


def test_embeddings_of_their_own_stand_one_after_the_other(
    tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path
) -> None:
    files = [
        linear(tiny_network, tiny_manifest, seed=0),
        linear(other_network(tiny_network, tmp_path / "other.onnx"), tiny_manifest, seed=1),
    ]
    mean = average(files, tiny_manifest)
    assert embedding_length(files) == (6, False)
    embeddings = [said(one, "embedding") for one in files]
    np.testing.assert_allclose(said(mean, "embedding"), np.concatenate(embeddings, axis=1))
    assert Graph(mean).joined == ()
    (tmp_path / "model.onnx").write_bytes(mean)
    assert open_model(tmp_path / "model.onnx").manifest == tiny_manifest


def test_logits_are_those_of_the_mean(tiny_network: Path, tiny_manifest: Manifest) -> None:
    record = tiny_manifest.record.model_copy(update={"temperature": 1.0})
    mean = average([linear(tiny_network, tiny_manifest, seed=seed) for seed in range(2)], tiny_manifest)
    logits = Graph(mean).open([LOGITS]).run(pictures(), [LOGITS])[0] / record.temperature
    again = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(again, said(mean), atol=1e-6)


def test_of_sets_each_class_for_itself(tiny_network: Path, tiny_manifest: Manifest) -> None:
    record = MultilabelRecord(
        scales=(1.0, 2.0, 0.5), offsets=(0.1, 0.0, -0.3), thresholds=(0.5,) * 3, threshold_rule="f1", calibrated_on=9
    )
    manifest = tiny_manifest.model_copy(update={"task": "multilabel", "record": record})
    files = [linear(tiny_network, manifest, seed=seed) for seed in range(2)]
    mean = average(files, manifest)
    np.testing.assert_allclose(said(mean), np.mean([said(one) for one in files], axis=0), atol=1e-6)
    logits = Graph(mean).open([LOGITS]).run(pictures(), [LOGITS])[0]
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), said(mean), atol=1e-6)


def test_heatmaps_of_a_layer_are_refused(tiny_network: Path, tiny_manifest: Manifest) -> None:
    mean = average([linear(tiny_network, tiny_manifest, seed=seed) for seed in range(2)], tiny_manifest)
    with pytest.raises(ModelFileError) as refused:
        ClassActivation(mean)
    assert str(refused.value) == (
        "the model answers with the mean of several networks, which have no last map or layer in common. Take occlusion, or the "
        "model of one fold, in the folder folds/ of the run."
    )


def test_networks_of_different_versions_are_refused(tiny_network: Path, tiny_manifest: Manifest) -> None:
    import onnx

    one, model = linear(tiny_network, tiny_manifest, seed=0), onnx.load(tiny_network)
    model.opset_import[0].version = 14
    with pytest.raises(ModelFileError, match=r"the 2 networks cannot be one file: they are of different versions"):
        average([one, model.SerializeToString()], tiny_manifest)

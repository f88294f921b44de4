"""The graph of model.onnx. In: a tiny network, a fitted novelty. Out: the same scores as NumPy's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import version_converter

from tellapart.bundle import Manifest, MultilabelRecord
from tellapart.evaluation.novelty import Novelty, fit_novelty
from tellapart.export.assemble import assemble
from tellapart.runtime import Session

WEIGHT, BIAS = np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32)


@pytest.fixture(scope="module")
def novelty() -> Novelty:
    generator = np.random.default_rng(0)
    colours = np.eye(3)[np.arange(90) % 3] + generator.normal(size=(90, 3)) * 0.1
    return fit_novelty(colours, np.arange(90) % 3)


def in_opset(network: Path, opset: int, folder: Path) -> Path:
    path = folder / f"network-{opset}.onnx"
    onnx.save(version_converter.convert_version(onnx.load(network), opset), path)
    return path


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_the_graph_scores_as_numpy_does(
    tiny_network: Path, tiny_manifest: Manifest, novelty: Novelty, tmp_path: Path, opset: int
) -> None:
    data = assemble(
        in_opset(tiny_network, opset, tmp_path),
        weight=WEIGHT,
        bias=BIAS,
        manifest=tiny_manifest,
        novelty=novelty.arrays(),
    )
    images = np.random.default_rng(1).integers(0, 256, size=(20, 16, 16, 3), dtype=np.uint8)
    images[0] = 0  # its embedding is zero, and has no direction
    images[1:4] = 255 * np.eye(3, dtype=np.uint8)[:, None, None, :]  # pure colours, as fitted
    embedding, found = Session(data, source="here").run(images, ["embedding", "novelty"])
    assert found.shape == (20,)
    np.testing.assert_allclose(found, novelty.score(embedding), rtol=1e-4, atol=1e-4)
    assert found[1:4].max() < 2 < found[4:].min()


def test_one_picture_is_scored_as_in_a_batch(tiny_network: Path, tiny_manifest: Manifest, novelty: Novelty) -> None:
    data = assemble(tiny_network, weight=WEIGHT, bias=BIAS, manifest=tiny_manifest, novelty=novelty.arrays())
    session = Session(data, source="here")
    images = np.random.default_rng(1).integers(0, 256, size=(5, 16, 16, 3), dtype=np.uint8)
    (together,) = session.run(images, ["novelty"])
    alone = np.concatenate([session.run(image[None], ["novelty"])[0] for image in images])
    np.testing.assert_allclose(alone, together, rtol=1e-5)


def test_without_a_novelty_there_is_no_such_output(tiny_bytes: bytes) -> None:
    assert set(Session(tiny_bytes, source="here").outputs) == {"probabilities", "embedding"}


def of_several(manifest: Manifest, scales: list[float], offsets: list[float]) -> Manifest:
    record = MultilabelRecord(
        scales=tuple(scales), offsets=tuple(offsets), thresholds=(0.5,) * 3, threshold_rule="f1", calibrated_on=9
    )
    return manifest.model_copy(update={"task": "multilabel", "record": record})


@pytest.mark.parametrize("opset", [13, 21])
def test_each_class_has_a_sigmoid_of_its_own_as_numpy_computes_it(
    tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path, opset: int
) -> None:
    generator = np.random.default_rng(2)
    weight, bias = generator.normal(size=(3, 3)).astype(np.float32) * 9, np.array([0.5, -1, 0], dtype=np.float32)
    scales, offsets = np.array([0.7, 1.0, 2.5]), np.array([0.25, 0.0, -3.0])
    data = assemble(
        in_opset(tiny_network, opset, tmp_path),
        weight=weight,
        bias=bias,
        manifest=of_several(tiny_manifest, scales.tolist(), offsets.tolist()),
    )
    images = generator.integers(0, 256, size=(50, 16, 16, 3), dtype=np.uint8)
    images[0] = 0
    images[1:4] = 255 * np.eye(3, dtype=np.uint8)[:, None, None, :]
    probabilities, embedding, logits = run_with_logits(data, images)
    by_hand = images.astype(np.float64).mean(axis=(1, 2)) / 255 @ weight.T + bias
    np.testing.assert_allclose(logits, by_hand, atol=1e-5)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-(scales * by_hand + offsets))), atol=1e-6)
    # Each for itself: they do not sum to 1, and several may be likely, or none.
    assert not np.allclose(probabilities.sum(axis=1), 1, atol=0.05)
    np.testing.assert_allclose(probabilities[0], 1 / (1 + np.exp(-(scales * bias + offsets))), atol=1e-6)
    assert embedding.shape == (50, 3)


def test_a_sigmoid_far_from_zero_stays_in_its_range(tiny_network: Path, tiny_manifest: Manifest) -> None:
    weight = np.array([[1e5, 0, 0], [-1e5, 0, 0], [0, 0, 0]], dtype=np.float32)
    manifest = of_several(tiny_manifest, [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    session = Session(assemble(tiny_network, weight=weight, bias=BIAS, manifest=manifest), source="here")
    (probabilities,) = session.run(np.full((1, 16, 16, 3), 255, dtype=np.uint8), ["probabilities"])
    assert probabilities.tolist() == [[1.0, 0.0, 0.5]]


def run_with_logits(data: bytes, images: np.ndarray) -> list[np.ndarray]:
    """Probabilities, embeddings and logits, the last of which the file keeps to itself."""
    model = onnx.load_from_string(data)
    model.graph.output.append(onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", 3]))
    return Session(model.SerializeToString(), source="here").run(images, ["probabilities", "embedding", "logits"])

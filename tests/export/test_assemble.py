"""The graph of model.onnx. In: a tiny network, a fitted novelty. Out: the same scores as NumPy's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import version_converter

from tellapart.bundle import Manifest
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
        temperature=1.0,
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
    data = assemble(
        tiny_network, weight=WEIGHT, bias=BIAS, temperature=1.0, manifest=tiny_manifest, novelty=novelty.arrays()
    )
    session = Session(data, source="here")
    images = np.random.default_rng(1).integers(0, 256, size=(5, 16, 16, 3), dtype=np.uint8)
    (together,) = session.run(images, ["novelty"])
    alone = np.concatenate([session.run(image[None], ["novelty"])[0] for image in images])
    np.testing.assert_allclose(alone, together, rtol=1e-5)


def test_without_a_novelty_there_is_no_such_output(tiny_bytes: bytes) -> None:
    assert set(Session(tiny_bytes, source="here").outputs) == {"probabilities", "embedding"}

"""How much each stage counts: chosen by held-out pictures, and the last layer alone where it is no worse. In: made vectors."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.training.probe import fit_probe
from tellapart.training.standardising import block_factors, standardisation
from tellapart.training.strips import worker_threads
from tellapart.training.weighing import Layers, turned


def test_the_square_root_weighs_all_layers_alike() -> None:
    factors = block_factors((4, 16, 100), 0.5)
    assert factors == pytest.approx([np.sqrt(40 / 4), np.sqrt(40 / 16), np.sqrt(40 / 100)])  # 120 features, 3 layers
    assert block_factors((4, 16, 100), 0.0) == [1.0, 1.0, 1.0]
    assert block_factors((7,), 0.5) == [1.0]


def test_each_layer_has_a_median_of_its_own() -> None:
    vectors = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    vectors[:, 3:] *= 100
    with worker_threads() as threads:
        _, scale = standardisation(vectors, np.ones((1, 400), dtype=np.bool_), threads, blocks=(3, 3))
    deviation = vectors.astype(np.float64).std(axis=0)
    expected = [1 / max(one, np.median(deviation[:3])) for one in deviation[:3]]
    np.testing.assert_allclose(scale[0, :3], expected, rtol=1e-5)


def test_turned_pictures_have_the_products_that_they_had() -> None:
    vectors = np.random.default_rng(1).normal(size=(20, 50)).astype(np.float32)
    with worker_threads() as threads:
        found = turned(vectors, Layers((10, 40)), "alike", threads)
        mean, scale = standardisation(vectors, np.ones((1, 20), dtype=np.bool_), threads, blocks=(10, 40))
    standard = (vectors - mean[0]) * scale[0]
    assert found.shape == (20, 20)
    np.testing.assert_allclose(found @ found.T, standard @ standard.T, atol=2e-2)


@pytest.mark.parametrize("where", ["a stage", "the last layer"])
def test_stages_count_where_they_know_more(where: str) -> None:
    generator = np.random.default_rng(2)
    labels = np.arange(200) % 2
    vectors = generator.normal(size=(200, 60)).astype(np.float32)
    told = slice(0, 8) if where == "a stage" else slice(8, 60)
    vectors[:, told] += (labels * 2.0 - 1.0)[:, None] * 0.6
    probe = fit_probe(vectors, labels, groups=np.arange(200), class_count=2, stages=(8,), seed=0)
    assert probe.weight.shape == (2, 60)
    assert (probe.weighed.weighing == "last") == (where == "the last layer")
    assert bool(probe.weight[:, :8].any()) == (where == "a stage")
    assert set(probe.weighed.trials) == {"last", "alike", "fourth_root", "square_root"}

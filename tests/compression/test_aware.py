"""Weights that learn to be rounded. In: a small network. Out: integers that are nearer to it; ONNX Runtime is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from tellapart.compression.aware import Aware, AwareTerms, batches_of, made_aware
from tellapart.compression.int8 import Int8
from tellapart.compression.straight_through import ROUNDING
from tellapart.export.torch_graph import OnnxNetwork
from tellapart.runtime import Session

from .made_networks import conv_network, pictures

NETWORK = conv_network(wide=16)
TERMS = AwareTerms(epochs=2, batch=8)


@pytest.fixture(scope="module")
def integers() -> Int8:
    return Int8(NETWORK, pictures(24))


@pytest.fixture(scope="module")
def aware(integers: Int8) -> tuple[Aware, int]:
    done: list[int] = []
    found = made_aware(NETWORK, integers, pictures(48, seed=2), OnnxNetwork, TERMS, done.append)
    return found, sum(done)


def answers(network: bytes, images: np.ndarray) -> np.ndarray:
    return Session(network, source="a network").run(images, ["embedding"])[0]


def test_torch_rounds_as_onnx_runtime_does(integers: Int8) -> None:
    images = pictures(8, seed=5)
    module = OnnxNetwork(integers.learnable(), ROUNDING)
    (found,) = module(torch.from_numpy(images))
    step = np.abs(answers(integers.made(), images) - answers(NETWORK, images)).max()
    assert np.abs(found.numpy() - answers(integers.made(), images)).max() < 0.02 * step


def test_integers_are_nearer_on_pictures_that_nobody_saw(integers: Int8, aware: tuple[Aware, int]) -> None:
    found, done = aware
    assert found.after < found.before
    assert done == batches_of(48, TERMS) == 2 * 5  # 38 of 48 in batches of 8
    images = pictures(64, seed=9)
    true = answers(NETWORK, images)
    before, after = (
        np.square(answers(one.made(), images) - true).mean() for one in (integers, integers.with_weights(found.network))
    )
    assert after < before


def test_what_comes_out_is_a_float_network_of_the_same_kind(aware: tuple[Aware, int]) -> None:
    before, after = (onnx.load_model_from_string(one).graph for one in (NETWORK, aware[0].network))
    assert [node.SerializeToString() for node in before.node] == [node.SerializeToString() for node in after.node]
    assert [tuple(one.dims) for one in before.initializer] == [tuple(one.dims) for one in after.initializer]
    images = pictures(8, seed=5)
    assert np.abs(answers(NETWORK, images) - answers(aware[0].network, images)).max() < 0.1


def test_a_batch_in_parts_teaches_the_same(integers: Int8, aware: tuple[Aware, int]) -> None:
    parts = made_aware(NETWORK, integers, pictures(48, seed=2), OnnxNetwork, replace(TERMS, at_once=3))
    assert parts.before == pytest.approx(aware[0].before)
    assert parts.after == pytest.approx(aware[0].after, rel=0.02)
    start, whole, same = (
        np.concatenate(
            [numpy_helper.to_array(one).ravel() for one in onnx.load_model_from_string(network).graph.initializer]
        )
        for network in (NETWORK, aware[0].network, parts.network)
    )
    moved = np.abs(whole - start)
    assert np.abs(same - whole).sum() < 0.05 * moved.sum()


class Killed(Exception):
    """Stands for a kill."""


def test_one_that_was_killed_goes_on_to_the_same_weights(
    integers: Int8, aware: tuple[Aware, int], tmp_path: Path
) -> None:
    done: list[int] = []

    def until(count: int) -> Callable[[int], None]:
        def advance(batches: int) -> None:
            done.append(batches)
            if sum(done) > count:
                raise Killed

        return advance

    def learn(advance: Callable[[int], None]) -> Aware:
        return made_aware(NETWORK, integers, pictures(48, seed=2), OnnxNetwork, TERMS, advance, tmp_path)

    with pytest.raises(Killed):
        learn(until(6))  # in the second epoch of five batches
    (file,) = tmp_path.iterdir()
    done.clear()
    assert learn(until(99)) == aware[0]
    assert done == [5, *[1] * 5]  # the first epoch was not gone through again
    file.write_bytes(file.read_bytes()[:1000])  # damaged: begun anew
    assert learn(until(99)) == aware[0]


def test_what_learns_nothing_stays_as_it_is(integers: Int8) -> None:
    found = made_aware(NETWORK, integers, pictures(8), OnnxNetwork, AwareTerms(epochs=1, rate=10.0))
    assert found.after == found.before
    images = pictures(8, seed=5)
    np.testing.assert_array_equal(answers(found.network, images), answers(NETWORK, images))

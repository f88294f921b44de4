"""Grad-CAM from the ONNX file. Reference: worked by hand, and captum's LayerGradCam on the torch network."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.errors import ModelFileError
from tellapart.explanation.activation import ClassActivation


def test_heat_is_where_the_colour_is(
    networks: ModuleType, colour_model: bytes, half_red: NDArray[np.uint8], tmp_path: Path
) -> None:
    expected = np.zeros((4, 4))
    expected[3, 3], expected[3, 2] = 1.0, 0.5
    path = tmp_path / "model.onnx"
    path.write_bytes(colour_model)
    red, green = networks.RED, networks.GREEN
    for model in (colour_model, path):
        activation = ClassActivation(model)
        assert (activation.last.channels, activation.last.averaged) == (3, True)
        heatmaps = activation(np.stack([half_red, half_red]), np.array([red, green]))
        assert heatmaps.dtype == np.float32
        np.testing.assert_allclose(heatmaps[0], expected, atol=1e-6)
        np.testing.assert_array_equal(heatmaps[1], 0)  # nothing is green


def test_many_pictures_are_the_same_as_one(colour_model: bytes) -> None:
    images = np.random.default_rng(1).integers(0, 256, (19, 16, 16, 3), dtype=np.uint8)
    classes = np.arange(19) % 3
    activation = ClassActivation(colour_model)
    one_by_one = [activation(images[row : row + 1], classes[row : row + 1])[0] for row in range(19)]
    np.testing.assert_allclose(activation(images, classes), one_by_one, atol=1e-6)


def test_a_map_with_its_channels_last(
    networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest, half_red: NDArray[np.uint8]
) -> None:
    def tail(helper: Any) -> list[Any]:
        return [
            helper.make_node("Transpose", ["map"], ["last"], perm=[0, 2, 3, 1]),
            helper.make_node("ReduceMean", ["last", "axes"], ["embedding"], keepdims=0),
        ]

    network = networks.colour_map_network(tmp_path / "network.onnx", tail, axes=np.array([1, 2]))
    model = networks.whole(network, tiny_manifest)
    activation = ClassActivation(model)
    assert (activation.last.channels_last, activation.last.averaged) == (True, True)
    heat = activation(half_red[None], np.array([networks.RED]))[0]
    assert (heat[3, 3], heat[3, 2], heat[:3].max()) == pytest.approx((1.0, 0.5, 0.0))


def test_layers_between_map_and_classifier_are_measured(
    networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    """The embedding is the square of the mean: the logit's gradient is 2 w mean / positions, by hand."""

    def tail(helper: Any) -> list[Any]:
        means = helper.make_node("GlobalAveragePool", ["map"], ["means"])
        square = helper.make_node("Mul", ["flat", "flat"], ["embedding"])
        return [means, helper.make_node("Flatten", ["means"], ["flat"]), square]

    network = networks.colour_map_network(tmp_path / "network.onnx", tail)
    weight = np.array([[1, -2, 3], [0, 1, 0], [1, 0, 0]], dtype=np.float32)
    activation = ClassActivation(networks.whole(network, tiny_manifest, weight))
    assert not activation.last.averaged
    image = np.random.default_rng(2).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
    maps, _ = activation.maps(image)
    gradients = 2 * weight[0] * maps[0].mean((1, 2)) / 16
    np.testing.assert_allclose(activation.channel_weights(maps[0], 0), gradients, rtol=1e-3)
    expected = np.maximum(np.tensordot(gradients, maps[0], axes=1), 0)
    np.testing.assert_allclose(activation(image, np.array([0]))[0], expected / expected.max(), atol=2e-3)


@pytest.mark.parametrize(
    ("name", "last"),
    [("resnet18", "layer4.1.act2"), ("lenet5", "stages.1.pooling"), ("mobilenetv3_small_100", "blocks.5.0.bn1")],
)
def test_it_gives_what_captum_gives(
    networks: ModuleType, name: str, last: str, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    import torch
    from captum.attr import LayerGradCam

    from tellapart.models.scratch import build_scratch

    size = 32 if name == "lenet5" else 64
    network = build_scratch(name, class_count=3, seed=0, size=size).network.eval()
    images = np.random.default_rng(3).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    classes = np.array([0, 1, 2])
    model = networks.staged_model(network, tiny_manifest, tmp_path, size=size)
    layer = network.trunk.get_submodule(last)
    with torch.enable_grad():
        found = LayerGradCam(network, layer).attribute(
            torch.from_numpy(images), target=[0, 1, 2], relu_attributions=True
        )
    expected = found[:, 0].detach().numpy()
    largest = expected.max((1, 2), keepdims=True)
    assert np.count_nonzero(largest) >= 1
    expected = expected / np.where(largest > 0, largest, 1)
    np.testing.assert_allclose(ClassActivation(model)(images, classes), expected, atol=0.02)


@pytest.mark.parametrize("views", [pytest.param("flip", marks=pytest.mark.long), "dihedral"])
def test_views_are_turned_back_and_averaged(
    networks: ModuleType, views: Any, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    """By linearity: the sum over channels of weights times the mean of the maps that single runs give, turned back."""
    from tellapart.models.scratch import build_scratch

    network = build_scratch("resnet18", class_count=3, seed=0, size=64).network.eval()
    image = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    single = ClassActivation(networks.staged_model(network, tiny_manifest, tmp_path, size=64))
    averaged = ClassActivation(networks.staged_model(network, tiny_manifest, tmp_path, size=64, views=views))
    expected = np.zeros((512, 2, 2))
    for turns in range(4 if views == "dihedral" else 1):
        turned = np.rot90(image, turns)
        expected += np.rot90(single.maps(turned[None].copy())[0][0], -turns, axes=(1, 2))
        mirrored = single.maps(turned[None, :, ::-1].copy())[0][0]
        expected += np.rot90(mirrored[..., ::-1], -turns, axes=(1, 2))
    expected /= 8 if views == "dihedral" else 2
    maps, probabilities = averaged.maps(np.stack([image, image]))
    assert averaged.last.averaged
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(maps, [expected, expected], rtol=1e-3, atol=1e-3 * float(expected.max()))
    weights = averaged.channel_weights(maps[0], 1)
    heat = np.maximum(np.tensordot(weights, expected, axes=1), 0)
    np.testing.assert_allclose(averaged(image[None], np.array([1]))[0], heat / max(heat.max(), 1e-9), atol=1e-3)


def test_views_with_layers_after_the_map_are_refused(
    networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    from tellapart.models.scratch import build_scratch

    network = build_scratch("lenet5", class_count=3, seed=0, size=32).network.eval()
    model = networks.staged_model(network, tiny_manifest, tmp_path, size=32, views="flip")
    with pytest.raises(ModelFileError, match="answers for 2 views of a picture .* Occlusion works"):
        ClassActivation(model)


def test_networks_that_it_cannot_do(
    networks: ModuleType, tiny_bytes: bytes, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    with pytest.raises(ModelFileError, match="no convolutions, so no map that shows places. Occlusion works"):
        ClassActivation(tiny_bytes)
    with pytest.raises(ModelFileError, match="not an ONNX file. Give the model.onnx"):
        ClassActivation(b"no model")

    def tokens(helper: Any) -> list[Any]:
        return [
            helper.make_node("Reshape", ["map", "shape"], ["tokens"]),
            helper.make_node("ReduceMean", ["tokens", "axes"], ["embedding"], keepdims=0),
        ]

    parameters = {"shape": np.array([0, 3, 16]), "axes": np.array([2])}
    network = networks.colour_map_network(tmp_path / "network.onnx", tokens, **parameters)
    model = networks.whole(network, tiny_manifest)
    with pytest.raises(ModelFileError, match="no map of positions before its embedding .* Occlusion works"):
        ClassActivation(model)


def test_too_much_to_measure_is_refused_before_it_is_tried(
    networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    def tail(helper: Any) -> list[Any]:
        flat = helper.make_node("Flatten", ["map"], ["flat"])
        return [flat, helper.make_node("MatMul", ["flat", "dense"], ["embedding"])]

    dense = np.ones((48, 3), dtype=np.float32)
    model = networks.whole(networks.colour_map_network(tmp_path / "n.onnx", tail, dense=dense), tiny_manifest)
    # 48 x 3 weights, the classifier's 3 x 3 + 3, for 3 channels raised and lowered.
    ClassActivation(model, most_work=(144 + 12) * 6)
    with pytest.raises(ModelFileError, match="156 weights between .* Give the run's folder .* Occlusion works"):
        ClassActivation(model, most_work=(144 + 12) * 6 - 1)

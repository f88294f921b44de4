"""A score told apart by stages. Reference: by hand on a network that counts colours; torch's own logits on timm's networks."""

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
from tellapart.explanation.decomposition import Decomposition, StageMaps, StagePart

SIZE = 64


def joined(helper: Any) -> list[Any]:
    """The embedding is the mean of the colours of every pixel, and then that of the map of 4 x 4."""
    return [
        helper.make_node("GlobalAveragePool", ["colours"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["of_pixels"]),
        *_ending(helper),
    ]


def joined_channels_last(helper: Any) -> list[Any]:
    """The same of colours that lie as [N, H, W, C]."""
    return [
        helper.make_node("Transpose", ["colours"], ["turned"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMean", ["turned", "axes"], ["of_pixels"], keepdims=0),
        *_ending(helper),
    ]


def _ending(helper: Any) -> list[Any]:
    return [
        helper.make_node("GlobalAveragePool", ["map"], ["means"]),
        helper.make_node("Flatten", ["means"], ["of_cells"]),
        helper.make_node("Concat", ["of_pixels", "of_cells"], ["embedding"], axis=1),
    ]


def colour_stages(
    networks: ModuleType, folder: Path, manifest: Manifest, weight: NDArray[np.float32], tail: Any = joined
) -> StageMaps:
    network = networks.colour_map_network(folder / "n.onnx", tail, axes=np.array([1, 2]))
    return StageMaps(networks.whole(network, manifest, weight))


@pytest.mark.parametrize("tail", [joined, joined_channels_last])
def test_every_stage_says_what_its_map_says(
    networks: ModuleType, tail: Any, tmp_path: Path, tiny_manifest: Manifest, half_red: NDArray[np.uint8]
) -> None:
    weight = np.zeros((3, 6), dtype=np.float32)
    weight[networks.RED] = [4, 0, 0, -2, 0, 0]  # red of pixels, red of cells
    found = colour_stages(networks, tmp_path, tiny_manifest, weight, tail)(half_red, networks.RED)
    pixels, cells = found.parts
    assert (pixels.name, cells.name) == ("stage 1", "last layer")
    red = (250 + 125) / 255 / 16  # a sixteenth of the picture is bright red, another half so
    assert (pixels.score, cells.score, found.bias) == pytest.approx((4 * red, -2 * red, 0.3), abs=1e-6)
    assert found.logit == pytest.approx(2 * red + 0.3, abs=1e-6)
    assert pixels.map is not None
    np.testing.assert_allclose(pixels.map, 4 * half_red[..., 0].astype(float) / 255, atol=1e-6)
    assert cells.map is not None
    np.testing.assert_allclose(cells.map[3], [0, 0, -250 / 255, -500 / 255], atol=1e-6)
    assert found.scores() == {"bias": found.bias, "stage 1": pixels.score, "last layer": cells.score}
    assert found.in_words() == "logit 0.48 = bias +0.30, stages 1 +0.37, last layer -0.18"


def test_stages_that_count_for_no_class_are_no_part(
    networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest, half_red: NDArray[np.uint8]
) -> None:
    """What is left is the classic class activation map: Grad-CAM's, where the embedding is a mean."""
    weight = np.concatenate([np.zeros((3, 3), dtype=np.float32), networks.WEIGHT], axis=1)
    found = colour_stages(networks, tmp_path, tiny_manifest, weight)(half_red, networks.RED)
    (only,) = found.parts
    assert only.map is not None
    classic = ClassActivation(networks.whole(tmp_path / "n.onnx", tiny_manifest, weight))
    heat = np.maximum(only.map, 0) / only.map.max()
    np.testing.assert_allclose(heat, classic(half_red[None], np.array([networks.RED]))[0], atol=1e-6)
    assert found.in_words() == "logit 1.22 = bias +0.30, last layer +0.92"


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("resnet10t", 3),  # of the fourth stage the means are the last layer
        ("mobilenetv3_small_050", 6),  # a dense layer follows the last map
    ],
)
def test_parts_and_bias_are_torchs_logit(
    networks: ModuleType, name: str, stages: int, tmp_path: Path, tiny_manifest: Manifest
) -> None:
    import timm
    import torch

    from tellapart.models.build import stage_network
    from tellapart.models.joint import join_stages
    from tellapart.preprocessing import Preprocessing

    torch.manual_seed(0)
    trunk = timm.create_model(name, num_classes=0)
    network = stage_network(trunk, name=name, preprocessing=Preprocessing(size=SIZE), class_count=3).eval()
    join_stages(network, SIZE)
    explained = StageMaps(networks.staged_model(network, tiny_manifest, tmp_path, size=SIZE))
    image = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    with torch.inference_mode():
        logits = network(torch.from_numpy(image[None]))[0].tolist()
    for target, logit in enumerate(logits):
        found = explained(image, target)
        assert [part.name for part in found.parts] == [*(f"stage {n}" for n in range(1, stages + 1)), "last layer"]
        maps = {part.name: part.map for part in found.parts if part.map is not None}
        assert ("last layer" in maps) == (not name.startswith("mobilenetv3"))
        assert len(maps) >= stages
        nowhere = sum(part.score for part in found.parts if part.map is None)
        total = found.bias + nowhere + sum(float(one.mean(dtype=np.float64)) for one in maps.values())
        assert total == pytest.approx(logit, abs=1e-4)
        assert found.logit == pytest.approx(logit, abs=1e-4)
    assert ("the last layer has no map" in explained(image, 0).in_words()) == name.startswith("mobilenetv3")


def test_the_mean_over_views_is_a_sum_too(networks: ModuleType, tmp_path: Path, tiny_manifest: Manifest) -> None:
    from tellapart.models.scratch import build_scratch
    from tellapart.runtime import Session

    network = build_scratch("resnet18", class_count=3, seed=0, size=64).network.eval()
    model = networks.staged_model(network, tiny_manifest, tmp_path, size=64, views="flip")
    image = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (embedding,) = Session(model, source="the model").run(image[None], ["embedding"])
    weight, bias = (value.detach().numpy() for value in (network.classifier.weight, network.classifier.bias))
    found = StageMaps(model)(image, 1)
    assert found.logit == pytest.approx(float(embedding[0] @ weight[1] + bias[1]), abs=1e-4)


def test_what_no_map_says_is_refused(
    networks: ModuleType, tmp_path: Path, tiny_bytes: bytes, tiny_manifest: Manifest
) -> None:
    import torch
    from torch import nn

    from tellapart.models.build import stage_network
    from tellapart.models.scratch import build_scratch
    from tellapart.preprocessing import Preprocessing

    with pytest.raises(ModelFileError, match="no convolutions, so no map that shows places. Occlusion works"):
        StageMaps(tiny_bytes)
    dense = build_scratch("lenet5", class_count=3, seed=0, size=32).network.eval()
    with pytest.raises(ModelFileError, match="has no exact maps of its score.*dense layers or attention"):
        StageMaps(networks.staged_model(dense, tiny_manifest, tmp_path, size=32))
    with pytest.raises(ModelFileError, match="answers for 2 views of a picture .* Occlusion works"):
        StageMaps(networks.staged_model(dense, tiny_manifest, tmp_path, size=32, views="flip"))

    class Attentive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, stride=4)

        def forward_features(self, x: Any) -> Any:
            return self.stem(x)

        def forward_head(self, x: Any, pre_logits: bool = True) -> Any:
            places = x.flatten(2)
            return (places * places.mean(1, keepdim=True).softmax(2)).sum(2)

    torch.manual_seed(0)
    network = stage_network(Attentive(), name="own", preprocessing=Preprocessing(size=SIZE), class_count=3).eval()
    with pytest.raises(ModelFileError, match="no map of positions before its embedding.*Occlusion works"):
        StageMaps(networks.staged_model(network, tiny_manifest, tmp_path, size=SIZE))


def test_a_heatmap_sums_all_maps_at_the_largest_ones_size() -> None:
    def part(name: str, values: Any) -> StagePart:
        one = np.array(values, dtype=np.float32)
        return StagePart(name=name, score=float(one.mean()), map=one)

    fine, coarse = part("stage 1", np.zeros((4, 4))), part("last layer", [[3.0]])
    nowhere = StagePart(name="dense", score=-1.0, map=None)
    np.testing.assert_allclose(Decomposition(bias=0.5, parts=(fine, coarse, nowhere)).heatmap(), np.ones((4, 4)))
    split = part("stage 1", [[1, -1], [1, -1]])
    np.testing.assert_allclose(Decomposition(bias=1.0, parts=(split,)).heatmap(), [[1, 0], [1, 0]])  # 2 and 0
    np.testing.assert_allclose(Decomposition(bias=-2.0, parts=(split,)).heatmap(), np.zeros((2, 2)))


def test_a_map_keeps_its_mean_at_another_size() -> None:
    """A heatmap is (bias + map) / (bias + most): two of them give the map's mean and the most."""
    corner = StagePart(name="last layer", score=0.25, map=np.array([[1, 0], [0, 0]], dtype=np.float32))
    flat = StagePart(name="stage 1", score=0.0, map=np.zeros((5, 7), dtype=np.float32))
    one, three = (Decomposition(bias=bias, parts=(flat, corner)).heatmap().mean(dtype=float) for bias in (1.0, 3.0))
    mean, most = np.linalg.solve([[1, -one], [1, -three]], [one - 1, 3 * three - 3])
    assert (mean, most) == (pytest.approx(0.25, abs=1e-4), pytest.approx(1, abs=1e-3))  # and it grows nowhere

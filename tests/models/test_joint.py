"""The means of all stages beside the last layer: the same numbers as by hand, in torch and in ONNX. In: timm names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from timm.models.convmixer import ConvMixer
from torch import Tensor, nn

from tellapart.models.build import stage_network
from tellapart.models.joint import join_stages
from tellapart.models.staged import StagedNetwork
from tellapart.models.tracing import export_embedding
from tellapart.preprocessing import Preprocessing
from tellapart.runtime import Session

SIZE = 64  # pixels
# Each stage's channels, from the papers' tables; a stage whose means are the embedding itself is not there.
WIDTHS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "tf_efficientnet_lite0": ((16, 24, 40, 80, 112, 192, 320), {}),
    "resnet10t": ((64, 128, 256), {}),
    "mobilenetv3_small_050": ((8, 16, 24, 24, 48, 288), {}),
    "swin_tiny_patch4_window7_224": ((96, 192, 384, 768), {"img_size": SIZE, "window_size": 2}),
    "vit_tiny_patch16_224": ((), {"img_size": SIZE, "depth": 3}),
    "beit_base_patch16_224": ((), {"img_size": SIZE, "depth": 2, "embed_dim": 64, "num_heads": 2}),
}


def staged(name: str) -> StagedNetwork:
    torch.manual_seed(0)
    trunk = timm.create_model(name, num_classes=0, **WIDTHS[name][1])
    return stage_network(trunk, name=name, preprocessing=Preprocessing(size=SIZE), class_count=3).eval()


def pictures(count: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8))


@pytest.mark.parametrize("name", WIDTHS)
def test_the_embedding_ends_with_what_it_was_and_begins_with_every_stages_means(name: str) -> None:
    network, images = staged(name), pictures(2)
    with torch.inference_mode():
        last = network.embed(images)
    assert join_stages(network, SIZE) == WIDTHS[name][0]
    with torch.inference_mode():
        joint = network.embed(images)
        assert joint.shape == (2, sum(WIDTHS[name][0]) + last.shape[1]) == (2, network.embedding)
        torch.testing.assert_close(joint[:, joint.shape[1] - last.shape[1] :], last)
        assert network(images).shape == (2, 3)


@pytest.mark.parametrize(("depth", "joined"), [(7, [0, 1, 2, 3, 4, 5]), (20, [1, 4, 6, 9, 11, 14, 16])])
def test_of_a_network_whose_every_block_is_a_stage_eight_are_joined(depth: int, joined: list[int]) -> None:
    """Evenly spread; the means of the last are the embedding itself, so that it is left out."""
    torch.manual_seed(0)
    trunk = ConvMixer(dim=8, depth=depth, kernel_size=3, patch_size=7, num_classes=0)
    network = stage_network(trunk, name="convmixer", preprocessing=Preprocessing(size=SIZE), class_count=3).eval()
    assert len(network.stages) == depth
    assert join_stages(network, SIZE) == (8,) * len(joined)
    assert list(network.joined) == [f"blocks.{block}" for block in joined]


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "swin_tiny_patch4_window7_224"])
def test_the_means_are_those_of_timms_own_feature_maps(name: str) -> None:
    network, images = staged(name), pictures(2)
    widths = join_stages(network, SIZE)
    trunk: Any = network.trunk
    normalised = (images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    with torch.inference_mode():
        _, maps = trunk.forward_intermediates(normalised, indices=None, output_fmt="NCHW")
        blocks = network.embed(images)[:, : sum(widths)].split(list(widths), dim=1)
    # timm gives EfficientNet's maps at five resolutions; of two stages at one resolution it gives the upper.
    by_width = dict(zip(widths, blocks, strict=True))
    assert len(maps) == (5 if name.startswith("tf_") else 4)
    for one in maps:
        torch.testing.assert_close(by_width[one.shape[1]], one.mean((2, 3)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet10t"])
def test_onnx_gives_the_same(name: str, tmp_path: Path) -> None:
    network, images = staged(name), pictures(3)
    join_stages(network, SIZE)
    width = export_embedding(network, size=SIZE, path=tmp_path / "network.onnx")
    (found,) = Session(tmp_path / "network.onnx", source="the export").run(images.numpy(), ["embedding"])
    with torch.inference_mode():
        expected = network.embed(images).numpy()
    assert found.shape == (3, width)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_a_network_that_is_training_goes_on_training() -> None:
    network = staged("resnet10t").train()
    before = {name: value.clone() for name, value in network.trunk.state_dict().items()}
    join_stages(network, SIZE)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.trunk.state_dict().items())


def test_a_network_that_is_no_chain_keeps_its_last_layer() -> None:
    class Mean(nn.Module):
        def forward_features(self, pixels: Tensor) -> Tensor:
            return pixels

        def forward_head(self, features: Tensor, pre_logits: bool = True) -> Tensor:
            return features.mean((2, 3))

    network = stage_network(Mean(), name="mean", preprocessing=Preprocessing(size=SIZE), class_count=2)
    classifier = network.classifier
    assert join_stages(network, SIZE) == ()
    assert network.embedding == 3
    assert network.classifier is classifier

"""What speaks for a class in a region. In: a tiny network in torch. Out: the heat that eq. 3 of the paper gives by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from tellapart.errors import BackboneError
from tellapart.preprocessing import Preprocessing
from tellapart.settings.reading import make_settings
from tellapart.tasks.segmentation.network import PixelNetwork
from tellapart.tasks.segmentation.probe_network import LinearProbe, ProbeNetwork, map_widths
from tellapart.tasks.segmentation.rebuilding import rebuilt
from tellapart.tasks.segmentation.region_heat import gradient_heat
from tellapart.tasks.segmentation.starting import new_network
from tests.answers.made_masker import masker_manifest

SIDE = 16


class Encoder(nn.Module):
    """The picture, and one map: means of 4 x 4 pixels."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, functional.avg_pool2d(images, 4)]


class Tiny(PixelNetwork):
    """The logit of class 0 is red less blue of the map, enlarged; that of class 1 is 0."""

    def __init__(self) -> None:
        super().__init__(
            Encoder(), class_count=2, preprocessing=Preprocessing(size=SIDE, mean=(0.0,) * 3, std=(1.0,) * 3)
        )

    def decode(self, maps: Sequence[Tensor]) -> Tensor:
        red = functional.interpolate(maps[-1][:, :1] - maps[-1][:, 2:], scale_factor=4, mode="nearest")
        return torch.cat([red, torch.zeros_like(red)], dim=1)

    def layer_groups(self) -> list[Any]:
        return []


def test_heat_is_the_maps_weighted_by_what_the_region_asks_of_them() -> None:
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    pixels[:8, :8, 0] = 200  # red, speaks for the class
    pixels[8:, 8:, 2] = 250  # blue, speaks against it
    region = np.zeros((SIDE, SIDE), dtype=np.bool_)
    region[:4, :4] = True
    heat = gradient_heat(Tiny(), pixels, 0, region)
    assert heat.shape == (4, 4)
    # The gradient of the region's sum: 16 in one of 16 places for red, -16 for blue; so weights 1 and -1, and red less blue.
    expected = np.zeros((4, 4))
    expected[:2, :2] = 1.0
    np.testing.assert_allclose(heat, expected, atol=1e-6)
    assert gradient_heat(Tiny(), pixels, 1, region).max() == 0, "nothing speaks for it"
    assert gradient_heat(Tiny(), np.zeros_like(pixels), 0, region).max() == 0


@pytest.mark.parametrize("kept", ["probe", "finetune on a probe", "finetune", "scratch"])
def test_each_network_that_a_run_may_keep_is_there_again(kept: str, tmp_path: Path) -> None:
    settings = make_settings({"data": "x", "network": {"decoder": "fpn"}})
    manifest = masker_manifest()
    name = "test_efficientnet"  # timm's own for tests
    backbone = manifest.backbone.model_copy(update={"name": name})
    manifest = manifest.model_copy(update={"strategy": kept.split()[0], "backbone": backbone})
    preprocessing = manifest.preprocessing.plain()
    network: PixelNetwork = new_network(settings, len(manifest.classes), name, preprocessing)
    if kept == "probe":
        network = ProbeNetwork(network.encoder, class_count=len(manifest.classes), preprocessing=preprocessing)
    elif kept == "finetune on a probe":
        network.begin_with(LinearProbe(map_widths(network.encoder), class_count=len(manifest.classes)))  # type: ignore[attr-defined]
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 0.2)
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()}, tmp_path / "weights.safetensors"
    )
    again = rebuilt(tmp_path / "weights.safetensors", manifest, settings)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8))
    with torch.inference_mode():
        torch.testing.assert_close(again(pixels), network.eval()(pixels))
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BackboneError, match=r"does not hold the weights of this model .* Copy the whole run again"):
        rebuilt(tmp_path / "other.safetensors", manifest, settings)

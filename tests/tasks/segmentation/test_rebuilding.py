"""A run's network of pixels, in torch again. In: weights of every kind of network. Out: the same answers, whole or pruned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tellapart.bundle import Manifest
from tellapart.compression.channels import channel_groups, read_channels, thin_out
from tellapart.errors import BackboneError
from tellapart.settings.reading import make_settings
from tellapart.tasks.segmentation.network import PixelNetwork
from tellapart.tasks.segmentation.probe_network import LinearProbe, ProbeNetwork, map_widths
from tellapart.tasks.segmentation.rebuilding import again, rebuilt, trained_by
from tellapart.tasks.segmentation.starting import new_network
from tests.answers.made_masker import masker_manifest

NAME = "test_efficientnet"  # timm's own for tests
SETTINGS = make_settings({"data": "x", "network": {"decoder": "fpn"}})
PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8))


def manifest_of(strategy: str) -> Manifest:
    made = masker_manifest()
    backbone = made.backbone.model_copy(update={"name": NAME})
    return made.model_copy(update={"strategy": strategy, "backbone": backbone})


def network_of(kept: str) -> PixelNetwork:
    """With weights that are no longer the first."""
    manifest = manifest_of(kept)
    count, preprocessing = len(manifest.classes), manifest.preprocessing.plain()
    network: PixelNetwork = new_network(SETTINGS, count, NAME, preprocessing)
    if kept == "probe":
        network = ProbeNetwork(network.encoder, class_count=count, preprocessing=preprocessing)
    elif kept == "finetune on a probe":
        network.begin_with(LinearProbe(map_widths(network.encoder), class_count=count))  # type: ignore[attr-defined]
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 0.2)
    return network.eval()


def write(network: PixelNetwork, path: Path) -> Path:
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    return path


@pytest.mark.parametrize("kept", ["probe", "finetune on a probe", "finetune", "scratch"])
def test_each_network_that_a_run_may_keep_is_there_again(kept: str, tmp_path: Path) -> None:
    network, manifest = network_of(kept), manifest_of(kept.split()[0])
    found = rebuilt(write(network, tmp_path / "weights.safetensors"), manifest, SETTINGS)
    with torch.inference_mode():
        torch.testing.assert_close(found(PIXELS), network(PIXELS))
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(BackboneError, match=r"does not hold the weights of this model .* Copy the whole run again"):
        rebuilt(tmp_path / "other.safetensors", manifest, SETTINGS)


@pytest.mark.parametrize("kept", ["probe", "finetune"])
def test_a_pruned_one_is_as_small_as_its_weights_and_ready_to_learn(kept: str, tmp_path: Path) -> None:
    network: Any = network_of(kept)
    group = next(
        one for one in channel_groups(network, PIXELS[:1]) if one.root.startswith("encoder") and one.count > 16
    )
    thin_out(network, group, read_channels(network, [group], lambda one: one(PIXELS)), group.count - 8, PIXELS[:1])
    found = again(write(network, tmp_path / "weights.safetensors"), manifest_of(kept), SETTINGS)
    made = found.prepared.network
    assert len(made.get_submodule(group.root).weight) == group.count - 8  # type: ignore[arg-type]
    with torch.inference_mode():
        torch.testing.assert_close(made.eval()(PIXELS), network(PIXELS))
    names = {name for part in made.layer_groups() for name, _ in part}
    assert names == {name for name, _ in made.named_parameters()}
    assert found.prepared.shape == (manifest_of(kept).preprocessing.size,) * 2 + (3,)
    # Nothing of the encoder's statistics moves while it learns.
    made.train()
    norms = [one for one in made.encoder.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)]  # type: ignore[union-attr]
    assert norms
    assert not any(one.training for one in norms)


@pytest.mark.parametrize(("tile", "batch"), [(512, 8), (1024, 4)])
def test_a_probe_learns_on_as_a_network_that_is_trained(tile: int, batch: int) -> None:
    told = {"data": "x", "task": "segmentation", "strategy": "probe", "network": {"size": tile}}
    usual = trained_by(make_settings(told))
    assert (usual.strategy, usual.loop.batch_size, usual.loop.average) == ("finetune", batch, 0.98)
    assert trained_by(SETTINGS) is SETTINGS

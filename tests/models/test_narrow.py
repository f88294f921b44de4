"""A pruned network from the shapes of its weights alone. In: tensors. Out: the same network. Next: test_staged.py."""

from __future__ import annotations

import copy

import pytest
import timm
import torch
import torch_pruning
from torch import nn

from tellapart.errors import BackboneError
from tellapart.models.narrow import narrow


def _cut(network: nn.Module) -> nn.Module:
    """Without a block, with thinner ones, and with fewer numbers at the end."""
    graph = torch_pruning.DependencyGraph().build_dependency(network, torch.zeros(1, 3, 32, 32), verbose=False)
    for path, count in (("blocks.2.1.conv_pw", 16), ("blocks.4.0.conv_pwl", 8), ("conv_head", 40)):
        layer = network.get_submodule(path)
        graph.get_pruning_group(layer, torch_pruning.prune_conv_out_channels, idxs=list(range(count))).prune()
    setattr(network.get_submodule("blocks.3"), "1", nn.Identity())
    return network


@pytest.mark.parametrize("prefix", ["", "trunk."])
def test_a_pruned_network_is_built_again_and_answers_alike(prefix: str) -> None:
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    whole, pictures = copy.deepcopy(network), torch.randn(2, 3, 32, 32)
    _cut(network)
    state = {prefix + name: tensor for name, tensor in network.state_dict().items()}
    narrow(whole, state, prefix=prefix)
    whole.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in state.items()})
    assert sum(one.numel() for one in whole.parameters()) == sum(one.numel() for one in network.parameters())
    with torch.inference_mode():
        assert torch.equal(whole(pictures), network(pictures))


def test_a_network_that_was_not_pruned_stays_as_it_is() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    before = dict(network.named_parameters())
    narrow(network, network.state_dict())
    assert all(before[name] is parameter for name, parameter in network.named_parameters())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            [9, 3, 3, 3],
            r"the weights have 0.weight in the shape \[9, 3, 3, 3\], which cannot come of pruning \[8, 3, 3, 3\]",
        ),
        ([8, 3, 1, 1], r"in the shape \[8, 3, 1, 1\], which cannot"),
        ([0, 3, 3, 3], r"in the shape \[0, 3, 3, 3\], which cannot"),
        ([8, 3], r"in the shape \[8, 3\], which cannot"),
    ],
)
def test_shapes_that_pruning_cannot_give_are_refused(shape: list[int], message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        narrow(nn.Sequential(nn.Conv2d(3, 8, 3)), {"0.weight": torch.zeros(shape)})


def test_filters_that_groups_cannot_share_are_refused() -> None:
    network = nn.Sequential(nn.Conv2d(8, 8, 3, groups=4))
    with pytest.raises(
        BackboneError, match=r"the weights have 6 filters in 0.weight, which 4 groups cannot share. Give the"
    ):
        narrow(network, {"0.weight": torch.zeros(6, 2, 3, 3)})

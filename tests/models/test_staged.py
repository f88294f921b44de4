"""A network cut into stages is the same network. In: timm names, own trunks. Out: stages, logits, frozen statistics."""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from tellapart.models.build import stage_network
from tellapart.models.freezing import freeze
from tellapart.models.stage_finding import find_stages
from tellapart.models.staged import StagedNetwork
from tellapart.preprocessing import Preprocessing

# Stages counted by hand in each paper's table; 1 for networks that are no chain.
NETWORKS: dict[str, tuple[int, dict[str, Any]]] = {
    "tf_efficientnet_lite0": (7, {}),
    "mobilenetv3_small_050": (6, {}),
    "resnet10t": (4, {}),
    "test_resnet": (4, {}),
    "densenet121": (4, {}),
    "legacy_xception": (4, {}),
    "regnetx_002": (4, {}),
    "vit_tiny_patch16_224": (3, {"img_size": 64, "depth": 3}),
    "test_efficientnet": (5, {}),
    "test_convnext": (4, {}),
    "test_byobnet": (4, {}),
    "test_nfnet": (4, {}),
    "beit_base_patch16_224": (1, {"img_size": 64, "depth": 2, "embed_dim": 64, "num_heads": 2}),
}
SIZE = 64  # pixels


@functools.cache
def trunk_of(name: str) -> nn.Module:
    return timm.create_model(name, num_classes=0, **NETWORKS[name][1])


def staged(name: str) -> StagedNetwork:
    torch.manual_seed(0)
    trunk = copy.deepcopy(trunk_of(name))
    return stage_network(trunk, name=name, preprocessing=Preprocessing(size=SIZE), class_count=3)


def pictures(count: int, size: int = SIZE) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (count, size, size, 3), dtype=np.uint8))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_stages_give_what_the_network_gives(name: str) -> None:
    network = staged(name).eval()
    images = pictures(2)
    trunk: Any = network.trunk
    with torch.inference_mode():
        normalised = (images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        features = trunk.forward_features(normalised)
        torch.testing.assert_close(network.run_stages(images, 0, len(network.stages)), features, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(network.embed(images), trunk(normalised), rtol=1e-4, atol=1e-4)
        logits = functional.linear(trunk(normalised), network.classifier.weight, network.classifier.bias)
        torch.testing.assert_close(network(images), logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_cut_anywhere_gives_the_same(name: str) -> None:
    network = staged(name).eval()
    assert len(network.stages) == NETWORKS[name][0]
    images = pictures(2)
    with torch.inference_mode():
        logits = network(images)
        for start in range(1, len(network.stages) + 1):
            below = network.run_stages(images, 0, start)
            kept = below.clone()
            torch.testing.assert_close(network(below, start=start), logits, rtol=1e-4, atol=1e-4)
            # Cached activations are used again, so no in-place operation may reach them.
            assert torch.equal(below, kept)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_belongs_to_one_stage(name: str) -> None:
    network = staged(name)
    owned = [name for stage in range(len(network.stages)) for name, _ in network.stage_parameters(stage)]
    assert sorted(owned) == sorted(name for name, _ in network.trunk.named_parameters())
    for stage in range(len(network.stages)):
        assert network.stage_parameters(stage)
        inside = {id(value) for module in network.stage_modules(stage) for value in module.parameters()}
        assert inside <= {id(value) for _, value in network.stage_parameters(stage)}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_leaves_frozen_stages_as_they_were(name: str) -> None:
    network = staged(name)
    count = len(network.stages)
    frozen = (count + 1) // 2
    freeze(network, count - frozen)
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([value for value in network.parameters() if value.requires_grad], lr=0.5)
    for _ in range(2):  # a classifier's first gradient may be all that there is
        optimizer.zero_grad()
        functional.cross_entropy(network(pictures(4)), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
    below = tuple(f"trunk.{path}." for paths in network.stages[:frozen] for path in paths) if count > 1 else ("trunk.",)
    changed = [key for key, value in network.state_dict().items() if not torch.equal(value, before[key])]
    assert not [key for key in changed if key.startswith(below)]
    assert "classifier.weight" in changed
    expected = [key for key in before if not key.startswith(below) and "running_" in key]
    assert [key for key in changed if "running_" in key] == expected
    if frozen < count:
        assert any(key.startswith("trunk.") and "running_" not in key for key in changed)


def test_vgg_ends_a_stage_with_each_pooling() -> None:
    with torch.device("meta"):  # half a gigabyte of dense layers that no stage has
        trunk: Any = timm.create_model("vgg11_bn", num_classes=0)
    trunk.features.to_empty(device="cpu")
    for module in trunk.features:
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    stages = find_stages(trunk, torch.randn(1, 3, 32, 32))
    assert [paths[0] for paths in stages] == [f"features.{number}" for number in (0, 4, 8, 15, 22)]
    assert [paths[-1] for paths in stages] == [f"features.{number}" for number in (3, 7, 14, 21, 28)]
    assert all(isinstance(trunk.get_submodule(paths[-1]), nn.MaxPool2d) for paths in stages)


def test_densenet_has_its_stem_in_the_first_stage_and_a_dense_block_in_each() -> None:
    stages = find_stages(trunk_of("densenet121"), torch.randn(1, 3, SIZE, SIZE))
    stem = [f"features.{part}" for part in ("conv0", "norm0", "pool0", "denseblock1", "transition1")]
    assert stages == [
        stem,
        ["features.denseblock2", "features.transition2"],
        ["features.denseblock3", "features.transition3"],
        ["features.denseblock4", "features.norm5"],
    ]


def test_inception_is_cut_where_the_resolution_halves() -> None:
    trunk = timm.create_model("inception_v3", num_classes=0)
    stages = find_stages(trunk, torch.randn(1, 3, 96, 96))
    assert [paths[0] for paths in stages] == ["Conv2d_1a_3x3", "Mixed_5b", "Mixed_6b", "Mixed_7b"]
    assert [paths[-1] for paths in stages] == ["Pool2", "Mixed_6a", "Mixed_7a", "Mixed_7c"]


@pytest.mark.parametrize("size", [48, 64, 128, 224])
def test_the_cut_does_not_depend_on_the_pictures_size(size: int) -> None:
    trunk = trunk_of("densenet121")
    assert find_stages(trunk, torch.randn(1, 3, size, size)) == find_stages(trunk, torch.randn(1, 3, 32, 32))


class Own(nn.Module):
    """A trunk in timm's protocol whose `forward_features` the test writes."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)

    def forward_head(self, features: Tensor, pre_logits: bool = True) -> Tensor:
        return features.mean((2, 3))


def convolution(inputs: int = 4) -> nn.Module:
    return nn.Conv2d(inputs, 4, 3, padding=1)


def test_something_between_the_modules_makes_one_stage() -> None:
    class Between(Own):
        def forward_features(self, images: Tensor) -> Tensor:
            return self.layer2(functional.relu(self.layer1(images)))

    trunk = Between(layer1=convolution(3), layer2=convolution())
    assert find_stages(trunk, torch.randn(1, 3, 8, 8)) == [[""]]


def test_modules_run_in_the_order_of_their_calls_not_of_their_making() -> None:
    class Swapped(Own):
        def forward_features(self, images: Tensor) -> Tensor:
            return self.layer2(self.layer1(images))

    trunk = Swapped(layer2=convolution(), unused=convolution(), layer1=convolution(3))
    assert find_stages(trunk, torch.randn(1, 3, 8, 8)) == [["layer1"], ["layer2"]]


def test_a_block_that_changes_next_to_nothing_still_counts() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = convolution()

        def forward(self, features: Tensor) -> Tensor:
            return features + 0 * self.inner(features)

    class Faint(Own):
        def forward_features(self, images: Tensor) -> Tensor:
            return self.drop(self.blocks(self.stem(images)))

    trunk = Faint(stem=convolution(3), blocks=nn.Sequential(Idle(), Idle()), drop=nn.Dropout(0.5))
    assert find_stages(trunk, torch.randn(1, 3, 8, 8)) == [["stem", "blocks.0"], ["blocks.1", "drop"]]


def test_looking_for_stages_leaves_the_network_as_it_was() -> None:
    trunk = copy.deepcopy(trunk_of("test_resnet")).train()
    before = {key: value.clone() for key, value in trunk.state_dict().items()}
    random_state = torch.get_rng_state()
    network = stage_network(trunk, name="test", preprocessing=Preprocessing(size=SIZE), class_count=1)
    assert trunk.training
    assert all(torch.equal(value, before[key]) for key, value in trunk.state_dict().items())
    assert not any(module._forward_hooks for module in trunk.modules())
    torch.set_rng_state(random_state)
    torch.testing.assert_close(nn.Linear(network.embedding, 1).weight, network.classifier.weight)


def test_pictures_are_normalised_by_mean_and_standard_deviation() -> None:
    preprocessing = Preprocessing(size=SIZE, mean=(0.4, 0.5, 0.6), std=(0.1, 0.2, 0.5))
    network = stage_network(trunk_of("test_resnet"), name="test", preprocessing=preprocessing, class_count=2)
    image = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(1, SIZE, SIZE, 3)
    # By hand: (0 - 0.4) / 0.1, (0.2 - 0.5) / 0.2, (1 - 0.6) / 0.5.
    torch.testing.assert_close(network.run_stages(image, 0, 0)[0, :, 3, 5], torch.tensor([-4.0, -1.5, 0.8]))


def test_a_network_of_one_channel_sees_what_pillow_calls_grey() -> None:
    trunk = timm.create_model("test_resnet", num_classes=0, in_chans=1)
    network = stage_network(trunk, name="test", preprocessing=Preprocessing(size=SIZE), class_count=2, channels=1)
    images = pictures(1)
    grey = np.asarray(Image.fromarray(images[0].numpy()).convert("L"), dtype=np.float32)
    found = network.run_stages(images, 0, 0)[0, 0].numpy()
    np.testing.assert_allclose((found * 0.5 + 0.5) * 255, grey, atol=0.51)
    assert network(images).shape == (1, 2)


def test_statistics_of_trained_stages_stay_too_when_batch_norm_is_frozen() -> None:
    network = staged("test_resnet")
    freeze(network, 2)
    network.batch_norm_frozen = True
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network(pictures(4))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert network.trunk.get_submodule("layer4").training
    assert not any(module.training for module in network.modules() if isinstance(module, _BatchNorm))

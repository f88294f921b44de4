"""A pretrained network is timm's, with our classifier. In: names, safetensors. Out: StagedNetwork, clear refusals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from timm.layers import DropPath
from torch import Tensor, nn

from tellapart.errors import BackboneError, SettingsError
from tellapart.models.build import build_pretrained, load_network_state, network_state, stage_network
from tellapart.models.staged import StagedNetwork
from tellapart.preprocessing import Preprocessing

NAME, SIZE = "test_resnet", 64
PREPROCESSING = Preprocessing(size=SIZE)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The weights of a network without classifier, as models/export.py leaves them."""
    return save(tmp_path / "weights.safetensors", timm.create_model(NAME, num_classes=0).state_dict())


def save(path: Path, state: dict[str, Tensor]) -> Path:
    safetensors.torch.save_file(state, path)
    return path


def build(weights: Path, name: str = NAME, class_count: int = 3, **settings: Any) -> StagedNetwork:
    return build_pretrained(name, weights=weights, preprocessing=PREPROCESSING, class_count=class_count, **settings)


def test_the_embedding_is_the_one_of_the_weights(weights: Path) -> None:
    reference = timm.create_model(NAME, num_classes=0).eval()
    reference.load_state_dict(safetensors.torch.load_file(weights))
    images = torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    network = build(weights).eval()
    with torch.inference_mode():
        expected = reference((images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5)
        torch.testing.assert_close(network.embed(images), expected)
        assert torch.equal(network(images), torch.zeros(2, 3))  # every class is as likely as the next


def test_a_classifier_of_the_same_classes_is_taken(weights: Path) -> None:
    state = safetensors.torch.load_file(weights)
    width = build(weights).embedding
    state["classifier.weight"], state["classifier.bias"] = torch.rand(3, width), torch.rand(3)
    save(weights, state)
    assert torch.equal(build(weights).classifier.weight, state["classifier.weight"])
    assert torch.equal(build(weights).classifier.bias, state["classifier.bias"])
    assert not build(weights, class_count=4).classifier.weight.any()


def test_the_same_file_gives_the_same_network_twice(weights: Path) -> None:
    torch.manual_seed(0)
    first = network_state(build(weights))
    torch.manual_seed(1)
    assert all(torch.equal(value, first[key]) for key, value in network_state(build(weights)).items())


def test_the_weights_of_another_network_are_refused_with_their_differences(weights: Path) -> None:
    with pytest.raises(BackboneError) as caught:
        build(weights, name="resnet10t")
    message = str(caught.value)
    assert message.startswith(f"{weights} does not fit resnet10t: ")
    # test_resnet starts with 16 filters, and its blocks have a third convolution, which resnet10t's have not.
    assert "conv1.0.weight (wanted [24, 3, 3, 3], found [16, 3, 3, 3])" in message
    assert re.search(r"It has others instead, such as layer\d\.0\.\S+ and layer\d\.0\.\S+\. ", message)
    assert message.endswith("Give the weights of resnet10t, saved from timm.")


def test_an_unknown_name_is_refused(weights: Path) -> None:
    with pytest.raises(BackboneError, match="timm has no network named 'resnot'"):
        build(weights, name="resnot")


def test_drop_path_reaches_the_blocks(weights: Path) -> None:
    paths = [module for module in build(weights, drop_path=0.3).modules() if isinstance(module, DropPath)]
    assert max(float(path.drop_prob or 0) for path in paths) == pytest.approx(0.3)
    assert not [module for module in build(weights).modules() if isinstance(module, DropPath) and module.drop_prob]


def test_a_network_without_branches_has_no_drop_path(tmp_path: Path) -> None:
    path = save(tmp_path / "inception.safetensors", {"a": torch.zeros(1)})
    with pytest.raises(SettingsError, match="drop_path is 0.3, but inception_v3 has no drop path. Set it to 0."):
        build(path, name="inception_v3", drop_path=0.3)


def test_dropout_is_before_the_classifier(weights: Path) -> None:
    assert build(weights, dropout=0.4).dropout.p == 0.4


def test_a_size_that_the_network_cannot_take_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "vit.safetensors", timm.create_model("deit_tiny_patch16_224", num_classes=0).state_dict())
    with pytest.raises(
        BackboneError, match=r"deit_tiny_patch16_224 cannot take pictures of 64 pixels \(.*224.*\). Choose another size"
    ):
        build(path, name="deit_tiny_patch16_224")


def test_a_network_that_gives_maps_is_refused() -> None:
    trunk = timm.create_model(NAME, num_classes=0, global_pool="")
    with pytest.raises(
        BackboneError, match=r"mine gives \(\d+, 2, 2\), not one vector a picture. Choose another backbone"
    ):
        stage_network(trunk, name="mine", preprocessing=PREPROCESSING, class_count=2)


def test_the_state_has_timms_names_and_comes_back(weights: Path) -> None:
    network = build(weights)
    state = {key: value.clone() for key, value in network_state(network).items()}
    timms = timm.create_model(NAME, num_classes=0).state_dict()
    assert list(state) == [*timms, "classifier.weight", "classifier.bias"]
    with torch.no_grad():
        for value in network.state_dict().values():
            value.zero_()
    load_network_state(network, state)
    assert all(torch.equal(value, state[key]) for key, value in network_state(network).items())


def test_the_state_of_another_network_is_refused_before_anything_changes(weights: Path) -> None:
    network = build(weights)
    state = {**network_state(network), "classifier.weight": torch.ones(5, network.embedding)}
    state["conv1.0.weight"] = torch.zeros_like(state["conv1.0.weight"])
    with pytest.raises(BackboneError) as caught:
        load_network_state(network, state)
    assert str(caught.value) == (
        f"the weights do not fit the network: 1 of {len(state)} tensors are missing or have another shape: "
        f"classifier.weight (wanted [3, {network.embedding}], found [5, {network.embedding}]). "
        "Give the weights of this network."
    )
    assert network_state(network)["conv1.0.weight"].any()


def test_a_network_may_also_be_ours() -> None:
    class Mean(nn.Module):
        def forward_features(self, images: Tensor) -> Tensor:
            return images

        def forward_head(self, features: Tensor, pre_logits: bool = True) -> Tensor:
            return features.mean((2, 3))

    network = stage_network(Mean(), name="mean", preprocessing=PREPROCESSING, class_count=2)
    assert network.embedding == 3
    white = torch.full((1, SIZE, SIZE, 3), 255, dtype=torch.uint8)
    torch.testing.assert_close(network.embed(white), torch.ones(1, 3))

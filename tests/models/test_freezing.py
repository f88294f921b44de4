"""What trains is what was asked for. In: --unfreeze, networks. Out: frozen stages, layer groups, SettingsError."""

from __future__ import annotations

import pytest
import timm
import torch

from tellapart.errors import SettingsError
from tellapart.models.build import network_state, sketch_pretrained, stage_network
from tellapart.models.freezing import freeze, keras_layers, parse_unfreeze, unfreeze
from tellapart.models.staged import StagedNetwork
from tellapart.preprocessing import Preprocessing


def staged(name: str = "test_resnet", size: int = 64) -> StagedNetwork:
    trunk = timm.create_model(name, num_classes=0)
    return stage_network(trunk, name=name, preprocessing=Preprocessing(size=size), class_count=2)


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        ("head", 7, 0),
        ("half", 7, 4),
        ("half", 4, 2),
        ("half", 1, 1),
        ("all", 7, 7),
        ("all", 1, 1),
        ("0", 7, 0),
        ("2", 7, 2),
        ("7", 7, 7),
        ("0.25", 7, 2),
        ("0.01", 7, 1),
        (" Half ", 3, 2),
        ("1.0", 7, 1),
    ],
)
def test_words_shares_and_numbers(text: str, count: int, expected: int) -> None:
    assert parse_unfreeze(text, count) == expected


@pytest.mark.parametrize("text", ["8", "-1", "2.5", "most", "", "nan", "inf", "-0.5"])
def test_what_cannot_be_unfrozen_is_refused(text: str) -> None:
    message = (
        rf"--unfreeze is '{text}'; this network has 7 stages. Give head, half, all, a share such as 0.25, "
        "or a whole number from 0 to 7."
    )
    with pytest.raises(SettingsError, match=message):
        parse_unfreeze(text, 7)


def test_a_network_in_one_piece_has_one_stage() -> None:
    with pytest.raises(SettingsError, match="this network has 1 stage. "):
        parse_unfreeze("2", 1)


def test_only_the_top_stages_and_the_classifier_train() -> None:
    network = staged()
    freeze(network, 1)
    assert network.frozen == 3
    training = {name for name, value in network.named_parameters() if value.requires_grad}
    top = {name for name, _ in network.named_parameters() if name.startswith("trunk.layer4.")}
    assert training == top | {"classifier.weight", "classifier.bias"}
    assert [network.trunk.get_submodule(f"layer{number}").training for number in (1, 2, 3, 4)] == [False] * 3 + [True]


def test_freezing_is_taken_back() -> None:
    network = staged()
    freeze(network, 0)
    assert [name for name, value in network.named_parameters() if value.requires_grad] == [
        "classifier.weight",
        "classifier.bias",
    ]
    assert not any(module.training for module in network.trunk.modules())
    freeze(network, 4)
    assert all(value.requires_grad for value in network.parameters())
    assert all(module.training for module in network.modules())


def test_freezing_a_network_at_rest_does_not_wake_it() -> None:
    network = staged().eval()
    freeze(network, 2)
    assert not any(module.training for module in network.modules())


def test_frozen_stages_get_no_gradients() -> None:
    network = staged()
    freeze(network, 2)
    network(torch.zeros(2, 64, 64, 3, dtype=torch.uint8)).sum().backward()
    with_gradient = {
        name.split(".")[1] for name, value in network.trunk.named_parameters("trunk") if value.grad is not None
    }
    assert with_gradient == {"layer3", "layer4"}


def test_more_stages_than_there_are_cannot_train() -> None:
    with pytest.raises(SettingsError, match="5 stages cannot train: the network has 4. Give a number from 0 to 4."):
        freeze(staged(), 5)


def test_layer_groups_go_from_the_lowest_trained_stage_to_the_classifier() -> None:
    network = staged()
    freeze(network, 2)
    groups = network.layer_groups()
    assert [{name.split(".")[0] for name, _ in group} for group in groups] == [{"layer3"}, {"layer4"}, {"classifier"}]
    state = network_state(network)
    assert all(value.data_ptr() == state[name].data_ptr() for group in groups for name, value in group)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit", "test_convnext"])
def test_with_all_stages_every_parameter_is_in_one_group(name: str) -> None:
    network = staged(name, size=160)
    freeze(network, len(network.stages))
    groups = network.layer_groups()
    assert len(groups) == len(network.stages) + 1
    grouped = [id(value) for group in groups for _, value in group]
    assert sorted(grouped) == sorted(id(value) for value in network.parameters())


def test_a_transformers_positions_belong_to_its_first_stage() -> None:
    network = staged("test_vit", size=160)
    freeze(network, len(network.stages) - 1)
    assert not network.trunk.get_parameter("pos_embed").requires_grad
    freeze(network, len(network.stages))
    assert "pos_embed" in dict(network.layer_groups()[0])


def test_what_runs_after_the_last_stage_trains_with_it() -> None:
    # MobileNet v3 pools first and then has one more convolution before the classifier.
    network = staged("mobilenetv3_small_050")
    freeze(network, 0)
    assert not network.trunk.get_parameter("conv_head.weight").requires_grad
    freeze(network, 1)
    assert "conv_head.weight" in dict(network.layer_groups()[0])


def trained_names(network: StagedNetwork) -> list[str]:
    return [name for name, value in network.trunk.named_parameters() if value.requires_grad]


@pytest.mark.parametrize(
    ("text", "first", "stages"),
    [
        ("block5_conv1", "features.24", 1),
        ("block4_conv3", "features.21", 2),
        ("features.26", "features.26", 1),
        ("block5", "features.24", 1),
    ],
)
def test_from_a_layer_on_all_of_vgg_trains(text: str, first: str, stages: int) -> None:
    network = sketch_pretrained("vgg16", class_count=2, pooling="average")
    assert unfreeze(network, text) == stages
    whole = [name for name, _ in network.trunk.named_parameters()]
    assert trained_names(network) == whole[whole.index(f"{first}.weight") :]


def test_kerass_names_of_vgg_are_its_thirteen_convolutions() -> None:
    names = keras_layers(sketch_pretrained("vgg16", class_count=2, pooling="average").trunk)
    counts = ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
    assert list(names) == [f"block{block}_conv{number + 1}" for block, most in counts for number in range(most)]
    assert keras_layers(staged().trunk) == {}


def test_the_last_layers_with_weights_train_and_the_others_keep_their_statistics() -> None:
    network = staged()
    assert unfreeze(network, "last 2 layers") == 1
    assert [name.rpartition(".")[0] for name in trained_names(network)] == [
        "layer4.0.downsample.1",
        "layer4.0.downsample.2",
        "layer4.0.downsample.2",
    ]
    before = {name: value.clone() for name, value in network.trunk.named_buffers()}
    network.train()(torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8))
    moved = {
        name.rpartition(".")[0] for name, value in network.trunk.named_buffers() if not torch.equal(value, before[name])
    }
    assert moved == {"layer4.0.downsample.2"}
    names = [name for group in network.layer_groups() for name, _ in group]
    assert names == [*trained_names(network), "classifier.weight", "classifier.bias"]
    assert unfreeze(network, "1") == 1  # told anew, whole stages train
    assert all(value.requires_grad for name, value in network.trunk.named_parameters() if name.startswith("layer4."))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("layer9", "no layer of that name. Did you mean layer"),
        ("xyzw", "Its last layer is layer4.0.downsample.2"),
        ("last 99 layers", "the network has .* layers with weights. Give a number from 1 to"),
        ("last 0", "Give a number from 1 to"),
        ("99", "this network has 4 stages. Give head, half, all"),
    ],
)
def test_a_layer_that_is_not_there_is_refused(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        unfreeze(staged(), text)

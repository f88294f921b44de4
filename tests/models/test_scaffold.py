"""What a network has only while it trains leaves no trace. In: small networks. Out: the same answers with and without."""

from __future__ import annotations

import copy

import pytest
import torch
import torchvision
from torch.nn import functional

from tellapart.errors import SettingsError
from tellapart.models.blocks import Block
from tellapart.models.build import network_state
from tellapart.models.scaffold import add_auxiliary, give_single_output, take_down
from tellapart.models.scratch import build_scratch
from tellapart.models.staged import StagedNetwork
from tellapart.training.loss import AUXILIARY, PictureLoss, with_auxiliary


def small(classes: int = 2) -> StagedNetwork:
    return build_scratch("blocks", class_count=classes, seed=0, size=16, blocks=[Block(filters=4)]).network


def pictures(count: int, size: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_single_output_answers_as_two_did_and_again_when_it_is_taken_down() -> None:
    network, images = small().eval(), pictures(5, 16)
    before = network(images).softmax(1)
    give_single_output(network)
    logits = network(images)
    assert network.classifier.weight.shape == (1, 4)
    torch.testing.assert_close(logits.softmax(1), before)
    torch.testing.assert_close(logits.softmax(1)[:, 1], logits[:, 1].sigmoid())
    targets = torch.tensor([0, 1, 1, 0, 1])
    binary = functional.binary_cross_entropy_with_logits(logits[:, 1], targets.float(), reduction="none")
    torch.testing.assert_close(PictureLoss()(logits, targets), binary)
    take_down(network)
    assert network.classifier.weight.shape == (2, 4)
    torch.testing.assert_close(network(images), logits)


def test_one_number_is_of_two_classes() -> None:
    with pytest.raises(SettingsError, match="network.output is sigmoid, which is for two classes, and there are 3"):
        give_single_output(small(classes=3))


def test_googlenets_auxiliary_classifiers_are_torchvisions() -> None:
    network = build_scratch("googlenet", class_count=10, seed=0, size=64, dropout=0.0).network
    plain = set(network_state(network))
    add_auxiliary(network, class_count=10, seed=1)
    theirs = torchvision.models.GoogLeNet(
        num_classes=10, aux_logits=True, init_weights=False, dropout=0.0, dropout_aux=0.0
    )
    own = network.trunk.state_dict()
    parts = {key.split(".", 2)[2]: value for key, value in own.items()}  # without stages.N
    auxiliary = {
        f"aux{number}.{key}": value
        for number, name in ((1, "inception4a"), (2, "inception4d"))
        for key, value in network.auxiliary[name].state_dict().items()
    }
    classifier = {f"fc.{key}": value for key, value in network.classifier.state_dict().items()}
    theirs.load_state_dict({**parts, **auxiliary, **classifier})
    for module in network.auxiliary.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    images = pictures(4, 64)
    given = copy.deepcopy(network).train()(images)  # a copy has classifiers of its own
    expected = theirs.train()(network.normalise(images))
    for one, other in zip(given, (expected.logits, expected.aux_logits1, expected.aux_logits2), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    targets, loss = torch.tensor([0, 3, 9, 1]), PictureLoss()
    _, losses = with_auxiliary(given, loss, targets)
    torch.testing.assert_close(
        losses, loss(given[0], targets) + 0.3 * (loss(given[1], targets) + loss(given[2], targets))
    )
    assert pytest.approx(0.3) == AUXILIARY
    assert {name.split(".")[0] for name, _ in network.layer_groups()[-1]} == {"classifier", "auxiliary"}
    assert network.eval()(images).shape == (4, 10)
    take_down(network)
    assert set(network_state(network)) == plain
    assert isinstance(network.train()(images), torch.Tensor)


def test_other_networks_have_none() -> None:
    with pytest.raises(SettingsError, match="this network has no auxiliary classifiers; googlenet has"):
        add_auxiliary(small(), class_count=2, seed=0)

"""Every network of the table trains from scratch. In: names, sizes, seeds. Out: shapes, one step, SettingsError."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.datasets
import torch
import torchvision.models
from torch import Tensor, nn

from tellapart.errors import SettingsError
from tellapart.models.blocks import Block, Dense
from tellapart.models.build import BuiltNetwork
from tellapart.models.classics import CLASSICS
from tellapart.models.scratch import build_scratch, create_trunk
from tellapart.preprocessing import Preprocessing

BLOCKS: dict[str, Any] = {"blocks": [Block(filters=16), Block(filters=32)], "dense": [Dense(units=24)]}
# One of each kind; the others take seconds each, some a gigabyte, and repeat what these show.
QUICK = {
    "lenet5",
    "alexnet",
    "alexnet_small",
    "googlenet",
    "inception_v3",
    "xception",
    "resnet18",
    "resnet50",
    "resnetv2_50",
    "densenet121",
    "nasnetamobile",
    "mobilenetv1_100",
    "mobilenetv2_100",
    "mobilenetv3_small_100",
}
ALL = [name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in CLASSICS]
STAGES = {"lenet5": 2, "alexnet": 5, "alexnet_small": 5, "googlenet": 4, "resnet18": 4, "resnetv2_50": 4}


def pictures(size: int, count: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("name", ALL)
def test_trains_at_its_smallest_size(name: str) -> None:
    size = CLASSICS[name].minimum_size
    built = build_scratch(name, class_count=3, seed=0, size=size)
    network = built.network
    assert built.preprocessing == Preprocessing(size=size, crop=1.0, interpolation="bilinear")
    assert built.name == name
    assert len(network.stages) == STAGES.get(name, len(network.stages))
    # Eight, since batch norm over two values of a map of 1 x 1 knows only their order, and gradients explode.
    images = pictures(size)
    network.eval()
    with torch.inference_mode():
        cut = network.run_stages(network.run_stages(images, 0, 1), 1, len(network.stages))
        whole = network.trunk.forward_features(network.normalise(images))
        assert network.embed(cut, start=len(network.stages)).shape == (8, network.embedding)
        assert network(images).shape == (8, 3)
    torch.testing.assert_close(cut, whole)
    one_step(built, images)


def one_step(built: BuiltNetwork, images: Tensor) -> None:
    network = built.network.train()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    loss = nn.functional.cross_entropy(network(images), torch.arange(len(images)) % 3)
    loss.backward()
    assert torch.isfinite(loss)
    parameters = list(network.parameters())
    assert all(parameter.grad is not None for parameter in parameters)  # nothing lies idle
    torch.optim.SGD(parameters, lr=0.1).step()
    after = [bool((old != new).any()) for old, new in zip(before, parameters, strict=True)]
    assert after[0]  # from the first layer
    assert after[-1]  # to the last; in ResNets what is behind a gamma of 0 at the start moves a step later
    assert all(bool(torch.isfinite(parameter).all()) for parameter in parameters)


@pytest.mark.parametrize("name", CLASSICS)
def test_below_the_smallest_size_is_refused(name: str) -> None:
    least = CLASSICS[name].minimum_size
    with pytest.raises(
        SettingsError, match=f"{name} needs pictures of at least {least} x {least} pixels.*Set the size"
    ):
        build_scratch(name, class_count=2, seed=0, size=least - 1)


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "mobilenetv3_small_100", "blocks"])
def test_grey_pictures_stay_one_channel(name: str) -> None:
    network = build_scratch(
        name, class_count=2, seed=0, size=32, channels=1, **(BLOCKS if name == "blocks" else {})
    ).network
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    assert first.in_channels == network.channels == 1
    assert network(pictures(32)).shape == (8, 2)


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "resnet18", "blocks"])
def test_weights_are_a_function_of_the_seed(name: str) -> None:
    own = BLOCKS if name == "blocks" else {}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = build_scratch(name, class_count=2, seed=7, size=32, **own).network.state_dict()
    assert torch.equal(torch.rand(3), expected)  # whoever draws numbers around it is not disturbed
    again = build_scratch(name, class_count=2, seed=7, size=32, **own).network.state_dict()
    other = build_scratch(name, class_count=2, seed=8, size=32, **own).network.state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    weights = [key for key in first if first[key].ndim > 1 and "running" not in key]
    assert not any(torch.equal(first[key], other[key]) for key in weights)


def test_no_size_is_the_networks_own() -> None:
    assert build_scratch("lenet5", class_count=2, seed=0).preprocessing.size == 32
    assert build_scratch("blocks", class_count=2, seed=0, **BLOCKS).preprocessing.size == 64


def test_googlenet_is_torchvisions() -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.GoogLeNet(num_classes=10, aux_logits=False, init_weights=False, dropout=0.0)
    ours = create_trunk(CLASSICS["googlenet"], size=64)
    parts = {key.split(".", 2)[2]: key for key in ours.state_dict()}  # without stages.N
    ours.load_state_dict({parts[key]: value for key, value in theirs.state_dict().items() if key in parts})
    inputs = torch.randn(8, 3, 64, 64)
    with torch.inference_mode():  # in training mode: untrained statistics would fade everything to zero
        embedding = ours.forward_head(ours.forward_features(inputs))
        torch.testing.assert_close(theirs.fc(embedding), theirs(inputs))


def test_nasnet_mobile_has_four_cells_a_third() -> None:
    # Zoph et al. 2017, appendix A: at 224 pixels the last map has 7 x 7 positions, here of 1,056 channels.
    trunk: Any = create_trunk(CLASSICS["nasnetamobile"], size=224).eval()
    calls: list[str] = []
    for name, child in trunk.named_children():
        if "cell" in name:
            child.register_forward_hook(lambda module, inputs, output, name=name: calls.append(name))
    with torch.inference_mode():
        features = trunk.forward_features(torch.randn(1, 3, 224, 224))
    assert features.shape == (1, 1056, 7, 7)
    thirds = [["cell_0", "cell_1", "cell_2", "cell_3"], ["cell_6", "cell_7", "cell_8", "cell_9"]]
    assert calls == [
        "cell_stem_0",
        "cell_stem_1",
        *thirds[0],
        "reduction_cell_0",
        *thirds[1],
        "reduction_cell_1",
        "cell_12",
        "cell_13",
        "cell_14",
        "cell_15",
    ]


def dropouts(name: str, dropout: float | None) -> list[float]:
    """Probabilities of the layers that drop, in the order in which they run; the classifier's is the last."""
    built = build_scratch(name, class_count=2, seed=0, dropout=dropout, **(BLOCKS if name == "blocks" else {}))
    return [module.p for module in built.network.modules() if isinstance(module, nn.Dropout) and module.p]


def test_dropout_is_the_papers_or_as_told() -> None:
    # Krizhevsky et al. 2012, section 4.2: 0.5 in the first two fully connected layers.
    assert dropouts("alexnet_small", None) == [0.5, 0.5]
    assert dropouts("alexnet_small", 0.0) == []
    assert dropouts("resnet18", None) == []
    assert dropouts("resnet18", 0.25) == [0.25]
    assert dropouts("blocks", 0.25) == [0.25]


@pytest.mark.long
def test_vggs_dropout_acts_once_a_layer() -> None:
    # Simonyan and Zisserman 2014, section 3.1: 0.5 for the first two fully connected layers.
    assert dropouts("vgg11", None) == [0.5, 0.5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resnet-18"}, "called 'resnet-18'. Did you mean resnet18"),
        ({"name": "lenet5", "channels": 4}, "channels is 4; a network takes 3 .colour. or 1 .grey."),
        ({"name": "lenet5", "dropout": 1.0}, "dropout is 1.0; it is a probability from 0 to below 1"),
        ({"name": "resnet18", "drop_path": -0.1}, "drop_path is -0.1; it is a probability"),
        ({"name": "vgg16", "drop_path": 0.1}, "drop_path is 0.1, and vgg16 has no residual branches to drop"),
        ({"name": "blocks"}, "the network has no block; it needs at least 1"),
        ({"name": "blocks", "size": 2, **BLOCKS}, "block 2 of 2 gets a map of 1 x 1 from a picture of 2 pixels"),
        ({"name": "blocks", "size": 0, **BLOCKS}, "blocks needs pictures of at least 1 x 1 pixels, and the size is 0"),
        (
            {"name": "lenet5", **BLOCKS},
            "blocks and dense layers are given, but the network is lenet5, which has its own",
        ),
        ({"name": "lenet5", "size": 2000}, "dense layer 1 of 2 would have 3,952,144 x 120 .* a smaller size"),
        ({"name": "inception_v3", "size": 64}, "Set the size to 75 or more .its own is 299., or take resnet18"),
    ],
)
def test_what_cannot_be_built_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build_scratch(class_count=2, seed=0, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("lenet5", marks=pytest.mark.long), "blocks"])
def test_learns_to_read_digits(name: str) -> None:
    # 1,797 digits of 8 x 8 grey levels; on these 297 logistic regression is right for 97.6 %.
    digits = sklearn.datasets.load_digits()
    images = nn.functional.interpolate(torch.from_numpy(digits.images)[:, None] * 255 / 16, size=16, mode="bilinear")
    images = images.round().clamp(0, 255).byte().permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(images)))
    images, targets = images[order], torch.from_numpy(digits.target)[order]
    own = BLOCKS if name == "blocks" else {}
    network = build_scratch(name, class_count=10, seed=0, size=16, channels=1, **own).network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    for _ in range(6):
        for rows in torch.arange(1500).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[rows]), targets[rows]).backward()
            optimizer.step()
    with torch.inference_mode():
        right = network.eval()(images[1500:]).argmax(1) == targets[1500:]
    assert right.float().mean() > 0.95

"""The table of classics says what is true. In: names. Out: parameter counts as published, sizes, clear refusals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from timm.layers import DropPath

from tellapart.errors import SettingsError
from tellapart.models.classics import CLASSICS, SMALLEST, classic
from tellapart.models.scratch import create_trunk

# Parameters that train, at 1,000 classes and three channels unless said otherwise. Sources: torchvision's documentation
# (num_params of each set of weights; Inception-v3 there has 27,161,264, of which the auxiliary classifier that we
# leave out has 3,326,696), Keras's summaries less the non-trainable ones (NASNet, MobileNet v1, Xception), Caffe's
# model zoo for the grouped AlexNet. LeNet-5 and the small AlexNet, at 10 classes, are worked out below.
PUBLISHED = {
    "lenet5": 61_706,
    "alexnet": 60_965_224,
    "alexnet_small": 23_272_266,
    "vgg11": 132_863_336,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "vgg11_bn": 132_868_840,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "googlenet": 6_624_904,
    "inception_v3": 27_161_264 - 3_326_696,
    "xception": 22_910_480 - 54_528,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "nasnetalarge": 88_949_818 - 196_668,
    "nasnetamobile": 5_326_716 - 36_738,
    "mobilenetv1_100": 4_253_864 - 21_888,
    "mobilenetv2_100": 3_504_872,
    "mobilenetv3_small_100": 2_542_856,
    "mobilenetv3_large_100": 5_483_032,
}
# Version 2 moves batch norm to the front of each block: one more in all, and the first layer's and each stage's first
# shortcut lose theirs. Millions, from timm's table of results.
ROUNDED = {
    "resnetv2_18": 11.69,
    "resnetv2_34": 21.80,
    "resnetv2_50": 25.55,
    "resnetv2_101": 44.54,
    "resnetv2_152": 60.19,
}
TEN_CLASSES = {"lenet5": 1, "alexnet_small": 3}  # channels
DEEP = ("101", "152", "161", "169", "201")  # layers; a second each


def quick_and_slow(names: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow) if name.endswith(DEEP) else name for name in names]


def parameters(name: str) -> int:
    entry = CLASSICS[name]
    with torch.device("meta"):  # shapes without memory
        trunk = create_trunk(entry, size=entry.size, channels=TEN_CLASSES.get(name, 3))
    classes = 10 if name in TEN_CLASSES else 1000
    return sum(parameter.numel() for parameter in trunk.parameters()) + (trunk.head_hidden_size + 1) * classes


def test_every_name_has_a_published_count() -> None:
    assert {*PUBLISHED, *ROUNDED} == set(CLASSICS)
    assert all(entry.name == name for name, entry in CLASSICS.items())


@pytest.mark.parametrize("name", quick_and_slow(PUBLISHED))
def test_as_many_parameters_as_published(name: str) -> None:
    assert parameters(name) == PUBLISHED[name]


@pytest.mark.parametrize("name", quick_and_slow(ROUNDED))
def test_about_as_many_parameters_as_published(name: str) -> None:
    assert parameters(name) / 1e6 == pytest.approx(ROUNDED[name], abs=0.005)


def test_the_counts_that_are_worked_out_here() -> None:
    # LeCun et al. 1998, section II.B: C1 156, C5 48,120, F6 10,164 parameters; C3 whole instead of 1,516.
    assert PUBLISHED["lenet5"] == 156 + (5 * 5 * 6 + 1) * 16 + 48_120 + 10_164 + (84 + 1) * 10
    convolutions = (
        (3 * 9 + 1) * 64 + (64 * 9 + 1) * 192 + (192 * 9 + 1) * 384 + (384 * 9 + 1) * 256 + (256 * 9 + 1) * 256
    )
    dense = (2 * 2 * 256 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 10
    assert PUBLISHED["alexnet_small"] == convolutions + dense


@pytest.mark.parametrize("name", quick_and_slow(name for name, entry in CLASSICS.items() if entry.drop_path))
def test_drop_path_reaches_the_network(name: str) -> None:
    with torch.device("meta"):
        trunk = create_trunk(CLASSICS[name], size=CLASSICS[name].size, drop_path=0.25)
    rates = [module.drop_prob for module in trunk.modules() if isinstance(module, DropPath)]
    assert max(rates) == pytest.approx(0.25, abs=0.05)  # timm raises it block by block


@pytest.mark.parametrize(
    "name", quick_and_slow(name for name, entry in CLASSICS.items() if entry.minimum_size > SMALLEST)
)
def test_the_smallest_size_is_not_larger_than_needed(name: str) -> None:
    entry = CLASSICS[name]
    with pytest.raises((RuntimeError, SettingsError)), torch.device("meta"):
        trunk = create_trunk(entry, size=entry.minimum_size - 1).eval()
        trunk.forward_features(torch.zeros(1, 3, entry.minimum_size - 1, entry.minimum_size - 1))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("ResNet50", "resnet50"),
        ("resnet-50", "resnet50"),
        ("legacy_xception", "xception"),
        ("lenet", "lenet5"),
        ("mobilenet_v2", "mobilenetv2_100"),
        ("block", "blocks"),
        ("vgg-16", "vgg16"),
    ],
)
def test_an_unknown_name_is_told_what_is_near(name: str, near: str) -> None:
    with pytest.raises(SettingsError, match=rf"called '{name}'.*Did you mean .*\b{near}\b.*\?.*All of them: lenet5, "):
        classic(name)


def test_a_name_like_none_is_told_what_there_is() -> None:
    with pytest.raises(SettingsError, match="Take resnet18, or describe your own with blocks"):
        classic("???")


def test_the_table_needs_neither_torch_nor_timm() -> None:
    code = "import sys, tellapart.models.classics; print({'torch', 'timm', 'torchvision'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"

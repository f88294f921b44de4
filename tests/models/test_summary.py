"""A network's layers as a table. In: recipes, described networks. Out: shapes and counts worked by hand, Keras' own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tellapart.models.summary import Row, layer_table, told_shape, totals
from tellapart.runs.network import sketch
from tellapart.settings.reading import make_settings, read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"


def table(recipe: str, classes: int) -> tuple[list[Row], int]:
    settings = make_settings({**read_recipe(RECIPES / f"{recipe}.toml"), "data": "pictures"})
    network = sketch(settings, classes)
    rows = layer_table(network)
    whole, _ = totals(rows, network)
    assert sum(row.parameters for row in rows) == whole
    return rows, whole


def sides(rows: list[Row]) -> list[int]:
    """The height of what each convolution and pooling gives."""
    return [row.shape[0] for row in rows if row.kind in ("Conv2D", "MaxPooling2D")]


def vectors(rows: list[Row]) -> list[tuple[str, int]]:
    return [(row.kind, row.shape[0]) for row in rows if len(row.shape) == 1 and row.kind in KINDS]


KINDS = ("Dense", "Dense, softmax", "Dense, sigmoid", "Flatten", "GlobalAveragePooling2D")


def test_the_tutorials_network_of_eleven_valid_convolutions() -> None:
    rows, whole = table("valid_cnn", 2)
    # 256 pixels: 64, 64, pool, 128, 128, pool, 256, 256, pool, 512, pool, 512, pool, 1024, each 3 x 3 and valid.
    assert sides(rows) == [254, 252, 126, 124, 122, 61, 59, 57, 28, 26, 13, 11, 5, 3]
    assert vectors(rows) == [("GlobalAveragePooling2D", 1024), ("Dense", 1024), ("Dense", 256), ("Dense, sigmoid", 1)]
    filters = [3, 64, 64, 128, 128, 256, 256, 512, 512, 1024]
    convolutions = sum(9 * low * high + high for low, high in itertools.pairwise(filters))
    assert whole == convolutions + 1024 * 1024 + 1024 + 1024 * 256 + 256 + 257


def test_the_tutorials_alexnet_of_227_pixels() -> None:
    rows, whole = table("alexnet_227", 10)
    assert sides(rows) == [55, 27, 14, 6, 6, 3]
    assert vectors(rows) == [("Flatten", 3456), ("Dense", 1024), ("Dense, softmax", 10)]
    convolutions = (121 * 3 + 1) * 96 + (25 * 96 + 1) * 256 + (9 * 256 + 1) * 384
    assert whole == convolutions + 3457 * 1024 + 1025 * 10


def test_lenet() -> None:
    rows, whole = table("mnist_lenet", 10)
    assert sides(rows) == [28, 14, 10, 5]
    assert (
        whole == 61_706
    )  # LeCun et al. 1998, with all maps of C3 seeing all of S2 and a linear end: 156 + 2,416 + 48,120 ...


def test_no_block_at_all() -> None:
    rows, whole = table("mnist_dense", 10)
    assert [(row.kind, told_shape(row.shape), row.parameters) for row in rows] == [
        ("Flatten", "(None, 784)", 0),
        ("Dense", "(None, 128)", 100_480),
        ("ReLU", "(None, 128)", 0),
        ("Dropout", "(None, 128)", 0),
        ("Dense, softmax", "(None, 10)", 1_290),
    ]
    assert whole == 101_770  # as TensorFlow's quickstart tells it


@pytest.mark.parametrize(
    ("recipe", "whole", "end"),
    [
        # VGG-16 notop 14,714,688; 513 x 1,024 and 1,025 x 5; 25,089 x 256 and 257 x 5
        ("five_classes_dense", 14_714_688 + 525_312 + 5_125, [("GlobalAveragePooling2D", 512), ("Dense", 1024)]),
        ("five_classes_flatten", 14_714_688 + 6_422_784 + 1_285, [("Flatten", 25088), ("Dense", 256)]),
    ],
)
def test_five_classes_on_vggs_maps(recipe: str, whole: int, end: list[tuple[str, int]]) -> None:
    rows, counted = table(recipe, 5)
    assert counted == whole
    assert vectors(rows) == [*end, ("Dense, softmax", 5)]


def test_googlenet_is_told_without_what_it_only_trains_with() -> None:
    rows, whole = table("googlenet", 10)
    assert whole == 5_610_154 + 2 * 7_280  # torchvision's parameters of 10 classes, and its norms' statistics
    assert rows[-1].kind == "Dense, softmax"

"""What the listed networks cost. In: the kept figures. Out: published sizes, the same again, the list on the screen."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tellapart.cli.main import main
from tellapart.models.measuring import listed, measure, read_figures


def test_every_listed_network_has_figures() -> None:
    assert set(read_figures()) == set(listed())
    assert listed()["vgg16"] == "VGG16"


@pytest.mark.parametrize(
    ("name", "layers", "parameters", "macs"),
    [
        # torchvision's pages: parameters, and thousand million multiply-adds at 224 pixels.
        ("vgg16", 16, 138_357_544, 15.47e9),
        ("resnet50", 54, 25_557_032, 4.09e9),
        ("mobilenetv2_100", 53, 3_504_872, 0.30e9),
        ("densenet121", 121, 7_978_856, 2.83e9),
    ],
)
def test_the_figures_are_the_published_ones(name: str, layers: int, parameters: int, macs: float) -> None:
    found = read_figures()[name]
    assert (found.layers, found.parameters) == (layers, parameters)
    assert found.macs == pytest.approx(macs, rel=0.02)
    assert found.megabytes == pytest.approx(4 * parameters / 1e6)


def test_they_are_those_that_are_worked_out() -> None:
    assert measure("mobilenetv2_100") == read_figures()["mobilenetv2_100"]


def test_the_whole_list_is_told() -> None:
    shown = CliRunner().invoke(main, ["models", "--all"])
    assert shown.exit_code == 0
    line = next(line for line in shown.output.splitlines() if line.startswith("vgg16 "))
    assert line.split() == ["vgg16", "VGG16", "71.6", "90.4", "16", "138.36", "15,470M", "553.4", "224", "download"]
    rows = json.loads(CliRunner().invoke(main, ["models", "--all", "--json"]).output)
    assert {row["name"]: row["top_1"] for row in rows}["tf_efficientnet_lite0"] == 74.83

"""A network before any training. In: names, recipes. Out: tables as Keras tells them, boxes, diagrams, refusals."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from tellapart.cli.main import main
from tellapart.errors import BackboneError, SettingsError, StorageError
from tellapart.settings.reading import read_recipe
from tellapart.workflows.network import boxes_of, draw, lay_out

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def vgg() -> object:
    changes = {"network": {"pooling": "average"}, "finetune": {"unfreeze": "block5_conv1"}}
    return lay_out("VGG16", classes=5, changes=changes)


def test_vgg_is_keras_with_its_last_block_trained(vgg: object) -> None:
    assert (vgg.name, vgg.size, vgg.parameters) == ("vgg16", 224, 14_714_688 + 2_565)
    assert vgg.trained == 3 * 2_359_808 + 2_565  # the three convolutions of block 5, and the classifier
    boxes = boxes_of(vgg)
    assert [box.title for box in boxes] == [
        "picture",
        *(f"block {number}" for number in range(1, 6)),
        "GlobalAveragePooling2D",
        "Dense, softmax",
    ]
    assert boxes[0].shape == "224 x 224 x 3"
    assert boxes[1].lines == "Conv2D 3 x 3, ReLU, Conv2D 3 x 3, ReLU, MaxPooling2D 2 x 2, stride 2"
    assert (boxes[5].shape, boxes[5].parameters) == ("7 x 7 x 512", 3 * 2_359_808)


def test_flatten_dropout_and_every_block_have_a_box(tmp_path: Path) -> None:
    found = lay_out(str(RECIPES / "alexnet_227.toml"), classes=10, changes={})
    boxes = boxes_of(found)
    assert [box.title for box in boxes][1:] == [
        "block 1",
        "block 2",
        "block 3",
        "Flatten",
        "Dense",
        "Dropout",
        "Dense, softmax",
    ]
    assert [box.shape for box in boxes][3:6] == ["3 x 3 x 384", "3456", "1024"]
    texts = {element.text for element in ElementTree.parse(draw(found, tmp_path / "a.svg")).iter() if element.text}
    assert {box.title for box in boxes} <= texts
    with Image.open(draw(found, tmp_path / "a.png")) as picture:
        assert picture.height > 60 * len(boxes)
    with pytest.raises(SettingsError, match=r"a.jpg; a diagram is a .png or a .svg file"):
        draw(found, tmp_path / "a.jpg")


def test_the_table_on_the_screen_and_as_json() -> None:
    shown = CliRunner().invoke(main, ["network", str(RECIPES / "mnist_dense.toml"), "--classes", "10"])
    assert shown.exit_code == 0, shown.output
    assert "Total params: 101,770 (0.39 MB)" in shown.output
    assert "flatten (Flatten)" in shown.output
    assert boxes_of(lay_out(str(RECIPES / "mnist_dense.toml"), classes=10, changes={}))[1].lines == ""  # not told twice
    assert "(None, 784)" in shown.output
    told = CliRunner().invoke(main, ["network", "lenet5", "--set", "network.channels=1", "--classes", "10", "--json"])
    found = json.loads(told.output)
    assert (found["parameters"], found["layers"][0]["output"]) == (61_706, [28, 28, 6])
    assert (found["size"], found["channels"]) == (32, 1)
    grey = lay_out("lenet5", classes=10, changes={"network": {"channels": 1}})
    assert boxes_of(grey)[0].shape == "32 x 32 x 1"


def test_a_finished_run_has_its_own_classes(tiny_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(
        '[settings]\nstrategy = "scratch"\n[settings.network]\nname = "lenet5"\nsize = 32\n'
    )
    assert lay_out(str(tmp_path), classes=None, changes={}).classes == 2
    (tmp_path / "model.onnx").write_bytes(tiny_bytes)
    found = lay_out(str(tmp_path), classes=None, changes={})
    assert (found.classes, found.rows[-1].shape) == (3, (3,))
    assert lay_out(str(tmp_path), classes=7, changes={}).rows[-1].shape == (7,)
    with pytest.raises(
        SettingsError, match="model.onnx is a model; its layers stand in its run. Give the run's folder, such as "
    ):
        lay_out(str(tmp_path / "model.onnx"), classes=None, changes={})


def test_names_of_layers_are_whole_so_that_they_can_be_typed() -> None:
    shown = CliRunner().invoke(main, ["network", str(RECIPES / "alexnet_227.toml"), "--classes", "10"]).output
    lines = shown.splitlines()
    assert lines[3].startswith("stages.0.convolution (Conv2D 11 x 11, stride 4) (None, 55, 55, 96) ")
    assert {len(line) for line in lines[1:16]} == {len(lines[1])}


def test_the_tutorials_second_step_trains_as_many_parameters_as_it_prints() -> None:
    first = lay_out(str(RECIPES / "cats_dogs_mobilenetv2.toml"), classes=2, changes={})
    assert (first.parameters, first.trained) == (2_259_265, 1_281)
    unfreeze = read_recipe(RECIPES / "cats_dogs_mobilenetv2_on.toml")["finetune"]["unfreeze"]
    second = lay_out(
        str(RECIPES / "cats_dogs_mobilenetv2.toml"), classes=2, changes={"finetune": {"unfreeze": unfreeze}}
    )
    assert second.trained == 1_862_721


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(BackboneError, match="timm has no network named 'resnot'"):
        lay_out("resnot", classes=2, changes={})
    with pytest.raises(BackboneError, match="timm has no weights of NASNetMobile"):
        lay_out("NASNetMobile", classes=2, changes={})
    with pytest.raises(SettingsError, match="there is no recipe at nothing.toml"):
        lay_out("nothing.toml", classes=2, changes={})


def test_a_diagram_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    there = tmp_path / "x.svg"
    there.write_text("mine", "utf-8")
    arguments = ["network", str(RECIPES / "mnist_dense.toml"), "--classes", "10", "--diagram", str(there)]
    with pytest.raises(
        StorageError, match=r"x.svg exists already. Choose another name, or give --force to replace it."
    ):
        CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert there.read_text("utf-8") == "mine"
    assert CliRunner().invoke(main, [*arguments, "--force"]).exit_code == 0
    assert there.read_text("utf-8") != "mine"

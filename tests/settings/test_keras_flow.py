"""How Keras' programs read pictures. In: calls, pasted. Out: settings that say the same, what is otherwise, or why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tellapart.cli.main import main
from tellapart.errors import SettingsError
from tellapart.settings.keras_augmentation import from_keras
from tellapart.settings.reading import make_settings, read_recipe

PROGRAM = """
train_datagen = ImageDataGenerator(rescale=1./255, zoom_range=0.2)
train = train_datagen.flow_from_directory(train_dir, target_size=(150, 150), batch_size=20, class_mode="binary")
"""


def test_a_tutorials_program_is_a_recipe(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["recipe", "--from-keras", PROGRAM, "--out", str(tmp_path / "keras.toml")])
    assert shown.exit_code == 0, shown.output
    settings = make_settings({"data": "x", **read_recipe(tmp_path / "keras.toml")})
    assert (settings.network.size, settings.network.fit, settings.network.output) == (150, "squash", "sigmoid")
    assert (settings.loop.batch_size, settings.augment.zoom_in) == (20, 0.25)


@pytest.mark.parametrize(
    ("call", "settings", "remarks"),
    [
        (
            "tf.keras.utils.image_dataset_from_directory(path, image_size=(180, 240), seed=123, label_mode='categorical')",
            {"network": {"size": 240, "fit": "squash", "output": "softmax"}, "split": {"seed": 123}},
            ["the input is a square here: 240 pixels, where image_dataset_from_directory has 180 x 240."],
        ),
        (
            "gen.flow_from_directory('data', color_mode='grayscale', class_mode='sparse', follow_links=True)",
            {"network": {"output": "softmax"}},
            [
                "flow_from_directory reads grey pictures: with --strategy scratch, give --set network.channels=1.",
                "flow_from_directory: follow_links is left out.",
            ],
        ),
        ("gen.flow_from_directory('data', shuffle=False, class_mode=None)", {}, []),
    ],
)
def test_calls(call: str, settings: dict[str, Any], remarks: list[str]) -> None:
    found = from_keras(call)
    assert found.others == settings
    assert found.remarks == remarks
    make_settings({"data": "x", **found.others})


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("gen.flow_from_directory('d', target_size=(4, 4))", "has the size [4, 4]; it is one or two numbers of pixels"),
        ("gen.flow_from_directory('d', target_size=side)", "known only by running it"),
        (
            "gen.flow_from_directory('d', class_mode='input')",
            "has the mode 'input' for classes; here are binary, categorical",
        ),
        ("gen.flow_from_directory('d', color_mode='cmyk')", "has the colours 'cmyk'; Keras has grayscale, rgb, rgba"),
    ],
)
def test_what_cannot_be(call: str, reason: str) -> None:
    with pytest.raises(SettingsError) as fault:
        from_keras(call)
    assert reason in str(fault.value)

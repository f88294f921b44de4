"""Augmentation as Keras writes it. In: calls, pasted. Out: settings with the same meaning, remarks, or why not; nothing is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tellapart.cli.main import main
from tellapart.errors import SettingsError
from tellapart.settings.keras_augmentation import MOST_TEXT, from_keras
from tellapart.settings.reading import make_settings, read_recipe

TUTORIAL = (
    "rotation_range=40, width_shift_range=0.2, height_shift_range=0.2, rescale=1./255, shear_range=0.2, zoom_range=0.2, "
    "horizontal_flip=True, fill_mode='nearest'"
)
AS_SETTINGS = {
    "rotation": 40.0,
    "width_shift": 0.2,
    "height_shift": 0.2,
    "shear": 0.2,
    "zoom_in": 0.25,  # Keras samples 0.8 of the picture, which shows it 1.25 times as large
    "zoom_out": 0.1667,
    "horizontal_flip": 0.5,
    "fill": "nearest",
}


@pytest.mark.parametrize(
    "text",
    [
        TUTORIAL,
        f"ImageDataGenerator({TUTORIAL})",
        f"train_datagen = tf.keras.preprocessing.image.ImageDataGenerator(\n    {TUTORIAL},\n)",
        f"  {TUTORIAL},",
    ],
)
def test_the_call_of_the_tutorials(text: str) -> None:
    found = from_keras(text)
    assert found.augment == AS_SETTINGS
    assert [remark.split()[0] for remark in found.remarks] == ["rescale"]


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("rotation_range=90", {"rotation": 90.0, "fill": "nearest"}),  # Keras' own default
        ("zoom_range=[0.5, 1.0]", {"zoom_in": 1.0, "fill": "nearest"}),
        ("brightness_range=[0.2, 1.0]", {"darken": 0.8}),
        ("brightness_range=(0.5, 1.5)", {"brighten": 0.5, "darken": 0.5}),
        ("channel_shift_range=51", {"brightness_shift": 0.2}),  # Keras adds one number to all channels
        ("horizontal_flip=False, vertical_flip=True", {"vertical_flip": 0.5}),
        (
            "fill_mode='constant', cval=255, rotation_range=5",
            {"fill": "constant", "fill_value": 255.0, "rotation": 5.0},
        ),
        ("fill_mode='reflect', rotation_range=5", {"fill": "mirror", "rotation": 5.0}),
        ("rotation_range=360*0.1", {"rotation": 36.0, "fill": "nearest"}),
        ("RandomFlip('horizontal')", {"horizontal_flip": 0.5}),
        ("layers.RandomFlip()", {"horizontal_flip": 0.5, "vertical_flip": 0.5}),
        ("RandomRotation(0.2)", {"rotation": 72.0, "fill": "mirror"}),
        ("RandomZoom(0.2)", {"zoom_in": 0.25, "zoom_out": 0.1667, "fill": "mirror"}),
        ("RandomZoom((-0.3, -0.2))", {"zoom_in": 0.4286, "fill": "mirror"}),
        ("RandomTranslation(0.1, 0.2)", {"height_shift": 0.1, "width_shift": 0.2, "fill": "mirror"}),
        ("RandomContrast(factor=0.3)", {"contrast": 0.3}),
        ("RandomBrightness(0.2)", {"brightness_shift": 0.2}),
        ("RandomShear(0.1)", {"shear": 5.7106, "fill": "mirror"}),
        (
            "RandomRotation(0.1, fill_mode='constant', fill_value=9)",
            {"rotation": 36.0, "fill": "constant", "fill_value": 9.0},
        ),
        (
            "Sequential([layers.RandomFlip('vertical'), layers.RandomRotation(0.1), layers.Rescaling(1./255)])",
            {"vertical_flip": 0.5, "rotation": 36.0, "fill": "mirror"},
        ),
    ],
)
def test_arguments_and_layers(text: str, settings: dict[str, Any]) -> None:
    found = from_keras(text)
    assert found.augment == settings
    make_settings({"data": "none", "augment": {"preset": "none", **found.augment}})  # within our ranges


def test_pixels_need_a_side() -> None:
    assert from_keras("width_shift_range=20", size=200).augment["width_shift"] == 0.1
    assert from_keras("RandomCrop(112, 112)", size=224).augment == {"crop": 0.25}
    with pytest.raises(SettingsError, match="takes as pixels. Say of how many with --size"):
        from_keras("width_shift_range=20")
    with pytest.raises(SettingsError, match="Give --size with the side"):
        from_keras("RandomCrop(112, 112)")


def test_what_is_not_done_is_told() -> None:
    found = from_keras(
        "featurewise_center=True, samplewise_center=False, preprocessing_function=f, validation_split=0.2"
    )
    assert found.augment == {}
    assert found.validation == 0.2
    assert [remark.split()[0] for remark in found.remarks] == ["featurewise_center", "preprocessing_function"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fill_mode='reflect', cval=10", "cval"),
        ("RandomRotation(0.1, fill_mode='nearest', fill_value=10)", "fill_value"),
    ],
)
def test_a_value_that_nothing_is_filled_with_is_told(text: str, name: str) -> None:
    found = from_keras(text)
    assert found.remarks == [f"{name}=10 is left out: Keras looks at it only with fill_mode='constant'."]
    assert "fill_value" not in found.augment


@pytest.mark.parametrize(
    ("text", "remarks"),
    [
        (
            "brightness_range=(1.2, 1.5)",
            [
                (
                    "brightness_range is from 1.2 to 1.5 in Keras; its range holds 1 here, which leaves a picture as it is: from 1 "
                    "to 1.5."
                )
            ],
        ),
        ("brightness_range=[0.8, 1.2], zoom_range=[0.5, 1.0], rotation_range=[-9, 9]", []),
        (
            "zoom_range=[0.5, 0.8]",
            [
                "zoom_range is from 0.5 to 0.8 in Keras; its range holds 1 here, which leaves a picture as it is: from 0.5 to 1."
            ],
        ),
        (
            "width_shift_range=[0.1, 0.3]",
            ["width_shift_range is from 0.1 to 0.3 in Keras; it goes as far either way here: from -0.3 to 0.3."],
        ),
        (
            "RandomRotation((0.1, 0.2))",
            ["RandomRotation's factor is from 0.1 to 0.2 in Keras; it goes as far either way here: from -0.2 to 0.2."],
        ),
        (
            "RandomTranslation((0, 0.2), 0.1)",
            ["height_factor is from 0 to 0.2 in Keras; it goes as far either way here: from -0.2 to 0.2."],
        ),
        (
            "RandomZoom((-0.3, -0.2))",
            [
                (
                    "1 + RandomZoom's height_factor is from 0.7 to 0.8 in Keras; its range holds 1 here, which leaves a picture as "
                    "it is: from 0.7 to 1."
                )
            ],
        ),
        (
            "RandomContrast((0.1, 0.3))",
            ["RandomContrast's factor is from -0.1 to 0.3 in Keras; it goes as far either way here: from -0.3 to 0.3."],
        ),
        (
            "RandomBrightness((0, 0.2))",
            ["RandomBrightness's factor is from 0 to 0.2 in Keras; it goes as far either way here: from -0.2 to 0.2."],
        ),
        ("RandomContrast(0.3), RandomBrightness((-0.2, 0.2)), RandomRotation(0.1)", []),
    ],
)
def test_ranges_that_are_wider_here_are_told(text: str, remarks: list[str]) -> None:
    assert from_keras(text if "_range" in text else f"Sequential([{text}])").remarks == remarks


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rotation_range=", "cannot be read as a call"),
        ("Conv2D(32, 3)", "names neither ImageDataGenerator nor"),
        ("rotation=40", "ImageDataGenerator has no argument 'rotation'"),
        ("rotation_range=degrees", "'degrees', which is known only by running it"),
        ("rotation_range=__import__('os').getpid()", "known only by running it"),
        ("rotation_range='40'", "it is one number, or two in brackets"),
        ("zoom_range=[1.2, 0.8]", "its factors must be above 0, the lower first"),
        ("zoom_range=1.0", "its factors must be above 0"),
        ("fill_mode='edge', rotation_range=3", "Keras has nearest, reflect, wrap, constant"),
        ("ImageDataGenerator(True)", "an argument without a name"),
        ("ImageDataGenerator(**settings)", "an argument without a name"),
        ("RandomFlip('both')", "Keras has horizontal, vertical"),
        (
            "rotation_range=40, rotation_range=20",
            "ImageDataGenerator is given rotation_range more than once. Keep the one",
        ),
        ("RandomFlip(mode='vertical', mode='horizontal')", "RandomFlip is given mode more than once"),
        ("rotation_range=1/0", "known only by running it"),
        ("x" * (MOST_TEXT + 1), "the limit is"),
        ("(" * 5000, "cannot be read as a call"),
        ("  ", "the call is empty"),
    ],
)
def test_what_cannot_be_read(text: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        from_keras(text)


def test_the_command_writes_a_recipe_that_train_takes(tmp_path: Path) -> None:
    out = tmp_path / "keras.toml"
    result = CliRunner().invoke(main, ["recipe", "--from-keras", TUTORIAL, "--out", str(out)])
    assert result.exit_code == 0, result.output
    settings = make_settings({"data": "none", **read_recipe(out)})
    assert settings.augment.model_dump(exclude_none=True) == {"preset": "none", **AS_SETTINGS}
    again = CliRunner().invoke(main, ["recipe", "--from-keras", TUTORIAL, "--out", str(out)])
    assert again.exit_code != 0
    shown = CliRunner().invoke(main, ["recipe", "--from-keras", "-"], input="rotation_range=400")
    assert shown.exit_code != 0  # outside our range, told before anything is written


def test_layers_that_are_not_known_are_told() -> None:
    found = from_keras("Sequential([layers.RandomFlip(), layers.RandomHue(0.1), layers.GaussianNoise(abs(0.1))])")
    assert found.augment == {"horizontal_flip": 0.5, "vertical_flip": 0.5}
    assert [remark.split()[0] for remark in found.remarks] == ["RandomHue", "GaussianNoise"]

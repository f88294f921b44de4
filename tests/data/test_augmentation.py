"""How pictures are to be varied: presets, ranges, and what is refused. In: settings. Out: Augmentation, messages."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tellapart.data.augmentation import FILLS, PRESETS, RANGES, Augmentation, describe, from_settings, resolve
from tellapart.errors import SettingsError


def test_presets_are_within_the_ranges_and_grow() -> None:
    for preset, values in PRESETS.items():
        changes = {name: value for name, value in values.items() if name != "policy"}
        assert dataclasses.asdict(resolve(preset)) == dataclasses.asdict(resolve(preset, **changes))
    assert resolve("none") == Augmentation()
    assert {preset for preset in PRESETS if resolve(preset).policy != "none"} == {"trivial", "randaugment"}
    light, medium, strong = (resolve(name) for name in ("light", "medium", "strong"))
    for name in RANGES:
        if name != "crop":
            assert getattr(light, name) <= getattr(medium, name) <= getattr(strong, name)
    assert light.crop == 1 > medium.crop == 0.7 > strong.crop
    assert (medium.rotation, strong.erasing, strong.mixup) == (15, 0.25, 0.2)


def test_changes_win_over_the_preset_and_none_keeps_it() -> None:
    changed = resolve("medium", rotation=30, crop=None, fill="black", quarter_turns=True)
    assert (changed.rotation, changed.crop, changed.fill, changed.quarter_turns) == (30, 0.7, "black", True)
    assert (
        from_settings({"preset": "medium", "rotation": 30, "crop": None, "fill": "black", "quarter_turns": True})
        == changed
    )
    assert from_settings({}) == resolve("none")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"horizontal_flip": 1.5},
            "horizontal_flip is 1.5; it must be from 0 to 1 (a probability). Set it to 0.5, for example.",
        ),
        (
            {"vertical_flip": -0.1},
            "vertical_flip is -0.1; it must be from 0 to 1 (a probability). Set it to 0.5, for example.",
        ),
        (
            {"erasing": float("nan")},
            "erasing is nan; it must be from 0 to 1 (a probability). Set it to 0.5, for example.",
        ),
        ({"rotation": 181}, "rotation is 181; it must be from 0 to 180 (degrees). Set it to 15, for example."),
        ({"shift": 0.6}, "shift is 0.6; it must be from 0 to 0.5 (a share of the side). Set it to 0.1, for example."),
        ({"shear": 46}, "shear is 46; it must be from 0 to 45 (degrees). Set it to 5, for example."),
        ({"zoom": 1}, "zoom is 1; it must be from 0 to 0.9 (a share). Set it to 0.1, for example."),
        ({"crop": 0}, "crop is 0; it must be from 0.01 to 1 (a share of the area). Set it to 0.7, for example."),
        ({"crop": 1.01}, "crop is 1.01; it must be from 0.01 to 1 (a share of the area). Set it to 0.7, for example."),
        ({"brightness": 2}, "brightness is 2; it must be from 0 to 1 (a share). Set it to 0.2, for example."),
        ({"contrast": "much"}, "contrast is 'much'; it must be from 0 to 1 (a share). Set it to 0.2, for example."),
        ({"saturation": True}, "saturation is True; it must be from 0 to 1 (a share). Set it to 0.2, for example."),
        (
            {"hue": 0.51},
            "hue is 0.51; it must be from 0 to 0.5 (a share of the colour circle). Set it to 0.05, for example.",
        ),
        ({"mixup": -1}, "mixup is -1; it must be 0 (off) or from 0.01 to 10 (an alpha). Set it to 0.2, for example."),
        (
            {"cutmix": 0.001},
            "cutmix is 0.001; it must be 0 (off) or from 0.01 to 10 (an alpha). Set it to 1, for example.",
        ),
        ({"quarter_turns": 1}, "quarter_turns is 1; it is a switch. Set it to true or false."),
        (
            {"fill": "pink"},
            f"fill is 'pink'; it must be one of: {', '.join(FILLS)}. Choose mirror, for example.",
        ),
    ],
)
def test_values_outside_their_range_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve("medium", **changes)
    assert str(caught.value) == message


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve("meduim")
    assert str(caught.value) == (
        "there is no augmentation preset 'meduim'. Did you mean 'medium'? "
        "The presets are: none, light, medium, strong, trivial, randaugment."
    )
    with pytest.raises(SettingsError) as caught:
        resolve("light", rotate=3)
    assert str(caught.value).startswith(
        "there is no augmentation setting 'rotate'. Did you mean 'rotation'? The settings are: preset, horizontal_flip, "
    )
    assert str(caught.value).endswith(", cutmix, mosaic, elastic, fill_value, quarter_turns, fill.")


def test_the_words_say_what_is_on() -> None:
    assert describe(resolve("none")) == ""
    assert describe(resolve("none", crop=0.5)) == "crop 0.5"
    assert describe(resolve("light")) == "horizontal flip 0.5, shift 0.05, zoom 0.1, brightness 0.1, fill mirror"
    assert describe(resolve("trivial", quarter_turns=True, fill="mean")) == (
        "horizontal flip 0.5, quarter turns, one operation of TrivialAugment, fill mean"
    )

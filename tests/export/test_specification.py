"""The preprocessing as numbers. In: manifests. Out: what stands in preprocessing.json."""

from __future__ import annotations

import json

import pytest

from tellapart.bundle import Manifest, PreprocessingRecord
from tellapart.errors import SettingsError
from tellapart.export.specification import specification


def of(manifest: Manifest, **more: object) -> Manifest:
    usual = {
        "size": 224,
        "crop": 0.875,
        "interpolation": "bicubic",
        "mean": (0.5,) * 3,
        "std": (0.25,) * 3,
        "colour": "srgb",
    }
    return manifest.model_copy(update={"pictures": PreprocessingRecord.model_validate(usual | more)})


def test_it_is_json_with_every_step_in_order_and_the_models_own_numbers(tiny_manifest: Manifest) -> None:
    found = json.loads(json.dumps(specification(of(tiny_manifest)), allow_nan=False))
    steps = {one["step"]: one for one in found["steps"]}
    assert list(steps) == ["decode", "orientation", "colours", "part", "filter"]
    assert (steps["decode"]["scales"], steps["decode"]["least_side"]) == ([1, 2, 4, 8], 448)
    assert (steps["part"]["resized_edge"], steps["part"]["colour"]) == (256, [128, 128, 128])
    assert "224/256 of the shorter side" in steps["part"]["says"]
    assert (steps["filter"]["support"], steps["filter"]["precision_bits"]) == (2, 22)
    assert "a = -0.5" in steps["filter"]["kernel"]
    assert found["input"]["inside_the_network"]["std"] == [0.25, 0.25, 0.25]
    assert found["classes"] == list(tiny_manifest.classes)
    assert found["preprocessing"]["size"] == 224


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"fit": "pad", "crop": 1.0}, "The longer side becomes 224"),
        ({"fit": "squash", "crop": 1.0}, "The whole picture (224/224 of each side, in the middle)"),
        ({"fit": "crop_or_pad", "crop": 1.0}, "Nothing is scaled: of a side over 224 pixels the middle 224 are taken"),
        ({"fit": "crop", "crop": 1.0}, "224/224 of the shorter side"),
    ],
)
def test_how_a_picture_fits_is_said(tiny_manifest: Manifest, more: dict[str, object], words: str) -> None:
    (part,) = [one for one in specification(of(tiny_manifest, **more))["steps"] if one["step"] == "part"]
    assert words in part["says"]


def test_a_filter_without_sample_is_refused(tiny_manifest: Manifest) -> None:
    with pytest.raises(
        SettingsError,
        match="the model takes pictures resized by 'nearest'; a bundle is made for pictures resized by bilinear, bicubic, lanczos",
    ):
        specification(of(tiny_manifest, interpolation="nearest"))

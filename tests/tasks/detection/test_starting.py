"""What is preferred for detectors where nothing was told. In: settings. Out: settings, networks from scratch."""

from __future__ import annotations

import pytest
import torch

from tellapart.errors import BackboneError, SettingsError
from tellapart.preprocessing import Preprocessing
from tellapart.settings.reading import make_settings
from tellapart.tasks.detection.starting import build_from_scratch, prefer, squares


def test_what_is_not_told_is_what_suits_boxes() -> None:
    found = prefer(make_settings({"data": "x"}))
    assert (found.network.size, found.network.fit) == (320, "pad")
    assert (found.loop.batch_size, found.loop.average, found.loop.clip, found.loop.head_learning_rate) == (
        8,
        0.98,
        10.0,
        5e-4,
    )
    assert prefer(make_settings({"data": "x", "strategy": "scratch"})).loop.head_learning_rate == 2e-3
    assert (found.augment.preset, found.augment.zoom, found.augment.fill) == ("none", 0.55, "mean")
    assert prefer(found) == found


def test_what_is_told_stays() -> None:
    told = {
        "data": "x",
        "network": {"size": 64, "fit": "squash"},
        "loop": {"batch_size": 4, "average": 0.0},
        "augment": {"zoom": 0.1},
    }
    found = prefer(make_settings(told))
    assert (found.network.size, found.network.fit) == (64, "squash")
    assert (found.loop.batch_size, found.loop.average, found.loop.clip) == (4, 0.0, 10.0)
    assert (found.augment.zoom, found.augment.horizontal_flip) == (0.1, 0.5)
    preset = prefer(make_settings({"data": "x", "augment": {"preset": "strong"}}))
    assert (preset.augment.preset, preset.augment.zoom) == ("strong", None)


def test_what_no_detector_can_do_is_refused() -> None:
    with pytest.raises(SettingsError) as fault:
        prefer(make_settings({"data": "x", "network": {"size": 300}}))
    assert str(fault.value) == (
        "network.size is 300; a detector's pictures have a side that is a multiple of 32 pixels. Set it to 288, for example."
    )
    with pytest.raises(SettingsError, match=r"^network\.test_time_augmentation is flip, which is a mean over views; "):
        prefer(make_settings({"data": "x", "network": {"test_time_augmentation": "flip"}}))


def test_tiles_share_a_quarter_and_at_most_half() -> None:
    found = prefer(make_settings({"data": "x", "network": {"fit": "tile"}}))
    assert (found.network.fit, found.network.size, found.network.overlap, found.network.scale) == ("tile", 320, 80, 1.0)
    assert found.augment.zoom == 0.3
    told = prefer(make_settings({"data": "x", "network": {"fit": "tile", "size": 64, "overlap": 10, "scale": 2}}))
    inputs = squares(Preprocessing(size=224), told)
    assert (inputs.fit, inputs.size, inputs.crop, inputs.overlap, inputs.scale) == ("tile", 64, 1.0, 10, 2.0)
    with pytest.raises(SettingsError) as fault:
        prefer(make_settings({"data": "x", "network": {"fit": "tile", "size": 64, "overlap": 33}}))
    assert str(fault.value) == (
        "network.overlap is 33, more than half of a tile of 64 pixels. Give 32 or less, or larger tiles by network.size."
    )


def test_a_detector_from_scratch_trains_whole_and_comes_from_its_seed() -> None:
    told = {"data": "x", "strategy": "scratch", "network": {"name": "resnet18", "size": 64}}
    built = build_from_scratch(prefer(make_settings(told)), 3)
    assert (built.network.class_count, built.network.size) == (3, 64)
    assert not built.network.body.batch_norm_frozen
    assert sum(len(group) for group in built.network.layer_groups()) == sum(
        1 for name, _ in built.network.named_parameters() if not name.startswith("body.classifier")
    )
    again = build_from_scratch(prefer(make_settings(told)), 3)
    assert all(
        torch.equal(one, other)
        for one, other in zip(built.network.parameters(), again.network.parameters(), strict=True)
    )
    with pytest.raises(BackboneError, match="detection needs them at 8, 16, 32"):
        build_from_scratch(prefer(make_settings(told | {"network": {"name": "lenet5", "size": 64}})), 3)

"""What suits networks of masks where nothing was told. In: settings, a data set. Out: settings, refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example, PictureFile
from tellapart.data.targets import MaskFile
from tellapart.errors import DataError, SettingsError
from tellapart.settings.reading import make_settings
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.segmentation.starting import build_from_scratch, crop_side, prefer, suit, tiled
from tellapart.tasks.table import TASKS

TASK = TASKS["segmentation"]


def settings_of(**values: Any) -> TrainSettings:
    return make_settings({"data": "x", **values})


def dataset_of(*sizes: tuple[int, int]) -> Dataset:
    """Training pictures of these widths and heights, and one of each other split."""
    splits = ["train"] * len(sizes) + ["validation", "test"]
    examples = [
        Example(
            path=f"{number}.png",  # type: ignore[arg-type]
            target=MaskFile(f"{number}-mask.png"),  # type: ignore[arg-type]
            split=split,  # type: ignore[arg-type]
            group=str(number),
            content_hash=str(number),
            width=width,
            height=height,
            problem="",
        )
        for number, (split, (width, height)) in enumerate(zip(splits, [*sizes, (9, 9), (9, 9)], strict=True))
    ]
    count = len(examples)
    return Dataset(
        classes=("background", "thing"),
        examples=examples,
        indices=np.arange(count),
        targets=np.full((count, 2), 0.5, dtype=np.float32),
        groups=np.arange(count),
        splits=np.array(splits),
        leaked=np.zeros(count, dtype=np.bool_),
        pictures=tuple(PictureFile(path=one.path, file_hash="", content_hash=one.content_hash) for one in examples),
    )


@pytest.mark.parametrize(
    ("sizes", "tile", "crop", "batch"),
    [
        ([(512, 512)] * 3, 512, 256, 8),
        ([(90, 70)] * 3, 256, 256, 8),
        ([(640, 480), (640, 400), (3000, 2000)], 640, 320, 4),
        ([(5000, 4000)] * 2, 1024, 512, 4),
    ],
)
def test_tiles_hold_the_median_picture(sizes: list[tuple[int, int]], tile: int, crop: int, batch: int) -> None:
    settings = suit(prefer(settings_of()), dataset_of(*sizes))
    assert (settings.network.size, settings.network.fit, settings.network.decoder) == (tile, "tile", "unet")
    assert (crop_side(tile), settings.loop.batch_size) == (crop, batch)
    assert suit(settings, dataset_of((2000, 2000))) == settings  # a recipe repeats what was found
    preprocessing = tiled(TASK.build(settings, 2).preprocessing, settings)
    assert (preprocessing.size, preprocessing.fit, preprocessing.overlap) == (tile, "tile", tile // 8)


def test_what_was_told_stays() -> None:
    told = settings_of(
        network={"size": 320, "decoder": "fpn"}, loop={"batch_size": 3, "average": 0.5}, augment={"rotation": 3}
    )
    settings = suit(prefer(told), dataset_of((512, 512)))
    assert (settings.network.size, settings.network.decoder, settings.loop.batch_size) == (320, "fpn", 3)
    assert (settings.loop.average, settings.loop.label_smoothing) == (0.5, 0.0)
    assert (settings.augment.rotation, settings.augment.preset, settings.augment.elastic) == (3, "none", 0.02)
    assert prefer(settings_of(augment={"preset": "strong", "mixup": 0.0})).augment.elastic is None
    probe = suit(prefer(settings_of(strategy="probe")), dataset_of((512, 512)))
    assert (probe.network.size, probe.loop.batch_size) == (512, None)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            {"size": 500},
            r"^network\.size is 500; masks are made in tiles whose side is a multiple of 32 pixels, .* Set it to 512",
        ),
        ({"size": 32}, r"^network\.size is 32; .* at least 64\. Set it to 64, for example\.$"),
        ({"fit": "pad"}, r"^network\.fit is pad; a mask has the pixels of its picture, .* Leave it out\.$"),
        (
            {"fit": "tile", "scale": 0.5},
            r"^network\.scale is 0\.5; a mask has the pixels of its picture, .* Leave it out\.$",
        ),
        (
            {"fit": "tile", "overlap": 200},
            r"^network\.overlap is 200, more than half of a tile of 256 pixels\. Give less, or",
        ),
        ({"test_time_augmentation": "flip"}, r"^network\.test_time_augmentation is flip, .* Set it to none\.$"),
        (
            {"detector": "yolox"},
            r"^network\.detector is yolox, which is for pictures with boxes alone\. Leave it out\.$",
        ),
    ],
)
def test_what_no_mask_can_be_made_with(network: dict[str, Any], message: str) -> None:
    strategy = "finetune" if "test_time_augmentation" in network else "auto"
    with pytest.raises(SettingsError, match=message):
        TASK.prefer(settings_of(network=network, strategy=strategy))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"loop": {"loss": "asymmetric"}},
            r"^loop\.loss is asymmetric, which is not for a class a pixel\. Choose one of: cross",
        ),
        (
            {"augment": {"mixup": 0.2}},
            r"^augment\.mixup is 0\.2, which mixes pictures with one class each; .* Set it to 0\.$",
        ),
        ({"augment": {"preset": "strong"}}, r"^augment\.(mixup|cutmix) is .* Set it to 0\.$"),
    ],
)
def test_what_cannot_be_learned_by_is_refused_before_the_first_answer(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        TASK.prefer(settings_of(**values))


@pytest.mark.parametrize("task", ["classification", "multilabel", "detection"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"network": {"decoder": "fpn"}},
            r"^network\.decoder is fpn, which is for pictures with masks alone\. Leave it out\.$",
        ),
        (
            {"augment": {"elastic": 0.02}},
            r"^augment\.elastic is 0\.02, which is for pictures with masks alone\. Leave it out\.$",
        ),
        (
            {"loop": {"loss": "lovasz"}},
            r"^loop\.loss is lovasz, which is for pictures with masks alone\. Choose cross_entropy",
        ),
    ],
)
def test_other_tasks_refuse_what_is_for_masks(task: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        TASKS[task].prefer(settings_of(**values))


def test_from_scratch_on_any_encoder_weights_follow_the_seed() -> None:
    scratch = {"strategy": "scratch", "network": {"size": 64, "name": "resnet18"}}
    one, same, other = (build_from_scratch(prefer(settings_of(**scratch, seed=seed)), 3) for seed in (0, 0, 1))
    assert one.name == "resnet18"
    states = [built.network.state_dict() for built in (one, same, other)]
    assert all(bool((states[0][name] == states[1][name]).all()) for name in states[0])
    assert not bool((states[0]["head.0.weight"] == states[2]["head.0.weight"]).all())


def test_data_that_teach_nothing_are_refused_before_a_run() -> None:
    dataset = dataset_of((64, 64), (64, 64))
    TASK.check(settings_of(), dataset)
    none = replace(dataset, targets=np.where(dataset.splits[:, None] == "test", 0.0, dataset.targets))
    with pytest.raises(
        DataError, match=r"^0 of 1 pictures of the test split have a pixel that counts; 1 must\. Add pictures"
    ):
        TASK.check(settings_of(), none)
    alone = replace(dataset, targets=np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (4, 1)))
    with pytest.raises(
        DataError, match=r"^every pixel of the training pictures that counts is 'background'; there must be 2"
    ):
        TASK.check(settings_of(), alone)


def test_strata_are_the_rarest_classes() -> None:
    shares = np.array([[0.5, 0.5, 0], [0.9, 0, 0.1], [1, 0, 0], [0, 0, 0]], dtype=np.float32)
    assert TASK.strata(shares).tolist() == [1, 2, 0, 3]

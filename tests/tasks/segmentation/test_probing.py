"""The pixel probe is fitted. In: made crops. Out: its answers, its refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tellapart.data.examples import PictureFile
from tellapart.data.targets import MaskFile
from tellapart.errors import DataError
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.segmentation.crops import Crops, crops_of
from tellapart.tasks.segmentation.masks_of import MasksOf
from tellapart.tasks.segmentation.pictures import OpenedPictures
from tellapart.tasks.segmentation.probe_network import ProbeNetwork
from tellapart.tasks.segmentation.probing import best_way, chosen_rows, drawn_places, fit_pixel_probe, sample_pixels
from tellapart.training.probe import fit_probe

SIDE = 64
CLASSES = ("background", "bright", "missing")


class Halves(nn.Module):
    """Maps of halves, quarters and so on of a picture: the mean colour of each place."""

    out_channels = (3, 3, 3, 3, 3, 3)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, *(nn.functional.avg_pool2d(images, stride) for stride in (2, 4, 8, 16, 32))]


def crops_in(folder: Path, *, shown: tuple[int, ...] = (0, 1), count: int = 6) -> Crops:
    """Pictures whose right part is brighter, and their masks."""
    chance = np.random.default_rng(0)
    pictures, targets = [], []
    for number in range(count):
        mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
        mask[:, int(chance.integers(40, 52)) :] = 1
        mask = np.asarray(shown, dtype=np.uint8)[mask]
        pixels = chance.integers(60, 120, (SIDE, SIDE, 3)) + 50 * (mask == 1)[..., None]
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        Image.fromarray(mask).save(folder / f"{number}-mask.png")
        pictures.append(PictureFile(path=folder / f"{number}.png", file_hash="", content_hash=str(number)))
        targets.append(MaskFile(folder / f"{number}-mask.png"))
    opened = OpenedPictures(
        tuple(pictures),
        MasksOf(tuple(targets), CLASSES),
        class_count=3,
        preprocessing=Preprocessing(size=SIDE, fit="tile"),
    )
    return crops_of(opened, [(SIDE, SIDE)] * count, size=SIDE, augment=None, seed=0)


def network() -> ProbeNetwork:
    return ProbeNetwork(Halves(), class_count=3, preprocessing=Preprocessing(size=SIDE)).eval()


def test_it_tells_bright_from_dark_and_never_what_no_pixel_has(tmp_path: Path) -> None:
    crops, probe, told = crops_in(tmp_path), network(), list[int]()
    details = fit_pixel_probe(probe, crops, seed=0, advance=told.append)
    assert sum(told) == len(chosen_rows(crops, seed=0)) == 6
    assert details["features"] == 3 * (9 * 3 + 2)
    assert details["pixels"] == 6 * 1200
    pixels, masks = crops.get(np.arange(6), 0)
    with torch.inference_mode():
        answer = probe(torch.from_numpy(pixels)).argmax(1).numpy()
    assert (answer == masks).mean() > 0.97
    assert not (answer == 2).any()
    again = network()
    fit_pixel_probe(again, crops, seed=0, advance=told.append)
    for one, other in zip(probe.state_dict().values(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_of_each_class_as_many_pixels_are_drawn(tmp_path: Path) -> None:
    mask = np.full((20, 30), 255, dtype=np.uint8)
    mask[5:, :20], mask[5:, 20:25], mask[19, 29] = 0, 1, 2
    places, numbers, stand = drawn_places(mask, 90, np.random.default_rng(0))
    assert np.bincount(numbers).tolist() == [30, 30, 1]
    np.testing.assert_array_equal(mask[places[:, 0], places[:, 1]], numbers)
    assert np.bincount(numbers, weights=stand) == pytest.approx([300, 75, 1])
    assert len(np.unique(places, axis=0)) == 61
    assert len(drawn_places(np.full((4, 4), 255, dtype=np.uint8), 9, np.random.default_rng(0))[0]) == 0


def test_samples_say_which_picture_they_are_of(tmp_path: Path) -> None:
    crops = crops_in(tmp_path)
    pixels = sample_pixels(network(), crops, seed=0, advance=lambda _: None)
    assert np.unique(pixels.groups).tolist() == [1, 2, 3, 4, 5, 6]
    assert pixels.features.shape == (6 * 1200, 87)
    # The first map is seen with its neighbours; the middle one is the place itself.
    bright = pixels.features[:, 4::9][:, 0]
    assert bright[pixels.labels == 1].mean() > bright[pixels.labels == 0].mean() + 0.3


@pytest.mark.parametrize(
    ("shown", "message"),
    [
        ((1, 1), r"are all of class number 1 of 3 \(counted from 0\); there must be 2 classes\. Add masks"),
        ((255, 255), "^no pixel of the training pictures counts; 1 must"),
    ],
)
def test_masks_that_teach_nothing(shown: tuple[int, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        fit_pixel_probe(network(), crops_in(tmp_path, shown=shown, count=2), seed=0, advance=lambda _: None)


def test_between_equal_and_true_shares_stands_what_finds_most() -> None:
    chance = np.random.default_rng(0)
    labels = np.repeat([0, 1], 600)
    features = chance.normal(size=(1200, 1)).astype(np.float32) + 1.5 * labels[:, None].astype(np.float32)
    probe = fit_probe(features, labels, groups=[""] * 1200, class_count=2, strengths=(1e-2, 1e-3), folds=3, seed=0)
    equal = np.ones(1200)
    assert best_way(probe, labels, equal, np.zeros(2)) == 0.0
    # Where a drawn pixel of the first class stands for thirty, most of what is taken for the second is of the first.
    counts = np.where(labels == 0, 30.0, 1.0)
    priors = np.log([30 / 31, 1 / 31]) - np.log([0.5, 0.5])
    assert best_way(probe, labels, counts, priors) >= 0.5

"""Pixels are drawn, and what the encoder says of them is kept. In: made crops. Out: features, from the cache or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from tellapart.preprocessing import Preprocessing
from tellapart.tasks.segmentation.crops import Crops
from tellapart.tasks.segmentation.probe_network import ProbeNetwork
from tellapart.tasks.segmentation.sampled import FeatureFolder, SampledPixels, drawn_places, sample_pixels

from .made_halves import SIDE, Halves, crops_in, network


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


class Counted(Halves):
    """Counts the pictures that it is given; ends after some, as a process does that is killed."""

    def __init__(self, most: int = 10**6) -> None:
        super().__init__()
        self.seen, self.most = 0, most

    def forward(self, images: Tensor) -> list[Tensor]:
        if self.seen == self.most:
            raise KeyboardInterrupt
        self.seen += len(images)
        return super().forward(images)


def sampled(
    crops: Crops, kept: FeatureFolder | None, *, seed: int = 0, most: int = 10**6
) -> tuple[int, list[int], SampledPixels]:
    """Pictures that the encoder was given, what was told of progress, and the pixels."""
    encoder, told = Counted(most), list[int]()
    probe = ProbeNetwork(encoder, class_count=3, preprocessing=Preprocessing(size=SIDE)).eval()
    pixels = sample_pixels(probe, crops, seed=seed, advance=told.append, kept=kept)
    return encoder.seen, told, pixels


def kept_in(folder: Path, *, limit: int = 10**9, encoder: str = "halves") -> FeatureFolder:
    return FeatureFolder(folder=folder, limit_bytes=limit, encoder=encoder)


def test_a_second_training_asks_the_encoder_nothing(tmp_path: Path) -> None:
    crops, kept = crops_in(tmp_path), kept_in(tmp_path / "cache")
    seen, told, first = sampled(crops, kept)
    again, also_told, second = sampled(crops_in(tmp_path), kept)
    assert (seen, again, sum(told), sum(also_told)) == (6, 0, 6, 6)
    for name in ("features", "labels", "groups", "counts"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    # Where there is no room, and where none is given, the same numbers are computed each time.
    for folder in (None, kept_in(tmp_path / "full", limit=1000)):
        for _ in range(2):
            seen, told, other = sampled(crops, folder)
            assert (seen, sum(told)) == (6, 6)
            np.testing.assert_array_equal(first.features, other.features)


def test_what_features_depend_on_is_what_they_are_kept_under(tmp_path: Path) -> None:
    kept = kept_in(tmp_path / "cache")
    sampled(crops_in(tmp_path), kept)
    assert sampled(crops_in(tmp_path), kept, seed=1)[0] == 6  # other pixels are drawn
    assert sampled(crops_in(tmp_path), kept_in(tmp_path / "cache", encoder="other weights"))[0] == 6
    assert sampled(crops_in(tmp_path, count=8), kept)[0] == 2  # the two that were added
    mask = np.zeros((SIDE, SIDE), dtype=np.uint8)
    mask[:, 20:] = 1
    Image.fromarray(mask).save(tmp_path / "3-mask.png")
    assert sampled(reread(tmp_path), kept)[0] == 1  # whose mask was mended


def reread(folder: Path) -> Crops:
    """The crops, of the files as they are now."""
    files = {path: path.read_bytes() for path in folder.glob("*-mask.png")}
    crops = crops_in(folder)
    for path, data in files.items():
        path.write_bytes(data)
    return crops


def test_what_was_stopped_goes_on_and_ends_in_the_same_numbers(tmp_path: Path) -> None:
    crops, kept = crops_in(tmp_path), kept_in(tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        sampled(crops, kept, most=4)
    seen, told, pixels = sampled(crops, kept)
    assert (seen, sum(told)) == (2, 6)
    np.testing.assert_array_equal(pixels.features, sampled(crops, None)[2].features)


def test_a_damaged_row_is_computed_again(tmp_path: Path) -> None:
    crops, kept = crops_in(tmp_path), kept_in(tmp_path / "cache")
    first = sampled(crops, kept)[2]
    (path,) = (tmp_path / "cache").glob("rows/*/data.bin")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    seen, _, second = sampled(crops, kept)
    assert seen == 1
    np.testing.assert_array_equal(first.features, second.features)


def test_a_crop_of_which_nothing_counts_is_passed_over(tmp_path: Path) -> None:
    crops_in(tmp_path)
    Image.fromarray(np.full((SIDE, SIDE), 255, dtype=np.uint8)).save(tmp_path / "2-mask.png")
    seen, told, pixels = sampled(reread(tmp_path), kept_in(tmp_path / "cache"))
    assert (seen, sum(told), np.unique(pixels.groups).tolist()) == (5, 6, [1, 2, 4, 5, 6])

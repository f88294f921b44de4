"""Training pictures are varied. In: pictures made by hand, settings. Out: what each setting does, and nothing else."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tellapart.data.augment import Augment, build_augmentation
from tellapart.data.augmentation import FILLS, PRESETS, resolve


def noise(side: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def middle(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    start = (len(picture) - size) // 2
    return picture[start : start + size, start : start + size]


def only(size: int, **changes: Any) -> Augment:
    return build_augmentation(resolve("none", **changes), size=size)


def variants(augment: Augment, picture: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    return np.stack([augment(picture, (7, number)) for number in range(count)])


def geometry_of(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[2, 3]: where each output point (x, y, 1) comes from, in a source whose red is x and green is y."""
    rows, columns = np.mgrid[: len(pixels), : len(pixels)] + 0.5
    points = np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)], axis=1)
    found, *_ = np.linalg.lstsq(points, pixels[..., :2].reshape(-1, 2) + 0.5, rcond=None)
    return found.T


def compass() -> NDArray[np.uint8]:
    """Red is x, green is y: from any piece of it one can tell where it comes from."""
    ramp = np.arange(256, dtype=np.uint8)
    return np.stack([np.tile(ramp, (256, 1)), np.tile(ramp[:, None], (1, 256)), np.zeros((256, 256), np.uint8)], axis=2)


@pytest.mark.parametrize(("side", "size"), [(9, 9), (10, 7), (11, 8), (256, 224), (5, 1)])
def test_with_everything_off_the_centre_is_cut_out_exactly(side: int, size: int) -> None:
    picture = noise(side)
    np.testing.assert_array_equal(only(size)(picture, (0,)), middle(picture, size))


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_pure_function_of_picture_and_seed(preset: str) -> None:
    picture, augment = noise(40), build_augmentation(resolve(preset), size=32)
    before, states = picture.copy(), _random_states()
    first = [augment(picture, (3, number)) for number in range(40)]
    assert _random_states() == states
    np.testing.assert_array_equal(picture, before)
    assert all(pixels.shape == (32, 32, 3) and pixels.dtype == np.uint8 for pixels in first)
    assert all(pixels.flags.writeable and pixels.flags.c_contiguous for pixels in first)
    again = pickle.loads(pickle.dumps(augment))  # as a worker process gets it
    with ThreadPoolExecutor(4) as pool:
        second = list(pool.map(lambda number: again(picture, (3, number)), range(40)))
    np.testing.assert_array_equal(first, second)
    distinct = len({pixels.tobytes() for pixels in first})
    assert distinct == 1 if preset == "none" else distinct > 20


def _random_states() -> tuple[object, ...]:
    legacy = np.random.get_state()  # noqa: NPY002
    return random.getstate(), legacy[1].tobytes(), legacy[2], torch.get_rng_state().numpy().tobytes()  # type: ignore[union-attr]


def test_strong_changes_more_than_medium_and_medium_more_than_light() -> None:
    # A smooth picture: on noise any interpolation at all changes everything.
    picture = np.kron(noise(6), np.ones((8, 8, 1), dtype=np.uint8))
    change = {
        preset: np.abs(
            variants(build_augmentation(resolve(preset), size=40), picture, 200) - middle(picture, 40).astype(float)
        ).mean()
        for preset in ("none", "light", "medium", "strong")
    }
    assert change["none"] == 0 < change["light"] < change["medium"] < change["strong"]


def test_flips_are_exact() -> None:
    picture = noise(11)
    np.testing.assert_array_equal(only(8, horizontal_flip=1)(picture, (0,)), middle(picture, 8)[:, ::-1])
    np.testing.assert_array_equal(only(8, vertical_flip=1)(picture, (0,)), middle(picture, 8)[::-1])
    both = only(8, horizontal_flip=1, vertical_flip=1)(picture, (0,))
    np.testing.assert_array_equal(both, middle(picture, 8)[::-1, ::-1])


@pytest.mark.parametrize("name", ["horizontal_flip", "vertical_flip", "erasing"])
@pytest.mark.parametrize("probability", [0.25, 0.5])
def test_probabilities_are_kept(name: str, probability: float) -> None:
    picture = noise(12)
    changed = variants(only(12, **{name: probability}), picture, 2000) != picture
    share = changed.any(axis=(1, 2, 3)).mean()
    assert share == pytest.approx(probability, abs=4 * (probability * (1 - probability) / 2000) ** 0.5)


def test_quarter_turns_are_exact_and_equally_likely() -> None:
    picture = noise(7)
    turned = [np.rot90(middle(picture, 6), turns).tobytes() for turns in range(4)]
    counts = [0, 0, 0, 0]
    for pixels in variants(only(6, quarter_turns=True), picture, 2000):
        counts[turned.index(pixels.tobytes())] += 1
    assert all(abs(count - 500) < 80 for count in counts)  # four standard deviations are 77


def test_rotation_is_within_its_degrees_both_ways() -> None:
    found = [geometry_of(pixels) for pixels in variants(only(120, rotation=20), compass(), 200)]
    angles = np.degrees([np.arctan2(matrix[1, 0], matrix[0, 0]) for matrix in found])
    assert -20.1 < angles.min() < -18
    assert 18 < angles.max() < 20.1
    # A rotation and nothing else: orthogonal, about the middle.
    for matrix in found:
        np.testing.assert_allclose(matrix[:, :2] @ matrix[:, :2].T, np.eye(2), atol=0.01)
        np.testing.assert_allclose(matrix @ (60, 60, 1), (128, 128), atol=0.55)  # Pillow cuts fractions off


def test_shift_is_within_its_share_of_the_side() -> None:
    found = np.array([geometry_of(pixels) for pixels in variants(only(100, shift=0.3), compass(), 200)])
    np.testing.assert_allclose(found[:, :, :2], np.broadcast_to(np.eye(2), (200, 2, 2)), atol=0.01)
    moved = found[:, :, 2] - 78
    for axis in (0, 1):
        assert -30.1 < moved[:, axis].min() < -27
        assert 27 < moved[:, axis].max() < 30.1


def test_zoom_scales_about_the_middle() -> None:
    found = np.array([geometry_of(pixels) for pixels in variants(only(120, zoom=0.5), compass(), 200)])
    factors = 1 / found[:, 0, 0]
    assert 0.49 < factors.min() < 0.55
    assert 1.45 < factors.max() < 1.51
    np.testing.assert_allclose(found[:, 0, 0], found[:, 1, 1], atol=0.01)
    np.testing.assert_allclose(found @ (60, 60, 1), np.full((200, 2), 128), atol=0.2)


def test_shear_leans_along_x_only() -> None:
    found = np.array([geometry_of(pixels) for pixels in variants(only(100, shear=30), compass(), 200)])
    angles = np.degrees(np.arctan(-found[:, 0, 1]))
    assert -30.1 < angles.min() < -27
    assert 27 < angles.max() < 30.1
    np.testing.assert_allclose(found[:, 1, :2], np.broadcast_to((0, 1), (200, 2)), atol=0.01)


def test_crop_keeps_at_least_its_share_of_the_area_in_shapes_up_to_four_by_three() -> None:
    found = np.array([geometry_of(pixels) for pixels in variants(only(64, crop=0.25), compass(), 300)])
    widths, heights = 64 * found[:, 0, 0] / 256, 64 * found[:, 1, 1] / 256
    areas, aspects = widths * heights, widths / heights
    assert 0.24 < areas.min() < 0.28
    assert 0.96 < areas.max() < 1.01
    assert areas.mean() == pytest.approx(0.625, abs=0.05)  # uniform
    assert 0.74 < aspects.min() < 0.8
    assert 1.26 < aspects.max() < 1.35
    lefts, rights = found[:, 0, 2], found[:, 0, 2] + 256 * widths
    assert lefts.min() > -1
    assert rights.max() < 257
    assert lefts.max() > 90  # they lie all over the picture


def test_brightness_scales() -> None:
    grey = np.full((4, 4, 3), 100, dtype=np.uint8)
    values = variants(only(4, brightness=0.5), grey, 300)[:, 0, 0, 0]
    assert 49 <= values.min() <= 55
    assert 145 <= values.max() <= 151


def test_contrast_moves_away_from_the_mean() -> None:
    halves = np.full((4, 4, 3), 80, dtype=np.uint8)
    halves[:, 2:] = 120
    found = variants(only(4, contrast=0.5), halves, 300).astype(int)
    spread = found[:, 0, 3, 0] - found[:, 0, 0, 0]
    assert 18 <= spread.min() <= 22
    assert 58 <= spread.max() <= 62
    assert np.abs(found.mean(axis=(1, 2, 3)) - 100).max() <= 1


def test_saturation_changes_colours_and_leaves_grey() -> None:
    picture = np.zeros((1, 1, 3), dtype=np.uint8)
    picture[0, 0] = (140, 100, 100)
    found = variants(only(1, saturation=0.5), picture, 300)[:, 0, 0].astype(int)
    spread = found[:, 0] - found[:, 1]
    assert 19 <= spread.min() <= 22
    assert 58 <= spread.max() <= 61
    grey = np.full((1, 1, 3), 77, dtype=np.uint8)
    assert (variants(only(1, saturation=1, hue=0.5), grey, 50) == 77).all()


def test_hue_turns_the_colour_and_keeps_the_luma() -> None:
    picture = np.zeros((1, 1, 3), dtype=np.uint8)
    picture[0, 0] = (140, 100, 100)
    found = variants(only(1, hue=0.5), picture, 300)[:, 0, 0].astype(float)
    np.testing.assert_allclose(found @ (0.299, 0.587, 0.114), 0.299 * 140 + 0.701 * 100, atol=1)
    assert {pixel.argmax() for pixel in found} == {0, 1, 2}  # reddish, greenish and bluish
    slight = variants(only(1, hue=0.02), picture, 100)[:, 0, 0].astype(float)
    assert np.abs(slight - picture[0, 0]).max() < 10


def test_erasing_fills_one_rectangle_of_a_limited_area() -> None:
    picture = np.full((50, 50, 3), 255, dtype=np.uint8)
    areas = []
    for pixels in variants(only(50, erasing=1, fill="black"), picture, 300):
        rows, columns = np.nonzero((pixels == 0).all(axis=2))
        inside = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert (inside == 0).all()
        assert (pixels == 0).sum() == inside.size
        areas.append(inside.size / pixels.size)
    assert 0.015 < min(areas) < 0.04
    assert 0.29 < max(areas) < 0.35
    tinted = np.full((50, 50, 3), 200, dtype=np.uint8)
    tinted[:, ::2] = 100
    assert (150, 150, 150) in {tuple(pixel) for pixel in only(50, erasing=1)(tinted, (1,)).reshape(-1, 3).tolist()}


@pytest.mark.parametrize("fill", FILLS)
def test_what_comes_from_outside_is_filled(fill: str) -> None:
    picture = np.full((30, 30, 3), (100, 150, 40), dtype=np.uint8)
    picture[:, 15:] = (120, 170, 60)
    found = variants(only(30, rotation=180, fill=fill), picture, 20)
    colours = {tuple(pixel) for pixel in found[:, 0, 0].tolist()}  # of the upper left corner
    expected = {"black": (0, 0, 0), "constant": (0, 0, 0), "white": (255, 255, 255), "mean": (110, 160, 50)}
    if fill in expected:
        assert expected[fill] in colours
        # What lies inside the picture is never filled.
        assert found[:, 13:17, 13:17, 1].min() >= 149
        assert found[:, 13:17, 13:17, 1].max() <= 171
    else:
        assert found[..., 1].min() >= 149
        assert found[..., 1].max() <= 171


def test_mirrored_edges_continue_the_picture() -> None:
    ramp = np.zeros((20, 20, 3), dtype=np.uint8)
    ramp[:] = (np.arange(20) * 10)[None, :, None]
    augment = only(20, shift=0.5)
    for number in range(20):
        row = augment(ramp, (number,))[10, :, 0].astype(int)
        assert np.abs(np.diff(row)).max() <= 11  # no jump anywhere


def test_settings_do_not_disturb_each_other() -> None:
    picture = compass()
    plain, coloured = only(100, rotation=20), only(100, rotation=20, erasing=0.3, horizontal_flip=0.0, hue=0.0)
    same = [np.array_equal(plain(picture, (n,)), coloured(picture, (n,))) for n in range(100)]
    assert 0.5 < np.mean(same) < 0.9  # where nothing was erased, the rotation is the same


@pytest.mark.parametrize("bad", [noise(7), noise(9)[:, :8], noise(9)[..., 0], noise(9).astype(np.float32)])
def test_other_arrays_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[S, S, 3\] with S >= 8"):
        only(8)(bad, (0,))


@pytest.mark.parametrize(("fill", "expected"), [("nearest", 10), ("wrap", 13), ("constant", 77), ("reflect", 10)])
def test_what_a_shift_brings_in(fill: str, expected: int) -> None:
    columns = np.tile(np.array([10, 11, 12, 13], np.uint8)[None, :, None], (4, 1, 3))  # a column a grey
    augment = only(4, width_shift=0.5, fill=fill, fill_value=77)
    seen = set()
    for number in range(60):
        pixels, geometry = augment.vary(columns, (number,))
        if round(4 * geometry.shift[0], 1) >= 1:  # by a pixel at least: what is brought in fills the first column
            seen.add(int(pixels[0, 0, 0]))
    assert seen
    assert seen <= {expected, expected - 1, 11 if fill == "reflect" else expected}


def test_width_and_height_are_shifted_apart() -> None:
    for name, place in (("width_shift", 0), ("height_shift", 1)):
        shifts = np.array([only(32, **{name: 0.25}).geometry((0, number)).shift for number in range(200)])
        assert np.abs(shifts[:, 1 - place]).max() == 0
        assert 0.2 < np.abs(shifts[:, place]).max() <= 0.25


def test_a_crop_of_the_padded_picture_moves_by_whole_pixels() -> None:
    picture, augment = noise(32), only(32, crop_padding=4, fill="black")
    padded = np.pad(picture, ((4, 4), (4, 4), (0, 0)))
    places = set()
    for number in range(120):
        pixels, geometry = augment.vary(picture, (5, number))
        right, down = (round(32 * share) for share in geometry.shift)
        np.testing.assert_array_equal(pixels, padded[4 - down : 36 - down, 4 - right : 36 - right])
        places.add((right, down))
    assert max(max(map(abs, place)) for place in places) == 4
    assert len(places) > 30


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [({"zoom_in": 0.5}, 1.0, 1.5), ({"zoom_out": 0.5}, 0.5, 1.0), ({"zoom": 0.2, "zoom_in": 0.5}, 0.8, 1.5)],
)
def test_zoom_in_and_out_apart(changes: dict[str, float], low: float, high: float) -> None:
    factors = np.array([only(32, **changes).geometry((1, number)).matrix[0] for number in range(400)])
    assert low <= factors.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < factors.max() <= high


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [({"darken": 0.5}, 50, 100), ({"brighten": 0.5}, 100, 150), ({"brightness_shift": 0.2}, 49, 151)],
)
def test_brightness_multiplied_and_added(changes: dict[str, float], low: int, high: int) -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    found = variants(only(8, **changes), grey, 300)
    assert (found == found[..., :1]).all()  # grey stays grey
    assert low <= found.min() < low + 5
    assert high - 5 < found.max() <= high


def test_channels_are_shifted_each_by_its_own() -> None:
    found = variants(only(8, channel_shift=0.2), np.full((8, 8, 3), 100, np.uint8), 300)[:, 0, 0].astype(int)
    assert 49 <= found.min() < 53
    assert 147 < found.max() <= 151
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.15


def test_what_came_later_changes_nothing_where_it_is_off() -> None:
    """The first varied picture of the strong preset, as it was before these settings were there."""
    import hashlib

    pixels = build_augmentation(resolve("strong"), size=32)(noise(40), (3, 1))
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == "2f9e586f423404e4"

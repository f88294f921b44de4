"""Copies are found, and pictures that only look alike are not: real photographs, solar cells, digits, noise."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import elpv_dataset
import imagehash
import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from tellapart.data.copies import Copies, find_copies
from tellapart.data.examples import Inspection
from tellapart.data.likeness import same_picture, within_reach

COUNT = 23  # photographs
CELLS = Path(elpv_dataset.__file__).parent / "data" / "images"


def look(image: Image.Image) -> Inspection:
    grey = image.convert("L").resize((32, 32), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return Inspection(
        file_hash=hashlib.sha256(image.tobytes()).hexdigest(),
        content_hash=hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()[:32],
        perceptual_hash=int(str(imagehash.phash(grey)), 16),
        thumbnail=grey.tobytes(),
        width=image.width,
        height=image.height,
    )


def of_pixels(pixels: NDArray[np.generic], *, perceptual_hash: int | None = None) -> Inspection:
    """A thumbnail, [32, 32], as if a picture had been reduced to it; by default its hash is random."""
    thumbnail = np.clip(np.rint(pixels.astype(np.float64)), 0, 255).astype(np.uint8).tobytes()
    digest = hashlib.sha256(thumbnail).hexdigest()
    chosen = int(digest[32:48], 16) if perceptual_hash is None else perceptual_hash
    return Inspection(file_hash=digest, content_hash=digest[:32], perceptual_hash=chosen, thumbnail=thumbnail)


@contextlib.contextmanager
def compared() -> Iterator[Counter[str]]:
    """How many pairs of pictures are looked at, by function: the interpreter tells of each call."""
    count: Counter[str] = Counter()
    functions = {within_reach.__code__, same_picture.__code__}

    def told(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code in functions:
            count[frame.f_code.co_name] += len(frame.f_locals["pairs"])

    sys.setprofile(told)
    try:
        yield count
    finally:
        sys.setprofile(None)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def resized(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)


def cropped(image: Image.Image, share: float) -> Image.Image:
    x, y = round(image.width * share / 2), round(image.height * share / 2)
    return image.crop((x, y, image.width - x, image.height - y))


COPIES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 90": lambda image: jpeg(image, 90),
    "JPEG 40": lambda image: jpeg(image, 40),
    "half the size": lambda image: resized(image, 0.5),
    "1.5 times the size": lambda image: resized(image, 1.5),
    "twice the size": lambda image: resized(image, 2),
    "half the size, JPEG 75": lambda image: jpeg(resized(image, 0.5), 75),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.9),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.1),
    "2 % crop": lambda image: cropped(image, 0.02),
}


@pytest.fixture(scope="session")
def photographs() -> list[Image.Image]:
    """Different parts of two photographs; not the plain ones, of sky and of blurred leaves."""
    whole = [Image.fromarray(pixels) for pixels in sklearn.datasets.load_sample_images().images]
    parts = [
        image.crop((left, top, left + 128, top + 142))
        for image in whole
        for top in (0, 142, 284)
        for left in (0, 128, 256, 384, 512)
    ]
    lively = [part for part in parts if np.frombuffer(look(part).thumbnail, dtype=np.uint8).std() > 20]
    assert len(lively) == COUNT
    return lively


@pytest.fixture(scope="session")
def cells() -> list[Image.Image]:
    """Every eighth solar cell: they all look alike."""
    return [Image.open(path).convert("RGB") for path in sorted(CELLS.glob("*.png"))[::8]]


def thumbnail(image: Image.Image) -> NDArray[np.float64]:
    return np.frombuffer(look(image).thumbnail, dtype=np.uint8).reshape(32, 32).astype(np.float64)


def together(copies: Copies, first: int, second: int) -> bool:
    return copies.cluster_of[first] == copies.cluster_of[second]


@pytest.mark.parametrize("kind", list(COPIES))
def test_every_changed_copy_of_a_photograph_is_found(photographs: list[Image.Image], kind: str) -> None:
    originals = [look(image) for image in photographs]
    changed = [look(COPIES[kind](image)) for image in photographs]
    copies = find_copies([*originals, *changed])
    assert copies.near == tuple((index, COUNT + index) for index in range(COUNT))


def test_different_photographs_are_no_copies(photographs: list[Image.Image]) -> None:
    copies = find_copies([look(image) for image in photographs])
    assert copies == Copies(exact=(), near=(), cluster_of=list(range(COUNT)))


def test_solar_cells_are_told_apart_and_their_copies_found(cells: list[Image.Image]) -> None:
    originals = [look(image) for image in cells]
    assert len(originals) == 328
    alone = find_copies(originals)
    assert len(alone.near) <= 3, alone.near  # wafers cut side by side from one ingot share their flaws
    assert all(len(cluster) == 2 for cluster in alone.near)

    changed = [look(COPIES["JPEG 90"](image)) for image in cells[::4]]
    copies = find_copies([*originals, *changed])
    found = [together(copies, 4 * index, len(originals) + index) for index in range(len(changed))]
    assert np.mean(found) > 0.7  # a plain cell has too little of its own to be sure
    wrong = [cluster for cluster in copies.near if cluster not in alone.near and cluster[0] != 4 * (cluster[-1] - 328)]
    assert len(wrong) <= 3, wrong


def test_digits_of_eight_by_eight_pixels_are_no_copies() -> None:
    digits = sklearn.datasets.load_digits().images * (255 / 16)
    pictures = [look(Image.fromarray(np.rint(digit).astype(np.uint8)).convert("RGB")) for digit in digits]
    assert find_copies(pictures).near == ()


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0, 3.0])
def test_plain_dark_pictures_are_never_near_copies(noise: float) -> None:
    generator = np.random.default_rng(0)
    pictures = [look(Image.new("RGB", (40 + index, 50), (20, 20, 20))) for index in range(20)]
    pictures += [of_pixels(20 + generator.normal(0, noise, (32, 32)), perceptual_hash=0) for _ in range(500)]
    assert find_copies(pictures).near == ()


def test_faint_pictures_need_all_but_equal_pixels() -> None:
    generator = np.random.default_rng(0)
    faint = [128 + generator.normal(0, 5, (32, 32)) for _ in range(100)]
    changed = [picture + generator.normal(0, 0.3, (32, 32)) for picture in faint]
    pictures = [of_pixels(pixels, perceptual_hash=7) for pixels in [*faint, *changed]]
    assert find_copies(pictures).near == ()  # a tenth of the contrast differs; with more contrast that passes:
    pictures = [of_pixels(128 + 8 * (pixels - 128), perceptual_hash=7) for pixels in [*faint, *changed]]
    assert find_copies(pictures).near == tuple((index, 100 + index) for index in range(100))


def test_exact_copies_are_those_of_equal_pixels_and_join_the_near_ones(photographs: list[Image.Image]) -> None:
    first, second, third = (look(image) for image in photographs[:3])
    near = look(jpeg(photographs[1], 90))
    copies = find_copies([first, second, third, second, near, first, first])
    assert copies.exact == ((0, 5, 6), (1, 3))
    assert copies.near == ((1, 3, 4),)
    assert copies.cluster_of == [0, 1, 2, 1, 1, 0, 0]


def test_unreadable_pictures_are_alone(photographs: list[Image.Image]) -> None:
    broken = Inspection(file_hash="1" * 64, problem="empty file")
    copies = find_copies([broken, look(photographs[0]), broken, look(photographs[0])])
    assert copies == Copies(exact=((1, 3),), near=(), cluster_of=[0, 1, 2, 1])


@pytest.mark.parametrize("pictures", [[], [Inspection(file_hash="", problem="no permission to read it")]])
def test_nothing_readable_gives_no_copies(pictures: list[Inspection]) -> None:
    assert find_copies(pictures) == Copies(exact=(), near=(), cluster_of=list(range(len(pictures))))


def test_two_pictures_are_enough_to_compare(photographs: list[Image.Image]) -> None:
    assert find_copies([look(photographs[0]), look(jpeg(photographs[0], 75))]).near == ((0, 1),)
    assert find_copies([look(photographs[0]), look(photographs[1])]).near == ()


def test_order_changes_nothing(photographs: list[Image.Image]) -> None:
    pictures = [look(image) for image in photographs] + [look(jpeg(image, 75)) for image in photographs]
    order = list(range(len(pictures)))
    random.Random(0).shuffle(order)
    here, there = find_copies(pictures), find_copies([pictures[index] for index in order])
    back = {frozenset(order[index] for index in cluster) for cluster in there.near}
    assert back == {frozenset(cluster) for cluster in here.near}
    assert len(back) == COUNT


def test_a_chain_of_small_changes_does_not_make_its_ends_copies(photographs: list[Image.Image]) -> None:
    first, last = (thumbnail(photographs[index]) for index in (3, 12))
    steps = [of_pixels(first + (last - first) * step / 40, perceptual_hash=1) for step in range(41)]
    others = [look(image) for index, image in enumerate(photographs) if index not in (3, 12)]
    for step in range(0, 40, 5):  # each is a copy of the next one ...
        assert together(find_copies([steps[step], steps[step + 1], *others]), 0, 1)
    copies = find_copies([*steps, *others])
    assert not together(copies, 0, 40)  # ... but the last is not one of the first
    for cluster in copies.near:
        assert any(
            all(together(find_copies([steps[centre], steps[index], *others]), 0, 1) for index in cluster)
            for centre in cluster
        )


def test_copies_are_found_in_a_crowd_with_one_hash() -> None:
    """Six thousand pictures of one texture with the same hash, of which 200 are there twice."""
    generator = np.random.default_rng(0)
    waves = np.cos(np.arange(9)[:, None] * (np.arange(32) + 0.5) * np.pi / 32)
    texture = 128 + 9 * waves.T @ generator.choice([-1.0, 1.0], (9, 9)) @ waves
    crowd = [texture + generator.normal(0, 14, (32, 32)) for _ in range(5800)]
    planted = [1.03 * pixels + generator.normal(0, 0.5, (32, 32)) for pixels in crowd[:200]]
    pictures = [of_pixels(pixels, perceptual_hash=0xF0F0) for pixels in [*crowd, *planted]]
    with compared() as count:
        copies = find_copies(pictures)
    assert count.total() < 6000 * 5999 / 2 / 10  # of all with all a tenth at most
    assert copies.near == tuple((index, 5800 + index) for index in range(200))


@pytest.mark.parametrize("number", [50, 1000])
def test_a_picture_that_is_there_many_times_is_one_cluster(photographs: list[Image.Image], number: int) -> None:
    generator = np.random.default_rng(0)
    pixels = thumbnail(photographs[0])
    noisy = [of_pixels(pixels + generator.normal(0, 1, (32, 32)), perceptual_hash=5) for _ in range(number)]
    copies = find_copies([*noisy, *(look(image) for image in photographs[1:])])
    assert copies.near == (tuple(range(number)),)


def test_many_pictures_that_are_there_many_times_are_that_many_clusters() -> None:
    """More crowds than get a leader, each too large to compare all with all."""
    generator = np.random.default_rng(0)
    originals = [128 + generator.normal(0, 50, (32, 32)) for _ in range(120)]
    hashes = [int(number) for number in generator.integers(0, 1 << 63, 120)]
    pictures = [
        of_pixels(pixels + generator.normal(0, 1, (32, 32)), perceptual_hash=perceptual_hash)
        for pixels, perceptual_hash in zip(originals, hashes, strict=True)
        for _ in range(70)
    ]
    copies = find_copies(pictures)
    assert copies.near == tuple(tuple(range(start, start + 70)) for start in range(0, 120 * 70, 70))


def test_the_order_does_not_choose_what_pictures_are_measured_by() -> None:
    """Half of the set shares a template, half does not; what lies between is decided by the sample."""
    generator = np.random.default_rng(0)
    template = 60 * np.sin(np.arange(32) / 3)[:, None] * np.ones(32)
    own = [128 + template * (row < 1200) + generator.normal(0, 20, (32, 32)) for row in range(2400)]
    changed = [pixels + generator.normal(0, generator.uniform(3, 7), (32, 32)) for pixels in own[::8]]
    pictures = [of_pixels(pixels, perceptual_hash=row % 300) for row, pixels in enumerate([*own[::8], *changed])]
    pictures += [of_pixels(pixels) for row, pixels in enumerate(own) if row % 8]
    here, there = find_copies(pictures), find_copies(pictures[::-1])
    last = len(pictures) - 1
    assert 30 < len(here.near) < 270
    assert {frozenset(last - index for index in cluster) for cluster in there.near} == set(map(frozenset, here.near))


def test_the_work_does_not_grow_with_the_square() -> None:
    generator = np.random.default_rng(0)
    waves = np.cos(np.arange(9)[:, None] * (np.arange(32) + 0.5) * np.pi / 32)
    texture = 128 + 9 * waves.T @ generator.choice([-1.0, 1.0], (9, 9)) @ waves

    def pairs(number: int) -> int:
        """Of pictures of one texture, fifty with each hash: all of a fifty are compared, 24.5 pairs a picture."""
        crowd = [texture + generator.normal(0, 14, (32, 32)) for _ in range(number)]
        pictures = [of_pixels(pixels, perceptual_hash=row % (number // 50)) for row, pixels in enumerate(crowd)]
        with compared() as count:
            assert find_copies(pictures).near == ()
        return count.total()

    few, many = pairs(300), pairs(3000)
    assert few >= 24.5 * 300
    assert many < 15 * few  # ten times as many: the square would be a hundred times


def test_clusters_are_sorted_and_number_every_picture(photographs: list[Image.Image]) -> None:
    pictures = [look(image) for image in photographs] + [look(jpeg(image, 90)) for image in reversed(photographs)]
    copies = find_copies(pictures)
    assert list(copies.near) == sorted(copies.near)
    assert all(list(cluster) == sorted(cluster) for cluster in copies.near)
    first_seen = list(dict.fromkeys(copies.cluster_of))
    assert first_seen == list(range(len(first_seen)))
    assert_clusters_agree(copies, len(pictures))


def assert_clusters_agree(copies: Copies, number: int) -> None:
    assert len(copies.cluster_of) == number
    for cluster in [*copies.exact, *copies.near]:
        assert len({copies.cluster_of[index] for index in cluster}) == 1
    sizes = np.bincount(copies.cluster_of)
    joined: Sequence[int] = [index for cluster in [*copies.exact, *copies.near] for index in cluster]
    assert sizes.sum() == number
    assert int((sizes > 1).sum()) <= len(copies.exact) + len(copies.near)
    assert all(sizes[copies.cluster_of[index]] > 1 for index in joined)

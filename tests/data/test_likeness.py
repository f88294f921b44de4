"""The comparison of two thumbnails, against plain least squares and plain distances."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.datasets
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.likeness import measure_likeness, normalise, project, same_picture, within_reach


def patches(number: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Thumbnails of random parts of two photographs, [number, 32, 32]."""
    generator = np.random.default_rng(seed)
    images = [Image.fromarray(pixels).convert("L") for pixels in sklearn.datasets.load_sample_images().images]
    found = []
    for index in range(number):
        left, top, side = (int(generator.integers(*bounds)) for bounds in ((0, 500), (0, 300), (60, 120)))
        box = (left, top, left + side, top + side)
        found.append(np.asarray(images[index % 2].resize((32, 32), Image.Resampling.BILINEAR, box=box)))
    return np.stack(found)


def pair(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two thumbnails are one picture among forty others."""
    likeness = measure_likeness(np.concatenate([first[None], second[None], patches(200, seed=1)]))
    return bool(same_picture(likeness, np.array([[0, 1]]))[0])


def test_normalised_thumbnails_have_mean_0_and_length_1_or_are_0() -> None:
    thumbnails = np.concatenate([patches(5), np.full((1, 32, 32), 9, dtype=np.uint8)])
    vectors = normalise(thumbnails)
    assert np.allclose(vectors.mean(axis=1), 0, atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 1, 1, 1, 0], atol=1e-5)


def test_sketches_are_never_farther_apart_than_thumbnails() -> None:
    thumbnails = patches(100)
    likeness = measure_likeness(thumbnails)
    vectors = normalise(thumbnails)
    left, right = np.triu_indices(100, 1)
    sketched = np.linalg.norm(likeness.sketches[left] - likeness.sketches[right], axis=1)
    real = np.linalg.norm(vectors[left] - vectors[right], axis=1)
    assert (sketched <= real + 1e-4).all()
    assert np.median(sketched / real) > 0.8  # and most of a photograph is in them


def test_projection_is_the_product_with_each_direction() -> None:
    thumbnails = patches(5000)  # more than is done at once
    directions = np.random.default_rng(0).normal(size=(3, 1024)).astype(np.float32)
    assert np.allclose(project(thumbnails, directions), normalise(thumbnails) @ directions.T, atol=1e-4)


def least_squares_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The same fit by numpy.linalg.lstsq, written down pixel by pixel."""
    mean = (first + second).reshape(32, 32) / 2
    rows, wanted = [], []
    for y in range(2, 30):
        for x in range(2, 30):
            across = (8 * (mean[y, x + 1] - mean[y, x - 1]) - (mean[y, x + 2] - mean[y, x - 2])) / 12
            down = (8 * (mean[y + 1, x] - mean[y - 1, x]) - (mean[y + 2, x] - mean[y - 2, x])) / 12
            u, v = (x - 15.5) / 16, (y - 15.5) / 16
            rows.append([1, mean[y, x], across, down, u * across, v * down])
            wanted.append((second - first).reshape(32, 32)[y, x])
    matrix, target = np.array(rows, dtype=np.float64), np.array(wanted, dtype=np.float64)
    solution, *_ = np.linalg.lstsq(matrix, target, rcond=None)
    return float(np.linalg.norm(target - matrix @ solution) * 32 / 28)


def test_one_picture_is_decided_by_the_distance_after_least_squares() -> None:
    """Around the tolerance the answer must change where numpy's least squares says so."""
    base = patches(300, seed=2)
    generator = np.random.default_rng(3)
    compared = agreed = 0
    for strength in (3, 6, 9, 12):
        moved = np.roll(base[:30], 1, axis=2) * 0.5 + base[:30] * 0.5  # half a pixel
        noisy = np.clip(moved + generator.normal(0, strength, moved.shape), 0, 255).astype(np.uint8)
        likeness = measure_likeness(np.concatenate([base, noisy]))
        pairs = np.array([[row, 300 + row] for row in range(30)])
        answers = same_picture(likeness, pairs)
        vectors = normalise(likeness.thumbnails)
        for (left, right), answer in zip(pairs, answers, strict=True):
            tolerance = min(likeness.tolerance[left], likeness.tolerance[right])
            plain = float(np.linalg.norm(vectors[left] - vectors[right]))
            aligned = least_squares_distance(vectors[left], vectors[right])
            if plain > 5 * tolerance or abs(aligned - tolerance) < 1e-3:
                continue
            compared += 1
            agreed += answer == (min(plain, aligned) <= tolerance)
    assert compared > 60
    assert agreed == compared


@pytest.mark.parametrize(("shift", "expected"), [(0.3, True), (0.6, True), (4.0, False)])
def test_small_shifts_are_undone_and_large_ones_are_not(shift: float, expected: bool) -> None:
    image = Image.fromarray(sklearn.datasets.load_sample_images().images[0]).convert("L")
    step = shift * 200 / 32
    first, second = (
        np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR, box=(100 + move, 100, 300 + move, 300)))
        for move in (0.0, step)
    )
    assert pair(first, second) is expected


@pytest.mark.parametrize(("zoom", "expected"), [(0.98, True), (0.8, False)])
def test_small_zooms_are_undone_and_large_ones_are_not(zoom: float, expected: bool) -> None:
    image = Image.fromarray(sklearn.datasets.load_sample_images().images[0]).convert("L")
    first, second = (
        np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR, box=(200 - r, 200 - r, 200 + r, 200 + r)))
        for r in (100.0, 100.0 * zoom)
    )
    assert pair(first, second) is expected


def test_the_negative_of_a_picture_is_another_picture() -> None:
    first = patches(1)[0]
    assert pair(first, first)
    assert not pair(first, 255 - first)


def test_what_is_out_of_reach_is_never_one_picture() -> None:
    thumbnails = np.concatenate([patches(60), patches(60) // 2 + 20])
    likeness = measure_likeness(thumbnails)
    pairs = np.array([[left, right] for left in range(120) for right in range(left + 1, 120)])
    distances = within_reach(likeness, pairs)
    far = ~np.isfinite(distances)
    assert far.sum() > 5000
    assert not same_picture(likeness, pairs[far]).any()
    assert same_picture(likeness, pairs[~far]).sum() >= 40


def test_a_shared_template_lowers_the_tolerance() -> None:
    generator = np.random.default_rng(0)
    own = generator.normal(0, 15, (300, 32, 32))
    template = 60 * np.sin(np.arange(32) / 3)[:, None] * np.ones(32)
    varied = measure_likeness(np.clip(128 + 4 * own, 0, 255).astype(np.uint8))
    alike = measure_likeness(np.clip(128 + template + own, 0, 255).astype(np.uint8))
    assert np.median(varied.tolerance) == pytest.approx(0.12)
    assert np.median(alike.tolerance) < 0.08


def test_pictures_without_detail_have_no_tolerance() -> None:
    thumbnails = np.full((50, 32, 32), 30, dtype=np.uint8)
    thumbnails[1, 3, 4] = 31
    likeness = measure_likeness(thumbnails)
    assert not likeness.tolerance.any()
    assert not same_picture(likeness, np.array([[2, 3], [0, 1]])).any()
    assert np.isinf(within_reach(likeness, np.array([[2, 3]]))).all()

"""training/growing.py: nested parts, judged by what none of them saw."""

from __future__ import annotations

import numpy as np

from tellapart.training.growing import grow


def _set(number: int, *, seed: int = 0, spread: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.arange(number) % 2
    vectors = random.normal(size=(number, 40)) * spread
    vectors[:, 0] += 2.0 * labels
    return vectors.astype(np.float32), labels


def test_errors_fall_with_the_number_of_pictures() -> None:
    vectors, labels = _set(600)
    steps: list[int] = []
    found = grow(vectors, labels, [""] * 600, class_count=2, seed=0, advance=steps.append)
    assert found is not None
    assert found.sizes == (60, 120, 240, 480)
    assert found.errors.shape == (4, 4)
    means = found.errors.mean(axis=1)
    assert means[0] > means[-1] + 0.03
    assert steps == [1] * 16
    assert 2 * 60 < sum(found.judged) <= 4 * 120


def test_errors_of_classes_make_up_the_whole() -> None:
    vectors, labels = _set(400)
    found = grow(vectors, labels, [""] * 400, class_count=2, repeats=2, seed=0)
    assert found is not None
    np.testing.assert_allclose(found.missed.mean(axis=2), found.errors, atol=1e-9)  # as many of each are judged


def test_copies_of_what_is_judged_teach_nothing() -> None:
    """Labels by chance, each picture four times: who saw a copy would know it."""
    random = np.random.default_rng(1)
    vectors = np.repeat(random.normal(size=(60, 300)), 4, axis=0).astype(np.float32)
    labels = np.repeat(np.arange(60) % 2, 4)
    joined = grow(vectors, labels, [f"g{row // 4}" for row in range(240)], class_count=2, seed=0)
    alone = grow(vectors, labels, [""] * 240, class_count=2, seed=0)
    assert joined is not None
    assert alone is not None
    assert joined.errors[-1].mean() > 0.3
    assert alone.errors[-1].mean() < 0.2


def test_a_class_of_few_pictures_has_no_curve() -> None:
    vectors, labels = _set(100)
    labels = np.where(np.arange(100) < 10, 2, labels)
    assert grow(vectors, labels, [""] * 100, class_count=3, seed=0) is None


def test_the_same_seed_gives_the_same() -> None:
    vectors, labels = _set(200)
    first, second = (grow(vectors, labels, [""] * 200, class_count=2, repeats=2, seed=3) for _ in range(2))
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.errors, second.errors)

"""What all pictures of a set share is no likeness of two of them."""

from __future__ import annotations

import numpy as np

from tellapart.data.template import NOTHING, find_template, own_detail

SHOWN = np.ones((64, 64), dtype=np.bool_)


def reliefs(count: int) -> list[np.ndarray]:
    """Pictures of one strong pattern, each with detail of its own."""
    across = np.sin(np.arange(64) / 4.0)[None, :] * np.cos(np.arange(64) / 7.0)[:, None]
    random = np.random.default_rng(0)
    own = np.repeat(np.repeat(random.normal(0, 12, (count, 16, 16)), 4, axis=1), 4, axis=2)
    return [np.clip(128 + 60 * across + one, 0, 255).astype(np.uint8) for one in own]


def correlation(first: np.ndarray, second: np.ndarray, *, of: list[np.ndarray]) -> float:
    one, other = own_detail([first, second], SHOWN, find_template(of))
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def test_the_pattern_of_a_set_is_left_out() -> None:
    pictures = reliefs(64)
    assert np.corrcoef(pictures[0].ravel(), pictures[1].ravel())[0, 1] > 0.7
    assert abs(correlation(pictures[0], pictures[1], of=pictures)) < 0.25
    changed = np.clip(pictures[0].astype(np.int16) + 10, 0, 255).astype(np.uint8)
    assert correlation(pictures[0], changed, of=pictures) > 0.95


def test_a_few_pictures_have_no_pattern() -> None:
    pictures = reliefs(15)
    assert len(find_template(pictures).parts) == 0
    assert len(find_template([]).parts) == 0
    assert correlation(pictures[0], pictures[1], of=pictures) > 0.7


def test_only_what_is_shown_counts() -> None:
    shown = SHOWN.copy()
    shown[:, 32:] = False
    (one,) = own_detail([reliefs(1)[0]], shown, NOTHING)
    assert one.shape == (64 * 32,)
    assert abs(float(one.mean())) < 1e-4


def test_the_parts_are_the_mean_and_what_the_singular_values_say() -> None:
    pictures = [picture[::2, ::2] for picture in reliefs(64)]
    parts = find_template(pictures).parts.reshape(4, -1).astype(np.float64)
    values = np.stack(pictures).reshape(64, -1).astype(np.float64) - 128
    np.testing.assert_allclose(parts[0], values.mean(axis=0), atol=1e-3)
    main = np.linalg.svd(values - values.mean(axis=0))[2][:3]
    np.testing.assert_allclose(np.abs((parts[1:] / 32 * main).sum(axis=1)), 1.0, atol=1e-4)


def test_how_much_a_set_has_in_common() -> None:
    alike = find_template(reliefs(64))
    assert alike.common > 0.8
    assert alike.taken_alike
    strangers = [np.random.default_rng(seed).integers(0, 256, (64, 64), dtype=np.uint8) for seed in range(32)]
    assert find_template(strangers).common < 0.02
    assert not find_template(strangers).taken_alike
    assert not NOTHING.taken_alike

"""Votes that agree on one turn and one shift count together."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.data.agreeing import Alike, agreeing_votes

POINTS = np.random.default_rng(0).uniform(-60, 60, (12, 2)).astype(np.float32)


def moved(points: np.ndarray, turned: int, shift: tuple[float, float]) -> np.ndarray:
    """Turned clockwise as one sees it (y runs down), then shifted."""
    turn = turned * 2 * np.pi / 256
    x, y = points.T.astype(np.float64)
    return np.stack(
        [np.cos(turn) * x - np.sin(turn) * y + shift[0], np.sin(turn) * x + np.cos(turn) * y + shift[1]], axis=1
    )


def alike(second: np.ndarray, turned: np.ndarray, *, pair: np.ndarray | None = None) -> Alike:
    number = len(second)
    return Alike(
        pair=np.zeros(number, dtype=np.int64) if pair is None else pair,
        first=POINTS[:number],
        second=second.astype(np.float32),
        turned=turned % 256,
        share=np.full(number, 0.5),
    )


@pytest.mark.parametrize("turned", [0, 8, 37, 100, 250])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (24.0, -26.0), (-70.0, 49.0)])
def test_one_move_has_all_votes(turned: int, shift: tuple[float, float]) -> None:
    votes = agreeing_votes(alike(moved(POINTS, turned, shift), np.full(12, turned)), 1)
    assert votes == pytest.approx([6.0])


def test_a_turn_that_is_not_the_same_does_not_count() -> None:
    turned = np.where(np.arange(12) < 4, 64, 100)
    second = np.concatenate([moved(POINTS[:4], 64, (0, 0)), moved(POINTS[4:], 100, (0, 0))])
    assert agreeing_votes(alike(second, turned), 1) == pytest.approx([4.0])


@pytest.mark.parametrize("away", [(80.0, 0.0), (0.0, -80.0)])
def test_a_shift_that_is_not_the_same_does_not_count(away: tuple[float, float]) -> None:
    second = np.concatenate([moved(POINTS[:4], 64, away), moved(POINTS[4:], 64, (0, 0))])
    assert agreeing_votes(alike(second, np.full(12, 64)), 1) == pytest.approx([4.0])


def test_each_pair_for_itself() -> None:
    pair = np.array([0] * 3 + [2] * 9)
    votes = agreeing_votes(alike(moved(POINTS, 20, (9, 9)), np.full(12, 20), pair=pair), 3)
    assert votes == pytest.approx([1.5, 0.0, 4.5])


def test_a_shift_beyond_all_is_no_error() -> None:
    assert agreeing_votes(alike(moved(POINTS, 0, (9000, -9000)), np.zeros(12, dtype=np.int64)), 1)[0] == 6.0
    assert len(agreeing_votes(alike(np.zeros((0, 2)), np.zeros(0, dtype=np.int64)), 0)) == 0

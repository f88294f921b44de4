"""Which votes for a pair of pictures agree on how one was moved. In: landmarks alike. Out: votes. Next: landmark_votes.py.

Landmarks of two pictures that have nothing to do with each other look alike by chance, here and there; those of a copy look
alike where one and the same turn and shift puts them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Rows = NDArray[np.int64]

_TURNS = 16  # parts of a turn
_PART = 256 // _TURNS
_SHIFT = 50.0  # pixels; a stretch by a fifth, at half the picture's side, moves a landmark by a third of that
_SHIFTS = 16  # steps from one end to the other, the middle is no move


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alike:
    """M landmarks of the lower picture of a pair and those of the higher one that they look like."""

    pair: _Rows  # [M] number of the pair, from 0 on
    first: NDArray[np.float32]  # [M, 2] of the lower one (or of its mirror image), x and y in pixels from its middle
    second: NDArray[np.float32]  # [M, 2] of the higher one
    turned: _Rows  # [M] 256ths of a turn from the first to the second
    share: NDArray[np.float64]  # [M] of a vote


def agreeing_votes(alike: Alike, pairs: int) -> NDArray[np.float64]:
    """For each pair the votes that agree best on the turn and the shift [pairs]."""
    best = np.zeros(pairs)
    # Each vote for the two parts of a turn and the steps of the shift that it is nearest to, so that no pair falls between two.
    for late in (0, _PART // 2):
        part = (alike.turned + late) % 256 // _PART
        turn = (part * _PART + _PART // 2 - late) * (2 * np.pi / 256)
        cosine, sine = np.cos(turn), np.sin(turn)
        x, y = alike.first.T
        across = alike.second[:, 0] - (cosine * x - sine * y)
        down = alike.second[:, 1] - (sine * x + cosine * y)
        for aside in (0.0, 0.5):
            for below in (0.0, 0.5):
                code = (alike.pair * _TURNS + part) * _SHIFTS + _steps(across, aside)
                found, places = np.unique(code * _SHIFTS + _steps(down, below), return_inverse=True)
                np.maximum.at(best, found // (_TURNS * _SHIFTS**2), np.bincount(places, alike.share))
    return best


def _steps(shift: NDArray[np.float64], half: float) -> _Rows:
    steps = np.floor(shift / _SHIFT + half).astype(np.int64) + _SHIFTS // 2
    return np.clip(steps, 0, _SHIFTS - 1)

"""Features on one scale before they are penalised alike. In: vectors [N, D]. Out: mean, scale. Next: softmax_regression.py."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tellapart.training.strips import ROWS_AT_ONCE, sum_over_rows

_CONSTANT = 1e-6  # a feature whose deviation is below this part of its size never varies


def standardisation(
    vectors: NDArray[np.float32], counted: NDArray[np.bool_], threads: ThreadPoolExecutor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and 1 / standard deviation, each [F, D], over the pictures that `counted` [F, N] says; 0 for features that never vary.

    `vectors` is [N, D]. A deviation below the median one counts as the median one: stretching a feature that hardly ever
    fires makes one picture in which it does overrule all others. On four sets of pictures this lowered held-out log loss
    by 1 to 10 %. It takes for granted that all features have one unit, as the outputs of one network have.
    """
    shift = vectors[:ROWS_AT_ONCE].mean(axis=0)

    def piece(rows: slice) -> tuple[NDArray[np.float32], ...]:
        chosen = counted[:, rows].astype(np.float32)
        moved = vectors[rows] - shift
        return chosen @ moved, chosen @ np.square(moved)

    found = sum_over_rows(threads, len(vectors), piece)
    sums, squares = (total / counted.sum(axis=1, keepdims=True) for total in found)
    mean = shift + sums
    deviation = np.sqrt(np.maximum(squares - np.square(sums), 0.0))
    varies = deviation > _CONSTANT * np.hypot(mean, deviation)
    scale = np.zeros_like(deviation)
    for row, own, usable in zip(scale, deviation, varies, strict=True):
        if usable.any():
            row[usable] = 1 / np.maximum(own[usable], np.median(own[usable]))
    return mean, scale

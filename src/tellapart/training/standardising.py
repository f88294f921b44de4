"""Features on one scale before they are penalised alike. In: vectors [N, D]. Out: mean, scale. Next: softmax_regression.py."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from tellapart.half_rows import Rows
from tellapart.training.strips import ROWS_AT_ONCE, sum_over_rows

_CONSTANT = 1e-6  # a feature whose deviation is below this part of its size never varies


def standardisation(
    vectors: Rows,
    counted: NDArray[np.bool_],
    threads: ThreadPoolExecutor,
    *,
    blocks: Sequence[int] = (),
    power: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and 1 / standard deviation, each [F, D], over the pictures that `counted` [F, N] says; 0 for features that never vary.

    `vectors` is [N, D]. A deviation below the median one counts as the median one: stretching a feature that hardly ever
    fires makes one picture in which it does overrule all others. On four sets of pictures this lowered held-out log loss
    by 1 to 10 %. It takes for granted that all features have one unit, as the outputs of one layer have: `blocks` are the numbers
    of features of each layer, in their order. Each block's scales are divided by its size to `power`, which weighs the layers
    (1/2: all alike), and all are multiplied so that the mean of their squares stays as it was.
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
    factors = block_factors(blocks, power)
    edges = np.cumsum([0, *(blocks or (scale.shape[1],))]).tolist()
    for row, own, usable in zip(scale, deviation, varies, strict=True):
        for first, last, factor in zip(edges[:-1], edges[1:], factors, strict=True):
            inside = first + np.flatnonzero(usable[first:last])
            if len(inside):
                row[inside] = factor / np.maximum(own[inside], np.median(own[inside]))
    return mean, scale


def block_factors(blocks: Sequence[int], power: float) -> list[float]:
    """What each block of features is multiplied with; the mean of their squares over all features is 1."""
    if len(blocks) < 2:
        return [1.0]
    sizes = np.asarray(blocks, dtype=np.float64)
    factors = sizes**-power
    found: list[float] = (factors / np.sqrt((sizes * np.square(factors)).sum() / sizes.sum())).tolist()
    return found

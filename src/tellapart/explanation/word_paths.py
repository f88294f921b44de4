"""Integrated gradients of a text CNN, from its weights alone. In: numbers of words, weights. Out: weights a word. Next: ngrams.py.

Between a text of which nothing is there and the whole one every vector of a word grows evenly. A filter's answer at a place is then
its answer to the whole text times how far that is, and its bias; so the gradient along the way needs neither torch nor a second
look at the text. Shapes: L words, D numbers of a word, C filters, P places of a filter, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_STEPS = 64  # of the way, each at its middle


def has_paths(weights: Mapping[str, NDArray[np.float32]]) -> bool:
    """Whether these are the weights of a text CNN, under the names of export/sequences.py."""
    return {"table", "convolution.0.weight", "classifier.weight"} <= set(weights)


def integrated_words(
    numbers: NDArray[np.int32],
    weights: Mapping[str, NDArray[np.float32]],
    *,
    target: int,
    over: int,
    steps: int = _STEPS,
) -> NDArray[np.float64]:
    """What each word says for class `target` over `over`, in logits, [L]: together nearly what the whole text says more than none.

    Source: Sundararajan et al. 2017, arXiv 1703.01365, eq. 1, by the midpoint rule.
    Raises: ValueError for weights of another network.
    """
    if not has_paths(weights):
        raise ValueError("these are no weights of a text CNN")
    vectors = weights["table"][numbers].astype(np.float64)
    classifier = weights["classifier.weight"].astype(np.float64)
    votes = classifier[target] - classifier[over]  # of each filter
    way = (np.arange(steps) + 0.5) / steps
    found, first, place = np.zeros(len(numbers)), 0, 0
    while f"convolution.{place}.weight" in weights:
        kernel = weights[f"convolution.{place}.weight"].astype(np.float64)
        bias = weights[f"convolution.{place}.bias"].astype(np.float64)
        last = first + len(bias)
        found += _of_width(vectors, kernel, bias, votes[first:last], way)
        first, place = last, place + 1
    return found


def _of_width(
    vectors: NDArray[np.float64],
    kernel: NDArray[np.float64],
    bias: NDArray[np.float64],
    votes: NDArray[np.float64],
    way: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The share of filters of one width: `kernel` [C, D, width], `bias` and `votes` [C], `way` [steps]."""
    width, count = kernel.shape[2], len(vectors)
    # What each filter's column says to each word: [width, L, C].
    said = np.einsum("ld,cdw->wlc", vectors, kernel)
    places = count + width + 1
    answers = np.zeros((places, len(bias)))  # [P, C]; place p sees words p - width to p - 1
    for column in range(width):
        answers[width - column : width - column + count] += said[column]
    found = np.zeros(count)
    filters = np.arange(len(bias))
    for far in way:
        grown = answers * far + bias
        largest = grown.argmax(axis=0)
        open_ones = filters[grown[largest, filters] > 0]
        for column in range(width):
            word = largest[open_ones] - width + column
            there = (word >= 0) & (word < count)
            np.add.at(found, word[there], votes[open_ones[there]] * said[column, word[there], open_ones[there]])
    return found / len(way)

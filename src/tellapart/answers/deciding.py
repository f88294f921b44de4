"""What an answer says, decided once. In: probabilities, novelty, thresholds. Out: sets, unknown. Next: classification.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def prediction_sets(probabilities: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Which of K classes are in each picture's set, bool [N, K]; the most probable one always is."""
    sets = np.asarray(probabilities >= threshold)
    if len(sets):
        sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def chosen_classes(probabilities: NDArray[np.floating], thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Which of K classes are named, each by its own of the `thresholds` [K]: bool [N, K]; it may be none.

    Both are compared as the probabilities' own kind of number, so that a threshold that is one of them still names it.
    """
    return np.asarray(probabilities >= np.asarray(thresholds, dtype=probabilities.dtype))


def unknown_pictures(novelty: NDArray[np.floating] | None, threshold: float | None) -> NDArray[np.bool_] | None:
    """Which of N pictures are unlike those trained on, bool [N]; None, not false, where the model cannot tell.

    It cannot where it does not measure the novelty [N], or had too few pictures to find the threshold.
    """
    return None if novelty is None or threshold is None else np.asarray(novelty > threshold)

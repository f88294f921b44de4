"""What an answer says, decided once. In: probabilities, thresholds. Out: sets of classes. Next: predictor.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def prediction_sets(probabilities: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Which classes are in each picture's set, bool [N, K]; the most probable one always is."""
    sets = np.asarray(probabilities >= threshold)
    if len(sets):
        sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets

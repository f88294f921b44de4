"""Which labels confident learning counts as wrong. In: labels, out-of-fold probabilities. Out: bool a row. Next: labels.py.

N rows, K classes. NumPy alone: cleanlab, which does the same, would bring pandas and scikit-learn along, seconds of imports for
twenty lines. The tests compare the two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDING = (
    1e-6  # cleanlab's: a probability so near to the threshold reaches it, and one so near to the largest is as large
)
_LEAST = 2 * _ROUNDING  # of a threshold
_NEVER = 2.0  # the threshold of a class that no row has: no probability reaches it


def off_the_diagonal(labels: NDArray[np.integer], chances: NDArray[np.floating]) -> NDArray[np.bool_]:
    """The rows [N] that the confident joint counts off its diagonal: confidently of another class than their label.

    `labels` [N] in 0..K-1; `chances` [N, K], finite, of classifiers that did not see the row. A row is confidently of a class
    that it has at least the mean probability of among the rows labelled so; of several such classes, of the most probable. One
    whose label is the most probable class, or as good as that, is not counted.
    Source: Northcutt et al. 2021, arXiv 1911.00068, eq. 1 and 2; cleanlab's filter_by="confident_learning".
    """
    rows, classes = np.arange(len(labels)), chances.shape[1]
    own = chances[rows, labels]
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, own, minlength=classes)
    thresholds = np.where(counts > 0, np.maximum(sums / np.maximum(counts, 1), _LEAST), _NEVER)
    confident = chances >= thresholds - _ROUNDING
    reached = confident.sum(axis=1)
    guess = np.where(reached > 1, chances.argmax(axis=1), confident.argmax(axis=1))
    raised = np.array(chances, dtype=np.float64)
    raised[rows, labels] += _ROUNDING
    return np.asarray((reached > 0) & (guess != labels) & (raised.argmax(axis=1) != labels))

"""Every export proves itself. In: two ways to get probabilities. Out: their largest difference. Next: workflows/train.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelFileError

TOLERANCE = 1e-4


def check_parity(
    expected: NDArray[np.float32],
    found: NDArray[np.float32],
    *,
    what: str,
    of: str = "probabilities",
    tolerance: float = TOLERANCE,
) -> float:
    """The largest absolute difference between two arrays `of` one kind, such as probabilities [N, K].

    Raises: ModelFileError when it is not below `tolerance`: the exported file must never answer otherwise than the
    network that was tested.
    """
    difference = float(np.abs(expected - found).max()) if expected.size else 0.0
    if expected.shape != found.shape or not difference < tolerance:
        raise ModelFileError(
            f"{what} gives other {of} than the network that was tested: they differ by {difference:.2g}, and the "
            f"rule is under {tolerance}. Clear the cache (`tellapart cache clear`) and train again."
        )
    return difference

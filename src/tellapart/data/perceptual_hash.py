"""64 bits that near copies of a picture share. In: a small grey picture. Out: its pHash. Next: looks.py.

The hash of imagehash (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions): which of the lowest 8 by 8
frequencies are above their median. The package would import SciPy for one product with a matrix, which takes longer than to
hash a thousand pictures; the tests compare with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels of the picture

_LOWEST = 8  # frequencies each way
# A frequency that is not there is 0, not what rounding leaves of it: else chance would decide about its bit.
_DIGITS = 6

# [8, 32], the cosine transform DCT-II
_WAVES = 2 * np.cos(np.arange(_LOWEST)[:, None] * (2 * np.arange(SIDE) + 1) * (np.pi / (2 * SIDE)))


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """The hash of a grey picture [32, 32], in [0, 2^64): how many bits of two differ says how little they look alike."""
    frequencies = np.round(_WAVES @ grey @ _WAVES.T, _DIGITS)
    ordered = np.sort(frequencies, axis=None)
    median = (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2
    return int.from_bytes(np.packbits(frequencies > median).tobytes(), "big")

"""How much a picture that shows a class counts. In: targets [N, K]. Out: weights. Next: probing.py."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def balanced_positive_weights(targets: NDArray[np.floating]) -> list[float]:
    """For each class of targets [N, K] how many known pictures are not of it for one that is; 1 where either lacks."""
    positive, negative = (targets == 1).sum(0), (targets == 0).sum(0)
    return [int(no) / int(yes) if yes and no else 1.0 for yes, no in zip(positive, negative, strict=True)]

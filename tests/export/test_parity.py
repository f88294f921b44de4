"""A file that answers otherwise than what was tested is never written. In: two sets of probabilities. Out: the difference."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.errors import ModelFileError
from tellapart.export.parity import check_parity

EXPECTED = np.array([[0.25, 0.75], [0.5, 0.5]], dtype=np.float32)


def test_the_largest_difference_is_given() -> None:
    found = EXPECTED + np.array([[0, 0], [0.00002, -0.00003]], dtype=np.float32)
    assert check_parity(EXPECTED, found, what="it") == pytest.approx(3e-5, rel=1e-2)


@pytest.mark.parametrize("found", [EXPECTED + 2e-4, EXPECTED * np.nan, EXPECTED[:1]])
def test_a_difference_is_refused(found: np.ndarray) -> None:
    with pytest.raises(
        ModelFileError, match=r"it gives other probabilities than the network that was tested.*Clear the cache"
    ):
        check_parity(EXPECTED, found, what="it")

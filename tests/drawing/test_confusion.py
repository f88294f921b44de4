"""Confusions as a picture. In: counts. Out: cells as dark as their share."""

from __future__ import annotations

import numpy as np

from tellapart.drawing.confusion import draw_confusions


def test_a_cell_is_as_dark_as_its_share_of_the_row() -> None:
    sheet = np.asarray(draw_confusions(np.array([[8, 0], [5, 5]]), ["cat", "dog"])).astype(int)
    cells = sheet[36:, 162:]  # behind the names, below the numbers
    corners = [[cells[34 * row + 1, 34 * column + 1].tolist() for column in range(2)] for row in range(2)]
    assert corners[0] == [[38, 76, 138], [250, 250, 248]]
    assert corners[1][0] == corners[1][1] == [144, 163, 193]

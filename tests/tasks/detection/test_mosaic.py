"""Several pictures with boxes become one. In: bright rectangles. Out: boxes where they are. Next: test_pictures.py."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.tasks.detection.mosaic import PartShown, blended, mosaic

SIDE = 100
PLACES = ((10, 20, 50, 60), (40, 30, 90, 80), (55, 50, 95, 90), (5, 5, 35, 45))


def shown(label: int, *boxes: tuple[int, int, int, int]) -> PartShown:
    """Black, with rectangles whose grey tells the label."""
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = 60 * (label + 1)
    return PartShown(pixels, np.array([(label, *box, 0) for box in boxes], dtype=np.float32).reshape(-1, 6))


@pytest.mark.parametrize(("across", "down"), [(0.0, 0.0), (0.5, 0.9), (0.99, 0.25)])
def test_each_box_is_where_its_rectangle_went(across: float, down: float) -> None:
    whole = mosaic([shown(label, place) for label, place in enumerate(PLACES)], across=across, down=down)
    assert whole.pixels.shape == (SIDE, SIDE, 3)
    column, row = (round(100 * (0.3 + 0.4 * share)) for share in (across, down))
    for label in range(4):
        part = np.zeros((SIDE, SIDE), dtype=bool)
        part[
            row * (label // 2) : (SIDE if label // 2 else row), column * (label % 2) : (SIDE if label % 2 else column)
        ] = True
        rows, columns = np.nonzero((whole.pixels[:, :, 0] > 30 * (label + 1)) & part)
        found = [box for box in whole.boxes if box[0] == label]
        if not found:  # less than a quarter of it is left
            assert len(rows) < 0.4 * 40 * 50 * 0.7**2
            continue
        bright = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert found[0][1:5] == pytest.approx(bright, abs=1.01)
    assert len(whole.boxes) >= 3


def test_of_a_box_that_is_cut_off_little_or_nothing_is_told() -> None:
    # They meet at 30, 30: the upper left part shows the last 30 of 30 pixels, the lower right one 70 of 70.
    parts = [shown(0), shown(1, (0, 0, 20, 20)), shown(2, (0, 90, 10, 100)), shown(3, (90, 90, 100, 100))]
    whole = mosaic(parts, across=0.0, down=0.0)
    # The upper right part is 70 across and 30 down: of its picture, 70 by 70, the lower 30 are shown.
    assert whole.boxes[:, 0].tolist() == [3]
    assert whole.boxes[0, 1:5] == pytest.approx([93, 93, 100, 100])


def test_a_mosaic_is_of_four() -> None:
    with pytest.raises(ValueError, match="^3 pictures; a mosaic is of 4$"):
        mosaic([shown(0)] * 3, across=0.5, down=0.5)


def test_a_mixture_has_the_boxes_of_both_unless_one_is_hardly_seen() -> None:
    first, second = shown(0, PLACES[0]), shown(3, PLACES[1])
    both = blended(first, second, 0.5)
    assert both.boxes[:, 0].tolist() == [0, 3]
    assert both.pixels[25, 15].tolist() == [30] * 3
    assert both.pixels[70, 70].tolist() == [120] * 3
    assert both.pixels[40, 45].tolist() == [150] * 3
    assert blended(first, second, 0.8).boxes[:, 0].tolist() == [0]
    assert blended(first, second, 0.1).boxes[:, 0].tolist() == [3]

"""True and answered boxes on a picture. In: boxes. Out: pixels."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tellapart.drawing.box_marks import PALETTE, TagWriter, colour_of, contrast_of
from tellapart.drawing.boxes import LONGEST, DrawnBox, draw_boxes, window_around
from tellapart.drawing.lettering import Pen, lacking, showable

GREY = 90
BLACK, WHITE = (20, 20, 20), (255, 255, 255)


def plain(width: int = 200, height: int = 160) -> np.ndarray[Any, Any]:
    return np.full((height, width, 3), GREY, dtype=np.uint8)


def box(*sides: float, number: int = 0, **more: Any) -> DrawnBox:
    return DrawnBox(sides=sides, label="ant", number=number, **{"named": False, **more})  # type: ignore[arg-type]


def drawn(*boxes: DrawnBox, pixels: np.ndarray[Any, Any] | None = None, **more: Any) -> np.ndarray[Any, Any]:
    return np.asarray(draw_boxes(plain() if pixels is None else pixels, boxes, **more))


def counted(pixels: np.ndarray[Any, Any], colour: tuple[int, int, int]) -> int:
    return int((pixels == colour).all(axis=2).sum())


def test_an_answers_line_runs_inside_its_edge_and_leaves_the_rest_alone() -> None:
    pixels = plain()
    found = drawn(box(40, 30, 120, 110), pixels=pixels)
    blue = colour_of(0)
    assert tuple(found[30, 80]) == tuple(found[31, 80]) == blue  # two pixels wide
    assert tuple(found[70, 40]) == tuple(found[70, 119]) == tuple(found[109, 80]) == blue
    assert tuple(found[29, 80]) == tuple(found[32, 80]) == WHITE  # its edge, so that blue is seen on black
    assert tuple(found[28, 80]) == tuple(found[70, 80]) == (GREY, GREY, GREY)
    assert counted(found, blue) == 2 * 2 * 80 + 2 * 2 * 76
    assert (pixels == GREY).all()  # the picture that was given


def test_a_true_box_is_of_short_strokes_outside_so_that_both_are_seen_at_one_place() -> None:
    alone, both = (
        drawn(box(40, 30, 120, 110, true=True)),
        drawn(box(40, 30, 120, 110, true=True), box(40, 30, 120, 110)),
    )
    row = [tuple(pixel) == colour_of(0) for pixel in alone[27, 37:123]]
    assert row.count(True) == pytest.approx(86 * 3 / 5, abs=6)
    assert (alone[27, 37:123] == GREY).all(axis=1).any()  # one sees through the gaps
    assert counted(alone[30:110, 40:120], colour_of(0)) == 0
    assert (both[30, 42:118] == colour_of(0)).all()
    assert [tuple(pixel) == colour_of(0) for pixel in both[27, 37:123]] == row


def test_a_true_box_as_large_as_the_picture_is_seen() -> None:
    found = drawn(box(0, 0, 200, 160, true=True))
    assert all(counted(edge, colour_of(0)) > 100 for edge in (found[:2], found[-2:], found[:, :2], found[:, -2:]))


def test_large_pictures_are_reduced_before_lines_are_drawn_and_small_ones_enlarged() -> None:
    large = drawn(box(400, 600, 2000, 1200), pixels=plain(4 * LONGEST, 2000))
    assert large.shape == (500, LONGEST, 3)
    assert counted(large[150:160, 200:201], colour_of(0)) >= 4  # a line of four pixels, not of one
    assert tuple(large[225, 100]) == tuple(large[225, 499]) == colour_of(0)  # a quarter of the places given
    small = drawn(box(5, 5, 15, 10), pixels=plain(20, 10), least=200)
    assert small.shape == (100, 200, 3)
    assert tuple(small[75, 50]) == tuple(small[75, 149]) == colour_of(0)
    assert drawn(box(5, 5, 15, 10), pixels=plain(20, 10)).shape == (10, 20, 3)


def test_a_part_of_the_picture_is_shown_with_the_boxes_moved_along() -> None:
    found = drawn(box(40, 30, 120, 110), window=(60, 20, 140, 60))
    assert found.shape == (40, 80, 3)
    assert (found[10, :60] == colour_of(0)).all()
    # Its left and lower sides lie outside: nothing says that it ends here.
    assert tuple(found[30, 0]) == tuple(found[39, 30]) == (GREY, GREY, GREY)
    assert tuple(found[30, 59]) == colour_of(0)


def test_a_box_outside_the_part_that_is_shown_is_not_named() -> None:
    assert (drawn(box(150, 100, 190, 150, named=True), window=(0, 0, 100, 80)) == GREY).all()


def test_what_is_around_a_box() -> None:
    assert window_around((90, 70, 110, 90), width=200, height=160, least=10) == (78, 58, 122, 102)
    assert window_around((90, 70, 110, 90), width=200, height=160) == (52, 32, 148, 128)
    assert window_around((0, 70, 20, 90), width=200, height=160) == (0, 32, 96, 128)  # pushed into the picture
    assert window_around((-5, -5, 500, 500), width=200, height=160) == (0, 0, 200, 160)
    assert window_around((10, 10, 20, 20), width=40, height=30) == (0, 0, 40, 30)


def test_classes_beyond_the_colours_have_another_pattern() -> None:
    first, second, third, fourth, fifth = (drawn(box(40, 30, 120, 110, number=1 + 8 * times)) for times in range(5))
    assert counted(first, colour_of(1)) > max(counted(one, colour_of(1)) for one in (second, third, fourth)) > 100
    assert len({one.tobytes() for one in (first, second, third, fourth)}) == 4
    assert counted(second[30:31, 41:119], BLACK) > 0  # gaps have the colour of the edge, unlike a true box's
    assert fifth.tobytes() == first.tobytes()


def _lab(colours: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Linear RGB [n, 3] to CIE L*a*b* under D65."""
    matrix = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    scaled = np.cbrt((colours @ matrix.T) / (0.9505, 1.0, 1.089))
    x, y, z = scaled.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


# Machado et al. 2009, severity 1.0, for linear RGB: nobody's eyes, without red cones, without green, without blue ones.
SEEN_BY = {
    "all cones": np.eye(3),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "tritanopia": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}


@pytest.mark.parametrize("eyes", SEEN_BY)
def test_the_colours_are_told_apart_by_the_colour_blind(eyes: str) -> None:
    values = np.array(PALETTE) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = _lab(np.clip(linear @ SEEN_BY[eyes].T, 0, 1))
    nearest = min(float(np.linalg.norm(one - other)) for one, other in combinations(seen, 2))
    assert nearest > 15, nearest


def test_names_are_black_or_white_whichever_is_read_better() -> None:
    assert [contrast_of(colour) for colour in PALETTE[:2]] == [WHITE, BLACK]
    for colour in PALETTE:
        red, green, blue = ((value / 255) ** 2.2 for value in colour)
        bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        ratio = (bright + 0.05) / 0.05 if contrast_of(colour) == BLACK else 1.05 / (bright + 0.05)
        assert ratio > 3, colour  # WCAG's least for large letters


def test_a_name_stands_above_an_answer_and_below_a_true_box() -> None:
    answer, truth = (drawn(box(40, 50, 120, 110, named=True, score=0.5, true=true)) for true in (False, True))
    assert counted(answer[30:49], colour_of(0)) > 300  # a tag in the colour of the class
    assert (answer[112:] == GREY).all()
    assert counted(truth[111:135], WHITE) > 300
    assert (truth[:46] == GREY).all()


def test_a_name_is_inside_where_there_is_no_room_outside() -> None:
    found = drawn(box(0, 0, 200, 160, named=True))
    assert counted(found[4:22], colour_of(0)) > counted(drawn(box(0, 0, 200, 160))[4:22], colour_of(0)) + 200


def writer(pixels: Image.Image) -> TagWriter:
    return TagWriter(Pen(draw=ImageDraw.Draw(pixels), font=""), pixels.size, letters=12, line=2)


def test_names_cover_no_other_name() -> None:
    picture = Image.new("RGB", (100, 60), (GREY, GREY, GREY))
    tags = writer(picture)
    assert tags.write("ant", (30, 20, 60, 40), number=0, true=False)
    before = np.array(picture)
    assert tags.write("bee", (30, 20, 60, 40), number=1, true=False)  # elsewhere at the box
    after = np.array(picture)
    own = (before == colour_of(0)).all(axis=2)
    assert own.sum() > 100
    assert (after[own] == colour_of(0)).all()
    told = [tags.write("cat", (30, 20, 60, 40), number=2, true=False) for _ in range(8)]
    assert told[-1] is False
    full = np.array(picture)
    tags.write("dog", (30, 20, 60, 40), number=3, true=False)
    assert (np.array(picture) == full).all()


def test_the_first_is_named_where_there_is_room_for_one() -> None:
    pixels = plain(60, 22)
    first, second = box(0, 0, 60, 22, number=0, named=True), box(0, 0, 60, 22, number=1, named=True)
    assert counted(drawn(first, second, pixels=pixels)[5:17], colour_of(0)) > 50
    assert counted(drawn(second, first, pixels=pixels)[5:17], colour_of(1)) > 50


def test_a_long_name_is_cut_in_its_middle_and_keeps_its_score() -> None:
    pen = Pen(draw=ImageDraw.Draw(Image.new("RGB", (9, 9))), font="")
    shown, width = pen.fitted(DrawnBox(sides=(0, 0, 1, 1), label="k" * 80, number=0, score=0.375).text, 12, 120)
    assert shown.startswith("kk")
    assert shown.endswith("k 0.38")
    assert width <= 120


@pytest.mark.parametrize("label", ["浣熊", "crème brûlée", "\n\udce9", ""])
def test_names_in_any_script_are_written(label: str) -> None:
    one = DrawnBox(sides=(20, 60, 180, 140), label=label, number=1, score=0.75)
    other = DrawnBox(sides=(20, 60, 180, 140), label="?", number=1, score=0.75)
    assert drawn(one).tobytes() != drawn(other).tobytes()
    assert showable(label).isprintable()


def test_names_that_no_font_has_are_known() -> None:
    assert lacking(["cat", "crème", "\ue000", "a\ue001b"]) == ["\ue000", "a\ue001b"]


def test_boxes_that_cannot_be_seen_change_nothing_and_tiny_ones_are_seen() -> None:
    assert (drawn(box(-80, -80, -20, -20)) == GREY).all()
    assert (drawn(box(250, 10, 300, 50, named=True)) == GREY).all()
    assert counted(drawn(box(100, 80, 100.4, 80.2)), colour_of(0)) >= 16
    assert (drawn() == GREY).all()


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 4), (0, 5, 3)])
def test_other_pixels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="boxes are drawn on"):
        draw_boxes(np.zeros(shape, dtype=np.uint8), [])


@pytest.mark.parametrize("window", [(0, 0, 201, 160), (10, 10, 10, 20), (-1, 0, 5, 5)])
def test_a_window_outside_the_picture_is_refused(window: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="does not lie in a picture of 200 x 160 pixels"):
        draw_boxes(plain(), [], window=window)

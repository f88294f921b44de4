"""Which range the pictures of a data set use, and what does not fit into it; the expected ranges are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tellapart.deep_values import Deep, Depth, Span, as_text, check_numbers, find_span, outside, parse_span
from tellapart.errors import PictureError


def depth(low: float, high: float, *, whole: bool = True, bits: int = 0, windowed: bool = False) -> Depth:
    return Depth(lowest=low, low=low, high=high, highest=high, whole=whole, bits=bits, windowed=windowed)


@pytest.mark.parametrize(
    ("depths", "span"),
    [
        ([depth(5, 3900)], (0, 4095)),  # 12 bits in 16
        ([depth(0, 1000), depth(0, 4000)], (0, 4095)),
        ([depth(0, 4096)], (0, 8191)),
        ([depth(0, 65535)], (0, 65535)),
        ([depth(0, 200)], (0, 255)),  # 8 bits in 16
        ([depth(0, 900, bits=12)], (0, 4095)),  # the file says 12
        ([depth(-1000, 3000)], (-1024, 4095)),  # Hounsfield
        ([depth(29000, 31000)], (29000, 31000)),  # temperatures: 6 % of 15 bits
        ([depth(7, 7)], (0, 255)),
        ([depth(0, 0)], (0, 255)),
        ([depth(0, 0.8, whole=False)], (0, 1)),
        ([depth(0, 1, whole=False), depth(0, 1.01, whole=False)], (0, 1.01)),
        ([depth(-0.5, 2.5, whole=False)], (-0.5, 2.5)),
        ([depth(280.5, 310.5, whole=False)], (280.5, 310.5)),  # kelvin
        ([depth(2.5, 2.5, whole=False)], (0, 2.5)),
        ([depth(0, 9, windowed=True)], None),
        ([depth(0, 9, windowed=True), depth(0, 300)], (0, 511)),
        ([], None),
    ],
)
def test_the_range_of_a_data_set(depths: list[Depth], span: Span | None) -> None:
    assert find_span(depths) == span


def test_values_are_scaled_and_cut_off() -> None:
    deep = Deep(values=np.array([[0, 1000, 2000, 4000, 65535]], dtype=np.uint16), usual=(0, 65535))
    assert deep.scaled((0, 4000)).tolist() == [[0, 64, 128, 255, 255]]  # 63.75 and 127.5, rounded to even
    assert deep.scaled((2000, 4000)).tolist() == [[0, 0, 0, 255, 255]]
    inverted = Deep(values=np.array([[0, 100]]), usual=(0, 100), inverted=True, clear=0)
    assert inverted.scaled((0, 100)).tolist() == [[255, 0]]
    half = Deep(values=np.full((1, 1, 3), 100), usual=(0, 100), opacity=np.array([[0]], dtype=np.uint8))
    assert half.scaled((0, 200)).tolist() == [[[255, 255, 255]]]


def test_the_depth_of_a_picture_leaves_out_one_pixel_in_a_thousand() -> None:
    values = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    values[0, 0] = 65_535
    found = Deep(values=values, usual=(0, 65535)).depth()
    assert (found.lowest, found.highest) == (1, 65_535)
    assert 0 <= found.low <= 20
    assert 9_980 <= found.high <= 9_999
    assert found.whole
    assert not Deep(values=np.array([[0.5]]), usual=(0, 1)).depth().whole
    assert Deep(values=np.array([[2.0]], dtype=np.float32), usual=(0, 1)).depth().whole


def test_what_does_not_fit_is_told() -> None:
    assert outside(depth(0, 4000), (0, 4095)) == ""
    assert "from 0 to 8000 reach beyond the range 0:4095 and are cut off" in outside(depth(0, 8000), (0, 4095))
    assert "reach beyond" in outside(depth(-3, 4000), (0, 4095))
    assert "up to 255 are less than a sixteenth of the range 0:4095" in outside(depth(0, 255), (0, 4095))
    assert outside(depth(0, 256), (0, 4095)) == ""


def test_a_range_as_text_and_back() -> None:
    assert parse_span("0:4095") == (0, 4095)
    assert parse_span("-0.5:1e3") == (-0.5, 1000)
    assert as_text((0.0, 4095.0)) == "0:4095"
    assert parse_span(as_text((-0.25, 1.5))) == (-0.25, 1.5)
    for wrong in ("", "5", "5:1", "1:1", "a:b", "0:inf", "nan:1", "0:1:2"):
        with pytest.raises(ValueError, match="LOW:HIGH, two numbers with the lower first"):
            parse_span(wrong)


def test_values_that_are_no_numbers_are_refused() -> None:
    assert check_numbers(np.array([1.0, 3.0])) == (1, 3)
    with pytest.raises(PictureError, match="not numbers"):
        check_numbers(np.array([1.0, np.nan]))

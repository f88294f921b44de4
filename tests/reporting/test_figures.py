"""Charts follow the page. In: numbers. Out: SVG whose colours are variables and whose text is text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.reporting import figures
from tellapart.reporting.figures import (
    COLOURS,
    SERIES,
    Line,
    draw_confidences,
    draw_lines,
    draw_pairs,
    draw_reliability,
    draw_stacked,
)

from .drawn import NAMESPACE, Drawn


def charts() -> dict[str, str]:
    lines = [
        Line(x=[1, 2, 3], y=[0.5, 0.3, 0.2], colour=number, dashed=number > 1, dotted=True) for number in (1, 2, SERIES)
    ]
    return {
        "lines": draw_lines(lines, x="轮次", y="损失 <b>", mark=(2, "最佳"), whole=True),
        "shares": draw_lines(lines[:1], x="x", y="y", x_range=(0, 1), y_range=(0, 1), shares="xy", diagonal=True),
        "logarithmic": draw_lines(lines[:1], x="x", y="y", logarithmic=True),
        "reliability": draw_reliability([(0.7, 0.6)], [(0.7, 0.65, 0.5, 0.8)], x="x", y="y"),
        "confidences": draw_confidences([0, 3, 9], [1, 0, 1], x="x", y="y"),
        "stacked": draw_stacked(["≤ 16", "大"], [3, 1], [0, 2], x="x", y="y"),
        "pairs": draw_pairs({(0, 0): 4, (1, 3): 1}, x="x", y="y"),
    }


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return charts()


@pytest.mark.parametrize("name", ["lines", "shares", "logarithmic", "reliability", "confidences", "stacked", "pairs"])
def test_a_chart_takes_its_colours_and_room_from_the_page(name: str, drawn: dict[str, str]) -> None:
    root = ElementTree.fromstring(drawn[name])
    assert root.tag == f"{NAMESPACE}svg"
    assert root.get("viewBox")
    assert root.get("width") is None
    assert root.get("height") is None
    assert not re.search(r"#[0-9a-fA-F]{6}", drawn[name])
    assert "var(--ink)" in drawn[name]
    assert set(re.findall(r"var\(--([\w-]+)\)", drawn[name])) <= set(COLOURS)
    assert "font-family" not in drawn[name]


def test_text_stays_text_in_any_script_and_is_escaped(drawn: dict[str, str]) -> None:
    texts = [element.text for element in ElementTree.fromstring(drawn["lines"]).iter(f"{NAMESPACE}text")]
    assert {"轮次", "损失 <b>", "最佳"} <= set(texts)
    assert "<b>" not in drawn["lines"]


def test_two_charts_on_a_page_share_no_identifier_that_means_different_things(drawn: dict[str, str]) -> None:
    meaning: dict[str, str] = {}
    for text in drawn.values():
        for element in ElementTree.fromstring(text).iter():
            identifier = element.get("id")
            if identifier:
                content = ElementTree.tostring(element, encoding="unicode")
                assert meaning.setdefault(identifier, content) == content


def test_the_same_numbers_give_the_same_file(drawn: dict[str, str]) -> None:
    assert charts() == drawn


def test_shares_are_named_in_per_cent_and_epochs_are_whole(drawn: dict[str, str]) -> None:
    texts = {element.text for element in ElementTree.fromstring(drawn["shares"]).iter(f"{NAMESPACE}text")}
    assert {"0 %", "20 %", "100 %"} <= texts
    numbers = [element.text for element in ElementTree.fromstring(drawn["lines"]).iter(f"{NAMESPACE}text")]
    assert {"1", "2", "3"} <= set(numbers)
    assert "1.5" not in numbers


def line(**options: Any) -> Line:
    return Line(**{"x": [0.0, 0.5, 1.0], "y": [0.0, 2.0, 1.0], "colour": 3} | options)


def plain(*lines: Line, **options: Any) -> Drawn:
    return Drawn(draw_lines(lines, x="across", y="up", x_range=(0, 1), y_range=(0, 2), **options), y_range=(0, 2))


def test_a_curve_goes_through_its_points_in_its_colour() -> None:
    chart = plain(line(), line(y=[1.0, 0.5, 0.25], colour=8))
    assert chart.lines("series-3") == [[(0.0, 0.0), (0.5, 2.0), (1.0, 1.0)]]
    assert chart.lines("series-8") == [[(0.0, 1.0), (0.5, 0.5), (1.0, 0.25)]]
    assert chart.lines("series-1") == []
    assert chart.names() == ("across", "up")
    # Nothing is marked, dashed or crossed unless that was asked for.
    assert chart.marks("series-3") == []
    assert chart.dashes("series-3") == [False]
    assert chart.lines("soft") == []


def test_a_curve_may_be_dashed_marked_or_stepped() -> None:
    assert plain(line(dashed=True)).dashes("series-3") == [True]
    assert plain(line(dotted=True)).marks("series-3") == [(0.0, 0.0), (0.5, 2.0), (1.0, 1.0)]
    # A step goes across first, at the height of the point that it leaves.
    stepped = plain(line(stepped=True)).lines("series-3")
    assert stepped == [[(0.0, 0.0), (0.5, 0.0), (0.5, 2.0), (1.0, 2.0), (1.0, 1.0)]]


def test_a_single_point_may_be_large_with_an_edge_of_the_page_s_colour() -> None:
    chart = plain(line(), line(x=[0.5], y=[2.0], pointed=True))
    assert chart.marks("paper") == [(0.5, 2.0)]
    assert chart.marks("series-3") == []


def test_counts_stand_on_counts_above_their_names() -> None:
    chart = Drawn(draw_stacked(["≤ 16", "大"], [3, 1], [0, 2], x="x", y="y"))
    assert chart.ticks("x") == ["≤ 16", "大"]
    assert chart.ticks("y")[:2] == ["0", "1"]  # whole numbers
    one = chart.bars("series-1")[1][3]
    assert [(round(low / one), round(high / one)) for _, _, low, high in chart.bars("series-1")] == [(0, 3), (0, 1)]
    assert [(round(low / one), round(high / one)) for _, _, low, high in chart.bars("series-4")] == [(3, 3), (1, 3)]


def test_pairs_of_counts_are_dots_on_the_diagonal_where_they_agree() -> None:
    ends = (-0.04 * 4 - 0.3, 1.04 * 4 + 0.3)
    svg = draw_pairs({(0, 0): 4, (1, 3): 1, (4, 4): 1}, x="true", y="told")
    chart = Drawn(svg, x_range=ends, y_range=ends)
    assert chart.lines("soft") == [[(pytest.approx(0, abs=2e-3),) * 2, (pytest.approx(4, abs=2e-3),) * 2]]
    assert chart.names() == ("true", "told")
    dots = []
    for path in chart.root.iter(f"{NAMESPACE}path"):
        if "fill: var(--series-1)" in path.get("style", ""):
            numbers = [float(one) for one in re.findall(r"-?[\d.]+", path.get("d", ""))]
            across, down = numbers[0::2], numbers[1::2]
            middle = ((min(across) + max(across)) / 2, (min(down) + max(down)) / 2)
            dots.append((chart.place(middle), max(across) - min(across)))
    assert [place for place, _ in dots] == [pytest.approx(place, abs=0.01) for place in ((0, 0), (1, 3), (4, 4))]
    assert dots[0][1] == pytest.approx(2 * dots[1][1], rel=0.01)  # four times the area
    assert dots[1][1] == pytest.approx(dots[2][1])
    assert draw_pairs({(0, 0): 1}, x="x", y="y")  # no picture shows anything


def test_the_diagonal_goes_from_nought_to_one() -> None:
    chart = plain(line(), diagonal=True)
    assert chart.lines("soft") == [[(0.0, 0.0), (1.0, 1.0)]]
    assert chart.dashes("soft") == [True]


@pytest.mark.parametrize(("at", "anchor", "beside"), [(3.0, "start", 4.0), (5.0, "start", 4.0), (5.1, "end", -4.0)])
def test_a_mark_is_named_on_the_side_where_there_is_room(at: float, anchor: str, beside: float) -> None:
    # The curves reach from 1 to 9; 5 is the middle, though the first ends at 4 and the second begins at 6.
    lines = [line(x=[1, 2, 4]), line(x=[6, 8, 9])]
    chart = Drawn(draw_lines(lines, x="x", y="y", x_range=(0, 10), mark=(at, "best")), x_range=(0, 10))
    assert chart.lines("soft") == [[(at, 0.0), (at, 1.0)]]
    assert chart.dashes("soft") == [True]
    (name,) = (word for word in chart.words if word.text == "best")
    assert name.anchor == anchor
    assert name.x == pytest.approx(chart.left + chart.width * at / 10 + beside, abs=0.01)
    assert name.y == pytest.approx(chart.top + 10, abs=0.01)


@pytest.mark.parametrize("shares", ["", "x", "y", "xy"])
def test_only_axes_of_shares_are_in_per_cent(shares: Any) -> None:
    chart = Drawn(draw_lines([line()], x="x", y="y", x_range=(0, 1), y_range=(0, 0.0125), shares=shares))
    assert [all(text.endswith(" %") for text in chart.ticks(axis)) for axis in "xy"] == ["x" in shares, "y" in shares]
    assert chart.ticks("y")[1] == ("0.2 %" if "y" in shares else "0.002")


def test_a_share_is_named_with_six_digits_at_most() -> None:
    chart = Drawn(draw_lines([line()], x="x", y="y", x_range=(0.999998, 0.9999999), shares="x"))
    assert set(chart.ticks("x")) == {"99.9998 %", "99.9999 %", "100 %"}


def test_powers_of_ten_are_equally_far_apart_on_a_logarithmic_axis() -> None:
    marked = line(x=[0.01, 1.0, 100.0], y=[0.5, 0.5, 0.5], dotted=True)
    chart = Drawn(draw_lines([marked], x="x", y="y", logarithmic=True))
    first, second, third = (x for x, _ in chart.marks("series-3"))
    assert third - second == pytest.approx(second - first, abs=0.002)
    chart = Drawn(draw_lines([marked], x="x", y="y"))
    first, second, third = (x for x, _ in chart.marks("series-3"))
    assert second - first < 0.02 < third - second


def test_epochs_are_named_in_whole_numbers_nine_at_most() -> None:
    short = Drawn(draw_lines([line(x=[1, 2, 3])], x="x", y="y", whole=True))
    assert short.ticks("x") == ["1", "2", "3"]
    assert any("." in text for text in Drawn(draw_lines([line(x=[1, 2, 3])], x="x", y="y")).ticks("x"))
    long = Drawn(draw_lines([line(x=[0, 500, 1000])], x="x", y="y", whole=True, x_range=(0, 1000))).ticks("x")
    assert long == ["0", "150", "300", "450", "600", "750", "900"]


def test_axes_without_a_range_leave_a_margin() -> None:
    chart = Drawn(draw_lines([line()], x="x", y="y"))
    ((first, *_, last),) = chart.lines("series-3")
    assert first[0] == pytest.approx(0.0455, abs=0.001)  # a twentieth of the width on either side
    assert last[0] == pytest.approx(0.9545, abs=0.001)


def test_reliability_is_drawn_before_and_after() -> None:
    before = [(0.55, 0.5), (0.95, 0.7)]
    after = [(0.6, 0.5, 0.3, 0.7), (0.9, 0.95, 0.8, 1.0)]
    chart = Drawn(draw_reliability(before, after, x="confidence", y="accuracy"), y_range=(0, 1.02))
    assert chart.names() == ("confidence", "accuracy")
    assert chart.lines("soft") == [[(0.0, 0.0), (1.0, 1.0)]]
    assert chart.lines("series-2") == [before]
    assert chart.marks("series-2") == before
    intervals, *curve = chart.lines("series-1")[:2], chart.lines("series-1")[2]
    assert intervals == [[(0.6, 0.3), (0.6, 0.7)], [(0.9, 0.8), (0.9, 1.0)]]
    assert curve == [[(0.6, 0.5), (0.9, 0.95)]]
    assert chart.marks("series-1") == [(0.6, 0.5), (0.9, 0.95)]
    assert [chart.dashes(colour) for colour in ("soft", "series-2", "series-1")] == [[True], [True], [False] * 3]
    # Marks from before are hollow.
    uses = [use.get("style", "") for use in chart.root.iter(f"{NAMESPACE}use")]
    fills = {colour for style in uses for colour in re.findall(r"fill: (\S+?);", style)}
    assert fills == {"var(--soft)", "var(--paper)", "var(--series-1)"}
    assert chart.ticks("x")[-1] == chart.ticks("y")[-1] == "100 %"


def test_wrong_answers_stand_on_the_right_ones() -> None:
    chart = Drawn(draw_confidences([0, 3, 9, 5], [1, 0, 3, 5], x="confidence", y="pictures"), y_range=(0, 12.6))
    assert chart.names() == ("confidence", "pictures")
    assert chart.ticks("x") == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
    assert chart.ticks("y")[:3] == ["0", "2", "4"]
    # A quarter each, nine tenths of it filled; the tallest, 12, has a twentieth of its height above it.
    sides = [(0.0125, 0.2375), (0.2625, 0.4875), (0.5125, 0.7375), (0.7625, 0.9875)]
    right = [(0, 0), (0, 3), (0, 9), (0, 5)]
    wrong = [(0, 1), (3, 3), (9, 12), (5, 10)]
    for colour, heights in (("series-1", right), ("series-4", wrong)):
        expected = [side + height for side, height in zip(sides, heights, strict=True)]
        assert np.array(chart.bars(colour)) == pytest.approx(np.array(expected), abs=0.002)


def test_a_chart_is_framed_at_the_left_and_below(drawn: dict[str, str]) -> None:
    chart = Drawn(drawn["shares"])
    frame = [stroke for stroke in chart.strokes if not stroke.clipped and stroke.style.get("stroke")]
    assert [stroke.style["stroke"] for stroke in frame] == ["var(--soft)"] * 2
    assert [[chart.place(point) for point in stroke.points] for stroke in frame] == [
        [(0.0, 0.0), (0.0, 1.0)],
        [(0.0, 0.0), (1.0, 0.0)],
    ]
    grid = chart.lines("grid")
    assert [points for points in grid if points[0][0] == points[1][0]] == [
        [(value, 0.0), (value, 1.0)] for value in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    ]
    assert len(grid) == 12
    # What is drawn first lies below: the grid under the curves.
    order = [stroke.style.get("stroke") for stroke in chart.strokes if stroke.clipped]
    assert order == sorted(order, key=lambda colour: colour != "var(--grid)")
    filled = {stroke.style.get("fill") for stroke in chart.strokes}
    assert filled == {"none"}  # the page's own ground


def test_words_are_in_ink_and_marks_of_axes_are_soft(drawn: dict[str, str]) -> None:
    chart = Drawn(drawn["lines"])
    assert {
        word.text: word.style["fill"] for word in chart.words if word.text in ("轮次", "损失 <b>", "1", "最佳")
    } == {
        "轮次": "var(--ink)",
        "损失 <b>": "var(--ink)",
        "1": "var(--ink)",
        "最佳": "var(--soft)",
    }
    assert {word.style["fill"] for word in chart.words if word.text != "最佳"} == {"var(--ink)"}
    uses = [use.get("style", "") for use in chart.root.iter(f"{NAMESPACE}use")]
    assert any("stroke: var(--soft)" in style for style in uses)
    assert not any("var(--ink)" in style for style in uses)


def test_every_identifier_is_one_that_is_referred_to(drawn: dict[str, str]) -> None:
    for text in drawn.values():
        identifiers = set(re.findall(r' id="([^"]*)"', text))
        assert identifiers
        assert identifiers == set(re.findall(r'(?:url\(|href=")#([^")]*)', text))


def test_a_chart_is_an_element_to_put_into_a_page(drawn: dict[str, str]) -> None:
    for text in drawn.values():
        assert text.startswith("<svg ")
        assert text.endswith("</svg>\n")
        assert "<metadata" not in text
        root = ElementTree.fromstring(text)
        assert root.get("viewBox") == "0 0 324 208.8"  # 4.5 x 2.9 inches
        (room,) = root.iter(f"{NAMESPACE}rect")
        assert float(room.get("width", "0")) > 200  # what is drawn keeps its size
        assert float(room.get("height", "0")) > 150


def test_the_page_has_every_colour_that_charts_use() -> None:
    style = (Path(figures.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
    assert set(COLOURS) == {"ink", "soft", "grid", "paper", *(f"series-{number}" for number in range(1, SERIES + 1))}
    assert SERIES == 8
    for name in COLOURS:
        assert f"--{name}:" in style
    assert len(set(COLOURS.values())) == len(COLOURS)

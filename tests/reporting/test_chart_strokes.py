"""Every stroke of a chart is where the numbers say, and looks as its legend says. In: SVG. Out: strokes in the data's units."""

from __future__ import annotations

import math
import re
import warnings
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Literal

import pytest

from tellapart.reporting.figures import Line, draw_confidences, draw_lines, draw_reliability

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """A drawn chart whose axes have the given ranges."""

    svg: str
    across: tuple[float, float] = (0.0, 1.0)
    up: tuple[float, float] = (0.0, 1.0)

    @property
    def root(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.svg)

    def frame(self) -> tuple[float, float, float, float]:
        """Left, top, width and height of the axes."""
        (rectangle,) = self.root.iter(f"{SVG}rect")
        left, top, width, height = (float(rectangle.get(name, "")) for name in ("x", "y", "width", "height"))
        return left, top, width, height

    def place(self, x: float, y: float) -> tuple[float, float]:
        left, top, width, height = self.frame()
        across = self.across[0] + (x - left) / width * (self.across[1] - self.across[0])
        return round(across, 4), round(self.up[1] - (y - top) / height * (self.up[1] - self.up[0]), 4)

    def strokes(self, colour: str) -> list[tuple[Points, dict[str, str]]]:
        """What is drawn inside the axes in one of the page's colours: its corners and its other properties."""
        found = []
        for path in self.root.iter(f"{SVG}path"):
            style = styled(path)
            if path.get("clip-path") and f"var(--{colour})" in (style.get("stroke"), style.get("fill")):
                corners = re.findall(r"[ML] (\S+) (\S+)", path.get("d", ""))
                found.append(([self.place(float(x), float(y)) for x, y in corners], without_defaults(style)))
        return found

    def marks(self, colour: str) -> tuple[Points, set[float], set[str]]:
        """Where marks stand whose edge has this colour, how wide they are, and what they are filled with."""
        places, fills, names = [], set(), set()
        for use in self.root.iter(f"{SVG}use"):
            style = styled(use)
            if style.get("stroke") == f"var(--{colour})" and "stroke-width" not in style:
                places.append(self.place(float(use.get("x", "")), float(use.get("y", ""))))
                fills.add(style["fill"])
                names.add(use.get(LINK, "").removeprefix("#"))
        shapes = [path.get("d", "") for path in self.root.iter(f"{SVG}path") if path.get("id") in names]
        return places, {2 * float(shape.split()[2]) for shape in shapes}, fills

    def texts(self) -> dict[str, dict[str, str]]:
        return {
            element.text or "": {**styled(element), "x": element.get("x", ""), "y": element.get("y", "")}
            for element in self.root.iter(f"{SVG}text")
        }


def styled(element: ElementTree.Element) -> dict[str, str]:
    return dict(one.split(": ", 1) for one in element.get("style", "").split("; ") if one)


def without_defaults(style: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in style.items()
        if (name, value) not in {("fill", "none"), ("stroke-dashoffset", "0")}
    }


def line(number: int, *, width: str = "2", dash: str = "", cap: str = "") -> dict[str, str]:
    """The properties of one curve; a width of 1 is SVG's own."""
    style = {"stroke": f"var(--series-{number})"}
    style |= {"stroke-width": width} if width != "1" else {}
    style |= {"stroke-dasharray": dash} if dash else {}
    return style | ({"stroke-linecap": cap} if cap else {})


SOFT = {"stroke": "var(--soft)"}


def test_a_curve_goes_through_its_points_in_its_own_colour() -> None:
    lines = [Line(x=[1, 2, 3], y=[0.5, 0.3, 0.2], colour=1), Line(x=[1, 3], y=[0.6, 0.1], colour=8, dashed=True)]
    chart = Chart(draw_lines(lines, x="x", y="y", x_range=(0, 4), y_range=(0, 1)), across=(0, 4))
    assert chart.strokes("series-1") == [([(1, 0.5), (2, 0.3), (3, 0.2)], line(1, cap="round"))]
    assert chart.strokes("series-8") == [([(1, 0.6), (3, 0.1)], line(8, dash="10,4"))]
    assert chart.marks("series-1")[0] == []
    assert chart.strokes("soft") == []


def test_a_stepped_curve_keeps_its_height_up_to_the_next_point_and_dots_are_five_wide() -> None:
    lines = [Line(x=[0, 1, 2], y=[0.2, 0.4, 0.8], colour=3, stepped=True, dotted=True)]
    chart = Chart(draw_lines(lines, x="x", y="y", x_range=(0, 2), y_range=(0, 1)), across=(0, 2))
    corners = [(0, 0.2), (1, 0.2), (1, 0.4), (2, 0.4), (2, 0.8)]
    assert chart.strokes("series-3") == [(corners, line(3, cap="round"))]
    assert chart.marks("series-3") == ([(0, 0.2), (1, 0.4), (2, 0.8)], {5.0}, {"var(--series-3)"})


def test_the_diagonal_is_dashed_and_soft() -> None:
    chart = Chart(
        draw_lines([Line(x=[0, 1], y=[1, 0], colour=1)], x="x", y="y", x_range=(0, 1), y_range=(0, 1), diagonal=True)
    )
    assert chart.strokes("soft") == [([(0, 0), (1, 1)], {**SOFT, "stroke-dasharray": "4,3"})]


@pytest.mark.parametrize(
    ("at", "anchor", "beside"), [(2.0, "start", 4), (3.0, "start", 4), (3.1, "end", -4), (5.0, "end", -4)]
)
def test_the_mark_has_its_name_on_the_side_that_has_room(at: float, anchor: str, beside: float) -> None:
    """The curves reach from 1 to 5 together: the middle is 3."""
    lines = [Line(x=[1, 2], y=[0, 1], colour=1), Line(x=[3, 5], y=[0, 1], colour=2)]
    chart = Chart(draw_lines(lines, x="x", y="y", x_range=(0, 6), y_range=(0, 1), mark=(at, "best")), across=(0, 6))
    assert chart.strokes("soft") == [([(at, 0), (at, 1)], {**SOFT, "stroke-dasharray": "2,2"})]
    left, top, width, _ = chart.frame()
    text = chart.texts()["best"]
    assert (text["text-anchor"] if anchor == "end" else text.get("text-anchor", "start")) == anchor
    assert float(text["x"]) == pytest.approx(left + at / 6 * width + beside, abs=0.01)
    assert float(text["y"]) == pytest.approx(top + 10, abs=0.01)
    assert (text["fill"], text["font-size"]) == ("var(--soft)", "9px")


@pytest.mark.parametrize("shares", ["", "x", "y", "xy"])
def test_each_axis_is_named_and_counts_in_per_cent_where_asked(shares: Literal["", "x", "y", "xy"]) -> None:
    lines = [Line(x=[0, 1], y=[0, 1], colour=1)]
    chart = Chart(draw_lines(lines, x="share", y="rate", x_range=(0, 1), y_range=(0, 0.1), shares=shares))
    texts = chart.texts()
    assert ("40 %" in texts) == ("x" in shares)
    assert ("0.4" in texts) == ("x" not in shares)
    assert ("4 %" in texts) == ("y" in shares)
    assert ("0.04" in texts) == ("y" not in shares)
    left, top, _, height = chart.frame()
    assert float(texts["share"]["y"]) > top + height
    assert float(texts["rate"]["x"]) < left
    assert {texts[name]["fill"] for name in ("share", "rate")} == {"var(--ink)"}


def test_an_axis_of_powers_and_one_of_whole_numbers() -> None:
    lines = [Line(x=[1, 10, 100], y=[0, 0.5, 1], colour=1)]
    chart = Chart(draw_lines(lines, x="x", y="y", x_range=(1, 100), y_range=(0, 1), logarithmic=True))
    assert chart.strokes("series-1")[0][0] == [(0, 0), (0.5, 0.5), (1, 1)]  # evenly spaced
    epochs = [Line(x=[1, 2, 3, 4], y=[0, 1, 2, 3], colour=1)]
    whole, free = (
        set(Chart(draw_lines(epochs, x="x", y="y", x_range=(1, 4), y_range=(9, 10), whole=whole)).texts())
        for whole in (True, False)
    )
    assert {"1", "2", "3", "4"} <= whole
    assert {"1.5", "2.5"} & free
    assert not {"1.5", "2.5"} & whole
    long = [Line(x=[1, 33], y=[0, 1], colour=1)]
    found = Chart(draw_lines(long, x="x", y="y", x_range=(1, 33), y_range=(900, 901), whole=True)).texts()
    assert 6 <= sum(name.isdigit() and int(name) < 100 for name in found) <= 9


def test_without_ranges_the_curve_has_some_room_around_it() -> None:
    chart = Chart(draw_lines([Line(x=[0, 10], y=[0, 1], colour=1)], x="x", y="y"))
    (start, end), _ = chart.strokes("series-1")[0]
    assert all(0.02 < value < 0.1 for value in start)
    assert all(0.9 < value < 0.98 for value in end)


def test_the_frame_is_quiet_and_the_texts_are_readable() -> None:
    chart = Chart(draw_lines([Line(x=[0, 1], y=[0, 1], colour=1)], x="x", y="y", x_range=(0, 1), y_range=(0, 1)))
    assert chart.root.get("viewBox") == "0 0 324 208.8"  # 4.5 by 2.9 inches of 72 units
    assert {frozenset(style.items()) for _, style in chart.strokes("grid")} == {
        frozenset({"stroke": "var(--grid)", "stroke-width": "0.8", "stroke-linecap": "square"}.items())
    }
    assert len(chart.strokes("grid")) == 12  # six each way
    assert {style["font-size"] for style in chart.texts().values()} == {"10px"}
    assert {style["fill"] for style in chart.texts().values()} == {"var(--ink)"}
    plain = [path for path in chart.root.iter(f"{SVG}path") if path.get("clip-path") is None and path.get("id") is None]
    spines = [path.get("d", "").split() for path in plain if "var(--soft)" in path.get("style", "")]
    left, top, width, height = chart.frame()
    assert len(spines) == 2  # left and below; none above and none on the right
    corners = {(float(spine[1]), float(spine[2]), float(spine[4]), float(spine[5])) for spine in spines}
    bottom, right = pytest.approx(top + height, abs=0.01), pytest.approx(left + width, abs=0.01)
    assert sorted(corners) == [(left, bottom, left, pytest.approx(top)), (left, bottom, right, bottom)]
    assert all("stroke-width: 0.8" in path.get("style", "") for path in plain if "var(--soft)" in path.get("style", ""))
    ticks = [styled(use) for use in chart.root.iter(f"{SVG}use")]
    assert {tick["stroke"] for tick in ticks} == {"var(--soft)"}
    order = [path.get("style", "") for path in chart.root.iter(f"{SVG}path")]
    series, grid = (next(at for at, style in enumerate(order) if name in style) for name in ("series-1", "var(--grid)"))
    assert grid < series  # the grid lies below
    assert "var(--paper)" not in chart.svg  # the page shows through


def test_reliability_before_is_dashed_and_after_has_its_intervals() -> None:
    before, after = [(0.3, 0.1), (0.7, 0.6)], [(0.25, 0.2, 0.1, 0.4), (0.75, 0.8, 0.6, 0.9)]
    svg = draw_reliability(before, after, x="confidence", y="accuracy")
    chart = Chart(svg, up=(0, 1.02))
    assert chart.strokes("soft") == [([(0, 0), (1, 1)], {**SOFT, "stroke-dasharray": "4,3"})]
    assert chart.strokes("series-2") == [([(0.3, 0.1), (0.7, 0.6)], line(2, width="1.5", dash="7.5,3"))]
    assert chart.marks("series-2") == ([(0.3, 0.1), (0.7, 0.6)], {4.0}, {"var(--paper)"})
    *intervals, curve = chart.strokes("series-1")
    assert intervals == [
        ([(0.25, 0.1), (0.25, 0.4)], line(1, width="1.5")),
        ([(0.75, 0.6), (0.75, 0.9)], line(1, width="1.5")),
    ]
    assert curve == ([(0.25, 0.2), (0.75, 0.8)], line(1, cap="square"))
    assert chart.marks("series-1") == ([(0.25, 0.2), (0.75, 0.8)], {5.0}, {"var(--series-1)"})
    assert {"confidence", "accuracy", "0 %", "100 %"} <= set(chart.texts())
    assert {"0.0", "0.2", "0.5"} & set(chart.texts()) == set()


def test_confidences_stand_on_each_other_in_ranges_of_equal_width() -> None:
    svg = draw_confidences([0, 3, 9, 1], [1, 2, 1, 0], x="confidence", y="pictures")
    up = (0.0, 10 * 1.05)  # the highest column and a twentieth
    chart = Chart(svg, up=up)

    def bars(colour: str) -> list[tuple[float, float, float, float]]:
        corners = [points for points, _ in chart.strokes(colour)]
        return [(points[0][0], points[2][0], points[0][1], points[2][1]) for points in corners]

    edges = [(round((number + 0.05) / 4, 4), round((number + 0.95) / 4, 4)) for number in range(4)]
    right = [(*edge, 0, count) for edge, count in zip(edges, (0, 3, 9, 1), strict=True)]
    wrong = [(*edge, low, low + count) for edge, low, count in zip(edges, (0, 3, 9, 1), (1, 2, 1, 0), strict=True)]
    for found, expected in ((bars("series-1"), right), (bars("series-4"), wrong)):
        assert [value for bar in found for value in bar] == pytest.approx(
            [value for bar in expected for value in bar], abs=2e-3
        )
    assert {"confidence", "pictures", "0 %", "100 %"} <= set(chart.texts())
    assert "8" in chart.texts()  # pictures are no shares


def test_letters_that_no_font_here_has_are_no_reason_to_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = draw_lines([Line(x=[0, 1], y=[0, 1], colour=1)], x="\U0001f9ff \ua500", y="y")
    assert "\U0001f9ff \ua500" in svg


def test_nothing_but_the_chart_is_in_the_file() -> None:
    svg = draw_lines([Line(x=[0, 1], y=[0, math.pi], colour=1)], x="x", y="y")
    assert svg.startswith("<svg ")
    assert svg.rstrip().endswith("</svg>")
    for absent in (
        "<metadata",
        "matplotlib",
        "Date",
        "rdf:",
        "DOCTYPE",
        "font-family",
        ' width="324',
        ' height="208',
        'pt"',
    ):
        assert absent not in svg
    identifiers = re.findall(r' id="([^"]*)"', svg)
    assert all(re.fullmatch(r"[pm][0-9a-f]{10}", name) for name in identifiers), identifiers
    assert re.search(r'<rect [^>]*width="[^"]+" height="[^"]+"', svg)  # only the outermost has none

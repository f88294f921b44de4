"""Charts as SVG that follow the page's colours. In: numbers. Out: SVG text. Next: pictures.py.

matplotlib draws with stand-in colours, which become CSS variables: one chart serves light and dark pages and paper. Text
stays text, in the page's own fonts, so that every script can be read that the reader's device can show.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

# What matplotlib draws with -> the CSS variable that takes its place.
COLOURS: Mapping[str, str] = {
    "ink": "#010101",
    "soft": "#020202",
    "grid": "#030303",
    "paper": "#040404",
    **{f"series-{number}": f"#0505{number:02x}" for number in range(1, 9)},
}
SERIES = 8  # colours that can be told apart

_SIZE = (4.5, 2.9)  # inches of 72 units
_LARGEST_DOT = 160.0  # square points, of what comes most often
_IDENTIFIER = re.compile(r' id="[\w.]+_\d+"')  # figure_1, LineCollection_1 ...: a kind and a number
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_FONT = re.compile(r" font-family: [^;\"]*;")  # the page's own
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve."""

    x: Sequence[float] | NDArray[np.float64]
    y: ArrayLike
    colour: int  # 1 to SERIES
    dashed: bool = False
    dotted: bool = False  # a mark at each point
    pointed: bool = False  # a large one
    stepped: bool = False


def draw_lines(
    lines: Sequence[Line],
    *,
    x: str,
    y: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    diagonal: bool = False,
    mark: tuple[float, str] | None = None,
    shares: Literal["", "x", "y", "xy"] = "",
    logarithmic: bool = False,
    whole: bool = False,
) -> str:
    """Curves with axis names `x` and `y`; `mark` is a vertical line and its name; `shares` names axes in per cent."""
    with open_axes() as (figure, axes):
        if diagonal:
            axes.plot([0, 1], [0, 1], color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        if mark is not None:
            middle = (min(min(line.x) for line in lines) + max(max(line.x) for line in lines)) / 2
            _draw_mark(axes, *mark, late=mark[0] > middle)
        for line in lines:
            axes.plot(
                line.x,
                line.y,
                color=COLOURS[f"series-{line.colour}"],
                linewidth=2,
                linestyle=(0, (5, 2)) if line.dashed else "-",
                marker="o" if line.dotted or line.pointed else None,
                markersize=9 if line.pointed else 5,
                markeredgecolor=COLOURS["paper" if line.pointed else f"series-{line.colour}"],
                drawstyle="steps-post" if line.stepped else "default",
                solid_capstyle="round",
            )
        if logarithmic:
            axes.set_xscale("log")
        finish_axes(axes, x=x, y=y, x_range=x_range, y_range=y_range, shares=shares, whole=whole)
        return as_svg(figure)


def _draw_mark(axes: Any, x: float, name: str, *, late: bool) -> None:
    """A vertical line with its name, to the left of it where it is `late`."""
    axes.axvline(x, color=COLOURS["soft"], linewidth=1, linestyle=(0, (2, 2)))
    axes.annotate(
        name,
        (x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if late else 4, -10),
        textcoords="offset points",
        ha="right" if late else "left",
        color=COLOURS["soft"],
        fontsize=9,
    )


def draw_reliability(
    before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float, float, float]], *, x: str, y: str
) -> str:
    """Bins (confidence, accuracy) before calibration, and (confidence, accuracy, low, high) after it, on the diagonal."""
    with open_axes() as (figure, axes):
        axes.plot([0, 1], [0, 1], color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(
            [point[0] for point in before],
            [point[1] for point in before],
            color=COLOURS["series-2"],
            linewidth=1.5,
            linestyle=(0, (5, 2)),
            marker="o",
            markersize=4,
            markerfacecolor=COLOURS["paper"],
        )
        confidence = [point[0] for point in after]
        axes.vlines(
            confidence,
            [point[2] for point in after],
            [point[3] for point in after],
            color=COLOURS["series-1"],
            linewidth=1.5,
        )
        axes.plot(
            confidence, [point[1] for point in after], color=COLOURS["series-1"], linewidth=2, marker="o", markersize=5
        )
        finish_axes(axes, x=x, y=y, x_range=(0, 1), y_range=(0, 1.02), shares="xy", whole=False)
        return as_svg(figure)


def draw_confidences(right: ArrayLike, wrong: ArrayLike, *, x: str, y: str) -> str:
    """Two stacked histograms over equal ranges from 0 to 1: right answers (series 1) and wrong ones (series 4)."""
    counts = np.asarray(right), np.asarray(wrong)
    width = 1 / len(counts[0])
    middles = (np.arange(len(counts[0])) + 0.5) * width
    with open_axes() as (figure, axes):
        axes.bar(middles, counts[0], width * 0.9, color=COLOURS["series-1"])
        axes.bar(middles, counts[1], width * 0.9, bottom=counts[0], color=COLOURS["series-4"])
        finish_axes(axes, x=x, y=y, x_range=(0, 1), y_range=None, shares="x", whole=False)
        return as_svg(figure)


def draw_stacked(names: Sequence[str], lower: Sequence[int], upper: Sequence[int], *, x: str, y: str) -> str:
    """A bar for each name, of counts on counts: `lower` (series 1), and on it `upper` (series 4)."""
    places = np.arange(len(names))
    with open_axes() as (figure, axes):
        axes.bar(places, lower, 0.8, color=COLOURS["series-1"])
        axes.bar(places, upper, 0.8, bottom=lower, color=COLOURS["series-4"])
        axes.set_xticks(places, names)
        axes.grid(visible=False, axis="x")
        finish_axes(axes, x=x, y=y, x_range=None, y_range=None, shares="", whole=False)
        _whole(axes.yaxis)
        return as_svg(figure)


def draw_pairs(pairs: Mapping[tuple[int, int], int], *, x: str, y: str) -> str:
    """Pairs of counts (x, y) and how often each comes, as dots of that area, on the diagonal where the two are the same."""
    points = sorted(pairs)
    most, often = max((max(pair) for pair in points), default=1), max(pairs.values(), default=1)
    areas = [max(10.0, _LARGEST_DOT * pairs[pair] / often) for pair in points]
    with open_axes() as (figure, axes):
        axes.plot([0, most], [0, most], color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        axes.scatter(*zip(*points, strict=True), s=areas, color=COLOURS["series-1"], edgecolor=COLOURS["paper"])
        ends = (-0.04 * most - 0.3, 1.04 * most + 0.3)
        finish_axes(axes, x=x, y=y, x_range=ends, y_range=ends, shares="", whole=True)
        _whole(axes.yaxis)
        return as_svg(figure)


@contextlib.contextmanager
def open_axes(size: tuple[float, float] = _SIZE) -> Iterator[tuple[Any, Any]]:
    """A figure of that many inches of 72 units, and axes to draw on, in the page's look."""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "tellapart",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": COLOURS["soft"],
        "axes.labelcolor": COLOURS["ink"],
        "xtick.color": COLOURS["soft"],
        "ytick.color": COLOURS["soft"],
        "xtick.labelcolor": COLOURS["ink"],
        "ytick.labelcolor": COLOURS["ink"],
        "axes.grid": True,
        "grid.color": COLOURS["grid"],
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "axes.linewidth": 0.8,
    }
    # The fonts here may lack letters that the reader's have; only the width that is kept free for them is a guess then.
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=size, layout="constrained")
        yield figure, figure.add_subplot()


def finish_axes(
    axes: Any,
    *,
    x: str,
    y: str,
    x_range: tuple[float, float] | None,
    y_range: tuple[float, float] | None,
    shares: str,
    whole: bool,
) -> None:
    """Names, ranges and numbers of the axes: `shares` in per cent, `whole` numbers alone along x."""
    from matplotlib.ticker import FuncFormatter

    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if x_range is not None:
        axes.set_xlim(*x_range)
    if y_range is not None:
        axes.set_ylim(*y_range)
    percent = FuncFormatter(lambda value, _: f"{100 * value:.6g} %")
    for axis in shares:
        (axes.xaxis if axis == "x" else axes.yaxis).set_major_formatter(percent)
    if whole:
        _whole(axes.xaxis)


def _whole(axis: Any) -> None:
    """Names on the axis at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=8))


def as_svg(figure: Any) -> str:
    """The figure as SVG whose colours are the page's."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = _METADATA.sub("", _HEAD.sub("", buffer.getvalue()))
    # Several charts stand on one page, where an identifier may be given once; none of these is referred to.
    text = _IDENTIFIER.sub("", text)
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    text = _FONT.sub("", text)
    return _unsized(text)


def _unsized(text: str) -> str:
    """Without a width and height of its own an SVG takes the room that the page gives it."""
    text = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"', r"\1", text, count=1)
    return re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", text, count=1)

"""Charts of a search and of backbones. In: trials as numbers. Out: SVG text. Next: figures.py.

Figures of trials are shares. Values of a setting are numbers, or texts, which stand beside each other in the order given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tellapart.reporting.figures import COLOURS, as_svg, finish_axes, open_axes

_GOOD = 0.2  # share of the trials that stand out among parallel lines
_WIDE = (9.4, 3.2)  # inches of 72 units
_ROOM = 0.12  # of an axis on both sides


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedAxis:
    """One setting of a search, and what each of n trials had for it."""

    name: str
    values: Sequence[float] | Sequence[str]  # [n]
    words: Sequence[str] = ()  # all that it may be, in order; empty where it is a number
    logarithmic: bool = False

    def places(self) -> list[float]:
        """Where each value stands on the axis, 0 at its low end and 1 at its high one."""
        if self.words:
            last = max(1, len(self.words) - 1)
            return [self.words.index(str(value)) / last for value in self.values]
        numbers = [float(value) for value in self.values]
        if self.logarithmic:
            import math

            numbers = [math.log(number) for number in numbers]
        low, high = min(numbers), max(numbers)
        return [0.5 if high == low else (number - low) / (high - low) for number in numbers]


def draw_history(figures: Sequence[tuple[int, float]], *, usual: float | None, x: str, y: str) -> str:
    """Trials by number, the best so far as a line, and the usual settings as a dashed one where they were tried."""
    numbers, values = [number for number, _ in figures], [value for _, value in figures]
    best, most = [], values[0]
    for value in values:
        most = max(most, value)
        best.append(most)
    with open_axes() as (figure, axes):
        axes.plot(numbers, values, linestyle="", marker="o", markersize=4, color=COLOURS["series-2"])
        axes.plot(numbers, best, drawstyle="steps-post", color=COLOURS["series-1"], linewidth=2)
        if usual is not None:
            axes.axhline(usual, color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        finish_axes(axes, x=x, y=y, x_range=None, y_range=None, shares="y", whole=True)
        return as_svg(figure)


def draw_importance(shares: Mapping[str, float], *, x: str) -> str:
    """A bar for each setting, the most important at the top."""
    ranked = sorted(shares.items(), key=lambda item: item[1])
    with open_axes() as (figure, axes):
        axes.barh(range(len(ranked)), [share for _, share in ranked], 0.7, color=COLOURS["series-1"])
        axes.set_yticks(range(len(ranked)), [name for name, _ in ranked])
        axes.grid(visible=False, axis="y")
        finish_axes(axes, x=x, y="", x_range=(0, 1), y_range=None, shares="x", whole=False)
        return as_svg(figure)


def draw_slice(axis: TriedAxis, figures: Sequence[float], *, best: int | None, y: str) -> str:
    """Figures [n] over one setting; the trial at place `best` stands out."""
    with open_axes() as (figure, axes):
        xs: Any = [list(axis.words).index(str(value)) for value in axis.values] if axis.words else list(axis.values)
        axes.plot(xs, figures, linestyle="", marker="o", markersize=4, color=COLOURS["series-2"])
        if best is not None:
            axes.plot([xs[best]], [figures[best]], linestyle="", marker="o", markersize=9, color=COLOURS["series-1"])
        if axis.logarithmic:
            axes.set_xscale("log")
        finish_axes(axes, x=axis.name, y=y, x_range=None, y_range=None, shares="y", whole=False)
        if axis.words:
            axes.set_xticks(range(len(axis.words)), axis.words)
            axes.set_xlim(-0.5, len(axis.words) - 0.5)
        return as_svg(figure)


def draw_parallel(axes_of: Sequence[TriedAxis], figures: Sequence[float], *, name: str) -> str:
    """A line for each of n trials through all settings to its figure, called `name`; the best fifth stands out, the best most."""
    every = [*axes_of, TriedAxis(name=name, values=figures)]
    ranked = sorted(range(len(figures)), key=lambda row: figures[row])
    good = set(ranked[-max(1, round(_GOOD * len(ranked))) :])
    lines = list(zip(*(one.places() for one in every), strict=True))
    with open_axes(_WIDE) as (figure, axes):
        for row in ranked:
            best = row == ranked[-1]
            colour = COLOURS["series-4" if best else "series-1" if row in good else "grid"]
            axes.plot(range(len(every)), lines[row], color=colour, linewidth=2.5 if best else 1, solid_capstyle="round")
        for place, one in enumerate(every):
            axes.axvline(place, color=COLOURS["soft"], linewidth=0.8)
            _name_ends(axes, place, one, share=place == len(every) - 1)
        axes.set_xticks(range(len(every)), [one.name for one in every])
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        finish_axes(
            axes, x="", y="", x_range=(-0.15, len(every) - 0.75), y_range=(-_ROOM, 1 + _ROOM), shares="", whole=False
        )
        return as_svg(figure)


def draw_costs(
    points: Sequence[tuple[str, float, float, float, float]], *, picked: str, x: str, y: str, logarithmic: bool = False
) -> str:
    """Networks as (name, cost, figure, low, high), with the figures' intervals; the picked one stands out."""
    with open_axes() as (figure, axes):
        for name, cost, value, low, high in points:
            colour = COLOURS["series-1" if name == picked else "series-2"]
            axes.vlines([cost], [low], [high], color=colour, linewidth=1.5)
            axes.plot([cost], [value], linestyle="", marker="o", markersize=9 if name == picked else 6, color=colour)
            axes.annotate(
                name, (cost, value), xytext=(7, 3), textcoords="offset points", fontsize=9, color=COLOURS["ink"]
            )
        if logarithmic:
            axes.set_xscale("log")
        axes.margins(x=0.25, y=0.15)
        finish_axes(axes, x=x, y=y, x_range=None, y_range=None, shares="y", whole=False)
        return as_svg(figure)


def _name_ends(axes: Any, place: int, one: TriedAxis, *, share: bool) -> None:
    """What stands at the ends of an axis, or at all its words."""
    if one.words:
        last = max(1, len(one.words) - 1)
        told = [(number / last, word) for number, word in enumerate(one.words)]
    else:
        numbers = [float(value) for value in one.values]
        ends = [(0.0, min(numbers)), (1.0, max(numbers))] if min(numbers) < max(numbers) else [(0.5, numbers[0])]
        told = [(height, f"{100 * number:.1f} %" if share else f"{number:.3g}") for height, number in ends]
    for height, text in told:
        axes.annotate(
            text, (place, height), xytext=(3, 2), textcoords="offset points", fontsize=8, color=COLOURS["soft"]
        )

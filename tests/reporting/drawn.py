"""A chart as a reader sees it. In: SVG. Out: curves, bars and words in the chart's own units. Next: test_figures.py."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

NAMESPACE = "{http://www.w3.org/2000/svg}"

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A path: its points in pixels, downward from the top, and its style."""

    points: Points
    style: dict[str, str]
    clipped: bool  # it belongs to the room between the axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A text, where it stands and which of its ends stands there."""

    text: str
    x: float
    y: float
    anchor: str
    turned: bool
    style: dict[str, str]


class Drawn:
    """A chart's strokes, marks and words. The axes reach over `x_range` and `y_range`, as the caller knows."""

    def __init__(
        self, svg: str, *, x_range: tuple[float, float] = (0.0, 1.0), y_range: tuple[float, float] = (0.0, 1.0)
    ) -> None:
        self.root = ElementTree.fromstring(svg)
        self.x_range, self.y_range = x_range, y_range
        room = next(self.root.iter(f"{NAMESPACE}rect"))
        self.left, self.top, self.width, self.height = (
            float(room.get(key, "")) for key in ("x", "y", "width", "height")
        )
        self.strokes = [
            Stroke(
                points=[(float(x), float(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", path.get("d", ""))],
                style=_style(path),
                clipped=path.get("clip-path") is not None,
            )
            for path in self.root.iter(f"{NAMESPACE}path")
            if path.get("id") is None  # one with an identifier is the form of a mark
        ]
        self.words = [
            Word(
                text=text.text or "",
                x=float(text.get("x", 0)),
                y=float(text.get("y", 0)),
                style=_style(text),
                anchor=_style(text).get("text-anchor", ""),
                turned=text.get("transform", "").startswith("rotate(-90"),
            )
            for text in self.root.iter(f"{NAMESPACE}text")
        ]

    def place(self, point: tuple[float, float]) -> tuple[float, float]:
        """A point of the picture in the axes' units."""
        across, up = (point[0] - self.left) / self.width, 1 - (point[1] - self.top) / self.height
        (x_low, x_high), (y_low, y_high) = self.x_range, self.y_range
        return round(x_low + across * (x_high - x_low), 3), round(y_low + up * (y_high - y_low), 3)

    def lines(self, colour: str) -> list[Points]:
        """The curves of one colour."""
        found = [
            stroke for stroke in self.strokes if stroke.clipped and stroke.style.get("stroke") == f"var(--{colour})"
        ]
        return [[self.place(point) for point in stroke.points] for stroke in found]

    def dashes(self, colour: str) -> list[bool]:
        """Whether each curve of one colour is dashed."""
        found = [
            stroke for stroke in self.strokes if stroke.clipped and stroke.style.get("stroke") == f"var(--{colour})"
        ]
        return ["stroke-dasharray" in stroke.style for stroke in found]

    def marks(self, colour: str) -> Points:
        """Where the marks of one colour stand."""
        uses = [one for one in self.root.iter(f"{NAMESPACE}use") if _style(one).get("stroke") == f"var(--{colour})"]
        return [self.place((float(one.get("x", "")), float(one.get("y", "")))) for one in uses]

    def bars(self, colour: str) -> list[tuple[float, float, float, float]]:
        """Left, right, bottom and top of each bar of one colour."""
        bars = []
        for stroke in self.strokes:
            if stroke.clipped and stroke.style.get("fill") == f"var(--{colour})":
                places = [self.place(point) for point in stroke.points]
                (left, bottom), (right, top) = min(places), max(places)
                bars.append((left, right, bottom, top))
        return bars

    def names(self) -> tuple[str, str]:
        """The names of the axes: of x, below all other words, and of y."""
        lowest = max(self.words, key=lambda word: word.y)
        return lowest.text, next(word.text for word in self.words if word.turned)

    def ticks(self, axis: str) -> list[str]:
        """What the marks of an axis are called, in order."""
        if axis == "x":
            level = [word for word in self.words if word.anchor == "middle" and word.text != self.names()[0]]
            return [word.text for word in sorted(level, key=lambda word: word.x) if not word.turned]
        return [word.text for word in sorted(self.words, key=lambda word: -word.y) if word.anchor == "end"]


def _style(element: ElementTree.Element) -> dict[str, str]:
    parts = (part.partition(":") for part in element.get("style", "").split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in parts}

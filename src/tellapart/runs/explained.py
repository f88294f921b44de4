"""What was found about why a model says what it says. In: nothing. Out: values, as JSON. Next: neighbourhood.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.explanation.faithfulness import Faithfulness
from tellapart.runs.neighbourhood import Neighbour


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnHeatmap:
    """One method's heatmap of one picture."""

    method: str
    overlay: Path  # PNG
    array: Path  # .npy, float32 [h, w] in [0, 1]
    faithfulness: Faithfulness
    seconds: float
    note: str
    parts: Mapping[str, float] = field(
        default_factory=dict
    )  # what the class's logit is the sum of, by name, where told


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One picture's explanation, or the reason why there is none."""

    path: str
    error: str = ""
    label: str = ""  # the most probable class
    probability: float = 0.0
    named: Mapping[str, float] = field(
        default_factory=dict
    )  # what the model answers: its classes, each with its probability
    target: str = ""  # the class that is explained
    target_probability: float = 0.0
    drawn: tuple[DrawnHeatmap, ...] = ()
    chance: Faithfulness | None = None  # what random heatmaps reach
    best: str = ""  # the most faithful method; "" where none is better than chance
    neighbours: tuple[Neighbour, ...] = ()
    seen: bool = False  # it is one of the training pictures, pixel for pixel
    sheet: Path | None = None
    box: tuple[float, float, float, float] | None = None  # what is explained, in pixels of the upright picture
    which: int = 0  # of the boxes that are told, from 1, the most certain first; 0: the whole picture is explained
    boxes: int = 0  # that are told
    noun: str = "box"  # what is explained where it is not the whole picture: a box, or a part of a mask

    @property
    def said(self) -> str:
        """What the model answers, in words."""
        if self.box is not None:
            return f"{self.noun} {self.which} of {self.boxes}, {self.target} {100 * self.target_probability:.1f} %"
        return ", ".join(f"{name} {100 * value:.1f} %" for name, value in self.named.items()) or "none of them"

    @property
    def explained_another(self) -> bool:
        """Whether something else is explained than the one class that the model answers."""
        return self.box is None and list(self.named) != [self.target]

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        if self.error:
            return {"path": self.path, "error": self.error}
        heatmaps = [
            {
                "method": one.method,
                "overlay": str(one.overlay),
                "array": str(one.array),
                "deletion": round(one.faithfulness.deletion, 4),
                "insertion": round(one.faithfulness.insertion, 4),
                "seconds": round(one.seconds, 3),
                "note": one.note or None,
                **({"parts": {name: round(value, 4) for name, value in one.parts.items()}} if one.parts else {}),
            }
            for one in self.drawn
        ]
        random = self.chance and {
            "deletion": round(self.chance.deletion, 4),
            "insertion": round(self.chance.insertion, 4),
        }
        return {
            "path": self.path,
            "error": None,
            "label": self.label,
            "probability": round(self.probability, 6),
            "named": {name: round(value, 6) for name, value in self.named.items()},
            "class": self.target,
            "class_probability": round(self.target_probability, 6),
            "heatmaps": heatmaps,
            "chance": random,
            "most_faithful": self.best or None,
            **({} if self.box is None else {"box": [round(side, 1) for side in self.box], "which": self.which}),
            "sheet": str(self.sheet),
            "seen_in_training": self.seen,
            "neighbours": [
                {"path": str(one.path), "label": one.label, "similarity": round(one.similarity, 4)}
                for one in self.neighbours
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What `tellapart explain` made."""

    folder: Path
    pictures: tuple[Explained, ...]
    skipped: dict[str, str]  # method -> why it was left out of `all`

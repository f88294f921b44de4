"""What is known of an exported file, as its card says it. In: Rated, Change. Out: card.json. Next: making.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.workflows.rating.changed import Change
from tellapart.workflows.rating.rated import Rated

CARD = "card.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output of the file."""

    name: str
    type: str  # as NumPy calls it
    shape: tuple[int | str, ...]  # a name stands for any number

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {"name": self.name, "type": self.type, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A model in one format, on its run's whole test split."""

    format: str
    path: Path  # of the file, or the folder where it is one
    folder: Path  # of the format
    rated: Rated | None  # None: written, not run
    before: Rated  # the model's own file, by ONNX Runtime
    change: Change | None
    megabytes: float
    inputs: Sequence[Port]
    outputs: Sequence[Port]
    versions: Mapping[str, str]  # of what made it and ran it
    notes: Sequence[str]  # what to know of it, in sentences
    model_sha256: str
    seconds: float  # that converting took
    refused: str = ""  # why it was not taken; "" where it was

    def as_json(self) -> dict[str, Any]:
        """What --json prints of it; None for what nobody could measure here."""
        score = None if self.rated is None else self.rated.as_json()["score"]
        times = None if self.rated is None or self.rated.milliseconds is None else self.rated.milliseconds.as_json()
        return {
            "format": self.format,
            "path": str(self.path),
            "score": score,
            "flipped": None if self.change is None else self.change.flipped,
            "largest_difference": None if self.change is None else self.change.largest,
            "milliseconds": times,
            "megabytes": round(self.megabytes, 3),
        }

    def card(self) -> dict[str, Any]:
        """The card: the same, what it was compared with, what it takes and gives, and what made it."""
        before = self.before.as_json()
        return self.as_json() | {
            "path": self.path.name,
            "run": self.rated is not None,
            "answers": None if self.change is None else self.change.of,
            "flipped_share": None if self.change is None else self.change.share,
            "change": None if self.change is None else self.change.as_json()["change"],
            "figures": None if self.rated is None else _both(self.before, self.rated),
            "pictures": len(self.before.answers),
            "before": {"format": "model.onnx", **before},
            "model_sha256": self.model_sha256,
            "inputs": [one.as_json() for one in self.inputs],
            "outputs": [one.as_json() for one in self.outputs],
            "versions": dict(self.versions),
            "seconds": round(self.seconds, 1),
            "notes": list(self.notes),
            "refused": self.refused,
        }


def _both(before: Rated, after: Rated) -> dict[str, Any]:
    """Each figure that has an interval, before and after: a detector's AP at all overlaps falls where that at 0.5 does not."""
    found = {}
    for name, value in before.metrics.items():
        other = after.metrics.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping) and "value" in value and "value" in other:
            found[name] = {"before": value["value"], "after": other["value"]}
    return found

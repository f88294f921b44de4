"""What a worker does with parts: open a model once, answer. In: Parts. Out: a parquet file each. Next: columns.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tellapart.answers.plain_rows import plain_row
from tellapart.answers.predictor import Predictor
from tellapart.answers.thresholds import Thresholds
from tellapart.bundle import open_bytes
from tellapart.workflows.scaling.answer_folder import Tallied
from tellapart.workflows.scaling.columns import parquet_bytes
from tellapart.workflows.scaling.parts import PicturePart


@dataclass(frozen=True, slots=True, kw_only=True)
class ToAnswer:
    """What every worker is given."""

    model: bytes  # of model.onnx
    source: str  # what messages call it
    thresholds: Thresholds | None
    top: int
    allow_private: bool
    roots: tuple[str, ...]  # folders that were named


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAnswers:
    """A part, answered."""

    data: bytes  # a parquet file
    tallied: Tallied


def answering_parts(given: ToAnswer) -> Callable[[PicturePart], PartAnswers]:
    """Opens the model. Raises: ModelFileError, SettingsError."""
    predictor = Predictor(open_bytes(given.model, source=given.source), given.thresholds)

    def answer(part: PicturePart) -> PartAnswers:
        rows = []
        unreadable = unknown = 0
        answered: set[int] = set()
        for one in predictor.stream(part.items, allow_private=given.allow_private):
            rows.append(plain_row(one, predictor.answering, top=given.top))
            unreadable += bool(one.error)
            unknown += bool(one.unknown)
            answered.update(
                place for place, root in enumerate(given.roots) if one.path.startswith(os.path.join(root, ""))
            )
        tallied = Tallied(
            key=part.key, rows=len(rows), unreadable=unreadable, unknown=unknown, answered=tuple(sorted(answered))
        )
        return PartAnswers(data=parquet_bytes(rows, asdict(tallied)), tallied=tallied)

    return answer

"""Predictions over a cluster, a parquet file a part. In: a model, items. Out: a folder that can be gone on with. Next: evaluate.py.

Workers answer and the driver writes, so that the folder need lie on one machine alone, and nothing stands in it half or twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tellapart.answers.items import PathItem
from tellapart.answers.thresholds import Thresholds
from tellapart.errors import DataError
from tellapart.reporter import Reporter, counted
from tellapart.storage import storage_errors
from tellapart.workflows.scaling.answer_folder import Begun, Tallied, begin_folder
from tellapart.workflows.scaling.part_answers import ToAnswer, answering_parts
from tellapart.workflows.scaling.parts import PicturePart, in_parts
from tellapart.workflows.scaling.spread import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What was written."""

    folder: Path
    parts: int
    there: int  # of them, that an earlier call had finished
    rows: int
    unreadable: int
    unknown: int


def predict_parts(
    items: Iterable[PathItem],
    out: Path,
    *,
    model: Path,
    thresholds: Thresholds | None,
    top: int,
    roots: Sequence[str],
    barren: Callable[[str], str],
    allow_private: bool = False,
    force: bool = False,
    spread: Callable[[int], Spread],
    reporter: Reporter,
) -> Predicted:
    """Answer every item as `tellapart predict` of one machine does, exactly once.

    `roots` are the folders named; of one that holds no picture `barren` says why, for a row of its own. `spread` is asked for once
    it is known how many pictures are to be answered, and only if any are.
    Raises: DataError where there is nothing to answer; StorageError, MachineError, and what the model raises.
    """
    file = model / "model.onnx" if model.is_dir() else model
    with storage_errors(file):
        data = file.read_bytes()
    parts = list(in_parts(items))
    if not parts and not any(map(barren, roots)):
        raise DataError("there is no picture in the paths given. Name picture files, or folders that hold some.")
    given = ToAnswer(
        model=data,
        source=str(model),
        thresholds=thresholds,
        top=top,
        allow_private=allow_private,
        roots=tuple(roots),
    )
    with begin_folder(out, _asked(given, hashlib.sha256(data).hexdigest()), parts, force=force) as begun:
        there = len(begun.done)
        if there:
            reporter.say(f"Going on behind {counted(there, 'part')} that an earlier call has written.")
        _answer(begun, parts, given, spread, reporter)
        last = _barren_part(begun, parts, given, spread, barren)
        begun.plan(parts, barren=last, whole=True)
        return _summed(begun, [*parts, *last], there)


def _asked(given: ToAnswer, model: str) -> dict[str, Any]:
    """What must be the same for a call to go on with another's folder."""
    return {
        "model": model,
        "version": version("tellapart"),
        "top": given.top,
        "thresholds": given.thresholds if given.thresholds is None else _plain(given.thresholds),
    }


def _plain(thresholds: Thresholds) -> Any:
    return thresholds if isinstance(thresholds, float | int) else dict(sorted(thresholds.items()))


def _answer(
    begun: Begun, parts: Sequence[PicturePart], given: ToAnswer, spread: Callable[[int], Spread], reporter: Reporter
) -> None:
    waiting = [part for part in parts if part.key not in begun.done]
    if not waiting:
        return
    each = spread(sum(len(part.items) for part in waiting))
    with reporter.step("Predicting", sum(len(part.items) for part in parts)) as advance:
        advance(sum(len(part.items) for part in parts if part.key in begun.done))
        for number, answers in each(answering_parts, given, waiting):
            begun.keep(waiting[number].key, answers.data, answers.tallied)
            advance(len(waiting[number].items))


def _barren_part(
    begun: Begun,
    parts: Sequence[PicturePart],
    given: ToAnswer,
    spread: Callable[[int], Spread],
    barren: Callable[[str], str],
) -> list[PicturePart]:
    """A row for each folder that holds no picture, as one machine tells them after all others."""
    answered = {place for tallied in begun.done.values() for place in tallied.answered}
    reasons = {root: barren(root) for place, root in enumerate(given.roots) if place not in answered}
    if not reasons or not (any(tallied.rows for tallied in begun.done.values()) or any(reasons.values())):
        return []
    items = [PathItem(path=root, named=True, error=reason or "holds no picture") for root, reason in reasons.items()]
    told = list(in_parts(items))
    begun.plan(parts, barren=told)
    for number, answers in spread(len(items))(answering_parts, given, told):
        begun.keep(told[number].key, answers.data, answers.tallied)
    return told


def _summed(begun: Begun, parts: Sequence[PicturePart], there: int) -> Predicted:
    """Raises: DataError where nothing was answered."""
    tallied: list[Tallied] = [begun.done[part.key] for part in parts]
    rows = sum(one.rows for one in tallied)
    if rows == 0:
        raise DataError("there is no picture in the paths given. Name picture files, or folders that hold some.")
    return Predicted(
        folder=begun.folder,
        parts=len(parts),
        there=there,
        rows=rows,
        unreadable=sum(one.unreadable for one in tallied),
        unknown=sum(one.unknown for one in tallied),
    )

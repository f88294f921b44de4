"""How a predicted row looks. In: rows. Out: lines of text, as they come. Next: predict.py."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.predictor import Row

Layout = Callable[[Iterable[Row], tuple[str, ...], int], Iterator[str]]


def table(rows: Iterable[Row], classes: tuple[str, ...], top: int) -> Iterator[str]:
    """Aligned columns for a person: probability, class, path; an unreadable picture shows its reason.

    After the path stands what makes a picture doubtful: that it is unknown, or the other classes that it may be.
    """
    width = min(30, max(len(name) for name in classes))
    for row in rows:
        if row.probabilities is None:
            yield f"{'unreadable':<{top * (width + 8)}} {row.path}  ({row.error})\n"
            continue
        cells = [
            f"{100 * row.probabilities[index]:5.1f}% {classes[index]:<{width}}"
            for index in _best(row.probabilities, top)
        ]
        yield f"{' '.join(cells)} {row.path}{_doubt(row, classes)}\n"


def as_csv(rows: Iterable[Row], classes: tuple[str, ...], top: int) -> Iterator[str]:
    """A header and one line a picture: path, label, probability, further classes with --top, error, set, unknown, novelty.

    The classes of a set are separated by |; the last three are empty where they are not known.
    """
    further = [name for rank in range(2, top + 1) for name in (f"label_{rank}", f"probability_{rank}")]
    yield _csv_line(["path", "label", "probability", *further, "error", "set", "unknown", "novelty"])
    for row in rows:
        cells: list[str] = []
        if row.probabilities is not None:
            for index in _best(row.probabilities, top):
                cells += [classes[index], f"{row.probabilities[index]:.6f}"]
        known = [
            "|".join(classes[index] for index in row.members or ()),
            "" if row.unknown is None else str(row.unknown).lower(),
            "" if row.novelty is None else f"{row.novelty:.6g}",
        ]
        yield _csv_line([row.path, *(cells or [""] * 2 * top), row.error, *known])


def as_jsonl(rows: Iterable[Row], classes: tuple[str, ...], top: int) -> Iterator[str]:
    """One JSON object a line: path, label, probability, top (a list), error (null where fine), set, unknown, novelty."""
    for row in rows:
        best = [] if row.probabilities is None else _best(row.probabilities, top)
        ranked = [
            {"label": classes[index], "probability": round(float(row.probabilities[index]), 6)}
            for index in best
            if row.probabilities is not None
        ]
        record = {
            "path": row.path,
            "label": ranked[0]["label"] if ranked else None,
            "probability": ranked[0]["probability"] if ranked else None,
            "top": ranked,
            "error": row.error or None,
            "set": None if row.members is None else [classes[index] for index in row.members],
            "unknown": row.unknown,
            "novelty": None if row.novelty is None else float(f"{row.novelty:.6g}"),
        }
        yield json.dumps(record, ensure_ascii=False) + "\n"


_NAMED = 5  # classes of a set, in the table

LAYOUTS: Mapping[str, Layout] = {"table": table, "csv": as_csv, "jsonl": as_jsonl}


def _doubt(row: Row, classes: tuple[str, ...]) -> str:
    if row.unknown:
        return "  (unknown: unlike the pictures trained on)"
    if row.members is None or len(row.members) < 2:
        return ""
    names = [classes[index] for index in row.members[:_NAMED]]
    more = len(row.members) - len(names)
    others = f" or {more} other{'s' if more > 1 else ''}" if more else ""
    return f"  (may be {', '.join(names)}{others})"


def _best(probabilities: NDArray[np.float32], top: int) -> list[int]:
    order: list[int] = np.argsort(-probabilities, kind="stable")[:top].tolist()
    return order


def _csv_line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()

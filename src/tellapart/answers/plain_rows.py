"""An answer as a row of plain values. In: an answer, its task. Out: what JSON lines and parquet files say. Next: sources.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.answers.answering import Answering

_DECIMALS = 6  # of a probability
_KEYS: Mapping[str, str] = {"classes": "top"}  # of an answer's row -> of a line, where they differ


def plain_row(answer: Any, answering: Answering[Any, Any], *, top: int) -> dict[str, Any]:
    """The task's row without pictures, its probabilities rounded; what is not known is None."""
    row = answering.row(answer, top=top, figure=_rounded)
    for name in answering.pictured:
        del row[name]
    row["novelty"] = None if answer.novelty is None else float(f"{answer.novelty:.6g}")  # it has no upper limit
    return {_KEYS.get(name, name): value for name, value in row.items()}


def _rounded(probability: float) -> float:
    return round(probability, _DECIMALS)

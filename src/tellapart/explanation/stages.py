"""The layers put together to a few rows for a drawing. In: list[Layer]. Out: list[StageRow]. Next: pictures.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tellapart.drawing.tiles import Kind, StageRow
from tellapart.explanation.layers import CLASSIFIER, INPUT, Layer

MOST_ROWS = 24  # more cannot be taken in at a glance
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("Softmax", "attention"),
    ("Conv", "convolution"),
    ("MatMul", "dense"),
    ("Gemm", "dense"),
    ("GlobalAveragePool", "pooling"),
    ("AveragePool", "pooling"),
    ("MaxPool", "pooling"),
    ("ReduceMean", "pooling"),
)


def put_together(layers: Sequence[Layer], *, most: int = MOST_ROWS) -> list[StageRow]:
    """One row for each stage; where those are more than `most`, for each run of layers of the same resolution."""
    shown = [layer for layer in layers if layer.name != INPUT]
    by_stage = _without_activations(_runs(shown, lambda layer: _stage(layer.name)))
    if len(by_stage) <= most:
        return by_stage
    return _runs(shown, lambda layer: (layer.name == CLASSIFIER, layer.output[1:] if len(layer.output) == 3 else ()))


def _stage(name: str) -> str:
    """The name up to the first part with a number in it: blocks.4.2.conv_dw is blocks.4, layer4.1.act2 is layer4."""
    parts = name.split(".")
    numbered = next((index for index, part in enumerate(parts) if any(letter.isdigit() for letter in part)), 0)
    return ".".join(parts[: numbered + 1])


def _runs(layers: Sequence[Layer], key: Callable[[Layer], object]) -> list[StageRow]:
    runs: list[list[Layer]] = []
    for layer in layers:
        if runs and key(runs[-1][-1]) == key(layer):
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return [_row(run) for run in runs]


def _without_activations(rows: Sequence[StageRow]) -> list[StageRow]:
    """A row that only changes each number for itself belongs to the row before it."""
    kept: list[StageRow] = []
    for row in rows:
        if kept and row.kind == "other" and not row.parameters and row.output == kept[-1].output:
            kept[-1] = replace(kept[-1], layers=kept[-1].layers + row.layers)
        else:
            kept.append(row)
    return kept


def _row(run: Sequence[Layer]) -> StageRow:
    operators = {operator for layer in run for operator in layer.operators}
    first, last = _stage(run[0].name), _stage(run[-1].name)
    return StageRow(
        name=first if first == last else f"{first} to {last}",
        kind=next((kind for operator, kind in _KINDS if operator in operators), "other"),
        layers=len(run),
        output=run[-1].output,
        parameters=sum(layer.parameters for layer in run),
        multiply_adds=sum(layer.multiply_adds for layer in run),
    )

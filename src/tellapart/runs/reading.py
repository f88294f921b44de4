"""What a run's files say, as values. In: JSON, predictions.csv. Out: dicts, PredictionTable. Next: network.py."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.formulas import SafeReader
from tellapart.errors import DataError
from tellapart.runs.prediction_columns import RANKED, is_whole, ranked_columns
from tellapart.storage import storage_errors

_TOLD = 3  # columns before the probabilities: path, target, answer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionTable:
    """The test split, and what the model said of it: n pictures, K classes."""

    source: Path  # predictions.csv
    lines: list[int]  # [n], of the file: where each row ends
    paths: list[Path]  # [n]
    targets: list[str]  # [n], the truth as the task writes it
    answers: list[str]  # [n], as the task writes them
    probabilities: NDArray[np.float32]  # [n, K], calibrated; or of the most probable classes alone, in falling order
    ranked: NDArray[np.int64] | None = None  # which classes those are, as `probabilities`; None: all, in their order

    @property
    def best(self) -> NDArray[np.int64]:
        """The most probable class of each picture, [n]."""
        return self.probabilities.argmax(axis=1) if self.ranked is None else self.ranked[:, 0]

    @property
    def sure(self) -> NDArray[np.float32]:
        """Its probability, [n]."""
        highest: NDArray[np.float32] = self.probabilities.max(axis=1)
        return highest

    def judged(self, labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Probabilities [n, ...] and, for the true classes [n], columns of them: for what asks only whether the first is right."""
        return self.probabilities, labels if self.ranked is None else (self.best != labels).astype(np.int64)

    def refusal(self, row: int) -> DataError:
        """What is raised when a task cannot read row `row`."""
        return _refusal(self.source, self.lines[row])


def read_json(path: Path, key: str) -> dict[str, Any]:
    """An object that training wrote, which holds `key`. Raises: DataError when it is none; StorageError without access."""
    with storage_errors(path):
        data = path.read_bytes()
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict) or key not in value:
        raise DataError(f"{path} is not the JSON that `tellapart train` wrote: it lacks {key!r}. Train again.")
    return value


def read_predictions(path: Path, classes: tuple[str, ...]) -> PredictionTable:
    """The rows of predictions.csv. The column of the truth has a name of the task's own: label, labels ...

    Raises: DataError with the line that is wrong, or where the columns are not those of the classes; StorageError.
    """
    with storage_errors(path):
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    reader = SafeReader(text)
    try:
        table = [(reader.line, cells) for cells in reader]
    except csv.Error:
        raise _refusal(path, reader.line) from None
    header = table[0][1] if table else []
    wide = not is_whole(len(classes)) and header[_TOLD:] == ranked_columns()
    wanted = ["path", *header[1:2], "predicted", *(f"probability of {name}" for name in classes)]
    if not wide and header[: len(wanted)] != wanted:
        raise DataError(
            f"{path} has the columns {','.join(header)[:200]!r}, not those of the model's {len(classes)} classes. Train again."
        )
    number = {name: index for index, name in enumerate(classes)}
    lines, told, rows, ranked = [], [], [], []
    for line, cells in table[1:]:
        try:
            if wide:
                ranked.append([number[cell] for cell in cells[_TOLD + 1 :: 2]])
            rows.append([float(cell) for cell in (cells[_TOLD + 2 :: 2] if wide else cells[_TOLD:])])
            if len(rows[-1]) != (RANKED if wide else len(classes)) or (wide and len(ranked[-1]) != RANKED):
                raise ValueError
        except (ValueError, KeyError):
            raise _refusal(path, line) from None
        told.append(cells[:_TOLD])
        lines.append(line)
    return PredictionTable(
        source=path,
        lines=lines,
        paths=[Path(cells[0]) for cells in told],
        targets=[cells[1] for cells in told],
        answers=[cells[2] for cells in told],
        probabilities=np.array(rows, dtype=np.float32).reshape(-1, RANKED if wide else len(classes)),
        ranked=np.array(ranked, dtype=np.int64).reshape(-1, RANKED) if wide else None,
    )


def _refusal(path: Path, line: int) -> DataError:
    return DataError(f"{path}, line {line}: not a prediction as `tellapart train` writes it. Train again.")

"""A finished run, read back. In: its folder. Out: RunRecord. Next: workflows/report.py."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Manifest, read_manifest
from tellapart.data.examples import Example
from tellapart.data.examples_csv import read_examples
from tellapart.errors import DataError, SettingsError
from tellapart.runs.run import MARKER
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.settings.tree import TrainSettings
from tellapart.storage import storage_errors

_FILES = ("recipe.toml", "metrics.json", "audit.json", "examples.csv", "predictions.csv", "model.onnx")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRecord:
    """Everything that a run's folder tells."""

    folder: Path
    settings: TrainSettings
    manifest: Manifest
    metrics: dict[str, Any]  # metrics.json
    audit: dict[str, Any]  # audit.json
    examples: list[Example]  # with problems
    tested: list[Path]  # of the n test pictures
    labels: NDArray[np.int64]  # [n]
    probabilities: NDArray[np.float32]  # [n, K], calibrated

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the probabilities."""
        return self.manifest.classes


def read_run(folder: Path) -> RunRecord:
    """Read a run. Raises: SettingsError when it is none, unfinished or incomplete; DataError, ModelFileError, StorageError."""
    if not (folder / "recipe.toml").is_file():
        raise SettingsError(f"{folder} is not the folder of a run: it has no recipe.toml. Give a folder under runs/.")
    if (folder / MARKER).exists():
        raise SettingsError(
            f"the run {folder} is unfinished; only a finished run has results to show. "
            f"Go on with it: tellapart train --resume {folder}"
        )
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise SettingsError(
            f"the run {folder} lacks {', '.join(missing)}, which a finished run has. Copy the whole folder, or train again."
        )
    manifest, metrics = read_manifest(folder / "model.onnx"), _read_json(folder / "metrics.json", "test")
    tested, labels, probabilities = _read_predictions(folder / "predictions.csv", manifest.classes)
    if len(tested) != metrics["test"].get("n"):
        raise DataError(
            f"{folder / 'predictions.csv'} has {len(tested):,} rows; metrics.json tells of {metrics['test'].get('n')} test "
            "pictures. Copy the whole run again, or train again."
        )
    return RunRecord(
        folder=folder,
        settings=make_settings(read_recipe(folder / "recipe.toml")),
        manifest=manifest,
        metrics=metrics,
        audit=_read_json(folder / "audit.json", "counts"),
        examples=read_examples(folder / "examples.csv"),
        tested=tested,
        labels=labels,
        probabilities=probabilities,
    )


def _read_json(path: Path, key: str) -> dict[str, Any]:
    with storage_errors(path):
        data = path.read_bytes()
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict) or key not in value:
        raise DataError(f"{path} is not the JSON that `tellapart train` wrote: it lacks {key!r}. Train again.")
    return value


def _read_predictions(
    path: Path, classes: tuple[str, ...]
) -> tuple[list[Path], NDArray[np.int64], NDArray[np.float32]]:
    with storage_errors(path):
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""))
    wanted = ["path", "label", "predicted", *(f"probability of {name}" for name in classes)]
    header = next(reader, [])
    if header[: len(wanted)] != wanted:
        raise DataError(
            f"{path} has the columns {','.join(header)[:200]!r}, not those of the model's {len(classes)} classes. Train again."
        )
    number = {name: index for index, name in enumerate(classes)}
    paths, labels, rows = [], [], []
    for cells in reader:
        try:
            labels.append(number[cells[1]])
            rows.append([float(cell) for cell in cells[3:]])
            if len(rows[-1]) != len(classes):
                raise ValueError
        except (IndexError, KeyError, ValueError):
            raise DataError(
                f"{path}, line {reader.line_num}: not a prediction as `tellapart train` writes it. Train again."
            ) from None
        paths.append(Path(cells[0]))
    return paths, np.array(labels, dtype=np.int64), np.array(rows, dtype=np.float32).reshape(-1, len(classes))

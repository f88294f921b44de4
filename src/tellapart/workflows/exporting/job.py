"""One export, as all formats share it. In: OpenRun. Out: ExportJob. Next: making.py.

The test split is prepared once, and answered once by the model's own file: what formats answer is compared with that.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.errors import DataError
from tellapart.export.tools import Environment
from tellapart.reporter import Reporter
from tellapart.runs.open import OpenRun
from tellapart.runs.run_texts import read_texts
from tellapart.runtime import BATCH, cores
from tellapart.storage import storage_errors
from tellapart.texts.inputs import TextInputs
from tellapart.workflows.exporting.feeding import Taking, feed_of
from tellapart.workflows.rating.asking import AskedSplit, ask_split, ask_texts
from tellapart.workflows.rating.rated import Rated, compute_of, rate

_RUNNER = importlib.resources.files("tellapart.export").joinpath("browser", "runner.cjs")
CALIBRATION = 128  # training pictures that tell the ranges of int8 numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportJob:
    """What every format is made from, and compared with."""

    run: OpenRun
    model: bytes  # of model.onnx
    feed: Taking
    asked: AskedSplit  # the test split
    before: Rated
    environments: Mapping[str, Environment]  # by tool
    work: Path  # a folder of temporary files
    pictures: Path | None  # training pictures as inputs, an .npy; None where no format asks for them
    reporter: Reporter
    web_runtime: Path | None = None  # ONNX Runtime for browsers, where a format asks for it
    seed: int = 0

    @property
    def digest(self) -> str:
        """The SHA-256 of model.onnx."""
        return hashlib.sha256(self.model).hexdigest()

    @property
    def options(self) -> dict[str, Any]:
        """What converters are told of the model besides its graph."""
        return {
            **self.feed.options(),
            "pictures": None if self.pictures is None else str(self.pictures),
            "web_runtime": None
            if self.web_runtime is None
            else str(self.web_runtime.absolute()),  # tools work in folders of their own
            "web_runner": str(_RUNNER),
        }


def begin(
    run: OpenRun,
    *,
    environments: Mapping[str, Environment],
    calibrated: bool,
    work: Path,
    reporter: Reporter,
    web_runtime: Path | None = None,
    seed: int = 0,
) -> ExportJob:
    """Prepare the test split and let model.onnx answer it; training pictures too where formats are `calibrated`.

    Raises: DataError where pictures are gone; ModelFileError, StorageError.
    """
    with storage_errors(run.file):
        model = run.file.read_bytes()
    feed = feed_of(run)
    asked = ask_split(run, "test", work, reporter) if run.manifest.pictures is not None else _texts(run)
    before = rate(
        compute_of(run.model),
        asked,
        run.manifest,
        megabytes=len(model) / 1e6,
        workers=cores(),
        batch=run.model.inputs.at_once if isinstance(run.model.inputs, TextInputs) else BATCH,
        seed=seed,
        reporter=reporter,
        said="model.onnx",
    )
    return ExportJob(
        run=run,
        model=model,
        feed=feed,
        asked=asked,
        before=before,
        environments=environments,
        work=work,
        pictures=_calibration(run, work, reporter) if calibrated else None,
        reporter=reporter,
        web_runtime=web_runtime,
        seed=seed,
    )


def _texts(run: OpenRun) -> AskedSplit:
    """The texts of the test split. Raises: DataError where none can be read again."""
    read = read_texts(run, most=None, split="test")
    asked = ask_texts(read.examples, read.texts, run.manifest)
    if not asked.pictures:
        raise DataError(
            f"no test text of {run.folder} could be read again ({read.reason or 'it lists none'}). Say where they are: "
            "--pictures PATH."
        )
    return asked


def _calibration(run: OpenRun, work: Path, reporter: Reporter) -> Path:
    """Some training pictures as inputs, uint8 [N, S, S, 3], in a file."""
    try:
        shown = ask_split(run, "train", work, reporter, most=CALIBRATION)
    except DataError as error:
        raise DataError(f"int8 needs training pictures, which tell it how large numbers become: {error}") from None
    path = work / "calibration.npy"
    step = max(1, len(shown.inputs) // CALIBRATION)
    with storage_errors(path):
        np.save(path, np.ascontiguousarray(shown.inputs[::step][:CALIBRATION]), allow_pickle=False)
    return path

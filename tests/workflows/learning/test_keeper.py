"""What a stopped training leaves and says. In: errors. Out: folders that stay or go. Next: test_planned.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.errors import (
    BackboneError,
    ForeignCheckpoint,
    MissingExtra,
    SettingsError,
    StorageError,
    TellapartError,
    TrainingError,
)
from tellapart.reporter import Silent
from tellapart.runs.run import Run, open_fold, start_run
from tellapart.settings.reading import make_settings
from tellapart.workflows.learning.keeper import Keeper


class Warned(Silent):
    """A reporter that notes warnings."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, text: str) -> None:
        self.warned.append(text)


def left_by(error: BaseException, folder: Path, *, checkpoints: bool, resumed: bool = False) -> tuple[Run, list[str]]:
    run = start_run(make_settings({"data": str(folder), "out": str(folder / "runs")}))
    if checkpoints:
        (run.folder / "checkpoints").mkdir()
    told = Warned()
    with pytest.raises(type(error)), Keeper(told, run, resumed=resumed):
        raise error
    assert run.lock is None or run.lock.closed
    return run, told.warned


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        StorageError("full"),
        MissingExtra("train", "fast", "openvino"),
        ImportError("no module named onnx"),
        RuntimeError("a fault of ours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_passes_leaves_a_run_and_says_how_to_go_on(error: BaseException, tmp_path: Path) -> None:
    run, warned = left_by(error, tmp_path, checkpoints=True)
    assert warned == [f"Stopped. Nothing is lost; go on with: tellapart train --resume {run.folder}"]
    assert (run.folder / "checkpoints").exists()


@pytest.mark.parametrize("kind", [SettingsError, BackboneError])
@pytest.mark.parametrize(("checkpoints", "resumed"), [(False, False), (True, False), (False, True)])
def test_a_run_goes_only_where_nothing_was_learned(
    kind: type[TellapartError], checkpoints: bool, resumed: bool, tmp_path: Path
) -> None:
    run, warned = left_by(kind("wrong"), tmp_path, checkpoints=checkpoints, resumed=resumed)
    assert run.folder.exists() == (checkpoints or resumed)
    assert warned == []


def test_a_training_that_fails_again_is_told_as_such_but_not_of_foreign_checkpoints(tmp_path: Path) -> None:
    run, warned = left_by(TrainingError("the loss is nan"), tmp_path, checkpoints=True)
    (told,) = warned
    assert told.startswith("Stopped; resumed as it is, it would fail at the same step. The weights so far are in ")
    assert str(run.folder / "checkpoints") in told
    assert left_by(ForeignCheckpoint("another"), tmp_path, checkpoints=True)[1] == []


def test_a_run_with_finished_folds_stays(tmp_path: Path) -> None:
    run = start_run(make_settings({"data": str(tmp_path), "out": str(tmp_path / "runs"), "kfold": {"folds": 3}}))
    folds = [open_fold(run, place) for place in range(2)]
    folds[0].finish()
    told = Warned()
    with pytest.raises(SettingsError), Keeper(told, run, resumed=False):
        raise SettingsError("--budget 1s is too short")
    assert told.warned == [
        f"Stopped, with 1 fold finished, which nothing takes back. Go on with: tellapart train --resume {run.folder}"
    ]
    assert (run.folder / "folds" / "1").exists()

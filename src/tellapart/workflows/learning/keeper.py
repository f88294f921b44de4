"""What a stopped training leaves, and says of that. In: Run, an error. Out: a folder that stays or goes. Next: session.py."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from tellapart.errors import (
    BackboneError,
    ForeignCheckpoint,
    MachineError,
    MissingExtra,
    SettingsError,
    StorageError,
    TellapartError,
    TrainingError,
)
from tellapart.reporter import Reporter, counted
from tellapart.runs.folds import finished_folds
from tellapart.runs.run import SEARCH, Run

_PASSING = (MachineError, MissingExtra, StorageError)  # what the machine lacks may be given to it


class Keeper:
    """Says what a stopped training leaves, and lets go of its run."""

    def __init__(self, reporter: Reporter, run: Run | None, *, resumed: bool) -> None:
        self.run, self._reporter, self._resumed = run, reporter, resumed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.run is None:
            return
        if isinstance(error, (SettingsError, BackboneError)):
            done = finished_folds(self.run.folder)
            if done:
                self._reporter.warn(
                    f"Stopped, with {counted(done, 'fold')} finished, which nothing takes back. Go on with: tellapart train "
                    f"--resume {self.run.folder}"
                )
            elif not self._resumed and not (self.run.folder / "checkpoints").exists():
                self.run.discard()  # it holds nothing that could be gone on with
        elif isinstance(error, TrainingError) and not isinstance(error, ForeignCheckpoint):
            # Of a foreign checkpoint nothing is said: with its pictures back as they were, the run can go on.
            self._reporter.warn(
                f"Stopped; resumed as it is, it would fail at the same step. The weights so far are in "
                f"{self.run.folder / 'checkpoints'}. Train again with other settings."
            )
        elif isinstance(error, _PASSING) or (error is not None and not isinstance(error, TellapartError)):
            # Of Ctrl-C and of errors that are none of ours too: what was trained by then is not trained again.
            command = "search" if (self.run.folder / SEARCH).is_dir() else "train"
            self._reporter.warn(f"Stopped. Nothing is lost; go on with: tellapart {command} --resume {self.run.folder}")
        self.run.release()

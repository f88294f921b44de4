"""A run of which nothing is missing. In: its folder. Out: OpenRun. Next: open.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tellapart.errors import SettingsError
from tellapart.runs.open import EXAMPLES, MODEL, RECIPE, OpenRun
from tellapart.runs.places import no_run
from tellapart.runs.run import MARKER

_FILES = (
    RECIPE,
    "metrics.json",
    "audit.json",
    EXAMPLES,
    MODEL,
)  # of every finished run, and what its record tells its answers in


def open_finished(folder: Path, *, pictures: Path | None = None) -> OpenRun:
    """Open a run of which nothing is missing; its tables are read at once, so that what is wrong with one is told first.

    `pictures` is as for OpenRun.
    Raises: SettingsError when it is none, unfinished or incomplete; DataError, ModelFileError, StorageError.
    """
    if not (folder / RECIPE).is_file():
        raise no_run(folder)
    if (folder / MARKER).exists():
        raise SettingsError(
            f"the run {folder} is unfinished; only a finished run has results to show. "
            f"Go on with it: tellapart train --resume {folder}"
        )
    _check_there(folder, _FILES)
    run = OpenRun(folder, pictures=pictures)
    record = run.manifest.record
    _check_there(folder, (record.told_in,))
    for part in ("metrics", record.told_as, "settings", "audit", "examples"):
        getattr(run, part)
    return run


def _check_there(folder: Path, names: Sequence[str]) -> None:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise SettingsError(
            f"the run {folder} lacks {', '.join(missing)}, which a finished run has. Copy the whole folder, or train again."
        )

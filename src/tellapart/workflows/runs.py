"""A run on disk. In: settings. Out: Run, a folder that is never overwritten. Next: train.py.

A folder with `unfinished.json` is a run that was stopped; `tellapart train --resume FOLDER` goes on with it. The marker
goes away last, after model.onnx is whole.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.errors import SettingsError
from tellapart.settings import TrainSettings, make_settings, read_recipe
from tellapart.storage import current_umask, storage_errors, write_bytes, write_json

MARKER = "unfinished.json"
_PACKAGES = ("tellapart", "numpy", "pillow", "onnxruntime", "onnx", "scikit-learn", "timm", "torch", "torchvision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's folder and settings."""

    folder: Path
    settings: TrainSettings
    started: float  # time.monotonic()

    def log(self, event: str, **facts: Any) -> None:
        """Add one line to log.jsonl."""
        record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with storage_errors(self.folder), (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def finish(self) -> None:
        """Take the marker away and point `latest` here."""
        with storage_errors(self.folder):
            (self.folder / MARKER).unlink(missing_ok=True)
        _point_latest(self.folder)


def start_run(settings: TrainSettings) -> Run:
    """Make a new folder OUT/NAME, NAME being the data set and the time. Raises: StorageError."""
    started = time.monotonic()
    out = Path(settings.out)
    # Absolute, so that a run can be resumed from another folder.
    absolute = settings.model_copy(update={"pictures": os.path.abspath(settings.pictures), "out": str(out.absolute())})
    name = f"{_safe(Path(absolute.pictures).stem)}-{datetime.now():%Y%m%d-%H%M%S}"
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        # Filled under another name first: a run's folder that exists at all can be resumed.
        partial = Path(tempfile.mkdtemp(dir=out, prefix=f".{name}-"))
        try:
            os.chmod(partial, 0o777 & ~current_umask())
            write_bytes(partial / "recipe.toml", recipe_text(absolute).encode())
            write_json(partial / MARKER, {"process": os.getpid()})
            folder = _rename_to_free_name(partial, out / name)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    run = Run(folder=folder, settings=absolute, started=started)
    run.log("started", settings=absolute.model_dump())
    return run


def _rename_to_free_name(partial: Path, wanted: Path) -> Path:
    folder, number = wanted, 1
    while True:
        try:
            # mkdir decides who of two processes gets the name; rename then replaces the empty folder.
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")
            continue
        os.replace(partial, folder)
        return folder


def resume_run(folder: Path) -> Run:
    """Open a stopped run again, with the settings that it was started with.

    Raises: SettingsError when the folder is no run, or the run is finished.
    """
    if not (folder / "recipe.toml").is_file():
        raise SettingsError(f"{folder} is not the folder of a run: it has no recipe.toml. Give a folder under runs/.")
    if not (folder / MARKER).exists():
        raise SettingsError(
            f"the run {folder} is finished; only a stopped run can be resumed. "
            f"To repeat it: tellapart train --recipe {folder / 'recipe.toml'}"
        )
    settings = make_settings(read_recipe(folder / "recipe.toml"))
    run = Run(folder=folder, settings=settings, started=time.monotonic())
    run.log("resumed")
    return run


def recipe_text(settings: TrainSettings) -> str:
    """recipe.toml: every resolved setting, and the versions that ran."""
    import tomli_w

    values = {key: value for key, value in settings.model_dump().items() if value is not None}
    head = "# Repeat this run with: tellapart train --recipe recipe.toml\n"
    return head + tomli_w.dumps({"settings": values, "versions": versions()})


def versions() -> dict[str, str]:
    """What computed the result: Python and the packages that matter."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _safe(name: str) -> str:
    kept = "".join(character if character.isalnum() or character in "._-" else "_" for character in name)
    return kept.strip("._")[:60] or "pictures"


def _point_latest(folder: Path) -> None:
    link = folder.parent / "latest"
    if link.exists() and not link.is_symlink():
        return  # the user's own file or folder of that name stays
    temporary = folder.parent / f".latest-{os.getpid()}"
    # Some file systems have no symbolic links; the run is complete without it.
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(folder.name)
        os.replace(temporary, link)


def check_writable(out: Path) -> None:
    """Refuse before an hour's work, not after it. Raises: StorageError when no run folder could be made in `out`."""
    existing = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    with storage_errors(out):
        if not existing.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(existing))
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission", str(existing))

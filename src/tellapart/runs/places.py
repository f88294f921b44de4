"""Where runs and their pictures lie. In: folders. Out: paths, the link `latest`. Next: run.py."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from tellapart.errors import SettingsError
from tellapart.sources.remote.addresses import is_remote
from tellapart.storage import storage_errors

_TABLES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".xlsx", ".parquet", ".arrow", ".feather")


class RunAtWork(SettingsError):
    """Another process holds the run."""


def moved_data(before: Path, now: Path) -> Path:
    """Where a folder or table lies now: `now`, or the table of its name in that folder. Raises: SettingsError."""
    if is_remote(now):
        return now
    table = now / before.name
    if now.is_dir() and table.is_file():
        return table.absolute()
    if not now.exists() or (now.is_dir() and before.suffix.lower() in _TABLES):
        raise SettingsError(
            f"the pictures were {before}, and {table if now.exists() else now} is not there. Say where it is now."
        )
    return now.absolute()


def point_latest(folder: Path) -> None:
    """Let the link `latest` beside a run lead to it, where there can be one."""
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


def no_run(folder: Path) -> SettingsError:
    """That it is no run, and which is meant, where that can be seen: the newest in it, or the one that a file lies in."""
    meant = next((one for one in (folder / "latest", folder.parent) if (one / "recipe.toml").is_file()), None)
    remedy = "Give a folder under runs/." if meant is None else f"Give {meant}."
    return SettingsError(f"{folder} is not the folder of a run: it has no recipe.toml. {remedy}")

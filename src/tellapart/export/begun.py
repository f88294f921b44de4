"""Folders that are filled whole or not at all. In: where one is to stand. Out: a folder, begun, then there. Next: table.py.

What a process that was killed had begun is removed by the next one that fills the same folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tellapart.storage import storage_errors


@contextlib.contextmanager
def begun_folder(home: Path) -> Iterator[Path]:
    """An empty folder beside `home`, removed at the end unless it has taken its place. Raises: StorageError."""
    with storage_errors(home):
        home.parent.mkdir(parents=True, exist_ok=True)
        _sweep(home)
        begun = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}.{os.getpid()}."))
        begun.chmod(0o755)
    try:
        yield begun
    finally:
        shutil.rmtree(begun, ignore_errors=True)


def take_place(begun: Path, home: Path) -> None:
    """Put a filled folder where an earlier one may stand. Raises: StorageError."""
    with storage_errors(home):
        old = begun.with_name(f"{begun.name}.old")
        if home.exists():
            os.replace(home, old)
        os.replace(begun, home)
        shutil.rmtree(old, ignore_errors=True)


def _sweep(home: Path) -> None:
    for left in home.parent.glob(f".{home.name}.*"):
        number = left.name[len(home.name) + 2 :].partition(".")[0]
        if number.isdigit() and not _lives(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(process: int) -> bool:
    if os.name == "nt":
        return True  # to ask would be to end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
